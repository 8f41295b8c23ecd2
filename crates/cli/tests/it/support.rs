//! Runs the binary in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use landfall_local::snowflake::REQUIREMENTS;
use landfall_local::venv::Venv;
use tempfile::TempDir;

/// A `--dir` with a venv in it: the one that all tests share.
pub(crate) async fn dir() -> TempDir {
    let venv = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.landfall/venv");
    let venv = std::path::absolute(venv).unwrap();
    Venv::ensure(&venv, REQUIREMENTS, |_| {}).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(venv, dir.path().join("venv")).unwrap();
    dir
}

pub(crate) fn landfall(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.args(args);
    command
}

/// A command on the stack of a folder.
pub(crate) fn in_dir(command: &str, dir: &Path) -> Command {
    let mut command = landfall(&[command, "--dir"]);
    command.arg(dir);
    command
}

pub(crate) fn demo(dir: &Path, args: &[&str]) -> Command {
    let mut command = in_dir("demo", dir);
    command.args(args);
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The JSON on stdout, which holds nothing else.
#[track_caller]
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", text(&output.stdout), text(&output.stderr)))
}
