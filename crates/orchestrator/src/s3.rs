//! S3 as the object store.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use landfall_core::landing::Object;

use crate::aws::Refusal;
use crate::error::PortError;
use crate::ports::{ObjectStore, Put};

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl ObjectStore for Bucket {
    async fn put(&self, object: Object) -> Result<Put, PortError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .content_type(content_type(&object.key))
            .key(object.key)
            .if_none_match("*")
            .body(ByteStream::from(object.body));
        match request.send().await {
            Ok(_) => Ok(Put::Written),
            Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                Some(412) => Ok(Put::Existed),
                _ => Err(self.failure(&Refusal::new(&error))),
            },
        }
    }
}

impl Bucket {
    fn failure(&self, refusal: &Refusal) -> PortError {
        let Refusal { fate, code, said, region } = refusal;
        let name = &self.name;
        let remedy = match (code.as_str(), region) {
            ("NoSuchBucket", _) => "; create it, or set LANDING_BUCKET to one that exists, for example \
                                    LANDING_BUCKET=acme-landing-zone"
                .to_owned(),
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", region) => {
                let there = region.as_deref().unwrap_or("another region");
                let to_there = region.as_ref().map_or(" to that".to_owned(), |region| format!("={region}"));
                format!(
                    "; it is in {there}: set LANDING_BUCKET to one in the function's region, or deploy the function there \
                     (outside Lambda: set AWS_REGION{to_there})"
                )
            }
            ("AccessDenied", _) => format!(
                "; allow the function's role s3:PutObject on arn:aws:s3:::{name}/*, and if the bucket is not yours, set \
                 LANDING_BUCKET to one that is, for example LANDING_BUCKET=acme-landing-zone"
            ),
            ("InvalidBucketName", _) => {
                "; set LANDING_BUCKET to the name of a bucket, for example LANDING_BUCKET=acme-landing-zone".to_owned()
            }
            _ => refusal.and_remedy("AWS_ENDPOINT_URL_S3"),
        };
        let what = format!("failed to put an object into the bucket {name}: {said}{remedy}");
        PortError { fate: *fate, what, source: None }
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
