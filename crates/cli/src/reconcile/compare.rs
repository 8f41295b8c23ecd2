//! Compares what the places of a pipeline hold, position by position. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use clap::ValueEnum;
use landfall_core::{ArrivedAt, Position, Stage};

/// How many positions are named of what is wrong in one way.
const N_NAMED: usize = 100;

/// Where a document has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Store {
    /// The CSV objects.
    Landing,
    /// The table that upsert merges into.
    Streaming,
    /// The table that Snowpipe loads.
    Microbatch,
}

impl Store {
    /// In the order in which a document passes through them.
    pub(super) const ALL: [Self; 3] = [Self::Landing, Self::Streaming, Self::Microbatch];
}

/// What was seen of one position.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Rows, by [`Store`].
    n_rows: [u32; 3],
    /// When it arrived, by its first row in the landing zone.
    landed: Option<ArrivedAt>,
    decode_letter: bool,
    upsert_letter: bool,
}

/// What was seen of all positions.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: HashMap<Position, Seen>,
    /// Millions of positions share a few shards.
    shards: HashSet<Arc<str>>,
}

/// What the comparison came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Documents that anything holds, a dead letter included.
    pub(super) n_documents: usize,
    /// What each store holds that was compared.
    pub(super) stores: BTreeMap<Store, Held>,
    /// Documents of which there is a dead letter, and what has become of them.
    pub(super) dead_letters: DeadLetters,
    /// What a store lacks. Only those that lack something.
    pub(super) missing: BTreeMap<Store, Missing>,
    /// Documents of which the streaming table holds more than one row.
    pub(super) doubled: Named,
}

/// What a store holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) n_documents: usize,
    /// A document may have several rows in the landing zone, and then in the micro-batch table.
    pub(super) n_rows: u64,
}

/// Each document counts once, however many letters it has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DeadLetters {
    /// The decoder refused it, and it is nowhere else.
    pub(super) n_poison: usize,
    /// The warehouse refused it, and the streaming table does not hold it.
    pub(super) n_refused: usize,
    /// It was sent again since and is a row.
    pub(super) n_taken: usize,
}

/// What a store lacks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) documents: Named,
    /// How many of them are in the landing zone.
    pub(super) n_landed: usize,
    /// When the first of these arrived.
    pub(super) first_landed: Option<ArrivedAt>,
}

/// Documents, and the first of them by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) n: usize,
    first: BTreeSet<Position>,
}

impl Named {
    fn add(&mut self, position: &Position) {
        self.n += 1;
        if self.first.len() == N_NAMED {
            if self.first.last().is_some_and(|last| last < position) {
                return;
            }
            self.first.pop_last();
        }
        self.first.insert(position.clone());
    }

    /// The first of them, in the order of the stream.
    pub(super) fn first(&self) -> impl Iterator<Item = &Position> {
        self.first.iter()
    }
}

impl Seen {
    fn rows(&self, store: Store) -> u32 {
        self.n_rows[store as usize]
    }

    fn add(&mut self, store: Store, n_rows: u64) {
        let rows = &mut self.n_rows[store as usize];
        *rows = rows.saturating_add(u32::try_from(n_rows).unwrap_or(u32::MAX));
    }

    /// Whether a store that lacks this document lacks what it has to hold.
    fn is_due(&self, stores: &[Store]) -> bool {
        // The warehouse refused it: it may have landed, and even be loaded, or not.
        if self.upsert_letter {
            return false;
        }
        // A row anywhere is to be one everywhere. Poison is none anywhere, until it is sent again.
        stores.iter().any(|store| self.rows(*store) > 0)
    }
}

impl Tally {
    /// A table holds `n_rows` more rows of a document.
    pub(super) fn row(&mut self, store: Store, position: Position, n_rows: u64) {
        self.seen(position).add(store, n_rows);
    }

    /// The landing zone holds one more row of a document.
    pub(super) fn landed(&mut self, position: Position, arrived_at: ArrivedAt) {
        let seen = self.seen(position);
        seen.add(Store::Landing, 1);
        seen.landed.get_or_insert(arrived_at);
    }

    /// There is a dead letter of a document.
    pub(super) fn letter(&mut self, position: Position, stage: Stage) {
        let seen = self.seen(position);
        match stage {
            Stage::Decode => seen.decode_letter = true,
            Stage::Upsert => seen.upsert_letter = true,
        }
    }

    fn seen(&mut self, mut position: Position) -> &mut Seen {
        match self.shards.get(&position.shard_id) {
            Some(shard_id) => position.shard_id = Arc::clone(shard_id),
            None => _ = self.shards.insert(Arc::clone(&position.shard_id)),
        }
        self.seen.entry(position).or_default()
    }

    /// Compares these stores with each other and with the dead letters.
    pub(super) fn compare(&self, stores: &[Store]) -> Compared {
        let mut compared = Compared { n_documents: self.seen.len(), ..Compared::default() };
        for store in stores {
            compared.stores.insert(*store, Held::default());
        }
        for (position, seen) in &self.seen {
            let is_due = seen.is_due(stores);
            for store in stores {
                let n_rows = seen.rows(*store);
                if n_rows > 0 {
                    let held = compared.stores.entry(*store).or_default();
                    held.n_documents += 1;
                    held.n_rows += u64::from(n_rows);
                } else if is_due {
                    let missing = compared.missing.entry(*store).or_default();
                    missing.documents.add(position);
                    missing.n_landed += usize::from(seen.rows(Store::Landing) > 0);
                    missing.first_landed = missing.first_landed.into_iter().chain(seen.landed).min();
                }
            }
            if seen.rows(Store::Streaming) > 1 {
                compared.doubled.add(position);
            }
            let letters = &mut compared.dead_letters;
            if seen.upsert_letter && seen.rows(Store::Streaming) == 0 {
                letters.n_refused += 1;
            } else if seen.upsert_letter || seen.decode_letter && is_due {
                letters.n_taken += 1;
            } else if seen.decode_letter {
                letters.n_poison += 1;
            }
        }
        compared
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::SequenceNumber;

    use super::Store::{Landing, Microbatch, Streaming};
    use super::*;

    const ALL: [Store; 3] = Store::ALL;

    fn at(n: u64) -> Position {
        Position {
            shard_id: "shard".into(),
            sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
            subsequence_number: 0,
            document_number: 0,
        }
    }

    fn noon() -> ArrivedAt {
        ArrivedAt::from_text("2026-11-20 12:00:00").unwrap()
    }

    /// A document with so many rows in the landing zone, STREAMING and MICROBATCH, and with these dead letters.
    fn one(n_rows: [u64; 3], letters: &[Stage], stores: &[Store]) -> Compared {
        let mut tally = Tally::default();
        let [n_landed, tables @ ..] = n_rows;
        for _ in 0..n_landed {
            tally.landed(at(7), noon());
        }
        for (store, n_rows) in [Streaming, Microbatch].into_iter().zip(tables) {
            if n_rows > 0 {
                tally.row(store, at(7), n_rows);
            }
        }
        for stage in letters {
            tally.letter(at(7), *stage);
        }
        tally.compare(stores)
    }

    #[track_caller]
    fn check(n_rows: [u64; 3], letters: &[Stage], missing: &[Store]) {
        let compared = one(n_rows, letters, &ALL);
        assert_eq!(compared.missing.keys().copied().collect::<Vec<_>>(), missing, "{n_rows:?} {letters:?}");
        for missing in compared.missing.values() {
            assert_eq!(missing.documents.first().collect::<Vec<_>>(), [&at(7)]);
            assert_eq!((missing.documents.n, missing.n_landed), (1, usize::from(n_rows[0] > 0)));
            assert_eq!(missing.first_landed, (n_rows[0] > 0).then(noon));
        }
    }

    #[test]
    fn a_document_without_a_dead_letter_has_to_be_everywhere() {
        check([1, 1, 1], &[], &[]);
        check([0, 1, 1], &[], &[Landing]);
        check([1, 0, 1], &[], &[Streaming]);
        check([1, 1, 0], &[], &[Microbatch]);
        check([1, 0, 0], &[], &[Streaming, Microbatch]);
        check([0, 1, 0], &[], &[Landing, Microbatch]);
        check([0, 0, 1], &[], &[Landing, Streaming]);
    }

    #[test]
    fn poison_is_nowhere_or_since_it_was_sent_again_everywhere() {
        check([0, 0, 0], &[Stage::Decode], &[]);
        check([1, 1, 1], &[Stage::Decode], &[]);
        check([1, 0, 0], &[Stage::Decode], &[Streaming, Microbatch]);
        check([0, 1, 0], &[Stage::Decode], &[Landing, Microbatch]);
        check([1, 1, 0], &[Stage::Decode], &[Microbatch]);
    }

    #[test]
    fn what_the_warehouse_refused_may_be_anywhere_or_nowhere() {
        for n in 0..8 {
            let n_rows = [n & 1, n >> 1 & 1, n >> 2];
            check(n_rows, &[Stage::Upsert], &[]);
            check(n_rows, &[Stage::Decode, Stage::Upsert], &[]);
        }
    }

    #[track_caller]
    fn check_letters(n_rows: [u64; 3], letters: &[Stage], n_poison: usize, n_refused: usize, n_taken: usize) {
        let expected = DeadLetters { n_poison, n_refused, n_taken };
        assert_eq!(one(n_rows, letters, &ALL).dead_letters, expected, "{n_rows:?} {letters:?}");
    }

    #[test]
    fn a_document_with_dead_letters_counts_once_and_for_what_became_of_it() {
        let (decode, upsert) = (Stage::Decode, Stage::Upsert);
        check_letters([1, 1, 1], &[], 0, 0, 0);
        check_letters([0, 0, 0], &[decode], 1, 0, 0);
        check_letters([0, 0, 0], &[decode, decode, decode], 1, 0, 0);
        check_letters([1, 0, 0], &[upsert], 0, 1, 0);
        check_letters([1, 0, 1], &[upsert, upsert], 0, 1, 0);
        check_letters([1, 0, 1], &[decode, upsert], 0, 1, 0);
        check_letters([1, 1, 1], &[decode], 0, 0, 1);
        check_letters([1, 1, 1], &[upsert], 0, 0, 1);
        check_letters([1, 1, 1], &[decode, upsert], 0, 0, 1);
    }

    #[test]
    fn two_rows_are_a_fault_in_the_streaming_table_alone() {
        let doubled = |n_rows, letters: &[Stage]| one(n_rows, letters, &ALL).doubled;
        assert_eq!(doubled([1, 1, 1], &[]).n, 0);
        assert_eq!(doubled([2, 1, 2], &[]).n, 0);
        assert_eq!(doubled([1, 2, 1], &[]).first().collect::<Vec<_>>(), [&at(7)]);
        assert_eq!(doubled([1, 3, 1], &[]).n, 1);
        assert_eq!(doubled([1, 2, 1], &[Stage::Upsert]).n, 1);
    }

    #[test]
    fn a_batch_cut_elsewhere_is_counted_by_rows_and_documents() {
        let compared = one([2, 1, 3], &[], &ALL);
        let held = |n_documents, n_rows| Held { n_documents, n_rows };
        let expected = [(Landing, held(1, 2)), (Streaming, held(1, 1)), (Microbatch, held(1, 3))];
        assert_eq!(compared.stores, BTreeMap::from(expected));
        assert!(compared.missing.is_empty());
    }

    #[test]
    fn rows_that_are_read_in_parts_are_added_up() {
        let mut tally = Tally::default();
        tally.row(Streaming, at(7), 1);
        tally.row(Streaming, at(7), 1);
        assert_eq!(tally.compare(&ALL).doubled.n, 1);
        tally.row(Streaming, at(7), u64::MAX);
        assert_eq!(tally.compare(&ALL).stores[&Streaming].n_rows, u64::from(u32::MAX));
    }

    #[test]
    fn a_store_that_is_left_out_lacks_nothing_and_shows_nothing() {
        let missing = |n_rows, stores: &[Store]| one(n_rows, &[], stores).missing.into_keys().collect::<Vec<_>>();
        assert_eq!(missing([0, 1, 0], &[Streaming]), []);
        assert_eq!(missing([1, 0, 1], &[Landing, Microbatch]), []);
        assert_eq!(missing([1, 0, 0], &[Landing, Microbatch]), [Microbatch]);
        assert_eq!(missing([1, 0, 0], &[Streaming, Microbatch]), []);
        assert_eq!(one([1, 1, 1], &[], &[Landing]).stores.into_keys().collect::<Vec<_>>(), [Landing]);
    }

    #[test]
    fn the_first_are_named_in_the_order_of_the_stream_and_all_are_counted() {
        let mut tally = Tally::default();
        for n in (1..=1000).rev() {
            tally.landed(at(n), ArrivedAt::from_millis(noon().as_millis() + i64::try_from(n % 300).unwrap()).unwrap());
            tally.row(Streaming, at(n), if n % 2 == 0 { 1 } else { 0 });
        }

        let compared = tally.compare(&[Landing, Streaming]);

        assert_eq!(compared.n_documents, 1000);
        let missing = &compared.missing[&Streaming];
        assert_eq!((missing.documents.n, missing.n_landed), (500, 500));
        assert_eq!(missing.first_landed.unwrap().as_millis() - noon().as_millis(), 1);
        let named: Vec<_> = missing.documents.first().map(|position| position.sequence_number.to_string()).collect();
        assert_eq!(named.len(), N_NAMED);
        assert_eq!(named, (0..100).map(|n| (2 * n + 1).to_string()).collect::<Vec<_>>());
    }
}
