//! Ctrl-C: stops what a command does, and then everything that it started.

use std::future::Future;
use std::process::ExitCode;

use crate::console::{self, Progress};

/// What `future` comes to, or `None` after Ctrl-C.
pub(crate) async fn unless_stopped<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = future => Some(done),
        _ = tokio::signal::ctrl_c() => None,
    }
}

/// Says that all has stopped; the exit code that shells have for it.
pub(crate) fn stopped(progress: &Progress) -> ExitCode {
    progress.clear();
    console::print_note("stopped; nothing is left running");
    // 128 + SIGINT.
    ExitCode::from(130)
}
