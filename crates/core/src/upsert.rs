//! The contract between orchestrator and upsert: rows in, what became of each out.

mod too_large;

use std::collections::{BTreeMap, HashSet};
use std::io;

use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

pub use self::too_large::set_aside_too_large;
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

impl Response {
    /// Whether it says of each of `n_rows` rows what became of it; an answer that does not is not to be believed.
    pub fn accounts_for(&self, n_rows: usize) -> bool {
        let Self { inserted, duplicates, rejected } = self;
        let distinct: HashSet<_> = rejected.iter().map(|rejected| rejected.row).collect();
        let in_range = distinct.len() == rejected.len() && distinct.iter().all(|row| *row < n_rows);
        let accounted = inserted.checked_add(*duplicates).and_then(|n| n.checked_add(rejected.len() as u64));
        in_range && accounted == Some(n_rows as u64)
    }
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

/// How rows are sent, and the rows that are too large for any request.
#[derive(Debug, PartialEq, Eq)]
pub struct Requests<'a> {
    /// In the order of the rows.
    pub planned: Vec<Planned<'a>>,
    /// Rows that alone exceed the limit, with their size in bytes.
    pub too_large: Vec<(&'a Row, usize)>,
}

/// A request yet to be made, so that the text of one at a time is held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Planned<'a> {
    /// Its rows, in order, at least one: `rejected` counts in these.
    pub rows: Vec<&'a Row>,
    /// What their text takes, the brackets around them and the commas between them included.
    n_bytes: usize,
}

/// Plans requests of at most `max_bytes` of row text, in order, each of one shard.
///
/// # Errors
/// Only what `serde_json` says of text, which is nothing.
pub fn requests(rows: &[Row], max_bytes: usize) -> Result<Requests<'_>, serde_json::Error> {
    let mut by_shard: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by_shard.entry(&row.document.source.shard_id).or_default().push(row);
    }
    let mut out = Requests { planned: Vec::new(), too_large: Vec::new() };
    for rows in by_shard.into_values() {
        let mut open = Planned::default();
        for row in rows {
            let mut size = Size(0);
            serde_json::to_writer(&mut size, &Elements(row))?;
            let Size(n_bytes) = size;
            if n_bytes + 2 > max_bytes {
                out.too_large.push((row, n_bytes));
                continue;
            }
            if open.n_bytes + n_bytes + 1 > max_bytes {
                out.planned.push(std::mem::take(&mut open));
            }
            open.n_bytes += n_bytes + if open.rows.is_empty() { 2 } else { 1 };
            open.rows.push(row);
        }
        if !open.rows.is_empty() {
            out.planned.push(open);
        }
    }
    Ok(out)
}

impl Planned<'_> {
    /// The request itself.
    ///
    /// # Errors
    /// Only what `serde_json` says of text, which is nothing.
    pub fn request(&self, pipeline: &Pipeline) -> Result<Request, serde_json::Error> {
        let arrivals = || self.rows.iter().map(|row| row.arrived_at().as_millis());
        let mut text = Vec::with_capacity(self.n_bytes);
        for row in &self.rows {
            text.push(if text.is_empty() { b'[' } else { b',' });
            serde_json::to_writer(&mut text, &Elements(row))?;
        }
        text.push(b']');
        let text = String::from_utf8(text).map_err(serde_json::Error::custom)?;
        Ok(Request {
            version: VERSION,
            shard_id: self.rows.first().map_or_else(String::new, |row| row.document.source.shard_id.to_string()),
            columns: pipeline.columns().into_iter().map(|column| column.name).collect(),
            arrived_ms: [arrivals().min().unwrap_or_default(), arrivals().max().unwrap_or_default()],
            rows: RawValue::from_string(text)?,
        })
    }
}

/// Counts what is written.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A row as the array of its elements.
struct Elements<'a>(&'a Row);

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let provenance = self.0.provenance();
        let mut seq = serializer.serialize_seq(Some(provenance.len() + self.0.cells.iter().count()))?;
        for text in &provenance {
            seq.serialize_element(text)?;
        }
        for cell in self.0.cells.iter() {
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
