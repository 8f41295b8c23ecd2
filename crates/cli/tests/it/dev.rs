//! `landfall dev`.

use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use crate::support::{dir, in_dir, text};

const SENSORS: &str = include_str!("../../../../pipeline.toml");

/// A stack that stays up until this is dropped.
struct Dev {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Dev {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut child = in_dir("dev", dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// What it prints once it is ready.
    fn ready(&mut self) -> String {
        read_until(&mut self.stdout, "cargo lambda invoke")
    }

    fn interrupt(mut self) -> String {
        let status = std::process::Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Only where a test has failed; its services end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_until(from: &mut impl std::io::BufRead, expected: &str) -> String {
    let mut all = String::new();
    while !all.lines().last().unwrap_or_default().contains(expected) {
        assert_ne!(from.read_line(&mut all).unwrap(), 0, "it ended: {all}");
    }
    all
}

fn sql(dir: &Path, query: &str) -> String {
    let output = in_dir("sql", dir).args(["--csv", query]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test]
async fn replay_and_sql_use_the_stack_that_runs() {
    let dir = dir().await;
    let mut dev = Dev::start(dir.path(), &["--port", "0"]);
    let shown = dev.ready();
    for expected in
        ["S3         http://127.0.0.1:", "export AWS_ENDPOINT_URL_S3=", "SNOWFLAKE_URL=http://127.0.0.1:", "aws s3 ls"]
    {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }

    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/kinesis-batch.json");
    let output = in_dir("replay", dir.path()).arg(event).output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // It used the stack that runs, so it started none.
    assert!(!text(&output.stderr).contains("starting S3"), "{}", text(&output.stderr));
    let count = "select count(*) n from kinesis_sensors_microbatch";
    assert_eq!(sql(dir.path(), count), "N\n100\n");
    let note = dev.interrupt();
    assert!(note.contains("what landed stays in the folder"), "{note}");
    // A stack of its own now, with the rows of the other.
    assert_eq!(sql(dir.path(), count), "N\n100\n");
}

#[tokio::test]
async fn a_changed_pipeline_is_taken_up_and_one_that_cannot_be_is_refused() {
    let dir = dir().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("pipeline.toml");
    std::fs::write(&file, SENSORS).unwrap();
    let mut dev = Dev::start(dir.path(), &["--port", "0", "--pipeline", file.to_str().unwrap()]);
    dev.ready();

    let without_status = SENSORS.replace("[[fields]]\nname = \"status\"\ncolumn = \"STATUS\"\ntype = \"string\"\n", "");
    assert_ne!(without_status, SENSORS);
    std::fs::write(&file, without_status).unwrap();
    let refused = read_until(&mut dev.stderr, "the stack goes on as it was");
    assert!(refused.contains("STATUS"), "{refused}");
    assert_eq!(sql(dir.path(), "select count(status) n from kinesis_sensors_streaming"), "N\n0\n");

    let humid = SENSORS.replace("[landing]", "[[fields]]\nname = \"humidity\"\ntype = \"decimal(5,2)\"\n\n[landing]");
    std::fs::write(&file, humid).unwrap();
    read_until(&mut dev.stderr, "starting anew with it");
    dev.ready();
    assert_eq!(sql(dir.path(), "select count(humidity) n from kinesis_sensors_streaming"), "N\n0\n");
    dev.interrupt();
}

#[tokio::test]
async fn another_pipeline_than_that_of_the_running_stack_is_refused() {
    let dir = dir().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("other.toml");
    std::fs::write(&file, SENSORS.replace("name = \"sensors\"", "name = \"other\"")).unwrap();
    let mut dev = Dev::start(dir.path(), &["--port", "0"]);
    dev.ready();

    let output = in_dir("sql", dir.path()).args(["select 1", "--pipeline"]).arg(&file).output().unwrap();

    dev.interrupt();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("has another pipeline, sensors\ntry: stop that one"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let dir = dir().await;
    let (taken, first) = loop {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        // Lambda's is the second.
        if std::net::TcpListener::bind(("127.0.0.1", port - 1)).is_ok() && port < 65_000 {
            break (taken, port - 1);
        }
    };

    let output = in_dir("dev", dir.path()).args(["--port", &first.to_string()]).output().unwrap();

    let port = taken.local_addr().unwrap().port();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    let expected = format!("error: failed to start Lambda on port {port} of 127.0.0.1: Address already in use");
    assert!(error.contains(&expected), "{error}");
    assert!(error.contains("\ntry: stop the program that listens there, or choose other ports: --port 0"), "{error}");
}

#[tokio::test]
async fn a_second_stack_in_the_same_folder_is_refused() {
    let dir = dir().await;
    let mut dev = Dev::start(dir.path(), &["--port", "0"]);
    dev.ready();

    let output = in_dir("dev", dir.path()).args(["--port", "0"]).output().unwrap();

    dev.interrupt();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("another stack is running in it") && error.contains("\ntry: stop that one"), "{error}");
}

#[tokio::test]
async fn a_function_by_its_name_is_invoked_with_awss_own_settings() {
    let dir = dir().await;
    let mut dev = Dev::start(dir.path(), &["--port", "0"]);
    let shown = dev.ready();
    let exported: Vec<_> = shown.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('=')).collect();
    assert_eq!(exported.len(), 6, "{shown}");
    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/poison.json");
    let replay = |args: &[&str]| {
        let mut command = in_dir("replay", dir.path());
        command.arg(&event).args(["--function-name", "landfall-orchestrator"]).args(args);
        // Lambda and S3 of the stack in the place of AWS's.
        let output = command.envs(exported.iter().copied()).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };

    let (code, out, error) = replay(&["--bucket", "landfall-landing"]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("landed    5 objects with 6 rows") && out.contains("poison    14 dead letters"), "{out}");

    let (code, out, error) = replay(&[]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("6 rows and 14 dead letters by this pipeline; not looked for: name its bucket"), "{out}");

    let (code, out, error) = replay(&["--bucket", "nobodys"]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("not looked for: failed to list s3://nobodys/") && out.contains("NoSuchBucket"), "{out}");
    dev.interrupt();
}

#[tokio::test]
async fn an_endpoint_works_with_the_stack_that_runs() {
    let dir = dir().await;
    let mut dev = Dev::start(dir.path(), &["--port", "0"]);
    let shown = dev.ready();
    let endpoint = shown.split_once("AWS_ENDPOINT_URL_LAMBDA=").unwrap().1.lines().next().unwrap();
    let event = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(name);
    let replay = |name: &str, function: &str| {
        let mut command = in_dir("replay", dir.path());
        command.arg(event(name)).args(["--endpoint", endpoint, "--function-name", function]);
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };

    let (code, out, error) = replay("mixed-sensors.json", "landfall-orchestrator");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("19 rows in KINESIS_SENSORS_STREAMING, 19 rows in KINESIS_SENSORS_MICROBATCH"), "{out}");

    // Not an orchestrator: it cannot read an event.
    let (code, out, error) = replay("empty.json", "landfall-upsert");
    assert_eq!(code, Some(1), "{out}{error}");
    assert!(error.contains("error: landfall-upsert failed: "), "{error}");
    dev.interrupt();
}

#[tokio::test]
async fn a_stack_that_was_killed_is_not_taken_for_one_that_runs() {
    let dir = dir().await;
    let mut dev = Dev::start(dir.path(), &["--port", "0"]);
    dev.ready();
    dev.child.kill().unwrap();
    dev.child.wait().unwrap();
    assert!(dir.path().join("stack.json").exists());

    assert_eq!(sql(dir.path(), "select 1 as n"), "N\n1\n");
}

#[tokio::test]
async fn what_is_taken_and_not_loaded_is_a_fault_with_its_reason() {
    let dir = dir().await;
    let mut dev = Dev::start(dir.path(), &["--port", "0"]);
    dev.ready();
    // The pipeline knows nothing of it, so Snowpipe tries, and cannot load a row without a status.
    sql(dir.path(), "alter table kinesis_sensors_microbatch alter column status set not null");

    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/mixed-sensors.json");
    let output = in_dir("replay", dir.path()).arg(event).output().unwrap();

    let note = dev.interrupt();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{error}");
    assert!(out.contains("19 rows in KINESIS_SENSORS_STREAMING, "), "{out}");
    assert!(out.contains("FAULT     ") && out.contains(" not in KINESIS_SENSORS_MICROBATCH\n"), "{out}");
    assert!(out.contains("FAULT     Snowpipe could not load kinesiscsv/"), "{out}");
    assert!(note.contains("Snowpipe could not load kinesiscsv/"), "{note}");
}
