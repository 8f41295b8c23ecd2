//! `landfall snowflake`.

use std::path::Path;
use std::process::{Command, Output};

use landfall_snowflake::Secret;
use landfall_snowflake::key::{KeyPair, PublicKey};
use landfall_snowflake::provision::{IAM_USER_ARN, NOTIFICATION_CHANNEL};
use tempfile::TempDir;

use crate::account::{Account, OUTPUTS, SecretsManager};
use crate::support::{forms, landfall, says_none, text};

/// A command in a folder with Terraform's outputs, and nothing of this machine's environment.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = landfall(&["snowflake"]);
    command.args(args).current_dir(dir).env_clear();
    command
}

pub(crate) fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("outputs.json"), OUTPUTS).unwrap();
    dir
}

/// Off the test's runtime, which serves the account.
pub(crate) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

pub(crate) async fn apply(dir: &Path, url: &str, args: &[&str]) -> Output {
    let mut command = command(dir, &["apply", "--outputs", "outputs.json"]);
    command.args(args).env("SNOWFLAKE_URL", url).env("SNOWFLAKE_ADMIN_USER", "ADA");
    command.env("SNOWFLAKE_ADMIN_PASSWORD", "hidden-password").env("SNOWFLAKE_ADMIN_PASSCODE", "864209");
    run(command).await
}

pub(crate) fn tfvars(dir: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dir.join("snowflake.auto.tfvars.json")).unwrap()).unwrap()
}

#[test]
fn ddl_prints_what_is_checked_in() {
    let dir = tempfile::tempdir().unwrap();

    let output = command(dir.path(), &["ddl"]).output().unwrap();

    let printed = text(&output.stdout);
    for name in ["01_account.sql", "02_tables.sql", "03_views.sql", "04_landing.sql"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/snowflake").join(name);
        let checked_in = std::fs::read_to_string(file).unwrap();
        assert!(printed.contains(&format!("-- {name}\n{}", checked_in.trim_end())), "{name}: {printed}");
    }
}

#[test]
fn ddl_for_an_account_has_no_placeholders() {
    let (dir, pair) = (folder(), KeyPair::generate().unwrap());
    std::fs::write(dir.path().join("key.pub"), pair.public_key.pem()).unwrap();

    let output =
        command(dir.path(), &["ddl", "--outputs", "outputs.json", "--public-key", "key.pub"]).output().unwrap();

    let printed = text(&output.stdout);
    let statements: String = printed.lines().filter(|line| !line.starts_with("--")).collect();
    assert!(!statements.contains('<') && statements.contains("'s3://acme-landing/kinesiscsv/'"), "{printed}");
    assert!(statements.contains(&format!("RSA_PUBLIC_KEY = '{}'", pair.public_key.base64)));
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_makes_all_of_it_tells_terraform_and_then_nothing_more() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;

    let first = apply(dir.path(), &url, &["--yes"]).await;
    let n_changes = account.memory().changes().len();
    let second = apply(dir.path(), &url, &[]).await;

    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(text(&first.stdout).contains("  + integration LANDFALL_INTEGRATION\n"), "{}", text(&first.stdout));
    let expected = serde_json::json!({
        "snowflake_iam_user_arn": IAM_USER_ARN,
        "snowflake_notification_channel": NOTIFICATION_CHANNEL,
    });
    assert_eq!(tfvars(dir.path()), expected);
    assert_eq!(second.status.code(), Some(0), "{}", text(&second.stderr));
    assert!(text(&second.stdout).contains("\nThe account has all that the pipeline needs: nothing to change.\n"));
    assert_eq!(account.memory().changes().len(), n_changes);
    // Who it was is said to the account, and to nobody else.
    let log_in = &account.log_ins()[0]["data"];
    assert_eq!((&log_in["LOGIN_NAME"], &log_in["PASSWORD"]), (&"ADA".into(), &"hidden-password".into()));
    for output in [first, second] {
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(!all.contains("hidden-password") && !all.contains("864209"), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_changes_nothing_without_a_yes() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;

    let dry = apply(dir.path(), &url, &["--dry-run"]).await;
    let asked = apply(dir.path(), &url, &[]).await;

    assert_eq!((dry.status.code(), asked.status.code()), (Some(0), Some(1)));
    assert!(text(&dry.stdout).contains("+ role LANDFALL_OWNER"), "{}", text(&dry.stdout));
    assert!(text(&asked.stderr).contains("try: give --yes"), "{}", text(&asked.stderr));
    assert_eq!(account.memory().changes(), [] as [&str; 0]);
    assert!(!dir.path().join("snowflake.auto.tfvars.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_has_to_wait_tells_terraform_what_is_known() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    let error = landfall_snowflake::provision::AccountError {
        what: "Error assuming AWS_ROLE".to_owned(),
        code: Some("003167".to_owned()),
        remedy: None,
    };
    account.memory().refuse("CREATE PIPE", error);

    let first = apply(dir.path(), &url, &["--yes"]).await;
    let known = tfvars(dir.path());
    account.memory().relent();
    let second = apply(dir.path(), &url, &["--yes"]).await;

    assert_eq!(first.status.code(), Some(1));
    let said = text(&first.stdout);
    assert!(said.contains("The pipe has to wait: ") && said.contains("Next: terraform apply"), "{said}");
    assert_eq!(known, serde_json::json!({"snowflake_iam_user_arn": IAM_USER_ARN}));
    assert_eq!(second.status.code(), Some(0), "{}", text(&second.stderr));
    assert_eq!(tfvars(dir.path())["snowflake_notification_channel"], NOTIFICATION_CHANNEL);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_lose_rows_is_refused_with_the_sql() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    apply(dir.path(), &url, &["--yes"]).await;
    let n_changes = account.memory().changes().len();
    let sensors = include_str!("../../../../pipeline.toml").replacen("type = \"string\"", "type = \"boolean\"", 1);
    std::fs::write(dir.path().join("pipeline.toml"), sensors).unwrap();

    let output = apply(dir.path(), &url, &["--yes"]).await;

    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("1 change is refused, and nothing has been changed") && error.contains("RENAME TO"),
        "{error}"
    );
    assert_eq!(account.memory().changes().len(), n_changes);
}

#[test]
fn what_is_not_set_is_named_and_so_is_what_terraform_has_not_said() {
    let dir = folder();
    let error = text(&command(dir.path(), &["apply", "--outputs", "outputs.json"]).output().unwrap().stderr);
    assert!(error.contains("SNOWFLAKE_ADMIN_USER is not set"), "{error}");
    let error = text(&command(dir.path(), &["apply"]).output().unwrap().stderr);
    assert!(error.contains("failed to find landing_bucket, storage_role_arn, storage_external_id among"), "{error}");
    std::fs::write(dir.path().join("other.json"), OUTPUTS.replace("\"kinesiscsv\"", "\"other\"")).unwrap();
    let error = text(&command(dir.path(), &["apply", "--outputs", "other.json"]).output().unwrap().stderr);
    assert!(error.contains("Terraform deployed the prefix other, and it says kinesiscsv"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_verified_as_the_service_user() {
    let (account, dir, pair) = (Account::default(), folder(), KeyPair::generate().unwrap());
    let url = account.serve().await;
    apply(dir.path(), &url, &["--yes"]).await;
    std::fs::write(dir.path().join("key.p8"), pair.private_key_pem.expose()).unwrap();
    let verify = async || {
        let mut command = command(dir.path(), &["verify", "--outputs", "outputs.json"]);
        command.env("SNOWFLAKE_URL", &url).env("SNOWFLAKE_PRIVATE_KEY_FILE", "key.p8");
        run(command).await
    };

    let well = verify().await;
    account.memory().revoke("INSERT", "LANDFALL.STAGING.KINESIS_SENSORS_STREAMING", "LANDFALL_LOADER");
    let ill = verify().await;

    assert_eq!(well.status.code(), Some(0), "{}{}", text(&well.stdout), text(&well.stderr));
    insta::assert_snapshot!(text(&well.stdout), @"
     ok  log-in     LANDFALL_LOADER as LANDFALL_LOADER
     ok  rights     10 of 10
     ok  warehouse  LANDFALL_WH, X-Small, suspends after 60 s, ends a statement after 300 s
     ok  tables     both have the 9 columns of the pipeline
     ok  a row      merged into a scratch table, and not twice
     ok  stage      the landing bucket can be listed
     ok  pipe       RUNNING, 0 objects pending, not told of any yet

    7 checked, 0 at fault, 0 not checked
    ");
    assert_eq!(ill.status.code(), Some(1));
    let said = text(&ill.stdout);
    assert!(said.contains("FAULT  rights") && said.contains("GRANT INSERT ON TABLE"), "{said}");
    // The user logs in with its key.
    assert_eq!(account.log_ins().last().unwrap()["data"]["AUTHENTICATOR"], "SNOWFLAKE_JWT");
}

pub(crate) fn keygen(dir: &Path, secrets: &str, args: &[&str]) -> Command {
    let mut command = command(dir, &["keygen"]);
    command.args(args).env("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets);
    command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_REGION", "us-east-1");
    command
}

/// No part of a private key is in what a command printed.
#[track_caller]
pub(crate) fn check_hidden(output: &Output, pem: &str) {
    says_none(&forms(pem), output);
    says_none(&[b"PRIVATE KEY".to_vec()], output);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_into_the_secret_and_is_not_seen() {
    let (dir, secrets) = (folder(), SecretsManager::default());
    let url = secrets.serve().await;

    let output = run(keygen(dir.path(), &url, &["--outputs", "outputs.json"])).await;

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let pem = secrets.value().unwrap();
    let public = PublicKey::of_private(&Secret::new(pem.as_str())).unwrap();
    assert_eq!(
        text(&output.stdout),
        format!("ALTER USER \"LANDFALL_LOADER\" SET RSA_PUBLIC_KEY = '{}';\n", public.base64)
    );
    let file = std::fs::read_to_string(dir.path().join("landfall_key.pub")).unwrap();
    assert_eq!(PublicKey::parse(&file).unwrap(), public);
    check_hidden(&output, &pem);
}

#[cfg(unix)]
#[test]
fn a_key_file_is_ones_own_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();

    let first = command(dir.path(), &["keygen", "--file", "key.p8"]).output().unwrap();
    let pem = std::fs::read_to_string(dir.path().join("key.p8")).unwrap();
    let second = command(dir.path(), &["keygen", "--file", "key.p8"]).output().unwrap();

    assert_eq!((first.status.code(), second.status.code()), (Some(0), Some(1)), "{}", text(&first.stderr));
    let mode = std::fs::metadata(dir.path().join("key.p8")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(text(&second.stderr).contains("it is there already"));
    assert_eq!(std::fs::read_to_string(dir.path().join("key.p8")).unwrap(), pem);
    check_hidden(&first, &pem);
}

/// A Terraform that was applied in `infra`; it runs `script` first.
#[cfg(unix)]
pub(crate) fn terraform(dir: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let program = dir.join("terraform");
    std::fs::create_dir(dir.join("infra")).unwrap();
    let answer = format!("[ \"$*\" = '-chdir=infra output -json' ] && cat <<'END'\n{OUTPUTS}\nEND\n");
    std::fs::write(&program, format!("#!/bin/sh\n{script}{answer}")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn terraform_is_asked_itself_and_told_beside_its_files() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    terraform(dir.path(), "");
    let mut command = command(dir.path(), &["apply", "--terraform", "infra", "--yes"]);
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    command.env("PATH", path).env("SNOWFLAKE_URL", url).env("SNOWFLAKE_ADMIN_USER", "ADA");

    let output = run({
        command.env("SNOWFLAKE_ADMIN_TOKEN", "hidden-token");
        command
    })
    .await;

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(tfvars(&dir.path().join("infra"))["snowflake_iam_user_arn"], IAM_USER_ARN);
    assert_eq!(account.log_ins()[0]["data"]["AUTHENTICATOR"], "OAUTH");
}
