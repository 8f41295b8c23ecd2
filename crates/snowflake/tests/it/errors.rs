//! What becomes of the rows, by what Snowflake said.

use landfall_snowflake::{Config, Credentials, Fate, Secret, Session, SessionError};

use crate::fake::{Answer, Fake, config, refusal};

#[track_caller]
fn check(error: &SessionError, fate: Fate, kind: &str) {
    assert_eq!((error.fate(), error.kind()), (fate, kind), "{error:?}");
    assert_eq!(error.remedy().is_some(), fate == Fate::Setup, "{error:?}");
}

async fn refused(answer: Answer) -> SessionError {
    Fake::answering(&[answer]).session().await.query("A", &[]).await.unwrap_err()
}

async fn log_in_refused(answer: Answer) -> SessionError {
    Fake::refusing_log_in(answer).session().await.log_in().await.unwrap_err()
}

#[tokio::test]
async fn a_code_decides_the_fate_and_an_unknown_one_is_transient() {
    let cases = [
        (
            Fate::Data,
            &["100035", "100037", "100038", "100039", "100040", "100046", "100069", "100071", "100072", "100078"][..],
        ),
        (Fate::Setup, &["000606", "000904", "002003", "002043", "003001"]),
        (Fate::Transient, &["000604", "000625", "000630", "001003", "100090", "100132", "261000", "999999"]),
    ];
    for (fate, codes) in cases {
        for code in codes {
            let error = refused(refusal(code)).await;
            check(&error, fate, "run");
            assert_eq!(error.code(), Some(*code));
            assert_eq!(error.message(), Some(&*format!("message of {code}")));
            assert_eq!(error.query_id(), Some("01b0"));
            assert_eq!(error.is_brief(), *code == "000625", "{code}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_transient() {
    for status in [401, 403, 404, 429, 500, 503] {
        check(&refused(Answer::Status(status)).await, Fate::Transient, "run");
    }
}

#[tokio::test]
async fn a_log_in_fails_for_good_when_it_is_refused_and_for_now_when_nobody_is_there() {
    check(&log_in_refused(refusal("390144")).await, Fate::Setup, "log_in");
    check(&log_in_refused(Answer::Status(403)).await, Fate::Setup, "log_in");
    check(&log_in_refused(Answer::Status(429)).await, Fate::Transient, "log_in");
    check(&log_in_refused(Answer::Status(503)).await, Fate::Transient, "log_in");

    let nobody = Session::new(config(Some("http://127.0.0.1:1".to_owned()))).unwrap();
    check(&nobody.log_in().await.unwrap_err(), Fate::Transient, "log_in");

    let nowhere = Session::new(config(Some("http://account.invalid".to_owned()))).unwrap();
    check(&nowhere.log_in().await.unwrap_err(), Fate::Setup, "log_in");
    // Longer than a part of a name can be.
    let nowhere = Session::new(Config { account: "a".repeat(64), ..config(None) }).unwrap();
    check(&nowhere.log_in().await.unwrap_err(), Fate::Setup, "log_in");
}

/// What an administrator is told whose log-in is refused.
#[track_caller]
fn check_administrator(error: &SessionError, named: &[&str]) {
    let remedy = error.remedy().unwrap_or_default();
    for name in named {
        assert!(remedy.contains(name), "{name}: {remedy}");
    }
    assert!(!remedy.contains("SNOWFLAKE_USER"), "{remedy}");
}

#[tokio::test]
async fn an_administrator_is_told_what_is_wrong_with_what_was_given() {
    let log_in = async |credentials: Credentials, answer: Answer| {
        let config = Config { credentials, ..Fake::refusing_log_in(answer).config().await };
        Session::new(config).unwrap().as_administrator().log_in().await.unwrap_err()
    };
    let password = Credentials::Password { password: Secret::new("p"), passcode: Some(Secret::new("123456")) };
    let key = config(None).credentials;
    let token = Credentials::OAuth(Secret::new("t"));

    let error = log_in(password.clone(), refusal("390100")).await;
    check_administrator(&error, &["SNOWFLAKE_ADMIN_PASSWORD", "SNOWFLAKE_ADMIN_PASSCODE"]);
    assert_eq!(error.fate(), Fate::Setup);
    check_administrator(&log_in(key, refusal("390144")).await, &["SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE"]);
    let no_key = Credentials::PrivateKey(Secret::new("no key"));
    check_administrator(&log_in(no_key, refusal("390144")).await, &["SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE", "PKCS#8"]);
    check_administrator(&log_in(token, refusal("390303")).await, &["SNOWFLAKE_ADMIN_TOKEN"]);
    // It is the account that is wrong.
    let elsewhere = log_in(password, Answer::Status(404)).await;
    assert!(elsewhere.remedy().unwrap().starts_with("set SNOWFLAKE_ACCOUNT to"), "{elsewhere:?}");
}

#[tokio::test]
async fn what_is_configured_wrong_says_what_to_change() {
    let mut bad = config(Some("not a url".to_owned()));
    check(&Session::new(bad.clone()).unwrap_err(), Fate::Setup, "configure");

    bad.account = String::new();
    check(&Session::new(bad.clone()).unwrap_err(), Fate::Setup, "configure");

    let mut bad = config(None);
    bad.credentials = Credentials::PrivateKey(Secret::new("-----BEGIN RSA PRIVATE KEY-----"));
    let error = Session::new(bad).unwrap().log_in().await.unwrap_err();
    check(&error, Fate::Setup, "log_in");
    assert!(error.remedy().unwrap().contains("PKCS#8"));
}

#[tokio::test]
async fn errors_read_as_one_chain() {
    let error = chain(&refused(refusal("100038")).await);
    insta::assert_snapshot!(error, @"failed to run a statement in Snowflake: Snowflake server error 100038: message of 100038 (query id: 01b0)");
    let error = chain(&log_in_refused(refusal("390144")).await);
    insta::assert_snapshot!(error, @"failed to log in to Snowflake account org-account as LANDFALL: authentication rejected: message of 390144");
    let error = chain(&log_in_refused(Answer::Status(503)).await);
    insta::assert_snapshot!(error, @"failed to log in to Snowflake account org-account as LANDFALL: it answered with HTTP 503");
    let error = chain(&log_in_refused(Answer::Json(serde_json::json!(["something else"]))).await);
    insta::assert_snapshot!(error, @"failed to log in to Snowflake account org-account as LANDFALL: its answer is none of Snowflake's");
    let nobody = Session::new(config(Some("http://127.0.0.1:1".to_owned()))).unwrap();
    let error = chain(&nobody.log_in().await.unwrap_err());
    assert!(error.contains("as LANDFALL: no answer from 127.0.0.1:1 (Connection refused"), "{error}");
}

fn chain(error: &SessionError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
