//! Errors as a person reads them: one line of what happened, one of what to do.

use std::io;

use anyhow::Error;
use landfall_local::process::ProcessError;
use landfall_local::s3::S3Error;
use landfall_local::snowflake::SnowflakeError;
use landfall_local::stack::StackError;
use landfall_local::venv::VenvError;
use landfall_snowflake::SessionError;

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
        return Some(format!("free some space on the disk of {}, or use another folder: --dir", place(error)));
    }
    if let Some(remedy) = error.chain().find_map(|cause| cause.downcast_ref::<SessionError>()?.remedy()) {
        return Some(remedy.to_owned());
    }
    match error.downcast_ref::<StackError>()? {
        StackError::Dir { .. } => Some("check that the folder can be written to, or use another: --dir".to_owned()),
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
