//! What the demo says at its end.

use std::fmt;
use std::time::Duration;

use comfy_table::{Table, presets};
use landfall_local::lambda::FunctionReport;
use landfall_local::stack::Stack;
use serde::Serialize;

use super::balance::Balance;
use super::watch::Run;
use crate::args::DemoOptions;

/// The figures of a run. With `--json` it is printed as it stands here.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Whether each record is exactly once in each table or in the dead letters.
    pub(super) reconciles: bool,
    seed: u64,
    records_in: usize,
    objects_landed: usize,
    rows_streaming: u64,
    rows_microbatch: u64,
    dead_letters: u64,
    batches_retried: usize,
    records_given_up: usize,
    seconds: f64,
    records_per_second: f64,
    arrival_to_streaming: Latency,
    arrival_to_microbatch: Latency,
    functions: Vec<FunctionFigures>,
    stripped_from_sql: Vec<String>,
    /// The first hundred.
    faults: Vec<String>,
    n_faults: usize,
    last_error: Option<String>,
    #[serde(skip)]
    tables: [String; 2],
}

/// Milliseconds; `None` when no row arrived.
#[derive(Debug, Serialize)]
struct Latency {
    p50_ms: Option<u64>,
    p95_ms: Option<u64>,
    max_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct FunctionFigures {
    name: String,
    invocations: u64,
    errors: u64,
    processes: u64,
    cold_start_ms: Option<f64>,
    peak_memory_mb: Option<f64>,
}

impl Summary {
    pub(super) fn new(
        options: &DemoOptions,
        run: &Run,
        balance: &Balance,
        n_objects: usize,
        elapsed: Duration,
        stack: &Stack,
    ) -> Self {
        let loads = run.load_errors.iter().map(|(key, reason)| format!("Snowpipe did not load {key}: {reason}"));
        let faults: Vec<String> = balance.faults.iter().cloned().chain(loads).collect();
        let target = &stack.pipeline.snowflake;
        Self {
            reconciles: faults.is_empty(),
            seed: options.seed,
            records_in: run.sent.len(),
            objects_landed: n_objects,
            rows_streaming: balance.n_streaming,
            rows_microbatch: balance.n_microbatch,
            dead_letters: balance.n_dead_letters,
            batches_retried: run.n_retries,
            records_given_up: run.n_given_up,
            seconds: rounded(elapsed.as_secs_f64()),
            records_per_second: rounded(run.sent.len() as f64 / elapsed.as_secs_f64()),
            arrival_to_streaming: Latency::of(run.to_streaming.clone()),
            arrival_to_microbatch: Latency::of(run.to_microbatch.clone()),
            functions: stack.lambda.reports().into_iter().map(FunctionFigures::from).collect(),
            stripped_from_sql: stack.stripped.clone(),
            n_faults: faults.len(),
            faults: faults.into_iter().take(100).collect(),
            last_error: run.last_error.clone(),
            tables: [target.streaming_table.clone(), target.microbatch_table.clone()],
        }
    }
}

impl Latency {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        // Nearest rank: the smallest value that at least this share of all do not exceed.
        let percentile = |share: f64| {
            let rank = (share * all.len() as f64).ceil() as usize;
            all.get(rank.max(1) - 1).map(|duration| duration.as_millis() as u64)
        };
        Self { p50_ms: percentile(0.5), p95_ms: percentile(0.95), max_ms: percentile(1.0) }
    }
}

impl From<FunctionReport> for FunctionFigures {
    fn from(report: FunctionReport) -> Self {
        Self {
            name: report.name,
            invocations: report.n_invocations,
            errors: report.n_errors,
            processes: report.n_processes,
            cold_start_ms: report.cold_start.map(|start| rounded(start.as_secs_f64() * 1000.0)),
            peak_memory_mb: report.peak_memory_bytes.map(|bytes| rounded(bytes as f64 / 1024.0 / 1024.0)),
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |value: Option<u64>| value.map_or("none".to_owned(), |ms| format!("{ms} ms"));
        write!(f, "p50 {}, p95 {}, max {}", ms(self.p50_ms), ms(self.p95_ms), ms(self.max_ms))
    }
}

impl fmt::Display for FunctionFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure =
            |value: Option<f64>, unit: &str| value.map_or("not measured here".to_owned(), |v| format!("{v} {unit}"));
        write!(
            f,
            "cold start {}, peak memory {}; {} invocations, {} errors, {} processes",
            figure(self.cold_start_ms, "ms"),
            figure(self.peak_memory_mb, "MB"),
            self.invocations,
            self.errors,
            self.processes
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [streaming, microbatch] = &self.tables;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |name: &str, value: String| {
            table.add_row([name.to_owned(), value]);
        };
        row("records in", self.records_in.to_string());
        row("objects landed", self.objects_landed.to_string());
        row(&format!("rows in {streaming}"), self.rows_streaming.to_string());
        row(&format!("rows in {microbatch}"), self.rows_microbatch.to_string());
        row("dead letters", self.dead_letters.to_string());
        if self.batches_retried + self.records_given_up > 0 {
            row("batches tried again", self.batches_retried.to_string());
            row("records given up", self.records_given_up.to_string());
        }
        row("throughput", format!("{} records/s, {} s", self.records_per_second, self.seconds));
        row("arrival to row, streaming", self.arrival_to_streaming.to_string());
        row("arrival to row, micro-batch", self.arrival_to_microbatch.to_string());
        for function in &self.functions {
            row(&function.name, function.to_string());
        }
        row("the local Snowflake lacks", self.stripped_from_sql.join(", "));
        writeln!(f, "{}\n", table.trim_fmt())?;
        if self.reconciles {
            return writeln!(
                f,
                "Every record is exactly once in each table, or in the dead letters: compared by position."
            );
        }
        writeln!(f, "{} FAULTS, compared by position; the first:", self.n_faults)?;
        for fault in self.faults.iter().take(10) {
            writeln!(f, "  {fault}")?;
        }
        match &self.last_error {
            Some(error) => writeln!(f, "The function said last: {error}"),
            None => Ok(()),
        }
    }
}
