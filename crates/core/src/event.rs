//! The event that Lambda receives from a Kinesis stream.
//!
//! `aws_lambda_events` reads the fraction of `approximateArrivalTimestamp` as a number of its own (`.05` becomes
//! 5 ms) and fails the whole event for one record's bad base64, hence our own small reading of it.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::{ArrivedAt, Place, SequenceNumber};

/// One Kinesis record as the event source mapping delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The shard that it came from.
    pub shard_id: Arc<str>,
    /// Its place in the shard.
    pub sequence_number: SequenceNumber,
    /// What the producer gave to choose the shard.
    pub partition_key: Arc<str>,
    /// When Kinesis took it.
    pub arrived_at: ArrivedAt,
    /// What the producer put, or why it cannot be known.
    pub data: Result<Arc<[u8]>, Undecodable>,
    /// `None` for a record as the stream holds it. In one that is redriven, `data` is the one document that stood
    /// there: not to be cut up again, and at that very position.
    pub place: Option<Place>,
}

/// A record's `data` that is no base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// What is wrong.
    pub reason: String,
    /// The text as it stands in the event.
    pub text: Arc<[u8]>,
}

/// Why an event is no Kinesis event. The batch fails: there are no positions to put dead letters under.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// It has not the shape of a Kinesis event.
    #[error(
        "failed to read the event as a Kinesis event: expected {{\"Records\": [{{\"eventID\": …, \"kinesis\": …}}]}}"
    )]
    Shape(#[source] serde_json::Error),
    /// A record does not say where it stands in its stream.
    #[error("failed to read the position of record {index}: {what}")]
    Position {
        /// Index in `Records`.
        index: usize,
        /// What is wrong.
        what: &'static str,
    },
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<EventRecord<'a>>,
}

#[derive(Deserialize)]
struct EventRecord<'a> {
    #[serde(rename = "eventID", borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    kinesis: Kinesis<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis<'a> {
    #[serde(borrow)]
    partition_key: Cow<'a, str>,
    #[serde(borrow)]
    sequence_number: Cow<'a, str>,
    #[serde(borrow)]
    data: Cow<'a, str>,
    approximate_arrival_timestamp: f64,
}

/// The records of an event, in its order.
///
/// # Errors
/// [`EventError`] when the event does not come from a Kinesis stream. A record's content is no reason to fail.
///
/// Source: Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
pub fn records(event: &str) -> Result<Vec<Record>, EventError> {
    let event: Event<'_> = serde_json::from_str(event).map_err(EventError::Shape)?;
    let mut records = Vec::with_capacity(event.records.len());
    for (index, EventRecord { event_id, kinesis }) in event.records.into_iter().enumerate() {
        let fault = |what| EventError::Position { index, what };
        let (shard_id, place) = event_id_parts(&event_id, &kinesis.sequence_number)
            .ok_or_else(|| fault("eventID is not shard:sequence, nor shard:sequence:subsequence:document"))?;
        records.push(Record {
            shard_id: shard_id.into(),
            sequence_number: SequenceNumber::new(&kinesis.sequence_number)
                .ok_or_else(|| fault("sequenceNumber is no decimal integer of up to 129 digits"))?,
            partition_key: kinesis.partition_key.into(),
            arrived_at: ArrivedAt::from_seconds(kinesis.approximate_arrival_timestamp)
                .ok_or_else(|| fault("approximateArrivalTimestamp is out of range"))?,
            data: data(&kinesis.data),
            place,
        });
    }
    Ok(records)
}

/// Lambda's own eventID has two parts. One of four is a redriven document's position, see [`Record::place`].
fn event_id_parts<'a>(event_id: &'a str, sequence_number: &str) -> Option<(&'a str, Option<Place>)> {
    let (shard_id, rest) = event_id.split_once(':').filter(|(shard_id, _)| is_shard_id(shard_id))?;
    let parts: Vec<&str> = rest.split(':').collect();
    match parts[..] {
        [_] => Some((shard_id, None)),
        [sequence, subsequence, document] if sequence == sequence_number => {
            let place = Place { subsequence_number: number(subsequence)?, document_number: number(document)? };
            Some((shard_id, Some(place)))
        }
        _ => None,
    }
}

/// A number as it is written, in one way only.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// It becomes part of a key, so what else it may hold matters.
///
/// Source: Kinesis API Reference, `Shard.ShardId` (`[a-zA-Z0-9_.-]+`, up to 128 characters).
pub(crate) fn is_shard_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

pub(crate) fn data(text: &str) -> Result<Arc<[u8]>, Undecodable> {
    match STANDARD.decode(text) {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => Err(Undecodable { reason: format!("data is no base64: {error}"), text: text.as_bytes().into() }),
    }
}

/// The event that the event source mapping makes of `records`: the inverse of [`records`], redriven ones included.
///
/// `stream_arn` and the region in it are what Lambda would say; nothing here reads them.
pub fn render(records: &[Record], stream_arn: &str) -> String {
    let region = stream_arn.split(':').nth(3).unwrap_or_default();
    let records: Vec<serde_json::Value> = records
        .iter()
        .map(|record| {
            let data = match &record.data {
                Ok(data) => STANDARD.encode(data),
                Err(undecodable) => String::from_utf8_lossy(&undecodable.text).into_owned(),
            };
            let mut event_id = format!("{}:{}", record.shard_id, record.sequence_number);
            if let Some(Place { subsequence_number, document_number }) = record.place {
                event_id = format!("{event_id}:{subsequence_number}:{document_number}");
            }
            serde_json::json!({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": *record.partition_key,
                    "sequenceNumber": record.sequence_number.as_str(),
                    "data": data,
                    // Whole milliseconds below 2^53 are exact as a double of seconds to well under one of them.
                    "approximateArrivalTimestamp": record.arrived_at.as_millis() as f64 / 1000.0,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": event_id,
                "eventName": "aws:kinesis:record",
                "awsRegion": region,
                "eventSourceARN": stream_arn,
            })
        })
        .collect();
    serde_json::json!({ "Records": records }).to_string()
}

#[cfg(test)]
mod tests;
