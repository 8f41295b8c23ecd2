//! Every fault of the proxy, as AWS's own SDK meets it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use landfall_local::proxy::{Fault, Proxy, answers};
use landfall_local::s3::{ACCESS_KEY, LocalS3, SECRET_KEY};
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver};

struct Between {
    client: Client,
    proxy: Proxy,
    notified: UnboundedReceiver<landfall_local::s3::ObjectCreated>,
    folder: TempDir,
    _s3: LocalS3,
}

/// A client, a proxy that makes these faults one after the other, and an S3 behind it.
async fn between(faults: Vec<Fault>) -> Between {
    let folder = tempfile::tempdir().unwrap();
    let (notify, notified) = mpsc::unbounded_channel();
    let s3 = LocalS3::start(folder.path(), 0, notify).await.unwrap();
    s3.create_bucket("landing").unwrap();
    let faults = Mutex::new(VecDeque::from(faults));
    let proxy = Proxy::start(move |_| faults.lock().unwrap().pop_front()).await.unwrap();
    proxy.forward_to(&s3.endpoint());
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(2)).build())
        .endpoint_url(proxy.endpoint())
        .force_path_style(true)
        .build();
    Between { client: Client::from_conf(config), proxy, notified, folder, _s3: s3 }
}

type Put = Result<(), SdkError<PutObjectError>>;

impl Between {
    async fn put(&self, key: &str) -> Put {
        let put = self.client.put_object().bucket("landing").key(key).if_none_match("*");
        put.body(ByteStream::from_static(b"1,2,3\n")).send().await.map(|_| ())
    }

    fn holds(&self, key: &str) -> bool {
        std::fs::read(self.folder.path().join("landing").join(key)).is_ok_and(|body| body == b"1,2,3\n")
    }
}

#[tokio::test]
async fn without_a_fault_nothing_differs() {
    let test = between(Vec::new()).await;

    test.put("a.csv").await.unwrap();

    let again = test.put("a.csv").await.unwrap_err();
    assert_eq!(again.raw_response().unwrap().status().as_u16(), 412);
    assert!(test.holds("a.csv"));
}

#[tokio::test]
async fn a_reset_before_the_request_keeps_it_from_its_service() {
    let test = between(vec![Fault::ResetBefore]).await;

    let error = test.put("a.csv").await.unwrap_err();

    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert!(!test.holds("a.csv"));
    // The next request is on another connection.
    test.put("a.csv").await.unwrap();
}

#[tokio::test]
async fn a_reset_after_the_request_hides_its_effect() {
    let test = between(vec![Fault::ResetAfter]).await;

    let error = test.put("a.csv").await.unwrap_err();

    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert!(test.holds("a.csv"));
}

#[tokio::test]
async fn a_response_that_never_comes_hides_its_effect_too() {
    let test = between(vec![Fault::NeverAnswer]).await;

    let error = test.put("a.csv").await.unwrap_err();

    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert!(test.holds("a.csv"));
}

#[tokio::test]
async fn a_delayed_request_takes_effect_after_its_client_has_gone() {
    let mut test = between(vec![Fault::Delay(Duration::from_millis(300)), Fault::Delay(Duration::from_secs(3))]).await;
    let started = Instant::now();

    test.put("a.csv").await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(test.notified.recv().await.unwrap().key, "a.csv");
    let error = test.put("b.csv").await.unwrap_err();

    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert!(!test.holds("b.csv"));
    test.proxy.settled().await;
    assert!(test.holds("b.csv"));
}

#[tokio::test]
async fn an_answer_of_s3_is_one_to_the_sdk() {
    let faults = [answers::s3_internal_error(), answers::s3_slow_down()].map(Fault::Answer);
    let test = between(faults.to_vec()).await;

    for (status, code) in [(500, "InternalError"), (503, "SlowDown")] {
        let error = test.put("a.csv").await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
        assert_eq!(error.code(), Some(code));
        assert!(!test.holds("a.csv"));
    }
}

#[tokio::test]
async fn a_throttle_of_lambda_is_one_to_the_sdk() {
    let proxy = Proxy::start(|_| Some(Fault::Answer(answers::lambda_throttle()))).await.unwrap();
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(proxy.endpoint())
        .build();

    let invoked = aws_sdk_lambda::Client::from_conf(config).invoke().function_name("upsert").send().await;

    let error = invoked.unwrap_err().into_service_error();
    assert!(matches!(error, InvokeError::TooManyRequestsException(_)), "{error:?}");
}

#[tokio::test]
async fn before_it_knows_where_to_every_connection_is_reset() {
    let proxy = Proxy::start(|_| None).await.unwrap();
    let stream = tokio::net::TcpStream::connect(proxy.endpoint().trim_start_matches("http://")).await.unwrap();
    let (mut read, mut write) = stream.into_split();

    tokio::io::AsyncWriteExt::write_all(&mut write, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let error = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut Vec::new()).await.unwrap_err();

    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
