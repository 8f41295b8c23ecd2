mod limits;

use landfall_aws::{Fate, PortError};
use landfall_core::dead_letter::DeadLetter;
use landfall_core::upsert::{Rejected, Request};
use landfall_core::{ArrivedAt, Record, SequenceNumber, Stage};

use super::*;
use crate::memory::{Effect, Memory};

const SENSOR_2: &str = r#"{"sensorId":2,"currentTemperature":70,"status":"OK"}"#;
const SENSOR_6: &str = r#"{"sensorId":6,"currentTemperature":64,"status":"OK"}"#;

/// Records 100, 101, … of one shard, arrived 2026-11-20 14:00:00.123.
fn kinesis_event<T: AsRef<[u8]>>(data: &[T]) -> String {
    let record = |(data, n): (&T, u64)| Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(data.as_ref().into()),
        place: None,
    };
    let records: Vec<_> = data.iter().zip(100..).map(record).collect();
    event::render(&records, "arn:aws:kinesis:us-east-1:000000000000:stream/sensors")
}

fn settings() -> Settings {
    let pipeline = Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap();
    Settings { pipeline, landing: true, timeouts: Timeouts::scaled(1.0) }
}

async fn run(event: &str, memory: &Memory) -> Result<Summary, OrchestratorError> {
    handle(event.into(), &settings(), &memory.ports(), Deadline::NONE).await
}

/// An effect in one line; a key without its digest.
fn shown(effect: &Effect) -> String {
    let plain = |key: &str| key.rsplit_once('-').map_or(key.to_owned(), |(name, _)| name.to_owned());
    match effect {
        Effect::Put { key, n_rows } => format!("put {} ({n_rows})", plain(key)),
        Effect::Existed { key } => format!("existed {}", plain(key)),
        Effect::Upserted { rows } => {
            let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(rows).unwrap();
            let numbers: Vec<_> = rows.iter().map(|row| row[1].as_str().unwrap()).collect();
            format!("upserted {}", numbers.join(" "))
        }
    }
}

#[track_caller]
fn check(memory: &Memory, expected: &[&str]) {
    assert_eq!(memory.effects().iter().map(shown).collect::<Vec<_>>(), expected);
}

/// The dead letters of all objects, and the bytes of each.
fn dead_letters(memory: &Memory) -> Vec<(DeadLetter, Vec<u8>)> {
    use base64::Engine as _;
    let objects = memory.objects();
    let bodies = objects.iter().filter(|(key, _)| key.starts_with("deadletter/"));
    let lines = bodies.flat_map(|(_, body)| body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    let letters = lines.map(|line| serde_json::from_slice::<DeadLetter>(line).unwrap());
    letters
        .map(|letter| {
            let data = base64::engine::general_purpose::STANDARD.decode(&letter.data).unwrap();
            (letter, data)
        })
        .collect()
}

fn rejected(row: usize) -> Rejected {
    Rejected { row, code: "100038".to_owned(), message: "Numeric value 'x' is not recognized".to_owned() }
}

const DEAD_101: &str = "put deadletter/2026/11/20/14/shardId-000000000000-101-101 (1)";
const LANDED_2: &str = "put kinesiscsv/sensor-2/2026/11/20/14/shardId-000000000000-102-102 (1)";
const LANDED_6: &str = "put kinesiscsv/sensor-6/2026/11/20/14/shardId-000000000000-100-100 (1)";

#[tokio::test]
async fn poison_does_not_stop_its_neighbours() {
    let memory = Memory::default();

    let summary = run(&kinesis_event(&[SENSOR_6, "not json", SENSOR_2]), &memory).await.unwrap();

    check(&memory, &[DEAD_101, LANDED_2, LANDED_6, "upserted 100 102"]);
    let landed = memory.objects().into_iter().filter(|(key, _)| key.starts_with("kinesiscsv/"));
    let expected = Summary {
        shard_id: Some("shardId-000000000000".to_owned()),
        n_records: 3,
        rest: None,
        n_rows: 2,
        n_poison: 1,
        n_rejected: 0,
        n_objects: 2,
        landed_bytes: landed.map(|(_, body)| body.len()).sum(),
        n_duplicates: 0,
        oldest: ArrivedAt::from_millis(1_795_183_200_123),
        ..summary.clone()
    };
    assert_eq!(summary, expected);
    assert_eq!(dead_letters(&memory)[0].1, b"not json");
}

#[tokio::test]
async fn a_retry_writes_nothing_new_and_upserts_the_same() {
    let memory = Memory::default();
    let event = kinesis_event(&[SENSOR_6, "not json", SENSOR_2]);
    run(&event, &memory).await.unwrap();
    let (before, n_effects) = (memory.objects(), memory.effects().len());

    memory.answer(Ok(Response { inserted: 0, duplicates: 2, rejected: Vec::new() }));
    let summary = run(&event, &memory).await.unwrap();

    let (first, second) = (memory.effects()[..n_effects].to_vec(), memory.effects()[n_effects..].to_vec());
    let again: Vec<_> = first
        .into_iter()
        .map(|effect| match effect {
            Effect::Put { key, .. } => Effect::Existed { key },
            other => other,
        })
        .collect();
    assert_eq!(second, again);
    assert_eq!(memory.objects(), before);
    assert_eq!((summary.n_objects, summary.n_duplicates), (2, 2));
}

#[tokio::test]
async fn an_empty_event_has_no_effect() {
    let memory = Memory::default();

    assert_eq!(run(r#"{"Records":[]}"#, &memory).await.unwrap(), Summary::default());

    check(&memory, &[]);
}

#[tokio::test]
async fn what_is_no_event_fails_the_batch() {
    let error = run("{}", &Memory::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), ("Event", "failed to read the event"));
}

#[tokio::test]
async fn a_landing_failure_fails_the_batch_although_upsert_went_on() {
    let memory = Memory::default();
    memory.fail_put("kinesiscsv/sensor-6/");

    let error = run(&kinesis_event(&[SENSOR_6, "not json", SENSOR_2]), &memory).await.unwrap_err();

    assert_eq!(error.kind(), "LandTransient");
    assert!(error.to_string().starts_with("failed to land kinesiscsv/sensor-6/2026/11/20/14/"), "{error}");
    check(&memory, &[DEAD_101, LANDED_2, "upserted 100 102"]);
}

#[tokio::test]
async fn a_dead_letter_failure_fails_the_batch_although_the_rest_went_on() {
    let memory = Memory::default();
    memory.fail_put("deadletter/");

    let error = run(&kinesis_event(&[SENSOR_6, "not json", SENSOR_2]), &memory).await.unwrap_err();

    assert_eq!(error.kind(), "DeadLetterTransient");
    check(&memory, &[LANDED_2, LANDED_6, "upserted 100 102"]);
}

#[tokio::test]
async fn an_upsert_failure_fails_the_batch_with_its_fate() {
    for (fate, kind) in [(Fate::Transient, "UpsertTransient"), (Fate::Setup, "UpsertSetup")] {
        let memory = Memory::default();
        memory.answer(Err(fate));

        let error = run(&kinesis_event(&[SENSOR_6]), &memory).await.unwrap_err();

        assert_eq!(error.kind(), kind);
        assert_eq!(landfall_core::chain(&error), "failed to upsert request 1 of 1 (1 rows): as the test wants");
        check(&memory, &[LANDED_6, "upserted 100"]);
    }
}

#[tokio::test]
async fn a_row_that_the_warehouse_refuses_is_a_dead_letter() {
    let memory = Memory::default();
    memory.answer(Ok(Response { inserted: 1, duplicates: 1, rejected: vec![rejected(1)] }));
    let refused = r#"{"sensorId":6} {"sensorId":7,"status":"refused"}"#;

    let summary = run(&kinesis_event(&[refused, SENSOR_2]), &memory).await.unwrap();

    check(
        &memory,
        &[
            "put kinesiscsv/sensor-2/2026/11/20/14/shardId-000000000000-101-101 (1)",
            "put kinesiscsv/sensor-6/2026/11/20/14/shardId-000000000000-100-100 (1)",
            "put kinesiscsv/sensor-7/2026/11/20/14/shardId-000000000000-100-100 (1)",
            "upserted 100 100 101",
            "put deadletter/2026/11/20/14/shardId-000000000000-100-100 (1)",
        ],
    );
    let (letter, data) = &dead_letters(&memory)[0];
    assert_eq!((letter.stage, letter.document_number), (Stage::Upsert, 1));
    assert_eq!(letter.reason, "the warehouse refused the row: Numeric value 'x' is not recognized (100038)");
    assert_eq!(data, br#"{"sensorId":7,"status":"refused"}"#);
    assert_eq!((summary.n_rows, summary.n_poison, summary.n_rejected, summary.n_duplicates), (3, 0, 1, 1));
}

#[tokio::test]
async fn a_dead_letter_of_a_refused_row_that_fails_fails_the_batch() {
    let memory = Memory::default();
    memory.answer(Ok(Response { inserted: 0, duplicates: 0, rejected: vec![rejected(0)] }));
    memory.fail_put("deadletter/");

    let error = run(&kinesis_event(&[SENSOR_6]), &memory).await.unwrap_err();

    assert_eq!(error.kind(), "DeadLetterTransient");
}

#[tokio::test]
async fn an_answer_that_does_not_account_for_each_row_is_not_believed() {
    for (inserted, duplicates, rejected) in [
        (1, 0, vec![]),
        (2, 1, vec![]),
        (2, 0, vec![rejected(0)]),
        (1, 0, vec![rejected(2)]),
        (0, 0, vec![rejected(1), rejected(1)]),
        (u64::MAX, 3, vec![]),
        (0, 0, vec![]),
    ] {
        let memory = Memory::default();
        let answer = Response { inserted, duplicates, rejected };
        memory.answer(Ok(answer.clone()));

        let error = run(&kinesis_event(&[SENSOR_6, SENSOR_2]), &memory).await.unwrap_err();

        assert_eq!(error.kind(), "Unaccounted", "{answer:?}");
        assert!(dead_letters(&memory).is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn landing_off_writes_dead_letters_all_the_same() {
    let memory = Memory::default();
    let settings = Settings { landing: false, ..settings() };

    let event = kinesis_event(&[SENSOR_6, "not json", SENSOR_2]);
    let summary = handle(event.into(), &settings, &memory.ports(), Deadline::NONE).await.unwrap();

    check(&memory, &[DEAD_101, "upserted 100 102"]);
    assert_eq!((summary.n_rows, summary.n_objects, summary.landed_bytes), (2, 0, 0));
    assert!(summary.landing.is_none() && summary.upserting.is_some(), "{summary:?}");
}

/// Where Firehose lands what the stream holds, it never sees what is sent again.
#[tokio::test]
async fn a_redriven_document_lands_although_landing_is_off() {
    let memory = Memory::default();
    let settings = Settings { landing: false, ..settings() };
    let mut records = event::records(&kinesis_event(&[SENSOR_6, SENSOR_2])).unwrap();
    records[1].place = Some(landfall_core::Place { subsequence_number: 3, document_number: 1 });
    let event = event::render(&records, "arn:aws:kinesis:us-east-1:000000000000:stream/sensors");

    handle(event.into(), &settings, &memory.ports(), Deadline::NONE).await.unwrap();

    check(&memory, &["put kinesiscsv/sensor-2/2026/11/20/14/shardId-000000000000-101-101 (1)", "upserted 100 101"]);
}

#[tokio::test]
async fn upsert_off_lands_all_the_same() {
    let memory = Memory::default();
    let ports = Ports { store: memory.clone(), upsert: None::<Memory> };

    let event = kinesis_event(&[SENSOR_6, "not json", SENSOR_2]);
    let summary = handle(event.into(), &settings(), &ports, Deadline::NONE).await.unwrap();

    check(&memory, &[DEAD_101, LANDED_2, LANDED_6]);
    assert!(summary.landing.is_some() && summary.upserting.is_none(), "{summary:?}");
}

#[tokio::test]
async fn ten_thousand_records_of_a_thousand_sensors_all_arrive() {
    let memory = Memory::default();
    let data: Vec<_> = (0..10_000).map(|n| format!(r#"{{"sensorId":{},"status":"OK"}}"#, n % 1000)).collect();

    let summary = run(&kinesis_event(&data), &memory).await.unwrap();

    assert_eq!((summary.n_rows, summary.n_poison, summary.n_objects), (10_000, 0, 1000));
    let (mut landed, mut upserted) = (0, Vec::new());
    for effect in memory.effects() {
        match effect {
            Effect::Put { n_rows, .. } => landed += n_rows,
            Effect::Upserted { rows } => {
                assert!(rows.len() <= MAX_REQUEST_BYTES);
                let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(&rows).unwrap();
                upserted.extend(rows.into_iter().map(|row| row[1].as_str().unwrap().to_owned()));
            }
            Effect::Existed { key } => panic!("{key} twice"),
        }
    }
    assert_eq!(landed, 10_000);
    assert_eq!(upserted, (100..10_100).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// Puts and upserts that take this long, one of each at a time.
struct Taking(Memory, Duration, Duration);

impl ObjectStore for Taking {
    async fn put(&self, object: Object) -> Result<Put, PortError> {
        tokio::time::sleep(self.1).await;
        self.0.put(object).await
    }
}

impl Upsert for Taking {
    async fn upsert(&self, request: &Request) -> Result<Response, PortError> {
        tokio::time::sleep(self.2).await;
        self.0.upsert(request).await
    }
}

#[tokio::test]
async fn landing_and_upserting_are_timed_apart() {
    let (short, long) = (Duration::from_millis(20), Duration::from_millis(200));
    for (put, upsert) in [(short, long), (long, short)] {
        let taking = || Taking(Memory::default(), put, upsert);
        let ports = Ports { store: taking(), upsert: Some(taking()) };

        let summary = handle(kinesis_event(&[SENSOR_6]).into(), &settings(), &ports, Deadline::NONE).await.unwrap();

        let (landing, upserting) = (summary.landing.unwrap(), summary.upserting.unwrap());
        assert!(landing >= put && upserting >= upsert, "{landing:?} {upserting:?}");
        assert_eq!(landing < upserting, put < upsert, "{landing:?} {upserting:?}");
    }
}

#[tokio::test]
async fn the_oldest_record_is_found_wherever_it_stands() {
    let event = kinesis_event(&[SENSOR_6, SENSOR_2]).replacen("1795183200.123", "1795183201.5", 1);

    let summary = run(&event, &Memory::default()).await.unwrap();

    assert_eq!(summary.oldest, ArrivedAt::from_millis(1_795_183_200_123));
}
