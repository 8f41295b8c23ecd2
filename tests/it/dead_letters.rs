//! Poison ends among the dead letters, with a reason that a person understands, and its neighbours land.

use landfall_core::{Stage, dead_letter::DeadLetter};

use crate::support::{ARRIVED_TEXT, SHARD, record, sensor, sensor_row, start};

#[tokio::test(flavor = "multi_thread")]
async fn poison_has_a_reason_and_its_neighbours_land() {
    let test = start().await;
    let cases: [(&[u8], &str); 8] = [
        (b"not json", "invalid JSON: expected ident at line 1 column 2"),
        (br#"{"currentTemperature":1}"#, "the required field `sensorId` is missing"),
        (br#"{"sensorId":64.5}"#, "`sensorId` is 64.5, which is no integer"),
        (
            br#"{"sensorId":11111111111111111111111111111111111111111111111111}"#,
            "`sensorId` has 50 digits, more than the 38 of a NUMBER(38,0)",
        ),
        (b"{\"sensorId\":1,\"status\":\"\xff\"}", "invalid UTF-8 at byte 24"),
        (br#"{"sensorId":1,"sensorId":2}"#, "the key `sensorId` stands twice"),
        (b"", "the record holds no document"),
        (b"[1]", "the document is an array, not an object"),
    ];
    let mut records = Vec::new();
    for (n, (data, _)) in (0..).zip(&cases) {
        records.push(sensor(100 + 2 * n, n, 20, "OK"));
        records.push(record(101 + 2 * n, data));
    }

    test.takes(&records).await;

    let rows: Vec<_> = (0..8).map(|n| sensor_row(100 + 2 * n, n, 20, "OK")).collect();
    test.holds(&rows).await;
    let letters = test.dead_letters();
    let reasons: Vec<_> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, cases.map(|(_, reason)| reason));
    let DeadLetter { stage, shard_id, sequence_number, partition_key, arrived_at, data, .. } = &letters[0];
    assert_eq!((*stage, shard_id.as_str(), sequence_number.as_str()), (Stage::Decode, SHARD, "101"));
    assert_eq!((partition_key.as_str(), arrived_at.as_str(), data.as_str()), ("key", ARRIVED_TEXT, "bm90IGpzb24="));
    assert_eq!(test.keys("deadletter").len(), 1);
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_only_the_warehouse_refuses_is_a_dead_letter_too() {
    let test = start().await;
    // Fits NUMBER(38,0), which fakesnow keeps in 64 bits: the real Snowflake would take it.
    let refused = record(101, format!("{{\"sensorId\":{}}}", "9".repeat(30)));

    test.takes(&[sensor(100, 1, 20, "OK"), refused, sensor(102, 2, 21, "OK")]).await;

    assert_eq!(test.streaming().await, [sensor_row(100, 1, 20, "OK"), sensor_row(102, 2, 21, "OK")]);
    let letters = test.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].stage, letters[0].sequence_number.as_str()), (Stage::Upsert, "101"));
    assert!(letters[0].reason.starts_with("the warehouse refused the row: "), "{}", letters[0].reason);
    test.stack.stop().await;
}
