//! An account is brought to a pipeline.

use super::*;
use crate::testing::{PUBLIC_KEY, default_pipeline};
use landfall_core::Pipeline;

mod keys;
mod refused;
mod verified;

const TABLE: &str = "LANDFALL.STAGING.KINESIS_SENSORS_STREAMING";
const PIPE: &str = "LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_PIPE";

fn settings() -> Settings {
    Settings {
        landing_bucket: "acme-landing".to_owned(),
        storage_role_arn: "arn:aws:iam::123456789012:role/landfall-snowflake-storage".to_owned(),
        external_id: "landfall-0123456789abcdef".to_owned(),
        public_key: Some(PUBLIC_KEY.to_owned()),
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

/// What AWS does not let in, in Snowflake's words.
fn untrusted() -> AccountError {
    refusal("Error assuming AWS_ROLE: User: arn:aws:iam::1:user/x is not authorized to perform: sts:AssumeRole")
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
async fn a_pipe_that_has_to_wait_is_an_answer_and_made_the_next_time() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    memory.refuse("CREATE PIPE", untrusted());
    let plan = planned(&memory, &pipeline, &settings).await.unwrap();

    let late = apply(&memory, &settings, &plan, |_| {}).await.unwrap();

    assert_eq!(late, Some(untrusted()));
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

#[tokio::test]
async fn a_pipe_that_is_refused_for_anything_else_is_an_error() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    memory.refuse("CREATE PIPE", refusal("SQL access control error: Insufficient privileges"));
    let plan = planned(&memory, &pipeline, &settings).await.unwrap();

    let error = apply(&memory, &settings, &plan, |_| {}).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        format!("failed to make pipe {PIPE}: SQL access control error: Insufficient privileges")
    );
    // What asks after it asks as the administrator.
    assert_eq!(memory.statements().last().unwrap(), "USE ROLE \"ACCOUNTADMIN\"");
}

#[tokio::test]
async fn a_denied_bucket_is_a_wait_too() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    let denied = "Failure using stage area. Cause: [Access Denied (Status Code: 403; Error Code: AccessDenied)]";
    memory.refuse("CREATE PIPE", refusal(denied));
    let plan = planned(&memory, &pipeline, &settings).await.unwrap();

    assert_eq!(apply(&memory, &settings, &plan, |_| {}).await.unwrap(), Some(refusal(denied)));
}

#[tokio::test]
async fn an_apply_that_failed_half_way_goes_on_where_it_was() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    let all = planned(&memory, &pipeline, &settings).await.unwrap().steps;
    for failing in &all {
        let memory = Memory::default();
        memory.refuse(&failing.statement, refusal("no"));
        let mut first = Vec::new();
        let plan = planned(&memory, &pipeline, &settings).await.unwrap();
        apply(&memory, &settings, &plan, |step| first.push(step.to_string())).await.unwrap_err();
        memory.relent();

        let second = applied(&memory, &pipeline, &settings).await;

        let expected: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!([first, second].concat(), expected);
        assert_eq!(applied(&memory, &pipeline, &settings).await, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn what_is_looked_at_takes_no_warehouse_so_that_one_that_is_gone_is_made_again() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    memory.forget("WAREHOUSE", "LANDFALL_WH");

    let made = applied(&memory, &pipeline, &settings).await;

    assert_eq!(
        made,
        [
            "+ warehouse LANDFALL_WH",
            "+ USAGE on warehouse LANDFALL_WH to LANDFALL_OWNER",
            "+ USAGE on warehouse LANDFALL_WH to LANDFALL_LOADER",
        ]
    );
    let queries =
        memory.statements().into_iter().filter(|sql| sql.starts_with("SELECT") || sql.contains("USE WAREHOUSE"));
    assert_eq!(queries.collect::<Vec<_>>(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_role_is_taken_on_when_it_is_another_and_a_token_of_one_role_is_told() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    let plan = planned(&memory, &pipeline, &settings).await.unwrap();
    memory.refuse("USE ROLE", refusal("Requested role 'LANDFALL_OWNER' is not assigned to the executing user"));

    let error = apply(&memory, &settings, &plan, |_| {}).await.unwrap_err();

    assert!(error.what.starts_with("failed to USE ROLE \"LANDFALL_OWNER\": Requested role"), "{error}");
    assert!(error.remedy.unwrap().contains("without ROLE_RESTRICTION"));
    memory.relent();
    applied(&memory, &pipeline, &settings).await;
    let roles = memory.statements().into_iter().filter(|sql| sql.starts_with("USE ROLE"));
    assert_eq!(
        roles.collect::<Vec<_>>(),
        ["LANDFALL_OWNER", "LANDFALL_OWNER", "ACCOUNTADMIN"].map(|role| format!("USE ROLE \"{role}\""))
    );
}

#[tokio::test]
async fn an_administrator_with_a_role_of_its_own_is_given_the_owners() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    let deployer = Settings { administrator_role: "DEPLOYER".to_owned(), ..settings() };

    let made = applied(&memory, &pipeline, &deployer).await;

    assert_eq!(made[2], "+ role LANDFALL_OWNER to role DEPLOYER");
    assert_eq!(made[3], "+ role LANDFALL_OWNER to role SYSADMIN");
    assert_eq!(applied(&memory, &pipeline, &deployer).await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_user_who_is_called_like_a_role_has_not_what_the_role_has() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    // LANDFALL_LOADER is a role and a user; what is given to a user called SYSADMIN is not given to the role.
    let (columns, user) = (["granted_to", "grantee_name"], ["USER", "SYSADMIN"]);
    memory.answer("SHOW GRANTS OF ROLE \"LANDFALL_LOADER\"", &columns, &[&["ROLE", "LANDFALL_LOADER"], &user]);

    let made: Vec<_> =
        planned(&memory, &pipeline, &settings).await.unwrap().steps.iter().map(ToString::to_string).collect();

    assert_eq!(made, ["+ role LANDFALL_LOADER to role SYSADMIN", "+ role LANDFALL_LOADER to user LANDFALL_LOADER"]);
}

#[tokio::test]
async fn a_view_that_cannot_be_described_is_made_anew() {
    let (memory, pipeline, settings) = (Memory::default(), default_pipeline(), settings());
    applied(&memory, &pipeline, &settings).await;
    memory.refuse("DESC VIEW", refusal("Failure during expansion of view"));

    let made = applied(&memory, &pipeline, &settings).await;

    assert_eq!(
        made,
        [format!("+ view {TABLE}_DEDUPLICATED"), format!("+ view {}_DEDUPLICATED", PIPE.trim_end_matches("_PIPE"))]
    );
}
