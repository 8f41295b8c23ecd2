//! Every file of events/, end to end.

use std::collections::BTreeSet;

use landfall_core::{Record, SequenceNumber};
use landfall_generator::{Generator, Template};

use crate::samples::{self, checked_in, provenance};
use crate::support::{TableRow, TestStack, start, workspace};

/// 2026-11-20 14:00:00.123 UTC, when the first record of each file arrived.
const ARRIVED_MS: i64 = 1_795_183_200_123;

/// 100 records of it have 44 sensors, as most seeds have about.
const SEED: u64 = 8;

/// A file of events/ and what becomes of it.
struct Sample {
    file: &'static str,
    /// What makes the file; `None` where it is somebody else's, word for word.
    text: Option<String>,
    rows: Vec<TableRow>,
    /// Objects with rows; the dead letters of a file are one more.
    n_objects: usize,
    reasons: Vec<&'static str>,
}

/// What a document becomes: the cells of `sensorId`, `currentTemperature` and `status`, or poison with its reason.
type Fate = Result<[Option<String>; 3], &'static str>;

fn row(sensor_id: &str, temperature: Option<&str>, status: Option<&str>) -> Fate {
    Ok([Some(sensor_id), temperature, status].map(|cell| cell.map(str::to_owned)))
}

fn generator() -> Generator {
    let template = std::fs::read_to_string(workspace().join("events/templates/sensor.json")).unwrap();
    Generator::new(Template::parse(&template).unwrap(), SEED)
}

/// The sample of `data` and the fates of the documents in it, record by record.
fn sample(file: &'static str, number: u64, n_objects: usize, records: Vec<(Vec<u8>, Vec<Fate>)>) -> Sample {
    let mut generator = generator();
    let (mut made, mut fates) = (Vec::new(), Vec::new());
    for (n, (data, of_documents)) in records.into_iter().enumerate() {
        // Up to 29 ms between them, so that all of a file arrived within three seconds.
        let arrived_ms = ARRIVED_MS + (n as i64) * 23 + (n as i64) * 17 % 7;
        made.push(samples::record(&mut generator, number, n, arrived_ms, &data));
        fates.push(of_documents);
    }
    of(file, made, fates, n_objects)
}

fn of(file: &'static str, records: Vec<Record>, fates: Vec<Vec<Fate>>, n_objects: usize) -> Sample {
    let (mut rows, mut reasons) = (Vec::new(), Vec::new());
    for (record, fates) in records.iter().zip(fates) {
        for (document, fate) in fates.into_iter().enumerate() {
            match fate {
                Ok(cells) => rows.push(provenance(record, document).into_iter().chain(cells).collect()),
                Err(reason) => reasons.push(reason),
            }
        }
    }
    Sample { file, text: Some(samples::event(&records, "sensors")), rows, n_objects, reasons }
}

/// 100 records of the template; what they hold is read by `serde_json`.
fn kinesis_batch() -> Sample {
    let mut generator = generator();
    let records = (0..100).map(|_| {
        let data = generator.next_record();
        let document: serde_json::Value = serde_json::from_slice(&data).unwrap();
        let number = |key: &str| Some(document[key].as_i64().unwrap().to_string());
        let status = Some(document["status"].as_str().unwrap().to_owned());
        (data, vec![Ok([number("sensorId"), number("currentTemperature"), status])])
    });
    sample("kinesis-batch.json", 1, 44, records.collect())
}

fn mixed_sensors() -> Sample {
    let records: Vec<(&str, Vec<Fate>)> = vec![
        (r#"{"sensorId": 6, "currentTemperature": 64, "status": "OK"}"#, vec![row("6", Some("64"), Some("OK"))]),
        (r#"{"sensorId": 2, "currentTemperature": 98, "status": "WARN"}"#, vec![row("2", Some("98"), Some("WARN"))]),
        (r#"{"sensorId": 14, "currentTemperature": 29, "status": ""}"#, vec![row("14", Some("29"), Some(""))]),
        (r#"{"sensorId": 6, "currentTemperature": null, "status": "OK"}"#, vec![row("6", None, Some("OK"))]),
        (r#"{"sensorId": 6, "status": null}"#, vec![row("6", None, None)]),
        (r#"{"sensorId": 2}"#, vec![row("2", None, None)]),
        (
            r#"{"sensorId": 14, "currentTemperature": 31, "status": "door open, fan off"}"#,
            vec![row("14", Some("31"), Some("door open, fan off"))],
        ),
        (
            r#"{"sensorId": 2, "currentTemperature": 101, "status": "said \"hot\""}"#,
            vec![row("2", Some("101"), Some("said \"hot\""))],
        ),
        (
            r#"{"sensorId": 27, "currentTemperature": -4, "status": "first line\nsecond line"}"#,
            vec![row("27", Some("-4"), Some("first line\nsecond line"))],
        ),
        (
            r#"{"sensorId": 27, "currentTemperature": -5, "status": "first line\r\nsecond line"}"#,
            vec![row("27", Some("-5"), Some("first line\r\nsecond line"))],
        ),
        (
            "{\"sensorId\": 6, \"currentTemperature\": 65, \"status\": \"OK\"}\n\
             {\"sensorId\": 14, \"currentTemperature\": 30, \"status\": \"OK\"}\n",
            vec![row("6", Some("65"), Some("OK")), row("14", Some("30"), Some("OK"))],
        ),
        (
            r#"{"sensorId": 0, "currentTemperature": 12, "status": "x'), (1,2,'y"}"#,
            vec![row("0", Some("12"), Some("x'), (1,2,'y"))],
        ),
        (
            r#"{"sensorId": 0, "currentTemperature": 13, "status": "C:\\temp\\new"}"#,
            vec![row("0", Some("13"), Some(r"C:\temp\new"))],
        ),
        (r#"{"sensorId": 0, "currentTemperature": 14, "status": "\\N"}"#, vec![row("0", Some("14"), Some(r"\N"))]),
        (r#"{"sensorId": 0, "currentTemperature": 15, "status": "NULL"}"#, vec![row("0", Some("15"), Some("NULL"))]),
        (
            r#"{"sensorId": 33, "currentTemperature": 150, "status": " Überhitzt 🌡️ "}"#,
            vec![row("33", Some("150"), Some(" Überhitzt 🌡️ "))],
        ),
        (r#"{"sensorId": "33", "currentTemperature": 1.5e2}"#, vec![row("33", Some("150"), None)]),
        (
            r#"{"sensorId": 33, "currentTemperature": 149, "status": "OK", "firmware": "2.1.0"}"#,
            vec![row("33", Some("149"), Some("OK"))],
        ),
    ];
    let records = records.into_iter().map(|(data, fates)| (data.as_bytes().to_vec(), fates));
    sample("mixed-sensors.json", 2, 6, records.collect())
}

fn poison() -> Sample {
    let good = |id: &str| {
        let data = format!("{{\"sensorId\": {id}, \"currentTemperature\": 64, \"status\": \"OK\"}}\n");
        (data.into_bytes(), vec![row(id, Some("64"), Some("OK"))])
    };
    let bad = |data: &[u8], reason| (data.to_vec(), vec![Err(reason)]);
    let records = vec![
        good("6"),
        bad(b"not json", "invalid JSON: expected ident at line 1 column 2"),
        good("2"),
        bad(
            br#"{"sensorId": 12, "currentTemperature": 64.5, "status": "OK"}"#,
            "`currentTemperature` is 64.5, which is no integer",
        ),
        bad(br#"{"currentTemperature": 71, "status": "OK"}"#, "the required field `sensorId` is missing"),
        bad(
            br#"{"sensorId": null, "currentTemperature": 71, "status": "OK"}"#,
            "the required field `sensorId` is null",
        ),
        good("14"),
        bad(br#"{"sensorId": 17, "currentTemp"#, "invalid JSON: EOF while parsing a string at line 1 column 29"),
        bad(b"{\"sensorId\": 3, \"currentTemperature\": 55, \"status\": \"O\xffK\"}", "invalid UTF-8 at byte 54"),
        (
            br#"{"sensorId": 8, "currentTemperature": 20, "status": "OK"} {"sensorId": 8, "#.to_vec(),
            vec![
                row("8", Some("20"), Some("OK")),
                Err("invalid JSON: EOF while parsing an object at line 1 column 74"),
            ],
        ),
        (
            br#"{"sensorId": 9, "status": 1.0e} "#.to_vec(),
            vec![Err("invalid JSON: invalid number at line 1 column 31")],
        ),
        (
            b"{\"sensorId\": \"nine\"}\n{\"sensorId\": 9, \"currentTemperature\": 21, \"status\": \"OK\"}\n".to_vec(),
            vec![Err("`sensorId` is \"nine\", which is no integer"), row("9", Some("21"), Some("OK"))],
        ),
        bad(
            br#"{"sensorId": 11111111111111111111111111111111111111111111111111}"#,
            "`sensorId` has 50 digits, more than the 38 of a NUMBER(38,0)",
        ),
        bad(br#"{"sensorId": 5, "currentTemperature": NaN}"#, "invalid JSON: expected value at line 1 column 39"),
        bad(br#"{"sensorId": 1, "sensorId": 2}"#, "the key `sensorId` stands twice"),
        bad(b"[1, 2]", "the document is an array, not an object"),
        bad(b"", "the record holds no document"),
        good("6"),
    ];
    sample("poison.json", 3, 5, records)
}

/// Kinesis allows up to 129 digits; such a number comes after all shorter ones.
fn long_sequence_number() -> Sample {
    let data = br#"{"sensorId": 41, "currentTemperature": 77, "status": "OK"}"#;
    let mut record = samples::record(&mut generator(), 4, 0, ARRIVED_MS, data);
    record.sequence_number = SequenceNumber::new(&format!("{}0417", record.sequence_number)).unwrap();
    of("long-sequence-number.json", vec![record], vec![vec![row("41", Some("77"), Some("OK"))]], 1)
}

/// Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
fn aws_documentation() -> Sample {
    Sample {
        file: "aws-documentation.json",
        text: None,
        rows: Vec::new(),
        n_objects: 0,
        reasons: vec![
            "invalid JSON: expected value at line 1 column 1",
            "invalid JSON: expected value at line 1 column 1",
        ],
    }
}

fn all() -> Vec<Sample> {
    vec![
        kinesis_batch(),
        mixed_sensors(),
        poison(),
        sample("empty.json", 0, 0, Vec::new()),
        long_sequence_number(),
        aws_documentation(),
    ]
}

#[test]
fn the_checked_in_events_are_what_makes_them() {
    for Sample { file, text, .. } in all() {
        if let Some(text) = text {
            checked_in(&format!("events/{file}"), &text);
        }
    }
}

#[test]
fn every_event_is_known_here_and_described_in_its_readme() {
    let folder = workspace().join("events");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let files: BTreeSet<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();

    let samples = all();

    assert_eq!(files, samples.iter().map(|sample| sample.file.to_owned()).collect());
    for Sample { file, rows, n_objects, reasons, .. } in samples {
        let line = readme.lines().find(|line| line.starts_with(&format!("| [{file}]({file}) | ")));
        let counts = format!(" | {} | {n_objects} | {} |", rows.len(), reasons.len());
        assert!(line.is_some_and(|line| line.ends_with(&counts)), "{file}{counts}: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_becomes_its_rows_objects_and_dead_letters_and_a_second_time_nothing() {
    let test = start().await;
    let (mut rows, mut n_objects, mut n_letters) = (Vec::new(), 0, 0);

    for sample in all() {
        test.takes_file(&format!("events/{}", sample.file)).await;

        rows.extend(sample.rows);
        rows.sort_by_key(in_order);
        n_objects += sample.n_objects;
        assert_eq!(test.keys("kinesiscsv").len(), n_objects, "{}", sample.file);
        assert_eq!(test.streaming().await.len(), rows.len(), "{}", sample.file);
        assert_eq!(test.microbatch().await.len(), rows.len(), "{}", sample.file);
        assert_eq!(new_reasons(&test, &mut n_letters), sample.reasons, "{}", sample.file);
    }
    test.holds(&rows).await;

    let keys = test.keys("");
    for sample in all() {
        test.takes_file(&format!("events/{}", sample.file)).await;
    }
    test.holds(&rows).await;
    assert_eq!(test.keys(""), keys);
    test.stack.stop().await;
}

/// The reasons of the dead letters that came since there were `n_before`: each file's stand after those before it.
fn new_reasons(test: &TestStack, n_before: &mut usize) -> Vec<String> {
    let letters = test.dead_letters();
    let reasons = letters.iter().skip(*n_before).map(|letter| letter.reason.clone()).collect();
    *n_before = letters.len();
    reasons
}

/// The order in which tables are read: by shard, and by sequence number as a number.
fn in_order(row: &TableRow) -> (Option<String>, usize, TableRow) {
    let n_digits = row[1].as_ref().map_or(0, String::len);
    (row[0].clone(), n_digits, row[1..4].to_vec())
}
