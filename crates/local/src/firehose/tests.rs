use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use landfall_core::{ArrivedAt, Record, SequenceNumber};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::lambda::Invoked;
use crate::s3::LocalS3;
use crate::{files, shards};

const BUCKET: &str = "landing";

/// What a function answers to an event, the n-th that it gets.
type Answers = dyn Fn(usize, &Value) -> Invoked + Send + Sync;

/// Plays the function.
#[derive(Clone)]
struct Play {
    answer: Arc<Answers>,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Invoke for Play {
    async fn invoke(&self, name: &str, payload: Bytes) -> Invoked {
        assert_eq!(name, "transform");
        let event: Value = serde_json::from_slice(&payload).unwrap();
        let n = {
            let mut events = self.events.lock().unwrap();
            events.push(event.clone());
            events.len()
        };
        (self.answer)(n, &event)
    }
}

fn succeeded(answer: &Value) -> Invoked {
    Invoked::Succeeded { request_id: "id".to_owned(), payload: answer.to_string().into() }
}

fn failed() -> Invoked {
    Invoked::Failed { request_id: "id".to_owned(), payload: Bytes::from_static(b"{}") }
}

fn text_of(record: &Value) -> String {
    String::from_utf8_lossy(&STANDARD.decode(record["data"].as_str().unwrap()).unwrap()).into_owned()
}

/// Each record as a line, in a partition of its first letter; one that says `drop`, `fail`, `nowhere`, `twice` or `forget` is
/// answered so.
fn answered(event: &Value) -> Value {
    let mut records = Vec::new();
    for record in event["records"].as_array().unwrap() {
        let (id, text) = (&record["recordId"], text_of(record));
        let keys = json!({ "partition": &text[..1], "hour": "2026/11/20/14" });
        let ok = json!({
            "recordId": id, "result": "Ok", "data": STANDARD.encode(format!("{text}\n")), "metadata": { "partitionKeys": keys },
        });
        match text.as_str() {
            "drop" => records.push(json!({ "recordId": id, "result": "Dropped" })),
            "fail" => records.push(json!({ "recordId": id, "result": "ProcessingFailed", "data": "" })),
            "nowhere" => records.push(json!({ "recordId": id, "result": "Ok", "data": record["data"] })),
            "twice" => records.extend([ok.clone(), ok]),
            "forget" => {}
            _ => records.push(ok),
        }
    }
    json!({ "records": records })
}

fn record(n: u64, data: &[u8]) -> Record {
    Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(data.into()),
        place: None,
    }
}

struct Delivered {
    /// By their keys up to the name, and in the order of names: the text of each.
    objects: BTreeMap<String, Vec<String>>,
    names: Vec<String>,
    events: Vec<Value>,
    _folder: TempDir,
}

/// Delivers records of one shard, to its end.
async fn deliver(
    data: &[&[u8]],
    answer: impl Fn(usize, &Value) -> Invoked + Send + Sync + 'static,
    change: impl FnOnce(&mut Settings),
) -> Delivered {
    let folder = tempfile::tempdir().unwrap();
    let (notify, mut created) = mpsc::unbounded_channel();
    let s3 = LocalS3::start(folder.path(), 0, notify).await.unwrap();
    s3.create_bucket(BUCKET).unwrap();
    let pipeline = Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap();
    let mut settings =
        Settings { retry_pause: Duration::from_millis(1), ..Settings::new("transform", BUCKET, &pipeline) };
    change(&mut settings);
    let play = Play { answer: Arc::new(answer), events: Arc::default() };
    let records: Vec<Record> = data.iter().zip(100..).map(|(data, n)| record(n, data)).collect();

    Firehose::start(shards::holding(&records), &play, s3.objects(), settings).finished().await;

    s3.stop().await;
    let root = folder.path().join(BUCKET);
    let keys: Vec<PathBuf> = files::below(&root).unwrap();
    let (mut objects, mut names) = (BTreeMap::<String, Vec<String>>::new(), Vec::new());
    for path in &keys {
        let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let mut body = std::fs::read(path).unwrap();
        if key.ends_with(".gz") {
            let compressed = std::mem::take(&mut body);
            flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut body).unwrap();
        }
        let (prefix, name) = key.rsplit_once('/').unwrap();
        objects.entry(prefix.to_owned()).or_default().push(String::from_utf8(body).unwrap());
        names.push(name.to_owned());
    }
    let mut n_created = 0;
    while created.try_recv().is_ok() {
        n_created += 1;
    }
    assert_eq!(n_created, keys.len(), "objects that were told of");
    let events = play.events.lock().unwrap().clone();
    Delivered { objects, names, events, _folder: folder }
}

/// `errorCode text` of each line under a prefix.
fn errors(delivered: &Delivered, prefix: &str) -> Vec<String> {
    let lines = delivered.objects[prefix].iter().flat_map(|object| object.lines());
    lines
        .map(|line| {
            let error: Value = serde_json::from_str(line).unwrap();
            let raw = STANDARD.decode(error["rawData"].as_str().unwrap()).unwrap();
            format!("{} {}", error["errorCode"].as_str().unwrap(), String::from_utf8(raw).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn rows_are_gathered_by_their_partition_and_compressed() {
    let delivered = deliver(&[b"a1", b"b1", b"drop", b"a2"], |_, event| succeeded(&answered(event)), |_| {}).await;

    let expected = [("kinesiscsv/a/2026/11/20/14", "a1\na2\n"), ("kinesiscsv/b/2026/11/20/14", "b1\n")];
    let expected = expected.map(|(prefix, text)| (prefix.to_owned(), vec![text.to_owned()]));
    assert_eq!(delivered.objects, BTreeMap::from(expected));
    for name in &delivered.names {
        let name = name.strip_prefix("landfall-local-1-").unwrap().strip_suffix(".csv.gz").unwrap();
        assert_eq!(name.len(), "2026-11-20-14-00-05-".len() + 36, "{name}");
    }
    let event = &delivered.events[0];
    assert_eq!(event["records"].as_array().unwrap().len(), 4);
    let expected = json!({
        "shardId": "shardId-000000000000",
        "partitionKey": "key",
        "approximateArrivalTimestamp": 1_795_183_200_123_i64,
        "sequenceNumber": "100",
        "subsequenceNumber": 0,
    });
    assert_eq!(event["records"][0]["kinesisRecordMetadata"], expected);
}

#[tokio::test]
async fn an_object_ends_at_its_size() {
    let one_a_time = |settings: &mut Settings| (settings.batch_bytes, settings.object_bytes) = (1, 6);
    let delivered = deliver(&[b"a1", b"a2", b"a3"], |_, event| succeeded(&answered(event)), one_a_time).await;

    assert_eq!(delivered.events.len(), 3);
    let mut objects = delivered.objects["kinesiscsv/a/2026/11/20/14"].clone();
    objects.sort();
    assert_eq!(objects, ["a1\na2\n", "a3\n"]);
}

#[tokio::test]
async fn an_aggregated_record_is_taken_apart_before_it_is_transformed() {
    let aggregated = include_bytes!("../../../core/tests/fixtures/kpl/many.bin");
    let mut broken = aggregated.to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let nothing = |_: usize, event: &Value| {
        let records = event["records"].as_array().unwrap();
        let dropped = records.iter().map(|record| json!({ "recordId": record["recordId"], "result": "Dropped" }));
        succeeded(&json!({ "records": dropped.collect::<Vec<_>>() }))
    };

    let delivered = deliver(&[aggregated, &broken], nothing, |_| {}).await;

    assert_eq!(delivered.objects, BTreeMap::new());
    let described: Vec<Value> =
        serde_json::from_slice(include_bytes!("../../../core/tests/fixtures/kpl/many.json")).unwrap();
    let records = delivered.events[0]["records"].as_array().unwrap();
    assert_eq!(records.len(), described.len() + 1);
    for (n, (record, described)) in records.iter().zip(&described).enumerate() {
        let metadata = &record["kinesisRecordMetadata"];
        assert_eq!((&metadata["subsequenceNumber"], &metadata["sequenceNumber"]), (&json!(n), &json!("100")));
        assert_eq!(metadata["partitionKey"], described["partition_key"]);
    }
    let last = records.last().unwrap();
    assert_eq!(STANDARD.decode(last["data"].as_str().unwrap()).unwrap(), broken);
    let ids: std::collections::BTreeSet<_> =
        records.iter().map(|record| record["recordId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), records.len());
}

#[tokio::test]
async fn a_throttled_invocation_is_tried_again_and_a_failed_one_may_be() {
    let third = |n: usize, event: &Value| match n {
        1 | 2 => Invoked::Throttled,
        3 => failed(),
        _ => succeeded(&answered(event)),
    };

    let delivered = deliver(&[b"a1"], third, |_| {}).await;

    assert_eq!(delivered.events.len(), 3);
    assert_eq!(errors(&delivered, "firehose-errors/processing-failed"), ["Lambda.FunctionError a1"]);
    assert_eq!(delivered.objects.len(), 1);

    let delivered = deliver(&[b"a1"], third, |settings| settings.retries_failures = true).await;

    assert_eq!(delivered.events.len(), 4);
    assert_eq!(delivered.events[0], delivered.events[3]);
    assert_eq!(delivered.objects["kinesiscsv/a/2026/11/20/14"], ["a1\n"]);
}

#[tokio::test]
async fn what_is_not_transformed_is_under_the_error_prefix_as_it_came() {
    let data: [&[u8]; 6] = [b"a1", b"fail", b"nowhere", b"twice", b"forget", b"a2"];
    let delivered = deliver(&data, |_, event| succeeded(&answered(event)), |_| {}).await;

    assert_eq!(delivered.objects["kinesiscsv/a/2026/11/20/14"], ["a1\na2\n"]);
    assert_eq!(
        errors(&delivered, "firehose-errors/processing-failed"),
        [
            "Lambda.ProcessingFailedStatus fail",
            "DynamicPartitioning.MetadataExtractionFailed nowhere",
            "Lambda.DuplicatedRecordId twice",
            "Lambda.MissingRecordId forget",
        ]
    );

    let delivered = deliver(&[b"a1", b"drop"], |_, _| Invoked::Throttled, |settings| settings.n_retries = 1).await;

    assert_eq!(delivered.events.len(), 2);
    assert_eq!(delivered.objects.len(), 1);
    let expected = ["Lambda.InvokeLimitExceeded a1", "Lambda.InvokeLimitExceeded drop"];
    assert_eq!(errors(&delivered, "firehose-errors/processing-failed"), expected);
    let line: Value =
        serde_json::from_str(delivered.objects["firehose-errors/processing-failed"][0].lines().next().unwrap())
            .unwrap();
    let names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = [
        "arrivalTimestamp",
        "attemptEndingTimestamp",
        "attemptsMade",
        "errorCode",
        "errorMessage",
        "lambdaArn",
        "rawData",
    ];
    assert_eq!(names, documented);
}

#[tokio::test]
async fn an_expression_that_it_does_not_know_is_no_prefix() {
    let change = |settings: &mut Settings| settings.prefix = "kinesiscsv/!{timestamp:yyyy}/".to_owned();

    let delivered = deliver(&[b"a1"], |_, event| succeeded(&answered(event)), change).await;

    let expected = ["DynamicPartitioning.MetadataExtractionFailed a1"];
    assert_eq!(errors(&delivered, "firehose-errors/processing-failed"), expected);
    assert_eq!(delivered.objects.len(), 1);
}

#[tokio::test]
async fn more_partitions_than_it_bears_are_errors() {
    let delivered = deliver(
        &[b"a1", b"b1", b"c1", b"a2"],
        |_, event| succeeded(&answered(event)),
        |settings| {
            settings.max_partitions = 2;
        },
    )
    .await;

    let expected = ["DynamicPartitioning.ActivePartitionLimitExceeded c1"];
    assert_eq!(errors(&delivered, "firehose-errors/activePartitionExceeded"), expected);
    assert_eq!(delivered.objects["kinesiscsv/a/2026/11/20/14"], ["a1\na2\n"]);
    assert_eq!(delivered.objects.len(), 3);
}
