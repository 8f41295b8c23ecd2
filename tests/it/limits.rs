//! The largest of everything goes through, and in how much memory.

use std::collections::BTreeMap;

use landfall_core::{Record, event};
use landfall_local::lambda::Invoked;
use landfall_local::shards::STREAM_ARN;
use landfall_local::stack::{ORCHESTRATOR, UPSERT};

use crate::support::{SENSORS, TestStack, record, start_with};

/// What Lambda takes at once.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// What a record holds at most.
const MIB: usize = 1024 * 1024;

/// An orchestrator of 128 MB is to have as much again to spare.
const MAX_ORCHESTRATOR_BYTES: u64 = 64 * 1024 * 1024;

const MAX_UPSERT_BYTES: u64 = 48 * 1024 * 1024;

/// How many rows of each kind the two tables hold.
async fn n_rows(stack: &TestStack) -> [usize; 2] {
    let (streaming, microbatch) = (stack.streaming().await, stack.microbatch().await);
    [streaming.len(), microbatch.len()]
}

fn peaks(stack: &TestStack) -> BTreeMap<String, u64> {
    let reports = stack.stack.lambda.reports();
    reports.into_iter().filter_map(|report| Some((report.name, report.peak_memory_bytes?))).collect()
}

/// Invokes the orchestrator as the mapping does: again with what it leaves, until that is nothing. How often that was.
async fn takes_in_parts(stack: &TestStack, records: &[Record]) -> usize {
    let (mut rest, mut n_invocations) = (records, 0);
    while !rest.is_empty() {
        let invoked = stack.invoke(rest).await;
        let Invoked::Succeeded { payload, .. } = &invoked else { panic!("{invoked:?}") };
        let answer: serde_json::Value = serde_json::from_slice(payload).unwrap();
        let next = answer["batchItemFailures"][0]["itemIdentifier"].as_str();
        let is_next = |record: &Record| Some(record.sequence_number.as_str()) == next;
        let n_done = next.map_or(rest.len(), |_| rest.iter().position(is_next).unwrap());
        assert!(n_done > 0, "{answer}");
        rest = &rest[n_done..];
        n_invocations += 1;
    }
    n_invocations
}

/// The event of `records` goes through in little memory, and makes `expected` rows.
#[expect(clippy::print_stdout, reason = "a test's own output, with --nocapture: what was measured")]
async fn goes_through(what: &str, records: Vec<Record>, expected: usize) {
    let n_bytes = event::render(&records, STREAM_ARN).len();
    assert!(n_bytes <= MAX_EVENT_BYTES, "{what}: {n_bytes}");
    // What takes fakesnow a minute is to fit on a busy machine too.
    let stack = start_with(SENSORS, |settings| settings.time_scale = 10.0).await;

    let n_invocations = takes_in_parts(&stack, &records).await;

    let (rows, peaks) = (n_rows(&stack).await, peaks(&stack));
    println!("{what}: {n_bytes} bytes of event, {n_invocations} invocations, peaks {peaks:?}");
    assert_eq!(rows, [expected; 2], "{what}");
    assert!(peaks[ORCHESTRATOR] < MAX_ORCHESTRATOR_BYTES && peaks[UPSERT] < MAX_UPSERT_BYTES, "{what}: {peaks:?}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_the_smallest_rows_goes_through() {
    let text = "{\"sensorId\":1}".repeat(330_000 / 5);
    goes_through("smallest rows", (0..5).map(|n| record(n, &text)).collect(), 330_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_records_and_partitions_as_an_event_holds_go_through() {
    let sensor = |n: u64| format!(r#"{{"sensorId":{n},"currentTemperature":64,"status":"OK"}}"#);
    goes_through("records", (0..8_500).map(|n| record(n, sensor(n % 50))).collect(), 8_500).await;
    goes_through("partitions", (0..10_000).map(|n| record(n, sensor(n))).collect(), 10_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_as_large_as_kinesis_takes_goes_through() {
    let document = r#"{"sensorId":6,"currentTemperature":64,"status":"OK"}"#;
    let n_documents = MIB / (document.len() + 1);
    goes_through("a MiB", vec![record(1, format!("{document}\n").repeat(n_documents))], n_documents).await;
}

/// Compressed records that inflate to ten times what an uncompressed event holds.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_inflate_to_more_than_a_function_holds_go_through_one_after_the_other() {
    let document = format!(r#"{{"sensorId":6,"padding":"{}"}}"#, "x".repeat(8000));
    let n_documents = 6 * MIB / document.len();
    // Half of them are padded behind the documents, as buffers of a fixed size are.
    let padding = " ".repeat(6 * MIB);
    let packed = [document.repeat(n_documents), document.clone() + &padding]
        .map(|text| zstd::encode_all(text.as_bytes(), 0).unwrap());
    let records: Vec<_> = (0..12).map(|n| record(n, &packed[n as usize % 2])).collect();
    let stack = start_with(SENSORS, |settings| settings.time_scale = 10.0).await;

    let n_invocations = takes_in_parts(&stack, &records).await;

    let peaks = peaks(&stack);
    println!("72 MiB of documents in {n_invocations} invocations: peaks {peaks:?}");
    assert_eq!(n_invocations, 12);
    assert_eq!(n_rows(&stack).await, [6 * (n_documents + 1); 2], "no document is loaded twice");
    assert!(peaks[ORCHESTRATOR] < MAX_ORCHESTRATOR_BYTES, "{peaks:?}");
    stack.stop().await;
}
