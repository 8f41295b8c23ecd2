//! Poison with its reason, as it is stored.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::landing::{Object, key};
use crate::row::Document;
use crate::{ArrivedAt, Pipeline, Position, Row, SequenceNumber};

/// A document that fails the same way on every try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// Where the document stands in its stream.
    pub position: Position,
    /// The Kinesis partition key of its record.
    pub partition_key: Arc<str>,
    /// When its record arrived.
    pub arrived_at: ArrivedAt,
    /// Who refused it.
    pub stage: Stage,
    /// Why, in words for a person.
    pub reason: String,
    /// Its bytes.
    pub document: Document,
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
    /// A row that the warehouse refused with `code` and `message`.
    pub fn refused(row: &Row, code: &str, message: &str) -> Self {
        Self {
            position: row.position.clone(),
            partition_key: row.partition_key.clone(),
            arrived_at: row.arrived_at,
            stage: Stage::Upsert,
            reason: format!("the warehouse refused the row: {message} ({code})"),
            document: row.document.clone(),
        }
    }
}

/// One line of a dead-letter object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
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
    pub data: String,
}

impl From<&Poison> for DeadLetter {
    fn from(poison: &Poison) -> Self {
        Self {
            stage: poison.stage,
            reason: poison.reason.clone(),
            shard_id: poison.position.shard_id.to_string(),
            sequence_number: poison.position.sequence_number.to_string(),
            subsequence_number: poison.position.subsequence_number,
            document_number: poison.position.document_number,
            partition_key: poison.partition_key.to_string(),
            arrived_at: poison.arrived_at.to_string(),
            data: STANDARD.encode(poison.document.bytes()),
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

/// The JSON-lines objects that hold `poison`: one a shard, under `deadletter/yyyy/mm/dd/hh/`.
///
/// # Errors
/// Only what `serde_json` says of text and numbers, which is nothing.
pub fn objects(pipeline: &Pipeline, poison: &[Poison]) -> Result<Vec<Object>, serde_json::Error> {
    let mut by_shard: BTreeMap<&str, Vec<&Poison>> = BTreeMap::new();
    for one in poison {
        by_shard.entry(&one.position.shard_id).or_default().push(one);
    }
    let mut objects = Vec::with_capacity(by_shard.len());
    for mut poison in by_shard.into_values() {
        poison.sort_by(|a, b| a.position.cmp(&b.position));
        let mut body = Vec::new();
        for one in &poison {
            serde_json::to_writer(&mut body, &DeadLetter::from(*one))?;
            body.push(b'\n');
        }
        let [first, .., last] = [poison[0], poison[poison.len() - 1]];
        objects.push(Object {
            key: key(
                &pipeline.landing.dead_letter_prefix,
                first.arrived_at,
                &first.position,
                &last.position,
                &body,
                ".jsonl",
            ),
            n_rows: poison.len(),
            body,
        });
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use crate::testing::{records, sensors};

    fn text(object: &Object) -> &str {
        std::str::from_utf8(&object.body).unwrap()
    }

    #[test]
    fn a_line_says_what_where_and_why() {
        let batch = decode(&sensors(), &records(&["{\"sensorId\":6} {\"sensorId\":64.5}\n"]));

        let objects = objects(&sensors(), &batch.poison).unwrap();

        assert_eq!(objects.len(), 1);
        insta::assert_snapshot!(objects[0].key, @"deadletter/2026/11/20/14/shardId-000000000000-100-100-9a25f8b4d90bed2a.jsonl");
        insta::assert_snapshot!(text(&objects[0]), @r#"{"stage":"decode","reason":"`sensorId` is 64.5, which is no integer","shard_id":"shardId-000000000000","sequence_number":"100","subsequence_number":0,"document_number":1,"partition_key":"key","arrived_at":"2026-11-20 14:00:00.123","data":"eyJzZW5zb3JJZCI6NjQuNX0="}"#);
        let letter: DeadLetter = serde_json::from_slice(&objects[0].body).unwrap();
        assert_eq!(STANDARD.decode(letter.data).unwrap(), br#"{"sensorId":64.5}"#, "the document's own bytes");
    }

    #[test]
    fn a_refused_row_carries_its_document_and_the_warehouses_words() {
        let batch = decode(&sensors(), &records(&[r#"{"sensorId":6} {"sensorId":7}"#]));

        let refused = Poison::refused(&batch.rows[1], "100038", "Numeric value 'x' is not recognized");

        let letter = DeadLetter::from(&refused);
        assert_eq!((letter.stage, letter.document_number), (Stage::Upsert, 1));
        assert_eq!(letter.reason, "the warehouse refused the row: Numeric value 'x' is not recognized (100038)");
        assert_eq!(STANDARD.decode(letter.data).unwrap(), br#"{"sensorId":7}"#);
    }

    #[test]
    fn each_shard_has_an_object_and_lines_are_in_order() {
        let mut records = records(&["a", "b", "c", "d"]);
        records[1].shard_id = "shardId-000000000001".into();
        records.reverse();

        let poison = decode(&sensors(), &records).poison;
        let objects = objects(&sensors(), &poison).unwrap();

        let keys: Vec<_> = objects.iter().map(|object| object.key.rsplit_once('-').unwrap().0).collect();
        let folder = "deadletter/2026/11/20/14";
        assert_eq!(
            keys,
            [format!("{folder}/shardId-000000000000-100-103"), format!("{folder}/shardId-000000000001-101-101"),]
        );
        let numbers: Vec<_> = text(&objects[0])
            .lines()
            .map(|line| serde_json::from_str::<DeadLetter>(line).unwrap().sequence_number)
            .collect();
        assert_eq!(numbers, ["100", "102", "103"]);
    }

    #[test]
    fn bytes_that_are_no_text_come_back_whole() {
        let data = b"\xf3\x89\x9a\xc2\x00\xff";
        let poison = decode(&sensors(), &records(&[data])).poison;
        assert_eq!(STANDARD.decode(DeadLetter::from(&poison[0]).data).unwrap(), data);
    }
}
