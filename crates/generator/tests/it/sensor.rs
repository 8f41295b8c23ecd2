//! The sensor template that comes with the project.

use std::collections::{BTreeMap, BTreeSet};

use landfall_generator::{Generator, Template};
use serde_json::Value;

const SENSOR: &str = include_str!("../../../../events/templates/sensor.json");

fn generator(seed: u64) -> Generator {
    Generator::new(Template::parse(SENSOR).unwrap(), seed)
}

fn records(seed: u64, n_records: usize) -> Vec<Value> {
    let mut generator = generator(seed);
    (0..n_records).map(|_| serde_json::from_slice(&generator.next_record()).unwrap()).collect()
}

#[test]
fn the_first_records_of_a_seed_never_change() {
    let mut generator = generator(1);

    let records: Vec<u8> = (0..3).flat_map(|_| generator.next_record()).collect();
    let partition_keys: Vec<_> = (0..3).map(|_| generator.next_partition_key()).collect();

    insta::assert_snapshot!(String::from_utf8(records).unwrap(), @r#"
    {"sensorId": 49, "currentTemperature": 117, "status": "OK"}
    {"sensorId": 2, "currentTemperature": 98, "status": "OK"}
    {"sensorId": 14, "currentTemperature": 29, "status": "FAIL"}
    "#);
    insta::assert_snapshot!(partition_keys.join("\n"), @"
    8119496167
    8194751494
    2397530439
    ");
}

#[test]
fn records_and_partition_keys_do_not_depend_on_each_other() {
    let (mut interleaved, mut plain) = (generator(1), generator(1));

    for _ in 0..100 {
        interleaved.next_partition_key();
        assert_eq!(interleaved.next_record(), plain.next_record());
    }

    let (mut interleaved, mut plain) = (generator(1), generator(1));
    for _ in 0..100 {
        interleaved.next_record();
        assert_eq!(interleaved.next_partition_key(), plain.next_partition_key());
    }
}

#[test]
fn another_seed_gives_other_records() {
    assert_ne!(records(1, 10), records(2, 10));
}

#[test]
fn every_value_is_reached_and_none_beyond() {
    let mut values: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for record in records(1, 20_000) {
        for field in ["sensorId", "currentTemperature"] {
            values.entry(field.to_owned()).or_default().insert(record[field].as_i64().unwrap());
        }
    }

    assert_eq!(values["sensorId"], (0..=50).collect());
    assert_eq!(values["currentTemperature"], (10..=150).collect());
}

#[test]
fn weights_are_respected() {
    let n_records = 20_000;
    let mut n_by_status: BTreeMap<String, usize> = BTreeMap::new();
    for record in records(1, n_records) {
        *n_by_status.entry(record["status"].as_str().unwrap().to_owned()).or_default() += 1;
    }

    assert_eq!(n_by_status.keys().collect::<Vec<_>>(), ["FAIL", "OK", "WARN"]);
    for (status, share) in [("OK", 0.8), ("FAIL", 0.1), ("WARN", 0.1)] {
        let actual = n_by_status[status] as f64 / n_records as f64;
        assert!((actual - share).abs() < 0.01, "{status}: {actual}");
    }
}

#[test]
fn partition_keys_are_spread_over_kdg_s_range() {
    let mut generator = generator(1);

    let keys: BTreeSet<u64> = (0..1_000).map(|_| generator.next_partition_key().parse().unwrap()).collect();

    assert_eq!(keys.len(), 1_000);
    assert!(keys.first().is_some_and(|key| *key < 100_000_000), "{:?}", keys.first());
    assert!(keys.last().is_some_and(|key| (9_900_000_000..10_000_000_000).contains(key)), "{:?}", keys.last());
}
