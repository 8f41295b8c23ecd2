//! Watches rows arrive: progress while it happens, latencies afterwards.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use indicatif::ProgressBar;
use landfall_core::{ArrivedAt, Pipeline, landing};
use landfall_local::event_source_mapping::{Delivery, Outcome};
use landfall_local::snowpipe::Load;
use tokio::sync::mpsc::UnboundedReceiver;

use super::feed::Sent;
use crate::console::Progress;
use crate::failure::{self, Failure};

/// The bars of the demo.
#[derive(Debug)]
pub(super) struct Bars {
    pub(super) records: ProgressBar,
    streaming: ProgressBar,
    microbatch: ProgressBar,
}

impl Bars {
    pub(super) fn new(progress: &Progress, n_records: u64) -> Self {
        Self {
            records: progress.bar("records in", n_records),
            streaming: progress.bar("rows merged by upsert", n_records),
            microbatch: progress.bar("rows loaded by Snowpipe", n_records),
        }
    }
}

/// What was seen while records were pushed through.
#[derive(Debug)]
pub(super) struct Run {
    /// Every record, in the order in which it was put.
    pub(super) sent: Vec<Sent>,
    /// From arrival until the orchestrator had answered for the row's batch: its row was in the table some time
    /// before. In no order.
    pub(super) to_streaming: Vec<Duration>,
    /// From arrival until Snowpipe had loaded the row's object. In no order.
    pub(super) to_microbatch: Vec<Duration>,
    /// Batches that failed and were tried again.
    pub(super) n_retries: usize,
    /// Records that were given up.
    pub(super) n_given_up: usize,
    /// What the function said last when it failed.
    pub(super) last_error: Option<String>,
    /// Objects that Snowpipe could not load, with the reason.
    pub(super) load_errors: Vec<(String, String)>,
}

/// Collects what deliveries and loads tell.
pub(super) struct Watch {
    pipeline: Pipeline,
    bars: Bars,
    progress: Progress,
    to_streaming: Vec<Duration>,
    loaded: HashMap<String, SystemTime>,
    n_retries: usize,
    n_given_up: usize,
    last_error: Option<String>,
    load_errors: Vec<(String, String)>,
}

impl Watch {
    pub(super) fn new(pipeline: Pipeline, bars: Bars, progress: Progress) -> Self {
        Self {
            pipeline,
            bars,
            progress,
            to_streaming: Vec::new(),
            loaded: HashMap::new(),
            n_retries: 0,
            n_given_up: 0,
            last_error: None,
            load_errors: Vec::new(),
        }
    }

    /// Watches until the last batch is done or given up; fails when there is no use in trying again, for the disk of `dir` is
    /// full.
    pub(super) async fn deliveries(
        &mut self,
        mut deliveries: UnboundedReceiver<Delivery>,
        loads: &mut UnboundedReceiver<Load>,
        dir: &Path,
    ) -> Result<(), Failure> {
        loop {
            tokio::select! {
                delivery = deliveries.recv() => match delivery {
                    Some(delivery) => {
                        self.delivered(&delivery);
                        if delivery.outcome != Outcome::Done && let Some(full) = failure::disk_full(dir) {
                            return Err(full);
                        }
                    }
                    None => return Ok(()),
                },
                Some(load) = loads.recv() => self.loaded(load),
            }
        }
    }

    /// Takes what Snowpipe has told meanwhile.
    pub(super) fn remaining_loads(&mut self, loads: &mut UnboundedReceiver<Load>) {
        while let Ok(load) = loads.try_recv() {
            self.loaded(load);
        }
    }

    fn delivered(&mut self, delivery: &Delivery) {
        match &delivery.outcome {
            Outcome::Done => {
                // What of it is poison is no row.
                let rows = landfall_core::decode(&self.pipeline, &delivery.records).rows;
                self.bars.streaming.inc(rows.len() as u64);
                self.to_streaming.extend(rows.iter().map(|row| since(row.arrived_at(), delivery.at)));
            }
            Outcome::Retried { error } => {
                self.n_retries += 1;
                self.failed("a batch failed and is tried again", error);
            }
            Outcome::GivenUp { error } => {
                self.n_given_up += delivery.records.len();
                self.failed("a batch was given up", error);
            }
        }
    }

    /// An error is shown when it is new, not for each batch that it hits.
    fn failed(&mut self, what: &str, error: &str) {
        if self.last_error.is_none() {
            self.progress.line(&format!("{what}: {error}"));
        }
        self.last_error = Some(error.to_owned());
    }

    fn loaded(&mut self, load: Load) {
        match load.outcome {
            // It was loaded by an earlier run.
            Ok(0) => {}
            Ok(n_rows) => {
                self.bars.microbatch.inc(n_rows);
                self.loaded.insert(load.key, load.at);
            }
            Err(reason) => self.load_errors.push((load.key, reason)),
        }
    }

    /// Puts everything together. The landed objects say which rows came with which load.
    pub(super) fn finish(self, sent: Vec<Sent>, bucket: &Path) -> anyhow::Result<Run> {
        let mut to_microbatch = Vec::with_capacity(sent.len());
        for (key, at) in &self.loaded {
            let rows = landing::read(key, &std::fs::read(bucket.join(key))?)?;
            let arrivals = rows.iter().filter_map(|row| ArrivedAt::from_text(row.get(5)?.as_deref()?));
            to_microbatch.extend(arrivals.map(|arrived_at| since(arrived_at, *at)));
        }
        let Self { to_streaming, n_retries, n_given_up, last_error, load_errors, .. } = self;
        Ok(Run { sent, to_streaming, to_microbatch, n_retries, n_given_up, last_error, load_errors })
    }
}

fn since(arrived_at: ArrivedAt, at: SystemTime) -> Duration {
    let now_ms = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    Duration::from_millis(u64::try_from(now_ms - arrived_at.as_millis()).unwrap_or(0))
}
