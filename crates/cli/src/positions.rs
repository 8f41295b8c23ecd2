//! The positions that a staging table holds.

use anyhow::Context as _;
use landfall_core::pipeline::{ARRIVED_AT, N_POSITION_COLUMNS, PROVENANCE};
use landfall_core::{ArrivedAt, Pipeline, Position};
use landfall_snowflake::{Session, sql};

use crate::window::Window;

/// A long window is read in so many parts at most: a statement has its time-out, and its result is in memory whole.
const MAX_PARTS: i64 = 24;

/// The shortest part.
const LEAST_PART_MS: i64 = 60 * 60 * 1000;

/// Reads how many rows of each position a table holds that arrived in the window. A position may be told of several times.
pub(crate) async fn of_table(
    session: &Session,
    pipeline: &Pipeline,
    table: &str,
    window: Window,
    mut tell: impl FnMut(Position, u64),
) -> anyhow::Result<()> {
    let table = sql::qualified(&[&pipeline.snowflake.database, &pipeline.snowflake.schema, table]);
    for part in parts(window) {
        let (query, binds) = query(&table, part);
        let binds: Vec<&str> = binds.iter().map(String::as_str).collect();
        for row in session.query(&query, &binds).await?.rows {
            let position =
                Position::from_columns(&row).with_context(|| format!("a row of {table} has no position: {row:?}"))?;
            let n_rows = row.get(N_POSITION_COLUMNS).and_then(|cell| cell.as_deref()?.parse().ok());
            tell(position, n_rows.with_context(|| format!("failed to count the rows of {table}"))?);
        }
    }
    Ok(())
}

fn query(table: &str, window: Window) -> (String, Vec<String>) {
    let columns: Vec<_> = PROVENANCE.iter().take(N_POSITION_COLUMNS).map(|(name, ..)| sql::quoted(name)).collect();
    let (columns, arrived_at) = (columns.join(", "), sql::quoted(ARRIVED_AT));
    let bounds = [(">=", window.since), ("<", window.until)];
    let bounds: Vec<_> = bounds.into_iter().filter_map(|(is, bound)| Some((is, bound?.to_string()))).collect();
    let conditions: Vec<_> = bounds.iter().map(|(is, _)| format!("{arrived_at} {is} TO_TIMESTAMP_NTZ(?)")).collect();
    let condition = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let query = format!("SELECT {columns}, COUNT(*) FROM {table}{condition} GROUP BY {columns}");
    (query, bounds.into_iter().map(|(_, bound)| bound).collect())
}

/// A window in parts of equal length, without gap or overlap; one with an open end is a part by itself.
fn parts(window: Window) -> Vec<Window> {
    let (Some(since), Some(until)) = (window.since, window.until) else { return vec![window] };
    let (first, end) = (since.as_millis(), until.as_millis());
    let step = ((end - first).max(0) / MAX_PARTS + 1).max(LEAST_PART_MS);
    let mut parts = Vec::new();
    let mut start = since;
    while let Some(next) = ArrivedAt::from_millis(start.as_millis() + step).filter(|next| *next < until) {
        parts.push(Window { since: Some(start), until: Some(next) });
        start = next;
    }
    parts.push(Window { since: Some(start), until: Some(until) });
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ArrivedAt {
        ArrivedAt::from_text(text).unwrap()
    }

    #[test]
    fn what_arrived_in_the_window_is_asked_for() {
        let (since, until) = (at("2026-11-20 14:00:00"), at("2026-11-20 15:00:00"));
        let (all, binds) = query("T", Window { since: None, until: None });
        let columns = ["SHARD_ID", "SEQUENCE_NUMBER", "SUBSEQUENCE_NUMBER", "DOCUMENT_NUMBER"];
        let columns = columns.map(|name| format!("\"KINESIS_{name}\"")).join(", ");
        assert_eq!(all, format!("SELECT {columns}, COUNT(*) FROM T GROUP BY {columns}"));
        assert!(binds.is_empty());
        let (some, binds) = query("T", Window { since: Some(since), until: Some(until) });
        let condition =
            "\"KINESIS_ARRIVED_AT\" >= TO_TIMESTAMP_NTZ(?) AND \"KINESIS_ARRIVED_AT\" < TO_TIMESTAMP_NTZ(?)";
        assert_eq!(some, format!("SELECT {columns}, COUNT(*) FROM T WHERE {condition} GROUP BY {columns}"));
        assert_eq!(binds, ["2026-11-20 14:00:00.000", "2026-11-20 15:00:00.000"]);
        let (earlier, binds) = query("T", Window { since: None, until: Some(until) });
        assert!(earlier.contains("FROM T WHERE \"KINESIS_ARRIVED_AT\" < TO_TIMESTAMP_NTZ(?) GROUP"), "{earlier}");
        assert_eq!(binds, ["2026-11-20 15:00:00.000"]);
    }

    #[track_caller]
    fn check(since: &str, until: &str, n_parts: usize) {
        let window = Window { since: Some(at(since)), until: Some(at(until)) };
        let parts = parts(window);
        assert_eq!(parts.len(), n_parts, "{parts:?}");
        assert_eq!((parts[0].since, parts[n_parts - 1].until), (window.since, window.until));
        assert!(parts.windows(2).all(|pair| pair[0].until == pair[1].since), "{parts:?}");
        assert!(parts.iter().all(|part| part.since < part.until), "{parts:?}");
    }

    #[test]
    fn a_long_window_is_read_in_parts_without_gap_or_overlap() {
        check("2026-11-20 14:00:00", "2026-11-20 14:00:00.001", 1);
        check("2026-11-20 14:00:00", "2026-11-20 15:00:00", 1);
        check("2026-11-20 14:00:00", "2026-11-20 15:00:00.001", 2);
        check("2026-11-20 14:00:00", "2026-11-21 14:00:00", 24);
        check("2026-01-01 00:00:00", "2026-12-31 00:00:00", 24);
        check("0001-01-01 00:00:00", "9999-12-31 23:59:59.999", 24);
        let open = Window { since: None, until: Some(at("2026-11-20 14:00:00")) };
        assert_eq!(parts(open), [open]);
    }
}
