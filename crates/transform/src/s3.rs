//! S3 as the object store, and the region and credentials that it needs.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::ProvideCredentials as _;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use landfall_core::config::{StartError, check_aws};
use landfall_core::landing::Object;
use landfall_core::root_cause;

use crate::error::{Fate, PortError};
use crate::ports::ObjectStore;

/// The region and the credentials that the environment or a profile names, found now and not at the first request.
///
/// # Errors
/// A setup fault: neither region nor credentials can be guessed.
pub(crate) async fn aws_config() -> Result<SdkConfig, StartError> {
    let sdk = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let no_credentials = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.err().map(|error| root_cause(&error)),
        None => Some("there is no provider of any".to_owned()),
    };
    check_aws(sdk.region().is_some(), no_credentials)?;
    Ok(sdk)
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl ObjectStore for Bucket {
    async fn put(&self, object: Object) -> Result<(), PortError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(object.key)
            .if_none_match("*")
            .body(ByteStream::from(object.body));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                // An earlier try had written it.
                Some(412) => Ok(()),
                status => Err(self.failure(&error, status)),
            },
        }
    }
}

impl Bucket {
    fn failure(&self, error: &SdkError<PutObjectError>, status: Option<u16>) -> PortError {
        let (name, code) = (&self.name, error.code().unwrap_or_default());
        let said = match (status, error.message()) {
            (Some(_), Some(message)) if !code.is_empty() => format!("{code}: {}", message.trim_end_matches('.')),
            (Some(status), _) => format!("HTTP {status} {code}").trim_end().to_owned(),
            (None, _) => format!("no answer ({})", root_cause(error)),
        };
        let remedy = match code {
            "NoSuchBucket" | "InvalidBucketName" => {
                "; set LANDING_BUCKET to a bucket that exists, for example LANDING_BUCKET=acme-landing-zone".to_owned()
            }
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                "; set LANDING_BUCKET to one in the function's region, or deploy the function in the bucket's"
                    .to_owned()
            }
            "AccessDenied" => format!("; allow the function's role s3:PutObject on arn:aws:s3:::{name}/*"),
            _ => String::new(),
        };
        let what = format!("failed to put an object into the bucket {name}: {said}{remedy}");
        PortError { fate: fate(status), what }
    }
}

/// What S3's HTTP status means; `None` is no answer at all. 409 is a race with another conditional write.
fn fate(status: Option<u16>) -> Fate {
    match status {
        None | Some(408 | 409 | 429 | 500..) => Fate::Transient,
        Some(_) => Fate::Setup,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_is_missing_is_a_setup_fault_and_silence_is_not() {
        for status in [301, 400, 403, 404] {
            assert_eq!(fate(Some(status)), Fate::Setup, "{status}");
        }
        for status in [None, Some(408), Some(409), Some(429), Some(500), Some(503)] {
            assert_eq!(fate(status), Fate::Transient, "{status:?}");
        }
    }
}
