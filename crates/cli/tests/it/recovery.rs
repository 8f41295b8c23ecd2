//! `landfall replay`: what did not get through, brought back.

mod deployed;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use landfall_core::dead_letter::DeadLetter;
use landfall_core::{ArrivedAt, Pipeline, Poison, Record, SequenceNumber, decode, event, landing};
use landfall_local::event_source_mapping::{EventSourceMapping, Settings};
use landfall_local::files;
use landfall_local::lambda::{Invoke, Invoked};
use landfall_local::shards::{self, STREAM_ARN};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::reconcile::Replayed;
use crate::support::{dir, in_dir, text};

const PIPELINE: &str = include_str!("../../../../pipeline.toml");

/// `event` with the sensors' own pipeline, or another form of it.
fn pipeline(dir: &Path, name: &str, change: (&str, &str)) -> PathBuf {
    assert!(PIPELINE.contains(change.0), "{}", change.0);
    let path = dir.join(name);
    std::fs::write(&path, PIPELINE.replacen(change.0, change.1, 1)).unwrap();
    path
}

fn record(number: u64, data: &str) -> Record {
    Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&number.to_string()).unwrap(),
        partition_key: "key".into(),
        // 2026-11-20 14:00:00.123
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(data.as_bytes().into()),
        place: None,
    }
}

fn replay(dir: &Path, pipeline: &Path) -> Command {
    let mut command = in_dir("replay", dir);
    command.arg("--pipeline").arg(pipeline);
    command
}

/// What a command says on stdout and stderr, when it exits with `code`.
#[track_caller]
fn said(command: &mut Command, code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, error) = (text(&stdout), text(&stderr));
    assert_eq!(status.code(), Some(code), "{out}{error}");
    (out, error)
}

/// The rows of a table or view as `sequence:document sensor status`, in order.
fn rows(dir: &Path, table: &str) -> Vec<String> {
    let query = format!(
        "select kinesis_sequence_number || ':' || kinesis_document_number || ' ' || sensorid || ' ' || coalesce(status, '-') r \
         from {table} order by length(kinesis_sequence_number), r"
    );
    let (out, _) = said(in_dir("sql", dir).args(["--csv", &query]), 0);
    out.lines().skip(1).map(str::to_owned).collect()
}

/// The files of a bucket of the local S3.
fn objects(dir: &Path, bucket: &str) -> Vec<PathBuf> {
    files::below(&dir.join("s3").join(bucket)).unwrap()
}

#[tokio::test]
async fn dead_letters_come_back_at_their_own_positions_and_once() {
    let (dir, own) = (dir().await, tempfile::tempdir().unwrap());
    let reject = pipeline(own.path(), "reject.toml", ("\"ignore\"", "\"reject\""));
    let ignore = pipeline(own.path(), "ignore.toml", ("\"ignore\"", "\"ignore\""));
    let records = [
        record(100, r#"{"sensorId":6,"status":"OK"} {"sensorId":7,"unit":"C","status":"WARN"}"#),
        record(101, r#"{"sensorId":8,"unit":"C"}"#),
        record(102, "no json"),
    ];
    let file = own.path().join("event.json");
    std::fs::write(&file, event::render(&records, STREAM_ARN)).unwrap();
    said(replay(dir.path(), &reject).arg(&file), 0);
    let before = objects(dir.path(), "landfall-landing");
    assert_eq!(before.len(), 2, "{before:?}");
    let from_s3 = ["--dead-letters", "s3://landfall-landing/deadletter/"];

    let (out, _) = said(replay(dir.path(), &ignore).args(from_s3).arg("--dry-run"), 0);

    insta::assert_snapshot!(out, @"
      to land   2 rows
      poison    1 document still
                1 × invalid JSON: expected ident at line 1 column 2
                    shardId-000000000000:102:0:0

    3 documents in 1 event: 2 would be rows, 1 still poison; nothing was sent
    ");
    assert_eq!(objects(dir.path(), "landfall-landing"), before);

    let letters = own.path().join("letters");
    std::fs::create_dir(&letters).unwrap();
    std::fs::copy(before.iter().find(|path| path.extension().unwrap() == "jsonl").unwrap(), letters.join("a.jsonl"))
        .unwrap();
    let (out, _) = said(replay(dir.path(), &ignore).args(from_s3), 0);

    insta::assert_snapshot!(out, @"
      landed    2 rows
      poison    1 document still
                1 × invalid JSON: expected ident at line 1 column 2
                    shardId-000000000000:102:0:0
      loaded    2 rows in KINESIS_SENSORS_STREAMING, 2 rows in KINESIS_SENSORS_MICROBATCH

    3 documents taken in 1 event: 2 landed now, 1 still poison
    ");
    let expected = ["100:0 6 OK", "100:1 7 WARN", "101:0 8 -"];
    let tables = ["kinesis_sensors_streaming_deduplicated", "kinesis_sensors_microbatch_deduplicated"];
    for table in tables {
        assert_eq!(rows(dir.path(), table), expected, "{table}");
    }

    let until = |moment| {
        let mut command = replay(dir.path(), &ignore);
        command.args(["--dry-run", "--until", moment, "--dead-letters"]).arg(&letters);
        said(&mut command, 0).0
    };
    assert!(until("2026-11-20 14:00").starts_with("0 documents in 0 events"));
    assert!(until("2026-11-20 14:01").contains("\n3 documents in 1 event"));

    // A second time, from copies, one of them spoiled, and with two rows that the warehouse refused: one of them it takes
    // now, the other not (the local one holds an integer in 64 bits).
    let refused = |number, data: &str| {
        let rows = decode(&Pipeline::from_toml(PIPELINE).unwrap(), &[record(number, data)]).rows;
        let letter = DeadLetter::from(&Poison::refused(&rows[0], "100038", "why"));
        serde_json::to_string(&letter).unwrap()
    };
    let (good, bad) =
        (refused(103, r#"{"sensorId":9}"#), refused(104, &format!("{{\"sensorId\":{}}}", "9".repeat(30))));
    std::fs::write(letters.join("b.jsonl"), format!("{{\"stage\":\n{good}\n{good}\n{bad}\n")).unwrap();
    // And once more: what is refused for the same reason is no new letter.
    for _ in 0..2 {
        let (out, error) = said(replay(dir.path(), &ignore).arg("--dead-letters").arg(&letters), 1);

        let name = letters.join("b.jsonl").display().to_string();
        assert!(
            error.contains(&format!("error: failed to use line 1 of {name}: it is no dead letter: EOF")),
            "{error}"
        );
        let summary = "\n5 documents taken in 1 event: 3 landed now, 1 still poison, 1 still refused\n";
        assert!(out.contains("  refused   1 row by the warehouse still\n") && out.contains(summary), "{out}");
        let of_warehouse = out.lines().skip_while(|line| !line.contains("1 × the warehouse refused the row: "));
        assert_eq!(of_warehouse.map(str::trim).nth(1), Some("shardId-000000000000:104:0:0"), "{out}");
        assert!(!out.contains("row not in") && !out.contains("rows not in"), "{out}");
    }
    let expected = [&expected[..], &["103:0 9 -"]].concat();
    for table in tables.iter().chain(&["kinesis_sensors_streaming"]) {
        assert_eq!(rows(dir.path(), table), expected, "{table}");
    }
}

/// A function that is down.
#[derive(Debug, Clone)]
struct Down;

impl Invoke for Down {
    fn invoke(&self, _: &str, _: Bytes) -> impl Future<Output = Invoked> + Send {
        let payload = Bytes::from_static(br#"{"errorType":"LandTransient","errorMessage":"down"}"#);
        std::future::ready(Invoked::Failed { request_id: String::new(), payload })
    }
}

/// Has a mapping give up on batches of two.
async fn give_up(bucket: PathBuf, data: &[&str]) -> Vec<Record> {
    let (stream, shards) = shards::stream(1, 100);
    let mut records = Vec::new();
    for data in data {
        records.push(stream.put("key", data.as_bytes()).await.unwrap());
    }
    drop(stream);
    let (tell, _deliveries) = mpsc::unbounded_channel();
    let settings = Settings {
        batch_size: 2,
        window: Duration::ZERO,
        max_retries: Some(0),
        on_failure: Some(bucket),
        ..Settings::new("landfall-orchestrator")
    };
    EventSourceMapping::start(shards, &Down, settings, tell).finished().await;
    records
}

#[tokio::test]
async fn batches_that_were_given_up_come_back_whole() {
    let (dir, own) = (dir().await, tempfile::tempdir().unwrap());
    let pipeline = pipeline(own.path(), "pipeline.toml", ("\"ignore\"", "\"ignore\""));
    let stored = own.path().join("given-up");
    let data =
        [r#"{"sensorId":6}{"sensorId":7}"#, r#"{"sensorId":6}"#, "no json", r#"{"sensorId":8}"#, r#"{"sensorId":6}"#];
    let records = give_up(stored.clone(), &data).await;
    let name = |index: usize| records[index].sequence_number.as_str();

    // From a folder and dry, no stack is needed.
    let (out, _) = said(replay(dir.path(), &pipeline).arg("--on-failure").arg(&stored).arg("--dry-run"), 0);

    let titles: Vec<_> = out.lines().filter_map(|line| line.split_once(".json: ")).map(|(_, title)| title).collect();
    assert_eq!(
        titles,
        ["2 records: 3 rows, 0 dead letters", "2 records: 1 row, 1 dead letter", "1 record: 1 row, 0 dead letters"]
    );
    assert!(out.ends_with("5 records in 3 events: 5 would be rows, 1 still poison; nothing was sent\n"), "{out}");
    assert!(!dir.path().join("s3").exists());
    let (out, _) = said(
        replay(dir.path(), &pipeline).arg("--on-failure").arg(&stored).args(["--dry-run", "--until", "2026-01-01"]),
        0,
    );
    assert!(out.ends_with("0 records in 0 events: 0 would be rows, 0 still poison; nothing was sent\n"), "{out}");

    // An empty stack, for its buckets.
    let empty = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/empty.json");
    said(replay(dir.path(), &pipeline).arg(empty), 0);
    for file in files::below(&stored).unwrap() {
        let to = dir.path().join("s3/landfall-on-failure").join(file.strip_prefix(&stored).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(file, to).unwrap();
    }
    for _ in 0..2 {
        let (out, _) = said(replay(dir.path(), &pipeline).args(["--on-failure", "s3://landfall-on-failure/aws/"]), 0);

        assert!(out.contains("5 rows in KINESIS_SENSORS_STREAMING, 5 rows in KINESIS_SENSORS_MICROBATCH"), "{out}");
        assert!(out.ends_with("5 records taken in 3 events: 5 landed now, 1 still poison\n"), "{out}");
        let row = |index: usize, document, sensor| format!("{}:{document} {sensor} -", name(index));
        let expected = [row(0, 0, 6), row(0, 1, 7), row(1, 0, 6), row(3, 0, 8), row(4, 0, 6)];
        // The raw tables: each batch was whole.
        for table in ["kinesis_sensors_streaming", "kinesis_sensors_microbatch"] {
            assert_eq!(rows(dir.path(), table), expected, "{table}");
        }
    }
    assert_eq!(
        objects(dir.path(), "landfall-landing").iter().filter(|path| path.extension().unwrap() == "jsonl").count(),
        1
    );
}

#[tokio::test]
async fn what_landed_goes_into_the_streaming_table_once() {
    let (dir, own) = (dir().await, tempfile::tempdir().unwrap());
    let field = "[[fields]]\nname = \"battery\"\ntype = \"integer\"\n\n[landing]";
    let pipeline = pipeline(own.path(), "pipeline.toml", ("[landing]", field));
    let zone = own.path().join("zone");
    let land = |toml: &str, number: u64, data: &str| {
        let pipeline = Pipeline::from_toml(toml).unwrap();
        for object in landing::objects(&pipeline, &decode(&pipeline, &[record(number, data)]).rows).map(Result::unwrap)
        {
            let path = zone.join(object.key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, object.body).unwrap();
        }
    };
    let new = std::fs::read_to_string(&pipeline).unwrap();
    // From before there was a battery, and since, in each form.
    land(PIPELINE, 100, r#"{"sensorId":6,"status":"a \"b\",\nc"}"#);
    land(&new, 101, r#"{"sensorId":7,"battery":90,"status":""}{"sensorId":8}"#);
    land(&new.replace("\"none\"", "\"gzip\""), 102, r#"{"sensorId":7}"#);
    land(&new.replace("\"none\"", "\"zstd\""), 103, r#"{"sensorId":7}"#);
    let landing =
        |args: &[&str], code: i32| said(replay(dir.path(), &pipeline).arg("--landing").arg(&zone).args(args), code);

    let (out, _) = landing(&["--dry-run"], 0);
    assert_eq!(out, "5 rows in 5 objects would go into KINESIS_SENSORS_STREAMING; nothing was sent\n");
    assert!(!dir.path().join("s3").exists());

    let (out, _) = landing(&["--dry-run", "--since", "2026-11-21"], 0);
    assert!(out.starts_with("0 rows in 5 objects would go"), "{out}");

    let (out, _) = landing(&[], 0);
    assert_eq!(out, "5 rows in 5 objects: 5 inserted into KINESIS_SENSORS_STREAMING, 0 already there, 0 rejected\n");
    let query = "select kinesis_sequence_number s, kinesis_document_number d, kinesis_partition_key k, kinesis_arrived_at a, \
                 sensorid, status, battery from kinesis_sensors_streaming order by s, d";
    let (out, _) = said(in_dir("sql", dir.path()).args(["--csv", query]), 0);
    insta::assert_snapshot!(out, @r#"
    S,D,K,A,SENSORID,STATUS,BATTERY
    100,0,key,2026-11-20 14:00:00.123,6,"a ""b"",
    c",
    101,0,key,2026-11-20 14:00:00.123,7,"",90
    101,1,key,2026-11-20 14:00:00.123,8,,
    102,0,key,2026-11-20 14:00:00.123,7,,
    103,0,key,2026-11-20 14:00:00.123,7,,
    "#);
    assert_eq!(rows(dir.path(), "kinesis_sensors_microbatch"), Vec::<String>::new());

    // Again, with what the warehouse refuses: the local one holds an integer in 64 bits.
    land(&new, 104, &format!("{{\"sensorId\":{}}}", "9".repeat(30)).repeat(12));
    let (out, _) = landing(&[], 1);
    for document in 0..12 {
        assert!(out.contains(&format!("  rejected  shardId-000000000000:104:0:{document}  ")), "{out}");
    }
    assert!(out.contains("\nWhat is rejected stays in the landing zone and in KINESIS_SENSORS_MICROBATCH, "), "{out}");
    let summary = "17 rows in 6 objects: 0 inserted into KINESIS_SENSORS_STREAMING, 5 already there, 12 rejected\n";
    assert!(out.ends_with(summary), "{out}");

    // And with what nobody can read.
    std::fs::write(zone.join("broken.csv"), "a,\"b\"c\n").unwrap();
    let lines = "s,1,0,0,key,2026-11-20 14:00:00.123,64.5\ns,2,0,0,key,2026-11-20 14:00:00.123,9\n";
    std::fs::write(zone.join("changed.csv"), lines).unwrap();
    let (out, error) = landing(&[], 1);
    let summary = "18 rows in 7 objects: 1 inserted into KINESIS_SENSORS_STREAMING, 5 already there, 12 rejected\n\
                   2 could not be used: run the same again when that is mended; what is there already is found by its \
                   position and stays as it is\n";
    assert!(out.ends_with(summary), "{out}");
    let zone = zone.display();
    assert!(
        error.contains(&format!(
            "error: failed to load {zone}/broken.csv: failed to read broken.csv: failed to read line 1 as CSV"
        )),
        "{error}"
    );
    assert!(error.contains(&format!("error: failed to load row 1 of {zone}/changed.csv: failed to read a row: `SENSORID` is 64.5, which is no integer\ntry: check that")), "{error}");
}

#[test]
fn what_cannot_be_replayed_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let stack = dir.path().join("stack");
    let fails = |args: &[&str]| {
        let (out, error) = said(in_dir("replay", &stack).args(args).current_dir(dir.path()), 1);
        // It is noticed before anything starts.
        assert!(!stack.exists());
        out + &error
            .lines()
            .filter(|line| line.starts_with("error: ") || line.starts_with("try: "))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let write = |path: &str, body: &str| {
        std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(dir.path().join(path), body).unwrap();
    };

    std::fs::create_dir(dir.path().join("empty")).unwrap();
    insta::assert_snapshot!(fails(&["--dead-letters", "empty"]), @"
    error: nothing under empty
    try: check the folder
    ");
    insta::assert_snapshot!(fails(&["--on-failure", "gone"]), @"
    error: failed to list gone: No such file or directory (os error 2)
    try: name a folder that can be read, or s3://bucket/prefix
    ");
    write("zone/a.jsonl", "{}");
    insta::assert_snapshot!(fails(&["--landing", "zone"]), @"
    error: nothing that landed is under zone: it has no .csv, .csv.gz or .csv.zst
    try: name the prefix or the folder that holds them
    ");
    write("letters/a.csv", "");
    insta::assert_snapshot!(fails(&["--dead-letters", "letters"]), @"
    error: no dead letters under letters: they are .jsonl objects
    try: name the prefix or the folder that holds them
    ");
    let info = r#"{"KinesisBatchInfo":{"shardId":"shardId-1","startSequenceNumber":"7","endSequenceNumber":"9","batchSize":3}}"#;
    write("queue/a.json", info);
    insta::assert_snapshot!(fails(&["--on-failure", "queue", "--dry-run"]), @"
    0 records in 0 events: 0 would be rows, 0 still poison; nothing was sent
    1 could not be used: run the same again when that is mended; what is there already is found by its position and stays as it is
    error: failed to use queue/a.json: it says which records were given up, and does not hold them: shardId-1 from 7 to 9
    try: have these read from the stream, while it keeps them: a second event source mapping that starts at their time (AT_TIMESTAMP) sends them all again; an S3 destination holds the records themselves, those of SQS and SNS do not
    ");

    write("others/a.json", "{}");
    write("others/b.json", "");
    insta::assert_snapshot!(fails(&["--on-failure", "others", "--dry-run"]), @"
    0 records in 0 events: 0 would be rows, 0 still poison; nothing was sent
    not all of it was sent: run the same again when that is mended; what is there already is found by its position and stays as it is
    error: no batch of a Kinesis stream under others: 1 object is no Kinesis batch, others/a.json for one
    try: name the prefix of the mapping's on-failure destination
    ");

    let refused = |args: &[&str]| said(in_dir("replay", &stack).args(args), 2).1;
    let both = refused(&["--landing", "zone", "--dead-letters", "letters"]);
    assert!(both.contains("the argument '--landing <PLACE>' cannot be used with '--dead-letters <PLACE>'"), "{both}");
    let with_file = refused(&["--dry-run", "event.json"]);
    assert!(
        with_file.contains("'--dry-run' cannot be used with '[EVENT]...'")
            || with_file.contains("'[EVENT]...' cannot be used with"),
        "{with_file}"
    );
    assert!(
        refused(&[]).contains("<EVENT|--dead-letters <PLACE>|--on-failure <PLACE>|--landing <PLACE>>"),
        "{}",
        refused(&[])
    );
}
