//! What the functions say of their invocations: metrics and traces.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use landfall_core::firehose::{self, UserRecord};
use landfall_core::metrics::{self, FUNCTION, Metric, OF_RECONCILE, PIPELINE};
use landfall_core::{ArrivedAt, Record};
use landfall_local::shards::STREAM_ARN;
use landfall_local::stack::{BUCKET, ORCHESTRATOR, TRANSFORM, UPSERT};
use serde_json::{Value, json};

use crate::support::{SENSORS, TestStack, record, sensor, start, start_with, workspace};

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A sensor's record that arrived so long ago.
fn arrived_before(age_ms: u64, record: Record) -> Record {
    let arrived_at = ArrivedAt::from_millis((now_ms() - age_ms) as i64).unwrap();
    Record { arrived_at, ..record }
}

/// The lines of a log, each of which is JSON.
fn lines(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn log(test: &TestStack, function: &str) -> Vec<Value> {
    lines(&test.stack.dir().join(format!("logs/{function}.log")))
}

/// A line is an embedded metric document with just these metrics, of this function.
///
/// Source: CloudWatch User Guide, "Specification: Embedded metric format".
#[track_caller]
fn publishes(line: &Value, function: &str, expected: &[Metric]) {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    assert_eq!(directives.len(), 1, "{line}");
    assert_eq!(directives[0]["Namespace"], "Landfall");
    assert_eq!(directives[0]["Dimensions"], json!([["Pipeline", "Function"]]));
    assert_eq!((&line["Pipeline"], &line["Function"]), (&json!("sensors"), &json!(function)));
    let metric = |metric: &Value| {
        assert!(line[metric["Name"].as_str().unwrap()] != Value::Null, "{metric} has no value: {line}");
        format!("{} in {}", metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap())
    };
    let published: BTreeSet<String> = directives[0]["Metrics"].as_array().unwrap().iter().map(metric).collect();
    let expected = expected.iter().map(|metric| format!("{} in {}", metric.name, metric.unit.as_str()));
    assert_eq!(published, expected.collect());
    let age = now_ms().abs_diff(line["_aws"]["Timestamp"].as_u64().unwrap());
    assert!(age < 600_000, "{age} ms");
}

/// The values of counts, in the order of `metrics`.
fn counts<const N: usize>(line: &Value, metrics: [Metric; N]) -> [u64; N] {
    metrics.map(|metric| line[metric.name].as_u64().unwrap())
}

/// The one value of a time.
fn ms(line: &Value, metric: Metric) -> f64 {
    let values = line[metric.name].as_array().unwrap();
    assert_eq!(values.len(), 1, "{line}");
    values[0].as_f64().unwrap()
}

/// The part of a trace that all who take part in it share.
fn root(line: &Value) -> &str {
    let trace = line["xrayTraceId"].as_str().unwrap();
    trace.split(';').find(|part| part.starts_with("Root=1-")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invocation_publishes_what_it_came_to() {
    let test = start().await;
    let age_ms = 60_000;
    let batch = [
        arrived_before(0, sensor(100, 6, 64, "OK")),
        arrived_before(age_ms, record(101, "no JSON")),
        arrived_before(1000, sensor(102, 2, 64, "OK")),
        // Refused by the local warehouse, whose NUMBER has 64 bits.
        arrived_before(0, record(103, r#"{"sensorId":777777777777777777777777777777}"#)),
        arrived_before(0, record(104, "no JSON either")),
    ];

    let started = Instant::now();
    test.takes(&batch).await;
    let took_ms = started.elapsed().as_millis() as f64 + 1.0;
    test.takes(&batch).await;

    let [first, second]: [Value; 2] = log(&test, "orchestrator").try_into().unwrap();
    let [request, request_again]: [Value; 2] = log(&test, "upsert").try_into().unwrap();
    for line in [&first, &second] {
        publishes(line, ORCHESTRATOR, &metrics::ORCHESTRATOR);
    }
    for line in [&request, &request_again] {
        publishes(line, UPSERT, &metrics::UPSERT);
    }
    let decoded = [metrics::RECORDS, metrics::ROWS, metrics::POISON, metrics::REJECTED, metrics::DEAD_LETTERS];
    assert_eq!(counts(&first, decoded), [5, 3, 2, 1, 3]);
    assert_eq!(counts(&second, decoded), [5, 3, 2, 1, 3]);
    let size = |key: &String| std::fs::metadata(test.stack.bucket_dir(BUCKET).join(key)).unwrap().len();
    let n_bytes = test.keys("kinesiscsv").iter().map(size).sum();
    let stored = [metrics::OBJECTS, metrics::LANDED_BYTES, metrics::DUPLICATES];
    assert_eq!(counts(&first, stored), [3, n_bytes, 0]);
    assert_eq!(counts(&second, stored), [3, n_bytes, 2]);
    let merged = [metrics::ROWS, metrics::INSERTED, metrics::DUPLICATES, metrics::REJECTED];
    assert_eq!(counts(&request, merged), [3, 2, 0, 1]);
    assert_eq!(counts(&request_again, merged), [3, 0, 2, 1]);

    let since_arrival = ms(&first, metrics::ARRIVAL_TO_DURABLE_MS) - age_ms as f64;
    assert!((0.0..=took_ms).contains(&since_arrival), "{since_arrival} of {took_ms}");
    let (landing, upsert, merge) =
        (ms(&first, metrics::LANDING_MS), ms(&first, metrics::UPSERT_MS), ms(&request, metrics::MERGE_MS));
    assert!(0.0 < landing && landing < took_ms, "{landing} of {took_ms}");
    assert!(0.0 < merge && merge < upsert && upsert < took_ms, "{merge} of {upsert} of {took_ms}");
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transformation_publishes_what_it_came_to() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let two = r#"{"sensorId":6} {"sensorId":7}"#;
    // More CSV than Firehose takes of a record.
    let large = format!("{{\"sensorId\":6,\"status\":\"{}\"}}", "x".repeat(1_023_980));
    let records = [record(100, two), record(101, "no JSON"), sensor(102, 2, 64, "OK"), record(103, &large)];
    let named: Vec<_> = records
        .iter()
        .map(|record| {
            (record.sequence_number.to_string(), UserRecord { record: record.clone(), subsequence_number: 0 })
        })
        .collect();
    let event = firehose::render(&named, "arn:aws:firehose:us-east-1:0:deliverystream/s", STREAM_ARN);
    let unplaced = event.replacen("\"kinesisRecordMetadata\"", "\"other\"", 1);
    let malformed = event.replacen("shardId-", "shard/", 1);

    for event in [event, unplaced, malformed] {
        test.stack.lambda.invoker().invoke(TRANSFORM, event.into()).await;
    }

    let [all, unplaced, malformed]: [Value; 3] = log(&test, "transform").try_into().unwrap();
    for line in [&all, &unplaced, &malformed] {
        publishes(line, TRANSFORM, &metrics::TRANSFORM);
    }
    let [key]: [String; 1] = test.keys("kinesiscsv").try_into().unwrap();
    let n_bytes = std::fs::metadata(test.stack.bucket_dir(BUCKET).join(key)).unwrap().len();
    assert!(n_bytes > 1000 * 1024);
    // Records, rows, poison, failed, dead letters, objects, bytes.
    assert_eq!(counts(&all, metrics::TRANSFORM), [4, 4, 1, 0, 1, 1, n_bytes]);
    assert_eq!(all["why"], Value::Null);
    assert_eq!(counts(&unplaced, metrics::TRANSFORM), [4, 2, 1, 1, 1, 1, n_bytes]);
    assert!(unplaced["why"].as_str().unwrap().contains("let a Kinesis stream be the delivery stream's source"));
    assert_eq!(counts(&malformed, metrics::TRANSFORM), [4, 2, 1, 1, 1, 1, n_bytes]);
    assert!(malformed["why"].as_str().unwrap().starts_with("shardId is none: have the orchestrator read"));
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upsert_is_in_the_trace_of_the_batch_that_it_is_invoked_for() {
    let test = start().await;

    test.takes(&[sensor(100, 6, 64, "OK")]).await;
    test.takes(&[sensor(101, 6, 64, "OK")]).await;

    let (batches, requests) = (log(&test, "orchestrator"), log(&test, "upsert"));
    assert_eq!(batches.iter().map(root).collect::<Vec<_>>(), requests.iter().map(root).collect::<Vec<_>>());
    assert_ne!(root(&batches[0]), root(&batches[1]));
    test.stack.stop().await;
}

/// The metrics of ours that a file of Terraform names, each with the locals of its dimensions: `DeadLetters of_orchestrator`.
///
/// They are written out there, `["Landfall", "DeadLetters"]`, with the dimensions `local.of_<function>` behind.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let uses = code.split("\"Landfall\"").skip(1).map(|after| {
        let name = after.strip_prefix(", \"").and_then(|after| after.split_once("\"]"));
        let (name, after) =
            name.unwrap_or_else(|| panic!("no name behind \"Landfall\": {}", &after[..after.len().min(40)]));
        let dimensions = after.split_once("local.").unwrap_or_default().1;
        let dimensions = dimensions.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        format!("{name} {dimensions}")
    });
    uses.collect()
}

#[test]
fn dashboard_and_alarms_name_the_metrics_that_are_published() {
    let read = |file: &str| std::fs::read_to_string(workspace().join("infra/terraform").join(file)).unwrap();
    let published = [
        ("of_orchestrator", &metrics::ORCHESTRATOR[..]),
        ("of_upsert", &metrics::UPSERT),
        ("of_transform", &metrics::TRANSFORM),
        ("of_reconcile", &metrics::RECONCILE),
    ];
    let published: BTreeSet<String> = published
        .into_iter()
        .flat_map(|(of, metrics)| metrics.iter().map(move |metric| format!("{} {of}", metric.name)))
        .collect();

    assert_eq!(named(&read("dashboard.tf")), published, "each has its place on the dashboard, and nothing else has");
    let text = read("alarms.tf");
    let alarms = named(&text);
    assert!(alarms.len() > 2 && alarms.is_subset(&published), "{alarms:?}");
    let of_reconcile = format!(r#"of_reconcile = ["{PIPELINE}", local.pipeline_name, "{FUNCTION}", "{OF_RECONCILE}"]"#);
    assert!(text.contains(&of_reconcile), "{of_reconcile}");
}
