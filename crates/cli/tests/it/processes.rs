//! However the binary ends, no process of it is left.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{demo, dir, in_dir, text};

/// A demo that has run and keeps its stack.
fn kept(dir: &Path) -> Child {
    let mut child =
        demo(dir, &["--records", "40", "--keep"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("The stack is still running") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    // Read on, else the child would be told of a broken pipe.
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    child
}

/// The ids of the processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The second field is the name in parentheses, which may hold anything; the parent is the fourth.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if after_name.split_whitespace().nth(1) == Some(&parent.to_string()) {
            children.push(id);
        }
    }
    children
}

fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("gone").to_owned();
    !["gone", "Z", "X"].contains(&state.as_str())
}

fn all_end(ids: &[u32]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while ids.iter().any(|id| is_alive(*id)) {
        assert!(
            Instant::now() < deadline,
            "still there: {:?}",
            ids.iter().filter(|id| is_alive(**id)).collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(name: &str, id: u32) {
    assert!(Command::new("kill").args([name, &id.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn ctrl_c_leaves_no_process_behind() {
    let dir = dir().await;
    let mut child = kept(dir.path());
    let children = children(child.id());
    // At least the two functions and Snowflake.
    assert!(children.len() >= 3, "{children:?}");

    signal("-INT", child.id());

    child.wait().unwrap();
    all_end(&children);
}

#[tokio::test]
async fn a_killed_parent_leaves_no_process_behind() {
    let dir = dir().await;
    let mut child = kept(dir.path());
    let children = children(child.id());
    assert!(children.len() >= 3, "{children:?}");

    signal("-KILL", child.id());

    child.wait().unwrap();
    all_end(&children);
}

#[tokio::test]
async fn ctrl_c_while_records_go_through_stops_it_with_130() {
    let dir = dir().await;
    let mut child =
        demo(dir.path(), &["--records", "1000000"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("pushing records through") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    let children = children(child.id());

    signal("-INT", child.id());

    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("stopped; nothing is left running"), "{rest}");
    all_end(&children);
}

#[tokio::test]
async fn ctrl_c_stops_dev_and_what_it_started() {
    let dir = dir().await;
    let mut child =
        in_dir("dev", dir.path()).args(["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("In another terminal") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it ended");
    }
    let children = children(child.id());
    assert!(!children.is_empty());

    signal("-INT", child.id());

    assert_eq!(child.wait().unwrap().code(), Some(0));
    all_end(&children);
    assert!(!dir.path().join("stack.json").exists());
}

#[tokio::test]
async fn ctrl_c_while_a_stack_starts_stops_it_with_130() {
    let dir = dir().await;
    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/kinesis-batch.json");
    let mut child =
        in_dir("replay", dir.path()).arg(event).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("starting S3") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    let children = children(child.id());

    signal("-INT", child.id());

    assert_eq!(child.wait().unwrap().code(), Some(130));
    all_end(&children);
}

#[tokio::test]
async fn a_second_stack_in_the_same_folder_is_refused() {
    let dir = dir().await;
    let mut child = kept(dir.path());

    let output = demo(dir.path(), &["--records", "1"]).output().unwrap();

    signal("-INT", child.id());
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("another stack is running in it") && error.contains("\ntry: stop that one"), "{error}");
}
