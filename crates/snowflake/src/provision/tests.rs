//! An account is brought to a pipeline, and asked whether it is.

use super::*;
use crate::key::KeyPair;
use crate::testing::default_pipeline;
use landfall_core::Pipeline;

const TABLE: &str = "LANDFALL.STAGING.KINESIS_SENSORS_STREAMING";
const PIPE: &str = "LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_PIPE";

fn settings() -> Settings {
    Settings {
        landing_bucket: "acme-landing".to_owned(),
        storage_role_arn: "arn:aws:iam::123456789012:role/landfall-snowflake-storage".to_owned(),
        external_id: "landfall-0123456789abcdef".to_owned(),
        public_key: Some("TUlJQklqQU4=".to_owned()),
        ..Settings::default()
    }
}

async fn planned(memory: &Memory, pipeline: &Pipeline, settings: &Settings) -> Result<Plan, Refused> {
    plan(pipeline, settings, &Found::read(memory, settings, pipeline).await.unwrap())
}

/// Applies what is planned, and answers with the steps.
async fn applied(memory: &Memory, pipeline: &Pipeline, settings: &Settings) -> Vec<String> {
    let plan = planned(memory, pipeline, settings).await.unwrap();
    let mut made = Vec::new();
    let late = apply(memory, settings, &plan, |step| made.push(step.to_string())).await.unwrap();
    assert_eq!(late, None);
    made
}

fn refusal(what: &str) -> AccountError {
    AccountError { what: what.to_owned(), code: Some("003001".to_owned()), remedy: None }
}

/// A sensor pipeline that is another in one place.
fn changed(from: &str, to: &str) -> Pipeline {
    let toml = include_str!("../../../../pipeline.toml");
    assert!(toml.contains(from));
    Pipeline::from_toml(&toml.replacen(from, to, 1)).unwrap()
}

const HUMIDITY: &str = "[[fields]]\nname = \"humidity\"\ntype = \"integer\"\n\n[landing]";

#[tokio::test]
async fn an_empty_account_gets_everything_in_order() {
    let memory = Memory::default();

    let made = applied(&memory, &default_pipeline(), &settings()).await;

    insta::assert_snapshot!(made.join("\n"), @"
    + role LANDFALL_OWNER
    + role LANDFALL_LOADER
    + role LANDFALL_OWNER to role SYSADMIN
    + role LANDFALL_LOADER to role SYSADMIN
    + warehouse LANDFALL_WH
    + user LANDFALL_LOADER
    + role LANDFALL_LOADER to user LANDFALL_LOADER
    + database LANDFALL
    + integration LANDFALL_INTEGRATION
    + USAGE on warehouse LANDFALL_WH to LANDFALL_OWNER
    + USAGE on warehouse LANDFALL_WH to LANDFALL_LOADER
    + USAGE on database LANDFALL to LANDFALL_OWNER
    + CREATE SCHEMA on database LANDFALL to LANDFALL_OWNER
    + USAGE on database LANDFALL to LANDFALL_LOADER
    + USAGE on integration LANDFALL_INTEGRATION to LANDFALL_OWNER
    + schema LANDFALL.STAGING
    + table LANDFALL.STAGING.KINESIS_SENSORS_STREAMING
    + table LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH
    + USAGE on schema LANDFALL.STAGING to LANDFALL_LOADER
    + SELECT on table LANDFALL.STAGING.KINESIS_SENSORS_STREAMING to LANDFALL_LOADER
    + INSERT on table LANDFALL.STAGING.KINESIS_SENSORS_STREAMING to LANDFALL_LOADER
    + SELECT on table LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH to LANDFALL_LOADER
    + view LANDFALL.STAGING.KINESIS_SENSORS_STREAMING_DEDUPLICATED
    + view LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_DEDUPLICATED
    + SELECT on view LANDFALL.STAGING.KINESIS_SENSORS_STREAMING_DEDUPLICATED to LANDFALL_LOADER
    + SELECT on view LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_DEDUPLICATED to LANDFALL_LOADER
    + file format LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_FORMAT
    + stage LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_STAGE
    + USAGE on stage LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_STAGE to LANDFALL_LOADER
    + pipe LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_PIPE
    + MONITOR on pipe LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_PIPE to LANDFALL_LOADER
    ");
}

#[tokio::test]
async fn what_is_run_is_what_ddl_prints() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());

    applied(&memory, &pipeline, &settings).await;

    let scripts = crate::ddl::scripts_with(&pipeline, &settings);
    let printed = scripts.iter().flat_map(|script| crate::local::statements(&script.sql));
    let printed: Vec<_> = printed.filter(|sql| !sql.starts_with("USE ")).collect();
    assert_eq!(memory.changes(), printed);
}

#[tokio::test]
async fn a_second_apply_changes_nothing() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    let before = memory.changes();

    assert_eq!(applied(&memory, &pipeline, &settings).await, [] as [&str; 0]);

    assert_eq!(memory.changes(), before);
}

#[tokio::test]
async fn what_is_missing_is_made_and_nothing_else() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    memory.revoke("INSERT", TABLE, "LANDFALL_LOADER");
    memory.forget("PIPE", PIPE);

    let made = applied(&memory, &pipeline, &settings).await;

    assert_eq!(
        made,
        [
            format!("+ INSERT on table {TABLE} to LANDFALL_LOADER"),
            format!("+ pipe {PIPE}"),
            format!("+ MONITOR on pipe {PIPE} to LANDFALL_LOADER"),
        ]
    );
}

#[tokio::test]
async fn a_new_field_is_a_column_of_both_tables_and_then_of_the_views() {
    let (memory, settings) = (Memory::default(), settings());
    applied(&memory, &default_pipeline(), &settings).await;

    let made = applied(&memory, &changed("[landing]", HUMIDITY), &settings).await;

    insta::assert_snapshot!(made.join("\n"), @"
    + column: KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)
    + column: KINESIS_SENSORS_MICROBATCH: + HUMIDITY NUMBER(38,0)
    + view LANDFALL.STAGING.KINESIS_SENSORS_STREAMING_DEDUPLICATED
    + view LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_DEDUPLICATED
    ");
    assert_eq!(applied(&memory, &changed("[landing]", HUMIDITY), &settings).await, [] as [&str; 0]);
}

#[tokio::test]
async fn nothing_is_ever_replaced_but_a_view() {
    let (memory, settings) = (Memory::default(), settings());
    applied(&memory, &default_pipeline(), &settings).await;
    applied(&memory, &changed("[landing]", HUMIDITY), &settings).await;

    for sql in memory.changes() {
        assert!(!sql.contains("OR REPLACE") || sql.starts_with("CREATE OR REPLACE VIEW"), "{sql}");
        assert!(!sql.contains("DROP") && !sql.contains("RENAME"), "{sql}");
    }
}

#[tokio::test]
async fn what_would_lose_data_is_refused_with_the_sql_to_run_by_hand() {
    let (memory, settings) = (Memory::default(), settings());
    applied(&memory, &default_pipeline(), &settings).await;
    let before = memory.changes();

    let refused = planned(&memory, &changed("type = \"string\"", "type = \"boolean\""), &settings).await.unwrap_err();

    insta::assert_snapshot!(refused, @r#"
    failed to plan: 1 change is refused, and nothing has been changed

      KINESIS_SENSORS_STREAMING and KINESIS_SENSORS_MICROBATCH: the column STATUS is VARCHAR and would be BOOLEAN; give the field its type back, or start anew: other tables in [snowflake] and another prefix in [landing]
      By hand:
        -- The rows stay under another name; apply makes an empty table after that.
        ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" RENAME TO "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING_OLD";
        -- What the pipe has not loaded yet was written for the old columns: empty the prefix first.
        DROP PIPE IF EXISTS "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE";
        ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH" RENAME TO "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_OLD";
    "#);
    assert_eq!(memory.changes(), before);
}

#[tokio::test]
async fn an_integration_and_a_stage_that_lead_elsewhere_are_refused() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    applied(&memory, &pipeline, &settings()).await;
    let other = Settings { landing_bucket: "other".to_owned(), external_id: "other-id".to_owned(), ..settings() };

    let refused = planned(&memory, &pipeline, &other).await.unwrap_err();

    insta::assert_snapshot!(refused, @r#"
    failed to plan: 2 changes are refused, and nothing has been changed

      the integration LANDFALL_INTEGRATION gives the external id landfall-0123456789abcdef and not other-id, may read s3://acme-landing/kinesiscsv/ and not s3://other/kinesiscsv/; other stages may live by that, so name another (--integration) or change it
      By hand:
        ALTER STORAGE INTEGRATION "LANDFALL_INTEGRATION" SET STORAGE_AWS_EXTERNAL_ID = 'other-id';
        ALTER STORAGE INTEGRATION "LANDFALL_INTEGRATION" SET STORAGE_ALLOWED_LOCATIONS = ('s3://acme-landing/kinesiscsv/', 's3://other/kinesiscsv/');

      the stage LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_STAGE is s3://acme-landing/kinesiscsv/ and not s3://other/kinesiscsv/: a pipe forgets what it has loaded when its stage goes elsewhere, and loads what is still there twice
      By hand:
        -- Once SYSTEM$PIPE_STATUS says that nothing is pending, and the old prefix is empty:
        ALTER PIPE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE" SET PIPE_EXECUTION_PAUSED = TRUE;
        ALTER STAGE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_STAGE" SET URL = 's3://other/kinesiscsv/';
        DROP PIPE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE";
        -- and then landfall snowflake apply again
    "#);
}

#[tokio::test]
async fn a_new_key_goes_beside_the_one_in_use_and_a_third_is_refused() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    let keys: Vec<_> = (0..3).map(|_| KeyPair::generate().unwrap().public_key).collect();
    let with = |key: usize| Settings { public_key: Some(keys[key].base64.clone()), ..settings() };
    applied(&memory, &pipeline, &Settings { public_key: None, ..settings() }).await;

    let first = applied(&memory, &pipeline, &with(0)).await;
    let second = applied(&memory, &pipeline, &with(1)).await;
    let refused = planned(&memory, &pipeline, &with(2)).await.unwrap_err();

    assert_eq!(first, [format!("+ RSA_PUBLIC_KEY {} of user LANDFALL_LOADER", keys[0].fingerprint)]);
    assert_eq!(second, [format!("+ RSA_PUBLIC_KEY_2 {} of user LANDFALL_LOADER", keys[1].fingerprint)]);
    assert_eq!(applied(&memory, &pipeline, &with(0)).await, [] as [&str; 0]);
    assert!(refused.to_string().contains("ALTER USER \"LANDFALL_LOADER\" UNSET RSA_PUBLIC_KEY;"), "{refused}");
}

#[tokio::test]
async fn a_pipe_that_has_to_wait_is_an_answer_and_made_the_next_time() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    memory.refuse("CREATE PIPE", refusal("the role is not trusted"));
    let plan = planned(&memory, &pipeline, &settings).await.unwrap();

    let late = apply(&memory, &settings, &plan, |_| {}).await.unwrap();

    assert_eq!(late, Some(refusal("the role is not trusted")));
    let known = handshake(&memory, &settings, &pipeline).await.unwrap();
    assert_eq!((known.iam_user_arn.as_deref(), known.notification_channel), (Some(IAM_USER_ARN), None));
    memory.relent();
    assert_eq!(applied(&memory, &pipeline, &settings).await[0], format!("+ pipe {PIPE}"));
    let known = handshake(&memory, &settings, &pipeline).await.unwrap();
    assert_eq!(known.notification_channel.as_deref(), Some(NOTIFICATION_CHANNEL));
}

#[tokio::test]
async fn a_statement_that_is_refused_stops_and_is_named() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    memory.refuse("CREATE DATABASE", refusal("Insufficient privileges"));
    let plan = planned(&memory, &pipeline, &settings).await.unwrap();

    let error = apply(&memory, &settings, &plan, |_| {}).await.unwrap_err();

    assert_eq!(error.to_string(), "failed to make database LANDFALL: Insufficient privileges");
    assert!(memory.changes().last().unwrap().starts_with("CREATE DATABASE"));
}

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
        faults(|memory| memory.refuse("LIST ", refusal("AssumeRole is not allowed"))).await,
        faults(|memory| memory.answer("MERGE", &["n"], &[&["1"]])).await,
        faults(|memory| memory.answer("SELECT SYSTEM", &["STATUS"], &[&[r#"{"executionState":"PAUSED"}"#]])).await,
        faults(|memory| memory.answer("SELECT TABLE_NAME", &[], &[])).await,
        faults(|memory| memory.answer("SELECT CURRENT_USER", &["U", "R"], &[&["ME", "PUBLIC"]])).await,
        faults(|memory| memory.refuse("SELECT CURRENT_USER", refusal("failed to log in"))).await,
    ];
    insta::assert_snapshot!(faults.map(|faults| faults.join("\n")).join("\n\n"), @r#"
    rights: missing: INSERT on table LANDFALL.STAGING.KINESIS_SENSORS_STREAMING to LANDFALL_LOADER; run landfall snowflake apply, or GRANT INSERT ON TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" TO ROLE "LANDFALL_LOADER"

    rights: missing: USAGE on warehouse LANDFALL_WH to LANDFALL_LOADER; run landfall snowflake apply, or GRANT USAGE ON WAREHOUSE "LANDFALL_WH" TO ROLE "LANDFALL_LOADER"
    warehouse: there is no LANDFALL_WH, or the role may not use it; run landfall snowflake apply

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
    "#);
}

#[tokio::test]
async fn the_scratch_table_is_taken_away_even_when_the_merge_fails() {
    let memory = Memory::default();
    memory.refuse("MERGE", refusal("no"));

    verify(&memory, &settings(), &default_pipeline()).await;

    let changes = memory.changes();
    assert!(changes[0].starts_with("CREATE TEMPORARY TABLE \"LANDFALL\".\"STAGING\".\"LANDFALL_SCRATCH\""));
    assert_eq!(changes.last().unwrap(), "DROP TABLE IF EXISTS \"LANDFALL\".\"STAGING\".\"LANDFALL_SCRATCH\"");
}
