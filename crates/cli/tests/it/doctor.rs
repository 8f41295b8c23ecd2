//! `landfall doctor`.

use std::path::Path;
use std::process::Output;

use landfall_snowflake::key::KeyPair;
use tempfile::TempDir;

use crate::account::{Account, OUTPUTS};
use crate::support::{landfall, text};

/// A folder with a key.
fn folder() -> (TempDir, KeyPair) {
    let (dir, pair) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
    std::fs::write(dir.path().join("key.p8"), pair.private_key_pem.expose()).unwrap();
    (dir, pair)
}

async fn doctor(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
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
     -      bucket           not checked: there are no credentials, or no region
     -      stream           not checked: there are no credentials, or no region
     -      mapping          not checked: there are no credentials, or no region
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

    3 checked, 2 at fault, 13 not checked
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

    account.refuse("User temporarily locked.");
    assert!(said().await.contains("the user LANDFALL_LOADER is disabled or locked"));
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
    let line = pair.private_key_pem.expose().lines().nth(1).unwrap();
    assert!(!said.contains(line) && !text(&output.stderr).contains(line));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_deployed_is_looked_for_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("outputs.json"), OUTPUTS).unwrap();
    // An AWS that refuses everything.
    let aws = crate::account::Refusing::serve("AccessDeniedException").await;
    let env = [
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", aws.as_str()),
        ("SNOWFLAKE_URL", "http://127.0.0.1:1"),
    ];

    let output = doctor(dir.path(), &["--outputs", "outputs.json"], &env).await;

    let said = text(&output.stdout);
    assert!(said.contains("this machine is set to eu-west-1, and Terraform deployed to us-east-1"), "{said}");
    for (what, name) in [
        ("bucket", "acme-landing"),
        ("stream", "landfall"),
        ("mapping", "landfall-orchestrator"),
        ("secret", "landfall/snowflake-key"),
    ] {
        let line = said.lines().find(|line| line.contains(&format!("FAULT  {what} "))).unwrap_or_default();
        assert!(line.contains(name), "{what}: {said}");
    }
    for right in ["kinesis:DescribeStreamSummary", "lambda:ListEventSourceMappings", "secretsmanager:GetSecretValue"] {
        assert!(said.contains(&format!("try: use credentials that may do it: {right}")), "{right}: {said}");
    }
}
