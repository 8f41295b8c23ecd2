//! The largest of everything goes through the transform function, and in how much memory.

use landfall_core::decode::MAX_RECORD_ROWS;
use landfall_core::firehose::{self, UserRecord};
use landfall_local::lambda::MAX_SYNC_BYTES;
use landfall_local::stack::TRANSFORM;

use super::*;

const MIB: usize = 1024 * 1024;

/// A function of 256 MB is to have a quarter of that to spare.
const MAX_BYTES: u64 = 192 * 1024 * 1024;

/// What the function answers to an event of these, as Lambda hands it on.
#[expect(clippy::print_stdout, reason = "a test's own output, with --nocapture: what was measured")]
async fn answer(test: &TestStack, records: &[Record]) -> Vec<Value> {
    let named = |record: &Record| {
        (record.sequence_number.to_string(), UserRecord { record: record.clone(), subsequence_number: 0 })
    };
    let named: Vec<_> = records.iter().map(named).collect();
    let event = firehose::render(&named, "arn:aws:firehose:us-east-1:0:deliverystream/s", shards::STREAM_ARN);
    assert!(event.len() <= MAX_SYNC_BYTES, "{}", event.len());
    let invoked = test.stack.lambda.invoker().invoke(TRANSFORM, event.into()).await;
    let Invoked::Succeeded { payload, .. } = &invoked else { panic!("{invoked:?}") };
    println!("an answer of {} bytes, peak {} MiB", payload.len(), peak(test) / MIB as u64);
    let answer: Value = serde_json::from_slice(payload).unwrap();
    answer["records"].as_array().unwrap().clone()
}

fn peak(test: &TestStack) -> u64 {
    let reports = test.stack.lambda.reports();
    reports.into_iter().filter(|report| report.name == TRANSFORM).find_map(|report| report.peak_memory_bytes).unwrap()
}

fn n_of(answer: &[Value], result: &str) -> usize {
    answer.iter().filter(|answered| answered["result"] == result).count()
}

/// Several records, each of which inflates to as many rows, or as much text, as one may.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_inflate_to_most_of_its_memory_are_stored_one_after_the_other() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let rows = zstd::encode_all("{\"sensorId\":1}".repeat(MAX_RECORD_ROWS).as_bytes(), 0).unwrap();
    let document = format!("{{\"sensorId\":6,\"status\":\"{}\"}}", "x".repeat(8000));
    let n_documents = 60 * MIB / document.len();
    let text = zstd::encode_all(document.repeat(n_documents).as_bytes(), 0).unwrap();
    let too_many = zstd::encode_all("{\"sensorId\":1}".repeat(60 * MIB / 14).as_bytes(), 0).unwrap();
    let records =
        [record(100, &rows), record(101, &text), record(102, &too_many), record(103, &rows), record(104, &text)];

    let answer = answer(&test, &records).await;

    assert_eq!(n_of(&answer, "Dropped"), 5);
    let landed = |key: &String| {
        let body = std::fs::read(test.stack.bucket_dir(BUCKET).join(key)).unwrap();
        landing::read(key, &body).unwrap().into_iter().map(|row| (row[1].clone(), row[2].clone(), row[3].clone()))
    };
    let mut n_rows = 0;
    let mut distinct = BTreeSet::new();
    for key in test.keys("kinesiscsv") {
        for position in landed(&key) {
            n_rows += 1;
            distinct.insert(position);
        }
    }
    assert_eq!((n_rows, distinct.len()), (2 * (MAX_RECORD_ROWS + n_documents), 2 * (MAX_RECORD_ROWS + n_documents)));
    assert_eq!(test.dead_letters().len(), 1);
    assert!(peak(&test) < MAX_BYTES, "{}", peak(&test));
    test.stack.stop().await;
}

/// One document of as much text as a record may inflate to, and it is poison.
#[tokio::test(flavor = "multi_thread")]
async fn poison_of_most_of_its_memory_is_stored() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let document = zstd::encode_all(format!("{{\"sensorId\":\"{}\"}}", "x".repeat(60 * MIB)).as_bytes(), 0).unwrap();

    let answer = answer(&test, &[record(100, &document), record(101, &document)]).await;

    assert_eq!(n_of(&answer, "Dropped"), 2);
    assert_eq!(test.keys("deadletter").len(), 2);
    assert!(peak(&test) < MAX_BYTES, "{}", peak(&test));
    test.stack.stop().await;
}

/// Filled to within one record of what it may be, and Lambda takes it.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_answer_goes_through_lambda() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let document = format!("{{\"sensorId\":6,\"status\":\"{}\"}}", "x".repeat(10_000));
    let records: Vec<_> = (100..600).map(|n| record(n, gzip(document.as_bytes()).unwrap())).collect();

    let answer = answer(&test, &records).await;

    let (n_ok, n_dropped) = (n_of(&answer, "Ok"), n_of(&answer, "Dropped"));
    assert_eq!(n_ok + n_dropped, 500);
    assert!(n_ok > 400 && n_dropped > 10, "{n_ok} {n_dropped}");
    let one = answer.iter().find(|answered| answered["result"] == "Ok").unwrap().to_string().len();
    let n_bytes = serde_json::json!({ "records": answer }).to_string().len();
    // 64 KiB are left for what is around the records.
    assert!(n_bytes <= MAX_SYNC_BYTES && n_bytes + one + 64 * 1024 > MAX_SYNC_BYTES, "{n_bytes}");
    test.stack.stop().await;
}
