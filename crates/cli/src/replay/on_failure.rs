//! Batches that the event source mapping gave up on, each whole.

use futures::StreamExt as _;
use landfall_core::event;
use serde::Deserialize;

use super::event::{Event, MAX_BYTES};
use super::landed::n;
use super::redrive::Redrive;
use crate::arrived::Arrived;
use crate::failure::Failure;
use crate::objects::{self, Listed, Place};

/// What the mapping stores of a batch.
///
/// Source: Lambda Developer Guide, "Retaining discarded batch records for a Kinesis event source".
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "KinesisBatchInfo")]
    batch: Option<BatchInfo>,
    payload: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo {
    shard_id: String,
    start_sequence_number: String,
    end_sequence_number: String,
}

/// The objects of a place that may hold batches with a record which arrived in time.
///
/// # Errors
/// They cannot be listed, or there are none at all.
pub(super) async fn list(place: &Place, arrived: Arrived) -> anyhow::Result<Vec<Listed>> {
    let mut listed = place.list().await?;
    listed.retain(|object| arrived.may_hold(object));
    Ok(listed)
}

/// Redrives the batches of these objects with a record that arrived in time.
///
/// Whole, with the records that did not: so a batch becomes the very objects that its first try began to make.
pub(super) async fn redrive(
    place: &Place,
    listed: &[Listed],
    arrived: Arrived,
    redrive: &mut Redrive<'_>,
) -> anyhow::Result<()> {
    redrive.says_what_it_does(listed.len());
    let bar = redrive.progress.bar("batches", listed.len() as u64);
    for some in objects::parts(listed) {
        // All of them, before anything is sent: a download that nobody reads is cut off.
        let read: Vec<_> = place.read_all(some).collect().await;
        for (object, bytes) in read {
            match bytes.and_then(|bytes| batch(place.name_of(&object.key), &bytes)) {
                Ok(event) if event.records.iter().any(|record| arrived.window.holds(record.arrived_at)) => {
                    one(&event, redrive).await?;
                }
                Ok(_) => {}
                Err(error) => redrive.problems.unusable(&error),
            }
            bar.inc(1);
        }
    }
    Ok(())
}

async fn one(event: &Event, redrive: &mut Redrive<'_>) -> anyhow::Result<()> {
    let Some(batch) = redrive.event(event).await? else { return Ok(()) };
    let (rows, poison) = (n(batch.rows.len(), "row"), n(batch.poison.len(), "dead letter"));
    redrive.progress.print(&format!("{}: {rows}, {poison}", event.title()))
}

/// The event that an object holds.
fn batch(name: String, bytes: &[u8]) -> anyhow::Result<Event> {
    let fault = |why: String, remedy: &str| {
        anyhow::Error::from(Failure { what: format!("failed to use {name}: {why}"), remedy: remedy.to_owned() })
    };
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| {
        fault(
            format!("it is no batch of an on-failure destination: {error}"),
            "name the prefix that holds nothing else",
        )
    })?;
    let text = match stored {
        Stored { payload: Some(payload), .. } => payload,
        Stored {
            batch: Some(BatchInfo { shard_id, start_sequence_number: first, end_sequence_number: last }), ..
        } => {
            let why = format!(
                "it says which records were given up, and does not hold them: {shard_id} from {first} to {last}"
            );
            let remedy = "have these read from the stream, while it keeps them: a second event source mapping that starts at \
                          their time (AT_TIMESTAMP) sends them all again; an S3 destination holds the records themselves, \
                          those of SQS and SNS do not";
            return Err(fault(why, remedy));
        }
        Stored { .. } => {
            let why = "it is no batch of an on-failure destination: it has no payload".to_owned();
            return Err(fault(why, "name the prefix that holds nothing else"));
        }
    };
    if text.len() > MAX_BYTES {
        let why = format!("its event has {} bytes, and Lambda takes {MAX_BYTES}", text.len());
        return Err(fault(why, "split its Records over two events, and replay these as files"));
    }
    let records = event::records(&text).map_err(|error| {
        fault(landfall_core::chain(&error), "name objects of a mapping that reads a Kinesis stream")
    })?;
    Ok(Event { name, text, records })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &str) -> String {
        match batch("x.json".to_owned(), bytes.as_bytes()) {
            Ok(event) => event.title(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_object_is_a_batch_or_says_why_it_is_none() {
        assert_eq!(said(r#"{"payload":"{\"Records\":[]}","KinesisBatchInfo":null}"#), "x.json: 0 records");
        let info = r#"{"KinesisBatchInfo":{"shardId":"shard-1","startSequenceNumber":"7","endSequenceNumber":"9","batchSize":3}}"#;
        insta::assert_snapshot!(said(info), @"failed to use x.json: it says which records were given up, and does not hold them: shard-1 from 7 to 9");
        insta::assert_snapshot!(said("{}"), @"failed to use x.json: it is no batch of an on-failure destination: it has no payload");
        insta::assert_snapshot!(said("{"), @"failed to use x.json: it is no batch of an on-failure destination: EOF while parsing an object at line 1 column 1");
        let no_event = said(r#"{"payload":"{}"}"#);
        assert!(
            no_event.starts_with("failed to use x.json: failed to read the event as a Kinesis event"),
            "{no_event}"
        );
    }
}
