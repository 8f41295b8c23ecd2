//! Which rows of an event are in the tables.

use landfall_core::Batch;
use landfall_core::pipeline::{N_POSITION_COLUMNS, PROVENANCE};
use landfall_local::snowpipe::NotLoaded;
use landfall_local::stack::Connection;
use landfall_snowflake::{Session, sql};

use super::landed::{Landed, n};

/// The rows of an event that the local Snowflake holds, each counted once, and what Snowpipe could not load.
#[derive(Debug)]
pub(super) struct Loaded {
    n_streaming: usize,
    n_microbatch: usize,
    not_loaded: NotLoaded,
}

/// Looks once everything that has landed is loaded.
pub(super) async fn look(local: &Connection, batch: &Batch) -> anyhow::Result<Loaded> {
    let not_loaded = local.drained().await?;
    let session = local.session()?;
    let target = &local.pipeline.snowflake;
    let table = |name: &str| sql::qualified(&[&target.database, &target.schema, name]);
    Ok(Loaded {
        n_streaming: count(&session, &table(&target.streaming_table), batch).await?,
        n_microbatch: count(&session, &table(&target.microbatch_table), batch).await?,
        not_loaded,
    })
}

impl Loaded {
    /// As it is printed.
    pub(super) fn line(&self, local: &Connection) -> String {
        let target = &local.pipeline.snowflake;
        format!(
            "  loaded    {} in {}, {} in {}",
            n(self.n_streaming, "row"),
            target.streaming_table,
            n(self.n_microbatch, "row"),
            target.microbatch_table
        )
    }

    /// What is not in a table that has to be. A row that the warehouse refused is a dead letter instead.
    pub(super) fn faults(&self, batch: &Batch, landed: &Landed, local: &Connection) -> Vec<String> {
        let target = &local.pipeline.snowflake;
        let n_rows = batch.rows.len();
        let mut faults = Vec::new();
        if self.n_streaming + landed.n_refused() < n_rows {
            let n_missing = n_rows - self.n_streaming - landed.n_refused();
            faults.push(format!("{} not in {}", n(n_missing, "row"), target.streaming_table));
        }
        if self.n_microbatch < n_rows {
            let n_missing = n_rows - self.n_microbatch;
            faults.push(format!("{} not in {}", n(n_missing, "row"), target.microbatch_table));
        }
        let of_event = landed.keys().filter_map(|key| self.not_loaded.get_key_value(key));
        faults.extend(of_event.map(|(key, reason)| format!("Snowpipe could not load {key}: {reason}")));
        faults
    }
}

/// How many of a batch's rows a table holds, seen through their positions.
async fn count(session: &Session, table: &str, batch: &Batch) -> anyhow::Result<usize> {
    let positions: Vec<_> = batch.rows.iter().map(|row| row.position().to_string()).collect();
    let columns: Vec<_> = PROVENANCE
        .iter()
        .take(N_POSITION_COLUMNS)
        .map(|(name, ..)| format!("{}::VARCHAR", sql::quoted(name)))
        .collect();
    let position = columns.join(" || ':' || ");
    let query = format!(
        "SELECT COUNT(DISTINCT {position}) FROM {table} WHERE {position} IN \
         (SELECT F.VALUE::VARCHAR FROM LATERAL FLATTEN(INPUT => PARSE_JSON(?)) F)"
    );
    let result = session.query(&query, &[&serde_json::to_string(&positions)?]).await?;
    let cell = result.rows.first().and_then(|row| row.first()?.clone());
    Ok(cell.ok_or_else(|| anyhow::anyhow!("failed to count the rows of {table}: no answer"))?.parse()?)
}
