//! `landfall snowflake apply`: what it says before it does anything, and what it leaves as it is.

use std::path::Path;

use landfall_snowflake::key::{KeyPair, PublicKey};
use landfall_snowflake::provision::{AccountError, IAM_USER_ARN, NOTIFICATION_CHANNEL};

use crate::account::Account;
use crate::snowflake::{apply, command, folder, tfvars};
use crate::support::text;

fn refusal(what: &str) -> AccountError {
    AccountError { what: what.to_owned(), code: Some("003167".to_owned()), remedy: None }
}

/// Puts a public key where `apply` looks for one.
fn key(dir: &Path) -> PublicKey {
    let key = KeyPair::generate().unwrap().public_key;
    std::fs::write(dir.join("landfall_key.pub"), key.pem()).unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_where_it_is_going_to_act() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;

    let output = apply(dir.path(), &url, &["--dry-run"]).await;

    let said = text(&output.stdout);
    let (head, _) = said.split_once("\n\nWhat would be made:\n").unwrap();
    insta::assert_snapshot!(head, @"
    account    acme-prod, as ADA with the role ACCOUNTADMIN
    landing    s3://acme-landing/kinesiscsv/
    read with  arn:aws:iam::123456789012:role/landfall-snowflake-storage
    terraform  snowflake.auto.tfvars.json
    ");
}

#[test]
fn an_account_that_is_not_terraforms_is_refused() {
    let dir = folder();
    let mut command = command(dir.path(), &["apply", "--outputs", "outputs.json"]);
    command.env("SNOWFLAKE_ACCOUNT", "acme-test").env("SNOWFLAKE_ADMIN_USER", "ADA").env("SNOWFLAKE_ADMIN_TOKEN", "t");

    let output = command.output().unwrap();

    let said = text(&output.stderr);
    assert!(said.contains("SNOWFLAKE_ACCOUNT is acme-test, and Terraform deployed for acme-prod"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_with_nothing_to_do_tells_of_no_file_that_it_does_not_write() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    apply(dir.path(), &url, &["--yes"]).await;
    std::fs::remove_file(dir.path().join("snowflake.auto.tfvars.json")).unwrap();

    let output = apply(dir.path(), &url, &["--dry-run"]).await;

    assert!(text(&output.stdout).ends_with("nothing to change.\n"), "{}", text(&output.stdout));
    assert!(!dir.path().join("snowflake.auto.tfvars.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_was_told_before_is_kept_while_the_pipe_has_to_wait() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    apply(dir.path(), &url, &["--yes"]).await;
    // A pipe that was dropped cannot be made again for now. Somebody has a variable of their own in the file.
    account.memory().forget("PIPE", "LANDFALL.STAGING.KINESIS_SENSORS_MICROBATCH_PIPE");
    account.memory().refuse("CREATE PIPE", refusal("Error assuming AWS_ROLE: sts:AssumeRole"));
    let mut before = tfvars(dir.path());
    before["own"] = "x".into();
    std::fs::write(dir.path().join("snowflake.auto.tfvars.json"), before.to_string()).unwrap();

    let output = apply(dir.path(), &url, &["--yes"]).await;

    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    let kept = format!("snowflake_notification_channel  {NOTIFICATION_CHANNEL} (not known now: kept from before)\n");
    assert!(said.contains(&kept) && said.contains("The pipe has to wait"), "{said}");
    assert_eq!(tfvars(dir.path()), before);
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_is_refused_for_another_reason_fails_and_terraform_is_told_what_is_known() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    account.memory().refuse("CREATE PIPE", refusal("SQL compilation error: syntax error"));

    let output = apply(dir.path(), &url, &["--yes"]).await;

    assert_eq!(output.status.code(), Some(1));
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert!(!said.contains("has to wait") && error.contains("failed to make pipe LANDFALL.STAGING"), "{said}{error}");
    assert_eq!(tfvars(dir.path()), serde_json::json!({"snowflake_iam_user_arn": IAM_USER_ARN}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_half_way_writes_nothing_that_is_not_known_and_the_next_run_goes_on() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    account.memory().refuse("CREATE DATABASE", refusal("no"));

    let first = apply(dir.path(), &url, &["--yes"]).await;
    let is_there = dir.path().join("snowflake.auto.tfvars.json").exists();
    account.memory().relent();
    let second = apply(dir.path(), &url, &["--yes"]).await;

    assert_eq!((first.status.code(), is_there, second.status.code()), (Some(1), false, Some(0)));
    assert!(!text(&second.stdout).contains("+ role LANDFALL_OWNER\n"), "{}", text(&second.stdout));
    assert_eq!(tfvars(dir.path())["snowflake_notification_channel"], NOTIFICATION_CHANNEL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_terraforms_that_cannot_be_read_is_not_written_over() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    std::fs::write(dir.path().join("snowflake.auto.tfvars.json"), "no json").unwrap();

    let output = apply(dir.path(), &url, &["--yes"]).await;

    assert!(text(&output.stderr).contains("failed to read snowflake.auto.tfvars.json: it is no JSON object"));
    assert_eq!(std::fs::read_to_string(dir.path().join("snowflake.auto.tfvars.json")).unwrap(), "no json");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_lies_about_is_taken_for_a_user_without_one_and_left_alone_beside_another() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;

    let without = apply(dir.path(), &url, &["--yes"]).await;
    let first = key(dir.path());
    let with = apply(dir.path(), &url, &["--yes"]).await;
    let other = key(dir.path());
    let left = apply(dir.path(), &url, &["--yes"]).await;

    assert!(text(&without.stdout).contains("LANDFALL_LOADER has no public key yet"), "{}", text(&without.stdout));
    assert!(!text(&with.stdout).contains("has no public key"), "{}", text(&with.stdout));
    let note = format!("landfall_key.pub ({}) is none of LANDFALL_LOADER's keys, and is left alone", other.fingerprint);
    assert!(text(&left.stderr).contains(&note), "{}", text(&left.stderr));
    assert!(text(&left.stdout).contains("nothing to change"), "{}", text(&left.stdout));
    assert_eq!(account.keys().await, [Some(first.fingerprint.clone()), None]);

    let named = apply(dir.path(), &url, &["--yes", "--public-key", "landfall_key.pub"]).await;
    assert_eq!(named.status.code(), Some(0), "{}", text(&named.stderr));
    assert_eq!(account.keys().await, [Some(first.fingerprint), Some(other.fingerprint)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_new_gets_the_key_that_lies_about() {
    let (account, dir) = (Account::default(), folder());
    let url = account.serve().await;
    let key = key(dir.path());

    apply(dir.path(), &url, &["--yes"]).await;

    assert_eq!(account.keys().await, [Some(key.fingerprint), None]);
}
