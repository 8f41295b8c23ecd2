//! `landfall snowflake apply`: makes what an account lacks, and tells Terraform what it has to know.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use landfall_core::Pipeline;
use landfall_snowflake::ddl::Settings;
use landfall_snowflake::provision::{self, Account, AccountError, Found, Handshake, Plan};

use super::outputs::{Outputs, OutputsOptions};
use super::{NameOptions, PUBLIC_KEY_FILE, administrator, confirmed, public_key};
use crate::console::{self, Progress, program, shell_word};
use crate::failure::Failure;
use crate::interrupt::{stopped, unless_stopped};
use crate::pipeline_file;

/// Logs in as an administrator, shows what it would make and, once that is confirmed, makes it: roles, warehouse, the
/// service user, database, integration, tables, columns of new fields, views, stage and pipe. Run again, it changes
/// nothing. It replaces nothing but views, and refuses what would lose rows or a load history, with the SQL to run by hand.
///
/// Then it writes snowflake.auto.tfvars.json, for terraform apply to connect the bucket with the account.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Environment:
  SNOWFLAKE_ACCOUNT                 organization-account [default: Terraform's snowflake_account]
  SNOWFLAKE_ADMIN_USER              who may use ACCOUNTADMIN, and one of
  SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE  a file with the user's private key (PKCS#8 PEM)
  SNOWFLAKE_ADMIN_PASSWORD          a password, or a programmatic access token; SNOWFLAKE_ADMIN_PASSCODE for a second factor
  SNOWFLAKE_ADMIN_TOKEN             an OAuth access token
  SNOWFLAKE_ADMIN_ROLE              [default: ACCOUNTADMIN]
  SNOWFLAKE_URL                     for PrivateLink

Examples:
  landfall snowflake apply --terraform infra/terraform --dry-run
  landfall snowflake apply --terraform infra/terraform
  terraform output -json | landfall snowflake apply --outputs - --yes")]
pub(super) struct ApplyOptions {
    #[command(flatten)]
    names: NameOptions,

    #[command(flatten)]
    outputs: OutputsOptions,

    /// The service user's public key [default: landfall_key.pub, if it is in this folder].
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    /// What Terraform is told [default: snowflake.auto.tfvars.json, beside Terraform's files].
    #[arg(long, value_name = "FILE")]
    tfvars: Option<PathBuf>,

    /// Show the plan and change nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,

    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(options: &ApplyOptions) -> anyhow::Result<ExitCode> {
    let pipeline = pipeline_file::load(options.names.pipeline.as_deref())?.pipeline;
    let outputs = options.outputs.read()?;
    let mut settings = settings(options, &pipeline, &outputs)?;
    let get = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.or_else(|| outputs.get("snowflake_account").filter(|_| name == "SNOWFLAKE_ACCOUNT").map(str::to_owned))
    };
    let session = administrator::session(&get, &pipeline, &mut settings)?;
    let progress = Progress::new();
    let applied = unless_stopped(apply(options, &session, &pipeline, &settings, &progress)).await;
    progress.clear();
    applied.unwrap_or_else(|| Ok(stopped(&progress)))
}

/// What is to be made, by the options and Terraform.
fn settings(options: &ApplyOptions, pipeline: &Pipeline, outputs: &Outputs) -> anyhow::Result<Settings> {
    let mut settings = options.names.settings();
    let [bucket, role, external_id] = outputs.all(["landing_bucket", "storage_role_arn", "storage_external_id"])?;
    (settings.landing_bucket, settings.storage_role_arn, settings.external_id) = (bucket, role, external_id);
    let prefix = &pipeline.landing.prefix;
    if let Some(deployed) = outputs.get("landing_prefix").filter(|deployed| deployed.trim_matches('/') != prefix) {
        return Err(Failure {
            what: format!(
                "failed to match pipeline.toml: Terraform deployed the prefix {deployed}, and it says {prefix}"
            ),
            remedy: "give --pipeline the file that is deployed, or terraform apply with this one first".to_owned(),
        }
        .into());
    }
    let default = Path::new(PUBLIC_KEY_FILE);
    let file = options.public_key.as_deref().or(default.exists().then_some(default));
    settings.public_key = file.map(public_key).transpose()?.map(|key| key.base64);
    Ok(settings)
}

async fn apply(
    options: &ApplyOptions,
    account: &impl Account,
    pipeline: &Pipeline,
    settings: &Settings,
    progress: &Progress,
) -> anyhow::Result<ExitCode> {
    progress.step("looking at the account");
    let found = Found::read(account, settings, pipeline).await.map_err(failure)?;
    let plan = provision::plan(pipeline, settings, &found)?;
    progress.print(&described(&plan))?;
    if !plan.steps.is_empty() {
        if options.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        progress.clear();
        if !confirmed("Make all of that?", options.yes)? {
            console::print_note("nothing has been changed");
            return Ok(ExitCode::FAILURE);
        }
    }
    let late = provision::apply(account, settings, &plan, |step| progress.step(&format!("made {}", step.what)));
    let late = late.await.map_err(failure)?;
    let handshake = provision::handshake(account, settings, pipeline).await.map_err(failure)?;
    let tfvars = options.outputs.tfvars(options.tfvars.as_deref());
    if !options.dry_run {
        tell_terraform(&tfvars, &handshake)?;
    }
    progress.print(&next(&handshake, late.as_ref(), settings, pipeline, &tfvars))?;
    Ok(if late.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn failure(error: AccountError) -> anyhow::Error {
    let remedy = error.remedy.unwrap_or_else(|| {
        "check that SNOWFLAKE_ADMIN_USER may use the role ACCOUNTADMIN (SNOWFLAKE_ADMIN_ROLE); run it again after that: \
         what is made stays"
            .to_owned()
    });
    Failure { what: error.what, remedy }.into()
}

/// The plan, for a person.
fn described(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return "The account has all that the pipeline needs: nothing to change.".to_owned();
    }
    let mut text = "What would be made:\n".to_owned();
    for step in &plan.steps {
        let _ = writeln!(text, "  {step}");
    }
    let _ = write!(text, "\n{} statements, none of which replaces anything but a view.", plan.steps.len());
    text
}

/// Writes what Terraform reads by itself. What is not known yet is left out: Terraform takes it for empty.
fn tell_terraform(file: &Path, handshake: &Handshake) -> anyhow::Result<()> {
    let mut values = serde_json::Map::new();
    for (name, value) in [
        ("snowflake_iam_user_arn", &handshake.iam_user_arn),
        ("snowflake_notification_channel", &handshake.notification_channel),
    ] {
        if let Some(value) = value {
            values.insert(name.to_owned(), value.as_str().into());
        }
    }
    let text = format!("{}\n", serde_json::to_string_pretty(&values)?);
    std::fs::write(file, text).map_err(|error| {
        Failure {
            what: format!("failed to write {}: {error}", file.display()),
            remedy: "name a file that can be written: --tfvars".to_owned(),
        }
        .into()
    })
}

/// What to do now.
fn next(
    handshake: &Handshake,
    late: Option<&AccountError>,
    settings: &Settings,
    pipeline: &Pipeline,
    tfvars: &Path,
) -> String {
    let mut text = String::new();
    let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known yet".to_owned());
    let _ = writeln!(text, "{}", tfvars.display());
    let _ = writeln!(text, "  snowflake_iam_user_arn          {}", show(&handshake.iam_user_arn));
    let _ = writeln!(text, "  snowflake_notification_channel  {}\n", show(&handshake.notification_channel));
    if let Some(error) = late {
        let _ = write!(
            text,
            "The pipe has to wait: {error}\nNext: terraform apply, so that the role in AWS trusts {}; then {} snowflake \
             apply once more.",
            settings.integration,
            program()
        );
        return text;
    }
    if settings.public_key.is_none() {
        let _ =
            writeln!(text, "{} has no public key from here: {} snowflake keygen makes one.", settings.user, program());
    }
    let dir = tfvars.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = write!(
        text,
        "Next: terraform -chdir={} apply, then {} snowflake verify.\nFor objects that landed before that: {};",
        shell_word(dir),
        program(),
        provision::refresh(pipeline)
    );
    text
}
