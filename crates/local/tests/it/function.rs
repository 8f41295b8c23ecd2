//! A real function for the host to run: this test binary itself, started again to run one "test" that is a function.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use landfall_local::lambda::{Function, LambdaHost};
use landfall_local::process::exit_when_orphaned;
use serde_json::{Value, json};
use tempfile::TempDir;

const IS_FUNCTION: &str = "LANDFALL_TEST_FUNCTION";

/// A function of this name, as this binary plays it.
pub(crate) fn function(name: &str, folder: &Path) -> Function {
    Function {
        name: name.into(),
        program: std::env::current_exe().unwrap(),
        args: ["--exact", "function::is_a_function_when_told_to", "--nocapture"].map(String::from).to_vec(),
        env: vec![(IS_FUNCTION.into(), "yes".into())],
        timeout: Duration::from_secs(60),
        memory_mb: 128,
        concurrency: 4,
        log_file: folder.join("logs").join(format!("{name}.log")),
    }
}

/// A host with one function, `play`, changed by the caller.
pub(crate) async fn host_with(change: impl FnOnce(&mut Function)) -> (LambdaHost, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut play = function("play", folder.path());
    change(&mut play);
    (LambdaHost::start(vec![play], 0).await.unwrap(), folder)
}

/// Passes at once in a test run; in a process that the host has started it is the function.
#[test]
fn is_a_function_when_told_to() {
    if std::env::var_os(IS_FUNCTION).is_none() {
        return;
    }
    exit_when_orphaned();
    if std::env::var_os("EXIT_AT_START").is_some() {
        eprintln!("SNOWFLAKE_ACCOUNT is not set: write the account identifier there");
        std::process::exit(3);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(lambda_runtime::run(service_fn(play))).unwrap();
}

/// Does what the payload says.
async fn play(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let payload = event.payload;
    match payload["do"].as_str() {
        Some("fail") => Err("this is an error".into()),
        Some("panic") => panic!("this is a panic"),
        Some("exit") => std::process::exit(7),
        Some("hang") => std::future::pending().await,
        Some("context") => Ok(json!({
            "request_id": event.context.request_id,
            "arn": event.context.invoked_function_arn,
            "remaining_ms": event.context.deadline().duration_since(std::time::SystemTime::now())?.as_millis() as u64,
            "environment": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
        })),
        Some("large") => Ok(json!("x".repeat(payload["n_bytes"].as_u64().unwrap() as usize - 2))),
        Some("hold") => Ok(hold(&payload)),
        Some("keep") => Ok(keep(&payload)),
        _ => Ok(json!({ "pid": std::process::id(), "payload": payload })),
    }
}

/// Says hello to the test and waits until the test hangs up.
fn hold(payload: &Value) -> Value {
    let mut stream = TcpStream::connect(payload["address"].as_str().unwrap()).unwrap();
    stream.write_all(b"!").unwrap();
    json!(stream.read_to_end(&mut Vec::new()).unwrap_or_default())
}

/// Says hello to the test and keeps the connection for as long as the process lives.
fn keep(payload: &Value) -> Value {
    static KEPT: Mutex<Vec<TcpStream>> = Mutex::new(Vec::new());
    let mut stream = TcpStream::connect(payload["address"].as_str().unwrap()).unwrap();
    stream.write_all(b"!").unwrap();
    KEPT.lock().unwrap().push(stream);
    json!("kept")
}
