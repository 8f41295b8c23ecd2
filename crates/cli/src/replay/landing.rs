//! Rows of the landing zone, through the upsert function into the streaming table.

use std::collections::BTreeSet;
use std::process::ExitCode;

use futures::StreamExt as _;
use landfall_core::upsert::{self, MAX_REQUEST_BYTES};
use landfall_core::{Position, Row, landing};

use super::destination::Destination;
use super::fault::patiently;
use super::landed::n;
use super::loaded;
use super::problems::Problems;
use crate::arrived::Arrived;
use crate::console::Progress;
use crate::failure::Failure;
use crate::objects::{self, Listed, Place};

/// Rows held until they are sent: some requests full.
const MAX_HELD: usize = 20_000;

/// Rows on their way, and what has become of them so far.
pub(super) struct Loading<'a> {
    to: &'a Destination,
    progress: &'a Progress,
    problems: Problems,
    is_dry: bool,
    n_objects: usize,
    n_rows: usize,
    n_inserted: u64,
    n_duplicates: u64,
    n_rejected: usize,
    /// Of all rows that upsert took: to be looked for in the table of a local stack.
    positions: BTreeSet<Position>,
}

/// The objects of a place that may hold rows which arrived in time.
///
/// # Errors
/// They cannot be listed, or nothing that landed is there at all.
pub(super) async fn list(place: &Place, arrived: Arrived) -> anyhow::Result<Vec<Listed>> {
    let mut is_empty = true;
    let mut listed = place
        .list(|object| {
            let is_ours = [".csv", ".csv.gz", ".csv.zst"].iter().any(|end| object.key.ends_with(end));
            is_empty &= !is_ours;
            is_ours && arrived.may_hold_by_key(object)
        })
        .await?;
    if is_empty {
        let what = format!("nothing that landed is under {}: it has no .csv, .csv.gz or .csv.zst", place.name());
        return Err(Failure { what, remedy: "name the prefix or the folder that holds them".to_owned() }.into());
    }
    // What arrived together goes together: the merge reads less of a table for a short span of arrivals.
    listed.sort_by(|a, b| behind_the_partition(&a.key).cmp(behind_the_partition(&b.key)));
    Ok(listed)
}

impl<'a> Loading<'a> {
    pub(super) fn new(to: &'a Destination, is_dry: bool, progress: &'a Progress) -> Self {
        Self {
            to,
            progress,
            problems: Problems::new("request", progress),
            is_dry,
            n_objects: 0,
            n_rows: 0,
            n_inserted: 0,
            n_duplicates: 0,
            n_rejected: 0,
            positions: BTreeSet::new(),
        }
    }

    /// Loads the rows of these objects that arrived in time.
    ///
    /// # Errors
    /// No other object would fare better.
    pub(super) async fn load(&mut self, place: &Place, listed: &[Listed], arrived: Arrived) -> anyhow::Result<()> {
        let bar = self.progress.bar("objects", listed.len() as u64);
        let mut held = Vec::new();
        for some in objects::parts(listed) {
            // All of them, before anything is sent: a download that nobody reads is cut off.
            let read: Vec<_> = place.read_all(some).collect().await;
            for (object, bytes) in read {
                match bytes.and_then(|bytes| Ok(landing::read(&object.key, &bytes)?)) {
                    Ok(lines) => self.hold(place, object, &lines, arrived, &mut held),
                    Err(error) => {
                        self.problems.unusable(&error.context(format!("failed to load {}", place.name_of(&object.key))))
                    }
                }
                bar.inc(1);
                if held.len() >= MAX_HELD {
                    self.send(&std::mem::take(&mut held)).await?;
                }
            }
        }
        self.send(&held).await
    }

    fn hold(
        &mut self,
        place: &Place,
        object: &Listed,
        lines: &[Vec<Option<String>>],
        arrived: Arrived,
        held: &mut Vec<Row>,
    ) {
        self.n_objects += 1;
        for (line, number) in lines.iter().zip(1..) {
            match Row::from_columns(&self.to.pipeline, line) {
                Ok(row) if arrived.window.holds(row.arrived_at()) => {
                    self.n_rows += 1;
                    held.push(row);
                }
                Ok(_) => {}
                Err(error) => {
                    let name = place.name_of(&object.key);
                    let what = format!("failed to load row {number} of {name}: {error}");
                    let remedy = "check that it landed with this pipeline.toml, or an earlier form of it".to_owned();
                    self.problems.unusable(&Failure { what, remedy }.into());
                }
            }
        }
    }

    async fn send(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let requests = upsert::requests(rows, MAX_REQUEST_BYTES)?;
        for (row, n_bytes) in requests.too_large {
            let why = format!("it takes {n_bytes} bytes, more than the {MAX_REQUEST_BYTES} of one upsert request");
            self.reject(row, &why)?;
        }
        if self.is_dry {
            return Ok(());
        }
        self.progress.step(&format!("sending {}", n(rows.len(), "row")));
        for planned in requests.planned {
            let request = planned.request(&self.to.pipeline)?;
            let response = match patiently(|| self.to.target.upsert(&request, planned.rows.len())).await {
                Ok(response) => response,
                Err(fault) if fault.is_final => return Err(fault.error),
                Err(fault) => {
                    let first = planned.rows.first().map(|row| row.position().to_string()).unwrap_or_default();
                    self.problems.batch(&format!("{} from {first}", n(planned.rows.len(), "row")), &fault.error)?;
                    continue;
                }
            };
            self.problems.taken();
            self.n_inserted += response.inserted;
            self.n_duplicates += response.duplicates;
            if self.to.local.is_some() {
                self.positions.extend(planned.rows.iter().map(|row| row.position()));
            }
            for rejected in &response.rejected {
                if let Some(row) = planned.rows.get(rejected.row) {
                    self.positions.remove(&row.position());
                    self.reject(row, &format!("{} ({})", rejected.message, rejected.code))?;
                }
            }
        }
        Ok(())
    }

    /// Tells of every row, for it is written nowhere else: a CSV does not say what the document was, so there is no dead
    /// letter to make of it.
    fn reject(&mut self, row: &Row, why: &str) -> anyhow::Result<()> {
        self.n_rejected += 1;
        self.progress.print(&format!("  rejected  {}  {why}", row.position()))
    }

    /// Looks at the table and prints what became of it all. `done` is how far it came.
    pub(super) async fn finish(&self, mut done: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
        let table = &self.to.pipeline.snowflake.streaming_table;
        let mut lines = Vec::new();
        let mut n_faults = 0;
        if let (Some(local), false) = (&self.to.local, self.positions.is_empty()) {
            let positions: Vec<Position> = self.positions.iter().cloned().collect();
            match loaded::absent_from_streaming(local, &positions).await {
                Ok(absent) => n_faults = absent.len(),
                // What stopped it before says more.
                Err(error) => done = done.and(Err(error)),
            }
            if n_faults > 0 {
                lines.push(format!("  FAULT     {} not in {table}", n(n_faults, "row")));
            }
        }
        lines.extend(self.summary());
        self.progress.clear();
        self.progress.print(&lines.join("\n"))?;
        self.problems.finish(done, n_faults + self.n_rejected)
    }

    /// Prints what was sent until it was stopped.
    pub(super) fn stopped(&self) -> anyhow::Result<()> {
        self.progress.clear();
        self.progress.print(&self.summary().join("\n"))
    }

    fn summary(&self) -> Vec<String> {
        let Self { n_inserted, n_duplicates, n_rejected, .. } = self;
        let target = &self.to.pipeline.snowflake;
        let (table, microbatch) = (&target.streaming_table, &target.microbatch_table);
        let (rows, objects) = (n(self.n_rows, "row"), n(self.n_objects, "object"));
        let mut lines = Vec::new();
        if *n_rejected > 0 {
            lines.push(format!(
                "What is rejected stays in the landing zone and in {microbatch}, and is no dead letter: `landfall reconcile` names it \
                 as missing in {table} until the table or the pipeline is changed and this is run again."
            ));
        }
        lines.push(if self.is_dry {
            format!("{rows} in {objects} would go into {table}; nothing was sent")
        } else {
            format!("{rows} in {objects}: {n_inserted} inserted into {table}, {n_duplicates} already there, {n_rejected} rejected")
        });
        lines
    }
}

/// The hour, shard and numbers of `prefix/sensor-6/2026/11/20/14/shard-….csv`; all of another key.
fn behind_the_partition(key: &str) -> &str {
    key.rmatch_indices('/').nth(4).map_or(key, |(at, _)| &key[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_ordered_by_their_hours() {
        let key = "kinesiscsv/sensor-6/2026/11/20/14/shard-1.csv";
        assert_eq!(behind_the_partition(key), "/2026/11/20/14/shard-1.csv");
        assert_eq!(behind_the_partition("mine.csv"), "mine.csv");
    }
}
