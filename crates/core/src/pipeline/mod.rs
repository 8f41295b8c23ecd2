//! The pipeline: the one declaration of what a record holds and where its rows go.

mod check;
mod section;

use std::fmt;

pub use check::{Fault, PipelineError};

/// A validated pipeline.toml.
///
/// Built by [`Pipeline::from_toml`] alone, so that whoever holds one may rely on it: names are valid
/// identifiers, columns are distinct, and the partitioning field exists, is required and is a scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pipeline {
    /// Names the pipeline in `QUERY_TAG`, logs and metrics.
    pub name: String,
    /// What becomes of JSON keys that no field names.
    pub unknown_fields: UnknownFields,
    /// How several JSON documents share one record.
    pub documents: Documents,
    /// What one record may inflate to, in bytes, its user records together; more is poison.
    ///
    /// Here and not in a function's environment, because every route has to decode a record to the same rows.
    pub max_inflated_bytes: usize,
    /// The fields in column order; append-only once deployed.
    pub fields: Vec<Field>,
    /// Where objects go in S3.
    pub landing: Landing,
    /// Where rows go in Snowflake.
    pub snowflake: Snowflake,
}

/// One value of a document and the column that it fills.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name as it stands in pipeline.toml, for messages: `sensorId` or `/device/id`.
    pub name: String,
    /// The keys that lead to the value, outermost first: `["device", "id"]`.
    pub path: Vec<String>,
    /// The column of both staging tables: upper-case, so that SQL needs no quotes.
    pub column: String,
    /// What the value must be.
    pub data_type: DataType,
    /// Whether a document without the value is poison.
    pub required: bool,
}

/// What a value must be. Named after JSON and TOML, not after SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataType {
    /// A whole number of up to 38 digits, NUMBER(38,0).
    Integer,
    /// A decimal number that fits NUMBER(precision, scale) without rounding.
    Decimal {
        /// All digits, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to precision (37 at most).
        scale: u8,
    },
    /// A double-precision number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// A moment as ISO 8601 text, stored as UTC without a zone.
    Timestamp,
    /// A moment as a number since 1970, UTC, stored as `Timestamp` is.
    Epoch(EpochUnit),
    /// A calendar day, `2026-11-20`.
    Date,
    /// Any JSON.
    Variant,
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer => f.write_str("integer"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Float => f.write_str("float"),
            Self::Boolean => f.write_str("boolean"),
            Self::String => f.write_str("string"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Epoch(EpochUnit::Seconds) => f.write_str("timestamp(s)"),
            Self::Epoch(EpochUnit::Milliseconds) => f.write_str("timestamp(ms)"),
            Self::Date => f.write_str("date"),
            Self::Variant => f.write_str("variant"),
        }
    }
}

/// What the number of an epoch timestamp counts. Either may have a fraction, down to nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// `timestamp(s)`
    Seconds,
    /// `timestamp(ms)`
    Milliseconds,
}

/// What becomes of JSON keys that no field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// They are dropped.
    Ignore,
    /// The document is poison.
    Reject,
    /// They are kept, as one object, in the VARIANT column `EXTRA`.
    Keep,
}

/// [`Pipeline::max_inflated_bytes`] where pipeline.toml does not say: 64 MiB.
pub const DEFAULT_MAX_INFLATED_BYTES: usize = 64 << 20;

/// How several JSON documents share one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// Newline-separated or simply concatenated.
    Lines,
    /// As `Lines`, and a top-level array is several documents.
    Array,
}

/// Where objects go in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Landing {
    /// First part of each key, without slashes at its ends.
    pub prefix: String,
    /// Index into [`Pipeline::fields`] of the partitioning field.
    pub partition_by: usize,
    /// What stands before the value in the key: `sensor` in `sensor-6`.
    pub partition_label: String,
    /// One object for each partition of a batch, or one for the batch.
    pub layout: Layout,
    /// How objects are compressed.
    pub compression: Compression,
    /// First part of a dead letter's key.
    pub dead_letter_prefix: String,
}

/// One object for each partition of a batch, or one for the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `kinesiscsv/sensor-6/…`
    PerPartition,
    /// `kinesiscsv/batch/…`
    PerBatch,
}

/// How objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Plain CSV.
    None,
    /// `.csv.gz`
    Gzip,
    /// `.csv.zst`
    Zstd,
}

/// Where rows go in Snowflake. All four are upper-case identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snowflake {
    /// Database of both tables.
    pub database: String,
    /// Schema of both tables.
    pub schema: String,
    /// Staging table that upsert merges into.
    pub streaming_table: String,
    /// Staging table that Snowpipe loads.
    pub microbatch_table: String,
}

/// A column of the CSV and of both staging tables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Upper-case identifier.
    pub name: String,
    /// What it holds.
    pub data_type: DataType,
    /// Whether it is NOT NULL.
    pub required: bool,
}

/// The columns that say where a row came from; they stand first. The first four are its position.
pub const PROVENANCE: [(&str, DataType, bool); 6] = [
    ("KINESIS_SHARD_ID", DataType::String, true),
    ("KINESIS_SEQUENCE_NUMBER", DataType::String, true),
    ("KINESIS_SUBSEQUENCE_NUMBER", DataType::Integer, true),
    ("KINESIS_DOCUMENT_NUMBER", DataType::Integer, true),
    ("KINESIS_PARTITION_KEY", DataType::String, false),
    (ARRIVED_AT, DataType::Timestamp, true),
];

/// How many of the provenance columns make up a row's position.
pub const N_POSITION_COLUMNS: usize = 4;

/// The provenance column with the moment of arrival.
pub const ARRIVED_AT: &str = "KINESIS_ARRIVED_AT";

/// The column that keeps unknown fields.
pub const EXTRA: &str = "EXTRA";

impl Pipeline {
    /// Reads and validates a pipeline.toml.
    ///
    /// # Errors
    /// Every fault of the file at once, each with its line and what to write instead.
    pub fn from_toml(text: &str) -> Result<Self, PipelineError> {
        check::pipeline(text)
    }

    /// The columns of the CSV and of both tables, in order: provenance, then `EXTRA` when unknown fields are
    /// kept, then the fields.
    ///
    /// `EXTRA` stands before the fields because fields are appended: ALTER TABLE ADD COLUMN puts a new column
    /// last, and objects already in flight must still load by position.
    pub fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::with_capacity(PROVENANCE.len() + 1 + self.fields.len());
        for (name, data_type, required) in PROVENANCE {
            columns.push(Column { name: name.to_owned(), data_type, required });
        }
        if self.unknown_fields == UnknownFields::Keep {
            columns.push(Column { name: EXTRA.to_owned(), data_type: DataType::Variant, required: false });
        }
        for field in &self.fields {
            columns.push(Column { name: field.column.clone(), data_type: field.data_type, required: field.required });
        }
        columns
    }

    /// The partitioning field.
    pub fn partition_field(&self) -> &Field {
        &self.fields[self.landing.partition_by]
    }
}

#[cfg(test)]
mod tests;
