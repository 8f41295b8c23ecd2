use proptest::prelude::*;

use super::*;

/// An event with one record whose `data` and arrival are given as JSON.
fn event(data: &str, arrival: &str) -> String {
    format!(
        r#"{{"Records":[{{
            "kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"sensor-6",
                "sequenceNumber":"49590338271490256608559692538361571095921575989136588898",
                "data":{data},"approximateArrivalTimestamp":{arrival}}},
            "eventSource":"aws:kinesis","eventVersion":"1.0",
            "eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
            "eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion":"us-east-2",
            "eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}}]}}"#
    )
}

#[test]
fn a_record_is_what_the_event_says() {
    let records = records(&event(r#""SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==""#, "1545084650.987")).unwrap();

    let number = "49590338271490256608559692538361571095921575989136588898";
    let expected = Record {
        shard_id: "shardId-000000000006".into(),
        sequence_number: SequenceNumber::new(number).unwrap(),
        partition_key: "sensor-6".into(),
        arrived_at: ArrivedAt::from_millis(1_545_084_650_987).unwrap(),
        data: Ok(Arc::from(&b"Hello, this is a test."[..])),
        place: None,
    };
    assert_eq!(records, [expected]);
}

#[test]
fn escapes_and_empty_data_are_read() {
    let data = |data| records(&event(data, "1")).unwrap()[0].data.clone().unwrap();
    assert_eq!(data(r#""\/\/8=""#).as_ref(), b"\xff\xff");
    assert_eq!(data(r#""""#).as_ref(), b"");
}

#[test]
fn arrival_is_read_in_every_form_of_a_number() {
    for (seconds, ms) in [
        ("1545084650.987", 1_545_084_650_987),
        ("1545084650.05", 1_545_084_650_050),
        ("1545084650.5", 1_545_084_650_500),
        ("1545084650.9999", 1_545_084_651_000),
        ("1.480641523477E9", 1_480_641_523_477),
        ("1545084650", 1_545_084_650_000),
        ("0", 0),
    ] {
        let records = records(&event(r#""""#, seconds)).unwrap();
        assert_eq!(records[0].arrived_at.as_millis(), ms, "{seconds}");
    }
}

#[test]
fn bad_base64_is_the_records_own_fault() {
    let records = records(&event(r#""bm8gYmFzZTY0!""#, "1")).unwrap();

    let undecodable = records[0].data.clone().unwrap_err();
    assert_eq!(undecodable.text.as_ref(), b"bm8gYmFzZTY0!");
    assert!(undecodable.reason.starts_with("data is no base64: "), "{}", undecodable.reason);
}

#[track_caller]
fn check_fault(event: &str, expected: &str) {
    assert_eq!(crate::chain(&records(event).unwrap_err()), expected, "{event}");
}

#[test]
fn what_is_no_kinesis_event_says_what_was_expected() {
    let expected =
        r#"failed to read the event as a Kinesis event: expected {"Records": [{"eventID": …, "kinesis": …}]}"#;
    check_fault("{}", &format!("{expected}: missing field `Records` at line 1 column 2"));
    let s3 = r#"{"Records":[{"eventSource":"aws:s3","s3":{}}]}"#;
    check_fault(s3, &format!("{expected}: missing field `eventID` at line 1 column 44"));
    assert_eq!(records(r#"{"Records":[]}"#).unwrap(), []);
}

#[test]
fn a_record_without_a_position_fails_the_batch() {
    let good = event(r#""""#, "1");
    let fault = |what| format!("failed to read the position of record 0: {what}");
    let n = "49590338271490256608559692538361571095921575989136588898";
    let of_four = ["a:b:c:d", "a:1:2:3", "a:{n}:2", "a:{n}:2:3:4", "a:{n}:+2:3", "a:{n}:02:3", "a:{n}:2:x", "a:{n}:2:"]
        .map(|id| id.replace("{n}", n));
    let of_two = ["no colon", ":1", "../../x:1", "a/b:1"].map(str::to_owned);
    for id in of_two.into_iter().chain(of_four) {
        let shard = r#""eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898""#;
        let bad = good.replace(shard, &format!(r#""eventID":"{id}""#));
        assert_ne!(bad, good);
        check_fault(&bad, &fault("eventID is not shard:sequence, nor shard:sequence:subsequence:document"));
    }
    let number = r#""sequenceNumber":"49590338271490256608559692538361571095921575989136588898""#;
    let bad = good.replace(number, r#""sequenceNumber":"1e5""#);
    check_fault(&bad, &fault("sequenceNumber is no decimal integer of up to 129 digits"));
    check_fault(&event(r#""""#, "1e300"), &fault("approximateArrivalTimestamp is out of range"));
}

#[test]
fn an_event_id_of_four_parts_is_a_documents_position() {
    let two_parts = event(r#""""#, "1");
    let id = "shardId-000000000006:49590338271490256608559692538361571095921575989136588898";
    let four_parts = two_parts.replace(id, &format!("{id}:2:18446744073709551615"));

    assert_eq!(records(&two_parts).unwrap()[0].place, None);
    let place = Place { subsequence_number: 2, document_number: u64::MAX };
    assert_eq!(records(&four_parts).unwrap()[0].place, Some(place));
}

fn any_record() -> impl Strategy<Value = Record> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let last_ms = 253_402_300_799_999_i64;
    let place = any::<(u64, u64)>()
        .prop_map(|(subsequence_number, document_number)| Place { subsequence_number, document_number });
    let (shard_id, number, arrived_ms) = ("[a-zA-Z0-9_.-]{1,30}", "0|[1-9][0-9]{0,128}", -62_135_596_800_000..=last_ms);
    (shard_id, number, any::<String>(), arrived_ms, bytes, prop::option::of(place)).prop_map(
        |(shard_id, number, partition_key, ms, data, place)| Record {
            shard_id: shard_id.into(),
            sequence_number: SequenceNumber::new(&number).unwrap(),
            partition_key: partition_key.into(),
            arrived_at: ArrivedAt::from_millis(ms).unwrap(),
            data: Ok(data.into()),
            place,
        },
    )
}

proptest! {
    #[test]
    fn what_is_rendered_reads_back(expected in prop::collection::vec(any_record(), 0..5)) {
        let event = render(&expected, "arn:aws:kinesis:us-east-1:000000000000:stream/sensors");
        prop_assert_eq!(records(&event).unwrap(), expected);
    }
}
