//! `landfall replay`.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{dir, in_dir, text};

fn event(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events").join(name)
}

fn replay(dir: &Path, events: &[PathBuf]) -> Output {
    in_dir("replay", dir).args(events).output().unwrap()
}

fn n_rows(dir: &Path) -> String {
    let query = "select (select count(*) from kinesis_sensors_streaming) s, (select count(*) from kinesis_sensors_microbatch) m";
    let output = in_dir("sql", dir).args(["--csv", query]).output().unwrap();
    text(&output.stdout).lines().nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_event_is_answered_landed_and_loaded_and_comes_again_without_harm() {
    let dir = dir().await;

    for _ in 0..2 {
        let output = replay(dir.path(), &[event("kinesis-batch.json")]);

        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{out}{error}");
        assert!(out.contains("kinesis-batch.json: 100 records\n  answered  {\"batchItemFailures\":[]} in "), "{out}");
        assert!(out.contains(" objects with 100 rows under s3://landfall-landing/kinesiscsv/\n"), "{out}");
        assert!(out.contains("100 rows in KINESIS_SENSORS_STREAMING, 100 rows in KINESIS_SENSORS_MICROBATCH"), "{out}");
        assert_eq!(n_rows(dir.path()), "100,100");
    }
}

#[tokio::test]
async fn poison_is_shown_with_its_reason_and_is_no_failure() {
    let dir = dir().await;

    let output = replay(dir.path(), &[event("poison.json"), event("empty.json")]);

    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains("  poison    ") && out.contains("which is no integer"), "{out}");
    assert!(out.contains("empty.json: 0 records") && out.ends_with("\n2 events: 2 taken, 0 failed\n"), "{out}");
}

#[tokio::test]
async fn an_event_that_fails_is_named_and_the_others_go_on() {
    let dir = dir().await;
    // Start once, so that the bucket is there to be taken away.
    assert_eq!(replay(dir.path(), &[event("empty.json")]).status.code(), Some(0));
    let zone = dir.path().join("s3/landfall-landing/kinesiscsv");
    std::fs::write(zone, "a file where a folder has to be").unwrap();

    let output = replay(dir.path(), &[event("kinesis-batch.json"), event("empty.json")]);

    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{error}");
    assert!(
        out.contains("kinesis-batch.json: 100 records: failed") && out.contains("2 events: 1 taken, 1 failed"),
        "{out}"
    );
    assert!(error.contains("error: landfall-orchestrator failed: Land"), "{error}");
}

#[test]
fn a_file_that_is_no_event_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.json");
    std::fs::write(&file, "{\"sensorId\": 6}").unwrap();

    let output = replay(&dir.path().join("stack"), &[event("kinesis-batch.json"), file]);

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("mine.json: failed to read the event as a Kinesis event"), "{error}");
    assert!(error.contains("\ntry: give an event as Lambda receives it"), "{error}");
    assert!(!dir.path().join("stack").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_goes_in_parts_is_one_event() {
    let dir = tempfile::tempdir().unwrap();
    let padded = format!(r#"{{"sensorId":6,"x":"{}"}}"#, "x".repeat(landfall_core::decode::MAX_BYTES));
    let record = |number: &str| landfall_core::Record {
        shard_id: "shard".into(),
        sequence_number: landfall_core::SequenceNumber::new(number).unwrap(),
        partition_key: "key".into(),
        arrived_at: landfall_core::ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(zstd::encode_all(padded.as_bytes(), 0).unwrap().into()),
        place: None,
    };
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/sensors";
    let large = dir.path().join("large.json");
    std::fs::write(&large, landfall_core::event::render(&[record("1"), record("2")], arn)).unwrap();
    let answer = || async { axum::Json(serde_json::json!({"batchItemFailures": []})) };
    let url = crate::account::serve(axum::Router::new().fallback(answer)).await;
    let mut command = in_dir("replay", dir.path());
    command.arg(large).arg(event("empty.json")).args(["--endpoint", &url]);

    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();

    let out = text(&output.stdout);
    assert!(
        out.contains("large.json, records 1 to 1: 1 record\n") && out.contains("records 2 to 2: 1 record"),
        "{out}"
    );
    assert!(out.ends_with("\n2 events: 2 taken, 0 failed\n"), "{out}{}", text(&output.stderr));
}

#[test]
fn an_endpoint_where_nobody_answers_is_named() {
    let dir = tempfile::tempdir().unwrap();

    // Nobody listens on port 9 (discard) of this machine.
    let output = in_dir("replay", dir.path())
        .arg(event("empty.json"))
        .args(["--endpoint", "http://127.0.0.1:9"])
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("failed to invoke orchestrator at http://127.0.0.1:9: nobody answers there"), "{error}");
    assert!(error.contains("\ntry: start it: cargo lambda watch -A 127.0.0.1"), "{error}");
}

#[track_caller]
fn check_deployed(variables: &[(&str, &str)], expected: &str, remedy: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = in_dir("replay", dir.path());
    command.arg(event("empty.json")).args(["--function-name", "landfall-orchestrator"]);
    command.env_clear().env("HOME", dir.path()).env("AWS_EC2_METADATA_DISABLED", "true");

    let output = command.envs(variables.iter().copied()).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(expected) && error.contains(remedy), "{error}");
}

#[test]
fn without_a_region_or_credentials_it_says_what_to_set() {
    check_deployed(&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")], "region", "AWS_REGION=us-east-1");
    check_deployed(&[("AWS_REGION", "us-east-1")], "credentials", "AWS_PROFILE");
}
