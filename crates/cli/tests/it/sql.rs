//! `landfall sql`.

use std::process::Stdio;

use crate::support::{dir, in_dir, json, text};

#[tokio::test]
async fn an_answer_is_a_table_or_json_or_csv_and_exact() {
    let dir = dir().await;
    let query = "select 12345678901234567890 as n, 'a,b' as s, null as nothing, '' as empty, true as yes";
    let ask = |args: &[&str]| in_dir("sql", dir.path()).arg(query).args(args).output().unwrap();

    let table = ask(&[]);
    assert_eq!(table.status.code(), Some(0), "{}", text(&table.stderr));
    insta::assert_snapshot!(text(&table.stdout), @"
    | N                    | S   | NOTHING | EMPTY | YES  |
    |----------------------|-----|---------|-------|------|
    | 12345678901234567890 | a,b | NULL    |       | true |
    ");
    insta::assert_snapshot!(text(&ask(&["--csv"]).stdout), @r#"
    N,S,NOTHING,EMPTY,YES
    12345678901234567890,"a,b",,"",true
    "#);
    let rows = json(&ask(&["--json"]));
    // serde_json reads a number of twenty digits below 2^64 exactly.
    let expected =
        serde_json::json!([{"N": 12345678901234567890u64, "S": "a,b", "NOTHING": null, "EMPTY": "", "YES": true}]);
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn csv_keeps_blanks_and_rows_of_nothing_at_its_end() {
    let dir = dir().await;
    let query =
        "select x from (select 1 as n, 'OK  ' as x union all select 2, null union all select 3, null) order by n";

    let output = in_dir("sql", dir.path()).args([query, "--csv"]).output().unwrap();

    assert_eq!(text(&output.stdout), "X\nOK  \n\n\n", "{}", text(&output.stderr));
}

#[tokio::test]
async fn two_that_ask_at_once_without_a_stack_wait_for_each_other() {
    let dir = dir().await;
    let ask = || in_dir("sql", dir.path()).args(["select 1 as n", "--csv"]).stdout(Stdio::piped()).spawn().unwrap();

    let both = [ask(), ask()];

    for child in both {
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "N\n1\n".to_owned()));
    }
}

#[tokio::test]
async fn looking_changes_no_table() {
    let dir = dir().await;
    let first = in_dir("sql", dir.path()).arg("select 1").output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let elsewhere = tempfile::tempdir().unwrap();
    let sensors = include_str!("../../../../pipeline.toml");
    let edited = sensors.replace("name = \"status\"\ncolumn = \"STATUS\"", "name = \"state\"");
    assert_ne!(edited, sensors);
    std::fs::write(elsewhere.path().join("pipeline.toml"), edited).unwrap();

    let query = "select count(status) as n from kinesis_sensors_streaming";
    let mut command = in_dir("sql", dir.path());
    let output = command.args([query, "--csv"]).current_dir(elsewhere.path()).output().unwrap();

    assert_eq!(text(&output.stdout), "N\n0\n", "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_sum_of_decimals_is_exact() {
    let dir = dir().await;
    let query = "select sum(x) as s from (select 0.10::number(12,2) as x union all select 0.20::number(12,2))";

    let output = in_dir("sql", dir.path()).args([query, "--csv"]).output().unwrap();

    assert_eq!(text(&output.stdout), "S\n0.30\n", "{}", text(&output.stderr));
}

#[tokio::test]
async fn what_snowflake_refuses_is_said_in_its_words() {
    let dir = dir().await;

    let output = in_dir("sql", dir.path()).arg("select nothing from nowhere").output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("error: failed to run the statement: ") && error.to_lowercase().contains("nowhere"),
        "{error}"
    );
    assert!(error.contains("\ntry: "), "{error}");
    assert_eq!(text(&output.stdout), "");
}

#[tokio::test]
async fn several_statements_are_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();

    let output = in_dir("sql", dir.path()).arg("select 1; select 2").output().unwrap();

    insta::assert_snapshot!(text(&output.stderr), @r#"
    error: failed to read the statement: there are 2
    try: give one at a time: landfall sql "select 1"
    "#);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_deployed_account_that_nothing_names_is_asked_for_by_its_variables() {
    let dir = tempfile::tempdir().unwrap();

    let output = crate::support::landfall(&["sql", "--deployed", "select 1"])
        .current_dir(dir.path())
        .env_clear()
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("SNOWFLAKE_ACCOUNT is not set") && error.contains("for example SNOWFLAKE_ACCOUNT="),
        "{error}"
    );
}

#[test]
fn a_deployed_account_is_only_looked_at() {
    let dir = tempfile::tempdir().unwrap();

    let output = crate::support::landfall(&["sql", "--deployed", "delete from kinesis_sensors_streaming"])
        .current_dir(dir.path())
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("error: failed to run delete: --deployed only looks\ntry: begin with one of SELECT"),
        "{error}"
    );
}
