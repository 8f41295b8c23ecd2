use super::*;
use crate::testing::{ARRIVED_MS, record, sensors};
use crate::{Batch, Pipeline, Place, Position, csv, decode, decode_user_record, event};

const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/sensors";
const DELIVERY: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/sensors";

/// As AWS documents it, but for the arrival, which Firehose sends as a number, and a neighbour.
const DOCUMENTED: &str = r#"{"invocationId": "invoked123", "deliveryStreamArn": "aws:lambda:events", "region": "us-west-2",
    "records": [{"data": "SGVsbG8gV29ybGQ=", "recordId": "record1", "approximateArrivalTimestamp": 1510772160000,
        "kinesisRecordMetadata": {"shardId": "shardId-000000000000", "partitionKey": "4d1ad2b9", "approximateArrivalTimestamp": 1510772160000,
            "sequenceNumber": "49546986683135544286507457936321625675700192471156785154", "subsequenceNumber": ""}}]}"#;

fn user_record(record: Record, subsequence_number: u64) -> (String, UserRecord) {
    (format!("id-{subsequence_number}"), UserRecord { record, subsequence_number })
}

/// What a record that Firehose delivers comes to, through its event.
fn delivered(pipeline: &Pipeline, record: Record, subsequence_number: u64) -> Batch {
    let event = render(&[user_record(record, subsequence_number)], DELIVERY, STREAM);
    let UserRecord { record, subsequence_number } = records(&event).unwrap().remove(0).user_record.unwrap();
    decode_user_record(pipeline, &record, subsequence_number)
}

fn csv_of(batch: &Batch) -> String {
    let mut lines = Vec::new();
    batch.rows.iter().for_each(|row| csv::write_row(&mut lines, row));
    String::from_utf8(lines).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn aggregated() -> &'static [u8] {
    include_bytes!("../../tests/fixtures/kpl/many.bin")
}

#[test]
fn an_event_is_read_as_aws_documents_it() {
    let read = records(DOCUMENTED).unwrap();

    let [Delivered { record_id, user_record: Ok(UserRecord { record, subsequence_number: 0 }) }] = &read[..] else {
        panic!("{read:?}")
    };
    assert_eq!(record_id, "record1");
    assert_eq!(record.data.as_deref(), Ok(&b"Hello World"[..]));
    assert_eq!(record.arrived_at.to_string(), "2017-11-15 18:56:00.000");
    assert_eq!(&*record.partition_key, "4d1ad2b9");
}

#[test]
fn what_is_rendered_is_read() {
    let rendered = [user_record(record(100, b"{}"), 0), user_record(record(100, b"\xff"), 1)];

    let read = records(&render(&rendered, DELIVERY, STREAM)).unwrap();

    let expected = rendered.map(|(record_id, user_record)| Delivered { record_id, user_record: Ok(user_record) });
    assert_eq!(read, expected);
}

#[test]
fn a_record_without_a_position_is_no_fault_of_its_neighbours() {
    let fault = |from: &str, to: &str| {
        assert!(DOCUMENTED.contains(from), "{from}");
        let one = |event: &str| event.split_once('[').unwrap().1.strip_suffix("]}").unwrap().to_owned();
        let both = [one(&DOCUMENTED.replace(from, to)), one(DOCUMENTED)].join(",");
        let [faulty, neighbour] = records(&format!("{{\"records\":[{both}]}}")).unwrap().try_into().unwrap();
        assert_eq!(neighbour, records(DOCUMENTED).unwrap()[0]);
        faulty.user_record.unwrap_err()
    };
    let arrival = Unplaced::Malformed("approximateArrivalTimestamp is none between the years 1 and 9999");
    let subsequence_number = Unplaced::Malformed("subsequenceNumber is no number");
    assert_eq!(fault("kinesisRecordMetadata", "other"), Unplaced::NoMetadata);
    for (from, to, expected) in [
        ("shardId-0", "a/b-0", Unplaced::Malformed("shardId is none")),
        ("\"shardId-000000000000\"", "7", Unplaced::Malformed("shardId is none")),
        ("{\"shardId", "[],\"other\":{\"shardId", Unplaced::Malformed("shardId is none")),
        ("\"49546986683135", "\"1e5", Unplaced::Malformed("sequenceNumber is no decimal integer of up to 129 digits")),
        ("sequenceNumber\"", "s\"", Unplaced::Malformed("sequenceNumber is no decimal integer of up to 129 digits")),
        (": \"\"}", ": \"-1\"}", subsequence_number),
        (": \"\"}", ": 0.5}", subsequence_number),
        (": \"\"}", ": {}}", subsequence_number),
        ("\"4d1ad2b9\"", "null", Unplaced::Malformed("partitionKey is no text")),
        ("1510772160000", "9999999999999999", arrival),
        ("1510772160000", "\"yesterday\"", arrival),
        ("1510772160000", "null", arrival),
        ("\"SGVsbG8gV29ybGQ=\"", "null", Unplaced::Malformed("data is no text")),
        ("\"data\"", "\"date\"", Unplaced::Malformed("data is no text")),
    ] {
        assert_eq!(fault(from, to), expected, "{to}");
    }
    assert!(records(r#"{"Records": []}"#).unwrap_err().to_string().contains("\"kinesisRecordMetadata\""));
}

#[test]
fn every_form_of_a_record_that_is_known_is_read() {
    let read = |from: &str, to: &str| {
        assert!(DOCUMENTED.contains(from), "{from}");
        records(&DOCUMENTED.replace(from, to)).unwrap().remove(0).user_record.unwrap()
    };
    let plain = read(": \"\"}", ": 0}");
    assert_eq!(read(": \"\"}", ": null}"), plain);
    assert_eq!(read(", \"subsequenceNumber\": \"\"", ""), plain);
    assert_eq!(read(": \"\"}", ": \"7\"}").subsequence_number, 7);
    // As in AWS's example.
    let arrived = |text| read("1510772160000", text).record.arrived_at.to_string();
    assert_eq!(arrived("\"2012-04-23T18:25:43.511Z\""), "2012-04-23 18:25:43.511");
    assert_eq!(arrived("\"2012-04-23T20:25:43.5+02:00\""), "2012-04-23 18:25:43.500");
    assert_eq!(read("V29ybGQ=", "V29ybGQ\\u003d"), plain);
}

#[test]
fn each_reason_says_what_to_do() {
    let said = [Unplaced::NoMetadata, Unplaced::Malformed("shardId is none")].map(|reason| reason.to_string());
    insta::assert_snapshot!(said.join("\n"), @"
    there is no kinesisRecordMetadata: let a Kinesis stream be the delivery stream's source
    shardId is none: have the orchestrator read the record from the stream, with LANDING=on, and upgrade Landfall
    ");
}

/// By the event source mapping, by Firehose, as a dead letter that is sent again, and in the CSV.
#[test]
fn one_record_has_the_same_position_and_arrival_by_every_route() {
    // Milliseconds of a double, a fraction with leading zeros among them.
    for ms in [ARRIVED_MS, 1_545_084_650_987, 1_545_084_650_050, 1] {
        let record = Record { arrived_at: ArrivedAt::from_millis(ms).unwrap(), ..record(100, br#"{"sensorId":6}"#) };
        let read = event::records(&event::render(std::slice::from_ref(&record), STREAM)).unwrap();

        let mapped = decode(&sensors(), &read);
        let by_firehose = delivered(&sensors(), record.clone(), 0);
        let place = Some(Place::default());
        let redriven = Record { place, ..record };
        let redriven = decode(&sensors(), &event::records(&event::render(&[redriven], STREAM)).unwrap());

        assert_eq!((by_firehose.clone(), redriven), (mapped.clone(), mapped.clone()), "{ms}");
        let provenance = mapped.rows[0].provenance().map(Some);
        assert_eq!(csv::read(csv_of(&by_firehose).as_bytes()).unwrap()[0][..6], provenance, "{ms}");
    }
}

#[test]
fn user_records_have_the_positions_that_the_other_route_gives_them() {
    let whole = decode(&sensors(), &[record(100, aggregated())]);
    let user_records = crate::payload::kpl::user_records(&aggregated().into()).unwrap();
    assert!(whole.rows.len() > 1 && whole.rows.len() == user_records.len());

    for (user_record, row) in user_records.into_iter().zip(&whole.rows) {
        for data in [user_record.bytes.to_vec(), gzip(&user_record.bytes)] {
            let partition_key = user_record.partition_key.clone().unwrap();
            let taken_out = Record { partition_key, ..record(100, &data) };
            assert_eq!(
                delivered(&sensors(), taken_out, user_record.subsequence_number).rows,
                std::slice::from_ref(row)
            );
        }
    }
}

/// A plain record comes to the same by both routes, whatever it is.
#[test]
fn a_plain_record_comes_to_the_same_by_both_routes() {
    let documents = br#"{"sensorId":6} {"sensorId":7.5} {"sensorId":7} {"#;
    let much_poison = b"1 ".repeat(200);
    let mut wrong_digest = aggregated().to_vec();
    *wrong_digest.last_mut().unwrap() ^= 1;
    let plain = [
        &documents[..],
        b"",
        &gzip(documents),
        &gzip(&gzip(documents)),
        &gzip(&gzip(&gzip(documents))),
        &gzip(documents)[..20],
        &much_poison,
        &wrong_digest,
        &gzip(&wrong_digest),
    ];
    for data in plain {
        let expected = decode(&sensors(), &[record(100, data)]);
        assert_eq!(delivered(&sensors(), record(100, data), 0), expected, "{}", data.escape_ascii());
    }
}

#[test]
fn what_firehose_has_not_taken_apart_is_poison_and_stays_whole() {
    for (subsequence_number, data) in [(0, aggregated().to_vec()), (0, gzip(aggregated())), (3, aggregated().to_vec())]
    {
        let batch = delivered(&sensors(), record(100, &data), subsequence_number);

        assert_eq!(batch.rows, []);
        let [poison] = &batch.poison[..] else { panic!("{} poison", batch.poison.len()) };
        assert!(poison.reason.contains("Firehose does not take apart"), "{}", poison.reason);
        assert_eq!(poison.document.bytes(), aggregated());
        let Position { subsequence_number: at, document_number, .. } = poison.position();
        assert_eq!((at, document_number), (subsequence_number, 0));
    }
}

#[test]
fn data_that_is_no_base64_is_poison_at_its_place() {
    let event = DOCUMENTED.replace("SGVsbG8gV29ybGQ=", "!").replace(": \"\"}", ": 7}");
    let UserRecord { record, subsequence_number } = records(&event).unwrap().remove(0).user_record.unwrap();

    let batch = decode_user_record(&sensors(), &record, subsequence_number);

    assert_eq!(batch.poison[0].position().subsequence_number, 7);
    assert!(batch.poison[0].reason.starts_with("data is no base64"), "{}", batch.poison[0].reason);
}

#[test]
fn an_answer_is_what_firehose_documents() {
    let keys = PartitionKeys { partition: "sensor-6".to_owned(), hour: "2026/11/20/14".to_owned() };
    let records = vec![
        Answered::ok("a".to_owned(), b"1,2\n", keys),
        Answered::without_data("b".to_owned(), Outcome::Dropped),
        Answered::without_data("c\"".to_owned(), Outcome::ProcessingFailed),
    ];
    let n_bytes: usize = records.iter().map(Answered::n_bytes).sum();
    let shortest: Vec<_> = records[1..].iter().map(|one| Answered::n_bytes_without_data(&one.record_id)).collect();
    assert_eq!(shortest, [records[1].n_bytes() + "ProcessingFailed".len() - "Dropped".len(), records[2].n_bytes()]);

    let answer = serde_json::to_string(&Answer { records }).unwrap();

    insta::assert_snapshot!(answer, @r#"{"records":[{"recordId":"a","result":"Ok","data":"MSwyCg==","metadata":{"partitionKeys":{"partition":"sensor-6","hour":"2026/11/20/14"}}},{"recordId":"b","result":"Dropped","data":""},{"recordId":"c\"","result":"ProcessingFailed","data":""}]}"#);
    assert_eq!(answer.len(), r#"{"records":[]}"#.len() + n_bytes - 1);
}
