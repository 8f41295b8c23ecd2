//! The orchestrator, wherever it runs.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{Credentials, Region};
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use landfall_core::config::Timeouts;
use landfall_local::s3::{ACCESS_KEY, SECRET_KEY};
use serde::Deserialize;

use super::event::Event;
use crate::aws;
use crate::failure::Failure;

/// What local services are told; none of them looks at it.
pub(super) const LOCAL_REGION: &str = "us-east-1";

/// A function that takes events.
#[derive(Debug)]
pub(super) struct Target {
    client: Client,
    name: String,
    /// Where it is said to listen; `None` on AWS.
    endpoint: Option<String>,
}

/// What the function said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) duration: Duration,
}

/// An orchestrator's answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchResponse {
    batch_item_failures: Vec<serde_json::Value>,
}

/// What Lambda answers for a function that failed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionFailure {
    error_type: String,
    error_message: String,
}

impl Target {
    /// A function behind an Invoke API on this machine.
    pub(super) fn at(endpoint: &str, name: &str) -> Self {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .endpoint_url(endpoint)
            .region(Region::from_static(LOCAL_REGION))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "landfall"))
            // cargo lambda answers for a failed function with 500, which would run it three times.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .build();
        let (name, endpoint) = (name.to_owned(), Some(endpoint.to_owned()));
        Self { client: Client::from_conf(config), name, endpoint }
    }

    /// A deployed function, by name or ARN, with the credentials and the region of the environment.
    pub(super) fn deployed(aws: &SdkConfig, name: &str) -> Self {
        let config = aws_sdk_lambda::config::Builder::from(aws).timeout_config(timeouts()).build();
        Self { client: Client::from_conf(config), name: name.to_owned(), endpoint: None }
    }

    /// What a deployed function's LANDING_BUCKET says, if one may look.
    pub(super) async fn landing_bucket(&self) -> Option<String> {
        let configuration = self.client.get_function_configuration().function_name(&self.name).send().await.ok()?;
        configuration.environment()?.variables()?.get("LANDING_BUCKET").cloned()
    }

    /// Invokes it synchronously.
    ///
    /// # Errors
    /// It could not be invoked, failed, or answered that records are to be tried again.
    pub(super) async fn invoke(&self, event: &Event) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let payload = Blob::new(event.text.as_bytes());
        let output = self.client.invoke().function_name(&self.name).payload(payload).send().await;
        let output = output.map_err(|error| self.refused(error))?;
        let text = self.answer(&output)?;
        Ok(Answer { text, duration: started.elapsed() })
    }

    /// How to see what it landed, where nobody has said which bucket that is in.
    pub(super) fn how_to_look(&self) -> &'static str {
        match self.endpoint {
            Some(_) => "no stack runs in the folder (landfall dev, or --dir)",
            None => "name its bucket with --bucket",
        }
    }

    fn answer(&self, output: &InvokeOutput) -> anyhow::Result<String> {
        let payload = output.payload().map(Blob::as_ref).unwrap_or_default();
        if output.function_error().is_some() {
            return Err(self.failed(payload));
        }
        let text = String::from_utf8_lossy(payload).into_owned();
        match serde_json::from_slice::<BatchResponse>(payload) {
            Ok(response) if response.batch_item_failures.is_empty() => Ok(text),
            Ok(_) => Err(anyhow::anyhow!("{} wants records to be tried again: {text}", self.name)),
            Err(_) => Err(Failure {
                what: format!("failed to understand the answer of {}: {text}", self.name),
                remedy: "name Landfall's orchestrator: --function-name".to_owned(),
            }
            .into()),
        }
    }

    /// The function's own words, which say what to change.
    fn failed(&self, payload: &[u8]) -> anyhow::Error {
        match serde_json::from_slice::<FunctionFailure>(payload) {
            Ok(FunctionFailure { error_type, error_message }) => {
                anyhow::anyhow!("{} failed: {error_type}: {error_message}", self.name)
            }
            Err(_) => anyhow::anyhow!("{} failed: {}", self.name, String::from_utf8_lossy(payload)),
        }
    }

    fn refused(&self, error: SdkError<InvokeError>) -> anyhow::Error {
        let body = error.raw_response().and_then(|response| response.body().bytes());
        if let Some(body) = body
            && serde_json::from_slice::<FunctionFailure>(body).is_ok()
        {
            return self.failed(body);
        }
        let Some(endpoint) = &self.endpoint else {
            return aws::failure(&format!("failed to invoke {}", self.name), error);
        };
        let what = format!("failed to invoke {} at {endpoint}", self.name);
        let (said, remedy) = match error.raw_response() {
            Some(response) => {
                let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).trim().to_owned();
                (format!("HTTP {}: {body}", response.status()), "check --function-name, and what is printed there")
            }
            None => (
                "nobody answers there".to_owned(),
                "start it: cargo lambda watch -A 127.0.0.1 --ignore-changes --env-file dev.env; without --endpoint the \
                 local stack is used",
            ),
        };
        Failure { what: format!("{what}: {said}"), remedy: remedy.to_owned() }.into()
    }
}

/// The orchestrator's own time, and some for the way.
fn timeouts() -> TimeoutConfig {
    let limit = Timeouts::scaled(1.0).orchestrator_function() + Duration::from_secs(20);
    TimeoutConfig::builder().read_timeout(limit).build()
}
