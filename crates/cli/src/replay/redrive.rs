//! Many events through the orchestrator, wherever they come from, and what became of them together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::process::ExitCode;

use landfall_core::{ArrivedAt, Batch, Position, Stage, upsert};

use super::destination::Destination;
use super::event::Event;
use super::fault::patiently;
use super::landed::n;
use super::loaded;
use super::problems::Problems;
use super::tally::Tally;
use crate::console::Progress;

/// Events on their way, and what has become of them so far.
pub(super) struct Redrive<'a> {
    pub(super) to: &'a Destination,
    pub(super) progress: &'a Progress,
    pub(super) problems: Problems,
    /// What is counted: documents of dead letters, records of batches.
    what: &'static str,
    is_dry: bool,
    n_events: usize,
    n_records: usize,
    tally: Tally,
    /// Of all rows, and when they arrived: to be looked for in the tables of a local stack.
    rows: BTreeMap<Position, ArrivedAt>,
    /// Objects of the landing zone that the orchestrator has made.
    keys: HashSet<String>,
    missing: Vec<String>,
    /// Why these are not known.
    not_looked_for: Option<anyhow::Error>,
}

impl<'a> Redrive<'a> {
    pub(super) fn new(to: &'a Destination, what: &'static str, is_dry: bool, progress: &'a Progress) -> Self {
        Self {
            to,
            progress,
            problems: Problems::new(progress),
            what,
            is_dry,
            n_events: 0,
            n_records: 0,
            tally: Tally::default(),
            rows: BTreeMap::new(),
            keys: HashSet::new(),
            missing: Vec::new(),
            not_looked_for: None,
        }
    }

    /// Tells that so many events are next.
    pub(super) fn says_what_it_does(&self, n_events: usize) {
        let what = if self.is_dry { "decoding" } else { "sending" };
        self.progress.step(&format!("{what} {}", n(n_events, "event")));
    }

    /// Has an event taken, after several tries if need be, and says what it came to; `None` when it failed.
    ///
    /// # Errors
    /// No other event would fare better.
    pub(super) async fn event(&mut self, event: &Event) -> anyhow::Result<Option<Batch>> {
        if !self.is_dry
            && let Err(fault) = patiently(|| self.to.target.take(event)).await
        {
            if fault.is_final {
                return Err(fault.error);
            }
            self.problems.batch(&event.title(), fault.error)?;
            return Ok(None);
        }
        let mut batch = landfall_core::decode(&self.to.pipeline, &event.records);
        upsert::set_aside_too_large(&mut batch)?;
        self.n_events += 1;
        self.n_records += event.records.len();
        self.tally.add(&batch);
        if !self.is_dry {
            self.look(&batch).await?;
        }
        Ok(Some(batch))
    }

    /// Looks for the objects of a batch, and remembers what to look for in the end.
    async fn look(&mut self, batch: &Batch) -> anyhow::Result<()> {
        if let (Some(zone), None) = (&self.to.zone, &self.not_looked_for) {
            match zone.objects(&self.to.pipeline, batch).await {
                Ok(objects) => {
                    self.missing.extend(objects.missing);
                    if self.to.local.is_some() {
                        self.keys.extend(objects.there.into_iter().map(|(key, _)| key));
                    }
                }
                // Who may invoke a deployed function may not be allowed to look.
                Err(error) if self.to.local.is_none() => self.not_looked_for = Some(error),
                Err(error) => return Err(error),
            }
        }
        if self.to.local.is_some() {
            self.rows.extend(batch.rows.iter().map(|row| (row.position(), row.arrived_at())));
        }
        Ok(())
    }

    /// Looks at the tables and prints what became of it all. `done` is how far it came.
    pub(super) async fn finish(mut self, mut done: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
        let (mut loaded, mut faults) = (Vec::new(), Vec::new());
        if !self.is_dry && !self.rows.is_empty() {
            self.progress.step("waiting until what landed is loaded");
            match self.look_at_tables().await {
                Ok(looked) => (loaded, faults) = looked,
                // What stopped it before says more.
                Err(error) => done = done.and(Err(error)),
            }
        }
        let mut lines = self.lines();
        lines.extend(loaded);
        // What is deployed may have another pipeline, or LANDING=off: what is not there is worth a line and no fault.
        match self.missing_line() {
            Some(missing) if self.to.local.is_some() => faults.push(missing),
            Some(missing) => lines.push(format!("  but       {missing}")),
            None => {}
        }
        if let Some(error) = &self.not_looked_for {
            lines.push(format!("  but       not all of it was looked for: {error}"));
        }
        lines.extend(faults.iter().map(|fault| format!("  FAULT     {fault}")));
        lines.push(self.summary());
        self.progress.clear();
        // An empty line stands between the summary and what is above it, if anything is.
        self.progress.print(lines.join("\n").trim_start_matches('\n'))?;
        self.problems.finish(done, faults.len())
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.n_records == 0 {
            return lines;
        }
        let Tally { n_rows, n_poison, .. } = &self.tally;
        lines.push(format!("  {}{}", if self.is_dry { "to land   " } else { "landed    " }, n(*n_rows, "row")));
        if *n_poison > 0 {
            lines.push(format!("  poison    {} still", n(*n_poison, "document")));
            lines.extend(self.tally.poison_lines());
        }
        lines
    }

    fn summary(&self) -> String {
        let Tally { n_rows, n_poison, .. } = &self.tally;
        let (records, events) = (n(self.n_records, self.what), n(self.n_events, "event"));
        if self.is_dry {
            return format!(
                "\n{records} in {events}: {n_rows} would be rows, {n_poison} still poison; nothing was sent"
            );
        }
        format!("\n{records} taken in {events}: {n_rows} landed now, {n_poison} still poison")
    }

    /// What is in the tables of the local stack, and what is not and has to be.
    async fn look_at_tables(&mut self) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let Some(local) = &self.to.local else { return Ok((Vec::new(), Vec::new())) };
        let positions: Vec<Position> = self.rows.keys().cloned().collect();
        let loaded = loaded::look(local, &positions).await?;
        let refused = self.refused(&loaded.absent).await?;
        let mut faults = loaded.faults(&refused.keys().cloned().collect(), local);
        let not_loaded = loaded.not_loaded.iter().filter(|(key, _)| self.keys.contains(*key));
        faults.extend(not_loaded.map(|(key, reason)| format!("Snowpipe could not load {key}: {reason}")));
        let line = loaded.line(local);
        for (position, reason) in refused {
            self.tally.refused(&reason, position);
        }
        Ok((vec![line], faults))
    }

    /// Which of the rows that the streaming table lacks are dead letters of the warehouse, and why.
    async fn refused(&self, absent: &[Position]) -> anyhow::Result<HashMap<Position, String>> {
        let (Some(zone), false) = (&self.to.zone, absent.is_empty()) else { return Ok(HashMap::new()) };
        let documents: Vec<_> =
            absent.iter().filter_map(|position| Some((position.clone(), *self.rows.get(position)?))).collect();
        let letters = zone.dead_letters(&self.to.pipeline, &documents).await?;
        let of_warehouse = letters.into_iter().filter(|letter| letter.stage == Stage::Upsert);
        Ok(of_warehouse.filter_map(|letter| Some((letter.position()?, letter.reason))).collect())
    }

    fn missing_line(&self) -> Option<String> {
        let key = self.missing.first()?;
        Some(format!(
            "{} not there that this pipeline makes of it, {key} for one: does the function have the same pipeline.toml, and \
             LANDING=on?",
            n(self.missing.len(), "object")
        ))
    }
}
