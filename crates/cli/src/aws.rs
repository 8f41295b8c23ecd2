//! Failures of AWS's APIs, as a person reads them.

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};

use crate::failure::Failure;

/// What an API refused, and what to do. `what` is "failed to …".
pub(crate) fn failure<E>(what: &str, error: SdkError<E>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().map(str::to_owned);
    let said = match (&code, error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.clone(),
        // An `SdkError` says only which layer failed; what is beneath it says why.
        _ => match error.into_source() {
            Ok(source) => landfall_core::chain(source.as_ref()),
            Err(error) => landfall_core::chain(&error),
        },
    };
    let remedy = match code.as_deref() {
        Some("ResourceNotFoundException" | "NoSuchBucket" | "NotFound") => {
            "check the name, and that it is in the region that AWS_REGION or your profile says"
        }
        Some("AccessDeniedException" | "AccessDenied" | "Forbidden") => {
            "use credentials that may do it: lambda:InvokeFunction on the function, s3:ListBucket and s3:GetObject on the bucket"
        }
        Some(
            "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch",
        )
        | Some("ExpiredTokenException" | "ExpiredToken") => {
            "these credentials are not valid (any more): get new ones, for example with aws configure export-credentials --format env, or choose a profile with AWS_PROFILE"
        }
        Some("PermanentRedirect") => "the bucket is in another region: set AWS_REGION to that",
        _ if status.is_none() => "check that the endpoint can be reached from here",
        _ => "try again; AWS's own status page may know more",
    };
    Failure { what: format!("{what}: {said}"), remedy: remedy.to_owned() }.into()
}
