//! Every layout and every compression of the landing zone, through both tables.

use crate::support::{SENSORS, TableRow, record, sensor, sensor_row, start_with};

/// What the keys of the objects begin with, before the digest.
const PER_PARTITION: [&str; 2] = [
    "raw/sensors/sensor-2/2026/11/20/14/shardId-000000000000-101-101-",
    "raw/sensors/sensor-6/2026/11/20/14/shardId-000000000000-100-102-",
];
const PER_BATCH: [&str; 1] = ["raw/sensors/batch/2026/11/20/14/shardId-000000000000-100-102-"];

async fn check(layout: &str, compression: &str, prefixes: &[&str], extension: &str) {
    let mut pipeline = SENSORS.to_owned();
    for (from, to) in [
        ("documents = \"lines\"", "documents = \"array\"".to_owned()),
        ("prefix = \"kinesiscsv\"", "prefix = \"raw/sensors\"".to_owned()),
        ("layout = \"per-partition\"", format!("layout = \"{layout}\"")),
        ("compression = \"none\"", format!("compression = \"{compression}\"")),
    ] {
        assert!(pipeline.contains(from), "{from}");
        pipeline = pipeline.replacen(from, &to, 1);
    }
    let test = start_with(&pipeline, |_| {}).await;
    let array = r#"[{"sensorId": 6, "status": ""}, {"sensorId": 6, "currentTemperature": 65}]"#;

    test.takes(&[sensor(100, 6, 64, "OK"), sensor(101, 2, 65, "a,\n\"b\""), record(102, array)]).await;

    let of_array = |document: &str, temperature: Option<&str>, status: Option<&str>| -> TableRow {
        let mut row = sensor_row(102, 6, 0, "");
        row[3] = Some(document.to_owned());
        row.splice(7.., [temperature, status].map(|cell| cell.map(str::to_owned)));
        row
    };
    test.holds(&[
        sensor_row(100, 6, 64, "OK"),
        sensor_row(101, 2, 65, "a,\n\"b\""),
        of_array("0", None, Some("")),
        of_array("1", Some("65"), None),
    ])
    .await;
    let keys = test.keys("raw");
    assert_eq!(keys.len(), prefixes.len(), "{keys:?}");
    for (key, prefix) in keys.iter().zip(prefixes) {
        let digest = key.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(extension));
        assert!(digest.is_some_and(|digest| digest.len() == 16), "{key}");
    }
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_an_object_for_each_partition_however_compressed() {
    check("per-partition", "none", &PER_PARTITION, ".csv").await;
    check("per-partition", "gzip", &PER_PARTITION, ".csv.gz").await;
    check("per-partition", "zstd", &PER_PARTITION, ".csv.zst").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_object_however_compressed() {
    check("per-batch", "none", &PER_BATCH, ".csv").await;
    check("per-batch", "gzip", &PER_BATCH, ".csv.gz").await;
    check("per-batch", "zstd", &PER_BATCH, ".csv.zst").await;
}
