//! The other way into the landing zone: Firehose and the transform function fill the micro-batch table with the rows that the
//! orchestrator's route gives, at the same positions.

mod faults;
mod limits;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use landfall_core::dead_letter::{self, DeadLetter};
use landfall_core::firehose::PartitionKeys;
use landfall_core::{Record, landing, payload::kpl};
use landfall_local::lambda::{Invoke, Invoked, Invoker};
use landfall_local::shards::{self, holding};
use landfall_local::stack::BUCKET;
use landfall_tests::packing::{Packed, aggregated, gzip, with_wrong_digest};
use serde_json::Value;

use crate::support::{
    SENSORS, TableRow, TestStack, record, same_rows, sensor, sensor_row, start_again_with, start_with,
};

fn document(sensor_id: u64, temperature: u64) -> String {
    format!("{{\"sensorId\":{sensor_id},\"currentTemperature\":{temperature},\"status\":\"OK\"}}")
}

/// The row of a document inside record `n`.
fn row(
    n: u64,
    subsequence_number: usize,
    document_number: usize,
    key: &str,
    sensor_id: u64,
    temperature: u64,
) -> TableRow {
    let mut row = sensor_row(n, sensor_id, temperature as i64, "OK");
    row[2] = Some(subsequence_number.to_string());
    row[3] = Some(document_number.to_string());
    row[4] = Some(key.to_owned());
    row
}

/// The value of a setting in infra/terraform/firehose.tf.
fn deployed(name: &str) -> String {
    let text = std::fs::read_to_string(crate::support::workspace().join("infra/terraform/firehose.tf")).unwrap();
    let values = text.lines().filter_map(|line| {
        let (before, value) = line.trim().split_once('=')?;
        (before.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    });
    let [value]: [String; 1] = values.collect::<Vec<_>>().try_into().unwrap();
    value
}

/// What the function answers, what is deployed, and what the local Firehose does are one contract.
#[test]
fn the_deployed_layout_is_of_what_the_function_answers() {
    let pipeline = landfall_core::Pipeline::from_toml(SENSORS).unwrap();
    let local = landfall_local::firehose::Settings::new("transform", BUCKET, &pipeline);

    assert_eq!(deployed("prefix").replace("${local.landing_prefix}", &pipeline.landing.prefix), local.prefix);
    assert_eq!(deployed("file_extension"), local.extension);
    let keys = PartitionKeys { partition: String::new(), hour: String::new() };
    let answered = serde_json::to_value(keys).unwrap();
    let answered: BTreeSet<_> = answered.as_object().unwrap().keys().map(String::as_str).collect();
    let named = local.prefix.split("!{partitionKeyFromLambda:").skip(1);
    assert_eq!(named.map(|part| part.split('}').next().unwrap()).collect::<BTreeSet<_>>(), answered);
}

/// Where poison stands, and its bytes.
type Place = (String, Vec<u8>);

/// Records of every form, the rows that they become, and their poison.
fn every_form() -> (Vec<Record>, Vec<TableRow>, Vec<Place>) {
    let packed = |key: &str, data: Vec<u8>| Packed { partition_key: key.to_owned(), explicit_hash_key: None, data };
    let several = [document(6, 3), document(6, 4)].join("\n");
    let of_several_sensors = [document(2, 5), document(14, 6), document(6, 7)].concat();
    let beside_poison = [&document(6, 8), "{\"sensorId\":64.5}", &document(2, 9), "{\"sens"].join("\n");
    let aggregate = aggregated(&[
        packed("first", document(6, 10).into_bytes()),
        packed("second", gzip(document(2, 11).as_bytes()).unwrap()),
        packed("third", b"not json".to_vec()),
        packed("first", several.clone().into_bytes()),
    ]);
    let library = std::fs::read(crate::support::workspace().join("crates/core/tests/fixtures/kpl/many.bin")).unwrap();
    let broken = with_wrong_digest(aggregate.clone());
    let of_library = kpl::user_records(&library.clone().into()).unwrap();
    let records = vec![
        sensor(100, 6, 1, "OK"),
        record(101, gzip(document(2, 2).as_bytes()).unwrap()),
        record(102, &several),
        record(103, gzip(of_several_sensors.as_bytes()).unwrap()),
        record(104, beside_poison),
        record(105, b"poison alone"),
        record(106, aggregate),
        record(107, library),
        record(108, &broken),
    ];
    let mut rows = vec![
        row(100, 0, 0, "key", 6, 1),
        row(101, 0, 0, "key", 2, 2),
        row(102, 0, 0, "key", 6, 3),
        row(102, 0, 1, "key", 6, 4),
        row(103, 0, 0, "key", 2, 5),
        row(103, 0, 1, "key", 14, 6),
        row(103, 0, 2, "key", 6, 7),
        row(104, 0, 0, "key", 6, 8),
        row(104, 0, 2, "key", 2, 9),
        row(106, 0, 0, "first", 6, 10),
        row(106, 1, 0, "second", 2, 11),
        row(106, 3, 0, "first", 6, 3),
        row(106, 3, 1, "first", 6, 4),
    ];
    for (n, user_record) in (0..).zip(&of_library) {
        rows.push(row(107, n as usize, 0, user_record.partition_key.as_deref().unwrap(), n % 51, n));
    }
    let at = |place: &str| format!("{}:{place}", crate::support::SHARD);
    let poison = vec![
        (at("104:0:1"), b"{\"sensorId\":64.5}".to_vec()),
        (at("104:0:3"), b"\n{\"sens".to_vec()),
        (at("105:0:0"), b"poison alone".to_vec()),
        (at("106:2:0"), b"not json".to_vec()),
        (at("108:0:0"), broken),
    ];
    (records, rows, poison)
}

fn places(letters: &[DeadLetter]) -> Vec<Place> {
    let place = |letter: &DeadLetter| (letter.position().unwrap().to_string(), STANDARD.decode(&letter.data).unwrap());
    letters.iter().map(place).collect()
}

async fn deliver(test: &TestStack, records: &[Record]) {
    test.stack.firehose(holding(records)).finished().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_tables_agree_when_firehose_fills_one() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let (records, rows, poison) = every_form();

    test.takes(&records).await;
    assert_eq!(test.keys("kinesiscsv"), Vec::<String>::new(), "the orchestrator lands nothing");
    let of_orchestrator = test.dead_letters();
    deliver(&test, &records).await;

    test.holds(&rows).await;
    assert_eq!(places(&of_orchestrator), poison);
    // The same lines under the same key, for what both were invoked with holds the same records.
    assert_eq!(test.dead_letters(), of_orchestrator);
    assert_eq!(test.keys("firehose-errors"), Vec::<String>::new());
    let keys = test.keys("kinesiscsv");
    for (key, folder) in keys.iter().zip(folders(&test)) {
        let name = key.strip_prefix(&format!("kinesiscsv/{folder}/2026/11/20/14/landfall-local-1-")).unwrap();
        assert!(name.ends_with(".csv.gz"), "{key}");
        let body = std::fs::read(test.stack.bucket_dir(BUCKET).join(key)).unwrap();
        let sensors: BTreeSet<_> = landing::read(key, &body).unwrap().into_iter().map(|row| row[6].clone()).collect();
        assert!(folder == "batch" || sensors == BTreeSet::from([folder.strip_prefix("sensor-").map(str::to_owned)]));
    }
    test.stack.stop().await;
}

/// Hears what the function is asked and what it answers.
#[derive(Clone)]
struct Listening {
    lambda: Invoker,
    heard: Arc<Mutex<Vec<[Value; 2]>>>,
}

impl Invoke for Listening {
    async fn invoke(&self, name: &str, payload: Bytes) -> Invoked {
        let invoked = self.lambda.invoke(name, payload.clone()).await;
        if let Invoked::Succeeded { payload: answer, .. } = &invoked {
            let heard = [&payload, answer].map(|json| serde_json::from_slice(json).unwrap());
            self.heard.lock().unwrap().push(heard);
        }
        invoked
    }
}

/// From the stream to both tables, with what stands between them. docs/architecture.md tells it.
#[tokio::test(flavor = "multi_thread")]
async fn one_record_goes_all_the_way_through_firehose() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let record = record(102, [&document(6, 64), "{\"sensorId\":64.5}"].join("\n"));
    let listening = Listening { lambda: test.stack.lambda.invoker(), heard: Arc::default() };

    test.takes(std::slice::from_ref(&record)).await;
    test.stack.firehose_with(holding(std::slice::from_ref(&record)), &listening, |_| {}).finished().await;

    let [[event, answer]]: [[Value; 2]; 1] = listening.heard.lock().unwrap().clone().try_into().unwrap();
    assert_eq!(STANDARD.decode(event["records"][0]["data"].as_str().unwrap()).unwrap(), *record.data.unwrap());
    let mut answered = answer["records"][0].clone();
    let csv = String::from_utf8(STANDARD.decode(answered["data"].take().as_str().unwrap()).unwrap()).unwrap();
    let [key]: [String; 1] = test.keys("kinesiscsv").try_into().unwrap();
    let landed = landing::read(&key, &std::fs::read(test.stack.bucket_dir(BUCKET).join(&key)).unwrap()).unwrap();
    let folder = key.rsplit_once('/').unwrap().0;
    let steps = [
        event["records"][0]["kinesisRecordMetadata"].to_string(),
        answered.to_string(),
        csv.trim_end().to_owned(),
        folder.to_owned(),
        places(&test.dead_letters())[0].0.clone(),
    ];
    insta::assert_snapshot!(steps.join("\n"), @r#"
    {"approximateArrivalTimestamp":1795183200123,"partitionKey":"key","sequenceNumber":"102","shardId":"shardId-000000000000","subsequenceNumber":0}
    {"data":null,"metadata":{"partitionKeys":{"hour":"2026/11/20/14","partition":"sensor-6"}},"recordId":"102000000","result":"Ok"}
    shardId-000000000000,102,0,0,key,2026-11-20 14:00:00.123,6,64,OK
    kinesiscsv/sensor-6/2026/11/20/14
    shardId-000000000000:102:0:1
    "#);
    test.holds(&landed).await;
    test.stack.stop().await;
}

/// The partition of each key, in their order.
fn folders(test: &TestStack) -> Vec<String> {
    test.keys("kinesiscsv").iter().map(|key| key.split('/').nth(1).unwrap().to_owned()).collect()
}

/// Firehose has seen it and will not again, so the orchestrator lands what is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_of_either_route_is_sent_again_to_both_tables() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let records = [sensor(100, 6, 1, "OK"), record(101, [&document(6, 2), "{\"sensorId\":64.5}"].join("\n"))];
    test.takes(&records[..1]).await;
    deliver(&test, &records).await;
    let mut letters = test.dead_letters();
    assert_eq!(letters.len(), 1);

    letters[0].data = STANDARD.encode(document(2, 3));
    test.takes(&dead_letter::to_records(&letters).unwrap()).await;

    let of_firehose = [row(100, 0, 0, "key", 6, 1), row(101, 0, 0, "key", 6, 2)];
    let mended = row(101, 0, 1, "key", 2, 3);
    same_rows("the streaming table", &test.streaming().await, &[of_firehose[0].clone(), mended.clone()]);
    let expected = [&of_firehose[..], &[mended]].concat();
    same_rows("the micro-batch table", &test.microbatch().await, &expected);
    test.stack.stop().await;
}

/// Firehose delivers at least once; and a stream that had the orchestrator land may be given to Firehose from its start.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_both_routes_count_once_to_users() {
    let (records, rows, _) = every_form();
    let test = start_with(SENSORS, |_| {}).await;
    test.takes(&records).await;
    test.holds(&rows).await;
    let test = start_again_with(test.stop().await, SENSORS, |settings| settings.firehose = true).await;

    deliver(&test, &records).await;
    deliver(&test, &records[..3]).await;

    same_rows("the streaming table", &test.streaming().await, &rows);
    assert_eq!(test.microbatch().await.len(), 2 * rows.len() + 4);
    same_rows("the view", &test.table("KINESIS_SENSORS_MICROBATCH_DEDUPLICATED").await, &rows);
    test.stack.stop().await;
}

/// A hundred KiB that are more rows than a function may answer with.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_answer_holds_are_in_the_table_too() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let status = "x".repeat(10_000);
    let document = format!("{{\"sensorId\":6,\"currentTemperature\":1,\"status\":\"{status}\"}}");
    let large = record(101, gzip(document.repeat(700).as_bytes()).unwrap());

    deliver(&test, &[sensor(100, 2, 1, "OK"), large, sensor(102, 6, 1, "OK")]).await;

    let mut rows = vec![sensor_row(100, 2, 1, "OK")];
    for n in 0..700 {
        let mut row = sensor_row(101, 6, 1, &status);
        row[3] = Some(n.to_string());
        rows.push(row);
    }
    rows.push(sensor_row(102, 6, 1, "OK"));
    same_rows("the micro-batch table", &test.microbatch().await, &rows);
    assert_eq!(test.keys("firehose-errors"), Vec::<String>::new());
    let keys = test.keys("kinesiscsv/sensor-6");
    let by_function = keys.iter().filter(|key| key.contains("/shardId-000000000000-101-101-"));
    assert_eq!((keys.len(), by_function.count()), (5, 4), "{keys:?}");
    test.stack.stop().await;
}

/// From one stream that both read, to its end.
#[tokio::test(flavor = "multi_thread")]
async fn one_stream_feeds_the_mapping_and_firehose() {
    use landfall_local::event_source_mapping::{EventSourceMapping, Outcome, Settings};
    use landfall_local::stack::ORCHESTRATOR;

    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let (stream, shards) = shards::stream(2, 1000);
    let (mapped, read) = shards::for_two(shards, 1000);
    let (tell, mut deliveries) = tokio::sync::mpsc::unbounded_channel();
    let mapping = EventSourceMapping::start(mapped, &test.stack.lambda.invoker(), Settings::new(ORCHESTRATOR), tell);
    let firehose = test.stack.firehose(read);

    for n in 0..300 {
        stream.put(&format!("key-{n}"), document(n % 7, n).as_bytes()).await.unwrap();
    }
    drop(stream);
    mapping.finished().await;
    firehose.finished().await;

    while let Some(delivery) = deliveries.recv().await {
        assert_eq!(delivery.outcome, Outcome::Done);
    }
    let streaming = test.streaming().await;
    assert_eq!(streaming.len(), 300);
    test.holds(&streaming).await;
    test.stack.stop().await;
}
