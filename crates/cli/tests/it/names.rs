//! Whose names `landfall snowflake` goes by: the options', Terraform's, or the usual ones.

use std::path::Path;
use std::process::Command;

use landfall_snowflake::key::KeyPair;
use tempfile::TempDir;

use crate::account::{Account, OUTPUTS, SecretsManager};
use crate::snowflake::{command, run, terraform};
use crate::support::text;

/// A deployment with names of its own.
fn outputs() -> String {
    let names = r#"
  "snowflake_user": {"value": "ACME_USER"},
  "snowflake_role": {"value": "ACME_ROLE"},
  "snowflake_warehouse": {"value": "ACME_WH"},
  "snowflake_url": {"value": "URL"},"#;
    OUTPUTS.replacen('{', &format!("{{{names}"), 1)
}

fn folder(url: &str) -> TempDir {
    let (dir, pair) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
    std::fs::write(dir.path().join("outputs.json"), outputs().replace("URL", url)).unwrap();
    std::fs::write(dir.path().join("key.p8"), pair.private_key_pem.expose()).unwrap();
    std::fs::write(dir.path().join("landfall_key.pub"), pair.public_key.pem()).unwrap();
    dir
}

fn apply(dir: &Path, args: &[&str]) -> Command {
    let mut command = command(dir, &["apply", "--yes", "--outputs", "outputs.json"]);
    command.args(args).env("SNOWFLAKE_ADMIN_USER", "ADA").env("SNOWFLAKE_ADMIN_TOKEN", "hidden-token");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_makes_what_terraform_named_unless_an_option_names_another() {
    // Who sits there is not who the functions log in as.
    for (args, user, role, warehouse) in [
        (&[][..], "ACME_USER", "ACME_ROLE", "ACME_WH"),
        (&["--user", "U", "--loader-role", "R", "--warehouse", "W"], "U", "R", "W"),
    ] {
        let account = Account::default();
        let dir = folder(&account.serve().await);
        let mut command = apply(dir.path(), args);
        command.env("SNOWFLAKE_USER", "ADA").env("SNOWFLAKE_ROLE", "SYSADMIN").env("SNOWFLAKE_WAREHOUSE", "ADAS_WH");

        let output = run(command).await;

        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let made = account.memory().changes().join("\n");
        for made_so in [
            format!("CREATE USER IF NOT EXISTS \"{user}\""),
            format!("CREATE ROLE IF NOT EXISTS \"{role}\""),
            format!("CREATE WAREHOUSE IF NOT EXISTS \"{warehouse}\""),
        ] {
            assert!(made.contains(&made_so), "{made_so}: {made}");
        }
        assert!(!made.contains("ADA") && !made.contains("\"LANDFALL_LOADER\""), "{made}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_logs_in_as_it_is_told() {
    let account = Account::default();
    let dir = folder(&account.serve().await);
    let verify = async |args: &[&str], env: &[(&str, &str)]| {
        let mut command = command(dir.path(), &["verify", "--outputs", "outputs.json"]);
        command.args(args).env("SNOWFLAKE_PRIVATE_KEY_FILE", "key.p8").envs(env.iter().copied());
        let said = text(&run(command).await.stdout);
        let log_in = account.log_ins().pop().unwrap();
        (log_in["data"]["LOGIN_NAME"].as_str().unwrap().to_owned(), account.log_in_queries().pop().unwrap(), said)
    };

    let (user, query, said) = verify(&[], &[]).await;
    assert_eq!(user, "ACME_USER");
    assert!(query.contains("roleName=ACME_ROLE") && query.contains("warehouse=ACME_WH"), "{query}");
    assert!(said.contains("and not ACME_ROLE"), "{said}");

    let names = ["--user", "U", "--loader-role", "R", "--warehouse", "W"];
    let (user, query, said) = verify(&names, &[("SNOWFLAKE_USER", "E")]).await;
    assert_eq!(user, "U");
    assert!(query.contains("roleName=R") && query.contains("warehouse=W"), "{query}");
    assert!(said.contains("and not R"), "{said}");

    let (user, ..) = verify(&[], &[("SNOWFLAKE_USER", "E")]).await;
    assert_eq!(user, "E");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_are_for_the_deployments_own_user() {
    let dir = folder("");
    let secrets = SecretsManager::default().serve().await;
    let ddl = command(dir.path(), &["ddl", "--outputs", "outputs.json"]);
    let mut keygen = command(dir.path(), &["keygen", "--outputs", "outputs.json"]);
    keygen.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets).env("AWS_ACCESS_KEY_ID", "a");
    keygen.env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_REGION", "us-east-1");

    let (ddl, keygen) = (text(&run(ddl).await.stdout), text(&run(keygen).await.stdout));

    for name in ["USER IF NOT EXISTS \"ACME_USER\"", "ROLE IF NOT EXISTS \"ACME_ROLE\"", "\"ACME_WH\""] {
        assert!(ddl.contains(name), "{name}: {ddl}");
    }
    assert!(keygen.starts_with("ALTER USER \"ACME_USER\" SET RSA_PUBLIC_KEY = '"), "{keygen}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn terraform_hears_nothing_of_the_administrators_secrets() {
    let account = Account::default();
    let dir = folder("");
    let url = account.serve().await;
    terraform(dir.path(), "env > seen\n");
    let mut command = command(dir.path(), &["apply", "--terraform", "infra", "--yes"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", dir.path().display())).env("SNOWFLAKE_URL", url);
    command.env("SNOWFLAKE_ADMIN_USER", "ADA").env("SNOWFLAKE_ADMIN_PASSWORD", "hidden-password");
    command.env("SNOWFLAKE_ADMIN_PASSCODE", "123456").env("TF_VAR_kept", "kept");

    let output = run(command).await;

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let seen = std::fs::read_to_string(dir.path().join("seen")).unwrap();
    assert!(seen.contains("TF_VAR_kept=kept") && !seen.contains("SNOWFLAKE_ADMIN"), "{seen}");
}
