//! The positions that a staging table holds.

use std::collections::BTreeSet;

use anyhow::Context as _;
use landfall_core::pipeline::{ARRIVED_AT, N_POSITION_COLUMNS, PROVENANCE};
use landfall_core::{ArrivedAt, Pipeline, Position};
use landfall_snowflake::{Session, SessionError, sql};

use crate::window::Window;

/// The span of arrivals that one statement asks for: it has its time-out, and its result is in memory whole.
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Reads how many rows of each position a table holds that arrived in the window. A position may be told of several times.
pub(crate) async fn of_table(
    session: &Session,
    pipeline: &Pipeline,
    table: &str,
    window: Window,
    mut tell: impl FnMut(Position, u64),
) -> anyhow::Result<()> {
    let table = sql::qualified(&[&pipeline.snowflake.database, &pipeline.snowflake.schema, table]);
    let mut hours = BTreeSet::new();
    for row in ask(session, hours_query(&table, window)).await? {
        let arrived_at = row.first().and_then(|cell| ArrivedAt::from_text(cell.as_deref()?));
        let arrived_at = arrived_at.with_context(|| format!("a row of {table} has no arrival: {row:?}"))?;
        hours.insert(arrived_at.as_millis().div_euclid(HOUR_MS));
    }
    for part in hours.into_iter().filter_map(|hour| part(window, hour)) {
        for row in ask(session, query(&table, part)).await? {
            let position =
                Position::from_columns(&row).with_context(|| format!("a row of {table} has no position: {row:?}"))?;
            let n_rows = row.get(N_POSITION_COLUMNS).and_then(|cell| cell.as_deref()?.parse().ok());
            tell(position, n_rows.with_context(|| format!("failed to count the rows of {table}"))?);
        }
    }
    Ok(())
}

async fn ask(
    session: &Session,
    (query, binds): (String, Vec<String>),
) -> Result<Vec<Vec<Option<String>>>, SessionError> {
    let binds: Vec<&str> = binds.iter().map(String::as_str).collect();
    Ok(session.query(&query, &binds).await?.rows)
}

/// Asks for one arrival of each hour of the window that has any.
fn hours_query(table: &str, window: Window) -> (String, Vec<String>) {
    let arrived_at = sql::quoted(ARRIVED_AT);
    let (condition, binds) = condition(window);
    (format!("SELECT MIN({arrived_at}) FROM {table}{condition} GROUP BY DATE_TRUNC('HOUR', {arrived_at})"), binds)
}

fn query(table: &str, window: Window) -> (String, Vec<String>) {
    let columns: Vec<_> = PROVENANCE.iter().take(N_POSITION_COLUMNS).map(|(name, ..)| sql::quoted(name)).collect();
    let columns = columns.join(", ");
    let (condition, binds) = condition(window);
    (format!("SELECT {columns}, COUNT(*) FROM {table}{condition} GROUP BY {columns}"), binds)
}

/// ` WHERE …`, and its binds.
fn condition(window: Window) -> (String, Vec<String>) {
    let arrived_at = sql::quoted(ARRIVED_AT);
    let bounds = [(">=", window.since), ("<", window.until)];
    let bounds: Vec<_> = bounds.into_iter().filter_map(|(is, bound)| Some((is, bound?.to_string()))).collect();
    let conditions: Vec<_> = bounds.iter().map(|(is, _)| format!("{arrived_at} {is} TO_TIMESTAMP_NTZ(?)")).collect();
    let condition = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    (condition, bounds.into_iter().map(|(_, bound)| bound).collect())
}

/// What of a window lies in an hour, counted from 1970; `None` where that is nothing.
fn part(window: Window, hour: i64) -> Option<Window> {
    let begin = ArrivedAt::from_millis(hour.checked_mul(HOUR_MS)?);
    // The last hour of all has no end, and the first no beginning.
    let end = ArrivedAt::from_millis((hour + 1).checked_mul(HOUR_MS)?);
    let since = [begin, window.since].into_iter().flatten().max();
    let until = [end, window.until].into_iter().flatten().min();
    let is_empty = matches!((since, until), (Some(since), Some(until)) if since >= until);
    (!is_empty).then_some(Window { since, until })
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

    #[test]
    fn the_hours_that_have_arrivals_are_asked_for_first() {
        let (query, binds) = hours_query("T", Window { since: Some(at("2026-11-20 14:30:00")), until: None });
        let arrived_at = "\"KINESIS_ARRIVED_AT\"";
        let condition = format!("WHERE {arrived_at} >= TO_TIMESTAMP_NTZ(?)");
        assert_eq!(
            query,
            format!("SELECT MIN({arrived_at}) FROM T {condition} GROUP BY DATE_TRUNC('HOUR', {arrived_at})")
        );
        assert_eq!(binds, ["2026-11-20 14:30:00.000"]);
    }

    #[track_caller]
    fn check(window: (Option<&str>, Option<&str>), hour: &str, expected: Option<(&str, &str)>) {
        let window = Window { since: window.0.map(at), until: window.1.map(at) };
        let part = part(window, at(hour).as_millis().div_euclid(HOUR_MS));
        let shown = |at: Option<ArrivedAt>| at.map(|at| at.to_string()).unwrap_or_default();
        let part = part.map(|part| (shown(part.since), shown(part.until)));
        assert_eq!(part.as_ref().map(|(since, until)| (since.as_str(), until.as_str())), expected, "{hour}");
    }

    #[test]
    fn a_window_of_any_length_is_read_by_the_hour() {
        let hour = Some(("2026-11-20 14:00:00.000", "2026-11-20 15:00:00.000"));
        check((None, None), "2026-11-20 14:59:59.999", hour);
        check((Some("2018-01-01 00:00:00"), Some("2026-11-21 00:00:00")), "2026-11-20 14:00:00", hour);
        let window = (Some("2026-11-20 14:30:00"), Some("2026-11-20 15:10:00"));
        check(window, "2026-11-20 14:40:00", Some(("2026-11-20 14:30:00.000", "2026-11-20 15:00:00.000")));
        check(window, "2026-11-20 15:00:00", Some(("2026-11-20 15:00:00.000", "2026-11-20 15:10:00.000")));
        check(window, "2026-11-20 16:00:00", None);
        check((None, None), "9999-12-31 23:30:00", Some(("9999-12-31 23:00:00.000", "")));
        check((None, None), "1969-12-31 23:30:00", Some(("1969-12-31 23:00:00.000", "1970-01-01 00:00:00.000")));
    }
}
