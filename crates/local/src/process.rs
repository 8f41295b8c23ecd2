//! Child processes which stop when their parent does, however it ends.
//!
//! A child's stdin is a pipe that the parent holds and never writes to. When the parent is gone, also by SIGKILL, the
//! pipe ends, and a child that watches for it ([`exit_when_orphaned`]) exits by itself.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a child has to go by itself once its stdin is closed.
const GRACE: Duration = Duration::from_secs(2);

const MAX_TAIL_BYTES: u64 = 8 * 1024;
const MAX_TAIL_LINES: usize = 12;

/// A child process: killed when dropped, orphaned when the parent dies.
///
/// It has a process group of its own, so that a terminal's Ctrl-C reaches the parent alone, which then stops its
/// children in its own order.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
}

/// Where a child's stdout goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To the log file, with stderr.
    Log,
    /// To the parent, line by line: [`ChildProcess::next_line`]. Read it to its end, else the child blocks on a full pipe.
    Lines,
}

/// Why a child process does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The log file, or a folder above it, cannot be made.
    #[error("failed to open the log file {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The program is absent, not executable, or the system is out of processes.
    #[error("failed to start {program}")]
    Start {
        /// The program, as asked for.
        program: String,
        /// What the system says; `NotFound` when there is no such program.
        source: std::io::Error,
    },
}

impl ChildProcess {
    /// Starts `command` with its stdin held and its stderr (and stdout, by `output`) appended to `log_file`.
    ///
    /// The command's own settings of stdin, stdout and stderr are overwritten; its environment is the caller's matter.
    pub fn spawn(mut command: Command, output: Output, log_file: &Path) -> Result<Self, ProcessError> {
        let log = open_log(log_file).map_err(|source| ProcessError::Log { path: log_file.into(), source })?;
        command.stdin(Stdio::piped()).kill_on_drop(true);
        match output {
            Output::Lines => command.stdout(Stdio::piped()),
            Output::Log => {
                let log = log.try_clone().map_err(|source| ProcessError::Log { path: log_file.into(), source })?;
                command.stdout(log)
            }
        };
        command.stderr(log);
        #[cfg(unix)]
        command.process_group(0);

        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|source| ProcessError::Start { program, source })?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Ok(Self { child, stdin, stdout })
    }

    /// The process id, or `None` once its exit has been seen.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The next line of stdout without its line end; `None` at its end, or when stdout goes to the log.
    ///
    /// Cancel-safe: a line half read is kept for the next call.
    pub async fn next_line(&mut self) -> std::io::Result<Option<String>> {
        match &mut self.stdout {
            Some(lines) => lines.next_line().await,
            None => Ok(None),
        }
    }

    /// Whether it has exited by now. Never waits.
    pub fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for it to exit by itself, its stdin still held. Cancel-safe.
    pub async fn exited(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Kills it (SIGKILL) and does not wait. Nothing happens when it has exited already.
    pub fn kill(&mut self) {
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, "the process had exited before it was killed");
        }
    }

    /// Closes its stdin, which asks it to go, and kills it when it is still there two seconds later.
    pub async fn stop(&mut self) {
        self.stop_within(GRACE).await;
    }

    async fn stop_within(&mut self, grace: Duration) {
        drop(self.stdin.take());
        if tokio::time::timeout(grace, self.child.wait()).await.is_err() {
            self.kill();
            if let Err(error) = self.child.wait().await {
                tracing::warn!(%error, "failed to wait for a killed process");
            }
        }
    }
}

/// Makes this process exit, with status 0, as soon as its stdin ends: when its parent has closed it or is gone.
///
/// A Rust program that runs as a function of the local Lambda host calls it first of all. A plain thread blocks on
/// stdin, so it works before, without and beside an async runtime, and whatever is read is thrown away. Never call it
/// where stdin may be the null device (a real Lambda function, a service): the process would end at once.
pub fn exit_when_orphaned() {
    std::thread::spawn(|| {
        let mut buffer = [0; 64];
        let mut stdin = std::io::stdin();
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => std::process::exit(0),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => std::process::exit(0),
            }
        }
    });
}

fn open_log(path: &Path) -> std::io::Result<std::fs::File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).open(path)
}

/// The last lines of a log, of what was written after its byte `start`. Empty when it cannot be read.
pub(crate) fn log_tail(path: &Path, start: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(end.saturating_sub(MAX_TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(MAX_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(MAX_TAIL_LINES)..].join("\n")
}

/// The last line of a log's end, for a message of one line.
pub(crate) fn last_line(tail: &str) -> &str {
    tail.lines().last().unwrap_or("its log is empty").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_kills_a_child_that_does_not_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut child = ChildProcess::spawn(command, Output::Log, &folder.path().join("log")).unwrap();

        child.stop_within(Duration::from_millis(1)).await;

        assert!(child.has_exited());
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines_after_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let lines: Vec<String> = (0..5_000).map(|n| format!("line {n}\n\n")).collect();
        std::fs::write(&log, lines.concat()).unwrap();

        let tail = log_tail(&log, 0);
        let from_the_last = log_tail(&log, (lines.concat().len() - "line 4999\n\n".len()) as u64);

        assert_eq!(tail.lines().count(), MAX_TAIL_LINES);
        assert!(tail.starts_with("line 4988\n") && tail.ends_with("line 4999"), "{tail}");
        assert_eq!(from_the_last, "line 4999");
        assert_eq!(log_tail(&folder.path().join("absent"), 0), "");
    }
}
