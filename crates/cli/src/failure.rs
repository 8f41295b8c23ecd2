//! Errors as a person reads them: one line of what happened, one of what to do.

use std::io;
use std::path::Path;

use anyhow::Error;
use landfall_local::process::ProcessError;
use landfall_local::s3::S3Error;
use landfall_local::snowflake::SnowflakeError;
use landfall_local::stack::StackError;
use landfall_local::venv::VenvError;
use landfall_snowflake::SessionError;

/// With less than this, a disk counts as full: the local Snowflake writes this much at once.
const LEAST_SPACE_BYTES: usize = 1024 * 1024;

/// An error that says what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What happened.
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// What to do about an error, as far as it says so.
pub(crate) fn remedy(error: &Error) -> Option<String> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.remedy.clone());
    }
    if is_disk_full(error) {
        return Some(free_space(&place(error)));
    }
    if let Some(remedy) = error.chain().find_map(|cause| cause.downcast_ref::<SessionError>()?.remedy()) {
        return Some(remedy.to_owned());
    }
    match error.downcast_ref::<StackError>()? {
        StackError::Dir { .. } => Some("check that the folder can be written to, or use another: --dir".to_owned()),
        StackError::Snowflake(SnowflakeError::Schema(_)) => Some(
            "change it back, or let go of the rows that are there: landfall dev --clean, or landfall demo".to_owned(),
        ),
        StackError::NotOurs { .. } => {
            Some("name a new or an empty folder: --dir; what is in it is removed at each clean start".to_owned())
        }
        StackError::Awkward { .. } => Some("use another folder: --dir".to_owned()),
        StackError::Running { .. } => {
            Some("stop that one (Ctrl-C where it runs), or use another folder: --dir".to_owned())
        }
        StackError::Port { .. } => Some(
            "stop the program that listens there, or choose other ports: --port 0 takes any that are free".to_owned(),
        ),
        StackError::Connect { .. } => Some("stop the stack that runs there and start it anew".to_owned()),
        StackError::Venv(error) => Some(error.remedy()),
        StackError::Snowflake(SnowflakeError::NotReady { log, .. }) => Some(format!("see {}", log.display())),
        _ => None,
    }
}

/// Whether anything beneath an error, or the log of the child process that it is about, says that a disk is full.
fn is_disk_full(error: &Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let is_kind = |error: &io::Error| matches!(error.kind(), StorageFull | QuotaExceeded);
    if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_kind)) {
        return true;
    }
    let tail = match error.downcast_ref() {
        Some(StackError::Venv(VenvError::Create { tail, .. } | VenvError::Install { tail, .. })) => tail,
        Some(StackError::Snowflake(SnowflakeError::NotReady { tail, .. })) => tail,
        _ => "",
    };
    let text = format!("{}\n{tail}", landfall_core::chain(error.as_ref())).to_lowercase();
    ["no space left on device", "disk quota exceeded"].iter().any(|full| text.contains(full))
}

fn free_space(place: &str) -> String {
    format!("free some space on the disk of {place}, or use another folder: --dir")
}

/// Whether the disk of a stack's folder is full: a function whose log is there cannot say so itself.
pub(crate) fn disk_full(dir: &Path) -> Option<Failure> {
    let file = dir.join("space");
    let written = std::fs::write(&file, vec![0; LEAST_SPACE_BYTES]);
    // Also what there was room for. There is none where nothing could be written.
    let _ = std::fs::remove_file(&file);
    let error = Error::from(written.err()?);
    let remedy = free_space(&dir.display().to_string());
    is_disk_full(&error).then(|| Failure { what: format!("failed to go on: {error}"), remedy })
}

/// Where the disk is that an error is about, as far as it says so.
fn place(error: &Error) -> String {
    let path = match error.downcast_ref() {
        Some(StackError::Dir { path, .. }) => path,
        // pip unpacks there.
        Some(StackError::Venv(VenvError::Create { dir, .. } | VenvError::Install { dir, .. })) => {
            return format!("{} and of the folder for temporary files (TMPDIR)", dir.display());
        }
        Some(StackError::Venv(VenvError::Write { path, .. })) => path,
        Some(StackError::Venv(VenvError::Process(ProcessError::Log { path, .. }))) => path,
        Some(StackError::S3(S3Error::Root { path, .. })) => path,
        Some(StackError::Snowflake(
            SnowflakeError::Write { path, .. } | SnowflakeError::NotReady { log: path, .. },
        )) => path,
        _ => return "the folder".to_owned(),
    };
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[track_caller]
    fn check(error: Error, expected: Option<&str>) {
        assert_eq!(remedy(&error).as_deref(), expected, "{error:?}");
    }

    #[test]
    fn a_full_disk_is_found_beneath_any_error() {
        let full = Some("free some space on the disk of the folder, or use another folder: --dir");
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            check(io::Error::from(kind).into(), full);
            let write = VenvError::Write { path: "venv/x".into(), source: kind.into() };
            let venv = Some("free some space on the disk of venv/x, or use another folder: --dir");
            check(StackError::Venv(write).into(), venv);
        }
        let beneath = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull)).context("failed to write the report");
        check(beneath.unwrap_err(), full);
        let tail = "OSError: [Errno 28] No space left on device\nERROR: Failed to build duckdb".to_owned();
        let pip = VenvError::Install { dir: "venv".into(), log: "venv.log".into(), tail };
        let place = "venv and of the folder for temporary files (TMPDIR)";
        let remedy = format!("free some space on the disk of {place}, or use another folder: --dir");
        check(StackError::Venv(pip).into(), Some(&remedy));
        // In the words of another process.
        check(anyhow::anyhow!("landfall-orchestrator failed: LandTransient: … no space left on device"), full);
        check(io::Error::from(io::ErrorKind::PermissionDenied).into(), None);
    }

    #[test]
    fn what_a_session_says_to_do_is_passed_on() {
        let empty = landfall_snowflake::Config {
            account: String::new(),
            user: String::new(),
            credentials: landfall_snowflake::Credentials::OAuth(landfall_snowflake::Secret::new("")),
            base_url: None,
            role: None,
            warehouse: None,
            database: None,
            schema: None,
            query_tag: String::new(),
            statement_timeout: std::time::Duration::from_secs(1),
        };
        let error = landfall_snowflake::Session::new(empty).context("failed to look at the tables").unwrap_err();
        check(error, Some("check SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and SNOWFLAKE_URL"));
    }

    #[test]
    fn a_disk_with_space_is_not_taken_for_a_full_one_and_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert!(disk_full(dir.path()).is_none() && disk_full(&dir.path().join("absent")).is_none());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
