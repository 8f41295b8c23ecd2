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

/// The rows that a record may have: more than there are in an event that is not compressed, 6 MB of the smallest documents.
pub const MAX_RECORD_ROWS: usize = 350_000;

/// An invocation that has this many rows takes no more records. They are some twelve requests to upsert, one after the other.
pub const MAX_ROWS: usize = 100_000;

/// An invocation that has so many bytes of documents takes no more records. An event that is not compressed has less.
pub const MAX_DOCUMENT_BYTES: usize = 8 << 20;

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
    decode_with(records, reader(pipeline), |_, _| false).0
}

/// Decodes the first of the records, as many as an invocation holds, and says how many that were: at least one.
///
/// Records that inflate to more than a function's memory, or come to more requests than its time, would fail it again and
/// again. The rest is for another invocation.
pub fn decode_first(pipeline: &Pipeline, records: &[Record]) -> (Batch, usize) {
    decode_with(records, reader(pipeline), |n_rows, n_bytes| n_rows >= MAX_ROWS || n_bytes >= MAX_DOCUMENT_BYTES)
}

fn reader(pipeline: &Pipeline) -> impl Fn(&Record, &mut Batch) {
    // An inflater for each record: what becomes of it must not depend on the batch that it comes in.
    |record, batch| read(pipeline, &mut Inflater::new(pipeline.max_inflated_bytes), record, batch)
}

/// Decodes what Firehose delivers: the user record `subsequence_number` of `record`, which is the record itself where that is
/// plain, at the positions that [`decode`] gives it.
///
/// It is not taken apart: Firehose has done that. What is still aggregated is poison, for user records in it might
/// have the positions of others.
pub fn decode_user_record(pipeline: &Pipeline, record: &Record, subsequence_number: u64) -> Batch {
    let read = |record: &Record, batch: &mut Batch| {
        read_user_record(pipeline, &mut Inflater::new(pipeline.max_inflated_bytes), record, subsequence_number, batch);
    };
    decode_with(std::slice::from_ref(record), read, |_, _| false).0
}

/// Decodes records until `is_full` says so of the rows and the bytes of documents, and says how many records that were.
fn decode_with(
    records: &[Record],
    read: impl Fn(&Record, &mut Batch),
    is_full: impl Fn(usize, usize) -> bool,
) -> (Batch, usize) {
    let mut batch = Batch { rows: Vec::with_capacity(records.len()), poison: Vec::new(), n_duplicates: 0 };
    let repeated = repeated(records);
    let mut seen = HashSet::new();
    let (mut n_records, mut n_bytes) = (0, 0);
    for record in records {
        let (n_rows, n_poison) = (batch.rows.len(), batch.poison.len());
        if catch_unwind(AssertUnwindSafe(|| read(record, &mut batch))).is_err() {
            batch.rows.truncate(n_rows);
            batch.poison.truncate(n_poison);
            let reason = "decoding the record panicked: a fault of Landfall";
            batch.poison.push(whole(record, reason.to_owned()));
        }
        if repeated.contains(&id(record)) {
            let n_before = batch.rows.len() + batch.poison.len();
            let (rows, poison) = (batch.rows.split_off(n_rows), batch.poison.split_off(n_poison));
            batch.rows.extend(rows.into_iter().filter(|row| seen.insert(row.position())));
            batch.poison.extend(poison.into_iter().filter(|poison| seen.insert(poison.position())));
            batch.n_duplicates += n_before - batch.rows.len() - batch.poison.len();
        }
        n_records += 1;
        let of_rows = batch.rows.iter().skip(n_rows).map(|row| row.document.range.len());
        n_bytes +=
            of_rows.chain(batch.poison.iter().skip(n_poison).map(|poison| poison.document.range.len())).sum::<usize>();
        // Whoever goes on does so by sequence number, which redriven documents of one record share.
        let is_next_its_own = records.get(n_records).is_some_and(|next| id(next) != id(record));
        if is_next_its_own && is_full(batch.rows.len(), n_bytes) {
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
