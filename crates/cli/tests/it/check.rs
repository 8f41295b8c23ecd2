//! `landfall check`.

use std::path::{Path, PathBuf};
use std::process::Output;

use landfall_local::stack::{Ports, Settings, Stack};

use crate::support::{demo, dir, landfall, text};

const SENSORS: &str = include_str!("../../../../pipeline.toml");
const HUMIDITY: &str = "[[fields]]\nname = \"humidity\"\ntype = \"integer\"\n\n[landing]";

/// A file with the sensor pipeline, one thing of it replaced.
fn pipeline(folder: &Path, from: &str, to: &str) -> PathBuf {
    assert!(SENSORS.contains(from), "{from}");
    let file = folder.join("pipeline.toml");
    std::fs::write(&file, SENSORS.replacen(from, to, 1)).unwrap();
    file
}

fn check(file: &Path, dir: &Path) -> Output {
    landfall(&["check", "--dir"]).arg(dir).arg(file).output().unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_valid_pipeline_is_shown_with_all_that_it_makes() {
    let folder = tempfile::tempdir().unwrap();
    let file = pipeline(folder.path(), "[landing]", HUMIDITY);
    let nowhere = folder.path().join("nowhere");

    let shown = succeeded(&check(&file, &nowhere));

    assert!(shown.starts_with(&format!("{} is valid: the pipeline sensors\n", file.display())), "{shown}");
    assert!(shown.contains("10  HUMIDITY                    humidity            integer    NUMBER(38,0)"), "{shown}");
    for script in ["01_account", "02_tables", "03_views", "04_landing"] {
        assert!(shown.contains(&format!("\n-- {script}.sql\n")), "{script}: {shown}");
    }
    assert!(shown.contains("  \"HUMIDITY\" NUMBER(38,0)\n)"), "{shown}");
    let verdict = format!("Nothing of it is deployed in {} yet: all of it would be made.\n", nowhere.display());
    assert!(shown.ends_with(&verdict), "{shown}");
    assert!(!nowhere.exists(), "a check makes nothing");
}

#[test]
fn the_pipeline_of_the_current_folder_is_checked_or_else_the_one_that_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let first_line = || {
        let output = landfall(&["check"]).current_dir(folder.path()).output().unwrap();
        succeeded(&output).lines().next().unwrap().to_owned()
    };

    assert_eq!(first_line(), "There is no pipeline.toml here: this is the pipeline that is built in, sensors");
    pipeline(folder.path(), "\"sensors\"", "\"mine\"");
    assert_eq!(first_line(), "pipeline.toml is valid: the pipeline mine");
}

#[test]
fn every_fault_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = pipeline(folder.path(), "\"integer\"", "\"int\"");
    let with_two = std::fs::read_to_string(&file).unwrap().replace("\"LANDFALL\"", "\"landfall\"");
    std::fs::write(&file, with_two).unwrap();

    let output = check(&file, folder.path());

    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let error = text(&output.stderr);
    for fault in ["2 faults", "\n  line 9: there is no type \"int\"", "; write \"LANDFALL\""] {
        assert!(error.contains(fault), "{fault}: {error}");
    }
}

#[test]
fn help_has_examples() {
    let help = text(&landfall(&["check", "--help"]).output().unwrap().stdout);
    for example in ["landfall check\n", "landfall check --deployed", "Exit code: 0 when"] {
        assert!(help.contains(example), "{example}: {help}");
    }
    assert!(text(&landfall(&["--help"]).output().unwrap().stdout).contains("\n  check "));
}

#[test]
fn an_account_that_is_not_configured_says_which_variables_to_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = landfall(&["check", "--deployed"]);
    for name in ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_PRIVATE_KEY_FILE", "SNOWFLAKE_PRIVATE_KEY_SECRET"] {
        command.env_remove(name);
    }

    let output = command.current_dir(folder.path()).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("SNOWFLAKE_ACCOUNT is not set") && error.contains("SNOWFLAKE_USER is not set"), "{error}");
}

#[tokio::test]
async fn what_a_stack_left_in_its_folder_is_compared() {
    let dir = dir().await;
    let folder = tempfile::tempdir().unwrap();
    let output = demo(dir.path(), &["--records", "5"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let same = succeeded(&check(&pipeline(folder.path(), "", ""), dir.path()));
    assert!(same.ends_with(&format!("\nThe tables in {} are the same.\n", dir.path().display())), "{same}");

    // Twice: it shows what would change, and does not change it.
    for _ in 0..2 {
        let more = succeeded(&check(&pipeline(folder.path(), "[landing]", HUMIDITY), dir.path()));
        assert!(more.contains("\n  KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)\n"), "{more}");
        assert!(more.contains("_MICROBATCH\" ADD COLUMN IF NOT EXISTS \"HUMIDITY\" NUMBER(38,0);\n"), "{more}");
    }

    let refused = check(&pipeline(folder.path(), "type = \"string\"", "type = \"date\""), dir.path());
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    assert!(error.contains("\n  both tables: the column STATUS is VARCHAR and would be DATE; "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_stack_is_asked() {
    let dir = dir().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        dir: dir.path().to_owned(),
        venv_dir: dir.path().join("venv"),
        pipeline: SENSORS.to_owned(),
        program: env!("CARGO_BIN_EXE_landfall").into(),
        args: vec!["function".to_owned()],
        concurrency: 1,
        time_scale: 1.0,
        clean: true,
        ports: Ports::default(),
        firehose: false,
    };
    let mut stack = Stack::start(settings, |_| {}).await.unwrap();
    stack.announce().await.unwrap();

    let more = succeeded(&check(&pipeline(folder.path(), "[landing]", HUMIDITY), dir.path()));

    assert!(more.contains("\n  KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)\n"), "{more}");
    stack.stop().await;
}
