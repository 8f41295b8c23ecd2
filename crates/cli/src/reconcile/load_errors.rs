//! What Snowpipe could not load on a real account.

use std::time::SystemTime;

use landfall_core::Pipeline;
use landfall_snowflake::{Session, SessionError, ddl};

use crate::window::Window;

/// Errors that are asked for.
const LIMIT: usize = 100;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// The objects since the window began that were not loaded, or not wholly, and why: of the last 14 days, for Snowflake knows
/// no more.
pub(super) async fn deployed(
    session: &Session,
    pipeline: &Pipeline,
    window: Window,
) -> Result<Vec<String>, SessionError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let since = window.since.map_or(0, |since| since.as_millis());
    let age_ms = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(since);
    let hours = u64::try_from(age_ms / HOUR_MS + 1).unwrap_or(1);
    let errors = session.query(&ddl::load_errors_query(pipeline, hours, LIMIT), &[]).await?;
    Ok(errors.rows.iter().map(|row| described(row)).collect())
}

fn described(row: &[Option<String>]) -> String {
    let cell = |index: usize| row.get(index).and_then(Option::as_deref).unwrap_or("?");
    format!("{}: {} errors, the first: {}", cell(0), cell(1), cell(2))
}
