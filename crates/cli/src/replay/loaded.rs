//! Which rows are in the tables.

use std::collections::HashSet;

use landfall_core::Position;
use landfall_core::pipeline::{N_POSITION_COLUMNS, PROVENANCE};
use landfall_local::snowpipe::NotLoaded;
use landfall_local::stack::Connection;
use landfall_snowflake::{Session, sql};

use super::landed::n;

/// Positions asked for in one statement.
const N_AT_ONCE: usize = 5000;

/// The rows that the local Snowflake holds of those that were asked for, each counted once, and what Snowpipe could not
/// load.
#[derive(Debug)]
pub(super) struct Loaded {
    n_rows: usize,
    /// Positions that the streaming table does not hold.
    pub(super) absent: Vec<Position>,
    absent_from_microbatch: Vec<Position>,
    pub(super) not_loaded: NotLoaded,
}

/// Looks once everything that has landed is loaded.
pub(super) async fn look(local: &Connection, positions: &[Position]) -> anyhow::Result<Loaded> {
    let not_loaded = local.drained().await?;
    let session = local.session()?;
    let target = &local.pipeline.snowflake;
    Ok(Loaded {
        n_rows: positions.len(),
        absent: absent(local, &session, &target.streaming_table, positions).await?,
        absent_from_microbatch: absent(local, &session, &target.microbatch_table, positions).await?,
        not_loaded,
    })
}

/// The positions that the streaming table does not hold.
pub(super) async fn absent_from_streaming(local: &Connection, positions: &[Position]) -> anyhow::Result<Vec<Position>> {
    absent(local, &local.session()?, &local.pipeline.snowflake.streaming_table, positions).await
}

impl Loaded {
    /// As it is printed.
    pub(super) fn line(&self, local: &Connection) -> String {
        let target = &local.pipeline.snowflake;
        format!(
            "  loaded    {} in {}, {} in {}",
            n(self.n_rows - self.absent.len(), "row"),
            target.streaming_table,
            n(self.n_rows - self.absent_from_microbatch.len(), "row"),
            target.microbatch_table
        )
    }

    /// What is not in a table that has to be. A row that the warehouse `refused` is a dead letter instead.
    pub(super) fn faults(&self, refused: &HashSet<Position>, local: &Connection) -> Vec<String> {
        let target = &local.pipeline.snowflake;
        let tables =
            [(&self.absent, &target.streaming_table), (&self.absent_from_microbatch, &target.microbatch_table)];
        let missing = tables.map(|(absent, table)| {
            let n_missing = absent.iter().filter(|position| !refused.contains(position)).count();
            (n_missing > 0).then(|| format!("{} not in {table}", n(n_missing, "row")))
        });
        missing.into_iter().flatten().collect()
    }
}

/// Which of the positions no row of a table has.
async fn absent(
    local: &Connection,
    session: &Session,
    table: &str,
    positions: &[Position],
) -> anyhow::Result<Vec<Position>> {
    let target = &local.pipeline.snowflake;
    let table = sql::qualified(&[&target.database, &target.schema, table]);
    let columns: Vec<_> = PROVENANCE
        .iter()
        .take(N_POSITION_COLUMNS)
        .map(|(name, ..)| format!("{}::VARCHAR", sql::quoted(name)))
        .collect();
    let position = columns.join(" || ':' || ");
    let query = format!(
        "SELECT DISTINCT {position} FROM {table} WHERE {position} IN \
         (SELECT F.VALUE::VARCHAR FROM LATERAL FLATTEN(INPUT => PARSE_JSON(?)) F)"
    );
    let mut absent = Vec::new();
    for some in positions.chunks(N_AT_ONCE) {
        let texts: Vec<_> = some.iter().map(Position::to_string).collect();
        let result = session.query(&query, &[&serde_json::to_string(&texts)?]).await?;
        let present: HashSet<String> = result.rows.into_iter().filter_map(|row| row.into_iter().next()?).collect();
        let missing = some.iter().zip(&texts).filter(|(_, text)| !present.contains(*text));
        absent.extend(missing.map(|(position, _)| position.clone()));
    }
    Ok(absent)
}
