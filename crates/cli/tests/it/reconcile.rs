//! `landfall reconcile`.

use std::path::{Path, PathBuf};
use std::process::Output;

use landfall_core::{Position, landing};
use landfall_local::files;
use landfall_local::stack::{BUCKET, Ports, Settings, Stack};
use landfall_snowflake::Session;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{dir, in_dir, json, landfall, text};

const SENSORS: &str = include_str!("../../../../pipeline.toml");

/// `{"sensorId":999999999999999999999999999999}`: fits NUMBER(38,0), which fakesnow keeps in 64 bits.
const REFUSED: &str = r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"key","sequenceNumber":"77",
    "data":"eyJzZW5zb3JJZCI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5fQ==","approximateArrivalTimestamp":1795183200.5},
    "eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000009:77","eventName":"aws:kinesis:record",
    "invokeIdentityArn":"arn","awsRegion":"us-east-1","eventSourceARN":"arn"}]}"#;

/// A stack that other processes find, with the sample events in it and one row that the warehouse refused.
pub(crate) struct Replayed {
    pub(crate) dir: TempDir,
    pub(crate) stack: Stack,
    session: Session,
}

impl Replayed {
    pub(crate) async fn start() -> Self {
        let dir = dir().await;
        let settings = Settings {
            dir: dir.path().to_owned(),
            venv_dir: dir.path().join("venv"),
            pipeline: SENSORS.to_owned(),
            program: env!("CARGO_BIN_EXE_landfall").into(),
            args: vec!["function".to_owned()],
            concurrency: 2,
            time_scale: 1.0,
            clean: false,
            ports: Ports::default(),
            firehose: false,
        };
        let mut stack = Stack::start(settings, |_: &str| {}).await.unwrap();
        stack.announce().await.unwrap();
        let refused = dir.path().join("refused.json");
        std::fs::write(&refused, REFUSED).unwrap();
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
        let events = std::fs::read_dir(events).unwrap().map(|entry| entry.unwrap().path());
        let events = events.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let output = in_dir("replay", dir.path()).args(events).arg(refused).output().unwrap();
        let out = text(&output.stdout);
        assert!(out.contains("the warehouse refused the row"), "{out}{}", text(&output.stderr));
        let session = stack.connection().session().unwrap();
        Self { dir, stack, session }
    }

    fn reconcile(&self, args: &[&str]) -> Output {
        // As if it were no `cargo run`.
        in_dir("reconcile", self.dir.path()).args(args).env_remove("CARGO_MANIFEST_DIR").output().unwrap()
    }

    /// A command that has this stack in the place of AWS and of a Snowflake account.
    pub(crate) fn deployed(&self, args: &[&str]) -> Output {
        let endpoints = self.stack.endpoints();
        let mut command = landfall(args);
        command.current_dir(self.dir.path()).env_clear().env("HOME", self.dir.path());
        command.env("AWS_ENDPOINT_URL_S3", &endpoints.s3).env("AWS_ENDPOINT_URL_LAMBDA", &endpoints.lambda);
        let [key, secret] = [landfall_local::s3::ACCESS_KEY, landfall_local::s3::SECRET_KEY];
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_REGION", "us-east-1");
        command.env("SNOWFLAKE_ACCOUNT", "local").env("SNOWFLAKE_USER", landfall_local::snowflake::USER);
        command.env("SNOWFLAKE_PRIVATE_KEY_FILE", &endpoints.key_file).env("SNOWFLAKE_URL", &endpoints.snowflake);
        command.output().unwrap()
    }

    #[track_caller]
    fn report(&self, args: &[&str], exit_code: i32) -> Value {
        let output = self.reconcile(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(exit_code), "{}{}", text(&output.stdout), text(&output.stderr));
        let report = json(&output);
        assert_eq!(report["agrees"], json!(exit_code == 0));
        report
    }

    async fn run(&self, statement: &str) {
        self.session.query(statement, &[]).await.unwrap();
    }

    /// The files below a prefix of the bucket.
    pub(crate) fn objects(&self, prefix: &str) -> Vec<PathBuf> {
        files::below(&self.stack.bucket_dir(BUCKET).join(prefix)).unwrap()
    }
}

/// The positions in a landed object.
fn positions(path: &Path) -> Vec<String> {
    let rows = landing::read(path.to_str().unwrap(), &std::fs::read(path).unwrap()).unwrap();
    rows.iter().map(|row| Position::from_columns(row).unwrap().to_string()).collect()
}

/// `WHERE …` for the row at a position.
fn at(position: &str) -> String {
    let [shard, sequence, subsequence, document] = position.split(':').collect::<Vec<_>>().try_into().unwrap();
    format!(
        "WHERE KINESIS_SHARD_ID = '{shard}' AND KINESIS_SEQUENCE_NUMBER = '{sequence}' AND \
         KINESIS_SUBSEQUENCE_NUMBER = {subsequence} AND KINESIS_DOCUMENT_NUMBER = {document}"
    )
}

/// Documents in landing zone, streaming and micro-batch table, poison, and what the warehouse refused.
fn counts(report: &Value) -> [Option<u64>; 5] {
    let store = |name: &str| report[name]["documents"].as_u64();
    let letters = &report["dead_letters"];
    let [poison, refused] = ["poison", "refused_by_the_warehouse"].map(|kind| letters[kind].as_u64());
    [store("landing"), store("streaming"), store("microbatch"), poison, refused]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replayed_agrees_and_is_counted_by_position() {
    let all = Replayed::start().await;

    let output = all.reconcile(&[]);

    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let shown = text(&output.stdout).replace(&all.dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(shown, @"
     arrived                     at any time
     landing zone                127 documents
     KINESIS_SENSORS_STREAMING   126 documents
     KINESIS_SENSORS_MICROBATCH  126 documents
     dead letters                17 documents: 16 poison, 1 refused by the warehouse

    Every document is where it has to be: compared by position.

    To send the dead letters again, once what they say is mended:
      landfall replay --dead-letters s3://landfall-landing/deadletter/ --dir DIR
    ");
    let report = all.report(&[], 0);
    assert_eq!(counts(&report), [127, 126, 126, 16, 1].map(Some));
    assert_eq!((&report["documents"], &report["objects_read"]), (&json!(143), &json!(60)));
    assert_eq!((&report["since"], &report["until"]), (&json!(null), &json!(null)));

    // The two records of AWS's example are of 2018; the others arrived within three seconds.
    assert_eq!(counts(&all.report(&["--until", "2026-11-20"], 0)), [0, 0, 0, 2, 0].map(Some));
    assert_eq!(counts(&all.report(&["--since", "2026-11-20"], 0)), [127, 126, 126, 14, 1].map(Some));
    let cut = "2026-11-20T15:00:01+01:00";
    let (before, after) = (counts(&all.report(&["--until", cut], 0)), counts(&all.report(&["--since", cut], 0)));
    assert!(before[1] > Some(0) && after[1] > Some(0), "{before:?} {after:?}");
    let sum: Vec<_> = before.iter().zip(after).map(|(before, after)| Some(before.unwrap() + after.unwrap())).collect();
    assert_eq!(sum, counts(&report));

    // A batch that was cut elsewhere.
    let table = "KINESIS_SENSORS_MICROBATCH";
    all.run(&format!("INSERT INTO {table} SELECT * FROM {table} WHERE KINESIS_ARRIVED_AT > '2026-11-20 14:00:01'"))
        .await;
    let microbatch = &all.report(&[], 0)["microbatch"];
    assert_eq!((&microbatch["documents"], microbatch["rows"].as_u64() > Some(126)), (&json!(126), true));
    let shown = text(&all.reconcile(&[]).stdout);
    assert!(shown.contains(" rows; KINESIS_SENSORS_MICROBATCH_DEDUPLICATED has each once"), "{shown}");

    // What no place holds cannot be seen.
    std::fs::remove_file(&all.objects("deadletter/2018")[0]).unwrap();
    assert_eq!(counts(&all.report(&[], 0)), [127, 126, 126, 14, 1].map(Some));

    // Nor can what is in an object that is none of ours.
    std::fs::write(all.stack.bucket_dir(BUCKET).join("kinesiscsv/mine.csv"), "\"not ours").unwrap();
    let unreadable = &all.report(&[], 1)["unreadable"];
    let expected = "s3://landfall-landing/kinesiscsv/mine.csv: failed to read kinesiscsv/mine.csv";
    assert!(unreadable[0].as_str().unwrap().starts_with(expected), "{unreadable}");
    all.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_doubled_is_named_at_its_position() {
    let all = Replayed::start().await;
    let objects = all.objects("kinesiscsv/sensor-0");
    let not_landed = positions(&objects[0]);
    let others: Vec<_> = all.objects("kinesiscsv/sensor-1").iter().flat_map(|object| positions(object)).collect();
    let [not_streamed, doubled] = [&others[0], &others[1]];
    let not_loaded = &positions(&all.objects("kinesiscsv/sensor-2")[0])[0];
    let (streaming, microbatch) = ("KINESIS_SENSORS_STREAMING", "KINESIS_SENSORS_MICROBATCH");

    all.run(&format!("INSERT INTO {streaming} SELECT * FROM {streaming} {}", at(doubled))).await;
    assert_eq!(all.report(&[], 1)["doubled"], json!({"documents": 1, "positions": [doubled]}));

    std::fs::remove_file(&objects[0]).unwrap();
    all.run(&format!("DELETE FROM {streaming} {}", at(not_streamed))).await;
    all.run(&format!("DELETE FROM {microbatch} {}", at(not_loaded))).await;
    let letter = all.objects("deadletter/2026").into_iter().find(|path| path.display().to_string().contains("-77-"));
    std::fs::remove_file(letter.unwrap()).unwrap();

    let report = all.report(&[], 1);
    let refused = "shardId-000000000009:77:0:0";
    let sorted = |mut positions: Vec<String>| {
        positions.sort();
        json!(positions)
    };
    assert_eq!(report["landing"]["missing"]["positions"], sorted(not_landed.clone()));
    let named = |one: &str| sorted(vec![one.to_owned(), refused.to_owned()]);
    assert_eq!(report["streaming"]["missing"]["positions"], named(not_streamed));
    assert_eq!(report["microbatch"]["missing"]["positions"], named(not_loaded));
    assert_eq!(report["doubled"]["documents"], 1);
    let errors = report["load_errors"].as_array().unwrap();
    assert!(errors.len() == 1 && errors[0].as_str().unwrap().contains("-77-77-"), "{errors:?}");

    let shown = all.reconcile(&[]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = text(&shown.stdout);
    let since = |store: &str| report[store]["missing_but_landed_since"].as_str().unwrap();
    assert_eq!(report["landing"]["missing_but_landed_since"], Value::Null);
    for expected in [
        format!("\nMISSING in the landing zone: {} documents\n  {}\n", not_landed.len(), not_landed[0]),
        format!(
            "\nMISSING in {streaming}: 2 documents that landed; the first arrived at {}\n  {not_streamed}\n  {refused}\ntry: landfall replay",
            since("streaming")
        ),
        format!(
            "\nMISSING in {microbatch}: 2 documents that landed; the first arrived at {}\n  {not_loaded}\n  {refused}\ntry: ALTER PIPE ",
            since("microbatch")
        ),
        format!("\nSnowpipe could not load:\n  {}", errors[0].as_str().unwrap()),
        format!("\nDOUBLED in {streaming}: 1 document\n  {doubled}\n"),
    ] {
        assert!(shown.contains(&expected), "{expected}: {shown}");
    }
    assert!(!shown.contains("Every document"), "{shown}");

    // What it says to do mends it, but for what the warehouse refuses.
    let landed = ["--landing", "s3://landfall-landing/kinesiscsv/"];
    let replayed = in_dir("replay", all.dir.path()).args(landed).output().unwrap();
    let said = text(&replayed.stdout);
    assert_eq!(all.report(&[], 1)["streaming"]["missing"]["positions"], json!([refused]), "{said}");

    // What is left out is neither looked at nor missing.
    let without = |store: &str| all.report(&["--without", store], 1);
    assert_eq!(without("landing")["landing"], json!(null));
    assert_eq!(without("landing")["microbatch"]["missing"]["positions"], json!([not_loaded]));
    assert_eq!(without("streaming")["doubled"]["documents"], 0);
    assert_eq!(without("microbatch")["streaming"]["missing"]["documents"], 1);
    assert_eq!(
        all.report(&["--without", "streaming", "--without", "landing"], 0)["microbatch"]["missing"]["documents"],
        0
    );
    let nothing = all.reconcile(&["--without", "streaming", "--without", "landing", "--without", "microbatch"]);
    assert!(text(&nothing.stderr).contains("error: failed to compare: every place is left out"));
    // Nor is what arrived at another time.
    assert_eq!(counts(&all.report(&["--until", "2026-11-20"], 0)), [0, 0, 0, 2, 0].map(Some));
    all.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_account_is_compared_by_its_own_names() {
    let all = Replayed::start().await;
    let not_loaded = &positions(&all.objects("kinesiscsv/sensor-2")[0])[0];
    let deployed = |args: &[&str]| all.deployed(&[&["reconcile", "--deployed", "--bucket", BUCKET], args].concat());
    // Objects that were written before the window are not read, and this machine's clock may say any day.
    let window = ["--since", "2018-01-01", "--until", "2026-11-21", "--json"];

    let output = deployed(&window);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(counts(&json(&output)), [127, 126, 126, 16, 1].map(Some));

    all.run(&format!("DELETE FROM KINESIS_SENSORS_MICROBATCH {}", at(not_loaded))).await;
    let output = deployed(&window);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report = json(&output);
    assert_eq!(report["microbatch"]["missing"]["positions"], json!([not_loaded]));
    // fakesnow has no COPY_HISTORY: the comparison stands without it.
    let note = report["notes"][0].as_str().unwrap_or_default();
    assert!(note.starts_with("the errors of Snowpipe could not be asked for: "), "{report}");

    let recent = text(&deployed(&["--since", "1s"]).stderr);
    assert!(recent.contains(" may be on its way\ntry: begin earlier, or say --until"), "{recent}");
    all.stack.stop().await;
}

#[test]
fn a_bucket_and_an_account_go_together() {
    for (args, missing) in [(&["--deployed"][..], "--bucket"), (&["--bucket", "acme"], "--deployed")] {
        let output = landfall(&["reconcile"]).args(args).output().unwrap();

        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("required arguments were not provided") && error.contains(missing), "{error}");
    }
}

#[test]
fn the_help_says_what_it_cannot_see_and_what_it_costs() {
    let help = text(&landfall(&["reconcile", "--help"]).output().unwrap().stdout);

    assert!(help.contains("What no place holds it cannot see") && help.contains("Cost on an account: "), "{help}");
}
