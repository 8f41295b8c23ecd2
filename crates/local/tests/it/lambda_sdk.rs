//! The Lambda host as AWS's own SDK sees it.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use landfall_local::lambda::{LambdaHost, MAX_ASYNC_BYTES, MAX_SYNC_BYTES};
use serde_json::{Value, json};

use crate::function::host_with;
use crate::lambda::{hello, listener};

fn client(host: &LambdaHost) -> Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("landfall", "landfall-local", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(host.endpoint())
        .build();
    Client::from_conf(config)
}

fn service_error<R: std::fmt::Debug>(result: Result<impl std::fmt::Debug, SdkError<InvokeError, R>>) -> InvokeError {
    match result {
        Err(SdkError::ServiceError(error)) => error.into_err(),
        other => panic!("not an error of the service: {other:?}"),
    }
}

#[tokio::test]
async fn an_answer_comes_with_its_version() {
    let (host, _folder) = host_with(|_| {}).await;

    let arn = "arn:aws:lambda:us-east-1:123456789012:function:play:live";
    let output = client(&host).invoke().function_name(arn).payload(Blob::new(r#"{"n":1}"#)).send().await.unwrap();

    assert_eq!((output.status_code(), output.function_error()), (200, None));
    assert_eq!(output.executed_version(), Some("$LATEST"));
    let payload: Value = serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap();
    assert_eq!(payload["payload"], json!({ "n": 1 }));
}

#[tokio::test]
async fn a_failed_function_is_a_success_with_a_function_error() {
    let (host, _folder) = host_with(|_| {}).await;

    let fail = Blob::new(r#"{"do":"fail"}"#);
    let output = client(&host).invoke().function_name("play").payload(fail).send().await.unwrap();

    assert_eq!((output.status_code(), output.function_error()), (200, Some("Unhandled")));
    let payload: Value = serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap();
    assert_eq!(payload["errorMessage"], "this is an error");
}

#[tokio::test]
async fn an_unknown_function_is_a_typed_error() {
    let (host, _folder) = host_with(|_| {}).await;

    let error = service_error(client(&host).invoke().function_name("nobody").send().await);

    let InvokeError::ResourceNotFoundException(error) = error else { panic!("{error:?}") };
    assert_eq!(error.message(), Some("Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody"));
}

#[tokio::test]
async fn a_payload_over_the_limit_is_a_typed_error() {
    let (host, _folder) = host_with(|_| {}).await;
    let blob = |n_bytes: usize| Blob::new(format!("\"{}\"", "x".repeat(n_bytes - 2)));
    let invoke = || client(&host).invoke().function_name("play");

    let sync = invoke().payload(blob(MAX_SYNC_BYTES + 1)).send().await;
    let event = invoke().invocation_type(InvocationType::Event);
    let event_over = event.clone().payload(blob(MAX_ASYNC_BYTES + 1)).send().await;
    let event = event.payload(blob(MAX_ASYNC_BYTES)).send().await;

    let InvokeError::RequestTooLargeException(error) = service_error(sync) else { panic!() };
    let message = "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)";
    assert_eq!(error.message(), Some(message));
    assert!(matches!(service_error(event_over), InvokeError::RequestTooLargeException(_)));
    assert_eq!(event.unwrap().status_code(), 202);
}

#[tokio::test]
async fn a_busy_function_is_a_typed_error() {
    let (host, _folder) = host_with(|play| play.concurrency = 1).await;
    let (listener, address) = listener().await;
    let hold = Blob::new(json!({ "do": "hold", "address": address }).to_string());

    let client = client(&host);
    let first = tokio::spawn(client.invoke().function_name("play").payload(hold).send());
    let held = hello(&listener).await;
    let error = service_error(client.invoke().function_name("play").send().await);
    drop(held);

    assert!(matches!(error, InvokeError::TooManyRequestsException(_)), "{error:?}");
    assert_eq!(first.await.unwrap().unwrap().status_code(), 200);
}

#[tokio::test]
async fn a_payload_that_is_not_json_is_a_typed_error() {
    let (host, _folder) = host_with(|_| {}).await;

    let error = service_error(client(&host).invoke().function_name("play").payload(Blob::new("{")).send().await);

    assert!(matches!(error, InvokeError::InvalidRequestContentException(_)), "{error:?}");
    assert_eq!(host.reports()[0].n_processes, 0);
}

#[tokio::test]
async fn an_event_is_accepted_at_once_and_retried_twice() {
    let (host, _folder) = host_with(|play| play.concurrency = 1).await;
    let (listener, address) = listener().await;
    let invoke = |payload: Value| {
        let payload = Blob::new(payload.to_string());
        client(&host).invoke().function_name("play").invocation_type(InvocationType::Event).payload(payload).send()
    };

    let held = invoke(json!({ "do": "hold", "address": address })).await.unwrap();
    let running = hello(&listener).await;
    // Waits for the one process, unlike a synchronous invocation.
    let failing = invoke(json!({ "do": "fail" })).await.unwrap();
    drop(running);
    invoke(json!({ "do": "hold", "address": address })).await.unwrap();
    drop(hello(&listener).await);
    while host.reports()[0].n_invocations < 5 {
        tokio::task::yield_now().await;
    }

    assert_eq!((held.status_code(), failing.status_code()), (202, 202));
    assert_eq!(host.reports()[0].n_errors, 3);
}

#[tokio::test]
async fn a_dry_run_runs_nothing() {
    let (host, _folder) = host_with(|_| {}).await;

    let dry = client(&host).invoke().function_name("play").invocation_type(InvocationType::DryRun);
    let output = dry.send().await.unwrap();

    assert_eq!(output.status_code(), 204);
    assert_eq!(host.reports()[0].n_processes, 0);
}
