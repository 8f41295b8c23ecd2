//! Rows that no request can hold: they are poison, and in neither table.

use super::{MAX_REQUEST_BYTES, requests};
use crate::{Batch, Cell, Poison, Row, Stage};

/// Makes poison of the rows of a batch that no request can hold.
///
/// # Errors
/// Only what `serde_json` says of text, which is nothing.
pub fn set_aside_too_large(batch: &mut Batch) -> Result<(), serde_json::Error> {
    let mut too_large = Vec::new();
    for (index, row) in batch.rows.iter().enumerate().filter(|(_, row)| may_be_too_large(row)) {
        let requests = requests(std::slice::from_ref(row), MAX_REQUEST_BYTES)?;
        too_large.extend(requests.too_large.first().map(|(_, n_bytes)| (index, *n_bytes)));
    }
    // In place: a second list of the rows would be as large as the first.
    for (n_removed, (index, n_bytes)) in too_large.into_iter().enumerate() {
        batch.poison.push(Poison {
            reason: format!("the row takes {n_bytes} bytes, more than the {MAX_REQUEST_BYTES} of one upsert request"),
            stage: Stage::Decode,
            document: batch.rows.remove(index - n_removed).document,
        });
    }
    Ok(())
}

/// Whether it is worth measuring: JSON makes at most six bytes of one (`\u0000`), and a few around each element.
fn may_be_too_large(row: &Row) -> bool {
    let source = &row.document.source;
    let names = source.shard_id.len() + source.sequence_number.as_str().len() + source.partition_key.len();
    // The other provenance is numbers and a moment, below a hundred bytes.
    let cells: usize = row.cells.iter().map(|cell| Cell::as_text(cell).map_or(0, str::len) + 1).sum();
    (names + 100 + cells) * 6 > MAX_REQUEST_BYTES
}
