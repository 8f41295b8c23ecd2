//! `landfall doctor`, before there is a deployment and where the log-in is refused.

use std::path::Path;
use std::process::Output;

use landfall_snowflake::key::KeyPair;
use tempfile::TempDir;

use crate::account::Account;
use crate::support::{forms, landfall, says_none, text};

/// A folder with a key.
pub(crate) fn folder() -> (TempDir, KeyPair) {
    let (dir, pair) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
    std::fs::write(dir.path().join("key.p8"), pair.private_key_pem.expose()).unwrap();
    (dir, pair)
}

pub(crate) async fn doctor(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = landfall(&["doctor"]);
    // No credentials of this machine's, and no wait for those of a virtual one's.
    command.args(args).current_dir(dir).env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", dir);
    command.envs(env.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// The account's side, at `url`.
async fn doctor_at(dir: &Path, url: &str) -> Output {
    let env = [("SNOWFLAKE_ACCOUNT", "acme-prod"), ("SNOWFLAKE_URL", url), ("SNOWFLAKE_PRIVATE_KEY_FILE", "key.p8")];
    doctor(dir, &[], &env).await
}

#[tokio::test]
async fn without_an_account_it_says_what_is_missing_and_what_cannot_be_checked() {
    let dir = tempfile::tempdir().unwrap();

    let output = doctor(dir.path(), &[], &[]).await;

    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stdout), @r#"
     ok     pipeline.toml    none here: the one that is built in, pipeline sensors
     FAULT  AWS credentials  none are found: nothing in the environment, in a profile or of a role
                             try: set AWS_PROFILE, or eval "$(aws configure export-credentials --format env)"
     FAULT  region           neither AWS_REGION nor a profile names one
                             try: set AWS_REGION, for example us-east-1
     -      bucket           not checked: there are no credentials
     -      stream           not checked: there are no credentials
     -      mapping          not checked: there are no credentials
     -      secret           not checked: SNOWFLAKE_ACCOUNT is not set
     -      account          not checked: SNOWFLAKE_ACCOUNT is not set
     -      clock            not checked: SNOWFLAKE_ACCOUNT is not set
     -      log-in           not checked: SNOWFLAKE_ACCOUNT is not set
     -      rights           not checked: SNOWFLAKE_ACCOUNT is not set
     -      warehouse        not checked: SNOWFLAKE_ACCOUNT is not set
     -      tables           not checked: SNOWFLAKE_ACCOUNT is not set
     -      a row            not checked: SNOWFLAKE_ACCOUNT is not set
     -      stage            not checked: SNOWFLAKE_ACCOUNT is not set
     -      pipe             not checked: SNOWFLAKE_ACCOUNT is not set
     -      notification     not checked: there are no credentials

    3 checked, 2 at fault, 14 not checked
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_that_is_refused_is_told_by_its_cause() {
    let (dir, pair) = folder();
    let account = Account::default();
    let url = account.serve().await;
    let said = async || text(&doctor_at(dir.path(), &url).await.stdout);

    account.refuse("JWT token is invalid. [0ce9eb56-821d-4ca9-a774-04ae89a0cf5a]");
    let key = said().await;
    assert!(
        key.contains(&format!("acme-prod knows no user LANDFALL_LOADER with the key {}", pair.public_key.fingerprint)),
        "{key}"
    );
    assert!(key.contains("SYSTEM$GET_LOGIN_FAILURE_DETAILS('0ce9eb56-821d-4ca9-a774-04ae89a0cf5a')"), "{key}");
    assert!(key.contains("ok     clock"), "{key}");

    assert!(key.contains("RSA_PUBLIC_KEY_2 instead, if RSA_PUBLIC_KEY holds another key"), "{key}");

    account.refuse("User temporarily locked.");
    assert!(said().await.contains("ALTER USER \"LANDFALL_LOADER\" SET MINS_TO_UNLOCK = 0"), "{}", said().await);
    account.refuse("User access disabled.");
    assert!(said().await.contains("ALTER USER \"LANDFALL_LOADER\" SET DISABLED = FALSE"), "{}", said().await);
    account.refuse("Role 'X' specified in the connect string does not exist or not authorized.");
    assert!(said().await.contains("check SNOWFLAKE_ROLE, and GRANT ROLE"));
    account.refuse("Incoming request with IP/Token 192.0.2.1 is not allowed to access Snowflake.");
    assert!(said().await.contains("network policy"), "{}", said().await);

    account.refuse("JWT token is invalid.");
    account.say_it_is("Fri, 20 Nov 2020 14:00:00 GMT");
    let clock = said().await;
    assert!(clock.contains("FAULT  clock") && clock.contains("ahead of the account"), "{clock}");
    assert!(clock.contains("the token is signed") && !clock.contains("knows no user"), "{clock}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_there_is_named() {
    let (dir, _) = folder();

    let output = doctor_at(dir.path(), "http://127.0.0.1:1").await;

    let said = text(&output.stdout);
    assert!(said.contains("FAULT  account") && said.contains("check SNOWFLAKE_ACCOUNT=acme-prod"), "{said}");
    assert!(said.contains("-      pipe") && said.contains("not checked: nobody is logged in"), "{said}");
    assert!(said.contains("-      log-in           not checked: the account does not answer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_answers_is_looked_through() {
    let (dir, pair) = folder();
    let account = Account::default();
    let url = account.serve().await;

    let output = doctor_at(dir.path(), &url).await;

    let said = text(&output.stdout);
    // Nothing has been applied there.
    assert!(
        said.contains("ok     log-in") && said.contains("FAULT  rights") && said.contains("FAULT  tables"),
        "{said}"
    );
    says_none(&forms(pair.private_key_pem.expose()), &output);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_that_gets_no_answer_of_snowflakes_is_told_by_its_status() {
    let (dir, pair) = folder();
    let account = Account::default();
    let url = account.serve().await;
    let said = async |status| {
        account.answer_log_ins_with(status);
        text(&doctor_at(dir.path(), &url).await.stdout)
    };

    let unauthorized = said(401).await;
    let not_found = said(404).await;
    let forbidden = said(403).await;

    let fingerprint = &pair.public_key.fingerprint;
    assert!(
        unauthorized.contains(&format!("acme-prod knows no user LANDFALL_LOADER with the key {fingerprint}")),
        "{unauthorized}"
    );
    for said in [not_found, forbidden] {
        assert!(said.contains("FAULT  log-in           there is no account acme-prod\n"), "{said}");
        assert!(said.contains("try: set SNOWFLAKE_ACCOUNT to <organization>-<account>"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_name_no_dns_knows_is_told_so() {
    let (dir, _) = folder();
    // Longer than a part of a name can be, so that no resolver is needed to say no.
    let account = "a".repeat(64);
    let env = [("SNOWFLAKE_ACCOUNT", account.as_str()), ("SNOWFLAKE_PRIVATE_KEY_FILE", "key.p8")];

    let said = text(&doctor(dir.path(), &[], &env).await.stdout);

    assert!(
        said.contains(&format!("FAULT  account          https://{account}.snowflakecomputing.com does not answer")),
        "{said}"
    );
    assert!(
        said.contains(&format!("try: check SNOWFLAKE_ACCOUNT={account}: it is <organization>-<account>")),
        "{said}"
    );
}
