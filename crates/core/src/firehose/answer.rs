//! What the transformation function answers Firehose.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// What the function answers: each record once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// In the order of the event.
    pub records: Vec<Answered>,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// The event's.
    pub record_id: String,
    /// What Firehose is to do.
    pub result: Outcome,
    /// Base64 of what is to be written; empty where nothing is.
    pub data: String,
    /// Where that is to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<AnswerMetadata>,
}

/// What Firehose is to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Write it.
    Ok,
    /// Nothing: what was to be done is done.
    Dropped,
    /// Put the record as it came under the error prefix.
    ProcessingFailed,
}

/// As Firehose wants it wrapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerMetadata {
    /// What the prefix of the object is made of.
    pub partition_keys: PartitionKeys,
}

/// Of these Firehose makes the layout of the landing zone, by the prefix
/// `kinesiscsv/!{partitionKeyFromLambda:partition}/!{partitionKeyFromLambda:hour}/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionKeys {
    /// `sensor-6`
    pub partition: String,
    /// `2026/11/20/14`, of arrival.
    pub hour: String,
}

impl Answered {
    /// Rows as CSV, to be written under `keys`.
    pub fn ok(record_id: String, csv: &[u8], keys: PartitionKeys) -> Self {
        let metadata = Some(AnswerMetadata { partition_keys: keys });
        Self { record_id, result: Outcome::Ok, data: STANDARD.encode(csv), metadata }
    }

    /// Nothing to be written.
    pub fn without_data(record_id: String, result: Outcome) -> Self {
        // Firehose's documentation requires the field.
        Self { record_id, result, data: String::new(), metadata: None }
    }

    /// What it takes in the answer, the comma behind it included.
    pub fn n_bytes(&self) -> usize {
        1 + json_bytes(self)
    }

    /// What an answer without data takes at most, the comma behind it included.
    pub fn n_bytes_without_data(record_id: &str) -> usize {
        let around = Self::without_data(String::new(), Outcome::ProcessingFailed).n_bytes();
        around + json_bytes(&record_id) - json_bytes(&"")
    }
}

/// The length of `value` as JSON.
fn json_bytes(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, nor can text as JSON.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}
