//! Many events through the orchestrator, wherever they come from, and what became of them together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::process::ExitCode;

use landfall_core::{Batch, Position};

use super::destination::Destination;
use super::event::Event;
use super::fault::patiently;
use super::landed::{Zone, n};
use super::loaded;
use super::problems::Problems;
use super::refused::{Letters, Refused};
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
    /// By this pipeline; what the warehouse is known to have refused is taken off.
    tally: Tally,
    /// Of all rows: to be looked for in the tables of a local stack.
    rows: BTreeSet<Position>,
    letters: Letters,
    refused: Refused,
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
            problems: Problems::new("event", progress),
            what,
            is_dry,
            n_events: 0,
            n_records: 0,
            tally: Tally::default(),
            rows: BTreeSet::new(),
            letters: Letters::default(),
            refused: Refused::default(),
            keys: HashSet::new(),
            missing: Vec::new(),
            not_looked_for: to.zone.is_none().then(|| anyhow::anyhow!("{}", to.target.how_to_look())),
        }
    }

    /// Tells that so many events are next.
    pub(super) fn says_what_it_does(&self, n_events: usize) {
        let what = if self.is_dry { "decoding" } else { "sending" };
        self.progress.step(&format!("{what} {}", n(n_events, "event")));
    }

    /// Has an event taken, after several tries if need be, and says what it comes to; `None` when it failed.
    ///
    /// # Errors
    /// No other event would fare better.
    pub(super) async fn event(&mut self, event: &Event) -> anyhow::Result<Option<Batch>> {
        let mut all = Batch { rows: Vec::new(), poison: Vec::new(), n_duplicates: 0 };
        for part in event.parts(&self.to.pipeline)? {
            let Some(Batch { rows, poison, n_duplicates }) = self.part(&part).await? else { return Ok(None) };
            all.rows.extend(rows);
            all.poison.extend(poison);
            all.n_duplicates += n_duplicates;
        }
        Ok(Some(all))
    }

    async fn part(&mut self, event: &Event) -> anyhow::Result<Option<Batch>> {
        let batch = event.batch(&self.to.pipeline)?;
        if !self.is_dry {
            self.look_before(&batch).await?;
            if let Err(fault) = patiently(|| self.to.target.take(event)).await {
                if fault.is_final {
                    return Err(fault.error);
                }
                self.problems.batch(&event.title(), &fault.error)?;
                return Ok(None);
            }
            self.problems.taken();
        }
        self.n_events += 1;
        self.n_records += event.records.len();
        self.tally.add(&batch);
        if !self.is_dry {
            self.look_after(&batch).await?;
        }
        Ok(Some(batch))
    }

    /// Where to look for what became of an event, unless that was tried in vain.
    fn zone(&self) -> Option<&'a Zone> {
        self.to.zone.as_ref().filter(|_| self.not_looked_for.is_none())
    }

    /// Who may invoke a deployed function may not be allowed to look.
    fn unless_deployed(&mut self, looked: anyhow::Result<()>) -> anyhow::Result<()> {
        match looked {
            Err(error) if self.to.local.is_none() => {
                self.not_looked_for = Some(error);
                Ok(())
            }
            looked => looked,
        }
    }

    /// Remembers the dead letters that are there before an event is sent.
    async fn look_before(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let Some(zone) = self.zone() else { return Ok(()) };
        let looked = self.letters.look_before(zone, &self.to.pipeline, batch).await;
        self.unless_deployed(looked)
    }

    /// Looks for the objects and the dead letters of a batch, and remembers what to look for in the end.
    async fn look_after(&mut self, batch: &Batch) -> anyhow::Result<()> {
        if self.to.local.is_some() {
            self.rows.extend(batch.rows.iter().map(|row| row.position()));
        }
        let Some(zone) = self.zone() else { return Ok(()) };
        let looked = self.look_into(zone, batch).await;
        self.unless_deployed(looked)
    }

    async fn look_into(&mut self, zone: &Zone, batch: &Batch) -> anyhow::Result<()> {
        let objects = zone.objects(&self.to.pipeline, batch).await?;
        let Refused { anew, perhaps } = self.letters.look_after(zone, &self.to.pipeline, batch).await?;
        self.missing.extend(objects.missing);
        if self.to.local.is_some() {
            self.keys.extend(objects.there.into_iter().map(|(key, _)| key));
            self.refused.anew.extend(anew);
        } else {
            for (position, reason) in anew {
                self.refuse(position, reason);
            }
        }
        self.refused.perhaps.extend(perhaps);
        Ok(())
    }

    /// Counts a row that the warehouse refused, once.
    fn refuse(&mut self, position: Position, reason: String) {
        self.refused.perhaps.remove(&position);
        if self.refused.anew.insert(position.clone(), reason.clone()).is_none() {
            self.tally.refused(&reason, position);
        }
    }

    /// Looks at the tables and prints what became of it all. `done` is how far it came.
    pub(super) async fn finish(&mut self, mut done: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
        let (mut loaded, mut faults) = (Vec::new(), Vec::new());
        if !self.is_dry && !self.rows.is_empty() {
            self.progress.step("waiting until what landed is loaded");
            match self.look_at_tables().await {
                Ok(looked) => (loaded, faults) = looked,
                // What stopped it before says more.
                Err(error) => done = done.and(Err(error)),
            }
        }
        let is_known = self.is_known();
        let mut lines = self.lines(is_known);
        lines.extend(loaded);
        // What is deployed may have another pipeline, or LANDING=off: what is not there is worth a line and no fault.
        match self.missing_line() {
            Some(missing) if self.to.local.is_some() => faults.push(missing),
            Some(missing) => lines.push(format!("  but       {missing}")),
            None => {}
        }
        lines.extend(self.doubts());
        lines.extend(faults.iter().map(|fault| format!("  FAULT     {fault}")));
        self.print(lines, is_known)?;
        self.problems.finish(done, faults.len())
    }

    /// Prints what was sent until it was stopped.
    pub(super) fn stopped(&self) -> anyhow::Result<()> {
        self.print(self.lines(false), false)
    }

    fn print(&self, mut lines: Vec<String>, is_known: bool) -> anyhow::Result<()> {
        lines.push(self.summary(is_known));
        self.progress.clear();
        // An empty line stands between the summary and what is above it, if anything is.
        self.progress.print(lines.join("\n").trim_start_matches('\n'))
    }

    /// Whether what landed was seen, and is what this pipeline makes of it. A local stack's is a fault if it is not.
    fn is_known(&self) -> bool {
        self.to.local.is_some() || self.n_records == 0 || self.not_looked_for.is_none() && self.missing.is_empty()
    }

    /// Rows that are not known to be refused, nor perhaps.
    fn n_landed(&self) -> usize {
        self.tally.n_rows.saturating_sub(self.n_perhaps())
    }

    /// Of a local stack the tables say it.
    fn n_perhaps(&self) -> usize {
        if self.to.local.is_some() { 0 } else { self.refused.perhaps.len() }
    }

    fn lines(&self, is_known: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if self.n_records == 0 {
            return lines;
        }
        let Tally { n_rows, n_poison, n_refused, .. } = &self.tally;
        lines.push(match (self.is_dry, is_known) {
            (true, _) => format!("  to land   {}", n(*n_rows, "row")),
            (false, true) => format!("  landed    {}", n(self.n_landed(), "row")),
            (false, false) => format!("  expected  {}", n(*n_rows, "row")),
        });
        if *n_poison > 0 {
            lines.push(format!("  poison    {} still", n(*n_poison, "document")));
        }
        if *n_refused > 0 {
            lines.push(format!("  refused   {} by the warehouse still", n(*n_refused, "row")));
        }
        lines.extend(self.tally.reason_lines());
        lines
    }

    /// What is not known of events that a deployed function has taken.
    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.is_dry || self.n_records == 0 {
            return doubts;
        }
        if let Some(position) = self.refused.perhaps.keys().min().filter(|_| self.n_perhaps() > 0) {
            doubts.push(format!(
                "  but       {} that the warehouse refused before, {position} for one: refused for the same reason again, there \
                 is no new dead letter; `landfall reconcile --deployed` says whether the table has them",
                n(self.n_perhaps(), "row")
            ));
        }
        if let Some(error) = &self.not_looked_for {
            doubts.push(format!("  but       not all of it was looked for: {error}"));
        }
        doubts
    }

    fn summary(&self, is_known: bool) -> String {
        let Tally { n_rows, n_poison, n_refused, .. } = &self.tally;
        let (records, events) = (n(self.n_records, self.what), n(self.n_events, "event"));
        if self.is_dry {
            return format!(
                "\n{records} in {events}: {n_rows} would be rows, {n_poison} still poison; nothing was sent"
            );
        }
        let refused = if *n_refused > 0 { format!(", {n_refused} still refused") } else { String::new() };
        if !is_known {
            let rows = n(*n_rows, "row");
            return format!(
                "\n{records} taken in {events}; expected by this pipeline.toml: {rows}, {n_poison} poison{refused}"
            );
        }
        let by = if self.to.local.is_some() { "" } else { " by this pipeline.toml" };
        let perhaps = match self.n_perhaps() {
            0 => String::new(),
            n_perhaps => format!(", {n_perhaps} refused before and perhaps again"),
        };
        let n_landed = self.n_landed();
        format!("\n{records} taken in {events}: {n_landed} landed now, {n_poison} still poison{by}{refused}{perhaps}")
    }

    /// What is in the tables of the local stack, and what is not and has to be.
    async fn look_at_tables(&mut self) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let Some(local) = &self.to.local else { return Ok((Vec::new(), Vec::new())) };
        let positions: Vec<Position> = self.rows.iter().cloned().collect();
        let loaded = loaded::look(local, &positions).await?;
        let Refused { anew, perhaps } = std::mem::take(&mut self.refused);
        let reason = |position: &Position| anew.get(position).or_else(|| perhaps.get(position)).cloned();
        let refused: HashMap<Position, String> =
            loaded.absent.iter().filter_map(|position| Some((position.clone(), reason(position)?))).collect();
        let mut faults = loaded.faults(&refused.keys().cloned().collect(), local);
        let not_loaded = loaded.not_loaded.iter().filter(|(key, _)| self.keys.contains(*key));
        faults.extend(not_loaded.map(|(key, reason)| format!("Snowpipe could not load {key}: {reason}")));
        let line = loaded.line(local);
        for (position, reason) in refused {
            self.refuse(position, reason);
        }
        Ok((vec![line], faults))
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

#[cfg(test)]
mod tests {
    use landfall_core::{Pipeline, event};

    use super::super::invoke::Target;
    use super::super::invoke::tests::{DONE, api};
    use super::*;

    #[tokio::test]
    async fn what_nobody_looked_for_is_expected_and_not_told_to_have_landed() {
        let endpoint = api(vec![("200 OK", DONE)]).await;
        let pipeline = Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap();
        let to = Destination::nowhere(Target::at(&endpoint, "f"), pipeline);
        let text = include_str!("../../../../events/kinesis-batch.json");
        let event = Event { name: "x".to_owned(), text: text.to_owned(), records: event::records(text).unwrap() };
        let progress = Progress::new();
        let mut redrive = Redrive::new(&to, "record", false, &progress);

        redrive.event(&event).await.unwrap();

        assert!(!redrive.is_known());
        let expected = "\n100 records taken in 1 event; expected by this pipeline.toml: 100 rows, 0 poison";
        assert_eq!(redrive.summary(redrive.is_known()), expected);
        assert_eq!(redrive.lines(false), ["  expected  100 rows"]);
        let doubt = "  but       not all of it was looked for: no stack runs in the folder (landfall dev, or --dir)";
        assert_eq!(redrive.doubts(), [doubt]);
    }
}
