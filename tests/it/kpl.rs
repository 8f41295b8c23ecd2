//! Aggregated records through the whole system: what AWS's own library made, and what is broken.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_core::dead_letter::{self, DeadLetter};
use landfall_core::{Record, event};
use landfall_local::event_source_mapping::{EventSourceMapping, Outcome, Settings};
use landfall_local::shards::{self, STREAM_ARN};
use landfall_local::stack::ORCHESTRATOR;
use landfall_tests::packing::{Packed, aggregated, gzip, with_wrong_digest};
use tokio::sync::mpsc;

use crate::support::{ARRIVED_TEXT, SHARD, TableRow, record, start, workspace};

/// A record that AWS's library made, and the partition keys of its user records as the library takes them out again.
fn fixture(name: &str) -> (Vec<u8>, Vec<String>) {
    let folder = workspace().join("crates/core/tests/fixtures/kpl");
    let described = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
    let described: Vec<serde_json::Value> = serde_json::from_slice(&described).unwrap();
    let keys = described.iter().map(|one| one["partition_key"].as_str().unwrap().to_owned());
    (std::fs::read(folder.join(format!("{name}.bin"))).unwrap(), keys.collect())
}

/// The row of a user record's first document, where that is `{"sensorId":n%51,"currentTemperature":n,"status":"OK"}`.
fn row(record: u64, subsequence_number: u64, partition_key: &str, n: u64) -> TableRow {
    let [record, subsequence_number] = [record, subsequence_number].map(|n| n.to_string());
    let (sensor_id, temperature) = ((n % 51).to_string(), n.to_string());
    [SHARD, &record, &subsequence_number, "0", partition_key, ARRIVED_TEXT, &sensor_id, &temperature, "OK"]
        .map(|text| Some(text.to_owned()))
        .to_vec()
}

fn document(n: u64) -> Vec<u8> {
    format!("{{\"sensorId\":{},\"currentTemperature\":{n},\"status\":\"OK\"}}", n % 51).into_bytes()
}

fn packed(partition_key: &str, data: Vec<u8>) -> Packed {
    Packed { partition_key: partition_key.to_owned(), explicit_hash_key: None, data }
}

/// Where a dead letter's document stands, whose it is, and its bytes.
fn place(letter: &DeadLetter) -> (String, String, Vec<u8>) {
    let data = STANDARD.decode(&letter.data).unwrap();
    (letter.position().unwrap().to_string(), letter.partition_key.clone(), data)
}

#[tokio::test(flavor = "multi_thread")]
async fn user_records_are_rows_or_dead_letters_at_positions_that_a_redrive_keeps() {
    let test = start().await;
    let (mut records, mut rows): (Vec<Record>, Vec<TableRow>) = (Vec::new(), Vec::new());
    for (n, name) in (100..).zip(["single", "many", "explicit_hash_keys", "gzip_inside"]) {
        let (data, keys) = fixture(name);
        records.push(record(n, data));
        rows.extend((0..).zip(&keys).map(|(index, key)| row(n, index, key, index)));
    }
    let broken = with_wrong_digest(fixture("many").0);
    let cut_off = gzip(&document(7)).unwrap()[..12].to_vec();
    let mixed = aggregated(&[
        packed("first", document(1)),
        packed("second", cut_off.clone()),
        packed("third", [document(3), b"{\"sensorId\":64.5}".to_vec()].concat()),
        packed("first", document(4)),
    ]);
    records.extend([record(104, &broken), record(105, mixed)]);
    rows.extend([row(105, 0, "first", 1), row(105, 2, "third", 3), row(105, 3, "first", 4)]);

    test.takes(&records).await;

    test.holds(&rows).await;
    let mut letters = test.dead_letters();
    let poison = [
        (format!("{SHARD}:104:0:0"), "key".to_owned(), broken),
        (format!("{SHARD}:105:1:0"), "second".to_owned(), cut_off),
        (format!("{SHARD}:105:2:1"), "third".to_owned(), b"{\"sensorId\":64.5}".to_vec()),
    ];
    assert_eq!(letters.iter().map(place).collect::<Vec<_>>(), poison);
    let reasons = letters.iter().map(|letter| letter.reason.as_str()).collect::<Vec<_>>();
    assert!(reasons[0].ends_with("but its MD5 does not match"), "{reasons:?}");
    assert_eq!(reasons[1..], ["the gzip stream is cut off", "`sensorId` is 64.5, which is no integer"]);

    // As it is, it is the same poison; what has been mended is a row, at the position that it has always had.
    let redriven = dead_letter::to_records(&letters).unwrap();
    assert!(event::render(&redriven, STREAM_ARN).contains(&format!("\"eventID\":\"{SHARD}:105:2:1\"")));
    test.takes(&redriven).await;
    let again: std::collections::BTreeSet<_> = test.dead_letters().iter().map(place).collect();
    assert_eq!(again.into_iter().collect::<Vec<_>>(), poison);
    letters[1].data = STANDARD.encode(document(7));
    letters[2].data = STANDARD.encode(document(64));
    test.takes(&dead_letter::to_records(&letters[1..]).unwrap()).await;
    let mut mended = row(105, 2, "third", 64);
    mended[3] = Some("1".to_owned());
    rows.insert(rows.len() - 2, row(105, 1, "second", 7));
    rows.insert(rows.len() - 1, mended);
    test.holds(&rows).await;
    test.stack.stop().await;
}

/// The library aggregates by shard, and may do so by shards that are no more: then a key of a user record belongs to
/// another shard than the record. Kinesis's own client library leaves such user records out.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_record_is_kept_whatever_shard_its_key_belongs_to() {
    let test = start().await;
    let (stream, shards) = shards::stream(1, 100);
    let (tell, mut deliveries) = mpsc::unbounded_channel();
    let settings = || Settings { window: Duration::from_millis(50), ..Settings::new(ORCHESTRATOR) };
    let parent = EventSourceMapping::start(shards, &test.stack.lambda.invoker(), settings(), tell.clone());
    let children = Vec::from(stream.split(SHARD).await.unwrap());
    let mapping = EventSourceMapping::start(children, &test.stack.lambda.invoker(), settings(), tell);
    let keys: Vec<String> = (0..8).map(|n| format!("sensor-{n}")).collect();
    let user_records: Vec<_> = (0..8).zip(&keys).map(|(n, key)| packed(key, document(n))).collect();

    let mut shard_ids = std::collections::BTreeSet::new();
    for key in &keys {
        shard_ids.insert(stream.put(key, b"poison").await.unwrap().shard_id);
    }
    let put = stream.put("of the record", &aggregated(&user_records)).await.unwrap();
    drop(stream);
    parent.finished().await;
    mapping.finished().await;

    assert_eq!(shard_ids.len(), 2, "keys of both children");
    while let Some(delivery) = deliveries.recv().await {
        assert_eq!(delivery.outcome, Outcome::Done);
    }
    let rows = (0..).zip(&keys).map(|(n, key)| {
        let mut row = row(0, n, key, n);
        row[0] = Some(put.shard_id.to_string());
        row[1] = Some(put.sequence_number.to_string());
        row[5] = Some(put.arrived_at.to_string());
        row
    });
    test.holds(&rows.collect::<Vec<_>>()).await;
    assert_eq!(test.dead_letters().len(), 8);
    test.stack.stop().await;
}
