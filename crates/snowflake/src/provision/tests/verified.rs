//! An account is asked whether the service user can work with it.

use super::*;

/// What is wrong, after `spoil`.
async fn faults(spoil: impl FnOnce(&Memory)) -> Vec<String> {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    spoil(&memory);
    let checks = verify(&memory, &settings, &pipeline).await;
    assert_eq!(checks.len(), 7);
    let fault = |check: Check| match check.outcome {
        Outcome::Ok(_) => None,
        Outcome::Fault { what, remedy } => Some(format!("{}: {what}; {remedy}", check.what)),
        Outcome::Unknown(why) => Some(format!("{}? {why}", check.what)),
    };
    checks.into_iter().filter_map(fault).collect()
}

#[tokio::test]
async fn an_account_that_was_applied_is_without_fault() {
    assert_eq!(faults(|_| ()).await, [] as [&str; 0]);
}

#[tokio::test]
async fn each_fault_is_found_and_has_its_remedy() {
    let faults = [
        faults(|memory| memory.revoke("INSERT", TABLE, "LANDFALL_LOADER")).await,
        faults(|memory| memory.forget("WAREHOUSE", "LANDFALL_WH")).await,
        faults(|memory| {
            memory.answer("SHOW PARAMETERS", &["key", "value"], &[&["STATEMENT_TIMEOUT_IN_SECONDS", "39"]])
        })
        .await,
        faults(|memory| memory.refuse("LIST ", refusal("AssumeRole is not allowed"))).await,
        faults(|memory| memory.answer("MERGE", &["n"], &[&["1"]])).await,
        faults(|memory| memory.answer("SELECT SYSTEM", &["STATUS"], &[&[r#"{"executionState":"PAUSED"}"#]])).await,
        faults(|memory| memory.answer("SELECT TABLE_NAME", &[], &[])).await,
        faults(|memory| memory.answer("SELECT CURRENT_USER", &["U", "R"], &[&["ME", "PUBLIC"]])).await,
        faults(|memory| memory.refuse("SELECT ", refusal("failed to log in"))).await,
        faults(|memory| memory.refuse("SELECT CURRENT_USER", refusal("no function CURRENT_WAREHOUSE"))).await,
    ];
    insta::assert_snapshot!(faults.map(|faults| faults.join("\n")).join("\n\n"), @r#"
    rights: missing: INSERT on table LANDFALL.STAGING.KINESIS_SENSORS_STREAMING to LANDFALL_LOADER; run landfall snowflake apply, or GRANT INSERT ON TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" TO ROLE "LANDFALL_LOADER"

    rights: missing: USAGE on warehouse LANDFALL_WH to LANDFALL_LOADER; run landfall snowflake apply, or GRANT USAGE ON WAREHOUSE "LANDFALL_WH" TO ROLE "LANDFALL_LOADER"
    warehouse: there is no LANDFALL_WH, or the role may not use it; run landfall snowflake apply
    tables: No active warehouse selected in the current session.; run landfall snowflake apply
    a row: No active warehouse selected in the current session.; see the other faults: upsert does the same with each request

    warehouse: LANDFALL_WH ends a statement after 39 s, and upsert's may take 40; ALTER WAREHOUSE "LANDFALL_WH" SET STATEMENT_TIMEOUT_IN_SECONDS = 300

    stage: AssumeRole is not allowed; run landfall snowflake apply and then terraform apply, which has the role in AWS trust the integration

    a row: a MERGE of one row inserted 1 rows, and 0 was expected; see the other faults: upsert does the same with each request

    pipe: PAUSED; ALTER PIPE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE" SET PIPE_EXECUTION_PAUSED = FALSE

    tables: a staging table is not there, or the role may not see it; run landfall snowflake apply

    log-in: ME has the role PUBLIC and not LANDFALL_LOADER; set SNOWFLAKE_ROLE=LANDFALL_LOADER, or GRANT ROLE "LANDFALL_LOADER" TO USER "ME"
    rights? nobody is logged in
    warehouse? nobody is logged in
    tables? nobody is logged in
    a row? nobody is logged in
    stage? nobody is logged in
    pipe? nobody is logged in

    log-in: failed to log in; run landfall doctor, which looks closer
    rights? nobody is logged in
    warehouse? nobody is logged in
    tables? nobody is logged in
    a row? nobody is logged in
    stage? nobody is logged in
    pipe? nobody is logged in

    session: no function CURRENT_WAREHOUSE; the log-in succeeded: ask Snowflake's support why the session cannot say who it is
    "#);
}

#[tokio::test]
async fn without_names_the_sessions_own_role_and_warehouse_are_looked_at() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    let made = Settings { loader_role: "ACME_ROLE".to_owned(), warehouse: "ACME_WH".to_owned(), ..settings() };
    applied(&memory, &pipeline, &made).await;
    let unnamed = Settings { loader_role: String::new(), warehouse: String::new(), ..made };
    let session =
        |warehouse| memory.answer("SELECT CURRENT_USER", &["U", "R", "W"], &[&["ME", "ACME_ROLE", warehouse]]);

    session("ACME_WH");
    let checks = verify(&memory, &unnamed, &pipeline).await;
    session("");
    let without = verify(&memory, &unnamed, &pipeline).await;
    memory.refuse("SELECT CURRENT_USER", refusal("no"));
    let silent = verify(&memory, &unnamed, &pipeline).await;

    assert!(checks.iter().all(|check| matches!(check.outcome, Outcome::Ok(_))), "{checks:?}");
    assert_eq!(checks[0], Check::ok("log-in", "ME as ACME_ROLE"));
    assert!(without[2].is_fault() && format!("{:?}", without[2]).contains("names none"), "{without:?}");
    assert_eq!(silent[1], Check::unknown("rights", "the session does not say its role and warehouse"));
}

#[tokio::test]
async fn the_scratch_table_is_taken_away_even_when_the_merge_fails() {
    let memory = Memory::default();
    memory.refuse("MERGE", refusal("no"));

    verify(&memory, &settings(), &default_pipeline()).await;

    let changes = memory.changes();
    let (_, name) = changes[0].split_once("CREATE TEMPORARY TABLE ").unwrap();
    let name = name.split_once(" (").unwrap().0;
    assert!(name.starts_with("\"LANDFALL\".\"STAGING\".\"LANDFALL_SCRATCH_") && name.len() > 53, "{name}");
    assert_eq!(changes.last().unwrap(), &format!("DROP TABLE IF EXISTS {name}"));
}

#[tokio::test]
async fn no_two_runs_share_a_scratch_table() {
    let memory = Memory::default();

    for _ in 0..2 {
        verify(&memory, &settings(), &default_pipeline()).await;
    }

    let made: Vec<_> = memory.changes().into_iter().filter(|sql| sql.starts_with("CREATE TEMPORARY")).collect();
    assert_ne!(made[0], made[1]);
}

#[tokio::test]
async fn how_long_a_statement_may_run_is_shown_where_it_can_be_seen() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    let warehouse = async || verify(&memory, &settings, &pipeline).await[2].outcome.clone();

    let seen = warehouse().await;
    memory.refuse("SHOW PARAMETERS", refusal("Insufficient privileges"));
    let unseen = warehouse().await;

    let detail = "LANDFALL_WH, X-Small, suspends after 60 s";
    assert_eq!(seen, Outcome::Ok(format!("{detail}, ends a statement after 300 s")));
    assert_eq!(unseen, Outcome::Ok(detail.to_owned()));
}

/// What a pipe in this state comes to.
async fn pipe(status: &str) -> String {
    let faults = faults(|memory| memory.answer("SELECT SYSTEM", &["STATUS"], &[&[status]])).await;
    faults.join("\n")
}

#[tokio::test]
async fn a_pipe_is_resumed_where_that_helps_and_nowhere_else() {
    let state = async |state: &str| pipe(&format!(r#"{{"executionState":"{state}","error":"why"}}"#)).await;
    for paused in ["PAUSED", "PAUSED_BY_ACCOUNT_ADMIN", "STALLED_EXECUTION_ERROR", "STALLED_STAGE_PERMISSION_ERROR"] {
        let said = state(paused).await;
        assert!(said.contains(&format!("pipe: {paused} why; ")) && said.contains("PAUSED = FALSE"), "{said}");
    }
    for gone in
        ["STOPPED_STAGE_ALTERED", "STOPPED_STAGE_DROPPED", "STOPPED_FILE_FORMAT_DROPPED", "STOPPED_MISSING_TABLE"]
    {
        let said = state(gone).await;
        assert!(said.contains("DROP PIPE \"LANDFALL\".") && said.contains("no REFRESH"), "{said}");
        assert!(!said.contains("PAUSED = FALSE"), "{said}");
    }
    assert!(state("PAUSED_BY_SNOWFLAKE_ADMIN").await.contains("ask Snowflake's support"));
    assert!(state("READ_ONLY").await.contains("primary account"));
    // Every pipe of ours has a queue, told of anything or not.
    assert!(pipe(r#"{"executionState":"RUNNING"}"#).await.contains("has no queue to hear of objects on"));
    assert_eq!(pipe(r#"{"executionState":"RUNNING","notificationChannelName":"q"}"#).await, "");
    assert!(pipe("no JSON").await.contains("in no known state"));
}
