//! The Lambda host when functions fail, hang and die.

use std::time::Duration;

use bytes::Bytes;
use landfall_local::lambda::{Invoked, LambdaHost};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::function::host_with;
use crate::lambda::{answer, error, hello, invoke, listener};

#[tokio::test]
async fn an_error_is_told_and_the_process_lives_on() {
    let (host, _folder) = host_with(|_| {}).await;

    let failed = invoke(&host, json!({ "do": "fail" })).await;
    let panicked = invoke(&host, json!({ "do": "panic" })).await;
    let afterwards = invoke(&host, json!({})).await;

    assert_eq!(error(failed).1, "this is an error");
    assert_eq!(error(panicked).1, "Lambda panicked: this is a panic");
    answer(afterwards);
    let report = &host.reports()[0];
    assert_eq!((report.n_invocations, report.n_errors, report.n_processes), (3, 2, 1));
}

#[tokio::test]
async fn a_process_that_exits_fails_its_invocation_and_is_replaced() {
    let (host, _folder) = host_with(|_| {}).await;

    let (error_type, message) = error(invoke(&host, json!({ "do": "exit" })).await);
    let afterwards = invoke(&host, json!({})).await;

    assert_eq!(error_type, "Runtime.ExitError");
    assert!(message.ends_with("Error: Runtime exited with error: exit status 7"), "{message}");
    answer(afterwards);
    assert_eq!(host.reports()[0].n_processes, 2);
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_killed() {
    let (host, _folder) = host_with(|play| play.timeout = Duration::from_millis(250)).await;
    let (listener, address) = listener().await;

    let hold = invoke(&host, json!({ "do": "hold", "address": address }));
    let (timed_out, mut held) = tokio::join!(hold, hello(&listener));
    let afterwards = invoke(&host, json!({})).await;

    let (error_type, message) = error(timed_out);
    assert_eq!(error_type, "Sandbox.Timedout");
    assert!(message.ends_with("Error: Task timed out after 0.25 seconds"), "{message}");
    assert_gone(&mut held).await;
    answer(afterwards);
    assert_eq!(host.reports()[0].n_processes, 2);
}

/// The end of a connection that a process keeps while it lives.
async fn assert_gone(held: &mut TcpStream) {
    match held.read(&mut [0]).await {
        Ok(n) => assert_eq!(n, 0),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn a_process_that_cannot_start_says_why() {
    let (host, _folder) = host_with(|play| play.env.push(("EXIT_AT_START".into(), "yes".into()))).await;

    let (error_type, message) = error(invoke(&host, json!({})).await);

    assert_eq!(error_type, "Runtime.ExitError");
    assert!(message.contains("Runtime exited with error: exit status 3"), "{message}");
    assert!(message.ends_with("SNOWFLAKE_ACCOUNT is not set: write the account identifier there"), "{message}");
}

#[tokio::test]
async fn the_log_of_an_earlier_process_is_not_taken_for_a_later_ones() {
    let (host, folder) = host_with(|play| play.env.push(("EXIT_AT_START".into(), "yes".into()))).await;
    std::fs::create_dir_all(folder.path().join("logs")).unwrap();
    std::fs::write(folder.path().join("logs/play.log"), "an earlier line\n").unwrap();

    let (_, message) = error(invoke(&host, json!({})).await);

    assert!(!message.contains("an earlier line"), "{message}");
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_the_invocation() {
    let (host, _folder) = host_with(|play| play.program = "/nowhere/bootstrap".into()).await;

    let (error_type, message) = error(invoke(&host, json!({})).await);

    assert_eq!(error_type, "Runtime.InvalidEntrypoint");
    assert!(message.contains("failed to start /nowhere/bootstrap: "), "{message}");
}

#[tokio::test]
async fn a_busy_process_can_be_killed() {
    let (host, _folder) = host_with(|_| {}).await;
    let (listener, address) = listener().await;
    assert!(!host.kill("play"), "there is none yet");
    assert!(!host.kill("nobody"));

    let hold = invoke(&host, json!({ "do": "hold", "address": address }));
    let kill = async {
        let held = hello(&listener).await;
        assert!(host.kill("play"));
        held
    };
    let (killed, mut held) = tokio::join!(hold, kill);

    let (error_type, message) = error(killed);
    assert_eq!(error_type, "Runtime.ExitError");
    assert!(message.contains("signal: 9"), "{message}");
    assert_gone(&mut held).await;
}

#[tokio::test]
async fn an_idle_process_can_be_killed_and_is_replaced() {
    let (host, _folder) = host_with(|_| {}).await;
    let first = answer(invoke(&host, json!({})).await);

    assert!(host.kill("play"));

    let second = answer(invoke(&host, json!({})).await);
    assert_ne!(first["pid"], second["pid"]);
}

#[tokio::test]
async fn the_idle_process_is_the_one_that_is_used_next() {
    let (host, _folder) = host_with(|_| {}).await;
    assert_eq!(host.invoker().idle_process("play"), None, "there is none yet");
    assert_eq!(host.invoker().idle_process("nobody"), None);
    answer(invoke(&host, json!({})).await);

    let idle = host.invoker().idle_process("play");

    assert_eq!(answer(invoke(&host, json!({})).await)["pid"], json!(idle));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_died_while_idle_is_not_used_again() {
    let (host, _folder) = host_with(|_| {}).await;
    let pid = answer(invoke(&host, json!({})).await)["pid"].to_string();

    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    // Dead is it when it is a zombie and its last thread is gone.
    let is_zombie = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ");
    let n_threads = || std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    while !is_zombie() || n_threads() > 1 {
        tokio::task::yield_now().await;
    }
    let next = answer(invoke(&host, json!({})).await);

    assert_ne!(next["pid"].to_string(), pid);
}

#[tokio::test]
async fn processes_end_when_the_host_is_dropped() {
    let (host, _folder) = host_with(|_| {}).await;
    let (listener, address) = listener().await;
    let invoker = host.invoker();
    let payload = Bytes::from(json!({ "do": "hold", "address": address }).to_string());
    let busy = tokio::spawn({
        let invoker = invoker.clone();
        async move { invoker.invoke("play", payload).await }
    });
    let mut held = hello(&listener).await;
    let (kept, mut idle) = tokio::join!(invoke(&host, json!({ "do": "keep", "address": address })), hello(&listener));
    answer(kept);

    drop(host);

    assert_gone(&mut idle).await;
    assert_gone(&mut held).await;
    assert_eq!(busy.await.unwrap(), Invoked::Stopped);
    assert_eq!(invoker.invoke("play", Bytes::new()).await, Invoked::Stopped);
}

#[tokio::test]
async fn stop_lets_every_process_end_by_itself() {
    let (host, folder) = host_with(|_| {}).await;
    let (listener, address) = listener().await;
    let (kept, mut idle) = tokio::join!(invoke(&host, json!({ "do": "keep", "address": address })), hello(&listener));
    answer(kept);

    host.stop().await;

    assert_gone(&mut idle).await;
    let log = std::fs::read_to_string(folder.path().join("logs/play.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

const IS_HOST: &str = "LANDFALL_TEST_HOST";

/// Passes at once in a test run; in a process of its own it hosts a function until it is killed.
#[tokio::test]
async fn is_a_host_when_told_to() {
    let Ok(address) = std::env::var(IS_HOST) else { return };
    let (host, _folder): (LambdaHost, _) = host_with(|_| {}).await;
    // An idle process would notice by its poll that breaks off; a busy one has its stdin alone.
    answer(invoke(&host, json!({ "do": "hold", "address": address })).await);
}

#[tokio::test]
async fn processes_end_when_their_host_is_killed() {
    let (listener, address) = listener().await;
    let mut host = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lambda_faults::is_a_host_when_told_to"])
        .env(IS_HOST, address)
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut held = hello(&listener).await;

    host.kill().await.unwrap();

    assert_gone(&mut held).await;
}
