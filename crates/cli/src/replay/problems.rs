//! What could not be read or sent: named, counted, and no reason to stop until nothing gets through.

use std::process::ExitCode;

use super::landed::n;
use crate::console::Progress;
use crate::failure::Failure;

/// Told in full; the others are counted.
const N_SHOWN: usize = 10;

/// So many batches in a row that fail for good, each after its own tries: the next one would, too.
const N_IN_A_ROW: usize = 3;

/// What could not be read or sent so far.
#[derive(Debug)]
pub(super) struct Problems {
    progress: Progress,
    /// What is sent: events or requests.
    unit: &'static str,
    n_failed: usize,
    n_in_a_row: usize,
    n_unusable: usize,
    n_shown: usize,
}

impl Problems {
    /// `unit` is what is sent: an event or a request.
    pub(super) fn new(unit: &'static str, progress: &Progress) -> Self {
        Self { progress: progress.clone(), unit, n_failed: 0, n_in_a_row: 0, n_unusable: 0, n_shown: 0 }
    }

    /// A batch that failed on every try.
    ///
    /// # Errors
    /// It is the last of several in a row: it is time to stop.
    pub(super) fn batch(&mut self, title: &str, error: &anyhow::Error) -> anyhow::Result<()> {
        self.n_failed += 1;
        self.n_in_a_row += 1;
        if self.shows_one_more() {
            self.progress.print(&format!("{title}: failed"))?;
            self.progress.print_failure(error);
        }
        if self.n_in_a_row < N_IN_A_ROW {
            return Ok(());
        }
        let what = format!(
            "stopped: {} in a row failed for good, the last of them {title}; nothing behind it was sent",
            n(self.n_in_a_row, self.unit)
        );
        Err(Failure { what, remedy: "mend what the errors above say, then run the same again".to_owned() }.into())
    }

    /// A batch that was taken.
    pub(super) fn taken(&mut self) {
        self.n_in_a_row = 0;
    }

    /// An object, a line of one, or a row that cannot be used.
    pub(super) fn unusable(&mut self, error: &anyhow::Error) {
        self.n_unusable += 1;
        if self.shows_one_more() {
            self.progress.print_failure(error);
        }
    }

    fn shows_one_more(&mut self) -> bool {
        self.n_shown += 1;
        if self.n_shown == N_SHOWN + 1 {
            self.progress.line("further errors are counted and not shown");
        }
        self.n_shown <= N_SHOWN
    }

    /// Says in the end what is left to do. `done` is what stopped it, if anything did.
    pub(super) fn finish(&self, done: anyhow::Result<()>, n_faults: usize) -> anyhow::Result<ExitCode> {
        let mut left = Vec::new();
        if self.n_failed > 0 {
            left.push(format!("{} failed", n(self.n_failed, self.unit)));
        }
        if self.n_unusable > 0 {
            left.push(format!("{} could not be used", self.n_unusable));
        }
        if done.is_err() {
            left.push("not all of it was sent".to_owned());
        }
        if !left.is_empty() {
            self.progress.print(&format!(
                "{}: run the same again when that is mended; what is there already is found by its position and stays as it is",
                left.join(", ")
            ))?;
        }
        done?;
        let is_well = left.is_empty() && n_faults == 0;
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stops_when_nothing_gets_through() {
        let mut problems = Problems::new("event", &Progress::new());
        let failed = |problems: &mut Problems| problems.batch("x", &anyhow::anyhow!("why")).map_err(|e| e.to_string());
        assert_eq!((failed(&mut problems), failed(&mut problems)), (Ok(()), Ok(())));
        problems.taken();
        assert_eq!((failed(&mut problems), failed(&mut problems)), (Ok(()), Ok(())));
        let stopped = "stopped: 3 events in a row failed for good, the last of them x; nothing behind it was sent";
        assert_eq!(failed(&mut problems), Err(stopped.to_owned()));
    }
}
