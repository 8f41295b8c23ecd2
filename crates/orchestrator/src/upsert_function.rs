//! The upsert function behind Lambda's Invoke API.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use landfall_aws::{Fate, PortError, Refusal};
use landfall_core::upsert::{Request, Response};
use serde::Deserialize;

use crate::ports::Upsert;

/// A function, by name or ARN.
#[derive(Debug, Clone)]
pub struct UpsertFunction {
    pub(crate) client: Client,
    pub(crate) name: String,
}

/// What Lambda answers for a function that failed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct FunctionFailure {
    error_type: String,
    error_message: String,
}

impl Upsert for UpsertFunction {
    async fn upsert(&self, request: &Request) -> Result<Response, PortError> {
        let payload = serde_json::to_vec(request)
            .map_err(|error| self.failure(Fate::Setup, "failed to encode a request for", Some(error.into())))?;
        let output = self
            .client
            .invoke()
            .function_name(&self.name)
            .payload(Blob::new(payload))
            .send()
            .await
            .map_err(|error| self.refused(&Refusal::new(&error)))?;
        self.answer(&output)
    }
}

impl UpsertFunction {
    /// A function that failed still answers with HTTP 200.
    fn answer(&self, output: &InvokeOutput) -> Result<Response, PortError> {
        let payload = output.payload().map(Blob::as_ref).unwrap_or_default();
        if output.function_error().is_some() {
            let failure: FunctionFailure = serde_json::from_slice(payload).unwrap_or_default();
            return Err(self.function_failed(&failure));
        }
        serde_json::from_slice(payload).map_err(|error| {
            let what = "failed to understand the answer (is it Landfall's upsert, of this version?) of";
            self.failure(Fate::Setup, what, Some(error.into()))
        })
    }

    fn function_failed(&self, failure: &FunctionFailure) -> PortError {
        let FunctionFailure { error_type, error_message } = failure;
        // Upsert names its setup faults so; time-outs and crashes come from Lambda and are transient.
        let fate = if error_type.ends_with("Setup") { Fate::Setup } else { Fate::Transient };
        PortError {
            fate,
            what: format!("the upsert function {} failed: {error_type}: {error_message}", self.name),
            source: None,
        }
    }

    fn refused(&self, refusal: &Refusal) -> PortError {
        let Refusal { fate, code, said, .. } = refusal;
        let remedy = match code.as_str() {
            "ResourceNotFoundException" => {
                "; set UPSERT_FUNCTION to the name of one that exists in this region, for example \
                                            UPSERT_FUNCTION=landfall-upsert"
                    .to_owned()
            }
            "AccessDeniedException" => "; allow the orchestrator's role lambda:InvokeFunction on it".to_owned(),
            _ => refusal.and_remedy("AWS_ENDPOINT_URL_LAMBDA"),
        };
        let what = format!("failed to invoke the upsert function {}: {said}{remedy}", self.name);
        PortError { fate: *fate, what, source: None }
    }

    fn failure(&self, fate: Fate, what: &str, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
        PortError { fate, what: format!("{what} the upsert function {}", self.name), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(function_error: Option<&str>, payload: &str) -> Result<Response, PortError> {
        let config = aws_sdk_lambda::Config::builder().behavior_version_latest().build();
        let function = UpsertFunction { client: Client::from_conf(config), name: "upsert".to_owned() };
        let output = InvokeOutput::builder()
            .status_code(200)
            .set_function_error(function_error.map(str::to_owned))
            .payload(Blob::new(payload))
            .build();
        function.answer(&output)
    }

    #[test]
    fn an_answer_is_what_became_of_the_rows() {
        let payload = r#"{"inserted":98,"duplicates":2}"#;
        assert_eq!(answer(None, payload).unwrap(), Response { inserted: 98, duplicates: 2, rejected: Vec::new() });
    }

    #[test]
    fn a_function_that_failed_is_a_failure_though_lambda_says_200() {
        // Even with a payload that would do as an answer.
        assert_eq!(answer(Some("Unhandled"), r#"{"inserted":98,"duplicates":2}"#).unwrap_err().fate, Fate::Transient);
        for (kind, fate) in [
            ("MergeTransient", Fate::Transient),
            ("MergeSetup", Fate::Setup),
            ("VersionSetup", Fate::Setup),
            ("Sandbox.Timedout", Fate::Transient),
            ("Runtime.ExitError", Fate::Transient),
        ] {
            let payload = format!(r#"{{"errorType":"{kind}","errorMessage":"why"}}"#);
            let error = answer(Some("Unhandled"), &payload).unwrap_err();
            assert_eq!(error.fate, fate, "{kind}");
            assert_eq!(error.what, format!("the upsert function upsert failed: {kind}: why"));
        }
        assert_eq!(answer(Some("Unhandled"), "not json").unwrap_err().fate, Fate::Transient);
    }

    #[test]
    fn an_answer_of_another_shape_is_a_setup_fault() {
        for payload in ["", "null", "{}", r#"{"inserted":1}"#, r#"{"inserted":-1,"duplicates":0}"#, r#"{"ok":true}"#] {
            let error = answer(None, payload).unwrap_err();
            assert_eq!(error.fate, Fate::Setup, "{payload}");
            let what = "failed to understand the answer (is it Landfall's upsert, of this version?) of the upsert function upsert";
            assert_eq!(error.what, what);
        }
    }
}
