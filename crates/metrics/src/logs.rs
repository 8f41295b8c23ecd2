//! What a function logs, beside the line of an invocation.

use std::io;

use lambda_runtime::tracing::subscriber::filter::{LevelFilter, Targets};
use lambda_runtime::tracing::subscriber::fmt;
use lambda_runtime::tracing::subscriber::layer::SubscriberExt as _;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt as _;

/// Whose words are ours: the names of all our crates begin so.
const OURS: &str = "landfall";

/// Logs to stdout from now on, as `AWS_LAMBDA_LOG_FORMAT` and `AWS_LAMBDA_LOG_LEVEL` say, or else `RUST_LOG`: text, INFO.
///
/// Of what others say nothing finer than INFO is logged, whatever the level: Lambda's runtime and the AWS SDK would log events and
/// requests, and so what producers put.
pub fn init_logs(get: &dyn Fn(&str) -> Option<String>) {
    let level = get("AWS_LAMBDA_LOG_LEVEL").or_else(|| get("RUST_LOG"));
    let targets = targets(level.as_deref());
    let is_json = get("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let lines = fmt::layer().with_target(false).without_time().with_writer(io::stdout);
    let registry = lambda_runtime::tracing::subscriber::registry().with(targets);
    // Where a process has its logs already, as in tests, they stay as they are.
    if is_json {
        registry.with(lines.json()).try_init().ok();
    } else {
        registry.with(lines).try_init().ok();
    }
}

fn targets(level: Option<&str>) -> Targets {
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    Targets::new().with_default(level.min(LevelFilter::INFO)).with_target(OURS, level)
}

#[cfg(test)]
mod tests {
    use lambda_runtime::tracing::Level;

    use super::*;

    #[track_caller]
    fn check(level: Option<&str>, ours: Level, of_others: Level) {
        let targets = targets(level);
        for (target, finest) in
            [("landfall_transform::handler", ours), ("lambda_runtime", of_others), ("aws_sdk_s3", of_others)]
        {
            for level in [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR] {
                assert_eq!(targets.would_enable(target, &level), level <= finest, "{target} {level}");
            }
        }
    }

    #[test]
    fn what_others_say_is_never_finer_than_info() {
        check(None, Level::INFO, Level::INFO);
        check(Some("trace"), Level::TRACE, Level::INFO);
        check(Some("DEBUG"), Level::DEBUG, Level::INFO);
        check(Some("ERROR"), Level::ERROR, Level::ERROR);
        check(Some("lambda_runtime=trace"), Level::INFO, Level::INFO);
    }
}
