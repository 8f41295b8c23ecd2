//! What AWS's services say when they refuse.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use landfall_core::root_cause;

use crate::Fate;

/// What became of a request that did not succeed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// Whether trying again may help.
    pub fate: Fate,
    /// The service's code for it; empty when there was no answer.
    pub code: String,
    /// One line of what happened.
    pub said: String,
    /// The region that the service says to turn to instead.
    pub region: Option<String>,
}

impl Refusal {
    /// An `SdkError` says only which layer failed, and what is beneath it prints its fields: this is what a person reads.
    pub fn new<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let said = match (status, error.message()) {
            (Some(_), Some(message)) if !code.is_empty() => format!("{code}: {}", message.trim_end_matches('.')),
            (Some(status), _) => format!("HTTP {status} {code}").trim_end().to_owned(),
            (None, _) => format!("no answer ({})", root_cause(error)),
        };
        let region = response.and_then(region_of).map(str::to_owned);
        Self { fate: Fate::of_status(status), code, said, region }
    }

    /// What to do about credentials that a service does not take, and about silence: the same for each service.
    /// `endpoint` is the variable that may name another place for it, where one is read. `None` is for what is the
    /// service's own.
    pub fn remedy(&self, endpoint: Option<&str>) -> Option<String> {
        match self.code.as_str() {
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "UnrecognizedClientException"
            | "InvalidSignatureException" | "InvalidToken" => Some(
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for the services of landfall dev take \
                 those of dev.env"
                    .to_owned(),
            ),
            "ExpiredToken" | "ExpiredTokenException" => {
                Some("get new credentials, for example with aws configure export-credentials --format env".to_owned())
            }
            "" if self.said.starts_with("no answer") => {
                let endpoint = endpoint.map_or_else(|| " and AWS_REGION".to_owned(), |name| format!(", AWS_REGION and, if it is set, {name}"));
                Some(format!("check the network (in a VPC: an endpoint for the service){endpoint}"))
            }
            _ => None,
        }
    }

    /// [`Refusal::remedy`] as the end of a message.
    pub fn and_remedy(&self, endpoint: &str) -> String {
        self.remedy(Some(endpoint)).map(|remedy| format!("; {remedy}")).unwrap_or_default()
    }
}

/// The region that S3 says a bucket is in.
fn region_of(response: &HttpResponse) -> Option<&str> {
    let in_body = || {
        let body = std::str::from_utf8(response.body().bytes()?).ok()?;
        body.split_once("<Region>")?.1.split('<').next()
    };
    response.headers().get("x-amz-bucket-region").or_else(in_body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, said: &str, endpoint: Option<&str>, expected: Option<&str>) {
        let refusal = Refusal { fate: Fate::Setup, code: code.to_owned(), said: said.to_owned(), region: None };
        assert_eq!(refusal.remedy(endpoint).as_deref(), expected, "{code} {said}");
    }

    #[test]
    fn credentials_and_silence_have_one_remedy_for_all_services() {
        let expired = Some("get new credentials, for example with aws configure export-credentials --format env");
        check("ExpiredTokenException", "", None, expired);
        let network = Some("check the network (in a VPC: an endpoint for the service) and AWS_REGION");
        check("", "no answer (refused)", None, network);
        let or_variable = "check the network (in a VPC: an endpoint for the service), AWS_REGION and, if it is set, X";
        check("", "no answer (refused)", Some("X"), Some(or_variable));
        check("NoSuchBucket", "", None, None);
    }
}
