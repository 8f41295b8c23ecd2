//! Errors as a person reads them: one line of what happened, one of what to do.

use anyhow::Error;
use landfall_local::snowflake::SnowflakeError;
use landfall_local::stack::StackError;

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
    match error.downcast_ref::<StackError>()? {
        StackError::Dir { .. } => Some("check that the folder can be written to, or use another: --dir".to_owned()),
        StackError::NotOurs { .. } => {
            Some("name a new or an empty folder: --dir; what is in it is removed at each clean start".to_owned())
        }
        StackError::Awkward { .. } => Some("use another folder: --dir".to_owned()),
        StackError::Running { .. } => {
            Some("stop that one (Ctrl-C where it runs), or use another folder: --dir".to_owned())
        }
        StackError::Venv(error) => Some(error.remedy()),
        StackError::Snowflake(SnowflakeError::SetUp(error)) => error.remedy().map(str::to_owned),
        StackError::Snowflake(SnowflakeError::NotReady { log, .. }) => Some(format!("see {}", log.display())),
        _ => None,
    }
}
