//! Records to rows and poison. Never fails: every document is in exactly one of the two.

mod document;
mod record;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::record::{read, read_user_record, whole};
use crate::dead_letter::Poison;
use crate::payload::Inflater;
use crate::{Pipeline, Record, Row, SequenceNumber};

#[cfg(panic = "abort")]
compile_error!("panic has to be \"unwind\": a record whose decoding panics is poison, and must not end the function");

/// The rows that a record may have: twice as many as a MiB holds of the smallest documents. Of small ones they are 25 requests
/// to upsert, which go one after the other.
pub const MAX_RECORD_ROWS: usize = 150_000;

/// The rows that an invocation takes, unless one record has more. Of small ones they are nine requests.
pub const MAX_ROWS: usize = 50_000;

/// The bytes of records that an invocation takes, inflated, unless one record has more. An event that is not compressed has
/// less.
pub const MAX_BYTES: usize = 8 << 20;

/// What an invocation takes.
#[derive(Debug, Clone, Copy)]
struct Room {
    n_rows: usize,
    n_bytes: usize,
}

const AN_INVOCATION: Room = Room { n_rows: MAX_ROWS, n_bytes: MAX_BYTES };
const ANY: Room = Room { n_rows: usize::MAX, n_bytes: usize::MAX };

/// What one invocation's records came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Rows in the order of the records.
    pub rows: Vec<Row>,
    /// Poison in the order of the records.
    pub poison: Vec<Poison>,
    /// Documents left out because their position stood in the batch before.
    pub n_duplicates: usize,
}

/// Decodes records by the pipeline.
///
/// Compressed records are inflated and aggregated ones taken apart. A position that stands twice in the batch counts
/// once. A panic while decoding a record is that record's poison: its neighbours go on.
pub fn decode(pipeline: &Pipeline, records: &[Record]) -> Batch {
    decode_with(records, reader(pipeline), ANY).0
}

/// Decodes the first of the records, as many as an invocation takes, and says how many that were: at least one.
///
/// Records that inflate to more than a function's memory, or come to more requests than its time, would fail it again and
/// again. The rest is for another invocation. Which that is goes by the records alone.
pub fn decode_first(pipeline: &Pipeline, records: &[Record]) -> (Batch, usize) {
    decode_with(records, reader(pipeline), AN_INVOCATION)
}

/// Adds what a record comes to. Answers with the bytes that this holds on to.
fn reader(pipeline: &Pipeline) -> impl Fn(&Record, &mut Batch) -> usize {
    |record, batch| {
        // One for each record: what becomes of it must not depend on the batch that it comes in.
        let mut inflater = Inflater::new(pipeline.max_inflated_bytes);
        read(pipeline, &mut inflater, record, batch);
        record.data.as_ref().map_or(0, |data| data.len()) + inflater.n_bytes()
    }
}

/// Decodes what Firehose delivers: the user record `subsequence_number` of `record`, which is the record itself where that is
/// plain, at the positions that [`decode`] gives it.
///
/// It is not taken apart: Firehose has done that. What is still aggregated is poison, for user records in it might
/// have the positions of others.
pub fn decode_user_record(pipeline: &Pipeline, record: &Record, subsequence_number: u64) -> Batch {
    let read = |record: &Record, batch: &mut Batch| {
        read_user_record(pipeline, &mut Inflater::new(pipeline.max_inflated_bytes), record, subsequence_number, batch);
        0
    };
    decode_with(std::slice::from_ref(record), read, ANY).0
}

/// Decodes records as long as there is room, and says how many that were.
fn decode_with(records: &[Record], read: impl Fn(&Record, &mut Batch) -> usize, room: Room) -> (Batch, usize) {
    let mut batch = Batch { rows: Vec::with_capacity(records.len()), poison: Vec::new(), n_duplicates: 0 };
    let repeated = repeated(records);
    let mut seen = HashSet::new();
    let (mut n_records, mut n_bytes) = (0, 0);
    for record in records {
        let (n_rows, n_poison) = (batch.rows.len(), batch.poison.len());
        let more = catch_unwind(AssertUnwindSafe(|| read(record, &mut batch)));
        if more.is_err() {
            batch.rows.truncate(n_rows);
            batch.poison.truncate(n_poison);
            let reason = "decoding the record panicked: a fault of Landfall";
            batch.poison.push(whole(record, reason.to_owned()));
        }
        n_bytes += more.unwrap_or(0);
        let is_over = batch.rows.len() > room.n_rows || n_bytes > room.n_bytes;
        if is_over && n_records > 0 {
            // Alone it may be too much already: it is not to come on top of others.
            batch.rows.truncate(n_rows);
            batch.poison.truncate(n_poison);
            break;
        }
        if repeated.contains(&id(record)) {
            let n_before = batch.rows.len() + batch.poison.len();
            let (rows, poison) = (batch.rows.split_off(n_rows), batch.poison.split_off(n_poison));
            batch.rows.extend(rows.into_iter().filter(|row| seen.insert(row.position())));
            batch.poison.extend(poison.into_iter().filter(|poison| seen.insert(poison.position())));
            batch.n_duplicates += n_before - batch.rows.len() - batch.poison.len();
        }
        n_records += 1;
        if is_over {
            break;
        }
    }
    batch.rows.shrink_to_fit();
    (batch, n_records)
}

fn id(record: &Record) -> (&str, &SequenceNumber) {
    (&record.shard_id, &record.sequence_number)
}

/// Records that stand in the batch more than once, whole or as redriven documents. Only two of these can have a document
/// of one position, so the positions of all others need not be remembered.
fn repeated(records: &[Record]) -> HashSet<(&str, &SequenceNumber)> {
    let mut seen = HashSet::with_capacity(records.len());
    records.iter().map(id).filter(|id| !seen.insert(*id)).collect()
}

#[cfg(test)]
mod tests;
