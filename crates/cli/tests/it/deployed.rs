//! `landfall doctor` on a deployment.

use std::process::Output;

use landfall_snowflake::key::KeyPair;
use landfall_snowflake::provision::NOTIFICATION_CHANNEL;
use tempfile::TempDir;

use crate::account::{Account, OUTPUTS, SecretsManager};
use crate::aws::Aws;
use crate::doctor::{doctor, folder};
use crate::support::text;

/// All that is deployed, and who looks at it.
struct Deployment {
    dir: TempDir,
    pair: KeyPair,
    account: Account,
    url: String,
    aws: Aws,
    endpoint: String,
}

impl Deployment {
    /// Applied, and well.
    async fn new() -> Self {
        let ((dir, pair), account, aws) = (folder(), Account::default(), Aws::default());
        std::fs::write(dir.path().join("outputs.json"), OUTPUTS).unwrap();
        let (url, endpoint) = (account.serve().await, aws.serve().await);
        let mut apply = crate::snowflake::command(dir.path(), &["apply", "--outputs", "outputs.json", "--yes"]);
        apply.env("SNOWFLAKE_URL", &url).env("SNOWFLAKE_ADMIN_USER", "ADA").env("SNOWFLAKE_ADMIN_TOKEN", "t");
        assert!(crate::snowflake::run(apply).await.status.success());
        Self { dir, pair, account, url, aws, endpoint }
    }

    async fn doctor(&self, env: &[(&str, &str)]) -> Output {
        self.doctor_with(&["--outputs", "outputs.json"], env).await
    }

    async fn doctor_with(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let usual = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("SNOWFLAKE_URL", &self.url),
            ("SNOWFLAKE_PRIVATE_KEY_FILE", "key.p8"),
        ];
        doctor(self.dir.path(), args, &[&usual[..], env].concat()).await
    }

    /// The row of one check, and its remedy where it is at fault.
    async fn row(&self, what: &str, env: &[(&str, &str)]) -> String {
        let said = text(&self.doctor(env).await.stdout);
        let mut lines = said.lines().skip_while(|line| !line.contains(&format!(" {what} ")));
        let row = lines.next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let remedy = lines.take_while(|line| line.trim_start().starts_with("try: "));
        remedy.fold(row, |row, line| format!("{row}; {}", line.trim()))
    }

    fn outputs_say(&self, name: &str, value: &serde_json::Value) {
        let mut outputs: serde_json::Value = serde_json::from_str(OUTPUTS).unwrap();
        outputs[name] = serde_json::json!({ "value": value });
        std::fs::write(self.dir.path().join("outputs.json"), outputs.to_string()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_well_has_no_fault() {
    let deployment = Deployment::new().await;

    let output = deployment.doctor(&[]).await;

    let said = text(&output.stdout).replace(&deployment.url, "URL");
    let said = said.replace(&deployment.pair.public_key.fingerprint, "FINGERPRINT");
    // The machine may be slow between two looks at its clock.
    let (clock, said): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.contains(" clock "));
    assert!(clock.len() == 1 && clock[0].starts_with(" ok  clock            within "), "{clock:?}");
    insta::assert_snapshot!(said.join("\n"), @"
     ok  pipeline.toml    none here: the one that is built in, pipeline sensors
     ok  Terraform        its outputs, phase 2
     ok  AWS credentials  arn:aws:iam::123456789012:user/ada
     ok  region           us-east-1
     ok  bucket           acme-landing, objects below kinesiscsv/
     ok  stream           landfall, 2 shards, keeps 48 h
     ok  mapping          Enabled, OK
     ok  secret           the file key.p8, FINGERPRINT
     ok  account          URL answers (200)
     ok  log-in           LANDFALL_LOADER as LANDFALL_LOADER
     ok  rights           10 of 10
     ok  warehouse        LANDFALL_WH, X-Small, suspends after 60 s, ends a statement after 300 s
     ok  tables           both have the 9 columns of the pipeline
     ok  a row            merged into a scratch table, and not twice
     ok  stage            the landing bucket can be listed
     ok  pipe             RUNNING, 0 objects pending, not told of any yet
     ok  notification     the pipe's queue is told of objects below kinesiscsv/

    18 checked, 0 at fault, 0 not checked
    ");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_terraform_the_options_say_where_to_look() {
    let deployment = Deployment::new().await;
    let args = ["--stream", "landfall", "--function", "landfall-orchestrator"];
    let env = [("LANDING_BUCKET", "acme-landing"), ("SNOWFLAKE_ACCOUNT", "acme-prod")];

    let named = text(&deployment.doctor_with(&args, &env).await.stdout);
    let unnamed = text(&deployment.doctor_with(&[], &env).await.stdout);

    for row in [
        "bucket           acme-landing",
        "stream           landfall",
        "mapping          Enabled",
        "pipe             RUNNING",
    ] {
        assert!(named.contains(&format!("ok  {row}")), "{row}: {named}");
    }
    assert!(
        unnamed.contains("mapping          not checked: give --terraform DIR or --outputs FILE, or --function"),
        "{unnamed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_does_not_read_is_told_by_its_cause() {
    let deployment = Deployment::new().await;
    let row = async |field: &str, value: serde_json::Value| {
        deployment.aws.mapping_has(field, value);
        deployment.row("mapping", &[]).await
    };

    let problem = row("LastProcessingResult", "PROBLEM: Function call failed".into()).await;
    assert!(
        problem.starts_with("FAULT mapping PROBLEM: Function call failed; try: read the function's log"),
        "{problem}"
    );
    let whole = row("FunctionResponseTypes", serde_json::json!([])).await;
    assert!(whole.contains("it does not take partial answers") && whole.contains("terraform apply"), "{whole}");
    let way = row("State", "Enabling".into()).await;
    assert_eq!(way, "- mapping not checked: Enabling: look again in a minute");
    let disabled = row("State", "Disabled".into()).await;
    assert!(
        disabled.starts_with("FAULT mapping Disabled: no record is read; try: set mapping_enabled = true"),
        "{disabled}"
    );
    // It is to stay so until Snowflake is connected.
    deployment.outputs_say("phase", &1.into());
    let first = deployment.row("mapping", &[]).await;
    assert!(
        first.starts_with("ok mapping Disabled, as it should be in phase 1") && !first.contains("--enabled"),
        "{first}"
    );
    let other = row("UUID", "another".into()).await;
    assert!(other.contains("landfall is not mapped to landfall-orchestrator"), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_nobody_tells_of_objects_is_found() {
    let deployment = Deployment::new().await;
    let row = async || deployment.row("notification", &[]).await;

    deployment.aws.notifies_nobody();
    let nobody = row().await;
    assert!(
        nobody.starts_with("FAULT notification no queue is told of all objects below kinesiscsv/; try: "),
        "{nobody}"
    );
    deployment.aws.notifies(NOTIFICATION_CHANNEL, "kinesiscsv/sensor-6/");
    assert_eq!(row().await, nobody);
    deployment.aws.notifies("arn:aws:sqs:us-east-1:1:other", "kinesiscsv/");
    let other = row().await;
    assert!(
        other.contains(&format!(
            "arn:aws:sqs:us-east-1:1:other is told, and the pipe listens to {NOTIFICATION_CHANNEL}"
        )),
        "{other}"
    );
    // All objects of the bucket are the landing zone's too.
    deployment.aws.notifies(NOTIFICATION_CHANNEL, "");
    assert!(row().await.starts_with("ok notification"));
    deployment.aws.notifies("nonsense", "");
    assert_eq!(row().await, "- notification not checked: what S3 answers cannot be read");
    deployment.aws.notifies(NOTIFICATION_CHANNEL, "kinesiscsv/");
    deployment.account.refuse("no");
    assert!(row().await.starts_with("- notification not checked: a queue is told"), "{}", row().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_tried_and_those_of_another_account_found() {
    let deployment = Deployment::new().await;

    deployment.aws.is_account("999999999999");
    let other = deployment.row("AWS credentials", &[]).await;
    let bucket = deployment.row("bucket", &[]).await;
    deployment.aws.knows_nobody("InvalidClientTokenId");
    let refused = deployment.row("AWS credentials", &[]).await;

    assert!(
        other.contains("is of account 999999999999, and Terraform deployed to 123456789012; try: set AWS_PROFILE"),
        "{other}"
    );
    assert_eq!(bucket, "- bucket not checked: the credentials are another account's");
    assert!(
        refused.starts_with("FAULT AWS credentials AWS does not take the key AKIDEXAMPLE: InvalidClientTokenId"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_is_compared_with_what_is_here() {
    let deployment = Deployment::new().await;
    deployment.outputs_say("landing_prefix", &"rows/orders".into());

    let prefix = deployment.row("Terraform", &[]).await;
    deployment.outputs_say("snowflake_user", &"ACME_USER".into());
    let user = deployment.row("Terraform", &[("SNOWFLAKE_USER", "ADA")]).await;

    assert!(
        prefix.starts_with(
            "FAULT Terraform it deployed the landing_prefix rows/orders, and pipeline.toml says kinesiscsv"
        ),
        "{prefix}"
    );
    assert!(user.contains("SNOWFLAKE_USER is ADA here, and it deployed with ACME_USER; try: unset"), "{user}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_terraform_names_no_role_the_users_own_is_as_good() {
    let deployment = Deployment::new().await;
    deployment.outputs_say("snowflake_role", &"".into());
    deployment.account.memory().answer("SELECT CURRENT_USER", &["U", "R", "W"], &[&["ME", "ACME_ROLE", "ACME_WH"]]);

    let log_in = deployment.row("log-in", &[]).await;
    let rights = deployment.row("rights", &[]).await;

    assert_eq!(log_in, "ok log-in ME as ACME_ROLE");
    assert!(rights.contains("are missing") && rights.contains(" to ACME_ROLE"), "{rights}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_holds_nothing_yet_is_told_so() {
    let deployment = Deployment::new().await;
    let secrets = SecretsManager::default().serve().await;
    let env = [("SNOWFLAKE_PRIVATE_KEY_FILE", ""), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets)];

    let secret = deployment.row("secret", &env).await;
    let mut verify = crate::snowflake::command(deployment.dir.path(), &["verify", "--outputs", "outputs.json"]);
    verify.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b").env("AWS_REGION", "us-east-1");
    verify.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets);
    let verify = text(&crate::snowflake::run(verify).await.stderr);

    assert!(secret.ends_with("try: it holds nothing yet: landfall snowflake keygen --terraform DIR"), "{secret}");
    assert!(verify.contains("it holds nothing yet: landfall snowflake keygen --terraform DIR"), "{verify}");
    assert!(!verify.contains("check SNOWFLAKE_PRIVATE_KEY_SECRET"), "{verify}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_even_be_tried_hides_no_row() {
    let deployment = Deployment::new().await;

    let said = text(&deployment.doctor(&[("SNOWFLAKE_USER", " ")]).await.stdout);

    assert!(
        said.contains("FAULT  log-in           failed to configure the Snowflake session: user is empty"),
        "{said}"
    );
    for what in ["rights", "warehouse", "tables", "a row", "stage", "pipe"] {
        let row = said.lines().find(|line| line.starts_with(&format!(" -      {what} "))).unwrap_or_default();
        assert!(row.ends_with("not checked: nobody is logged in"), "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_deployed_is_looked_for_where_it_is() {
    let deployment = Deployment::new().await;
    deployment.aws.refuse("AccessDeniedException");
    let env =
        [("AWS_REGION", "eu-west-1"), ("SNOWFLAKE_PRIVATE_KEY_FILE", ""), ("SNOWFLAKE_URL", "http://127.0.0.1:1")];

    let output = deployment.doctor(&env).await;

    let said = text(&output.stdout);
    assert!(said.contains("this machine is set to eu-west-1, and Terraform deployed to us-east-1"), "{said}");
    for (what, name) in [
        ("bucket", "acme-landing"),
        ("stream", "landfall"),
        ("mapping", "landfall-orchestrator"),
        ("secret", "landfall/snowflake-key"),
        ("notification", "acme-landing"),
    ] {
        let line = said.lines().find(|line| line.contains(&format!("FAULT  {what} "))).unwrap_or_default();
        assert!(line.contains(name), "{what}: {said}");
    }
    for right in [
        "s3:ListBucket",
        "kinesis:DescribeStreamSummary",
        "lambda:ListEventSourceMappings",
        "secretsmanager:GetSecretValue",
        "s3:GetBucketNotification",
    ] {
        assert!(said.contains(&format!("try: use credentials that may do it: {right}")), "{right}: {said}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn terraform_is_asked_and_one_that_has_applied_nothing_is_told_so() {
    let (dir, path) = (tempfile::tempdir().unwrap(), "/usr/bin:/bin");
    let nothing = doctor(dir.path(), &["--terraform", "infra"], &[("PATH", path)]).await;
    crate::snowflake::terraform(dir.path(), "");
    let own = format!("{}:{path}", dir.path().display());
    let applied = doctor(dir.path(), &["--terraform", "infra"], &[("PATH", &own)]).await;
    std::fs::write(dir.path().join("none.json"), "{}").unwrap();
    let empty = doctor(dir.path(), &["--outputs", "none.json"], &[]).await;

    let nothing = text(&nothing.stdout);
    assert!(nothing.contains("FAULT  Terraform        failed to ask Terraform in infra"), "{nothing}");
    let applied = text(&applied.stdout);
    assert!(applied.contains("ok     Terraform        its outputs, phase 2"), "{applied}");
    assert!(applied.contains("region           us-east-1, as Terraform says"), "{applied}");
    let empty = text(&empty.stdout);
    assert!(empty.contains("FAULT  Terraform        it has no outputs: nothing is applied there"), "{empty}");
}
