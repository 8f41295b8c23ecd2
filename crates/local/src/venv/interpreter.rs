//! The Python that the system has.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;

use super::VenvError;

/// Tried in this order: where the system's own is old (macOS: 3.9), a newer one often stands beside it.
pub(super) const CANDIDATES: [&str; 5] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

/// Where a list says nothing.
const LOWEST: Version = Version { major: 3, minor: 9 };

/// Prints the version first, so that it is known also where the modules are missing.
const PROBE: &str = "import sys; print('%d.%d' % sys.version_info[:2], flush=True); import venv, ensurepip";
const PRINT_VERSION: &str = "import sys; print('%d.%d' % sys.version_info[:2])";

/// A version of Python, as far as packages depend on it: `3.11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Always 3 so far.
    pub major: u32,
    /// The yearly release.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// The lowest version that a list of requirements names in a comment, such as `# Needs Python 3.11 or later`.
    pub(super) fn needed_by(requirements: &str) -> Self {
        let comments = requirements.lines().filter(|line| line.starts_with('#'));
        let after_python = comments.flat_map(|line| line.split("Python ").skip(1));
        after_python.filter_map(|text| Self::parse(text.split_whitespace().next()?)).next().unwrap_or(LOWEST)
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        let minor: String = minor.chars().take_while(char::is_ascii_digit).collect();
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

/// The first program of these that is new enough and can make a venv.
pub(super) async fn find(programs: &[&str], needed: Version) -> Result<String, VenvError> {
    let mut too_old: Option<(Version, &str)> = None;
    let mut without_venv = None;
    for &program in programs {
        let output = match run(program, PROBE).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            output => output.map_err(|source| VenvError::Run { program: program.into(), source })?,
        };
        // A shim of a version manager may stand for a Python that is not installed: it prints no version.
        let Some(version) = Version::parse(&String::from_utf8_lossy(&output.stdout)) else { continue };
        if version < needed {
            too_old = too_old.max(Some((version, program)));
        } else if output.status.success() {
            return Ok(program.into());
        } else {
            without_venv.get_or_insert(program);
        }
    }
    match (without_venv, too_old) {
        (Some(program), _) => Err(VenvError::NoVenvModule { program: program.into() }),
        (None, Some((found, program))) => Err(VenvError::TooOld { program: program.into(), found, needed }),
        (None, None) => Err(VenvError::NoPython { needed }),
    }
}

/// The version of an interpreter; fails when it does not run.
pub(super) async fn version(python: &Path) -> io::Result<Version> {
    let output = run(python, PRINT_VERSION).await?;
    let printed = String::from_utf8_lossy(&output.stdout);
    Version::parse(&printed).ok_or_else(|| io::Error::other(format!("it printed no version but {printed:?}")))
}

async fn run(program: impl AsRef<OsStr>, code: &str) -> io::Result<Output> {
    // -I: neither the user's own packages nor the PYTHON* variables.
    Command::new(program).args(["-I", "-c", code]).stdin(Stdio::null()).kill_on_drop(true).output().await
}
