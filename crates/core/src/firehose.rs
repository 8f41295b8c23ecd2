//! The event that Firehose sends to its transformation function, and the answer that it expects.
//!
//! `aws_lambda_events` fails the whole event for one record's bad base64, and for the empty `subsequenceNumber` of AWS's
//! own example, hence our own small reading of it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::event::{data, is_shard_id};
use crate::{ArrivedAt, Record, SequenceNumber};

/// A record as Firehose delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// What the answer has to name it by.
    pub record_id: String,
    /// Where it comes from and what it holds; or why that cannot be known.
    pub user_record: Result<UserRecord, &'static str>,
}

/// What Firehose has taken out of a Kinesis record, or a plain one as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The Kinesis record, with the user record as its data.
    pub record: Record,
    /// Its index inside an aggregated record; 0 in a plain one.
    pub subsequence_number: u64,
}

/// Why an event is none of Firehose's.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to read the event as Firehose's: expected {{\"records\": [{{\"recordId\": …, \"data\": …, \
     \"kinesisRecordMetadata\": …}}]}}"
)]
pub struct EventError(#[from] serde_json::Error);

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    records: Vec<EventRecord<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventRecord<'a> {
    record_id: String,
    #[serde(borrow)]
    data: Cow<'a, str>,
    // Not with records that were put into the delivery stream itself.
    #[serde(borrow)]
    kinesis_record_metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    shard_id: Cow<'a, str>,
    #[serde(borrow)]
    partition_key: Cow<'a, str>,
    #[serde(borrow)]
    sequence_number: Cow<'a, str>,
    #[serde(default, borrow)]
    subsequence_number: Number<'a>,
    approximate_arrival_timestamp: i64,
}

/// Firehose sends a number; AWS's example has an empty text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number<'a> {
    Number(u64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl Default for Number<'_> {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// The records of an event, in its order.
///
/// # Errors
/// [`EventError`] when the event does not come from Firehose. A record's content is no reason to fail, nor is one that does
/// not say where it stands in a Kinesis stream.
///
/// Source: Firehose Developer Guide, "Transform source data"; Lambda Developer Guide, "Using Lambda with Amazon Data Firehose".
pub fn records(event: &str) -> Result<Vec<Delivered>, EventError> {
    let event: Event<'_> = serde_json::from_str(event)?;
    let delivered = event
        .records
        .into_iter()
        .map(|record| Delivered { user_record: user_record(&record), record_id: record.record_id });
    Ok(delivered.collect())
}

fn user_record(record: &EventRecord<'_>) -> Result<UserRecord, &'static str> {
    let metadata = record.kinesis_record_metadata.as_ref().ok_or("there is no kinesisRecordMetadata")?;
    if !is_shard_id(&metadata.shard_id) {
        return Err("shardId is none");
    }
    let subsequence_number = match &metadata.subsequence_number {
        Number::Number(number) => *number,
        Number::Text(text) if text.is_empty() => 0,
        Number::Text(text) => text.parse().map_err(|_| "subsequenceNumber is no number")?,
    };
    let record = Record {
        shard_id: metadata.shard_id.as_ref().into(),
        sequence_number: SequenceNumber::new(&metadata.sequence_number)
            .ok_or("sequenceNumber is no decimal integer of up to 129 digits")?,
        partition_key: metadata.partition_key.as_ref().into(),
        arrived_at: ArrivedAt::from_millis(metadata.approximate_arrival_timestamp)
            .ok_or("approximateArrivalTimestamp is out of range")?,
        data: data(&record.data),
        place: None,
    };
    Ok(UserRecord { record, subsequence_number })
}

/// The event that Firehose makes of records: the inverse of [`records`], for those that have a position.
pub fn render(user_records: &[(String, UserRecord)], delivery_stream_arn: &str, stream_arn: &str) -> String {
    let records: Vec<serde_json::Value> = user_records
        .iter()
        .map(|(record_id, UserRecord { record, subsequence_number })| {
            let data = match &record.data {
                Ok(data) => STANDARD.encode(data),
                Err(undecodable) => String::from_utf8_lossy(&undecodable.text).into_owned(),
            };
            serde_json::json!({
                "recordId": record_id,
                "approximateArrivalTimestamp": record.arrived_at.as_millis(),
                "data": data,
                "kinesisRecordMetadata": {
                    "shardId": *record.shard_id,
                    "partitionKey": *record.partition_key,
                    "approximateArrivalTimestamp": record.arrived_at.as_millis(),
                    "sequenceNumber": record.sequence_number.as_str(),
                    "subsequenceNumber": subsequence_number,
                },
            })
        })
        .collect();
    serde_json::json!({
        "invocationId": user_records.first().map_or("none", |(record_id, _)| record_id),
        "sourceKinesisStreamArn": stream_arn,
        "deliveryStreamArn": delivery_stream_arn,
        "region": delivery_stream_arn.split(':').nth(3).unwrap_or_default(),
        "records": records,
    })
    .to_string()
}

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
    ///
    /// # Errors
    /// Only what `serde_json` says of text, which is nothing.
    pub fn n_bytes(&self) -> serde_json::Result<usize> {
        let Self { record_id, result, data, metadata } = self;
        let (record_id, metadata) = (record_id.clone(), metadata.clone());
        let around = Self { record_id, result: *result, data: String::new(), metadata };
        // Base64 has nothing to escape.
        Ok(serde_json::to_string(&around)?.len() + data.len() + 1)
    }
}

#[cfg(test)]
mod tests;
