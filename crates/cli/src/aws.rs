//! Failures of AWS's APIs, as a person reads them.

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use landfall_aws::Refusal;

use crate::failure::Failure;

/// What an API refused, and what to do. `what` is "failed to …".
pub(crate) fn failure<E>(what: &str, error: &SdkError<E>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let refusal = Refusal::new(error);
    let remedy = match refusal.code.as_str() {
        "ResourceNotFoundException" | "NoSuchBucket" | "NoSuchKey" | "NotFound" => {
            "check the name, and that it is in the region that AWS_REGION or your profile says".to_owned()
        }
        "AccessDeniedException" | "AccessDenied" | "Forbidden" => {
            "use credentials that may do it: lambda:InvokeFunction on the function, s3:ListBucket and s3:GetObject on \
             the bucket, cloudwatch:PutMetricData for metrics"
                .to_owned()
        }
        "PermanentRedirect" | "AuthorizationHeaderMalformed" => match &refusal.region {
            Some(region) => format!("the bucket is in another region: set AWS_REGION={region}"),
            None => "the bucket is in another region: set AWS_REGION to that".to_owned(),
        },
        _ => refusal.remedy(None).unwrap_or_else(|| "try again; AWS's own status page may know more".to_owned()),
    };
    Failure { what: format!("{what}: {}", refusal.said), remedy }.into()
}
