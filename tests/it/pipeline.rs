//! Events and streams, end to end.

use std::time::Duration;

use landfall_generator::{Generator, Template};
use landfall_local::event_source_mapping::{EventSourceMapping, Outcome, Settings};
use landfall_local::shards;
use landfall_local::stack::ORCHESTRATOR;
use tokio::sync::mpsc;

use crate::support::{TableRow, sensor, sensor_row, start, workspace};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_100_records_becomes_objects_and_rows() {
    let test = start().await;
    let status = |n: u64| ["OK", "FAIL", "WARN"][(n % 3) as usize];
    let records: Vec<_> = (100..200).map(|n| sensor(n, n % 7, n as i64 - 150, status(n))).collect();

    test.takes(&records).await;

    let expected: Vec<_> = (100..200).map(|n| sensor_row(n, n % 7, n as i64 - 150, status(n))).collect();
    test.holds(&expected).await;
    let keys = test.keys("");
    assert_eq!(keys.len(), 7, "{keys:?}");
    // Sensor 0 has the records 105, 112, …, 196.
    let prefix = "kinesiscsv/sensor-0/2026/11/20/14/shardId-000000000000-105-196-";
    let digest = keys[0].strip_prefix(prefix).and_then(|rest| rest.strip_suffix(".csv"));
    assert!(digest.is_some_and(|digest| digest.len() == 16), "{}", keys[0]);
    test.stack.stop().await;
}

/// What `generator` sends next, and the row that it is to become but for its position: read by `serde_json`.
fn generated(record: &[u8]) -> [Option<String>; 3] {
    let document: serde_json::Value = serde_json::from_slice(record).unwrap();
    ["sensorId", "currentTemperature"]
        .map(|key| document[key].as_i64().unwrap().to_string())
        .into_iter()
        .chain([document["status"].as_str().unwrap().to_owned()])
        .map(Some)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_records_over_four_shards_arrive_once() {
    let test = start().await;
    let template = std::fs::read_to_string(workspace().join("events/templates/sensor.json")).unwrap();
    let mut generator = Generator::new(Template::parse(&template).unwrap(), 7);
    let (stream, shards) = shards::stream(4, 2000);
    let (tell, mut deliveries) = mpsc::unbounded_channel();
    let settings = Settings { batch_size: 1000, window: Duration::from_millis(500), ..Settings::new(ORCHESTRATOR) };
    let mapping = EventSourceMapping::start(shards, &test.stack.lambda.invoker(), settings, tell);

    let mut expected: Vec<TableRow> = Vec::new();
    for _ in 0..10_000 {
        let record = generator.next_record();
        let partition_key = generator.next_partition_key();
        let put = stream.put(&partition_key, &record).await.unwrap();
        let position = [
            put.shard_id.as_ref(),
            put.sequence_number.as_str(),
            "0",
            "0",
            &partition_key,
            &put.arrived_at.to_string(),
        ];
        expected.push(position.map(|text| Some(text.to_owned())).into_iter().chain(generated(&record)).collect());
    }
    drop(stream);
    mapping.finished().await;

    expected.sort();
    test.holds(&expected).await;
    let mut shards_seen = std::collections::BTreeSet::new();
    while let Ok(delivery) = deliveries.try_recv() {
        assert_eq!(delivery.outcome, Outcome::Done);
        shards_seen.insert(delivery.records[0].shard_id.clone());
    }
    assert_eq!(shards_seen.len(), 4);
    test.stack.stop().await;
}

#[cfg(target_os = "linux")]
/// Where Linux says that a port is listened on, as it stands in `/proc/net/tcp`: `0100007F` is 127.0.0.1.
fn listening_addresses(port: u16) -> Vec<String> {
    let mut addresses = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (address, at) = fields[1].rsplit_once(':').unwrap();
            if fields[3] == "0A" && u16::from_str_radix(at, 16) == Ok(port) {
                addresses.push(address.to_owned());
            }
        }
    }
    addresses
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn every_service_listens_on_this_machine_alone() {
    let mut test = start().await;
    test.stack.announce().await.unwrap();
    let announced = std::fs::read_to_string(test.stack.dir().join("stack.json")).unwrap();
    let announced: serde_json::Value = serde_json::from_str(&announced).unwrap();
    let endpoints = ["s3", "lambda", "snowflake"].map(|service| announced["endpoints"][service].as_str().unwrap());
    for endpoint in endpoints.into_iter().chain(announced["drain"].as_str()) {
        let port = endpoint.rsplit_once(':').unwrap().1.parse().unwrap();
        assert_eq!(listening_addresses(port), ["0100007F"], "{endpoint}");
    }
    test.stack.stop().await;
}
