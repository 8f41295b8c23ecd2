//! What the SQL of a pipeline is.

use proptest::prelude::*;

use super::*;
use crate::lex::{Piece, pieces};
use crate::local::statements;
use crate::merge::merge;
use crate::testing::{default_pipeline, rich_pipeline};

fn all(pipeline: &Pipeline) -> String {
    let scripts = scripts(pipeline);
    scripts.iter().map(|script| format!("==> {}\n{}", script.file_name, script.sql)).collect()
}

#[test]
fn what_the_pipe_did_not_load_can_be_asked_for() {
    let pipeline = default_pipeline();
    insta::assert_snapshot!(refresh_pipe(&pipeline), @r#"ALTER PIPE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_PIPE" REFRESH"#);
    insta::assert_snapshot!(load_errors_query(&pipeline, 24, 100), @r#"
    SELECT FILE_NAME, ERROR_COUNT, FIRST_ERROR_MESSAGE
    FROM TABLE("LANDFALL".INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => '"LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH"', START_TIME => DATEADD(HOUR, -24, CURRENT_TIMESTAMP())))
    WHERE ERROR_COUNT > 0 OR UPPER(STATUS) = 'LOAD FAILED'
    ORDER BY LAST_LOAD_TIME DESC
    LIMIT 100
    "#);
    for (hours, asked) in [(0, 1), (335, 335), (336, 335), (u64::MAX, 335)] {
        assert!(load_errors_query(&pipeline, hours, 1).contains(&format!("DATEADD(HOUR, -{asked}, ")));
    }
}

#[test]
fn the_scripts_of_a_pipeline_with_every_type() {
    insta::assert_snapshot!(all(&rich_pipeline()), @r#"
    ==> 01_account.sql
    -- What an administrator makes: roles, warehouse, the service user, the database and the way to the bucket.
    --
    -- Placeholders, each an option of landfall snowflake ddl and an output of Terraform's:
    --   <landing-bucket>    the bucket that the orchestrator lands in
    --   <storage-role-arn>  the role that Snowflake reads it with
    --   <external-id>       the external id in that role's trust policy
    --   <public-key>        the service user's public key: landfall snowflake keygen
    --
    -- An integration that exists stays as it is: one that is replaced gets another identity, which the role in
    -- AWS does not trust.
    --
    -- May be run again at any time. Generated from pipeline.toml (rich): landfall snowflake ddl prints it,
    -- landfall snowflake apply runs what of it is missing.

    USE ROLE "ACCOUNTADMIN";

    CREATE ROLE IF NOT EXISTS "LANDFALL_OWNER"
    COMMENT = 'Owns the tables, views, stage and pipe of Landfall.';

    CREATE ROLE IF NOT EXISTS "LANDFALL_LOADER"
    COMMENT = 'Reads and adds rows of Landfall, and changes nothing else.';

    GRANT ROLE "LANDFALL_OWNER" TO ROLE "SYSADMIN";

    GRANT ROLE "LANDFALL_LOADER" TO ROLE "SYSADMIN";

    CREATE WAREHOUSE IF NOT EXISTS "LANDFALL_WH"
    WAREHOUSE_SIZE = XSMALL
    AUTO_SUSPEND = 60
    AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE
    STATEMENT_TIMEOUT_IN_SECONDS = 300;

    CREATE USER IF NOT EXISTS "LANDFALL_LOADER"
    TYPE = SERVICE
    DEFAULT_ROLE = 'LANDFALL_LOADER'
    DEFAULT_WAREHOUSE = 'LANDFALL_WH'
    RSA_PUBLIC_KEY = '<public-key>';

    GRANT ROLE "LANDFALL_LOADER" TO USER "LANDFALL_LOADER";

    CREATE DATABASE IF NOT EXISTS "DB";

    CREATE STORAGE INTEGRATION IF NOT EXISTS "LANDFALL_INTEGRATION"
    TYPE = EXTERNAL_STAGE
    STORAGE_PROVIDER = 'S3'
    ENABLED = TRUE
    STORAGE_AWS_ROLE_ARN = '<storage-role-arn>'
    STORAGE_AWS_EXTERNAL_ID = '<external-id>'
    STORAGE_ALLOWED_LOCATIONS = ('s3://<landing-bucket>/rich/csv/');

    GRANT USAGE ON WAREHOUSE "LANDFALL_WH" TO ROLE "LANDFALL_OWNER";

    GRANT USAGE ON WAREHOUSE "LANDFALL_WH" TO ROLE "LANDFALL_LOADER";

    GRANT USAGE ON DATABASE "DB" TO ROLE "LANDFALL_OWNER";

    GRANT CREATE SCHEMA ON DATABASE "DB" TO ROLE "LANDFALL_OWNER";

    GRANT USAGE ON DATABASE "DB" TO ROLE "LANDFALL_LOADER";

    GRANT USAGE ON INTEGRATION "LANDFALL_INTEGRATION" TO ROLE "LANDFALL_OWNER";
    ==> 02_tables.sql
    -- The staging tables: where a row came from, then what the producer sent.
    -- A field that is added later is no part of a table that exists: landfall snowflake apply adds it.
    --
    -- May be run again at any time. Generated from pipeline.toml (rich): landfall snowflake ddl prints it,
    -- landfall snowflake apply runs what of it is missing.

    USE ROLE "LANDFALL_OWNER";

    CREATE SCHEMA IF NOT EXISTS "DB"."S";

    CREATE TABLE IF NOT EXISTS "DB"."S"."RICH_STREAMING" (
      "KINESIS_SHARD_ID" VARCHAR NOT NULL,
      "KINESIS_SEQUENCE_NUMBER" VARCHAR NOT NULL,
      "KINESIS_SUBSEQUENCE_NUMBER" NUMBER(38,0) NOT NULL,
      "KINESIS_DOCUMENT_NUMBER" NUMBER(38,0) NOT NULL,
      "KINESIS_PARTITION_KEY" VARCHAR,
      "KINESIS_ARRIVED_AT" TIMESTAMP_NTZ(3) NOT NULL,
      "EXTRA" VARIANT,
      "F0" NUMBER(38,0) NOT NULL,
      "F1" NUMBER(10,2),
      "F2" FLOAT,
      "F3" BOOLEAN,
      "F4" VARCHAR,
      "F5" TIMESTAMP_NTZ(9),
      "F6" DATE,
      "F7" VARIANT
    )
    COMMENT = 'Rows that upsert merged in: each position once.';

    CREATE TABLE IF NOT EXISTS "DB"."S"."RICH_MICROBATCH" (
      "KINESIS_SHARD_ID" VARCHAR NOT NULL,
      "KINESIS_SEQUENCE_NUMBER" VARCHAR NOT NULL,
      "KINESIS_SUBSEQUENCE_NUMBER" NUMBER(38,0) NOT NULL,
      "KINESIS_DOCUMENT_NUMBER" NUMBER(38,0) NOT NULL,
      "KINESIS_PARTITION_KEY" VARCHAR,
      "KINESIS_ARRIVED_AT" TIMESTAMP_NTZ(3) NOT NULL,
      "EXTRA" VARIANT,
      "F0" NUMBER(38,0) NOT NULL,
      "F1" NUMBER(10,2),
      "F2" FLOAT,
      "F3" BOOLEAN,
      "F4" VARCHAR,
      "F5" TIMESTAMP_NTZ(9),
      "F6" DATE,
      "F7" VARIANT
    )
    COMMENT = 'Rows that Snowpipe loaded from the landing zone.';

    GRANT USAGE ON SCHEMA "DB"."S" TO ROLE "LANDFALL_LOADER";

    GRANT SELECT ON TABLE "DB"."S"."RICH_STREAMING" TO ROLE "LANDFALL_LOADER";

    GRANT INSERT ON TABLE "DB"."S"."RICH_STREAMING" TO ROLE "LANDFALL_LOADER";

    GRANT SELECT ON TABLE "DB"."S"."RICH_MICROBATCH" TO ROLE "LANDFALL_LOADER";
    ==> 03_views.sql
    -- What to query: each row once, seen through its position, even where it landed in two objects.
    --
    -- May be run again at any time. Generated from pipeline.toml (rich): landfall snowflake ddl prints it,
    -- landfall snowflake apply runs what of it is missing.

    USE ROLE "LANDFALL_OWNER";

    CREATE OR REPLACE VIEW "DB"."S"."RICH_STREAMING_DEDUPLICATED" COPY GRANTS AS
    SELECT
      "KINESIS_SHARD_ID",
      "KINESIS_SEQUENCE_NUMBER",
      "KINESIS_SUBSEQUENCE_NUMBER",
      "KINESIS_DOCUMENT_NUMBER",
      "KINESIS_PARTITION_KEY",
      "KINESIS_ARRIVED_AT",
      "EXTRA",
      "F0",
      "F1",
      "F2",
      "F3",
      "F4",
      "F5",
      "F6",
      "F7"
    FROM "DB"."S"."RICH_STREAMING"
    QUALIFY ROW_NUMBER() OVER (
      PARTITION BY "KINESIS_SHARD_ID", "KINESIS_SEQUENCE_NUMBER", "KINESIS_SUBSEQUENCE_NUMBER", "KINESIS_DOCUMENT_NUMBER", "KINESIS_ARRIVED_AT"
      ORDER BY "KINESIS_ARRIVED_AT"
    ) = 1;

    CREATE OR REPLACE VIEW "DB"."S"."RICH_MICROBATCH_DEDUPLICATED" COPY GRANTS AS
    SELECT
      "KINESIS_SHARD_ID",
      "KINESIS_SEQUENCE_NUMBER",
      "KINESIS_SUBSEQUENCE_NUMBER",
      "KINESIS_DOCUMENT_NUMBER",
      "KINESIS_PARTITION_KEY",
      "KINESIS_ARRIVED_AT",
      "EXTRA",
      "F0",
      "F1",
      "F2",
      "F3",
      "F4",
      "F5",
      "F6",
      "F7"
    FROM "DB"."S"."RICH_MICROBATCH"
    QUALIFY ROW_NUMBER() OVER (
      PARTITION BY "KINESIS_SHARD_ID", "KINESIS_SEQUENCE_NUMBER", "KINESIS_SUBSEQUENCE_NUMBER", "KINESIS_DOCUMENT_NUMBER", "KINESIS_ARRIVED_AT"
      ORDER BY "KINESIS_ARRIVED_AT"
    ) = 1;

    GRANT SELECT ON VIEW "DB"."S"."RICH_STREAMING_DEDUPLICATED" TO ROLE "LANDFALL_LOADER";

    GRANT SELECT ON VIEW "DB"."S"."RICH_MICROBATCH_DEDUPLICATED" TO ROLE "LANDFALL_LOADER";
    ==> 04_landing.sql
    -- From the landing zone into the table: file format, stage and pipe.
    --
    -- A pipe that exists stays as it is: one that is replaced forgets what it has loaded, and loads it twice.
    --
    -- May be run again at any time. Generated from pipeline.toml (rich): landfall snowflake ddl prints it,
    -- landfall snowflake apply runs what of it is missing.

    USE ROLE "LANDFALL_OWNER";

    CREATE FILE FORMAT IF NOT EXISTS "DB"."S"."RICH_MICROBATCH_FORMAT"
    TYPE = CSV
    NULL_IF = ()
    EMPTY_FIELD_AS_NULL = TRUE
    ESCAPE = NONE
    ESCAPE_UNENCLOSED_FIELD = NONE
    FIELD_OPTIONALLY_ENCLOSED_BY = '"'
    TRIM_SPACE = FALSE
    ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE;

    CREATE STAGE IF NOT EXISTS "DB"."S"."RICH_MICROBATCH_STAGE"
    URL = 's3://<landing-bucket>/rich/csv/'
    STORAGE_INTEGRATION = "LANDFALL_INTEGRATION";

    GRANT USAGE ON STAGE "DB"."S"."RICH_MICROBATCH_STAGE" TO ROLE "LANDFALL_LOADER";

    CREATE PIPE IF NOT EXISTS "DB"."S"."RICH_MICROBATCH_PIPE"
    AUTO_INGEST = TRUE
    AS
    COPY INTO "DB"."S"."RICH_MICROBATCH"
    FROM @"DB"."S"."RICH_MICROBATCH_STAGE"
    FILE_FORMAT = (FORMAT_NAME = '"DB"."S"."RICH_MICROBATCH_FORMAT"')
    ON_ERROR = CONTINUE;

    GRANT MONITOR ON PIPE "DB"."S"."RICH_MICROBATCH_PIPE" TO ROLE "LANDFALL_LOADER";
    "#);
}

#[test]
fn nothing_that_holds_data_or_a_load_history_is_replaced() {
    for replaced in all(&default_pipeline()).split("OR REPLACE").skip(1) {
        assert!(replaced.starts_with(" VIEW "), "{replaced}");
    }
}

#[test]
fn the_local_copy_is_the_pipes_own_narrowed_to_files() {
    let pipeline = default_pipeline();
    let copy = copy_into(&pipeline, "sensor-a%2Fb/2026/11/20/14/", &["x.csv", "it's.csv"]);

    insta::assert_snapshot!(copy, @r#"
    COPY INTO "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH"
    FROM @"LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_STAGE"
    FILES = ('sensor-a%2Fb/2026/11/20/14/x.csv', 'sensor-a%2Fb/2026/11/20/14/it''s.csv')
    FILE_FORMAT = (FORMAT_NAME = '"LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_FORMAT"')
    ON_ERROR = CONTINUE
    "#);
    let pipe = all(&pipeline);
    let without_files: Vec<_> = copy.lines().filter(|line| !line.starts_with("FILES")).collect();
    assert!(pipe.contains(&without_files.join("\n")));
}

#[test]
fn the_queries_of_the_default_pipeline() {
    let pipeline = default_pipeline();
    insta::assert_snapshot!(validation_query(&pipeline), @r#"
    SELECT 'streaming mode' AS "INGESTION_WAY", COUNT(*) AS "N_RECORDS" FROM "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING"
    UNION ALL
    SELECT 'micro-batch mode' AS "INGESTION_WAY", COUNT(*) AS "N_RECORDS" FROM "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH"
    ORDER BY "INGESTION_WAY" DESC
    "#);
    insta::assert_snapshot!(sample_query(&pipeline, 10), @r#"
    SELECT "KINESIS_SHARD_ID", "KINESIS_SEQUENCE_NUMBER", "KINESIS_SUBSEQUENCE_NUMBER", "KINESIS_DOCUMENT_NUMBER", "KINESIS_PARTITION_KEY", "KINESIS_ARRIVED_AT", "SENSORID", "CURRENTTEMPERATURE", "STATUS"
    FROM "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING"
    ORDER BY "KINESIS_ARRIVED_AT" DESC, LENGTH("KINESIS_SEQUENCE_NUMBER") DESC, "KINESIS_SEQUENCE_NUMBER" DESC, "KINESIS_SUBSEQUENCE_NUMBER" DESC, "KINESIS_DOCUMENT_NUMBER" DESC
    LIMIT 10
    "#);
}

/// SQL with every name and every text in it as one mark, and these names and texts.
fn shape(sql: &str) -> (String, Vec<String>) {
    let (mut shape, mut quoted) = (String::new(), Vec::new());
    for piece in pieces(sql) {
        match piece {
            Piece::Quoted(text) if text.starts_with('"') => {
                shape.push('N');
                quoted.push(text[1..text.len() - 1].replace("\"\"", "\""));
            }
            Piece::Quoted(_) => shape.push('L'),
            piece => shape.push_str(piece.text()),
        }
    }
    (shape, quoted)
}

/// All that is ever said about a pipeline's own names.
fn everything(pipeline: &Pipeline, settings: &Settings) -> Vec<String> {
    let columns: Vec<_> = pipeline.columns().iter().map(|column| column.name.clone()).collect();
    let mut all: Vec<_> = sections(pipeline, settings).iter().flat_map(|s| s.steps.iter().map(Step::sql)).collect();
    all.extend([By::Administrator.use_role(settings), By::Owner.use_role(settings)]);
    all.extend([merge(pipeline, &columns).unwrap(), validation_query(pipeline), sample_query(pipeline, 1)]);
    all.extend([refresh_pipe(pipeline), load_errors_query(pipeline, 1, 1), copy_into(pipeline, "a", &["b"])]);
    all.push(crate::schema_change::deployed_query(pipeline));
    all
}

/// What a name could be, were it not validated: quotes, ends of statements, comments, escapes.
fn name() -> impl Strategy<Value = String> {
    r#"(?s)(["'\\;$]|--|/\*|\*/|\$\$|[A-Z_]|.){1,12}"#
}

proptest! {
    /// Beyond what validation lets through: no name at all becomes more than one identifier.
    #[test]
    fn no_name_changes_what_a_statement_does(
        names in proptest::array::uniform4(name()),
        column in name(),
        account in proptest::array::uniform9(name()),
    ) {
        let mut pipeline = default_pipeline();
        // Any administrator but the usual ones is given the owner's role.
        let plain_settings = Settings { administrator_role: "DEPLOYER".to_owned(), ..Settings::default() };
        let plain = pipeline.clone();
        let [database, schema, streaming, microbatch] = names;
        pipeline.fields[1].column = column.clone();
        pipeline.snowflake.database = database.clone();
        pipeline.snowflake.schema = schema;
        pipeline.snowflake.streaming_table = streaming;
        pipeline.snowflake.microbatch_table = microbatch;
        let [administrator_role, owner_role, loader_role, user, warehouse, integration, landing_bucket, arn, external_id] = account;
        let settings = Settings {
            administrator_role, owner_role, loader_role, user, warehouse: warehouse.clone(), integration, landing_bucket,
            storage_role_arn: arn, external_id, public_key: Some(column.clone()),
        };

        let (hostile, plain) = (everything(&pipeline, &settings), everything(&plain, &plain_settings));

        for (hostile, plain) in hostile.iter().zip(&plain) {
            prop_assert_eq!(shape(hostile).0, shape(plain).0);
            prop_assert_eq!(statements(hostile), [hostile.trim()]);
        }
        let names: Vec<_> = hostile.iter().flat_map(|sql| shape(sql).1).collect();
        for name in [&database, &column, &warehouse] {
            prop_assert!(names.contains(name), "{name}");
        }
    }

    /// A script is its statements, each by itself, whatever its names are.
    #[test]
    fn a_pipeline_that_is_valid_splits_to_what_was_meant(names in proptest::array::uniform5("[A-Z_$][A-Z0-9_$]{0,20}|(?s).{0,8}")) {
        let mut toml = include_str!("../../../../pipeline.toml").to_owned();
        for (from, to) in ["LANDFALL", "STAGING", "KINESIS_SENSORS_STREAMING", "KINESIS_SENSORS_MICROBATCH", "STATUS"].iter().zip(&names) {
            toml = toml.replace(&format!("\"{from}\""), &serde_json::Value::from(to.as_str()).to_string());
        }
        let Ok(pipeline) = Pipeline::from_toml(&toml) else { return Ok(()) };

        let settings = Settings::default();
        for (script, section) in scripts(&pipeline).iter().zip(sections(&pipeline, &settings)) {
            let meant = [section.by.use_role(&settings)].into_iter().chain(section.steps.iter().map(Step::sql));
            prop_assert_eq!(statements(&script.sql), meant.collect::<Vec<_>>());
        }
        for name in &names {
            let quoted = crate::sql::quoted(name);
            prop_assert_eq!(pieces(&quoted), [Piece::Quoted(&quoted)]);
        }
    }
}
