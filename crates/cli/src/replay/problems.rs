//! What could not be read or sent: named, counted, and no reason to stop.

use std::process::ExitCode;

use super::landed::n;
use crate::console::Progress;

/// Told in full; the others are counted.
const N_SHOWN: usize = 10;

/// What could not be read or sent so far.
#[derive(Debug)]
pub(super) struct Problems {
    progress: Progress,
    n_batches: usize,
    n_unusable: usize,
    n_shown: usize,
}

impl Problems {
    pub(super) fn new(progress: &Progress) -> Self {
        Self { progress: progress.clone(), n_batches: 0, n_unusable: 0, n_shown: 0 }
    }

    /// A batch that failed on every try.
    pub(super) fn batch(&mut self, title: &str, error: anyhow::Error) -> anyhow::Result<()> {
        self.n_batches += 1;
        if self.shows_one_more() {
            self.progress.print(&format!("{title}: failed"))?;
            self.progress.print_failure(&error);
        }
        Ok(())
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
        if self.n_batches > 0 {
            left.push(format!("{} failed", n(self.n_batches, "event")));
        }
        if self.n_unusable > 0 {
            left.push(format!("{} could not be used", self.n_unusable));
        }
        if !left.is_empty() || done.is_err() {
            let left = if left.is_empty() { "not all of it was sent".to_owned() } else { left.join(", ") };
            self.progress.print(&format!(
                "{left}: run the same again when that is mended; what is there already is found by its position and stays as it is"
            ))?;
        }
        done?;
        let is_well = left.is_empty() && n_faults == 0;
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
