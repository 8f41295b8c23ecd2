use proptest::prelude::*;

use super::*;
use crate::decode::{MAX_RECORD_ROWS, MAX_ROWS};
use crate::testing::{record, records, sensors, sensors_with};
use crate::{Record, SequenceNumber, decode};

#[test]
fn a_request_is_readable_json_with_every_scalar_as_text() {
    let pipeline = sensors_with(&[("\"ignore\"", "\"keep\"")]);
    let rows = decode(
        &pipeline,
        &records(&[
            r#"{"sensorId":9007199254740993,"currentTemperature":64,"status":"say \"hi\"","x":{"y":1.10}}"#,
            r#"{"sensorId":7,"status":""}"#,
        ]),
    )
    .rows;

    let planned = requests(&rows, MAX_REQUEST_BYTES).unwrap().planned;

    assert_eq!(planned.len(), 1);
    let request = planned[0].request(&pipeline).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&request).unwrap(), @r#"
    {
      "version": 1,
      "shard_id": "shardId-000000000000",
      "columns": [
        "KINESIS_SHARD_ID",
        "KINESIS_SEQUENCE_NUMBER",
        "KINESIS_SUBSEQUENCE_NUMBER",
        "KINESIS_DOCUMENT_NUMBER",
        "KINESIS_PARTITION_KEY",
        "KINESIS_ARRIVED_AT",
        "EXTRA",
        "SENSORID",
        "CURRENTTEMPERATURE",
        "STATUS"
      ],
      "arrived_ms": [
        1795183200123,
        1795183200123
      ],
      "rows": [["shardId-000000000000","100","0","0","key","2026-11-20 14:00:00.123",{"x":{"y":1.10}},"9007199254740993","64","say \"hi\""],["shardId-000000000000","101","0","0","key","2026-11-20 14:00:00.123",null,"7",null,""]]
    }
    "#);
    insta::assert_snapshot!(request.rows.get().replace("],[", "],\n["), @r#"
    [["shardId-000000000000","100","0","0","key","2026-11-20 14:00:00.123",{"x":{"y":1.10}},"9007199254740993","64","say \"hi\""],
    ["shardId-000000000000","101","0","0","key","2026-11-20 14:00:00.123",null,"7",null,""]]
    "#);
}

#[test]
fn arrivals_bound_the_search_a_second_wider() {
    let mut records = records(&[r#"{"sensorId":6}"#, r#"{"sensorId":6}"#, r#"{"sensorId":6}"#]);
    for (record, ms) in records.iter_mut().zip([5000, 9000, 2000]) {
        record.arrived_at = ArrivedAt::from_millis(ms).unwrap();
    }
    let rows = decode(&sensors(), &records).rows;

    let mut request = requests(&rows, MAX_REQUEST_BYTES).unwrap().planned[0].request(&sensors()).unwrap();

    assert_eq!(request.arrived_ms, [2000, 9000]);
    assert_eq!(request.search_bounds().unwrap().map(ArrivedAt::as_millis), [1000, 10_000]);
    request.arrived_ms = [i64::MIN, i64::MAX];
    assert_eq!(request.search_bounds(), None);
}

#[test]
fn a_row_that_fits_exactly_is_sent_and_one_byte_less_is_too_large() {
    let rows = decode(&sensors(), &records(&[r#"{"sensorId":6}"#])).rows;
    let whole = requests(&rows, MAX_REQUEST_BYTES).unwrap();
    let n_bytes = whole.planned[0].request(&sensors()).unwrap().rows.get().len();

    let fits = requests(&rows, n_bytes).unwrap();
    assert_eq!((fits.planned.len(), fits.too_large.len()), (1, 0));
    let too_large = requests(&rows, n_bytes - 1).unwrap();
    assert_eq!((too_large.planned.len(), too_large.too_large), (0, vec![(&rows[0], n_bytes - 2)]));
}

#[test]
fn a_request_carries_rows_of_one_shard() {
    let mut other = record(101, br#"{"sensorId":6}"#);
    other.shard_id = "shardId-000000000001".into();
    let records = [record(100, br#"{"sensorId":6}"#), other, record(102, br#"{"sensorId":6}"#)];
    let rows = decode(&sensors(), &records).rows;

    let planned = requests(&rows, MAX_REQUEST_BYTES).unwrap().planned;

    let shard = |planned: &Planned<'_>| planned.request(&sensors()).unwrap().shard_id;
    let shards: Vec<_> = planned.iter().map(|planned| (shard(planned), planned.rows.len())).collect();
    assert_eq!(shards, [("shardId-000000000000".to_owned(), 2), ("shardId-000000000001".to_owned(), 1)]);
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(prop_oneof![any::<String>(), "[\"\\\\\0ä]{0,60}"], 0..12).prop_map(|texts| {
        let document = |text: String| serde_json::json!({ "sensorId": 6, "status": text, "x": [text] }).to_string();
        records(&texts.into_iter().map(document).collect::<Vec<_>>())
    })
}

proptest! {
    #[test]
    fn each_row_is_in_one_request_in_order(records in any_records(), max_bytes in 100..600_usize) {
        let pipeline = sensors_with(&[("\"ignore\"", "\"keep\"")]);
        let rows = decode(&pipeline, &records).rows;
        prop_assert_eq!(rows.len(), records.len());

        let Requests { planned, too_large } = requests(&rows, max_bytes).unwrap();

        let too_large: Vec<&Row> = too_large.into_iter().map(|(row, n_bytes)| {
            assert!(n_bytes + 2 > max_bytes);
            row
        }).collect();
        let sent: Vec<&Row> = planned.iter().flat_map(|planned| planned.rows.iter().copied()).collect();
        let expected: Vec<&Row> = rows.iter().filter(|row| !too_large.contains(row)).collect();
        prop_assert_eq!(sent, expected);
        for planned in &planned {
            let (request, rows) = (planned.request(&pipeline).unwrap(), &planned.rows);
            prop_assert!(request.rows.get().len() <= max_bytes);
            prop_assert_eq!(request.rows.get().len(), planned.n_bytes);
            let read: Vec<Vec<serde_json::Value>> = serde_json::from_str(request.rows.get()).unwrap();
            prop_assert_eq!(read.len(), rows.len());
            for (elements, row) in read.iter().zip(rows) {
                prop_assert_eq!(elements.len(), request.columns.len());
                prop_assert_eq!(elements[1].as_str(), Some(row.document.source.sequence_number.as_str()));
                prop_assert_eq!(elements[9].as_str(), row.cells.get(3).and_then(Cell::as_text), "status arrives as it was");
            }
        }
    }
}

#[test]
fn what_an_invocation_takes_is_a_bounded_number_of_requests() {
    let n_requests = |n_rows: usize| {
        let text = r#"{"sensorId":64,"currentTemperature":100,"status":"WARN"}"#.repeat(n_rows);
        let number = "49671483021168639829084176524041158106577196956150806146";
        let record = Record { sequence_number: SequenceNumber::new(number).unwrap(), ..record(0, text.as_bytes()) };
        let rows = decode(&sensors(), &[record]).rows;
        requests(&rows, MAX_REQUEST_BYTES).unwrap().planned.len()
    };
    assert_eq!([n_requests(MAX_ROWS), n_requests(MAX_RECORD_ROWS)], [9, 25]);
}
