mod storing;

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_core::dead_letter::{self, DeadLetter};
use landfall_core::{ArrivedAt, Poison, Position, Record, SequenceNumber, decode};
use proptest::prelude::*;

use super::*;
use crate::memory::{Effect, Memory};

const SHARD: &str = "shardId-000000000000";
const SENSOR_2: &str = r#"{"sensorId":2,"currentTemperature":70,"status":"OK"}"#;
const SENSOR_6: &str = r#"{"sensorId":6,"currentTemperature":64,"status":"OK"}"#;

fn pipeline() -> Pipeline {
    Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap()
}

fn settings() -> Settings {
    Settings { pipeline: pipeline(), timeouts: Timeouts::scaled(0.1) }
}

fn record(n: u64, data: &[u8]) -> Record {
    Record {
        shard_id: SHARD.into(),
        sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(data.into()),
        place: None,
    }
}

/// Records 100, 101, … of one shard, arrived 2026-11-20 14:00:00.123.
fn event<T: AsRef<[u8]>>(data: &[T]) -> String {
    let user_record = |(data, n): (&T, u64)| {
        (format!("id-{n}"), UserRecord { record: record(n, data.as_ref()), subsequence_number: 0 })
    };
    let records: Vec<_> = data.iter().zip(100..).map(user_record).collect();
    firehose::render(&records, "arn:aws:firehose:us-east-1:0:deliverystream/s", "arn:aws:kinesis:us-east-1:0:stream/s")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An answer to a record: `id-100 Ok sensor-6/2026/11/20/14 <csv>`.
fn shown(answered: &Answered) -> String {
    let Answered { record_id, result, data, metadata } = answered;
    let place = metadata.as_ref().map_or(String::new(), |metadata| {
        format!(" {}/{}", metadata.partition_keys.partition, metadata.partition_keys.hour)
    });
    let text = String::from_utf8(STANDARD.decode(data).unwrap()).unwrap();
    format!("{record_id} {result:?}{place} {text}").trim_end().to_owned()
}

/// An effect in one line; a key without its digest.
fn effects(memory: &Memory) -> Vec<String> {
    let plain = |key: &str| key.rsplit_once('-').map_or(key.to_owned(), |(name, _)| name.to_owned());
    let shown = |effect: &Effect| match effect {
        Effect::Put { key, n_rows } => format!("put {} ({n_rows})", plain(key)),
        Effect::Existed { key } => format!("existed {}", plain(key)),
    };
    memory.effects().iter().map(shown).collect()
}

#[track_caller]
fn check(answer: &Answer, expected: &[&str]) {
    assert_eq!(answer.records.iter().map(shown).collect::<Vec<_>>(), expected);
}

fn dead_letters(memory: &Memory) -> Vec<DeadLetter> {
    let objects = memory.objects();
    let bodies = objects.iter().filter(|(key, _)| key.starts_with("deadletter/"));
    let lines = bodies.flat_map(|(_, body)| body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[tokio::test]
async fn a_record_is_answered_with_the_csv_of_the_landing_zone() {
    let memory = Memory::default();

    let (answer, summary) =
        handle(event(&[SENSOR_6.as_bytes(), &gzip(SENSOR_2.as_bytes())]).into(), &settings(), &memory, Deadline::NONE)
            .await
            .unwrap();

    check(
        &answer,
        &[
            "id-100 Ok sensor-6/2026/11/20/14 shardId-000000000000,100,0,0,key,2026-11-20 14:00:00.123,6,64,OK",
            "id-101 Ok sensor-2/2026/11/20/14 shardId-000000000000,101,0,0,key,2026-11-20 14:00:00.123,2,70,OK",
        ],
    );
    assert_eq!(effects(&memory), Vec::<String>::new());
    assert_eq!(summary, Summary { n_records: 2, n_rows: 2, ..Summary::default() });
}

#[tokio::test]
async fn several_documents_of_a_record_are_lines_under_one_name() {
    let memory = Memory::default();
    let (one, several) = ([SENSOR_6, SENSOR_6].join("\n"), [SENSOR_6, SENSOR_2].concat());

    let (answer, _) = handle(event(&[one, several]).into(), &settings(), &memory, Deadline::NONE).await.unwrap();

    check(
        &answer,
        &[
            "id-100 Ok sensor-6/2026/11/20/14 \
             shardId-000000000000,100,0,0,key,2026-11-20 14:00:00.123,6,64,OK\n\
             shardId-000000000000,100,0,1,key,2026-11-20 14:00:00.123,6,64,OK",
            "id-101 Ok batch/2026/11/20/14 \
             shardId-000000000000,101,0,0,key,2026-11-20 14:00:00.123,6,64,OK\n\
             shardId-000000000000,101,0,1,key,2026-11-20 14:00:00.123,2,70,OK",
        ],
    );
    assert_eq!(effects(&memory), Vec::<String>::new());
}

#[tokio::test]
async fn poison_is_a_dead_letter_and_its_neighbours_are_answered() {
    let memory = Memory::default();
    let mixed = [r#"{"sensorId":64.5}"#, SENSOR_6].join(" ");

    let (answer, summary) =
        handle(event(&["not json", &mixed, SENSOR_2]).into(), &settings(), &memory, Deadline::NONE).await.unwrap();

    check(
        &answer,
        &[
            "id-100 Dropped",
            "id-101 Ok sensor-6/2026/11/20/14 shardId-000000000000,101,0,1,key,2026-11-20 14:00:00.123,6,64,OK",
            "id-102 Ok sensor-2/2026/11/20/14 shardId-000000000000,102,0,0,key,2026-11-20 14:00:00.123,2,70,OK",
        ],
    );
    assert_eq!(effects(&memory), ["put deadletter/2026/11/20/14/shardId-000000000000-100-101 (2)"]);
    let letters = dead_letters(&memory);
    let shown: Vec<_> =
        letters.iter().map(|letter| format!("{} {}", letter.position().unwrap(), letter.reason)).collect();
    assert_eq!(
        shown,
        [
            "shardId-000000000000:100:0:0 invalid JSON: expected ident at line 1 column 2",
            "shardId-000000000000:101:0:0 `sensorId` is 64.5, which is no integer",
        ]
    );
    assert_eq!(summary, Summary { n_records: 3, n_rows: 2, n_poison: 2, ..Summary::default() });
}

/// The same JSON lines under the same key as the orchestrator's, of the same records.
#[tokio::test]
async fn dead_letters_are_those_of_the_other_route() {
    let memory = Memory::default();
    let data = [&b"not json"[..], SENSOR_6.as_bytes(), b"{\"sensorId\":\"\xff\"}"];

    handle(event(&data).into(), &settings(), &memory, Deadline::NONE).await.unwrap();

    let records: Vec<_> = data.iter().zip(100..).map(|(data, n)| record(n, data)).collect();
    let pipeline = pipeline();
    let batch = decode(&pipeline, &records);
    let expected = dead_letter::objects(&pipeline, &batch.poison).map(|object| object.unwrap());
    assert_eq!(
        memory.objects().into_iter().collect::<Vec<_>>(),
        expected.map(|o| (o.key, o.body.to_vec())).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_no_answer_has_room_for_is_landed() {
    let memory = Memory::default();
    let event = event(&[SENSOR_6, &[SENSOR_2; 9].join("\n"), SENSOR_6, SENSOR_6]);

    // Of the first records two with one line each fit, and the shortest answer to all.
    let (answer, summary) = handle_within(event.into(), &settings(), &memory, Deadline::NONE, 550).await.unwrap();

    check(
        &answer,
        &[
            "id-100 Ok sensor-6/2026/11/20/14 shardId-000000000000,100,0,0,key,2026-11-20 14:00:00.123,6,64,OK",
            "id-101 Dropped",
            "id-102 Ok sensor-6/2026/11/20/14 shardId-000000000000,102,0,0,key,2026-11-20 14:00:00.123,6,64,OK",
            "id-103 Dropped",
        ],
    );
    assert!(serde_json::to_string(&answer).unwrap().len() <= 550 + r#"{"records":[]}"#.len());
    assert_eq!(
        effects(&memory),
        [
            "put kinesiscsv/sensor-2/2026/11/20/14/shardId-000000000000-101-101 (9)",
            "put kinesiscsv/sensor-6/2026/11/20/14/shardId-000000000000-103-103 (1)",
        ]
    );
    assert_eq!((summary.n_rows, summary.n_landed), (12, 10));
}

/// Of one more record than fit, all but one are in the answer, and that is no longer than Lambda takes.
#[tokio::test]
async fn the_largest_answer_is_one_that_lambda_takes() {
    let memory = Memory::default();
    let document = format!("{{\"sensorId\":6,\"status\":\"{}\"}}", "x".repeat(1000));
    let one = gzip(document.as_bytes());
    let n_bytes_of_one =
        handle(event(&[&one]).into(), &settings(), &memory, Deadline::NONE).await.unwrap().0.records[0].n_bytes();
    let n_dropped = Answered::n_bytes_without_data("id-100");
    let n_fitting = MAX_ANSWER_BYTES / n_bytes_of_one;
    let all = vec![one; n_fitting + 1];

    let (answer, summary) = handle(event(&all).into(), &settings(), &memory, Deadline::NONE).await.unwrap();

    let n_ok = answer.records.iter().filter(|answered| answered.result == Outcome::Ok).count();
    assert_eq!((summary.n_rows, n_ok + summary.n_landed), (n_fitting + 1, n_fitting + 1));
    let n_bytes = serde_json::to_string(&answer).unwrap().len();
    let longest = 6 * 1024 * 1024;
    assert!(MAX_ANSWER_BYTES - n_bytes_of_one - n_dropped < n_bytes && n_bytes <= longest, "{n_bytes}");
    let landed: usize = memory.objects().iter().map(|(key, body)| landing::read(key, body).unwrap().len()).sum();
    assert_eq!(landed, summary.n_landed);
}

/// One byte more than Firehose takes of a record, and one that it just takes.
#[tokio::test]
async fn a_record_that_firehose_would_not_take_is_landed() {
    let memory = Memory::default();
    let line = "shardId-000000000000,100,0,0,key,2026-11-20 14:00:00.123,6,,\n".len();
    let document = |n_more: usize| {
        gzip(format!("{{\"sensorId\":6,\"status\":\"{}\"}}", "x".repeat(MAX_RECORD_BYTES - line + n_more)).as_bytes())
    };

    let (answer, summary) =
        handle(event(&[document(0), document(1)]).into(), &settings(), &memory, Deadline::NONE).await.unwrap();

    let results: Vec<_> = answer.records.iter().map(|answered| answered.result).collect();
    assert_eq!(results, [Outcome::Ok, Outcome::Dropped]);
    assert_eq!(STANDARD.decode(&answer.records[0].data).unwrap().len(), 1000 * 1024);
    assert_eq!((summary.n_landed, summary.n_objects, summary.landed_bytes), (1, 1, MAX_RECORD_BYTES + 1));
}

#[tokio::test]
async fn a_record_that_has_no_position_is_left_to_firehose() {
    let memory = Memory::default();
    let event = event(&[SENSOR_6, SENSOR_2]).replace("\"100\"", "\"1e5\"");

    let (answer, summary) = handle(event.into(), &settings(), &memory, Deadline::NONE).await.unwrap();

    check(
        &answer,
        &[
            "id-100 ProcessingFailed",
            "id-101 Ok sensor-2/2026/11/20/14 shardId-000000000000,101,0,0,key,2026-11-20 14:00:00.123,2,70,OK",
        ],
    );
    assert_eq!(effects(&memory), Vec::<String>::new());
    let why = Unplaced::Malformed("sequenceNumber is no decimal integer of up to 129 digits");
    assert_eq!((summary.n_failed, summary.failed), (1, Some(why)));
}

#[tokio::test]
async fn another_event_is_named_as_such() {
    let error = handle(r#"{"Records":[]}"#.into(), &settings(), &Memory::default(), Deadline::NONE).await.unwrap_err();

    assert_eq!(error.kind(), "Event");
    let text = landfall_core::chain(&error);
    assert!(text.starts_with("failed to read the event: failed to read the event as Firehose's: expected"), "{text}");
}

/// Records of every form, in any order.
fn any_data() -> impl Strategy<Value = Vec<u8>> {
    let document = prop_oneof![
        (0..4_u8, any::<Option<i8>>()).prop_map(|(sensor, temperature)| format!(
            "{{\"sensorId\":{sensor},\"currentTemperature\":{}}}",
            temperature.map_or("null".to_owned(), |n| n.to_string())
        )),
        Just("{\"sensorId\":64.5}".to_owned()),
        Just("7".to_owned()),
        "[{\"a-c]{0,5}",
    ];
    let documents = prop::collection::vec(document, 0..6).prop_map(|documents| documents.join("\n").into_bytes());
    (documents, any::<bool>()).prop_map(|(data, compressed)| if compressed { gzip(&data) } else { data })
}

fn positions_of(csv: &[u8]) -> Vec<Position> {
    csv::read(csv).unwrap().iter().map(|row| Position::from_columns(row).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The documents are those that the other route decodes; an answer of any size leaves none out.
    #[test]
    fn every_document_is_in_the_answer_landed_or_a_dead_letter_once(
        data in prop::collection::vec(any_data(), 0..8),
        max_bytes in 0_usize..3000,
    ) {
        let memory = Memory::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

        let (answer, summary) =
            runtime.block_on(handle_within(event(&data).into(), &settings(), &memory, Deadline::NONE, max_bytes)).unwrap();

        let records: Vec<_> = data.iter().zip(100..).map(|(data, n)| record(n, data)).collect();
        let batch = decode(&pipeline(), &records);
        let mut rows: Vec<Position> = Vec::new();
        for answered in &answer.records {
            let in_answer = positions_of(&STANDARD.decode(&answered.data).unwrap());
            prop_assert_eq!(in_answer.is_empty(), answered.result == Outcome::Dropped);
            rows.extend(in_answer);
        }
        let n_answered = rows.len();
        for (key, body) in memory.objects().iter().filter(|(key, _)| key.starts_with("kinesiscsv/")) {
            rows.extend(landing::read(key, body).unwrap().iter().map(|row| Position::from_columns(row).unwrap()));
        }
        prop_assert_eq!(rows.len() - n_answered, summary.n_landed);
        rows.sort();
        let mut expected: Vec<_> = batch.rows.iter().map(Row::position).collect();
        expected.sort();
        prop_assert_eq!(rows, expected);
        let mut dead: Vec<_> = dead_letters(&memory).iter().map(|letter| letter.position().unwrap()).collect();
        dead.sort();
        let mut expected: Vec<_> = batch.poison.iter().map(Poison::position).collect();
        expected.sort();
        prop_assert_eq!(dead, expected);
        let ids: Vec<_> = answer.records.iter().map(|answered| answered.record_id.clone()).collect();
        prop_assert_eq!(ids, (100..100 + data.len()).map(|n| format!("id-{n}")).collect::<Vec<_>>());
    }
}
