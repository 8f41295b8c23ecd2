//! Values arrive unchanged in both tables.

use crate::support::{TableRow, record, sensor, sensor_row, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn every_status_arrives_unchanged_in_both_tables() {
    let test = start().await;
    let statuses = [
        "x'), (1,2,'y",
        "a,b",
        "say \"hi\"",
        "two\nlines",
        "two\r\nlines",
        r"C:\temp\new",
        r"\N",
        "NULL",
        "null",
        "🌡️",
        // fakesnow reads a quoted empty field as NULL; the local stack's launcher mends that.
        "",
        " spaces ",
        "\\",
        "\"",
        "tab\there",
        "'",
        ";--",
        "007",
    ];
    let numbered = || (100..).zip(statuses);
    let records: Vec<_> = numbered().map(|(n, status)| sensor(n, 6, 64, status)).collect();

    test.takes(&records).await;

    let expected: Vec<_> = numbered().map(|(n, status)| sensor_row(n, 6, 64, status)).collect();
    test.holds(&expected).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_value_and_null_are_null_and_not_the_empty_string() {
    let test = start().await;
    let records = [
        record(100, r#"{"sensorId":1}"#),
        record(101, r#"{"sensorId":1,"currentTemperature":null,"status":null}"#),
        record(102, r#"{"sensorId":1,"status":""}"#),
    ];

    test.takes(&records).await;

    let row = |n, status: Option<&str>| -> TableRow {
        let mut row = sensor_row(n, 1, 0, "");
        row[7] = None;
        row[8] = status.map(str::to_owned);
        row
    };
    test.holds(&[row(100, None), row(101, None), row(102, Some(""))]).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_beyond_a_double_keep_every_digit() {
    let test = start().await;
    // fakesnow's NUMBER(38,0) holds 64 bits; larger ones are asserted on the CSV and the request.
    let (largest, smallest) = (i64::MAX, i64::MIN);

    test.takes(&[sensor(100, 9_007_199_254_740_993, largest, "OK"), sensor(101, 1, smallest, "OK")]).await;

    test.holds(&[sensor_row(100, 9_007_199_254_740_993, largest, "OK"), sensor_row(101, 1, smallest, "OK")]).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_string_partition_of_any_text_lands_and_loads() {
    let pipeline = crate::support::SENSORS
        .replacen("type = \"integer\"                     #", "type = \"string\" #", 1)
        .replacen("unknown_fields = \"ignore\" ", "unknown_fields = \"keep\" ", 1);
    let test = start_with(&pipeline, |_| {}).await;
    let values = ["..", "a/b", "", "100%", "ünï", "it's", "a=b", "*?[x]", &"long".repeat(500)];
    let records: Vec<_> = (100..)
        .zip(values)
        .map(|(n, value)| record(n, serde_json::json!({ "sensorId": value, "other": [n, "x"] }).to_string()))
        .collect();

    test.takes(&records).await;

    let expected: Vec<TableRow> = (100..)
        .zip(values)
        .map(|(n, value)| {
            let mut row = sensor_row(n, 0, 0, "");
            row.splice(6.., [Some(format!("{{\"other\":[{n},\"x\"]}}")), Some(value.to_owned()), None, None]);
            row
        })
        .collect();
    assert_eq!(test.keys("kinesiscsv").len(), values.len());
    test.holds(&expected).await;
    test.stack.stop().await;
}
