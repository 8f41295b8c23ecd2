//! The session's promises: one log-in, one more when it is gone, and no statement left behind.

use std::time::Duration;

use landfall_snowflake::{Fate, Kind, Session, Table};
use serde_json::json;

use crate::fake::{Answer, Fake, config, refusal, rows};

fn one() -> Answer {
    rows(&[("N", "fixed", 0)], json!([["1"]]))
}

#[tokio::test]
async fn it_logs_in_once_and_says_who_it_is() {
    let fake = Fake::answering(&[one(), one()]);
    let session = fake.session().await;
    assert_eq!(fake.effects(), [] as [&str; 0]);

    session.log_in().await.unwrap();
    session.log_in().await.unwrap();
    session.query("A", &[]).await.unwrap();
    session.query("B", &["x", "2"]).await.unwrap();

    assert_eq!(
        fake.effects(),
        ["log in 1", "A with Snowflake Token=\"token-1\"", "B with Snowflake Token=\"token-1\""]
    );
    let [log_in, _, b] = &fake.bodies()[..] else { panic!() };
    assert_eq!(
        log_in["data"]["SESSION_PARAMETERS"],
        json!({
            "QUERY_TAG": "landfall/sensors",
            "STATEMENT_TIMEOUT_IN_SECONDS": 40,
            "AUTOCOMMIT": true,
            "MULTI_STATEMENT_COUNT": 1,
            "TIMESTAMP_INPUT_FORMAT": "AUTO",
            "DATE_INPUT_FORMAT": "AUTO",
        })
    );
    assert_eq!(log_in["data"]["AUTHENTICATOR"], "SNOWFLAKE_JWT");
    assert_eq!(b["bindings"], json!({"1": {"type": "TEXT", "value": "x"}, "2": {"type": "TEXT", "value": "2"}}));
}

#[tokio::test]
async fn a_session_that_is_gone_is_replaced_and_the_statement_runs_again() {
    for code in ["390104", "390111", "390112", "390114"] {
        let fake = Fake::answering(&[refusal(code), one(), one()]);
        let session = fake.session().await;

        let table = session.query("A", &[]).await.unwrap();
        session.query("B", &[]).await.unwrap();

        let rows = vec![vec![Some("1".to_owned())]];
        assert_eq!(table, Table { columns: vec!["N".to_owned()], kinds: vec![Kind::Number], rows });
        assert_eq!(
            fake.effects(),
            [
                "log in 1",
                "A with Snowflake Token=\"token-1\"",
                "log in 2",
                "A with Snowflake Token=\"token-2\"",
                "B with Snowflake Token=\"token-2\"",
            ]
        );
    }
}

#[tokio::test]
async fn a_session_that_is_gone_twice_is_an_error_and_the_next_statement_logs_in() {
    let fake = Fake::answering(&[refusal("390112"), refusal("390114"), one()]);
    let session = fake.session().await;

    let error = session.query("A", &[]).await.unwrap_err();
    session.query("B", &[]).await.unwrap();

    assert_eq!((error.fate(), error.kind(), error.code()), (Fate::Transient, "session_gone", Some("390114")));
    assert_eq!(
        fake.effects(),
        [
            "log in 1",
            "A with Snowflake Token=\"token-1\"",
            "log in 2",
            "A with Snowflake Token=\"token-2\"",
            "log in 3",
            "B with Snowflake Token=\"token-3\"",
        ]
    );
}

#[tokio::test]
async fn a_statement_without_an_answer_is_cancelled() {
    let fake = Fake::answering(&[Answer::Silence]);
    let mut config = fake.config().await;
    config.statement_timeout = Duration::from_millis(200);
    let session = Session::new(config).unwrap();

    let error = session.query("A", &[]).await.unwrap_err();

    assert_eq!((error.fate(), error.kind()), (Fate::Transient, "time_out"));
    assert_eq!(fake.effects(), ["log in 1", "A with Snowflake Token=\"token-1\"", "abort"]);
}

#[tokio::test]
async fn cells_are_exact_text() {
    let columns = [
        ("I", "fixed", 0),
        ("D", "fixed", 2),
        ("F", "real", 0),
        ("B", "boolean", 0),
        ("T", "timestamp_ntz", 3),
        ("U", "timestamp_ntz", 9),
        ("Z", "timestamp_tz", 3),
        ("A", "date", 0),
        ("V", "variant", 0),
        ("S", "text", 0),
        ("N", "text", 0),
    ];
    let row = json!([[
        "12345678901234567890123456789012345678",
        "1.10",
        "0.1",
        "1",
        "1795183200.120",
        "1795183200.123456789",
        "1795183200.120 1440",
        "20777",
        "{\n  \"n\": 9007199254740993\n}",
        "",
        null
    ]]);
    let session = Fake::answering(&[rows(&columns, row)]).session().await;

    let table = session.query("A", &[]).await.unwrap();

    assert_eq!(table.columns, columns.map(|(name, ..)| name));
    let [number, boolean, json, text] = [Kind::Number, Kind::Boolean, Kind::Json, Kind::Text];
    assert_eq!(table.kinds, [number, number, number, boolean, text, text, text, text, json, text, text]);
    assert_eq!(
        table.rows,
        [[
            Some("12345678901234567890123456789012345678"),
            Some("1.10"),
            Some("0.1"),
            Some("true"),
            Some("2026-11-20 14:00:00.120"),
            Some("2026-11-20 14:00:00.123456789"),
            Some("2026-11-20 14:00:00.120 +00:00"),
            Some("2026-11-20"),
            Some("{\"n\":9007199254740993}"),
            Some(""),
            None,
        ]
        .map(|cell| cell.map(str::to_owned))]
    );
}

#[tokio::test]
async fn one_statement_runs_at_a_time() {
    let fake = Fake::answering(&[Answer::Silence, one()]);
    let mut config = fake.config().await;
    config.statement_timeout = Duration::from_millis(200);
    let session = Session::new(config).unwrap();

    let (a, b) = tokio::join!(session.query("A", &[]), session.query("B", &[]));

    assert!(a.is_err() && b.is_ok());
    assert_eq!(
        fake.effects(),
        ["log in 1", "A with Snowflake Token=\"token-1\"", "abort", "B with Snowflake Token=\"token-1\""]
    );
}

#[tokio::test]
async fn nothing_of_the_key_is_printed() {
    let config = config(None);
    let debug = format!("{config:?} {:?}", Session::new(config.clone()).unwrap());

    assert!(debug.contains("Secret(..)"));
    assert!(!debug.contains("PRIVATE"), "{debug}");
}
