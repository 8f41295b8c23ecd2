//! Which rows of an event are in the tables.

use landfall_core::Record;
use landfall_core::pipeline::PROVENANCE;
use landfall_local::stack::Connection;
use landfall_snowflake::{Session, sql};

/// How many rows of these records both tables of the local Snowflake hold.
pub(super) async fn line(local: &Connection, records: &[Record]) -> anyhow::Result<String> {
    let session = local.session()?;
    let target = &local.pipeline.snowflake;
    let mut counts = Vec::new();
    for table in [&target.streaming_table, &target.microbatch_table] {
        let name = sql::qualified(&[&target.database, &target.schema, table]);
        let n_rows = count(&session, &name, records).await?;
        counts.push(format!("{n_rows} row{} in {table}", if n_rows == "1" { "" } else { "s" }));
    }
    Ok(format!("  loaded    {}", counts.join(", ")))
}

/// The rows of a table that came from these records, by the place of each in its stream.
async fn count(session: &Session, table: &str, records: &[Record]) -> anyhow::Result<String> {
    let places: Vec<_> =
        records.iter().map(|record| format!("{}:{}", record.shard_id, record.sequence_number)).collect();
    let [shard_id, sequence_number] = [PROVENANCE[0].0, PROVENANCE[1].0].map(sql::quoted);
    let query = format!(
        "SELECT COUNT(*) FROM {table} WHERE {shard_id} || ':' || {sequence_number} IN \
         (SELECT F.VALUE::VARCHAR FROM LATERAL FLATTEN(INPUT => PARSE_JSON(?)) F)"
    );
    let result = session.query(&query, &[&serde_json::to_string(&places)?]).await?;
    let cell = result.rows.first().and_then(|row| row.first()).cloned().flatten();
    cell.ok_or_else(|| anyhow::anyhow!("failed to count the rows of {table}: no answer"))
}
