//! The event source mapping, against a function that fails as its records say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use landfall_local::event_source_mapping::{Delivery, EventSourceMapping, Outcome, Settings};
use landfall_local::lambda::{Invoked, LambdaHost};
use landfall_local::process::exit_when_orphaned;
use landfall_local::shards;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::function::function;

const FOLDER: &str = "LANDFALL_TEST_BATCHES";

/// Passes at once in a test run; in a process that the host has started it is the function.
#[test]
fn is_a_batch_function_when_told_to() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    exit_when_orphaned();
    let folder = &PathBuf::from(folder);
    let take = service_fn(move |event: LambdaEvent<Value>| async move { take(folder, &event.payload) });
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(lambda_runtime::run(take))
        .unwrap();
}

/// Notes the batch, and then: a record `fail` fails it, `fail-once` fails the first try, `report-once` is reported.
fn take(folder: &Path, event: &Value) -> Result<Value, Error> {
    let mut data = Vec::new();
    let mut failures = Vec::new();
    let mut fails = false;
    for record in event["Records"].as_array().unwrap() {
        let text = String::from_utf8(STANDARD.decode(record["kinesis"]["data"].as_str().unwrap())?)?;
        let sequence_number = &record["kinesis"]["sequenceNumber"];
        let first_time = || std::fs::File::create_new(folder.join(sequence_number.as_str().unwrap())).is_ok();
        match text.as_str() {
            "fail" => fails = true,
            "fail-once" => fails |= first_time(),
            "report-once" if first_time() => failures.push(json!({ "itemIdentifier": sequence_number })),
            _ => {}
        }
        data.push(text);
    }
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("batches"))?;
    std::io::Write::write_all(&mut &log, format!("{}\n", data.join(" ")).as_bytes())?;
    if fails { Err("as the record says".into()) } else { Ok(json!({ "batchItemFailures": failures })) }
}

struct Mapped {
    deliveries: Vec<Delivery>,
    batches: Vec<String>,
    folder: TempDir,
}

/// Sends `(partition key, data)` through one shard and waits for the end.
async fn map(records: &[(&str, &str)], change: impl FnOnce(&mut Settings, &Path)) -> Mapped {
    let folder = tempfile::tempdir().unwrap();
    let mut takes = function("takes", folder.path());
    takes.args[1] = "event_source_mapping::is_a_batch_function_when_told_to".to_owned();
    takes.env = vec![(FOLDER.to_owned(), folder.path().display().to_string())];
    let host = LambdaHost::start(vec![takes], 0).await.unwrap();
    let mut settings = Settings {
        window: Duration::ZERO,
        retry_pause: Duration::from_millis(1),
        max_retries: Some(3),
        ..Settings::new("takes")
    };
    change(&mut settings, folder.path());
    let (stream, shards) = shards::stream(1, 1000);
    for (key, data) in records {
        stream.put(key, data.as_bytes()).await.unwrap();
    }
    drop(stream);
    let (tell, mut told) = mpsc::unbounded_channel();

    EventSourceMapping::start(shards, &host.invoker(), settings, tell).finished().await;

    host.stop().await;
    let mut deliveries = Vec::new();
    while let Ok(delivery) = told.try_recv() {
        deliveries.push(delivery);
    }
    let batches = std::fs::read_to_string(folder.path().join("batches")).unwrap();
    Mapped { deliveries, batches: batches.lines().map(str::to_owned).collect(), folder }
}

/// What became of the batches, as `outcome: data data`.
fn outcomes(deliveries: &[Delivery]) -> Vec<String> {
    let describe = |delivery: &Delivery| {
        let name = match &delivery.outcome {
            Outcome::Done => "done",
            Outcome::Retried { .. } => "retried",
            Outcome::GivenUp { .. } => "given up",
        };
        let data = delivery.records.iter().map(|record| String::from_utf8_lossy(record.data.as_ref().unwrap()));
        format!("{name}: {}", data.collect::<Vec<_>>().join(" "))
    };
    deliveries.iter().map(describe).collect()
}

#[tokio::test]
async fn a_failed_batch_is_tried_again_with_the_same_boundaries() {
    let records = [("k", "a"), ("k", "fail-once"), ("k", "b"), ("k", "c")];

    let mapped = map(&records, |settings, _| settings.batch_size = 3).await;

    assert_eq!(mapped.batches, ["a fail-once b", "a fail-once b", "c"]);
    assert_eq!(outcomes(&mapped.deliveries), ["retried: a fail-once b", "done: a fail-once b", "done: c"]);
}

#[tokio::test]
async fn a_batch_that_is_given_up_is_stored_and_the_shard_goes_on() {
    let records = [("k", "a"), ("k", "fail"), ("k", "c")];

    let mapped = map(&records, |settings, folder| {
        settings.batch_size = 2;
        settings.max_retries = Some(1);
        settings.on_failure = Some(folder.join("on-failure"));
    })
    .await;

    assert_eq!(mapped.batches, ["a fail", "a fail", "c"]);
    assert_eq!(outcomes(&mapped.deliveries), ["retried: a fail", "given up: a fail", "done: c"]);
    let mut path = mapped.folder.path().join("on-failure");
    while path.is_dir() {
        path = std::fs::read_dir(&path).unwrap().next().unwrap().unwrap().path();
    }
    let object: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let records = &mapped.deliveries[1].records;
    assert_eq!(object["KinesisBatchInfo"]["batchSize"], 2);
    assert_eq!(object["KinesisBatchInfo"]["startSequenceNumber"], records[0].sequence_number.as_str());
    assert_eq!(landfall_core::event::records(object["payload"].as_str().unwrap()).unwrap(), records.to_vec());
}

#[tokio::test]
async fn bisecting_leaves_only_the_failing_record_behind() {
    let records = [("k", "a"), ("k", "b"), ("k", "fail"), ("k", "d")];

    let mapped = map(&records, |settings, _| {
        settings.bisect_on_error = true;
        settings.max_retries = Some(4);
    })
    .await;

    let ended: Vec<_> = outcomes(&mapped.deliveries).into_iter().filter(|text| !text.starts_with("retried")).collect();
    assert_eq!(ended, ["done: a b", "given up: fail", "done: d"]);
}

#[tokio::test]
async fn records_before_the_reported_one_are_not_tried_again() {
    let records = [("k", "a"), ("k", "report-once"), ("k", "c")];

    let mapped = map(&records, |_, _| {}).await;

    assert_eq!(mapped.batches, ["a report-once c", "report-once c"]);
    assert_eq!(outcomes(&mapped.deliveries), ["done: a", "retried: report-once c", "done: report-once c"]);
}

#[tokio::test]
async fn records_of_one_partition_key_stay_in_order_on_parallel_lanes() {
    let texts: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let keys = ["a", "b", "c", "d", "e", "f", "g"];
    let records: Vec<_> = texts.iter().enumerate().map(|(n, text)| (keys[n % keys.len()], text.as_str())).collect();

    let mapped = map(&records, |settings, _| {
        settings.parallelization_factor = 4;
        settings.batch_size = 5;
    })
    .await;

    let delivered: Vec<_> = mapped.deliveries.iter().flat_map(|delivery| delivery.records.iter()).collect();
    assert_eq!(delivered.len(), 200);
    for key in keys {
        let of_key: Vec<_> = delivered.iter().filter(|record| &*record.partition_key == key).collect();
        assert!(of_key.is_sorted_by(|a, b| a.sequence_number < b.sequence_number), "{key}");
    }
}

#[tokio::test]
async fn a_batch_that_is_too_old_is_given_up() {
    let mapped = map(&[("k", "fail")], |settings, _| {
        settings.max_retries = None;
        settings.max_record_age = Some(Duration::from_millis(300));
    })
    .await;

    let outcomes = outcomes(&mapped.deliveries);
    assert_eq!(outcomes.last().map(String::as_str), Some("given up: fail"));
    assert!(outcomes.len() > 2, "{outcomes:?}");
}

/// Invokes nothing: notes the shard of each batch, and takes it.
#[derive(Clone, Default)]
struct Notes(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl landfall_local::lambda::Invoke for Notes {
    async fn invoke(&self, _: &str, payload: bytes::Bytes) -> Invoked {
        let records = landfall_core::event::records(std::str::from_utf8(&payload).unwrap()).unwrap();
        // Others could overtake it meanwhile.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.0.lock().unwrap().extend(records.iter().map(|record| record.shard_id.to_string()));
        Invoked::Succeeded { request_id: String::new(), payload: "{}".into() }
    }
}

#[tokio::test]
async fn a_child_shard_is_delivered_when_its_parents_batches_are_done() {
    let (stream, parents) = shards::stream(1, 1000);
    let (tell, _told) = mpsc::unbounded_channel();
    let notes = Notes::default();
    let settings = Settings { batch_size: 5, parallelization_factor: 3, ..Settings::new("takes") };
    for n in 0..50 {
        stream.put(&n.to_string(), b"data").await.unwrap();
    }
    let children = stream.split("shardId-000000000000").await.unwrap();
    for n in 0..50 {
        stream.put(&n.to_string(), b"data").await.unwrap();
    }
    drop(stream);

    let children = EventSourceMapping::start(children.into(), &notes, settings.clone(), tell.clone());
    EventSourceMapping::start(parents, &notes, settings, tell).finished().await;
    children.finished().await;

    let shards = notes.0.lock().unwrap().clone();
    assert!(shards[..50].iter().all(|shard| shard == "shardId-000000000000"), "{shards:?}");
    assert!(shards[50..].iter().all(|shard| shard != "shardId-000000000000") && shards.len() == 100, "{shards:?}");
}
