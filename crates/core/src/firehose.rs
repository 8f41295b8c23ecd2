//! The event that Firehose sends to its transformation function, and the answer that it expects.
//!
//! `aws_lambda_events` fails the whole event for one record's bad base64, and for the empty `subsequenceNumber` of AWS's
//! own example, hence our own small reading of it: nothing that is odd about a record is a fault of its neighbours.

mod answer;

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::answer::{Answer, AnswerMetadata, Answered, Outcome, PartitionKeys};
use crate::event::{self, is_shard_id};
use crate::{ArrivedAt, Record, SequenceNumber};

/// A record as Firehose delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// What the answer has to name it by.
    pub record_id: String,
    /// Where it comes from and what it holds; or why that cannot be known.
    pub user_record: Result<UserRecord, Unplaced>,
}

/// What Firehose has taken out of a Kinesis record, or a plain one as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The Kinesis record, with the user record as its data.
    pub record: Record,
    /// Its index inside an aggregated record; 0 in a plain one.
    pub subsequence_number: u64,
}

/// Why it cannot be known where a record stands in a Kinesis stream, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplaced {
    /// It was put into the delivery stream itself.
    NoMetadata,
    /// Firehose sends it otherwise than it is documented.
    Malformed(&'static str),
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMetadata => {
                f.write_str("there is no kinesisRecordMetadata: let a Kinesis stream be the delivery stream's source")
            }
            Self::Malformed(what) => write!(
                f,
                "{what}: have the orchestrator read the record from the stream, with LANDING=on, and upgrade Landfall"
            ),
        }
    }
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

/// Without its name a record cannot be answered, and so the event is none. All else is its own fault alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventRecord<'a> {
    record_id: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    kinesis_record_metadata: Value,
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

fn user_record(record: &EventRecord<'_>) -> Result<UserRecord, Unplaced> {
    let metadata = &record.kinesis_record_metadata;
    if metadata.is_null() {
        return Err(Unplaced::NoMetadata);
    }
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let shard_id = text("shardId").filter(|id| is_shard_id(id)).ok_or(Unplaced::Malformed("shardId is none"))?;
    let sequence_number = text("sequenceNumber")
        .and_then(SequenceNumber::new)
        .ok_or(Unplaced::Malformed("sequenceNumber is no decimal integer of up to 129 digits"))?;
    let subsequence_number = subsequence_number(&metadata["subsequenceNumber"])
        .ok_or(Unplaced::Malformed("subsequenceNumber is no number"))?;
    let partition_key = text("partitionKey").ok_or(Unplaced::Malformed("partitionKey is no text"))?;
    let arrived_at = arrived_at(&metadata["approximateArrivalTimestamp"])
        .ok_or(Unplaced::Malformed("approximateArrivalTimestamp is none between the years 1 and 9999"))?;
    // Borrowed, but where something in it is escaped.
    let data: Option<Cow<'_, str>> = record.data.and_then(|raw| match serde_json::from_str(raw.get()) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(raw.get()).ok().map(Cow::Owned),
    });
    let record = Record {
        shard_id: shard_id.into(),
        sequence_number,
        partition_key: partition_key.into(),
        arrived_at,
        data: event::data(&data.ok_or(Unplaced::Malformed("data is no text"))?),
        place: None,
    };
    Ok(UserRecord { record, subsequence_number })
}

/// Firehose sends a number; AWS's example has an empty text.
fn subsequence_number(value: &Value) -> Option<u64> {
    match value {
        Value::Null => Some(0),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// Firehose sends milliseconds; AWS's example has `2012-04-23T18:25:43.511Z`.
fn arrived_at(value: &Value) -> Option<ArrivedAt> {
    let ms = match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis(),
        other => other.as_i64()?,
    };
    ArrivedAt::from_millis(ms)
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

#[cfg(test)]
mod tests;
