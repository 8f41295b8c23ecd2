//! Why an invocation came to nothing, and whether another may fare better.

use std::future::Future;
use std::time::Duration;

use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::InvokeError;
use landfall_aws::{Fate, Refusal};
use serde::Deserialize;

use crate::aws;
use crate::failure::Failure;

/// How often a batch is tried.
const N_TRIES: u32 = 5;

/// The wait before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// Why an invocation came to nothing.
#[derive(Debug)]
pub(super) struct InvokeFault {
    /// As a person reads it.
    pub(super) error: anyhow::Error,
    /// Whether trying the same again may help.
    is_transient: bool,
    /// Whether no other batch would fare better: the function is not there, or it is another one.
    pub(super) is_final: bool,
}

/// What Lambda answers for a function that failed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionFailure {
    error_type: String,
    error_message: String,
}

impl InvokeFault {
    /// One that may not come again.
    pub(super) fn transient(error: anyhow::Error) -> Self {
        Self { error, is_transient: true, is_final: false }
    }

    /// One that this batch will meet again, and others may not.
    pub(super) fn of_the_batch(error: anyhow::Error) -> Self {
        Self { error, is_transient: false, is_final: false }
    }

    /// One that every batch will meet.
    pub(super) fn of_the_function(error: anyhow::Error) -> Self {
        Self { error, is_transient: false, is_final: true }
    }

    /// The function's own words, which say what to change.
    pub(super) fn failed(name: &str, payload: &[u8]) -> Self {
        match serde_json::from_slice::<FunctionFailure>(payload) {
            // What is sent was read here, as the function reads it: it is one that expects something else.
            Ok(FunctionFailure { error_type, error_message })
                if error_type == "Event" || error_type.contains("DeserializeError") =>
            {
                let what = format!("{name} failed: {error_type}: {error_message}");
                let remedy = "check --function-name: --landing is for Landfall's upsert, all else for its orchestrator";
                Self::of_the_function(Failure { what, remedy: remedy.to_owned() }.into())
            }
            Ok(FunctionFailure { error_type, error_message }) => Self {
                is_transient: is_transient(&error_type),
                error: anyhow::anyhow!("{name} failed: {error_type}: {error_message}"),
                is_final: false,
            },
            Err(_) => Self::transient(anyhow::anyhow!("{name} failed: {}", String::from_utf8_lossy(payload))),
        }
    }

    /// What AWS said.
    pub(super) fn refused(name: &str, error: &SdkError<InvokeError>) -> Self {
        let refusal = Refusal::new(error);
        Self {
            error: aws::failure(&format!("failed to invoke {name}"), error),
            is_transient: refusal.fate == Fate::Transient,
            is_final: refusal.code != "RequestTooLargeException"
                && (refusal.fate == Fate::Setup || nobody_is_there(error)),
        }
    }

    /// What an Invoke API on this machine said.
    pub(super) fn refused_here(name: &str, endpoint: &str, error: &SdkError<InvokeError>) -> Self {
        let what = format!("failed to invoke {name} at {endpoint}");
        let Some(response) = error.raw_response() else {
            if !nobody_is_there(error) {
                return Self::transient(anyhow::anyhow!("{what}: {}", Refusal::new(error).said));
            }
            let what = format!("{what}: nobody answers there");
            let remedy = "start it: cargo lambda watch -A 127.0.0.1 --ignore-changes --env-file dev.env; without --endpoint the \
                          local stack is used";
            let error = Failure { what, remedy: remedy.to_owned() };
            return Self { error: error.into(), is_transient: true, is_final: true };
        };
        let body = response.body().bytes().unwrap_or_default();
        if serde_json::from_slice::<FunctionFailure>(body).is_ok() {
            return Self::failed(name, body);
        }
        let status = response.status().as_u16();
        let said = String::from_utf8_lossy(body).trim().to_owned();
        let what = format!("{what}: HTTP {status}: {said}");
        let remedy = "check --function-name, and what is printed there".to_owned();
        let is_transient = Refusal::new(error).fate == Fate::Transient;
        Self { error: Failure { what, remedy }.into(), is_transient, is_final: !is_transient && status != 413 }
    }
}

/// Whether a function's failure may pass. What somebody has to change first ends so in both functions; rows that cannot be
/// made into objects stay what they are. Lambda's own names are time-outs and crashes.
fn is_transient(error_type: &str) -> bool {
    !(error_type.ends_with("Setup") || error_type == "Encode")
}

/// Whether nothing took the request: no time-out, which is the function's.
fn nobody_is_there(error: &SdkError<InvokeError>) -> bool {
    matches!(error, SdkError::DispatchFailure(failure) if !failure.is_timeout())
}

/// Tries a few times, with longer and longer pauses, what throttles and the like may stop.
pub(super) async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, InvokeFault>
where
    F: Future<Output = Result<T, InvokeFault>>,
{
    with_pauses(PAUSE, attempt).await
}

pub(super) async fn with_pauses<T, F>(mut pause: Duration, attempt: impl Fn() -> F) -> Result<T, InvokeFault>
where
    F: Future<Output = Result<T, InvokeFault>>,
{
    for _ in 1..N_TRIES {
        match attempt().await {
            Err(fault) if fault.is_transient => tokio::time::sleep(pause).await,
            done => return done,
        }
        pause *= 2;
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often a function is tried that fails so, `n_failures` times.
    async fn n_tries(n_failures: u32, fault: fn() -> InvokeFault) -> (u32, bool) {
        let n_tries = Cell::new(0);
        let done = with_pauses(Duration::ZERO, async || {
            n_tries.set(n_tries.get() + 1);
            if n_tries.get() <= n_failures { Err(fault()) } else { Ok(()) }
        });
        let done = done.await.is_ok();
        (n_tries.get(), done)
    }

    fn failed(error_type: &str) -> InvokeFault {
        InvokeFault::failed("f", format!(r#"{{"errorType":"{error_type}","errorMessage":"why"}}"#).as_bytes())
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_a_few_times() {
        let throttle = || InvokeFault::transient(anyhow::anyhow!("Rate Exceeded."));
        assert_eq!(n_tries(0, throttle).await, (1, true));
        assert_eq!(n_tries(4, throttle).await, (5, true));
        assert_eq!(n_tries(5, throttle).await, (5, false));
        assert_eq!(n_tries(1, || failed("UpsertTransient")).await, (2, true));
        assert_eq!(n_tries(1, || failed("Sandbox.Timedout")).await, (2, true));
    }

    #[tokio::test]
    async fn what_stays_is_tried_once() {
        assert_eq!(n_tries(1, || failed("LandSetup")).await, (1, false));
        assert_eq!(n_tries(1, || failed("Event")).await, (1, false));
        assert_eq!(n_tries(1, || InvokeFault::of_the_batch(anyhow::anyhow!("x"))).await, (1, false));
        assert!(failed("Event").is_final && failed("&lambda_runtime::deserializer::DeserializeError").is_final);
        assert!(!failed("LandSetup").is_final && InvokeFault::of_the_function(anyhow::anyhow!("x")).is_final);
        assert_eq!(failed("LandSetup").error.to_string(), "f failed: LandSetup: why");
    }
}
