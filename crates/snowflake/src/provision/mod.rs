//! An account is brought to what a pipeline needs, step by step: what is there is found, what is missing is planned,
//! shown and then made.
//!
//! Nothing here knows a network: statements go through [`Account`]. [`Session`] is one, [`Memory`] another.

mod found;
mod memory;
mod plan;
mod verify;

use std::future::Future;

pub use self::found::{Found, Integration};
pub use self::memory::{IAM_USER_ARN, Memory, NOTIFICATION_CHANNEL};
pub use self::plan::{Plan, Planned, Refused, plan};
pub use self::verify::{Check, Outcome, verify};
use crate::ddl::{By, Kind, Paths, Settings, quoted_path};
use crate::error::SessionError;
use crate::session::Session;
use crate::table::Table;

/// An account that runs statements, all in one session.
pub trait Account: Sync {
    /// Runs one statement, with `binds` for its `?`, and answers with its result.
    fn run(&self, sql: &str, binds: &[&str]) -> impl Future<Output = Result<Table, AccountError>> + Send;
}

/// Why a statement did not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct AccountError {
    /// "failed to …"
    pub what: String,
    /// Snowflake's code, where it has answered.
    pub code: Option<String>,
    /// What to do, where that is known.
    pub remedy: Option<String>,
}

impl From<SessionError> for AccountError {
    /// What Snowflake says is for whoever runs it; no statement of this module holds a row of a producer's.
    fn from(error: SessionError) -> Self {
        let code = error.code().map(str::to_owned);
        let remedy = error.remedy().map(str::to_owned);
        Self { what: landfall_core::chain(&error), code, remedy }
    }
}

impl Account for Session {
    async fn run(&self, sql: &str, binds: &[&str]) -> Result<Table, AccountError> {
        Ok(self.query(sql, binds).await?)
    }
}

/// What Terraform has to know of the account, once all is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// Who reads the bucket: STORAGE_AWS_IAM_USER_ARN of the integration.
    pub iam_user_arn: Option<String>,
    /// Where the pipe wants to hear of objects: its notification_channel.
    pub notification_channel: Option<String>,
}

/// Makes what is planned, in its order; `made` hears of each step that is done.
///
/// The pipe may have to wait for a role in AWS that trusts the integration, so its refusal is an answer and no error:
/// what comes after it is left out then.
///
/// # Errors
/// The statement that was refused, and why. What came before it is made, and is no part of the next plan.
pub async fn apply(
    account: &impl Account,
    settings: &Settings,
    plan: &Plan,
    mut made: impl FnMut(&Planned),
) -> Result<Option<AccountError>, AccountError> {
    let mut role = None;
    for step in &plan.steps {
        if role != Some(step.by) {
            account.run(&step.by.use_role(settings), &[]).await?;
            role = Some(step.by);
        }
        match account.run(&step.statement, &[]).await {
            Ok(_) => made(step),
            Err(error) if step.is_pipe => {
                account.run(&By::Administrator.use_role(settings), &[]).await?;
                return Ok(Some(error));
            }
            Err(error) => return Err(AccountError { what: format!("failed to make {}: {error}", step.what), ..error }),
        }
    }
    if role.is_some() {
        account.run(&By::Administrator.use_role(settings), &[]).await?;
    }
    Ok(None)
}

/// Reads what Terraform has to know.
///
/// # Errors
/// The account refused a statement. What is not there yet is none.
pub async fn handshake(
    account: &impl Account,
    settings: &Settings,
    pipeline: &landfall_core::Pipeline,
) -> Result<Handshake, AccountError> {
    let found = Found::read(account, settings, pipeline).await?;
    Ok(Handshake {
        iam_user_arn: found.integration.and_then(|integration| integration.iam_user_arn),
        notification_channel: found.notification_channel,
    })
}

/// Has the pipe load what landed before it was told of objects.
pub fn refresh(pipeline: &landfall_core::Pipeline) -> String {
    format!("ALTER {} {} REFRESH", Kind::Pipe.sql(), quoted_path(&Paths::of(pipeline).pipe))
}

#[cfg(test)]
mod tests;
