//! An account is brought to what a pipeline needs, step by step: what is there is found, what is missing is planned,
//! shown and then made.
//!
//! Nothing here knows a network: statements go through [`Account`]. [`Session`] is one, [`Memory`] another.

mod found;
mod memory;
mod plan;
mod refused;
mod verify;

use std::future::Future;

pub use self::found::{Found, Integration, public_keys};
pub use self::memory::{IAM_USER_ARN, Memory, NOTIFICATION_CHANNEL};
pub use self::plan::{Plan, Planned, plan};
pub use self::refused::Refused;
pub use self::verify::{Check, Outcome, notification_channel, verify};
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
    /// Whether the service user has any public key.
    pub has_key: bool,
}

/// Makes what is planned, in its order; `made` hears of each step that is done.
///
/// The pipe may have to wait for a role in AWS that trusts the integration, so that refusal is an answer and no error:
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
    // What it has logged in with.
    let mut role = By::Administrator;
    let mut outcome = Ok(None);
    for step in &plan.steps {
        if role != step.by {
            outcome = take_on(account, settings, step.by).await.map(|()| None);
            if outcome.is_err() {
                break;
            }
            role = step.by;
        }
        match account.run(&step.statement, &[]).await {
            Ok(_) => made(step),
            Err(error) if step.is_pipe && is_not_trusted(&error) => {
                outcome = Ok(Some(error));
                break;
            }
            Err(error) => {
                outcome = Err(AccountError { what: format!("failed to make {}: {error}", step.what), ..error });
                break;
            }
        }
    }
    if role == By::Administrator {
        return outcome;
    }
    // Also after a failure, which is the one to hear of: the handshake is asked for in this session.
    let back = take_on(account, settings, By::Administrator).await;
    outcome.and_then(|late| back.map(|()| late))
}

async fn take_on(account: &impl Account, settings: &Settings, by: By) -> Result<(), AccountError> {
    let sql = by.use_role(settings);
    let error = match account.run(&sql, &[]).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    Err(AccountError {
        what: format!("failed to {sql}: {error}"),
        code: error.code,
        remedy: Some(format!(
            "log in with what is not limited to one role: a programmatic access token without ROLE_RESTRICTION, an OAuth \
             token of scope session:role-any, a key or a password; {} needs {}",
            settings.administrator_role, settings.owner_role
        )),
    })
}

/// Whether AWS did not let Snowflake in, which is so until Terraform knows who that is.
///
/// Source: public logs, `003167 (42601): Error assuming AWS_ROLE: … is not authorized to perform: sts:AssumeRole` and
/// `091003 (22000): Failure using stage area. Cause: [Access Denied (Status Code: 403; Error Code: AccessDenied)]`.
fn is_not_trusted(error: &AccountError) -> bool {
    let said = error.what.to_lowercase();
    ["assuming aws_role", "assumerole", "access denied", "accessdenied"].iter().any(|word| said.contains(word))
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
        has_key: found.keys.iter().any(Option::is_some),
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
