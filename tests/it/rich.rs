//! Every type, every layout and every compression, through both tables.

use crate::support::{ARRIVED_TEXT, SENSORS, SHARD, TableRow, record, sensor, sensor_row, start_with};

const RICH: &str = r#"
name = "rich"
unknown_fields = "keep"
documents = "array"

[[fields]]
name = "/device/name"
column = "DEVICE"
type = "string"
required = true

[[fields]]
name = "price"
type = "decimal(10,2)"

[[fields]]
name = "ratio"
type = "float"

[[fields]]
name = "active"
type = "boolean"

[[fields]]
name = "seenAt"
type = "timestamp"

[[fields]]
name = "day"
type = "date"

[[fields]]
name = "tags"
type = "variant"

[landing]
prefix = "raw/rich"
partition_by = "/device/name"
partition_label = "device"
layout = "per-batch"
compression = "gzip"

[snowflake]
database = "RICH"
schema = "LANDING"
streaming_table = "RICH_STREAMING"
microbatch_table = "RICH_MICROBATCH"
"#;

fn row(document: u64, cells: [Option<&str>; 8]) -> TableRow {
    let document = document.to_string();
    let provenance = [SHARD, "100", "0", &document, "key", ARRIVED_TEXT].map(Some);
    provenance.into_iter().chain(cells).map(|cell| cell.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_arrives_in_both_tables_from_one_gzipped_object() {
    let test = start_with(RICH, |_| {}).await;
    let documents = r#"[
        {"device": {"name": "a,b", "rack": 7}, "price": 1.10, "ratio": -2.5e-3, "active": true,
         "seenAt": "2026-11-20T15:00:00.123456+01:00", "day": "2026-02-28", "tags": ["x", {"y": 9007199254740993}]},
        {"device": {"name": ""}, "price": "99999999.99", "tags": null}
    ]"#;

    test.takes(&[record(100, documents)]).await;

    test.holds(&[
        row(
            0,
            [
                Some(r#"{"device":{"rack":7}}"#),
                Some("a,b"),
                Some("1.10"),
                Some("-0.0025"),
                Some("true"),
                Some("2026-11-20 14:00:00.123456"),
                Some("2026-02-28"),
                Some(r#"["x",{"y":9007199254740993}]"#),
            ],
        ),
        row(1, [None, Some(""), Some("99999999.99"), None, None, None, None, None]),
    ])
    .await;
    let keys = test.keys("raw");
    assert_eq!(keys.len(), 1);
    let prefix = "raw/rich/batch/2026/11/20/14/shardId-000000000000-100-100-";
    assert!(keys[0].starts_with(prefix) && keys[0].ends_with(".csv.gz"), "{keys:?}");
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zstandard_objects_are_loaded() {
    let pipeline = SENSORS.replacen("compression = \"none\"", "compression = \"zstd\"", 1);
    let test = start_with(&pipeline, |_| {}).await;

    test.takes(&[sensor(100, 6, 64, "OK"), sensor(101, 2, 65, "a\nb")]).await;

    test.holds(&[sensor_row(100, 6, 64, "OK"), sensor_row(101, 2, 65, "a\nb")]).await;
    assert!(test.keys("kinesiscsv").iter().all(|key| key.ends_with(".csv.zst")), "{:?}", test.keys("kinesiscsv"));
    test.stack.stop().await;
}
