//! Records to events that Lambda takes.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use landfall_core::{Position, Record, event};
use landfall_local::shards::STREAM_ARN;

use super::event::{Event, MAX_BYTES};

/// Records in an event, however small they are.
const MAX_RECORDS: usize = 1000;

/// What the records of an event take, as they stand in it, unless one alone takes more: what a function takes with ease.
const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;

/// Left over of what Lambda takes, for what is around the event.
const MARGIN_BYTES: usize = 64 * 1024;

/// What a record takes at most, as it stands in an event.
pub(super) const MAX_RECORD_BYTES: usize = MAX_BYTES - MARGIN_BYTES;

/// A record that is one document, and what it takes in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sized {
    pub(super) position: Position,
    pub(super) record: Record,
    pub(super) n_bytes: usize,
}

impl Sized {
    pub(super) fn new(position: Position, record: Record) -> Self {
        // An event of this record alone: a little more than it takes among others.
        let n_bytes = event::render(std::slice::from_ref(&record), STREAM_ARN).len();
        Self { position, record, n_bytes }
    }
}

/// The records so far, each by its position and a digest of its data: a record that failed in several batches is in several
/// dead letters.
#[derive(Debug, Default)]
pub(super) struct Seen(HashSet<(Position, u64)>);

impl Seen {
    /// Whether it is the first of its kind.
    pub(super) fn is_new(&mut self, one: &Sized) -> bool {
        let mut digest = DefaultHasher::new();
        match &one.record.data {
            Ok(data) => data.hash(&mut digest),
            Err(undecodable) => undecodable.text.hash(&mut digest),
        }
        self.0.insert((one.position.clone(), digest.finish()))
    }
}

/// Records by shard and position, so many together as an event may hold.
///
/// Where two records of a position differ, which is so when somebody has changed one, or when its user record could not be
/// inflated the first time, they are in different events: within one, the first would hide the other.
pub(super) fn events(mut records: Vec<Sized>) -> Vec<Vec<Record>> {
    records.sort_by(|a, b| a.position.cmp(&b.position));
    let mut events: Vec<Vec<Record>> = Vec::new();
    let (mut n_bytes, mut last): (usize, Option<Position>) = (0, None);
    for Sized { position, record, n_bytes: more } in records {
        let fits = last.as_ref().is_some_and(|last| last.shard_id == position.shard_id && *last != position);
        match events.last_mut() {
            Some(open) if fits && open.len() < MAX_RECORDS && n_bytes + more <= MAX_EVENT_BYTES => {
                open.push(record);
                n_bytes += more;
            }
            _ => {
                events.push(vec![record]);
                n_bytes = more;
            }
        }
        last = Some(position);
    }
    events
}

/// The event itself.
pub(super) fn event(records: Vec<Record>) -> Event {
    let first = records.first().map(|record| format!(" from {}:{}", record.shard_id, record.sequence_number));
    let name = format!("documents{}", first.unwrap_or_default());
    Event { name, text: event::render(&records, STREAM_ARN), records }
}

#[cfg(test)]
mod tests {
    use landfall_core::{ArrivedAt, Place, SequenceNumber};

    use super::*;

    fn sized(shard_id: &str, number: u64, data: &[u8]) -> Sized {
        let sequence_number = SequenceNumber::new(&number.to_string()).unwrap();
        let record = Record {
            shard_id: shard_id.into(),
            sequence_number: sequence_number.clone(),
            partition_key: "key".into(),
            arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
            data: Ok(data.into()),
            place: Some(Place { subsequence_number: 0, document_number: 1 }),
        };
        let shard_id = shard_id.into();
        Sized::new(Position { shard_id, sequence_number, subsequence_number: 0, document_number: 1 }, record)
    }

    fn numbers(events: &[Vec<Record>]) -> Vec<Vec<&str>> {
        events.iter().map(|records| records.iter().map(|record| record.sequence_number.as_str()).collect()).collect()
    }

    #[test]
    fn an_event_is_of_one_shard_and_in_order() {
        let records = vec![sized("b", 9, b"9"), sized("a", 10, b"10"), sized("b", 8, b"8"), sized("a", 9, b"9")];
        assert_eq!(numbers(&events(records)), [["9", "10"], ["8", "9"]]);
    }

    #[test]
    fn a_position_comes_once_and_what_differs_comes_apart() {
        let mut records = vec![sized("a", 1, b"x"), sized("a", 2, b"x"), sized("a", 1, b"x"), sized("a", 1, b"y")];
        let mut seen = Seen::default();
        records.retain(|one| seen.is_new(one));
        assert_eq!(numbers(&events(records)), [vec!["1"], vec!["1", "2"]]);
    }

    #[test]
    fn an_event_stays_below_what_lambda_takes() {
        let n_records: Vec<usize> =
            events((0..2500).map(|number| sized("a", number, b"x")).collect()).iter().map(Vec::len).collect();
        assert_eq!(n_records, [1000, 1000, 500]);
        // Three quarters of this fit with base64 around it.
        let large = vec![b'x'; 1_000_000];
        let mut records: Vec<_> = (0..7).map(|number| sized("a", number, &large)).collect();
        records.push(sized("a", 7, &[b'x'; 4_000_000]));
        let events = events(records);
        assert_eq!(numbers(&events), [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"], vec!["7"]]);
        let whole = event(events.into_iter().next().unwrap());
        assert!(whole.text.len() < MAX_EVENT_BYTES && whole.text.len() > MAX_EVENT_BYTES * 9 / 10);
        assert_eq!(whole.name, "documents from a:0");
    }
}
