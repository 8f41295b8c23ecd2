use std::collections::{BTreeMap, HashSet};
use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::document::Source;
use crate::testing::{ARRIVED_MS, record, records, sensors, sensors_with};
use crate::{ArrivedAt, Cell, Position, SequenceNumber, decode};

const PER_BATCH: (&str, &str) = ("\"per-partition\"", "\"per-batch\"");

fn objects(pipeline: &Pipeline, rows: &[Row]) -> io::Result<Vec<Object>> {
    super::objects(pipeline, rows).collect()
}

fn four_sensors() -> Vec<Row> {
    decode(
        &sensors(),
        &records(&[
            r#"{"sensorId":6,"currentTemperature":64,"status":"OK"}"#,
            r#"{"sensorId":12,"currentTemperature":null,"status":""}"#,
            r#"{"sensorId":6,"currentTemperature":65,"status":"a, \"b\""}"#,
            r#"{"sensorId":-3,"status":"C:\\temp"}"#,
            r#"{"sensorId":7}"#,
        ]),
    )
    .rows
}

/// Keys and bodies, as a person reads them.
fn shown(objects: &[Object]) -> String {
    let text =
        |object: &Object| format!("{} ({})\n{}", object.key, object.n_rows, String::from_utf8_lossy(&object.body));
    objects.iter().map(text).collect()
}

#[test]
fn each_partition_is_an_object_named_after_it() {
    insta::assert_snapshot!(shown(&objects(&sensors(), &four_sensors()).unwrap()), @r#"
    kinesiscsv/sensor--3/2026/11/20/14/shardId-000000000000-103-103-770e33f411beee32.csv (1)
    shardId-000000000000,103,0,0,key,2026-11-20 14:00:00.123,-3,,"C:\temp"
    kinesiscsv/sensor-12/2026/11/20/14/shardId-000000000000-101-101-2cc30687f52ddfbf.csv (1)
    shardId-000000000000,101,0,0,key,2026-11-20 14:00:00.123,12,,""
    kinesiscsv/sensor-6/2026/11/20/14/shardId-000000000000-100-102-eca123c1fef4ceb4.csv (2)
    shardId-000000000000,100,0,0,key,2026-11-20 14:00:00.123,6,64,OK
    shardId-000000000000,102,0,0,key,2026-11-20 14:00:00.123,6,65,"a, ""b"""
    kinesiscsv/sensor-7/2026/11/20/14/shardId-000000000000-104-104-96d10d9df43a9d83.csv (1)
    shardId-000000000000,104,0,0,key,2026-11-20 14:00:00.123,7,,
    "#);
}

#[test]
fn a_batch_is_one_object_when_so_declared() {
    insta::assert_snapshot!(shown(&objects(&sensors_with(&[PER_BATCH]), &four_sensors()).unwrap()), @r#"
    kinesiscsv/batch/2026/11/20/14/shardId-000000000000-100-104-0b1d5cea67364e95.csv (5)
    shardId-000000000000,100,0,0,key,2026-11-20 14:00:00.123,6,64,OK
    shardId-000000000000,101,0,0,key,2026-11-20 14:00:00.123,12,,""
    shardId-000000000000,102,0,0,key,2026-11-20 14:00:00.123,6,65,"a, ""b"""
    shardId-000000000000,103,0,0,key,2026-11-20 14:00:00.123,-3,,"C:\temp"
    shardId-000000000000,104,0,0,key,2026-11-20 14:00:00.123,7,,
    "#);
}

/// The name that [`partition`] gives to rows is that of their object, or of no partition.
#[test]
fn a_partitions_name_is_that_of_its_objects() {
    let rows = four_sensors();
    for row in rows.chunks(1).chain([&[rows[0].clone(), rows[2].clone()][..]]) {
        for pipeline in [sensors(), sensors_with(&[PER_BATCH])] {
            let [object] = &objects(&pipeline, row).unwrap()[..] else { panic!("several objects") };
            let name = partition(&pipeline, row);
            assert!(object.key.starts_with(&format!("kinesiscsv/{name}/2026/")), "{name}: {}", object.key);
        }
    }
    assert_eq!(partition(&sensors(), &rows), "batch");
}

#[test]
fn no_rows_are_no_object() {
    assert_eq!(objects(&sensors(), &[]).unwrap(), []);
    assert_eq!(objects(&sensors_with(&[PER_BATCH]), &[]).unwrap(), []);
}

#[test]
fn two_shards_never_share_an_object() {
    let mut other = record(101, br#"{"sensorId":6}"#);
    other.shard_id = "shardId-000000000001".into();
    let rows = decode(&sensors(), &[record(100, br#"{"sensorId":6}"#), other]).rows;

    for pipeline in [sensors(), sensors_with(&[PER_BATCH])] {
        let objects = objects(&pipeline, &rows).unwrap();
        assert_eq!(objects.iter().map(|object| object.n_rows).collect::<Vec<_>>(), [1, 1]);
    }
}

#[test]
fn a_key_names_the_first_and_last_by_number_and_the_first_ones_hour() {
    let mut records =
        [record(9, br#"{"sensorId":6}"#), record(1000, br#"{"sensorId":6}"#), record(10, br#"{"sensorId":6}"#)];
    records[0].arrived_at = ArrivedAt::from_millis(ARRIVED_MS - 3_600_000).unwrap();
    records.rotate_left(1);

    let objects = objects(&sensors(), &decode(&sensors(), &records).rows).unwrap();

    let expected = "kinesiscsv/sensor-6/2026/11/20/13/shardId-000000000000-9-1000-";
    assert!(objects[0].key.starts_with(expected), "{}", objects[0].key);
}

#[test]
fn compression_changes_the_bytes_and_not_the_digest() {
    let plain = objects(&sensors(), &four_sensors()).unwrap();
    let with = |name: &str| objects(&sensors_with(&[("\"none\"", name)]), &four_sensors()).unwrap();

    for (plain, (gzip, zstd)) in plain.iter().zip(with("\"gzip\"").iter().zip(&with("\"zstd\""))) {
        let mut gunzipped = Vec::new();
        flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut gunzipped).unwrap();
        assert_eq!(gunzipped, plain.body);
        assert_eq!(zstd::decode_all(&zstd.body[..]).unwrap(), plain.body);
        assert_eq!(gzip.key, format!("{}.gz", plain.key));
        assert_eq!(zstd.key, format!("{}.zst", plain.key));
    }
}

#[test]
fn strange_values_are_encoded_and_long_ones_hashed() {
    for (value, expected) in [
        ("6", "sensor-6"),
        ("-3", "sensor--3"),
        ("", "sensor-%00"),
        ("..", "sensor-%2E%2E"),
        ("a/b~c%", "sensor-a%2Fb%7Ec%25"),
        ("ä", "sensor-%C3%A4"),
    ] {
        assert_eq!(partition_name("sensor", value), expected);
    }
    let hundred = "x".repeat(100);
    assert_eq!(partition_name("sensor", &hundred), format!("sensor-{hundred}"));
    let long = partition_name("sensor", &"x".repeat(101));
    assert_eq!(long.len(), "sensor-".len() + 80 + 1 + 16);
    assert!(long.starts_with(&format!("sensor-{}~", "x".repeat(80))), "{long}");
    assert_ne!(partition_name("sensor", "\0"), partition_name("sensor", ""));
}

fn any_value() -> impl Strategy<Value = String> {
    let strange = "[./%~\0a]{0,4}";
    prop_oneof![any::<String>(), strange, "[ax]{95,105}", "x{1990,2000}", "[äx]{15,40}", "[/☃😀]{1990,2000}"]
}

/// Rows of two shards, some of one partition, with 56-digit sequence numbers that are all different.
fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (prop_oneof![Just("..".to_owned()), Just("6".to_owned()), any_value()], 0..2_u64, any::<String>());
    prop::collection::vec(row, 0..12).prop_map(|rows| {
        let parts = rows.into_iter().enumerate();
        parts.map(|(index, (value, shard, status))| row_of(index as u64, shard, &value, &status)).collect()
    })
}

fn row_of(index: u64, shard: u64, value: &str, status: &str) -> Row {
    let source = Source {
        shard_id: format!("shardId-{shard:012}").into(),
        sequence_number: SequenceNumber::new(&format!("4959{index:052}")).unwrap(),
        subsequence_number: 0,
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(ARRIVED_MS).unwrap(),
        bytes: Bytes::new(),
    };
    Row {
        document: Document::whole(Arc::new(source), 0),
        cells: [Cell::Text(value), Cell::Null, Cell::Text(status)].into_iter().collect(),
    }
}

/// Each row's place, as its object's CSV has it, with the object's key.
fn places(objects: &[Object]) -> Vec<(String, String, String)> {
    let mut places = Vec::new();
    for object in objects {
        for fields in csv::read(&object.body).unwrap() {
            let [shard, number] = [&fields[0], &fields[1]].map(|field| field.clone().unwrap());
            places.push((shard, number, object.key.clone()));
        }
    }
    places.sort();
    places
}

proptest! {
    #[test]
    fn every_row_is_in_exactly_one_object(rows in any_rows(), per_batch in any::<bool>()) {
        let pipeline = if per_batch { sensors_with(&[PER_BATCH]) } else { sensors() };
        let objects = objects(&pipeline, &rows).unwrap();

        let keys: HashSet<_> = objects.iter().map(|object| &object.key).collect();
        prop_assert_eq!(keys.len(), objects.len(), "keys are distinct");
        let landed: Vec<_> = places(&objects).into_iter().map(|(shard, number, _)| (shard, number)).collect();
        let mut expected: Vec<_> = rows
            .iter()
            .map(|row| (row.position().shard_id.to_string(), row.position().sequence_number.to_string()))
            .collect();
        expected.sort();
        prop_assert_eq!(landed, expected);
        prop_assert_eq!(objects.iter().map(|object| object.n_rows).sum::<usize>(), rows.len());
        let again: Vec<_> = super::objects(&pipeline, &rows).map(Result::unwrap).collect();
        prop_assert_eq!(&again, &objects, "deterministic");
    }

    #[test]
    fn a_partition_is_independent_of_the_others(rows in any_rows()) {
        let pipeline = sensors();
        let whole = objects(&pipeline, &rows).unwrap();
        let mut alone = BTreeMap::new();
        for row in &rows {
            let same = |other: &&Row| {
                other.partition_value(&pipeline) == row.partition_value(&pipeline)
                    && other.position().shard_id == row.position().shard_id
            };
            let partition: Vec<Row> = rows.iter().filter(same).cloned().collect();
            for object in objects(&pipeline, &partition).unwrap() {
                alone.insert(object.key.clone(), object);
            }
        }
        let whole: BTreeMap<_, _> = whole.into_iter().map(|object| (object.key.clone(), object)).collect();
        prop_assert_eq!(whole, alone);
    }

    #[test]
    fn a_key_stays_under_its_prefix(value in any_value()) {
        let objects = objects(&sensors(), &[row_of(7, 0, &value, "OK")]).unwrap();
        let parts: Vec<&str> = objects[0].key.split('/').collect();
        prop_assert_eq!(parts.len(), 7, "{}", &objects[0].key);
        prop_assert_eq!(parts[0], "kinesiscsv");
        prop_assert!(parts[1].starts_with("sensor-"));
        prop_assert!(objects[0].key.len() <= 1024, "S3 takes no longer one");
        for part in parts {
            prop_assert!(!part.is_empty() && part != "." && part != ".." && part.len() <= 255, "{part}");
            prop_assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.%~".contains(&b)), "{part}");
        }
    }

    /// Firehose puts it into a prefix as it is, and an empty one is an error there.
    #[test]
    fn a_partition_that_firehose_gets_is_one_part_of_a_key(a in any_value(), b in any_value()) {
        let row = |value: &str| row_of(7, 0, value, "OK");
        for rows in [vec![row(&a)], vec![row(&a), row(&a)], vec![row(&a), row(&b)], vec![]] {
            let partition = partition(&sensors(), &rows);
            prop_assert!(partition == "batch" || partition.starts_with("sensor-"), "{partition}");
            prop_assert!(partition.len() <= 110 && !partition.contains(".."), "{partition}");
            prop_assert!(partition.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_%~".contains(&b)), "{partition}");
        }
    }

    #[test]
    fn two_values_never_share_a_name(a in any_value(), b in any_value()) {
        prop_assert_eq!(a == b, partition_name("sensor", &a) == partition_name("sensor", &b));
    }
}

#[test]
fn a_partition_that_is_too_long_is_several_objects() {
    let text = "{\"sensorId\":6}".repeat(40_000);
    let rows = decode(&sensors(), &records(&[text.as_str(), "{\"sensorId\":6}"])).rows;

    let objects = objects(&sensors(), &rows).unwrap();

    let sizes: Vec<_> = objects.iter().map(|object| object.body.len()).collect();
    assert!(
        matches!(sizes[..], [a, b] if (MAX_OBJECT_BYTES..MAX_OBJECT_BYTES + 200).contains(&a) && b < a),
        "{sizes:?}"
    );
    assert_eq!(objects.iter().map(|object| object.n_rows).sum::<usize>(), 40_001);
    let keys: Vec<_> = objects.iter().map(|object| object.key.rsplit_once('-').unwrap().0).collect();
    let prefix = "kinesiscsv/sensor-6/2026/11/20/14/shardId-000000000000-100";
    assert_eq!(keys, [format!("{prefix}-100"), format!("{prefix}-101")]);
    let landed = objects.iter().flat_map(|object| read(&object.key, &object.body).unwrap());
    let positions: Vec<_> = landed.map(|row| Position::from_columns(&row).unwrap()).collect();
    assert_eq!(positions, rows.iter().map(Row::position).collect::<Vec<_>>());
}
