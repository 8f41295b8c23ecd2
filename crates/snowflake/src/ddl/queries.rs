//! The queries that look at what a pipeline did, and the pipe's own COPY.

use landfall_core::pipeline::{ARRIVED_AT, PROVENANCE, Pipeline};

use super::names::Names;
use super::objects::{column_list, copy};
use crate::sql::{literal, quoted};

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
