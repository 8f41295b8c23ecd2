//! The Lambda host on a good day.

use bytes::Bytes;
use landfall_local::lambda::{Function, Invoked, LambdaError, LambdaHost, MAX_SYNC_BYTES};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::function::{function, host_with};

pub(crate) async fn invoke(host: &LambdaHost, payload: Value) -> Invoked {
    host.invoker().invoke("play", Bytes::from(payload.to_string())).await
}

#[track_caller]
pub(crate) fn answer(invoked: Invoked) -> Value {
    match invoked {
        Invoked::Succeeded { payload, .. } => serde_json::from_slice(&payload).unwrap(),
        other => panic!("not an answer: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn error(invoked: Invoked) -> (String, String) {
    let Invoked::Failed { payload, .. } = invoked else { panic!("not a failure: {invoked:?}") };
    let error: Value = serde_json::from_slice(&payload).unwrap();
    (error["errorType"].as_str().unwrap().into(), error["errorMessage"].as_str().unwrap().into())
}

/// The function's connection, once the function is there.
pub(crate) async fn hello(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'!');
    stream
}

pub(crate) async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn a_process_is_started_once_and_used_again() {
    let (host, _folder) = host_with(|_| {}).await;

    let first = answer(invoke(&host, json!({ "n": 1 })).await);
    let second = answer(invoke(&host, json!({ "n": 2 })).await);

    assert_eq!(first["payload"], json!({ "n": 1 }));
    assert_eq!(second["payload"], json!({ "n": 2 }));
    assert_eq!(first["pid"], second["pid"]);
    let [report] = &host.reports()[..] else { panic!() };
    assert_eq!((report.n_invocations, report.n_errors, report.n_processes), (2, 0, 1));
    assert!(report.cold_start.unwrap() > std::time::Duration::ZERO);
    host.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_memory_of_a_process_is_reported() {
    let (host, _folder) = host_with(|_| {}).await;

    assert_eq!(host.reports()[0].peak_memory_bytes, None);
    answer(invoke(&host, json!({})).await);

    let peak = host.reports()[0].peak_memory_bytes.unwrap();
    assert!((1 << 20..1 << 30).contains(&peak), "{peak}");
}

#[tokio::test]
async fn a_function_sees_lambdas_environment_and_nothing_of_its_hosts() {
    let (host, _folder) = host_with(|play| {
        play.timeout = std::time::Duration::from_secs(30);
        play.env.push(("AWS_REGION".into(), "eu-west-1".into()));
    })
    .await;

    let invoked = invoke(&host, json!({ "do": "context" })).await;

    let Invoked::Succeeded { request_id, .. } = &invoked else { panic!("{invoked:?}") };
    let request_id = request_id.clone();
    let context = answer(invoked);
    assert_eq!(context["request_id"], request_id);
    assert_eq!(context["arn"], "arn:aws:lambda:us-east-1:000000000000:function:play");
    let remaining_ms = context["remaining_ms"].as_u64().unwrap();
    assert!((20_000..=30_000).contains(&remaining_ms), "{remaining_ms}");
    let environment = &context["environment"];
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], "play");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "128");
    assert_eq!(environment["AWS_REGION"], "eu-west-1", "the function's own variables win");
    // Cargo and nextest set it for every test.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert_eq!(environment["CARGO_MANIFEST_DIR"], Value::Null);
    assert_eq!(environment["HOME"], Value::Null);
}

#[tokio::test]
async fn invocations_at_once_run_in_a_process_each_and_one_too_many_is_throttled() {
    let (host, _folder) = host_with(|play| play.concurrency = 2).await;
    let (listener, address) = listener().await;
    let hold = json!({ "do": "hold", "address": address });

    let (first, second) = (spawn(&host, &hold), spawn(&host, &hold));
    let held = [hello(&listener).await, hello(&listener).await];
    let third = invoke(&host, json!({})).await;
    drop(held);

    assert_eq!(third, Invoked::Throttled);
    answer(first.await.unwrap());
    answer(second.await.unwrap());
    answer(invoke(&host, json!({})).await);
    let report = &host.reports()[0];
    assert_eq!((report.n_invocations, report.n_processes), (3, 2));
}

fn spawn(host: &LambdaHost, payload: &Value) -> tokio::task::JoinHandle<Invoked> {
    let (invoker, payload) = (host.invoker(), Bytes::from(payload.to_string()));
    tokio::spawn(async move { invoker.invoke("play", payload).await })
}

#[tokio::test]
async fn an_invocation_ends_also_when_its_caller_does_not_wait() {
    let (host, _folder) = host_with(|play| play.concurrency = 1).await;
    let (listener, address) = listener().await;

    let caller = spawn(&host, &json!({ "do": "hold", "address": address }));
    let held = hello(&listener).await;
    caller.abort();
    caller.await.unwrap_err();
    let meanwhile = invoke(&host, json!({})).await;
    drop(held);
    // The one process frees itself.
    while invoke(&host, json!({})).await == Invoked::Throttled {
        tokio::task::yield_now().await;
    }

    assert_eq!(meanwhile, Invoked::Throttled);
    let report = &host.reports()[0];
    assert_eq!((report.n_invocations, report.n_errors, report.n_processes), (2, 0, 1));
}

#[tokio::test]
async fn payloads_are_taken_up_to_six_megabytes_and_no_further() {
    let (host, _folder) = host_with(|_| {}).await;
    let payload = |n_bytes: usize| Bytes::from(format!("\"{}\"", "x".repeat(n_bytes - 2)));

    let largest = host.invoker().invoke("play", payload(MAX_SYNC_BYTES - 100)).await;
    let exactly = host.invoker().invoke("play", payload(MAX_SYNC_BYTES)).await;
    let over = host.invoker().invoke("play", payload(MAX_SYNC_BYTES + 1)).await;

    assert_eq!(answer(largest)["payload"].as_str().unwrap().len(), MAX_SYNC_BYTES - 102);
    // It arrives; wrapped in the answer it is too large to come back.
    assert_eq!(error(exactly).0, "Function.ResponseSizeTooLarge");
    assert_eq!(over, Invoked::TooLarge { n_bytes: MAX_SYNC_BYTES + 1 });
}

#[tokio::test]
async fn an_answer_over_six_megabytes_is_an_error_and_the_process_lives_on() {
    let (host, _folder) = host_with(|_| {}).await;
    let large = |n_bytes: usize| json!({ "do": "large", "n_bytes": n_bytes });

    let exactly = invoke(&host, large(MAX_SYNC_BYTES)).await;
    let over = invoke(&host, large(MAX_SYNC_BYTES + 1)).await;
    let afterwards = invoke(&host, json!({})).await;

    assert_eq!(answer(exactly).as_str().unwrap().len(), MAX_SYNC_BYTES - 2);
    assert_eq!(error(over).0, "Function.ResponseSizeTooLarge");
    answer(afterwards);
    assert_eq!(host.reports()[0].n_processes, 1);
}

#[tokio::test]
async fn names_are_checked_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let play = || function("play", folder.path());

    let twice = LambdaHost::start(vec![play(), play()], 0).await.unwrap_err();
    let strange = LambdaHost::start(vec![Function { name: "a/b".into(), ..play() }], 0).await.unwrap_err();

    assert!(matches!(twice, LambdaError::Duplicate { name } if name == "play"));
    assert!(matches!(strange, LambdaError::Name { name } if name == "a/b"));
}
