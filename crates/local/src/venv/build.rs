//! The two steps of a build: `python -m venv`, then `pip install`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use tokio::process::Command;

use super::{VenvError, write_failure};
use crate::process::{ChildProcess, Output, log_tail};

/// Runs a module as `python -m` does, and ends with its parent: when stdin does.
///
/// Not by `sys.stdin`, whose lock the thread would still hold when the interpreter shuts down.
const WATCHED: &str = "
import os, runpy, sys, threading
def watch():
    while os.read(0, 64):
        pass
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
";

/// Makes an empty venv, in place of what stands there.
pub(super) async fn create(python: &str, dir: &Path, progress: &dyn Fn(&str)) -> Result<(), VenvError> {
    progress("making a Python environment");
    let log = dir.with_added_extension("log");
    // Each build has a log of its own.
    fs::write(&log, "").map_err(write_failure(&log))?;
    let args: [&OsStr; 3] = ["venv".as_ref(), "--clear".as_ref(), dir.as_ref()];
    if run(python.as_ref(), &args, &log, &mut |_| {}).await? {
        return Ok(());
    }
    let tail = log_tail(&log, 0);
    Err(VenvError::Create { dir: dir.to_owned(), log, tail })
}

/// Installs the packages, telling of each.
pub(super) async fn install(
    python: &Path,
    dir: &Path,
    requirements: &str,
    progress: &dyn Fn(&str),
) -> Result<(), VenvError> {
    let n_packages = packages(requirements).count();
    if n_packages == 0 {
        return Ok(());
    }
    let list = dir.join("requirements.txt");
    fs::write(&list, requirements).map_err(write_failure(&list))?;
    let mut args: Vec<&OsStr> =
        ["pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
            .iter()
            .map(OsStr::new)
            .collect();
    args.extend([OsStr::new("--requirement"), list.as_ref()]);

    let log = dir.with_added_extension("log");
    let mut n_collected = 0;
    let mut tell = |line: &str| {
        if let Some(package) = line.strip_prefix("Collecting ") {
            n_collected += 1;
            let package = package.split_whitespace().next().unwrap_or_default();
            progress(&format!("fetching Python packages, {n_collected} of {n_packages}: {package}"));
        } else if line.starts_with("Installing collected packages") {
            progress(&format!("installing {n_packages} Python packages"));
        }
    };
    if run(python.as_ref(), &args, &log, &mut tell).await? {
        return Ok(());
    }
    let tail = log_tail(&log, 0);
    Err(VenvError::Install { dir: dir.to_owned(), log, tail })
}

/// The lines of a list that name a package.
fn packages(requirements: &str) -> impl Iterator<Item = &str> {
    requirements.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '-']))
}

/// Runs a module with its output in the log, and says whether it succeeded.
async fn run(python: &OsStr, args: &[&OsStr], log: &Path, tell: &mut dyn FnMut(&str)) -> Result<bool, VenvError> {
    let failure = write_failure(log);
    let mut log_file = File::options().append(true).open(log).map_err(&failure)?;
    let mut command = Command::new(python);
    // A setting `user = true` in a person's pip.conf makes every install into a venv fail.
    command.args(["-I", "-c", WATCHED]).args(args).env("PIP_USER", "0");
    let mut child = ChildProcess::spawn(command, Output::Lines, log)?;
    while let Some(line) = child.next_line().await.map_err(&failure)? {
        writeln!(log_file, "{line}").map_err(&failure)?;
        tell(&line);
    }
    let status = child.exited().await;
    let status = status.map_err(|source| VenvError::Run { program: python.to_string_lossy().into_owned(), source })?;
    Ok(status.success())
}
