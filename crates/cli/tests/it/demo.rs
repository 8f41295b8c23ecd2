//! `landfall demo`.

use crate::support::{demo, dir, json, text};

#[tokio::test]
async fn every_record_is_in_both_tables_or_a_dead_letter() {
    let dir = dir().await;

    let output = demo(dir.path(), &["--records", "400", "--poison", "0.1", "--json"]).output().unwrap();

    let summary = json(&output);
    assert_eq!(output.status.code(), Some(0), "{summary}");
    let n = |key: &str| summary[key].as_u64().unwrap_or_else(|| panic!("{key}: {summary}"));
    assert_eq!(summary["reconciles"], true);
    assert_eq!(n("records_in"), 400);
    assert!(n("dead_letters") > 10, "{summary}");
    assert_eq!(n("rows_streaming") + n("dead_letters"), 400);
    assert_eq!(n("rows_microbatch") + n("dead_letters"), 400);
    for way in ["arrival_to_streaming", "arrival_to_microbatch"] {
        let ms = |key: &str| summary[way][key].as_u64().unwrap();
        assert!(0 < ms("p50_ms") && ms("p50_ms") <= ms("p95_ms") && ms("p95_ms") <= ms("max_ms"), "{summary}");
    }
    assert_eq!(summary["functions"].as_array().unwrap().len(), 2);
    assert!(text(&output.stderr).contains("pushing records through"));
}

#[tokio::test]
async fn a_second_run_starts_clean_unless_it_appends() {
    let dir = dir().await;
    let rows = |args: &[&str]| {
        let output = demo(dir.path(), &[&["--records", "30"], args].concat()).output().unwrap();
        let text = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let line = text.lines().find(|line| line.contains("| streaming mode")).unwrap().to_owned();
        line.split('|').nth(2).unwrap().trim().parse::<u64>().unwrap()
    };

    assert_eq!(rows(&[]), 30);
    assert_eq!(rows(&["--append", "--seed", "2"]), 60);
    assert_eq!(rows(&[]), 30);
}

#[tokio::test]
async fn what_does_not_reconcile_is_an_exit_code_of_1() {
    let dir = dir().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let template = elsewhere.path().join("template.json");
    std::fs::write(&template, r#"{"sensorId": "none"}"#).unwrap();

    let output = demo(dir.path(), &["--records", "5", "--template"]).arg(&template).output().unwrap();

    let text = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("10 FAULTS, compared by position"), "{text}");
    assert!(text.contains("is a dead letter, though nothing is wrong with it"), "{text}");
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_what_is_on_this_machine() {
    let dir = dir().await;
    let mut command = demo(dir.path(), &["--records", "5"]);
    // Nobody listens on port 9 (discard) of this machine.
    command.envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("http_proxy", "http://127.0.0.1:9")]);
    command.env("NO_PROXY", "internal.example").env_remove("no_proxy");

    let output = command.output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_folder_may_have_spaces_and_letters_of_any_kind() {
    let dir = dir().await;
    let spaced = dir.path().join("with spaces, ünï=ü & (brackets)");
    std::fs::create_dir(&spaced).unwrap();
    std::os::unix::fs::symlink(dir.path().join("venv"), spaced.join("venv")).unwrap();

    let output = demo(&spaced, &["--records", "5", "--poison", "0.2"]).output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}
