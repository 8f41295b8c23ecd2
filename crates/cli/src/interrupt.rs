//! Ctrl-C: stops what a command does, and then everything that it started.

use std::future::Future;
use std::process::ExitCode;
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::console::{self, Progress};

/// Whether Ctrl-C was pressed, once and for all: also between two things that it could have stopped.
fn pressed() -> &'static CancellationToken {
    static PRESSED: OnceLock<CancellationToken> = OnceLock::new();
    PRESSED.get_or_init(|| {
        let token = CancellationToken::new();
        let pressed = token.clone();
        tokio::spawn(async move {
            // Where there are no signals, there is nothing to wait for.
            if tokio::signal::ctrl_c().await.is_ok() {
                pressed.cancel();
            }
        });
        token
    })
}

/// What `future` comes to, or `None` after Ctrl-C.
pub(crate) async fn unless_stopped<T>(future: impl Future<Output = T>) -> Option<T> {
    pressed().run_until_cancelled(future).await
}

/// Waits for Ctrl-C.
pub(crate) async fn wait() {
    pressed().cancelled().await;
}

/// Says that all has stopped; the exit code that shells have for it.
pub(crate) fn stopped(progress: &Progress) -> ExitCode {
    said(progress, "stopped; nothing is left running")
}

/// The same of a command that has functions work elsewhere.
pub(crate) fn stopped_elsewhere(progress: &Progress) -> ExitCode {
    said(
        progress,
        "stopped; an invocation may still be running there: run the same again, and what is there already stays as it is",
    )
}

fn said(progress: &Progress, what: &str) -> ExitCode {
    progress.clear();
    console::print_note(what);
    // 128 + SIGINT.
    ExitCode::from(130)
}
