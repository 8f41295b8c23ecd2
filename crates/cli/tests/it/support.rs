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

/// Every form in which a private key could be seen: the lines of its PEM, and parts of what they encode, as bytes and in
/// hex.
pub(crate) fn forms(pem: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let lines: Vec<&str> = pem.lines().filter(|line| !line.is_empty() && !line.starts_with("-----")).collect();
    assert!(lines.len() > 10, "no PEM of a key: {} lines", lines.len());
    let der = base64::engine::general_purpose::STANDARD.decode(lines.concat()).unwrap();
    // The first bytes are those of any key, and its modulus is public: it is in the public key as well.
    let parts = der[PUBLIC_BYTES..].chunks_exact(32);
    let hex = parts.clone().map(|part| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
    let bytes = parts.clone().map(<[u8]>::to_vec);
    lines.iter().map(|line| line.as_bytes().to_vec()).chain(bytes).chain(hex).collect()
}

/// How much of a PKCS#8 key of 2048 bits is before its private exponent: headers, modulus and public exponent.
const PUBLIC_BYTES: usize = 300;

#[track_caller]
pub(crate) fn shows_none(forms: &[Vec<u8>], what: &str, bytes: &[u8]) {
    for form in forms {
        let is_there = bytes.windows(form.len()).any(|window| window == form);
        assert!(!is_there, "{what} holds a secret, {} bytes in one of {} forms", form.len(), forms.len());
    }
}

/// The same of all that a command said.
#[track_caller]
pub(crate) fn says_none(forms: &[Vec<u8>], output: &Output) {
    shows_none(forms, "stdout", &output.stdout);
    shows_none(forms, "stderr", &output.stderr);
}
