//! Poison with its reason, as it is stored.

mod redrive;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};

pub use self::redrive::{RedriveError, to_records};
use crate::landing::{Object, fill, key};
use crate::{Document, Pipeline, Position, Row, SequenceNumber};

/// A document that fails the same way on every try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// The document, or what stands in place of one.
    pub document: Document,
    /// Who refused it.
    pub stage: Stage,
    /// Why, in words for a person.
    pub reason: String,
}

/// Who refused a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is not what pipeline.toml declares.
    Decode,
    /// The warehouse alone refused its row, which may therefore have landed.
    Upsert,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decode => "decode",
            Self::Upsert => "upsert",
        })
    }
}

impl Poison {
    /// Where the document stands in its stream.
    pub fn position(&self) -> Position {
        self.document.position()
    }

    /// A row that the warehouse refused with `code` and `message`.
    pub fn refused(row: &Row, code: &str, message: &str) -> Self {
        Self {
            document: row.document.clone(),
            stage: Stage::Upsert,
            reason: format!("the warehouse refused the row: {message} ({code})"),
        }
    }
}

/// One line of a dead-letter object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter<D = String> {
    /// Who refused the document.
    pub stage: Stage,
    /// Why, in words for a person.
    pub reason: String,
    /// Four parts of the position.
    pub shard_id: String,
    /// Second part of the position.
    pub sequence_number: String,
    /// Third part of the position.
    pub subsequence_number: u64,
    /// Fourth part of the position.
    pub document_number: u64,
    /// The Kinesis partition key.
    pub partition_key: String,
    /// `2026-11-20 14:00:00.123`, UTC.
    pub arrived_at: String,
    /// The document's bytes in base64.
    pub data: D,
}

impl From<&Poison> for DeadLetter {
    fn from(poison: &Poison) -> Self {
        Self::new(poison, STANDARD.encode(poison.document.bytes()))
    }
}

impl<D> DeadLetter<D> {
    fn new(poison: &Poison, data: D) -> Self {
        let source = &poison.document.source;
        Self {
            stage: poison.stage,
            reason: poison.reason.clone(),
            shard_id: source.shard_id.to_string(),
            sequence_number: source.sequence_number.to_string(),
            subsequence_number: source.subsequence_number,
            document_number: poison.document.number,
            partition_key: source.partition_key.to_string(),
            arrived_at: source.arrived_at.to_string(),
            data,
        }
    }
}

impl DeadLetter {
    /// Where the document stands in its stream; `None` when the letter does not say so.
    pub fn position(&self) -> Option<Position> {
        Some(Position {
            shard_id: self.shard_id.as_str().into(),
            sequence_number: SequenceNumber::new(&self.sequence_number)?,
            subsequence_number: self.subsequence_number,
            document_number: self.document_number,
        })
    }
}

/// The JSON-lines objects that hold `poison`, one after the other: one a shard, under `deadletter/yyyy/mm/dd/hh/`; more where
/// that is over [`MAX_OBJECT_BYTES`](crate::landing::MAX_OBJECT_BYTES). Each is made when it is asked for.
///
/// # Errors
/// Only what `serde_json` says of text and numbers, which is nothing.
pub fn objects<'a>(
    pipeline: &'a Pipeline,
    poison: &'a [Poison],
) -> impl Iterator<Item = Result<Object, serde_json::Error>> + use<'a> {
    let mut by_shard: BTreeMap<&str, Vec<&Poison>> = BTreeMap::new();
    for one in poison {
        by_shard.entry(&one.document.source.shard_id).or_default().push(one);
    }
    by_shard.into_values().flat_map(move |mut poison| {
        poison.sort_by(|a, b| a.document.order().cmp(&b.document.order()));
        let mut n_done = 0;
        std::iter::from_fn(move || {
            let rest = poison.get(n_done..)?;
            let first = rest.first()?;
            let mut body = Vec::new();
            let written = fill(&mut body, rest, |body, one| write_line(body, one));
            // Behind an error nothing follows.
            n_done += written.as_ref().copied().unwrap_or(rest.len());
            Some(written.map(|n_rows| {
                let last = rest[..n_rows].last().unwrap_or(first);
                let prefix = &pipeline.landing.dead_letter_prefix;
                Object { key: key(prefix, &first.document, &last.document, &body, ".jsonl"), n_rows, body: body.into() }
            }))
        })
    })
}

/// A line for it.
fn write_line(body: &mut Vec<u8>, poison: &Poison) -> serde_json::Result<()> {
    let data = Base64(poison.document.bytes());
    // A body that grows is copied.
    body.reserve(data.0.len().div_ceil(3) * 4 + poison.reason.len() + 1000);
    serde_json::to_writer(&mut *body, &DeadLetter::new(poison, data))?;
    body.push(b'\n');
    Ok(())
}

/// Bytes that are encoded as they are written: they may be most of what a function has memory for.
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

#[cfg(test)]
mod tests;
