//! `landfall snowflake keygen --rotate`: whatever happens, the functions' key logs in.

use std::process::{Command, Output};

use landfall_snowflake::Secret;
use landfall_snowflake::key::{KeyPair, PublicKey, Slot, set_public_key};
use landfall_snowflake::provision::Account as _;
use tempfile::TempDir;

use crate::account::{Account, SecretsManager};
use crate::aws::Aws;
use crate::snowflake::{apply, check_hidden, folder, keygen, run};
use crate::support::text;

const USER: &str = "LANDFALL_LOADER";

/// A deployment: an account whose service user logs in with the key in the secret.
struct Deployed {
    dir: TempDir,
    account: Account,
    url: String,
    secrets: SecretsManager,
    secrets_url: String,
}

async fn deployed() -> Deployed {
    let (account, secrets, dir) = (Account::default(), SecretsManager::default(), folder());
    let (url, secrets_url) = (account.serve().await, secrets.serve().await);
    apply(dir.path(), &url, &["--yes"]).await;
    account.look_at_keys();
    let pair = KeyPair::generate().unwrap();
    account.memory().run(&set_public_key(USER, Slot::First, &pair.public_key), &[]).await.unwrap();
    secrets.set(pair.private_key_pem.expose());
    Deployed { dir, account, url, secrets, secrets_url }
}

impl Deployed {
    fn rotate(&self, args: &[&str]) -> Command {
        let mut command = keygen(self.dir.path(), &self.secrets_url, &["--outputs", "outputs.json", "--rotate"]);
        command.args(args).env("SNOWFLAKE_URL", &self.url);
        command
    }

    async fn by_an_administrator(&self, args: &[&str]) -> Output {
        let mut command = self.rotate(args);
        command.env("SNOWFLAKE_ADMIN_USER", "ADA").env("SNOWFLAKE_ADMIN_TOKEN", "hidden-token");
        run(command).await
    }

    /// The fingerprint of the key in the secret.
    fn in_use(&self) -> String {
        PublicKey::of_private(&Secret::new(self.secrets.value().unwrap())).unwrap().fingerprint
    }

    /// Which of the user's keys is that in the secret.
    async fn slot(&self) -> Option<usize> {
        self.account.keys().await.iter().position(|key| key.as_deref() == Some(&self.in_use()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_again_and_again_and_the_one_in_use_is_never_replaced() {
    let deployed = deployed().await;
    for slot in [1, 0, 1] {
        let old = deployed.in_use();

        let output = deployed.by_an_administrator(&["--yes"]).await;

        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(deployed.slot().await, Some(slot));
        // What functions logged in with until now is there still.
        assert_eq!(deployed.account.keys().await[1 - slot].as_deref(), Some(old.as_str()));
        let said = text(&output.stderr);
        assert!(said.contains(&format!("key in use  {old} ")), "{said}");
        let property = ["RSA_PUBLIC_KEY;", "RSA_PUBLIC_KEY_2;"][1 - slot];
        assert!(said.contains(&format!("({old}):\nALTER USER \"LANDFALL_LOADER\" UNSET {property}")), "{said}");
        check_hidden(&output, &deployed.secrets.value().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_slot_may_not_be_that_of_the_key_in_use() {
    let deployed = deployed().await;
    let old = deployed.in_use();

    let output = deployed.by_an_administrator(&["--yes", "--slot", "1"]).await;

    let said = text(&output.stderr);
    assert!(said.contains("failed to replace RSA_PUBLIC_KEY: it is the key in use"), "{said}");
    assert_eq!((deployed.in_use(), deployed.slot().await), (old, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_administrator_the_slot_has_to_be_named_and_nothing_changes_by_itself() {
    let deployed = deployed().await;
    let (old, keys) = (deployed.in_use(), deployed.account.keys().await);

    let unnamed = run(deployed.rotate(&[])).await;
    let asked = run(deployed.rotate(&["--slot", "2"])).await;
    let unasked = run(deployed.rotate(&["--slot", "2", "--yes"])).await;

    assert!(
        text(&unnamed.stderr).contains("DESC USER \"LANDFALL_LOADER\" and give --slot 1"),
        "{}",
        text(&unnamed.stderr)
    );
    assert!(text(&unnamed.stderr).contains(&format!("(not that of {old})")));
    assert!(text(&asked.stdout).starts_with("ALTER USER \"LANDFALL_LOADER\" SET RSA_PUBLIC_KEY_2 = '"));
    let at_a_terminal = text(&asked.stderr);
    assert!(at_a_terminal.contains("try: run it at a terminal") && !at_a_terminal.contains("give --yes, once"));
    let stop = format!("Stop if DESC USER shows {old} as RSA_PUBLIC_KEY_2_FP: that is the key in use.");
    assert!(text(&asked.stderr).contains(&stop), "{}", text(&asked.stderr));
    assert!(text(&unasked.stderr).contains("nobody is here to do it"), "{}", text(&unasked.stderr));
    for output in [unnamed, asked, unasked] {
        assert_eq!(output.status.code(), Some(1));
    }
    assert_eq!((deployed.in_use(), deployed.account.keys().await), (old, keys));
    assert!(!deployed.dir.path().join("landfall_key.pub").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_that_cannot_log_in_never_gets_into_the_secret() {
    let deployed = deployed().await;
    let old = deployed.in_use();
    // As if it had gone to another user.
    deployed.account.memory().answer("ALTER USER", &[], &[]);

    let output = deployed.by_an_administrator(&["--yes"]).await;

    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("failed to try the new key, so the secret has not changed: "), "{said}");
    assert_eq!((deployed.in_use(), deployed.slot().await), (old, Some(0)));
    assert!(!deployed.dir.path().join("landfall_key.pub").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_address_that_is_not_allowed_the_new_key_stays_unused() {
    let deployed = deployed().await;
    let old = deployed.in_use();
    deployed.account.refuse_keys("Incoming request with IP/Token 192.0.2.1 is not allowed to access Snowflake.");

    let output = deployed.by_an_administrator(&["--yes"]).await;

    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("the secret has not changed: a network policy keeps this machine out"), "{said}");
    assert!(said.contains("try: rotate from an address that is allowed, or allow this address"), "{said}");
    assert!(said.contains("the key just set in RSA_PUBLIC_KEY_2 is unused"), "{said}");
    assert_eq!((deployed.in_use(), deployed.slot().await), (old, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_goes_is_named_before_it_does() {
    let deployed = deployed().await;
    assert_eq!(deployed.by_an_administrator(&["--yes"]).await.status.code(), Some(0));
    let old = deployed.account.keys().await[0].clone().unwrap();

    let output = deployed.by_an_administrator(&[]).await;

    let said = text(&output.stderr);
    let (before, _) = said.split_once("is going to be run").unwrap();
    assert!(before.contains(&format!("replaces    {old} (RSA_PUBLIC_KEY)\n")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_secret_cannot_be_read_no_key_goes_without_a_question() {
    let deployed = deployed().await;
    let key = deployed.in_use();
    deployed.secrets.set("a key that somebody spoilt");

    let unasked = deployed.by_an_administrator(&["--yes", "--slot", "1"]).await;
    let asked = deployed.by_an_administrator(&["--slot", "1"]).await;
    let keys = deployed.account.keys().await;
    let beside = deployed.by_an_administrator(&["--yes"]).await;

    let said = text(&unasked.stderr);
    assert!(said.contains("key in use  not known: failed to read the private key: it is no RSA key"), "{said}");
    assert!(said.contains(&format!("failed to replace RSA_PUBLIC_KEY of {USER}, {key}: it may be in use")), "{said}");
    assert!(text(&asked.stderr).contains(&format!("replaces    {key} (RSA_PUBLIC_KEY), which may be in use")));
    assert_eq!((unasked.status.code(), asked.status.code()), (Some(1), Some(1)));
    assert_eq!(keys, [Some(key.clone()), None]);
    assert_eq!(beside.status.code(), Some(0), "{}", text(&beside.stderr));
    assert_eq!((deployed.slot().await, deployed.account.keys().await[0].clone()), (Some(1), Some(key)));
    assert!(!said.contains("somebody spoilt"), "{said}");
}

#[test]
fn a_key_in_a_file_is_never_said_to_replace_the_one_in_use() {
    let dir = folder();

    let output = crate::snowflake::command(dir.path(), &["keygen", "--file", "new.p8", "--rotate"]).output().unwrap();

    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    assert!(text(&output.stderr).contains("cannot be used with"), "{}", text(&output.stderr));
    assert!(!dir.path().join("new.p8").exists());
}

#[test]
fn before_terraform_has_made_the_secret_it_is_to_be_applied() {
    let dir = folder();
    std::fs::write(dir.path().join("outputs.json"), "{}").unwrap();

    let output = crate::snowflake::command(dir.path(), &["keygen", "--outputs", "outputs.json"]).output().unwrap();

    let said = text(&output.stderr);
    assert!(said.contains("Terraform has no output snowflake_secret_arn\ntry: terraform apply first"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_leak_a_new_key_takes_a_free_slot() {
    let deployed = deployed().await;
    // The one that leaked has been taken away.
    deployed.account.memory().run("ALTER USER \"LANDFALL_LOADER\" UNSET RSA_PUBLIC_KEY", &[]).await.unwrap();
    assert_eq!(deployed.slot().await, None);

    let output = deployed.by_an_administrator(&["--yes"]).await;

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(deployed.slot().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_secret_cannot_be_written_leaves_no_public_key_behind() {
    let dir = folder();
    let aws = Aws::default();
    aws.refuse("AccessDeniedException");
    let url = aws.serve().await;
    for args in [&["--outputs", "outputs.json"][..], &["--outputs", "outputs.json", "--rotate"]] {
        let mut command = keygen(dir.path(), &url, args);
        command.env("SNOWFLAKE_ADMIN_USER", "ADA").env("SNOWFLAKE_ADMIN_TOKEN", "hidden-token");

        let output = run(command).await;

        let said = text(&output.stderr);
        assert!(said.contains("secretsmanager:DescribeSecret on the secret"), "{said}");
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
        assert!(!dir.path().join("landfall_key.pub").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_holds_a_key_is_replaced_when_told_so_alone() {
    let (dir, secrets) = (folder(), SecretsManager::default());
    let url = secrets.serve().await;
    secrets.set("the old key");

    let refused = run(keygen(dir.path(), &url, &["--outputs", "outputs.json"])).await;

    assert!(text(&refused.stderr).contains("holds one, and functions may be using it\ntry: give --rotate"));
    assert_eq!((refused.status.code(), secrets.value().as_deref()), (Some(1), Some("the old key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_to_try_the_key_in_nothing_begins() {
    let (dir, secrets) = (folder(), SecretsManager::default());
    let url = secrets.serve().await;
    secrets.set("the old key");

    let output =
        run(keygen(dir.path(), &url, &["--secret", "landfall/snowflake-key", "--rotate", "--slot", "2"])).await;

    let said = text(&output.stderr);
    assert!(said.contains("failed to find the account: the new key has to log in"), "{said}");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
}
