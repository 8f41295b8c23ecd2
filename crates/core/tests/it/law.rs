//! What holds for the records of any batch. The fuzz target in `fuzz/` includes this file and asserts the same.

use std::collections::{HashMap, HashSet};

use landfall_core::dead_letter::{self, DeadLetter};
use landfall_core::{Batch, Pipeline, Position, Record, decode, landing, upsert};

/// Decodes and asserts. Sequence numbers must be distinct.
#[track_caller]
pub(crate) fn assert_law(pipeline: &Pipeline, records: &[Record]) -> Batch {
    let batch = decode(pipeline, records);
    assert_eq!(batch.n_duplicates, 0);
    every_document_is_in_exactly_one_output(&batch, records);
    no_record_becomes_far_more_than_it_is(&batch, records);
    rows_and_poison_can_be_stored(pipeline, &batch);
    poison_comes_back_where_it_was(pipeline, &batch);
    assert_eq!(decode(pipeline, records), batch, "deterministic");
    batch
}

fn positions(batch: &Batch) -> Vec<Position> {
    let poison = batch.poison.iter().map(|poison| poison.position());
    batch.rows.iter().map(|row| row.position()).chain(poison).collect()
}

#[track_caller]
fn every_document_is_in_exactly_one_output(batch: &Batch, records: &[Record]) {
    let mut numbers: HashMap<(String, u64), Vec<u64>> = HashMap::new();
    let positions = positions(batch);
    let distinct: HashSet<_> = positions.iter().collect();
    assert_eq!(distinct.len(), positions.len(), "a position stands twice");
    for Position { sequence_number, subsequence_number, document_number, .. } in positions {
        numbers.entry((sequence_number.to_string(), subsequence_number)).or_default().push(document_number);
    }
    for record in records {
        let sequence_number = record.sequence_number.to_string();
        let first = record.place.map_or(0, |place| place.subsequence_number);
        let user_records = (first..).map_while(|index| numbers.remove(&(sequence_number.clone(), index)));
        let mut n_user_records = 0;
        for mut numbers in user_records {
            n_user_records += 1;
            numbers.sort_unstable();
            let first = record.place.map_or(0, |place| place.document_number);
            assert!(
                numbers.iter().copied().eq((first..).take(numbers.len())),
                "a document number is left out: {numbers:?}"
            );
        }
        assert_ne!(n_user_records, 0, "a record came to nothing");
    }
    assert!(numbers.is_empty(), "a user record is left out, or nobody's: {numbers:?}");
}

/// Ten poison documents, one more for each 100 bytes, and the rest.
#[track_caller]
fn no_record_becomes_far_more_than_it_is(batch: &Batch, records: &[Record]) {
    let mut n_poison: HashMap<String, usize> = HashMap::new();
    for poison in &batch.poison {
        *n_poison.entry(poison.position().sequence_number.to_string()).or_default() += 1;
        assert!(poison.reason.len() < 1_000, "{}", poison.reason);
    }
    for record in records {
        let n_bytes = record.data.as_ref().map_or(0, |data| data.len());
        let n_poison = n_poison.get(record.sequence_number.as_str()).copied().unwrap_or_default();
        assert!(n_poison <= 10 + n_bytes / 100 + 1, "{n_poison} poison of {n_bytes} bytes");
    }
}

#[track_caller]
fn rows_and_poison_can_be_stored(pipeline: &Pipeline, batch: &Batch) {
    let landed: usize = landing::objects(pipeline, &batch.rows).map(|object| object.unwrap().n_rows).sum();
    assert_eq!(landed, batch.rows.len());
    let stored: usize = dead_letter::objects(pipeline, &batch.poison).map(|object| object.unwrap().n_rows).sum();
    assert_eq!(stored, batch.poison.len());
    let requests = upsert::requests(&batch.rows, upsert::MAX_REQUEST_BYTES).unwrap();
    let requested: usize = requests.planned.iter().map(|planned| planned.rows.len()).sum();
    assert_eq!(requested + requests.too_large.len(), batch.rows.len());
}

/// The same pipeline finds it poison again, at the same position, unless it is what was not read at all.
#[track_caller]
fn poison_comes_back_where_it_was(pipeline: &Pipeline, batch: &Batch) {
    let letters: Vec<DeadLetter> = batch.poison.iter().map(DeadLetter::from).collect();
    let redriven = decode(pipeline, &dead_letter::to_records(&letters).unwrap());
    let expected: Vec<_> = batch.poison.iter().map(|poison| poison.position()).collect();
    let found: Vec<_> = redriven.poison.iter().map(|poison| poison.position()).collect();
    if redriven.rows.is_empty() && found.len() == expected.len() {
        assert_eq!(found, expected);
    }
    let of_rows: HashSet<_> = batch.rows.iter().map(|row| row.position()).collect();
    assert!(positions(&redriven).iter().all(|position| !of_rows.contains(position)), "redriven over a row");
    assert!(expected.iter().all(|position| positions(&redriven).contains(position)), "a letter came to nothing");
}
