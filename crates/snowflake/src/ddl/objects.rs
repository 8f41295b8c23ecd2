//! What stands in an account, and the statement that makes each of it.

use std::slice::from_ref;

use landfall_core::pipeline::{ARRIVED_AT, N_POSITION_COLUMNS, PROVENANCE, Pipeline};

use super::names::{Names, Paths, Settings, quoted_path};
use crate::sql::{column_type, literal, quoted, quoted_list};

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

/// How long the warehouse lets any statement run, in seconds. Upsert's own sessions allow less.
const STATEMENT_TIMEOUT_SECONDS: u16 = 300;

/// A kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are Snowflake's own words")]
pub enum Kind {
    Role,
    Warehouse,
    User,
    Database,
    Integration,
    Schema,
    Table,
    View,
    FileFormat,
    Stage,
    Pipe,
}

impl Kind {
    /// As SQL has it: `FILE FORMAT`.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Role => "ROLE",
            Self::Warehouse => "WAREHOUSE",
            Self::User => "USER",
            Self::Database => "DATABASE",
            Self::Integration => "INTEGRATION",
            Self::Schema => "SCHEMA",
            Self::Table => "TABLE",
            Self::View => "VIEW",
            Self::FileFormat => "FILE FORMAT",
            Self::Stage => "STAGE",
            Self::Pipe => "PIPE",
        }
    }
}

/// A thing and the statement that makes it, where it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its name, unquoted, after what it stands in.
    pub path: Vec<String>,
    /// Never replaces what is there, but for a view.
    pub sql: String,
}

fn object(kind: Kind, path: &[String], create: &str, rest: &str) -> Object {
    Object { kind, path: path.to_vec(), sql: format!("{create} {}{rest}", quoted_path(path)) }
}

/// A role; `comment` says what for.
pub(super) fn role(name: &str, comment: &str) -> Object {
    object(Kind::Role, &[name.to_owned()], "CREATE ROLE IF NOT EXISTS", &format!("\nCOMMENT = {}", literal(comment)))
}

pub(super) fn warehouse(settings: &Settings) -> Object {
    let rest = format!(
        "\nWAREHOUSE_SIZE = XSMALL\nAUTO_SUSPEND = 60\nAUTO_RESUME = TRUE\nINITIALLY_SUSPENDED = TRUE\n\
         STATEMENT_TIMEOUT_IN_SECONDS = {STATEMENT_TIMEOUT_SECONDS}"
    );
    object(Kind::Warehouse, from_ref(&settings.warehouse), "CREATE WAREHOUSE IF NOT EXISTS", &rest)
}

pub(super) fn user(settings: &Settings) -> Object {
    let mut rest = format!(
        "\nTYPE = SERVICE\nDEFAULT_ROLE = {}\nDEFAULT_WAREHOUSE = {}",
        literal(&settings.loader_role),
        literal(&settings.warehouse)
    );
    if let Some(key) = &settings.public_key {
        rest.push_str(&format!("\nRSA_PUBLIC_KEY = {}", literal(key)));
    }
    object(Kind::User, from_ref(&settings.user), "CREATE USER IF NOT EXISTS", &rest)
}

pub(super) fn database(pipeline: &Pipeline) -> Object {
    object(Kind::Database, from_ref(&pipeline.snowflake.database), "CREATE DATABASE IF NOT EXISTS", "")
}

pub(super) fn schema(pipeline: &Pipeline) -> Object {
    let path = [pipeline.snowflake.database.clone(), pipeline.snowflake.schema.clone()];
    object(Kind::Schema, &path, "CREATE SCHEMA IF NOT EXISTS", "")
}

pub(super) fn integration(pipeline: &Pipeline, settings: &Settings) -> Object {
    let rest = format!(
        "\nTYPE = EXTERNAL_STAGE\nSTORAGE_PROVIDER = 'S3'\nENABLED = TRUE\nSTORAGE_AWS_ROLE_ARN = {}\n\
         STORAGE_AWS_EXTERNAL_ID = {}\nSTORAGE_ALLOWED_LOCATIONS = ({})",
        literal(&settings.storage_role_arn),
        literal(&settings.external_id),
        literal(&settings.location(pipeline)),
    );
    object(Kind::Integration, from_ref(&settings.integration), "CREATE STORAGE INTEGRATION IF NOT EXISTS", &rest)
}

pub(crate) fn table(pipeline: &Pipeline, path: &[String], comment: &str) -> Object {
    let rest = format!(" (\n  {}\n)\nCOMMENT = {}", columns(pipeline), literal(comment));
    object(Kind::Table, path, "CREATE TABLE IF NOT EXISTS", &rest)
}

/// The columns of a staging table, with their types.
pub(crate) fn columns(pipeline: &Pipeline) -> String {
    let columns = pipeline.columns();
    let columns = columns.iter().map(|column| {
        let not_null = if column.required { " NOT NULL" } else { "" };
        format!("{} {}{not_null}", quoted(&column.name), column_type(column))
    });
    columns.collect::<Vec<_>>().join(",\n  ")
}

/// Rows that share position and arrival are one row, so it does not matter which of them is shown.
pub(super) fn view(pipeline: &Pipeline, path: &[String], table: &[String]) -> Object {
    let identity = PROVENANCE.iter().take(N_POSITION_COLUMNS).map(|(name, ..)| *name).chain([ARRIVED_AT]);
    let rest = format!(
        " COPY GRANTS AS\nSELECT\n  {}\nFROM {}\nQUALIFY ROW_NUMBER() OVER (\n  PARTITION BY {}\n  ORDER BY {}\n) = 1",
        column_list(pipeline, ",\n  "),
        quoted_path(table),
        quoted_list(identity, ", "),
        quoted(ARRIVED_AT),
    );
    object(Kind::View, path, "CREATE OR REPLACE VIEW", &rest)
}

pub(super) fn file_format(paths: &Paths) -> Object {
    let rest = format!("\n{}", FILE_FORMAT.join("\n"));
    object(Kind::FileFormat, &paths.file_format, "CREATE FILE FORMAT IF NOT EXISTS", &rest)
}

pub(super) fn stage(pipeline: &Pipeline, settings: &Settings, paths: &Paths) -> Object {
    let rest = format!(
        "\nURL = {}\nSTORAGE_INTEGRATION = {}",
        literal(&settings.location(pipeline)),
        quoted(&settings.integration)
    );
    object(Kind::Stage, &paths.stage, "CREATE STAGE IF NOT EXISTS", &rest)
}

pub(super) fn pipe(pipeline: &Pipeline, paths: &Paths) -> Object {
    let rest = format!("\nAUTO_INGEST = TRUE\nAS\n{}", copy(pipeline, ""));
    object(Kind::Pipe, &paths.pipe, "CREATE PIPE IF NOT EXISTS", &rest)
}

/// By position: the CSV has no header. `ON_ERROR=CONTINUE`, for else one bad row keeps a whole object out.
pub(super) fn copy(pipeline: &Pipeline, files: &str) -> String {
    let Names { microbatch, stage, file_format, .. } = Names::of(pipeline);
    format!(
        "COPY INTO {microbatch}\nFROM @{stage}{files}\nFILE_FORMAT = (FORMAT_NAME = {})\nON_ERROR = CONTINUE",
        literal(&file_format)
    )
}

pub(super) fn column_list(pipeline: &Pipeline, separator: &str) -> String {
    quoted_list(pipeline.columns().iter().map(|column| column.name.as_str()), separator)
}
