//! The SQL that sets a pipeline up, and the queries that look at what it did.

use landfall_core::pipeline::{ARRIVED_AT, N_POSITION_COLUMNS, PROVENANCE, Pipeline};

use crate::sql::{column_type, in_schema, literal, quoted, quoted_list};

/// What stands for the landing bucket in [`scripts`].
pub const LANDING_BUCKET: &str = "<landing-bucket>";

/// What stands for the storage integration in [`scripts`].
pub const STORAGE_INTEGRATION: &str = "<storage-integration>";

/// The file format, one option each.
///
/// Without these, Snowflake reads `\N` as NULL and `C:\temp` with a tab in it. `ERROR_ON_COLUMN_COUNT_MISMATCH=FALSE`
/// lets an object that was written before a field was added still load.
const FILE_FORMAT: [&str; 8] = [
    "TYPE = CSV",
    "NULL_IF = ()",
    "EMPTY_FIELD_AS_NULL = TRUE",
    "ESCAPE = NONE",
    "ESCAPE_UNENCLOSED_FIELD = NONE",
    "FIELD_OPTIONALLY_ENCLOSED_BY = '\"'",
    "TRIM_SPACE = FALSE",
    "ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE",
];

/// A checked-in file of infra/snowflake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `01_database.sql`: they run in the order of their names.
    pub file_name: &'static str,
    /// Comments and statements.
    pub sql: String,
}

/// Everything that the pipeline needs in Snowflake, in the order to run it in.
///
/// Each may run again at any time: nothing that holds data or a load history is ever replaced. The last one has the
/// placeholders [`LANDING_BUCKET`] and [`STORAGE_INTEGRATION`].
pub fn scripts(pipeline: &Pipeline) -> Vec<Script> {
    let script = |file_name, what: &str, statements: &[String]| Script {
        file_name,
        sql: format!(
            "-- {what}\n--\n-- May be run again at any time. Generated from pipeline.toml ({}): change that, and then\n-- \
             LANDFALL_BLESS=1 cargo test -p landfall-snowflake\n\n{};\n",
            pipeline.name,
            statements.join(";\n\n")
        ),
    };
    let Names { streaming, microbatch, .. } = Names::of(pipeline);
    vec![
        script("01_database.sql", "The database and the schema of both staging tables.", &database(pipeline)),
        script(
            "02_tables.sql",
            "The staging tables: where a row came from, then what the producer sent.\n-- A field that is added later \
             is no part of a table that exists: landfall check --deployed prints the ALTER TABLE.",
            &[
                table(pipeline, &streaming, "Rows that upsert merged in: each position once."),
                table(pipeline, &microbatch, "Rows that Snowpipe loaded from the landing zone."),
            ],
        ),
        script(
            "03_views.sql",
            "What to query: each row once, seen through its position, even where it landed in two objects.",
            &[
                view(pipeline, &pipeline.snowflake.streaming_table),
                view(pipeline, &pipeline.snowflake.microbatch_table),
            ],
        ),
        script(
            "04_landing.sql",
            "From the landing zone into the table: file format, stage and pipe.\n--\n-- Replace two placeholders \
             first:\n--   <landing-bucket>       the bucket that the orchestrator lands in\n--   <storage-integration>  a \
             storage integration that may read it, upper-case as SHOW INTEGRATIONS gives it\n--\n-- A pipe that exists \
             stays as it is: one that is replaced forgets what it has loaded, and loads it twice.",
            &landing(pipeline),
        ),
    ]
}

/// The pipe's own COPY, for some objects of one folder of the stage: `dir` is `sensor-6/2026/11/20/14`.
///
/// It is what the pipe does with a notification, so a table that is loaded with it holds what the pipe would load.
pub fn copy_into(pipeline: &Pipeline, dir: &str, files: &[&str]) -> String {
    let dir = dir.trim_matches('/');
    let separator = if dir.is_empty() { "" } else { "/" };
    let paths: Vec<_> = files.iter().map(|file| literal(&format!("{dir}{separator}{file}"))).collect();
    copy(pipeline, &format!("\nFILES = ({})", paths.join(", ")))
}

/// How many rows each way in has brought: `INGESTION_WAY` and `N_RECORDS`, streaming first.
pub fn validation_query(pipeline: &Pipeline) -> String {
    let Names { streaming, microbatch, .. } = Names::of(pipeline);
    let way = |name: &str, table: &str| {
        format!("SELECT {} AS \"INGESTION_WAY\", COUNT(*) AS \"N_RECORDS\" FROM {table}", literal(name))
    };
    format!(
        "{}\nUNION ALL\n{}\nORDER BY \"INGESTION_WAY\" DESC",
        way("streaming mode", &streaming),
        way("micro-batch mode", &microbatch)
    )
}

/// The rows of the streaming table that arrived last, latest first.
///
/// A sequence number is an integer kept as text, so the longer one is the larger one.
pub fn sample_query(pipeline: &Pipeline, limit: usize) -> String {
    let [_, (sequence_number, ..), (subsequence_number, ..), (document_number, ..), ..] = PROVENANCE;
    let [sequence_number, subsequence_number, document_number] =
        [sequence_number, subsequence_number, document_number].map(quoted);
    format!(
        "SELECT {}\nFROM {}\nORDER BY {} DESC, LENGTH({sequence_number}) DESC, {sequence_number} DESC, \
         {subsequence_number} DESC, {document_number} DESC\nLIMIT {limit}",
        column_list(pipeline, ", "),
        Names::of(pipeline).streaming,
        quoted(ARRIVED_AT),
    )
}

/// Has the pipe look for objects that it was not told of: those of the last seven days.
pub fn refresh_pipe(pipeline: &Pipeline) -> String {
    format!("ALTER PIPE {} REFRESH", Names::of(pipeline).pipe)
}

/// How long Snowflake can be asked what a pipe has loaded: 14 days, less an hour so as not to ask for too much.
///
/// Source: Snowflake SQL reference, `COPY_HISTORY`.
const LOAD_HISTORY_HOURS: u64 = 14 * 24 - 1;

/// The objects of the last hours that the pipe could not load, or not all of: name, number of errors and the first of
/// them; the latest first.
pub fn load_errors_query(pipeline: &Pipeline, hours: u64, limit: usize) -> String {
    let hours = hours.clamp(1, LOAD_HISTORY_HOURS);
    format!(
        "SELECT FILE_NAME, ERROR_COUNT, FIRST_ERROR_MESSAGE\nFROM TABLE({}.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => {}, \
         START_TIME => DATEADD(HOUR, -{hours}, CURRENT_TIMESTAMP())))\nWHERE ERROR_COUNT > 0 OR UPPER(STATUS) = 'LOAD FAILED'\n\
         ORDER BY LAST_LOAD_TIME DESC\nLIMIT {limit}",
        quoted(&pipeline.snowflake.database),
        literal(&Names::of(pipeline).microbatch),
    )
}

/// Quoted and qualified names of what the pipeline owns in Snowflake.
struct Names {
    streaming: String,
    microbatch: String,
    file_format: String,
    stage: String,
    pipe: String,
}

impl Names {
    fn of(pipeline: &Pipeline) -> Self {
        let microbatch = &pipeline.snowflake.microbatch_table;
        // Named after the table that they load, so that two pipelines in one schema do not share them.
        let beside = |suffix: &str| in_schema(pipeline, &format!("{microbatch}_{suffix}"));
        Self {
            streaming: in_schema(pipeline, &pipeline.snowflake.streaming_table),
            microbatch: in_schema(pipeline, microbatch),
            file_format: beside("FORMAT"),
            stage: beside("STAGE"),
            pipe: beside("PIPE"),
        }
    }
}

fn database(pipeline: &Pipeline) -> [String; 2] {
    let database = quoted(&pipeline.snowflake.database);
    [
        format!("CREATE DATABASE IF NOT EXISTS {database}"),
        format!("CREATE SCHEMA IF NOT EXISTS {database}.{}", quoted(&pipeline.snowflake.schema)),
    ]
}

fn table(pipeline: &Pipeline, name: &str, comment: &str) -> String {
    let columns: Vec<_> = pipeline
        .columns()
        .iter()
        .map(|column| {
            let not_null = if column.required { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", quoted(&column.name), column_type(column))
        })
        .collect();
    format!("CREATE TABLE IF NOT EXISTS {name} (\n  {}\n)\nCOMMENT = {}", columns.join(",\n  "), literal(comment))
}

/// Rows that share position and arrival are one row, so it does not matter which of them is shown.
fn view(pipeline: &Pipeline, table: &str) -> String {
    let identity = PROVENANCE.iter().take(N_POSITION_COLUMNS).map(|(name, ..)| *name).chain([ARRIVED_AT]);
    format!(
        "CREATE OR REPLACE VIEW {} COPY GRANTS AS\nSELECT\n  {}\nFROM {}\nQUALIFY ROW_NUMBER() OVER (\n  PARTITION BY {}\n  \
         ORDER BY {}\n) = 1",
        in_schema(pipeline, &format!("{table}_DEDUPLICATED")),
        column_list(pipeline, ",\n  "),
        in_schema(pipeline, table),
        quoted_list(identity, ", "),
        quoted(ARRIVED_AT),
    )
}

fn landing(pipeline: &Pipeline) -> [String; 3] {
    let Names { file_format, stage, pipe, .. } = Names::of(pipeline);
    let url = format!("s3://{LANDING_BUCKET}/{}/", pipeline.landing.prefix);
    [
        format!("CREATE FILE FORMAT IF NOT EXISTS {file_format}\n{}", FILE_FORMAT.join("\n")),
        format!(
            "CREATE STAGE IF NOT EXISTS {stage}\nURL = {}\nSTORAGE_INTEGRATION = {}",
            literal(&url),
            quoted(STORAGE_INTEGRATION)
        ),
        format!("CREATE PIPE IF NOT EXISTS {pipe}\nAUTO_INGEST = TRUE\nAS\n{}", copy(pipeline, "")),
    ]
}

/// By position: the CSV has no header. `ON_ERROR=CONTINUE`, for else one bad row keeps a whole object out.
fn copy(pipeline: &Pipeline, files: &str) -> String {
    let Names { microbatch, stage, file_format, .. } = Names::of(pipeline);
    format!(
        "COPY INTO {microbatch}\nFROM @{stage}{files}\nFILE_FORMAT = (FORMAT_NAME = {})\nON_ERROR = CONTINUE",
        literal(&file_format)
    )
}

fn column_list(pipeline: &Pipeline, separator: &str) -> String {
    quoted_list(pipeline.columns().iter().map(|column| column.name.as_str()), separator)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        ==> 01_database.sql
        -- The database and the schema of both staging tables.
        --
        -- May be run again at any time. Generated from pipeline.toml (rich): change that, and then
        -- LANDFALL_BLESS=1 cargo test -p landfall-snowflake

        CREATE DATABASE IF NOT EXISTS "DB";

        CREATE SCHEMA IF NOT EXISTS "DB"."S";
        ==> 02_tables.sql
        -- The staging tables: where a row came from, then what the producer sent.
        -- A field that is added later is no part of a table that exists: landfall check --deployed prints the ALTER TABLE.
        --
        -- May be run again at any time. Generated from pipeline.toml (rich): change that, and then
        -- LANDFALL_BLESS=1 cargo test -p landfall-snowflake

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
        ==> 03_views.sql
        -- What to query: each row once, seen through its position, even where it landed in two objects.
        --
        -- May be run again at any time. Generated from pipeline.toml (rich): change that, and then
        -- LANDFALL_BLESS=1 cargo test -p landfall-snowflake

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
        ==> 04_landing.sql
        -- From the landing zone into the table: file format, stage and pipe.
        --
        -- Replace two placeholders first:
        --   <landing-bucket>       the bucket that the orchestrator lands in
        --   <storage-integration>  a storage integration that may read it, upper-case as SHOW INTEGRATIONS gives it
        --
        -- A pipe that exists stays as it is: one that is replaced forgets what it has loaded, and loads it twice.
        --
        -- May be run again at any time. Generated from pipeline.toml (rich): change that, and then
        -- LANDFALL_BLESS=1 cargo test -p landfall-snowflake

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
        STORAGE_INTEGRATION = "<storage-integration>";

        CREATE PIPE IF NOT EXISTS "DB"."S"."RICH_MICROBATCH_PIPE"
        AUTO_INGEST = TRUE
        AS
        COPY INTO "DB"."S"."RICH_MICROBATCH"
        FROM @"DB"."S"."RICH_MICROBATCH_STAGE"
        FILE_FORMAT = (FORMAT_NAME = '"DB"."S"."RICH_MICROBATCH_FORMAT"')
        ON_ERROR = CONTINUE;
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
}
