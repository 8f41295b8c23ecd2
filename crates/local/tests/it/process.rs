//! Child processes.

use landfall_local::process::{ChildProcess, Output, ProcessError};
use tokio::process::Command;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[tokio::test]
async fn lines_come_from_stdout_and_the_log_gets_stderr_appended() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("deep/child.log");
    let script = "echo one; echo two; echo three >&2";

    for _ in 0..2 {
        let mut child = ChildProcess::spawn(shell(script), Output::Lines, &log).unwrap();
        assert_eq!(child.next_line().await.unwrap().as_deref(), Some("one"));
        assert_eq!(child.next_line().await.unwrap().as_deref(), Some("two"));
        assert_eq!(child.next_line().await.unwrap(), None);
        assert!(child.exited().await.unwrap().success());
    }

    assert_eq!(std::fs::read_to_string(&log).unwrap(), "three\nthree\n");
}

#[tokio::test]
async fn stop_lets_a_child_end_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("child.log");
    let mut child = ChildProcess::spawn(shell("cat; echo bye"), Output::Log, &log).unwrap();
    assert!(child.id().is_some());
    assert!(!child.has_exited());

    child.stop().await;

    assert!(child.has_exited());
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "bye\n");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("child.log");

    let error = ChildProcess::spawn(Command::new("no-such-program"), Output::Log, &log).unwrap_err();

    assert_eq!(error.to_string(), "failed to start no-such-program");
    assert!(matches!(error, ProcessError::Start { source, .. } if source.kind() == std::io::ErrorKind::NotFound));
}
