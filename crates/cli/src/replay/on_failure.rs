//! Batches that the event source mapping gave up on, each whole.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use landfall_core::event;
use serde::Deserialize;

use super::event::{Event, MAX_BYTES};
use super::landed::n;
use super::redrive::Redrive;
use crate::arrived::Arrived;
use crate::failure::Failure;
use crate::objects::{self, Listed, Place};

/// What every batch's object has in it, whatever else is wrong with it.
const MARK: &[u8] = b"KinesisBatchInfo";

/// What the mapping stores of a batch.
///
/// Source: Lambda Developer Guide, "Retaining discarded batch records for a Kinesis event source".
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "KinesisBatchInfo")]
    batch: Option<BatchInfo>,
    payload: Option<String>,
    #[serde(rename = "requestContext")]
    context: Option<Context>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo {
    shard_id: String,
    start_sequence_number: String,
    end_sequence_number: String,
    stream_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    function_arn: Option<String>,
}

/// Where the records of an event come from, in their own words.
#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "Records")]
    records: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "eventSourceARN")]
    arn: Option<String>,
}

/// A batch, and whose it is.
struct GivenUp {
    event: Event,
    stream: Option<String>,
    /// The function that did not take it.
    function: Option<String>,
}

/// Streams and functions of batches, each with the key of the first one.
#[derive(Debug, Default)]
struct Origins {
    streams: BTreeMap<String, String>,
    functions: BTreeMap<String, String>,
}

/// The objects of a place that may hold batches with a record which arrived in time.
///
/// # Errors
/// They cannot be listed, or there are none at all.
pub(super) async fn list(place: &Place, arrived: Arrived) -> anyhow::Result<Vec<Listed>> {
    // What a console makes in place of a folder is empty.
    place.list(|object| object.n_bytes > 0 && !object.key.ends_with('/') && arrived.may_hold(object)).await
}

/// Redrives the batches of these objects with a record that arrived in time.
///
/// Whole, with the records that did not: so a batch becomes the very objects that its first try began to make.
///
/// # Errors
/// The batches are not all of one stream, or of another function; then none is sent.
pub(super) async fn redrive(
    place: &Place,
    listed: &[Listed],
    arrived: Arrived,
    redrive: &mut Redrive<'_>,
) -> anyhow::Result<()> {
    let listed = checked(place, listed, redrive).await?;
    redrive.says_what_it_does(listed.len());
    let bar = redrive.progress.bar("batches", listed.len() as u64);
    for some in objects::parts(&listed) {
        // All of them, before anything is sent: a download that nobody reads is cut off.
        let read: Vec<_> = place.read_all(some).collect().await;
        for (object, bytes) in read {
            match bytes.and_then(|bytes| batch(place.name_of(&object.key), &bytes)) {
                Ok(Some(GivenUp { event, .. }))
                    if event.records.iter().any(|record| arrived.window.holds(record.arrived_at)) =>
                {
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

/// The objects that are batches, all of one stream and of the function that is to take them; read before anything is sent.
async fn checked(place: &Place, listed: &[Listed], redrive: &mut Redrive<'_>) -> anyhow::Result<Vec<Listed>> {
    let bar = redrive.progress.bar("batches looked at", listed.len() as u64);
    let (mut batches, mut others, mut n_unusable) = (Vec::new(), Vec::new(), 0_usize);
    let mut origins = Origins::default();
    for some in objects::parts(listed) {
        let read: Vec<_> = place.read_all(some).collect().await;
        for (object, bytes) in read {
            match bytes.and_then(|bytes| batch(place.name_of(&object.key), &bytes)) {
                Ok(Some(given_up)) => {
                    origins.add(given_up, &object.key);
                    batches.push(object.clone());
                }
                Ok(None) => others.push(&object.key),
                Err(error) => {
                    n_unusable += 1;
                    redrive.problems.unusable(&error);
                }
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if let Some(key) = others.first() {
        let others = format!("{} no Kinesis batch, {} for one", is_or_are(others.len()), place.name_of(key));
        if batches.is_empty() && n_unusable == 0 {
            let what = format!("no batch of a Kinesis stream under {}: {others}", place.name());
            return Err(
                Failure { what, remedy: "name the prefix of the mapping's on-failure destination".to_owned() }.into()
            );
        }
        redrive.progress.line(&format!("left alone: {others}"));
    }
    origins.check(place, redrive.to.target.deployed_name())?;
    Ok(batches)
}

fn is_or_are(n_objects: usize) -> String {
    format!("{} {}", n(n_objects, "object"), if n_objects == 1 { "is" } else { "are" })
}

impl Origins {
    fn add(&mut self, given_up: GivenUp, key: &str) {
        if let Some(stream) = given_up.stream {
            self.streams.entry(stream).or_insert_with(|| key.to_owned());
        }
        if let Some(function) = given_up.function {
            self.functions.entry(function).or_insert_with(|| key.to_owned());
        }
    }

    /// Another stream's batches would be merged into this table, and nothing would tell them apart.
    fn check(&self, place: &Place, deployed_name: Option<&str>) -> anyhow::Result<()> {
        if self.streams.len() > 1 {
            let streams: Vec<_> =
                self.streams.iter().map(|(stream, key)| format!("{stream} under {}", home(place, key))).collect();
            let what = format!(
                "failed to use {}: it holds batches of {} streams: {}",
                place.name(),
                streams.len(),
                streams.join(", ")
            );
            return Err(Failure { what, remedy: "name the one whose batches are to be sent".to_owned() }.into());
        }
        let Some(name) = deployed_name.map(function_name) else { return Ok(()) };
        if let Some((function, key)) = self.functions.iter().find(|(function, _)| function_name(function) != name) {
            let what = format!(
                "failed to use {}: {} was given up by {function}, and --function-name is {name}",
                place.name(),
                place.name_of(key)
            );
            let own = self.functions.iter().find(|(function, _)| function_name(function) == name);
            let remedy = match own {
                Some((_, key)) => format!("name the prefix with its batches alone: {}", home(place, key)),
                None => "name the prefix with its batches alone, or the function that they were meant for; where that has a new \
                         name since, mend functionArn in copies"
                    .to_owned(),
            };
            return Err(Failure { what, remedy }.into());
        }
        Ok(())
    }
}

/// What a mapping's keys begin with: `aws/lambda/ID/`, before the shard.
fn home(place: &Place, key: &str) -> String {
    place.name_of(key.find("/shardId-").map_or(key, |at| &key[..=at]))
}

/// The name in a function's name, its ARN or a part of that, with or without a version.
fn function_name(text: &str) -> &str {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    parts.find(|part| *part == "function").and_then(|_| parts.next()).unwrap_or(first)
}

async fn one(event: &Event, redrive: &mut Redrive<'_>) -> anyhow::Result<()> {
    let Some(batch) = redrive.event(event).await? else { return Ok(()) };
    let (rows, poison) = (n(batch.rows.len(), "row"), n(batch.poison.len(), "dead letter"));
    redrive.progress.print(&format!("{}: {rows}, {poison}", event.title()))
}

/// The batch that an object holds; `None` when it is something else.
fn batch(name: String, bytes: &[u8]) -> anyhow::Result<Option<GivenUp>> {
    let fault = |why: String, remedy: &str| {
        anyhow::Error::from(Failure { what: format!("failed to use {name}: {why}"), remedy: remedy.to_owned() })
    };
    let is_marked = || bytes.windows(MARK.len()).any(|some| some == MARK);
    let stored: Stored = match serde_json::from_slice(bytes) {
        Ok(stored) => stored,
        Err(error) if is_marked() => {
            let why = format!("it is no batch as the mapping stores it: {error}");
            return Err(fault(why, "have it copied again, or its records read from the stream"));
        }
        Err(_) => return Ok(None),
    };
    let is_batch = stored.batch.is_some();
    let (text, stream) = match stored {
        Stored { payload: Some(payload), batch, .. } => (payload, batch.and_then(|batch| batch.stream_arn)),
        Stored {
            batch: Some(BatchInfo { shard_id, start_sequence_number: first, end_sequence_number: last, .. }),
            ..
        } => {
            let why = format!(
                "it says which records were given up, and does not hold them: {shard_id} from {first} to {last}"
            );
            let remedy = "have these read from the stream, while it keeps them: a second event source mapping that starts at \
                          their time (AT_TIMESTAMP) sends them all again; an S3 destination holds the records themselves, \
                          those of SQS and SNS do not";
            return Err(fault(why, remedy));
        }
        Stored { .. } => return Ok(None),
    };
    let records = match event::records(&text) {
        Ok(records) => records,
        Err(error) if is_batch => {
            let remedy = "have its records read from the stream, while it keeps them";
            return Err(fault(landfall_core::chain(&error), remedy));
        }
        Err(_) => return Ok(None),
    };
    if text.len() > MAX_BYTES {
        let why = format!("its event has {} bytes, and Lambda takes {MAX_BYTES}", text.len());
        return Err(fault(why, "split its Records over two events, and replay these as files"));
    }
    let of_records = || {
        let sources: Sources = serde_json::from_str(&text).ok()?;
        sources.records.into_iter().find_map(|source| source.arn)
    };
    let stream = stream.or_else(of_records);
    let function = stored.context.and_then(|context| context.function_arn);
    Ok(Some(GivenUp { event: Event { name, text, records }, stream, function }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &str) -> String {
        match batch("x.json".to_owned(), bytes.as_bytes()) {
            Ok(Some(given_up)) => given_up.event.title(),
            Ok(None) => "no batch".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_object_is_a_batch_or_something_else_or_says_why_it_cannot_be_used() {
        assert_eq!(said(r#"{"payload":"{\"Records\":[]}","KinesisBatchInfo":null}"#), "x.json: 0 records");
        let info = r#"{"KinesisBatchInfo":{"shardId":"shard-1","startSequenceNumber":"7","endSequenceNumber":"9","batchSize":3}}"#;
        insta::assert_snapshot!(said(info), @"failed to use x.json: it says which records were given up, and does not hold them: shard-1 from 7 to 9");
        insta::assert_snapshot!(said(&info[..30]), @"failed to use x.json: it is no batch as the mapping stores it: EOF while parsing an object at line 1 column 30");
        let no_event = said(&info.replace(r#"{"Kin"#, r#"{"payload":"{}","Kin"#));
        assert!(
            no_event.starts_with("failed to use x.json: failed to read the event as a Kinesis event"),
            "{no_event}"
        );
        for other in ["{}", "{", "a,b", r#"{"payload":"{}"}"#, r#"{"DDBStreamBatchInfo":{}}"#] {
            assert_eq!(said(other), "no batch", "{other}");
        }
    }

    #[test]
    fn a_batch_says_whose_it_is() {
        let record = r#"{"eventSourceARN":"arn:of-record","eventID":"s:7","kinesis":{"partitionKey":"k","sequenceNumber":"7","data":"","approximateArrivalTimestamp":1}}"#;
        let of = |batch_info: &str| {
            let payload = serde_json::to_string(&format!("{{\"Records\":[{record}]}}")).unwrap();
            let text = format!(
                r#"{{"payload":{payload},"requestContext":{{"functionArn":"arn:f"}},"KinesisBatchInfo":{batch_info}}}"#
            );
            let given_up = batch("x".to_owned(), text.as_bytes()).unwrap().unwrap();
            (given_up.stream.unwrap(), given_up.function.unwrap())
        };
        let info = r#"{"shardId":"s","startSequenceNumber":"7","endSequenceNumber":"7","streamArn":"arn:stream"}"#;
        assert_eq!(of(info), ("arn:stream".to_owned(), "arn:f".to_owned()));
        assert_eq!(of("null"), ("arn:of-record".to_owned(), "arn:f".to_owned()));
    }

    #[test]
    fn a_function_is_known_by_its_name() {
        let check = |text: &str| assert_eq!(function_name(text), "landfall", "{text}");
        check("landfall");
        check("landfall:live");
        check("123456789012:function:landfall");
        check("arn:aws:lambda:us-east-1:123456789012:function:landfall");
        check("arn:aws:lambda:us-east-1:123456789012:function:landfall:$LATEST");
    }

    #[test]
    fn batches_of_other_streams_and_functions_are_refused() {
        let place = Place::local(&"s3://acme/aws/".parse().unwrap(), "http://127.0.0.1:9");
        let origins = |streams: &[&str], functions: &[&str]| {
            let all = |names: &[&str]| {
                let key = |name: &str| format!("aws/lambda/id-of-{name}/shardId-0/2026/11/20/x.json");
                names.iter().map(|name| ((*name).to_owned(), key(name))).collect()
            };
            Origins { streams: all(streams), functions: all(functions) }
        };
        let said = |origins: Origins, name| origins.check(&place, name).unwrap_err().downcast::<Failure>().unwrap();

        assert!(origins(&["one"], &["f"]).check(&place, Some("f")).is_ok());
        assert!(origins(&["one"], &["f"]).check(&place, None).is_ok());
        let two = said(origins(&["one", "other"], &["f"]), None);
        assert_eq!(
            two.what,
            "failed to use s3://acme/aws/: it holds batches of 2 streams: one under s3://acme/aws/lambda/id-of-one/, other under \
             s3://acme/aws/lambda/id-of-other/"
        );
        let another = said(origins(&["one"], &["a:b:function:g"]), Some("f"));
        assert_eq!(
            another.what,
            "failed to use s3://acme/aws/: s3://acme/aws/lambda/id-of-a:b:function:g/shardId-0/2026/11/20/x.json was given up by \
             a:b:function:g, and --function-name is f"
        );
        let both = said(origins(&["one"], &["f", "g"]), Some("f"));
        assert_eq!(both.remedy, "name the prefix with its batches alone: s3://acme/aws/lambda/id-of-f/");
    }
}
