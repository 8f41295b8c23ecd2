//! The contract between orchestrator and upsert: rows in, what became of each out.

use std::collections::BTreeMap;

use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{ArrivedAt, Cell, Pipeline, Row};

/// The version of the contract that this build speaks.
pub const VERSION: u32 = 1;

/// A request's rows take at most this many bytes as JSON, so that one statement with its binds stays under
/// Snowflake's 1 MB.
pub const MAX_REQUEST_BYTES: usize = 900_000;

/// What upsert is invoked with. `rows` is JSON text from the orchestrator to the warehouse, never parsed between.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// The shard that all rows come from.
    pub shard_id: String,
    /// What the elements of each row are.
    pub columns: Vec<String>,
    /// Earliest and latest arrival of the rows, in milliseconds since 1970.
    pub arrived_ms: [i64; 2],
    /// An array of rows, each an array with one element a column: a string or null, and JSON for a variant.
    pub rows: Box<RawValue>,
}

/// What became of a request's rows: `inserted + duplicates + rejected.len()` is their number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Rows that are new in the table.
    pub inserted: u64,
    /// Rows whose position the table or the request already held.
    pub duplicates: u64,
    /// Rows that the warehouse refuses for their values.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
}

/// A row that the warehouse refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Index in the request's `rows`.
    pub row: usize,
    /// Snowflake's error code.
    pub code: String,
    /// Snowflake's message.
    pub message: String,
}

/// The requests that `rows` make, and the rows that are too large for any.
#[derive(Debug)]
pub struct Requests<'a> {
    /// In the order of the rows; each with its rows, so that `rejected` can be told from them.
    pub requests: Vec<(Request, Vec<&'a Row>)>,
    /// Rows that alone exceed the limit, with their size in bytes.
    pub too_large: Vec<(&'a Row, usize)>,
}

/// Cuts rows into requests of at most `max_bytes` of row text, in order, each of one shard.
///
/// # Errors
/// Only what `serde_json` says of text, which is nothing.
pub fn requests<'a>(pipeline: &Pipeline, rows: &'a [Row], max_bytes: usize) -> Result<Requests<'a>, serde_json::Error> {
    let columns: Vec<String> = pipeline.columns().into_iter().map(|column| column.name).collect();
    let mut by_shard: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by_shard.entry(&row.position.shard_id).or_default().push(row);
    }
    let mut out = Requests { requests: Vec::new(), too_large: Vec::new() };
    for rows in by_shard.into_values() {
        let mut open = Open::default();
        for row in rows {
            let text = serde_json::to_string(&Elements(row))?;
            // The brackets around the rows and the comma between two.
            if text.len() + 2 > max_bytes {
                out.too_large.push((row, text.len()));
                continue;
            }
            if open.text.len() + 1 + text.len() + 1 > max_bytes {
                out.requests.extend(std::mem::take(&mut open).close(&columns)?);
            }
            open.push(row, &text);
        }
        out.requests.extend(open.close(&columns)?);
    }
    Ok(out)
}

/// A request that still takes rows.
#[derive(Default)]
struct Open<'a> {
    text: String,
    rows: Vec<&'a Row>,
}

impl<'a> Open<'a> {
    fn push(&mut self, row: &'a Row, text: &str) {
        self.text.push(if self.rows.is_empty() { '[' } else { ',' });
        self.text.push_str(text);
        self.rows.push(row);
    }

    fn close(mut self, columns: &[String]) -> Result<Option<(Request, Vec<&'a Row>)>, serde_json::Error> {
        let Some(first) = self.rows.first() else { return Ok(None) };
        let shard_id = first.position.shard_id.to_string();
        let arrivals = || self.rows.iter().map(|row| row.arrived_at.as_millis());
        let arrived_ms = [arrivals().min().unwrap_or_default(), arrivals().max().unwrap_or_default()];
        self.text.push(']');
        let request = Request {
            version: VERSION,
            shard_id,
            columns: columns.to_vec(),
            arrived_ms,
            rows: RawValue::from_string(self.text)?,
        };
        Ok(Some((request, self.rows)))
    }
}

/// A row as the array of its elements.
struct Elements<'a>(&'a Row);

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let provenance = self.0.provenance();
        let mut seq = serializer.serialize_seq(Some(provenance.len() + self.0.cells.len()))?;
        for text in &provenance {
            seq.serialize_element(text)?;
        }
        for cell in &self.0.cells {
            match cell {
                Cell::Null => seq.serialize_element(&())?,
                Cell::Text(text) => seq.serialize_element(text)?,
                Cell::Json(json) => {
                    let raw: &RawValue = serde_json::from_str(json).map_err(S::Error::custom)?;
                    seq.serialize_element(raw)?;
                }
            }
        }
        seq.end()
    }
}

impl Request {
    /// The arrivals between which the table is searched for the rows: the request's own, a second wider, so that
    /// micro-partitions of other days are not read. `None` when they are no moments.
    pub fn search_bounds(&self) -> Option<[ArrivedAt; 2]> {
        let [min, max] = self.arrived_ms;
        Some([ArrivedAt::from_millis(min.checked_sub(1000)?)?, ArrivedAt::from_millis(max.checked_add(1000)?)?])
    }
}

#[cfg(test)]
mod tests;
