//! S3 as the object store.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use landfall_aws::{PortError, Refusal};
use landfall_core::config::Timeouts;
use landfall_core::landing::Object;

use crate::{ObjectStore, Put};

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
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
    /// The bucket of that name. A PUT that hangs is tried again, and given up while the function still has time to say so.
    pub fn new(sdk: &SdkConfig, name: &str, timeouts: Timeouts) -> Self {
        let put = TimeoutConfig::builder()
            .operation_attempt_timeout(timeouts.put_attempt())
            .operation_timeout(timeouts.put())
            .build();
        let config = Builder::from(sdk).retry_config(RetryConfig::adaptive()).timeout_config(put).build();
        Self { client: Client::from_conf(config), name: name.to_owned() }
    }

    fn failure(&self, refusal: &Refusal) -> PortError {
        let Refusal { fate, code, said, region, .. } = refusal;
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
    use std::sync::{Arc, Mutex};

    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use landfall_aws::Fate;

    use super::*;

    /// What a put comes to where S3 answers so, and the headers that it asked with.
    async fn put(status: StatusCode, body: &'static str) -> (Result<Put, PortError>, HeaderMap) {
        let asked = Arc::new(Mutex::new(HeaderMap::new()));
        let asking = asked.clone();
        let s3 = Router::new().fallback(async move |headers: HeaderMap| {
            *asking.lock().unwrap() = headers;
            (status, body)
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, s3).await });
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .endpoint_url(url)
            .build();
        let object = Object { key: "kinesiscsv/a.csv".to_owned(), body: b"1\n".as_slice().into(), n_rows: 1 };

        let put = Bucket::new(&sdk, "acme-landing-zone", Timeouts::scaled(1.0)).put(object).await;

        let headers = std::mem::take(&mut *asked.lock().unwrap());
        (put, headers)
    }

    #[tokio::test]
    async fn an_object_is_put_under_a_key_that_is_not_taken() {
        let (put, asked) = put(StatusCode::OK, "").await;

        assert_eq!(put.unwrap(), Put::Written);
        assert_eq!(
            (&asked["if-none-match"], &asked["content-type"]),
            (&"*".parse().unwrap(), &"text/csv; charset=utf-8".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn a_key_that_is_taken_holds_what_an_earlier_try_put() {
        let taken =
            "<Error><Code>PreconditionFailed</Code><Message>At least one of the pre-conditions</Message></Error>";
        assert_eq!(put(StatusCode::PRECONDITION_FAILED, taken).await.0.unwrap(), Put::Existed);
    }

    #[tokio::test]
    async fn a_bucket_elsewhere_is_a_setup_fault_that_names_its_region() {
        let moved =
            "<Error><Code>PermanentRedirect</Code><Message>Elsewhere.</Message><Region>eu-central-1</Region></Error>";

        let error = put(StatusCode::MOVED_PERMANENTLY, moved).await.0.unwrap_err();

        assert_eq!(error.fate, Fate::Setup);
        let what = "failed to put an object into the bucket acme-landing-zone: PermanentRedirect: Elsewhere; it is in eu-central-1:";
        assert!(error.what.starts_with(what), "{}", error.what);
    }

    #[test]
    fn a_content_type_goes_by_the_end_of_the_key() {
        assert_eq!(content_type("a/b.csv"), "text/csv; charset=utf-8");
        assert_eq!(content_type("a/b.csv.gz"), "application/gzip");
        assert_eq!(content_type("a/b.csv.zst"), "application/zstd");
        assert_eq!(content_type("a/b.jsonl"), "application/x-ndjson");
        assert_eq!(content_type("a/b"), "application/octet-stream");
    }
}
