//! A Python environment of our own, made once from a pinned list and used again.
//!
//! It is built in place, since a venv holds its own path, under a lock beside it (`<dir>.lock`), with a log beside it
//! (`<dir>.log`). A marker file, removed first and written last, holds what it was built from: a build that broke off, another
//! list, another Python or one that is gone all show as a marker that does not match, and lead to a new build.

mod build;
mod interpreter;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use self::interpreter::{CANDIDATES, Version};

/// Holds what the venv was built from.
const MARKER: &str = "landfall-requirements.txt";

/// Begins the marker; the version follows, and then the list.
const BUILT_BY: &str = "# built by Python ";

/// A Python environment that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venv {
    python: PathBuf,
}

/// Why there is no Python environment, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VenvError {
    /// No interpreter on PATH.
    #[error("failed to find python3 on PATH")]
    NoPython {
        /// The lowest version that will do.
        needed: Version,
    },
    /// The interpreters on PATH are too old.
    #[error("failed to find a Python that is new enough: {program} is {found}")]
    TooOld {
        /// The newest that was found.
        program: String,
        /// Its version.
        found: Version,
        /// The lowest version that will do.
        needed: Version,
    },
    /// Debian and Ubuntu have `venv` in a package of its own.
    #[error("failed to use {program}: it lacks the venv module")]
    NoVenvModule {
        /// The interpreter.
        program: String,
    },
    /// An interpreter does not run.
    #[error("failed to run {program}")]
    Run {
        /// The interpreter.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder of the environment cannot be made or locked.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `python -m venv` failed.
    #[error("failed to make the Python environment: {}", crate::process::last_line(tail))]
    Create {
        /// The environment.
        dir: PathBuf,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// pip failed.
    #[error("failed to install the Python packages: {}", pips_error(tail))]
    Install {
        /// The environment.
        dir: PathBuf,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A child process could not be started.
    #[error(transparent)]
    Process(#[from] crate::process::ProcessError),
}

impl VenvError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoPython { needed } | Self::TooOld { needed, .. } => {
                format!("install Python {needed} or later: the local Snowflake runs on it")
            }
            Self::NoVenvModule { .. } => "install it; on Debian and Ubuntu: apt install python3-venv".to_owned(),
            Self::Create { dir, log, .. } => {
                format!(
                    "see {}, or remove the environment by hand and start again: rm -r {}",
                    log.display(),
                    dir.display()
                )
            }
            Self::Install { dir, log, .. } => format!(
                "check the network, which is needed once, or point pip at a package index that it reaches \
                 (PIP_INDEX_URL); see {}; when all that is right, remove the environment by hand and start again: rm -r {}",
                log.display(),
                dir.display()
            ),
            Self::Write { .. } => "check that the folder can be written to and that the disk is not full".to_owned(),
            Self::Run { .. } | Self::Process(_) => "check that Python runs: python3 --version".to_owned(),
        }
    }
}

impl Venv {
    /// Makes the environment in `dir` with the packages of `requirements` (pinned, in pip's format), unless it is there.
    ///
    /// The lowest Python is read from the first comment with a version ("# Needs Python 3.11 or later"). `progress` is told of each step, as a line for
    /// a person. When several ask at once, also in several processes, one builds and the others wait for it.
    /// Cancel-safe: pip is stopped, and the next call builds anew.
    pub async fn ensure(dir: &Path, requirements: &str, progress: impl Fn(&str)) -> Result<Self, VenvError> {
        Self::ensure_with(&CANDIDATES, dir, requirements, &progress).await
    }

    /// The interpreter, by its full path.
    pub fn python(&self) -> &Path {
        &self.python
    }

    async fn ensure_with(
        programs: &[&str],
        dir: &Path,
        requirements: &str,
        progress: &dyn Fn(&str),
    ) -> Result<Self, VenvError> {
        let dir = std::path::absolute(dir).map_err(write_failure(dir))?;
        let venv = Self { python: dir.join("bin").join("python") };
        if venv.state(&dir, requirements).await == State::Current {
            return Ok(venv);
        }
        let _lock = lock(&dir.with_added_extension("lock"), progress).await?;
        let why = match venv.state(&dir, requirements).await {
            State::Current => return Ok(venv),
            State::Absent => None,
            State::Stale(why) => Some(why),
        };

        let needed = Version::needed_by(requirements);
        let python = interpreter::find(programs, needed).await?;
        if let Some(why) = why {
            progress(&format!("the Python environment is out of date ({why}): building it anew"));
        }
        let marker = dir.join(MARKER);
        match fs::remove_file(&marker) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(write_failure(&marker)(error));
            }
            _ => {}
        }
        build::create(&python, &dir, progress).await?;
        build::install(&venv.python, &dir, requirements, progress).await?;

        let version = interpreter::version(&venv.python).await;
        let version =
            version.map_err(|source| VenvError::Run { program: venv.python.display().to_string(), source })?;
        write_marker(&marker, version, requirements)?;
        progress("Python is set up");
        Ok(venv)
    }

    /// Whether it was built to its end, from this list, and by a Python that still runs.
    async fn state(&self, dir: &Path, requirements: &str) -> State {
        let marker = match fs::read_to_string(dir.join(MARKER)) {
            Ok(marker) => marker,
            Err(_) if fs::symlink_metadata(dir).is_err() => return State::Absent,
            Err(_) => return State::Stale("an earlier build of it broke off".to_owned()),
        };
        let version = match interpreter::version(&self.python).await {
            Ok(version) => version,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return State::Stale("the Python that it was built by is gone".to_owned());
            }
            Err(error) => return State::Stale(format!("its Python does not run: {error}")),
        };
        if marker == marker_text(version, requirements) {
            return State::Current;
        }
        match marker.lines().next().and_then(|line| line.strip_prefix(BUILT_BY)) {
            Some(built_by) if built_by != version.to_string() => {
                State::Stale(format!("it was built by Python {built_by}, and that is {version} now"))
            }
            _ => State::Stale("the list of its packages has changed".to_owned()),
        }
    }
}

/// What is there of an environment.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Current,
    Absent,
    /// Why it is to be built anew.
    Stale(String),
}

/// What pip gave up for. Its other lines come through this process, and may stand after that in the log.
fn pips_error(tail: &str) -> &str {
    // After that one comes a traceback, whose last line says more.
    let is_said = |line: &&str| line.starts_with("ERROR: ") && *line != "ERROR: Exception:";
    let error = tail.lines().rev().find(is_said);
    error.unwrap_or_else(|| crate::process::last_line(tail))
}

fn marker_text(python: Version, requirements: &str) -> String {
    format!("{BUILT_BY}{python}\n{requirements}")
}

/// Writes the marker whole or not at all.
fn write_marker(path: &Path, python: Version, requirements: &str) -> Result<(), VenvError> {
    let half = path.with_extension("half");
    fs::write(&half, marker_text(python, requirements)).map_err(write_failure(&half))?;
    fs::rename(&half, path).map_err(write_failure(path))
}

/// Waits for the lock file, which is held while the file is open.
async fn lock(path: &Path, progress: &dyn Fn(&str)) -> Result<File, VenvError> {
    let failure = write_failure(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(&failure)?;
    }
    let file = File::options().create(true).append(true).open(path).map_err(&failure)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::Error(error)) => return Err(failure(error)),
        Err(TryLockError::WouldBlock) => progress("waiting for another landfall to finish setting up Python"),
    }
    // Not `spawn_blocking`: a runtime waits for such a thread when it shuts down, and so would Ctrl-C.
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(file.lock().map(|()| file)));
    match receiver.await {
        Ok(locked) => locked.map_err(failure),
        Err(_) => Err(failure(io::Error::other("the thread that waited for the lock is gone"))),
    }
}

fn write_failure(path: &Path) -> impl Fn(io::Error) -> VenvError {
    let path = path.to_path_buf();
    move |source| VenvError::Write { path: path.clone(), source }
}

#[cfg(test)]
mod tests;
