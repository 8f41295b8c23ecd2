//! `landfall snowflake apply`: makes what an account lacks, and tells Terraform what it has to know.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use landfall_core::Pipeline;
use landfall_snowflake::ddl::{Kind, Settings};
use landfall_snowflake::key::PublicKey;
use landfall_snowflake::provision::{self, Account, AccountError, Found, Handshake, Plan};

use super::outputs::{Outputs, OutputsOptions};
use super::{GIVE_YES, NameOptions, PUBLIC_KEY_FILE, administrator, confirmed, public_key, tfvars};
use crate::console::{self, Progress, program, shell_word};
use crate::failure::Failure;
use crate::interrupt::{stopped, unless_stopped};
use crate::pipeline_file;

/// Logs in as an administrator, shows what it would make and, once that is confirmed, makes it: roles, warehouse, the
/// service user, database, integration, tables, columns of new fields, views, stage and pipe. Run again, it changes
/// nothing. It replaces nothing but views, and refuses what would lose rows or a load history, with the SQL to run by hand.
///
/// Whoever logs in must be able to take on another role: a token that is limited to one does not do.
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
  SNOWFLAKE_URL                     for PrivateLink [default: Terraform's snowflake_url]

Examples:
  landfall snowflake apply --terraform infra/terraform --dry-run
  landfall snowflake apply --terraform infra/terraform
  terraform output -json | landfall snowflake apply --outputs - --yes")]
pub(super) struct ApplyOptions {
    #[command(flatten)]
    names: NameOptions,

    #[command(flatten)]
    outputs: OutputsOptions,

    /// The service user's public key, in a free place beside another [default: landfall_key.pub, if it is in this folder
    /// and the user is new or has no key at all].
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    /// What Terraform is told [default: snowflake.auto.tfvars.json, beside Terraform's files; in this folder with
    /// --outputs].
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
    let get = environment(&outputs)?;
    let session = administrator::session(&get, &pipeline, &mut settings)?;
    let place = Place {
        account: get("SNOWFLAKE_ACCOUNT").unwrap_or_default(),
        user: get("SNOWFLAKE_ADMIN_USER").unwrap_or_default(),
        tfvars: options.outputs.tfvars(options.tfvars.as_deref()),
    };
    let progress = Progress::new();
    let applied = unless_stopped(apply(options, &session, &pipeline, settings, &place, &progress)).await;
    progress.clear();
    applied.unwrap_or_else(|| Ok(stopped(&progress)))
}

/// Where all of it happens.
struct Place {
    account: String,
    user: String,
    tfvars: PathBuf,
}

/// The environment, or else what Terraform says of the account.
///
/// # Errors
/// They name two: one of them is left over from something else.
pub(super) fn environment(outputs: &Outputs) -> anyhow::Result<impl Fn(&str) -> Option<String>> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(here), Some(there)) = (set("SNOWFLAKE_ACCOUNT"), outputs.get("snowflake_account"))
        && !here.eq_ignore_ascii_case(there)
    {
        return Err(Failure {
            what: format!(
                "failed to choose an account: SNOWFLAKE_ACCOUNT is {here}, and Terraform deployed for {there}"
            ),
            remedy: "unset SNOWFLAKE_ACCOUNT, or give --terraform the folder of that account's deployment".to_owned(),
        }
        .into());
    }
    let deployed = |name: &str| outputs.variable(name).filter(|value| !value.is_empty()).map(str::to_owned);
    Ok(move |name: &str| set(name).or_else(|| deployed(name)))
}

/// What is to be made, by the options and Terraform.
fn settings(options: &ApplyOptions, pipeline: &Pipeline, outputs: &Outputs) -> anyhow::Result<Settings> {
    let mut settings = options.names.settings(outputs)?;
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
    settings.public_key = options.public_key.as_deref().map(public_key).transpose()?.map(|key| key.base64);
    Ok(settings)
}

/// The key that lies in this folder, unless one is named.
fn key_at_hand(options: &ApplyOptions) -> anyhow::Result<Option<PublicKey>> {
    let file = Path::new(PUBLIC_KEY_FILE);
    if options.public_key.is_some() || !file.exists() {
        return Ok(None);
    }
    public_key(file).map(Some)
}

/// Takes the key that lies in this folder where there is none yet. Beside another it may be one that was retired, or has
/// leaked: then it is a matter of saying so.
fn take_key(settings: &mut Settings, found: &Found, key: Option<PublicKey>) {
    let Some(key) = key else { return };
    if found.keys.iter().flatten().any(|fingerprint| *fingerprint == key.fingerprint) {
        return;
    }
    let is_new = !found.has(Kind::User, std::slice::from_ref(&settings.user));
    if is_new || found.has_user_without_key(settings) {
        settings.public_key = Some(key.base64);
        return;
    }
    console::print_note(&format!(
        "{PUBLIC_KEY_FILE} ({}) is none of {}'s keys, and is left alone: --public-key {PUBLIC_KEY_FILE} puts it beside them",
        key.fingerprint, settings.user
    ));
}

async fn apply(
    options: &ApplyOptions,
    account: &impl Account,
    pipeline: &Pipeline,
    mut settings: Settings,
    place: &Place,
    progress: &Progress,
) -> anyhow::Result<ExitCode> {
    progress.step("looking at the account");
    let key = key_at_hand(options)?;
    let found = Found::read(account, &settings, pipeline).await.map_err(failure)?;
    progress.clear();
    take_key(&mut settings, &found, key);
    let settings = &settings;
    progress.print(&place.described(pipeline, settings))?;
    let plan = provision::plan(pipeline, settings, &found)?;
    progress.print(&described(&plan))?;
    if options.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if !plan.steps.is_empty() && !confirmed("Make all of that?", options.yes, GIVE_YES)? {
        console::print_note("nothing has been changed");
        return Ok(ExitCode::FAILURE);
    }
    let applied =
        provision::apply(account, settings, &plan, |step| progress.step(&format!("made {}", step.what))).await;
    let handshake = match (provision::handshake(account, settings, pipeline).await, &applied) {
        (Ok(handshake), _) => handshake,
        (Err(error), Ok(_)) => return Err(failure(error)),
        (Err(_), Err(_)) => Handshake::default(),
    };
    // After a failure, too: what is made is known, and Terraform may go on with it.
    if applied.is_ok() || handshake.iam_user_arn.is_some() {
        progress.print(&tfvars::tell(&place.tfvars, &handshake)?)?;
    }
    let late = applied.map_err(failure)?;
    progress.print(&next(&handshake, late.as_ref(), settings, pipeline, &place.tfvars))?;
    Ok(if late.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Place {
    /// For a person, before anything is made.
    fn described(&self, pipeline: &Pipeline, settings: &Settings) -> String {
        let Self { account, user, tfvars } = self;
        format!(
            "account    {account}, as {user} with the role {}\nlanding    {}\nread with  {}\nterraform  {}\n",
            settings.administrator_role,
            settings.location(pipeline),
            settings.storage_role_arn,
            tfvars.display()
        )
    }
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

/// What to do now.
fn next(
    handshake: &Handshake,
    late: Option<&AccountError>,
    settings: &Settings,
    pipeline: &Pipeline,
    tfvars: &Path,
) -> String {
    let mut text = String::new();
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
    if !handshake.has_key {
        let _ = writeln!(text, "{} has no public key yet: {} snowflake keygen makes one.", settings.user, program());
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
