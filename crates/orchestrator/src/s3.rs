//! S3 as the object store.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use landfall_core::landing::Object;

use crate::error::{Fate, PortError};
use crate::ports::{ObjectStore, Put};

/// A bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl ObjectStore for Bucket {
    async fn put(&self, object: &Object) -> Result<Put, PortError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(&object.key)
            .content_type(content_type(&object.key))
            .if_none_match("*")
            .body(ByteStream::from(object.body.clone()));
        match request.send().await {
            Ok(_) => Ok(Put::Written),
            Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                Some(412) => Ok(Put::Existed),
                status => Err(self.failure(status, error)),
            },
        }
    }
}

impl Bucket {
    fn failure(&self, status: Option<u16>, error: SdkError<PutObjectError>) -> PortError {
        let code = error.code().unwrap_or("no answer");
        let remedy = match code {
            "NoSuchBucket" => "; create it, or set LANDING_BUCKET to one that exists",
            "PermanentRedirect" => "; it is in another region: set AWS_REGION to that",
            "AccessDenied" => "; allow the function's role s3:PutObject on it",
            _ => "",
        };
        PortError {
            fate: Fate::of_status(status),
            what: format!("failed to put an object into the bucket {}: {code}{remedy}", self.name),
            // An `SdkError` says only which layer failed; what is beneath it says why.
            source: Some(error.into_source().unwrap_or_else(Into::into)),
        }
    }
}

fn content_type(key: &str) -> &'static str {
    match key.rsplit('.').next() {
        Some("csv") => "text/csv; charset=utf-8",
        Some("jsonl") => "application/x-ndjson",
        Some("gz") => "application/gzip",
        Some("zst") => "application/zstd",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_goes_by_the_end_of_the_key() {
        assert_eq!(content_type("a/b.csv"), "text/csv; charset=utf-8");
        assert_eq!(content_type("a/b.csv.gz"), "application/gzip");
        assert_eq!(content_type("a/b.csv.zst"), "application/zstd");
        assert_eq!(content_type("a/b.jsonl"), "application/x-ndjson");
        assert_eq!(content_type("a/b"), "application/octet-stream");
    }
}
