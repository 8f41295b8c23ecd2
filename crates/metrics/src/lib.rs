//! What a function says of an invocation that succeeded: one line of JSON, which is its log and its metrics at once.
//!
//! The line is in CloudWatch's embedded metric format: CloudWatch Logs keeps it and makes metrics of the values that it
//! names, without a call from the function, an agent or a thread of its own that Lambda would freeze.

mod logs;

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use landfall_core::metrics::{FUNCTION, Metric, NAMESPACE, PIPELINE, Unit};
use metrics_cloudwatch_embedded::{Builder, Collector};
use serde_json::Value;

pub use logs::init_logs;

/// Where a process reports its invocations.
///
/// Dimensions are the pipeline and the function, and nothing of an invocation: each further value would be a metric of its
/// own, and paid for.
pub struct Reports {
    // Locked for a line, so that the values of two invocations never share one.
    collector: Mutex<&'static Collector>,
}

impl Reports {
    /// Sets it up, once in a process.
    ///
    /// # Errors
    /// The process has one already.
    pub fn new(pipeline: &str, function: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let collector = Builder::new()
            .cloudwatch_namespace(NAMESPACE)
            .with_dimension(PIPELINE, pipeline.to_owned())
            .with_dimension(FUNCTION, function.to_owned())
            // A graph of dead letters is to show that there are none.
            .emit_zeros(true)
            .init()?;
        Ok(Self { collector: Mutex::new(collector) })
    }

    /// Writes the line of an invocation to stdout: `message`, `fields` beside it, and a value for each metric.
    ///
    /// That it cannot be written is no reason to do a batch again, so it is not told.
    pub fn report(&self, message: &str, fields: &[(&'static str, Value)], values: &[(Metric, f64)]) {
        if let Ok(line) = self.line(message, fields, values) {
            // In one piece: other processes write to the same file on a laptop.
            io::stdout().lock().write_all(&line).ok();
        }
    }

    fn line(&self, message: &str, fields: &[(&'static str, Value)], values: &[(Metric, f64)]) -> io::Result<Vec<u8>> {
        let collector = self.collector.lock().unwrap_or_else(PoisonError::into_inner);
        for (metric, value) in values {
            record(*metric, *value);
        }
        collector.set_property("level", "INFO").set_property("message", message);
        for (name, value) in fields {
            collector.set_property(*name, value.clone());
        }
        let mut line = Vec::new();
        collector.flush(&mut line)?;
        // They would stay for the next line, which may be without.
        for (name, _) in fields {
            collector.remove_property(*name);
        }
        Ok(line)
    }
}

/// A count is what there was since the last line, zero included; a time is there only when it was taken.
fn record(metric: Metric, value: f64) {
    match metric.unit {
        Unit::Count => {
            metrics::describe_counter!(metric.name, metrics::Unit::Count, "");
            metrics::counter!(metric.name).increment(value as u64);
        }
        Unit::Bytes => {
            metrics::describe_counter!(metric.name, metrics::Unit::Bytes, "");
            metrics::counter!(metric.name).increment(value as u64);
        }
        Unit::Milliseconds => {
            metrics::describe_histogram!(metric.name, metrics::Unit::Milliseconds, "");
            metrics::histogram!(metric.name).record(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::metrics::{LANDED_BYTES, LANDING_MS, RECORDS};

    use super::*;

    /// One test, for a process has one recorder.
    #[test]
    fn a_line_is_a_log_and_its_metrics() {
        let reports = Reports::new("sensors", "landfall-orchestrator").unwrap();
        let line = |fields: &[_], values: &[_]| {
            let text = String::from_utf8(reports.line("batch done", fields, values).unwrap()).unwrap();
            let (before, rest) = text.split_once("\"Timestamp\":").unwrap();
            let (at, rest) = rest.split_once(',').unwrap();
            assert!(at.parse::<u64>().unwrap() > 1_700_000_000_000, "{at}");
            format!("{before}\"Timestamp\":0,{rest}")
        };

        let first = line(
            &[("shard_id", "shardId-000000000000".into())],
            &[(RECORDS, 3.0), (LANDED_BYTES, 210.0), (LANDING_MS, 1.5)],
        );
        let second = line(&[], &[(RECORDS, 0.0)]);

        insta::assert_snapshot!(first + &second, @r#"
        {"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"Landfall","Dimensions":[["Pipeline","Function"]],"Metrics":[{"Name":"LandedBytes","Unit":"Bytes"},{"Name":"LandingMs","Unit":"Milliseconds"},{"Name":"Records","Unit":"Count"}]}]},"Function":"landfall-orchestrator","Pipeline":"sensors","level":"INFO","message":"batch done","shard_id":"shardId-000000000000","LandedBytes":210,"LandingMs":[1.5],"Records":3}
        {"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"Landfall","Dimensions":[["Pipeline","Function"]],"Metrics":[{"Name":"LandedBytes","Unit":"Bytes"},{"Name":"Records","Unit":"Count"}]}]},"Function":"landfall-orchestrator","Pipeline":"sensors","level":"INFO","message":"batch done","LandedBytes":0,"Records":0}
        "#);
        assert!(Reports::new("sensors", "upsert").is_err());
    }
}
