//! The functions, wherever they run.

use std::borrow::Cow;
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
use landfall_core::upsert;
use landfall_local::s3::{ACCESS_KEY, SECRET_KEY};
use serde::Deserialize;

use super::event::Event;
use super::fault::InvokeFault;
use crate::failure::Failure;
use crate::objects::LOCAL_REGION;

/// A function that takes events, or rows.
#[derive(Debug)]
pub(super) struct Target {
    client: Client,
    name: String,
    /// Where it is said to listen; `None` on AWS.
    endpoint: Option<String>,
}

/// What an orchestrator said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) duration: Duration,
}

/// An orchestrator's answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchResponse {
    batch_item_failures: Vec<ItemFailure>,
}

/// A record that is to be sent again, with all behind it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
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

    /// Has an orchestrator take an event, as often as it says where to go on.
    ///
    /// # Errors
    /// It could not be invoked, failed, or answered that all records are to be tried again.
    pub(super) async fn take(&self, event: &Event) -> Result<Answer, InvokeFault> {
        let started = Instant::now();
        let mut event = Cow::Borrowed(event);
        loop {
            let payload = self.invoke(event.text.as_bytes().to_vec()).await?;
            let text = String::from_utf8_lossy(&payload).into_owned();
            let Ok(response) = serde_json::from_slice::<BatchResponse>(&payload) else {
                return Err(self.misunderstood(&text, "orchestrator"));
            };
            let Some(failure) = response.batch_item_failures.first() else {
                return Ok(Answer { text, duration: started.elapsed() });
            };
            match event.rest(&failure.item_identifier).map_err(InvokeFault::of_the_batch)? {
                Some(rest) => event = Cow::Owned(rest),
                None => {
                    let what = format!("{} wants all records to be tried again: {text}", self.name);
                    return Err(InvokeFault::transient(anyhow::anyhow!(what)));
                }
            }
        }
    }

    /// Has an upsert function merge rows.
    ///
    /// # Errors
    /// It could not be invoked, failed, or did not say what became of each of the `n_rows` rows.
    pub(super) async fn upsert(
        &self,
        request: &upsert::Request,
        n_rows: usize,
    ) -> Result<upsert::Response, InvokeFault> {
        let payload = serde_json::to_vec(request).map_err(|error| InvokeFault::of_the_batch(error.into()))?;
        let payload = self.invoke(payload).await?;
        match serde_json::from_slice::<upsert::Response>(&payload) {
            Ok(response) if response.accounts_for(n_rows) => Ok(response),
            Ok(_) => {
                let answer = String::from_utf8_lossy(&payload).into_owned();
                Err(InvokeFault::transient(anyhow::anyhow!(
                    "{} does not account for {n_rows} rows: {answer}",
                    self.name
                )))
            }
            Err(_) => Err(self.misunderstood(&String::from_utf8_lossy(&payload), "upsert function")),
        }
    }

    async fn invoke(&self, payload: Vec<u8>) -> Result<Vec<u8>, InvokeFault> {
        let output = self.client.invoke().function_name(&self.name).payload(Blob::new(payload)).send().await;
        let InvokeOutput { payload, function_error, .. } = output.map_err(|error| self.refused(&error))?;
        let payload = payload.map(Blob::into_inner).unwrap_or_default();
        match function_error {
            Some(_) => Err(InvokeFault::failed(&self.name, &payload)),
            None => Ok(payload),
        }
    }

    /// Its name on AWS; `None` of one on this machine.
    pub(super) fn deployed_name(&self) -> Option<&str> {
        self.endpoint.is_none().then_some(&self.name)
    }

    /// How to see what it landed, where nobody has said which bucket that is in.
    pub(super) fn how_to_look(&self) -> &'static str {
        match self.endpoint {
            Some(_) => "no stack runs in the folder (landfall dev, or --dir)",
            None => "name its bucket with --bucket",
        }
    }

    fn misunderstood(&self, answer: &str, whom: &str) -> InvokeFault {
        let what = format!("failed to understand the answer of {}: {answer}", self.name);
        let remedy = format!("name Landfall's {whom}: --function-name");
        InvokeFault::of_the_function(Failure { what, remedy }.into())
    }

    fn refused(&self, error: &SdkError<InvokeError>) -> InvokeFault {
        match &self.endpoint {
            Some(endpoint) => InvokeFault::refused_here(&self.name, endpoint, error),
            None => InvokeFault::refused(&self.name, error),
        }
    }
}

/// The orchestrator's own time, the longer one, and some for the way.
fn timeouts() -> TimeoutConfig {
    let limit = Timeouts::scaled(1.0).orchestrator_function() + Duration::from_secs(20);
    TimeoutConfig::builder().read_timeout(limit).build()
}

#[cfg(test)]
pub(super) mod tests;
