//! What the binary says: help, results, and errors that say what to do.

use crate::support::{demo, landfall, text};

#[test]
fn help_teaches_by_examples() {
    let help = text(&landfall(&["--help"]).output().unwrap().stdout);
    assert!(help.contains("landfall demo --poison 0.01 --keep"), "{help}");
    assert!(!help.contains("function"), "{help}");
    let help = text(&landfall(&["demo", "--help"]).output().unwrap().stdout);
    for option in
        ["--records", "--seed", "--shards", "--batch-size", "--poison", "--dir", "--json", "--keep", "--append"]
    {
        assert!(help.contains(option), "{option}: {help}");
    }
}

#[test]
fn the_schema_is_the_columns_of_csv_and_tables() {
    let output = landfall(&["schema"]).output().unwrap();
    let text: Vec<_> = text(&output.stdout).lines().map(|line| line.trim_end().to_owned()).collect();
    insta::assert_snapshot!(text.join("\n"), @"
     #  column                      from                type       in Snowflake
     1  KINESIS_SHARD_ID            the Kinesis record  string     VARCHAR NOT NULL
     2  KINESIS_SEQUENCE_NUMBER     the Kinesis record  string     VARCHAR NOT NULL
     3  KINESIS_SUBSEQUENCE_NUMBER  the Kinesis record  integer    NUMBER(38,0) NOT NULL
     4  KINESIS_DOCUMENT_NUMBER     the Kinesis record  integer    NUMBER(38,0) NOT NULL
     5  KINESIS_PARTITION_KEY       the Kinesis record  string     VARCHAR
     6  KINESIS_ARRIVED_AT          the Kinesis record  timestamp  TIMESTAMP_NTZ(3) NOT NULL
     7  SENSORID                    sensorId            integer    NUMBER(38,0) NOT NULL
     8  CURRENTTEMPERATURE          currentTemperature  integer    NUMBER(38,0)
     9  STATUS                      status              string     VARCHAR

    The CSV has no header: its fields stand in this order, as do the columns of
      LANDFALL.STAGING.KINESIS_SENSORS_STREAMING
      LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH
    ");
}

#[test]
fn faults_of_a_pipeline_are_named_with_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pipeline.toml");
    let text_of_default = include_str!("../../../../pipeline.toml").replacen("\"integer\"", "\"int\"", 1);
    std::fs::write(&file, text_of_default).unwrap();

    let output = landfall(&["schema", "--pipeline"]).arg(&file).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    let file = file.display();
    let expected = format!(
        "error: failed to use {file}: failed to read the pipeline: 1 fault\n  line 9: there is no type \"int\""
    );
    assert!(error.starts_with(&expected), "{error}");
    assert!(!error.contains('\x1b'), "colour where there is no terminal: {error}");
}

#[test]
fn a_file_that_is_not_there_is_named_and_the_option_too() {
    let output = landfall(&["schema", "--pipeline", "no-such.toml"]).output().unwrap();
    insta::assert_snapshot!(text(&output.stderr), @"
    error: failed to read no-such.toml: No such file or directory (os error 2)
    try: name a pipeline.toml that can be read; landfall init writes one
    ");
}

#[test]
fn without_python_it_says_so() {
    let dir = tempfile::tempdir().unwrap();

    let output = demo(dir.path(), &["--records", "1"]).env("PATH", dir.path()).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stderr), @"
    error: failed to find python3 on PATH
    try: install Python 3.11 or later: the local Snowflake runs on it
    ");
}

#[test]
fn without_a_network_it_says_so() {
    let dir = tempfile::tempdir().unwrap();

    // Nobody listens on port 9 (discard) of this machine.
    let output = demo(dir.path(), &["--records", "1"])
        .envs([("PIP_INDEX_URL", "http://127.0.0.1:9/simple"), ("PIP_RETRIES", "0"), ("PIP_NO_CACHE_DIR", "1")])
        .env_remove("PIP_FIND_LINKS")
        .env_remove("PIP_EXTRA_INDEX_URL")
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("error: failed to install the Python packages"), "{error}");
    assert!(error.contains("\ntry: check the network"), "{error}");
}

#[test]
fn a_folder_with_files_of_ones_own_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (notes, logs) = (dir.path().join("notes.txt"), dir.path().join("logs"));
    std::fs::write(&notes, "mine").unwrap();
    std::fs::create_dir(&logs).unwrap();

    let output = demo(dir.path(), &["--records", "1"]).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("which is not Landfall's\ntry: name a new or an empty folder: --dir"), "{error}");
    assert!(logs.exists());
    assert_eq!(std::fs::read_to_string(notes).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_folder_that_cannot_be_named_in_sql_is_refused() {
    let dir = tempfile::tempdir().unwrap();

    let output = demo(&dir.path().join("it's"), &["--records", "1"]).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("the local Snowflake cannot take a path with any of '\"#?%*[]\\\ntry: use another folder"),
        "{error}"
    );
}

/// What a demo says that fails for a full disk.
#[cfg(target_os = "linux")]
#[track_caller]
fn disk_is_full(output: &std::process::Output, what: &str, place: &str) {
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&format!("error: {what}: ")) && !error.contains("panicked"), "{error}");
    let remedy = format!("\ntry: free some space on the disk of {place}, or use another folder: --dir\n");
    assert!(error.ends_with(&remedy), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_with_the_option() {
    let dir = tempfile::tempdir().unwrap();
    // A folder of a stack, with a file in it that fails each write as one on a full disk does.
    std::fs::write(dir.path().join("landfall.lock"), "").unwrap();
    let file = dir.path().join("pipeline.toml");
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();

    let output = demo(dir.path(), &["--records", "1"]).output().unwrap();

    let file = file.display().to_string();
    disk_is_full(&output, &format!("failed to prepare the folder {file}"), &file);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_for_pip_is_named_with_the_option() {
    use std::os::unix::fs::PermissionsExt as _;

    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // What pip says on a full disk, as its log ends there.
    let python = r#"#!/bin/sh
case "$3" in
  *run_module*)
    case "$4" in
      venv) mkdir -p "$6/bin"; cp "$0" "$6/bin/python";;
      pip)
        echo "Installing collected packages: duckdb, fakesnow"
        echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device" >&2
        echo >&2
        exit 1;;
    esac;;
  *) echo 3.12;;
esac
"#;
    let program = bin.path().join("python3");
    std::fs::write(&program, python).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.path().display());

    let output = demo(dir.path(), &["--records", "1"]).env("PATH", path).output().unwrap();

    let place = format!("{} and of the folder for temporary files (TMPDIR)", dir.path().join("venv").display());
    disk_is_full(&output, "failed to install the Python packages: ERROR", &place);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_fills_up_on_the_way_ends_the_demo() {
    let dir = crate::support::dir().await;
    let full = |path: std::path::PathBuf| std::os::unix::fs::symlink("/dev/full", path).unwrap();
    std::fs::write(dir.path().join("landfall.lock"), "").unwrap();
    std::fs::create_dir_all(dir.path().join("s3/landfall-landing")).unwrap();
    // No object can be written, as on a full disk, nor can any other attempt.
    full(dir.path().join("s3/landfall-landing/kinesiscsv"));
    full(dir.path().join("space"));

    let output = demo(dir.path(), &["--records", "10", "--append"]).output().unwrap();

    disk_is_full(&output, "failed to go on", &dir.path().display().to_string());
}
