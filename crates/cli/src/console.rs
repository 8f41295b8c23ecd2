//! What a person sees: progress on stderr, results on stdout.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Error;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::failure;

/// Prints an error: what happened, and what to do.
pub(crate) fn print_failure(error: &Error) {
    let (bold, red, reset) = if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        ("\x1b[1m", "\x1b[1;31m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    // There is nobody to tell when stderr is closed.
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{red}error:{reset} {}", landfall_core::chain(error.as_ref()));
    if let Some(remedy) = failure::remedy(error) {
        let _ = writeln!(stderr, "{bold}try:{reset} {remedy}");
    }
}

/// How the person started this program.
pub(crate) fn program() -> &'static str {
    // cargo says so to what it runs; then `landfall` is on nobody's PATH yet.
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() { "cargo run --release --" } else { "landfall" }
}

/// A path as one word of a command.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:@".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Prints a note to stderr.
pub(crate) fn print_note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints `text` to stdout. A reader that has gone (`| head`) is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Steps and bars on stderr. Where stderr is no terminal, each step is a line and there are no bars.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    step: ProgressBar,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bars = MultiProgress::new();
        let step = bars.add(ProgressBar::new_spinner());
        step.enable_steady_tick(Duration::from_millis(120));
        Self { bars, step, is_terminal: io::stderr().is_terminal() }
    }

    /// Says what is being done now.
    pub(crate) fn step(&self, text: &str) {
        if self.is_terminal {
            self.step.set_message(text.to_owned());
        } else {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Prints a line above the bars.
    pub(crate) fn line(&self, text: &str) {
        if self.is_terminal {
            let _ = self.bars.println(text);
        } else {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Prints a result to stdout, above the bars.
    pub(crate) fn print(&self, text: &str) -> anyhow::Result<()> {
        self.bars.suspend(|| print(text))
    }

    /// Prints an error above the bars.
    pub(crate) fn print_failure(&self, error: &Error) {
        self.bars.suspend(|| print_failure(error));
    }

    /// A bar that counts to `n`.
    pub(crate) fn bar(&self, name: &'static str, n: u64) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(n));
        if let Ok(style) = ProgressStyle::with_template("  {prefix:<32} {bar:30} {human_pos:>9} / {human_len}") {
            bar.set_style(style);
        }
        bar.set_prefix(name);
        bar
    }

    /// Takes steps and bars away.
    pub(crate) fn clear(&self) {
        self.step.finish_and_clear();
        // Only a terminal that is gone refuses.
        let _ = self.bars.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_command() {
        let check = |path: &str, expected: &str| assert_eq!(shell_word(Path::new(path)), expected);
        check("../a-b/pipeline.toml", "../a-b/pipeline.toml");
        check("my file", "'my file'");
        check("it's", r"'it'\''s'");
    }
}
