//! The one statement of upsert: a request's rows into the streaming table, each position once.

use landfall_core::pipeline::{ARRIVED_AT, Column, DataType, N_POSITION_COLUMNS, PROVENANCE, Pipeline};

use crate::sql::{column_type, in_schema, quoted, quoted_list};

/// Why a request's columns do not fit the pipeline: a setup fault, the same on every try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The request has a column that this pipeline lacks.
    #[error("failed to merge column {column}: the pipeline of upsert does not have it")]
    Unknown {
        /// As the request names it.
        column: String,
    },
    /// The request names a column twice.
    #[error("failed to merge column {column}: the request names it twice")]
    Repeated {
        /// As the request names it.
        column: String,
    },
    /// The request lacks a column that may not be NULL.
    #[error("failed to merge without column {column}: it is required and the request does not have it")]
    Missing {
        /// As the pipeline names it.
        column: String,
    },
}

impl MergeError {
    /// What to change.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => {
                "deploy upsert first, with the same pipeline.toml as the orchestrator, and add the column to the tables"
            }
            Self::Repeated { .. } => "deploy upsert and the orchestrator from one version of Landfall",
            Self::Missing { .. } => {
                "deploy the orchestrator with the same pipeline.toml as upsert, or make the field optional until then"
            }
        }
    }
}

/// The MERGE for requests whose rows are arrays in the order of `columns`.
///
/// Three binds, all text: the rows as one JSON array of arrays, and the earliest and the latest arrival as
/// `YYYY-MM-DD HH:MM:SS.mmm`. The bounds let Snowflake leave old micro-partitions alone; a row whose arrival they
/// leave out would be inserted once more on every retry, so they are to be a little wider than the rows.
///
/// Running it again inserts nothing: a position that the table holds is not inserted, and of a position that the
/// request holds twice one row is. An optional column that `columns` lacks stays NULL.
///
/// # Errors
/// When `columns` and the pipeline do not fit: see [`MergeError`].
pub fn merge(pipeline: &Pipeline, columns: &[String]) -> Result<String, MergeError> {
    let all = pipeline.columns();
    let sent = sent(&all, columns)?;
    let names = || sent.iter().map(|(_, column)| column.name.as_str());
    let position = || PROVENANCE.iter().take(N_POSITION_COLUMNS).map(|(name, ..)| *name);

    let values = sent.iter().map(|(i, column)| format!("{} AS {}", value(*i, column), quoted(&column.name)));
    let same_position = position().map(|name| format!("AND T.{0} = S.{0}", quoted(name)));
    Ok(format!(
        "MERGE INTO {table} T\n\
         USING (\n  SELECT * FROM (\n    SELECT\n      {values}\n    FROM LATERAL FLATTEN(INPUT => PARSE_JSON(?)) F\n  ) R\n  \
         QUALIFY ROW_NUMBER() OVER (PARTITION BY {partition} ORDER BY R.{arrived_at}) = 1\n) S\n\
         ON T.{arrived_at} >= TO_TIMESTAMP_NTZ(?) AND T.{arrived_at} <= TO_TIMESTAMP_NTZ(?)\n{same_position}\n\
         WHEN NOT MATCHED THEN INSERT (\n  {inserted}\n) VALUES (\n  {selected}\n)",
        table = in_schema(pipeline, &pipeline.snowflake.streaming_table),
        values = values.collect::<Vec<_>>().join(",\n      "),
        partition = position().map(|name| format!("R.{}", quoted(name))).collect::<Vec<_>>().join(", "),
        arrived_at = quoted(ARRIVED_AT),
        same_position = same_position.collect::<Vec<_>>().join("\n"),
        inserted = quoted_list(names(), ", "),
        selected = names().map(|name| format!("S.{}", quoted(name))).collect::<Vec<_>>().join(", "),
    ))
}

/// The pipeline's columns that the request has, in the pipeline's order, each with its index in a row.
fn sent<'a>(all: &'a [Column], columns: &[String]) -> Result<Vec<(usize, &'a Column)>, MergeError> {
    for (i, name) in columns.iter().enumerate() {
        if columns[..i].contains(name) {
            return Err(MergeError::Repeated { column: name.clone() });
        }
        if !all.iter().any(|column| column.name == *name) {
            return Err(MergeError::Unknown { column: name.clone() });
        }
    }
    let mut sent = Vec::with_capacity(columns.len());
    for column in all {
        match columns.iter().position(|name| *name == column.name) {
            Some(i) => sent.push((i, column)),
            None if column.required => return Err(MergeError::Missing { column: column.name.clone() }),
            None => {}
        }
    }
    Ok(sent)
}

/// One value of a row, as its column's type.
///
/// A number goes through VARCHAR, for a VARIANT holds numbers as floats where it sees fit. A JSON null in a VARIANT
/// column would stay a JSON null, which is not NULL.
fn value(i: usize, column: &Column) -> String {
    match column.data_type {
        DataType::Variant => format!("STRIP_NULL_VALUE(F.VALUE[{i}])"),
        DataType::String => format!("F.VALUE[{i}]::VARCHAR"),
        _ => format!("F.VALUE[{i}]::VARCHAR::{}", column_type(column)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{default_pipeline, rich_pipeline};

    fn names(pipeline: &Pipeline) -> Vec<String> {
        pipeline.columns().into_iter().map(|column| column.name).collect()
    }

    #[test]
    fn the_merge_of_the_default_pipeline() {
        let pipeline = default_pipeline();
        insta::assert_snapshot!(merge(&pipeline, &names(&pipeline)).unwrap(), @r#"
        MERGE INTO "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" T
        USING (
          SELECT * FROM (
            SELECT
              F.VALUE[0]::VARCHAR AS "KINESIS_SHARD_ID",
              F.VALUE[1]::VARCHAR AS "KINESIS_SEQUENCE_NUMBER",
              F.VALUE[2]::VARCHAR::NUMBER(38,0) AS "KINESIS_SUBSEQUENCE_NUMBER",
              F.VALUE[3]::VARCHAR::NUMBER(38,0) AS "KINESIS_DOCUMENT_NUMBER",
              F.VALUE[4]::VARCHAR AS "KINESIS_PARTITION_KEY",
              F.VALUE[5]::VARCHAR::TIMESTAMP_NTZ(3) AS "KINESIS_ARRIVED_AT",
              F.VALUE[6]::VARCHAR::NUMBER(38,0) AS "SENSORID",
              F.VALUE[7]::VARCHAR::NUMBER(38,0) AS "CURRENTTEMPERATURE",
              F.VALUE[8]::VARCHAR AS "STATUS"
            FROM LATERAL FLATTEN(INPUT => PARSE_JSON(?)) F
          ) R
          QUALIFY ROW_NUMBER() OVER (PARTITION BY R."KINESIS_SHARD_ID", R."KINESIS_SEQUENCE_NUMBER", R."KINESIS_SUBSEQUENCE_NUMBER", R."KINESIS_DOCUMENT_NUMBER" ORDER BY R."KINESIS_ARRIVED_AT") = 1
        ) S
        ON T."KINESIS_ARRIVED_AT" >= TO_TIMESTAMP_NTZ(?) AND T."KINESIS_ARRIVED_AT" <= TO_TIMESTAMP_NTZ(?)
        AND T."KINESIS_SHARD_ID" = S."KINESIS_SHARD_ID"
        AND T."KINESIS_SEQUENCE_NUMBER" = S."KINESIS_SEQUENCE_NUMBER"
        AND T."KINESIS_SUBSEQUENCE_NUMBER" = S."KINESIS_SUBSEQUENCE_NUMBER"
        AND T."KINESIS_DOCUMENT_NUMBER" = S."KINESIS_DOCUMENT_NUMBER"
        WHEN NOT MATCHED THEN INSERT (
          "KINESIS_SHARD_ID", "KINESIS_SEQUENCE_NUMBER", "KINESIS_SUBSEQUENCE_NUMBER", "KINESIS_DOCUMENT_NUMBER", "KINESIS_PARTITION_KEY", "KINESIS_ARRIVED_AT", "SENSORID", "CURRENTTEMPERATURE", "STATUS"
        ) VALUES (
          S."KINESIS_SHARD_ID", S."KINESIS_SEQUENCE_NUMBER", S."KINESIS_SUBSEQUENCE_NUMBER", S."KINESIS_DOCUMENT_NUMBER", S."KINESIS_PARTITION_KEY", S."KINESIS_ARRIVED_AT", S."SENSORID", S."CURRENTTEMPERATURE", S."STATUS"
        )
        "#);
    }

    #[test]
    fn every_type_is_cast_and_an_optional_column_may_be_absent() {
        let pipeline = rich_pipeline();
        let columns: Vec<_> = names(&pipeline).into_iter().filter(|name| name != "F3").rev().collect();

        insta::assert_snapshot!(merge(&pipeline, &columns).unwrap(), @r#"
        MERGE INTO "DB"."S"."RICH_STREAMING" T
        USING (
          SELECT * FROM (
            SELECT
              F.VALUE[13]::VARCHAR AS "KINESIS_SHARD_ID",
              F.VALUE[12]::VARCHAR AS "KINESIS_SEQUENCE_NUMBER",
              F.VALUE[11]::VARCHAR::NUMBER(38,0) AS "KINESIS_SUBSEQUENCE_NUMBER",
              F.VALUE[10]::VARCHAR::NUMBER(38,0) AS "KINESIS_DOCUMENT_NUMBER",
              F.VALUE[9]::VARCHAR AS "KINESIS_PARTITION_KEY",
              F.VALUE[8]::VARCHAR::TIMESTAMP_NTZ(3) AS "KINESIS_ARRIVED_AT",
              STRIP_NULL_VALUE(F.VALUE[7]) AS "EXTRA",
              F.VALUE[6]::VARCHAR::NUMBER(38,0) AS "F0",
              F.VALUE[5]::VARCHAR::NUMBER(10,2) AS "F1",
              F.VALUE[4]::VARCHAR::FLOAT AS "F2",
              F.VALUE[3]::VARCHAR AS "F4",
              F.VALUE[2]::VARCHAR::TIMESTAMP_NTZ(9) AS "F5",
              F.VALUE[1]::VARCHAR::DATE AS "F6",
              STRIP_NULL_VALUE(F.VALUE[0]) AS "F7"
            FROM LATERAL FLATTEN(INPUT => PARSE_JSON(?)) F
          ) R
          QUALIFY ROW_NUMBER() OVER (PARTITION BY R."KINESIS_SHARD_ID", R."KINESIS_SEQUENCE_NUMBER", R."KINESIS_SUBSEQUENCE_NUMBER", R."KINESIS_DOCUMENT_NUMBER" ORDER BY R."KINESIS_ARRIVED_AT") = 1
        ) S
        ON T."KINESIS_ARRIVED_AT" >= TO_TIMESTAMP_NTZ(?) AND T."KINESIS_ARRIVED_AT" <= TO_TIMESTAMP_NTZ(?)
        AND T."KINESIS_SHARD_ID" = S."KINESIS_SHARD_ID"
        AND T."KINESIS_SEQUENCE_NUMBER" = S."KINESIS_SEQUENCE_NUMBER"
        AND T."KINESIS_SUBSEQUENCE_NUMBER" = S."KINESIS_SUBSEQUENCE_NUMBER"
        AND T."KINESIS_DOCUMENT_NUMBER" = S."KINESIS_DOCUMENT_NUMBER"
        WHEN NOT MATCHED THEN INSERT (
          "KINESIS_SHARD_ID", "KINESIS_SEQUENCE_NUMBER", "KINESIS_SUBSEQUENCE_NUMBER", "KINESIS_DOCUMENT_NUMBER", "KINESIS_PARTITION_KEY", "KINESIS_ARRIVED_AT", "EXTRA", "F0", "F1", "F2", "F4", "F5", "F6", "F7"
        ) VALUES (
          S."KINESIS_SHARD_ID", S."KINESIS_SEQUENCE_NUMBER", S."KINESIS_SUBSEQUENCE_NUMBER", S."KINESIS_DOCUMENT_NUMBER", S."KINESIS_PARTITION_KEY", S."KINESIS_ARRIVED_AT", S."EXTRA", S."F0", S."F1", S."F2", S."F4", S."F5", S."F6", S."F7"
        )
        "#);
    }

    #[track_caller]
    fn check_refused(change: impl Fn(&mut Vec<String>), expected: &str) {
        let pipeline = default_pipeline();
        let mut columns = names(&pipeline);
        change(&mut columns);
        assert_eq!(merge(&pipeline, &columns).unwrap_err().to_string(), expected);
    }

    #[test]
    fn columns_that_do_not_fit_are_a_setup_fault() {
        check_refused(
            |columns| columns.push("HUMIDITY".to_owned()),
            "failed to merge column HUMIDITY: the pipeline of upsert does not have it",
        );
        check_refused(
            |columns| columns.push("STATUS".to_owned()),
            "failed to merge column STATUS: the request names it twice",
        );
        check_refused(
            |columns| columns.retain(|name| name != "SENSORID"),
            "failed to merge without column SENSORID: it is required and the request does not have it",
        );
        check_refused(
            |columns| columns.clear(),
            "failed to merge without column KINESIS_SHARD_ID: it is required and the request does not have it",
        );
    }
}
