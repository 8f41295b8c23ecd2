//! `landfall doctor`: what is most often wrong, before and after deployment, and what mends it.

mod amazon;
mod log_in;
mod probe;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use landfall_core::Pipeline;
use landfall_snowflake::ddl::Settings;
use landfall_snowflake::key::PublicKey;
use landfall_snowflake::provision::{self, Check, Outcome};
use landfall_upsert::config::{Config, PrivateKey};

use crate::console::{self, Progress};
use crate::interrupt::{stopped, unless_stopped};
use crate::snowflake::outputs::{Outputs, OutputsOptions};
use crate::snowflake::{Named, service_environment};
use crate::{checks, pipeline_file};

/// Looks at what is most often wrong: pipeline.toml, AWS credentials and region, bucket, stream, mapping, secret, the
/// Snowflake account, clock, log-in, rights, warehouse, tables, stage and pipe. What cannot be looked at is said, with why.
/// It changes nothing.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit code: 0 when nothing is at fault, else 1; what was not checked is no fault.

What it looks at comes from Terraform's outputs; without them from LANDING_BUCKET, --stream, --function and upsert's variables
(SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_PRIVATE_KEY_SECRET or SNOWFLAKE_PRIVATE_KEY_FILE, …).

Examples:
  landfall doctor
  landfall doctor --terraform infra/terraform")]
pub(crate) struct DoctorOptions {
    #[command(flatten)]
    outputs: OutputsOptions,

    /// The pipeline [default: pipeline.toml in this folder, or else the sensor pipeline].
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,

    /// The stream [default: Terraform's stream].
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,

    /// The orchestrator [default: Terraform's orchestrator_function].
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
}

pub(crate) async fn run(options: DoctorOptions) -> anyhow::Result<ExitCode> {
    let progress = Progress::new();
    progress.step("looking");
    let Some(checks) = unless_stopped(all(&options)).await else { return Ok(stopped(&progress)) };
    progress.clear();
    console::print(&checks::text(&checks))?;
    Ok(checks::exit_code(&checks))
}

async fn all(options: &DoctorOptions) -> Vec<Check> {
    let mut checks = Vec::new();
    let pipeline = match pipeline_file::load(options.pipeline.as_deref()) {
        Ok(file) => {
            let place =
                file.path.map_or("none here: the one that is built in".to_owned(), |path| path.display().to_string());
            checks.push(Check::ok("pipeline.toml", format!("{place}, pipeline {}", file.pipeline.name)));
            Some(file.pipeline)
        }
        Err(error) => {
            checks.push(fault("pipeline.toml", &error, "landfall check says what is wrong with it"));
            None
        }
    };
    let outputs = options.outputs.read();
    let outputs = match outputs {
        Ok(outputs) => {
            if options.outputs.are_named() {
                checks.push(Check::ok("Terraform", "its outputs"));
            }
            outputs
        }
        Err(error) => {
            checks.push(fault("Terraform", &error, "terraform apply"));
            Outputs::default()
        }
    };
    let named = |given: &Option<String>, output: &str| given.clone().or_else(|| outputs.get(output).map(str::to_owned));
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let places = amazon::Places {
        bucket: named(&environment("LANDING_BUCKET"), "landing_bucket"),
        prefix: pipeline.as_ref().map(|pipeline| pipeline.landing.prefix.clone()).unwrap_or_default(),
        stream: named(&options.stream, "stream"),
        function: named(&options.function, "orchestrator_function"),
        region: outputs.get("region").map(str::to_owned),
    };
    checks.extend(amazon::checks(&places).await);
    checks.extend(account(&outputs, pipeline.as_ref()).await);
    checks
}

/// An error of ours, with its own remedy where it has one.
fn fault(what: &str, error: &anyhow::Error, otherwise: &str) -> Check {
    let remedy = crate::failure::remedy(error).unwrap_or_else(|| otherwise.to_owned());
    Check::fault(what, landfall_core::chain(error.as_ref()), remedy)
}

/// The same of what AWS refused: where it is a right that is missing, which.
fn refused(what: &str, error: &anyhow::Error, right: &str, otherwise: &str) -> Check {
    let check = fault(what, error, otherwise);
    match check.outcome {
        Outcome::Fault { what: said, .. } if said.contains("AccessDenied") => {
            Check::fault(what, said, format!("use credentials that may do it: {right}"))
        }
        _ => check,
    }
}

const ACCOUNT: [&str; 4] = ["secret", "account", "clock", "log-in"];
const INSIDE: [&str; 6] = ["rights", "warehouse", "tables", "a row", "stage", "pipe"];

/// The account, from the outside in.
async fn account(outputs: &Outputs, pipeline: Option<&Pipeline>) -> Vec<Check> {
    let unknown = |why: &str| ACCOUNT.iter().chain(&INSIDE).map(|what| Check::unknown(what, why)).collect::<Vec<_>>();
    let get = service_environment(outputs, Named::default());
    if get("SNOWFLAKE_ACCOUNT").is_none() {
        return unknown("SNOWFLAKE_ACCOUNT is not set");
    }
    let config = match Config::read(&get) {
        Ok(config) => config,
        Err(error) => {
            let mut checks = vec![fault("variables", &error.into(), "set them as it says")];
            checks.extend(unknown("the variables above are at fault"));
            return checks;
        }
    };
    let Some(pipeline) = pipeline else { return unknown("pipeline.toml is at fault") };

    let mut checks = Vec::new();
    let key = match &config.private_key {
        PrivateKey::Secret(id) => secret(id).await,
        PrivateKey::File(path) => file(path),
    };
    let public_key = match key {
        Ok((check, key)) => {
            checks.push(check);
            Some(key)
        }
        Err(check) => {
            checks.push(check);
            None
        }
    };
    let reached = probe::probe(&config).await;
    checks.extend(probe::checks(&config, &reached));
    let silent = matches!(reached, probe::Reached::Silent(_)).then_some("the account does not answer");
    let Some(public_key) = public_key.filter(|_| silent.is_none()) else {
        checks.push(Check::unknown("log-in", silent.unwrap_or("there is no key to log in with")));
        checks.extend(INSIDE.map(|what| Check::unknown(what, "nobody is logged in")));
        return checks;
    };

    let mut settings = Settings::default();
    settings.loader_role = config.role.clone().unwrap_or(settings.loader_role);
    settings.warehouse = config.warehouse.clone().unwrap_or(settings.warehouse);
    let (account, user) = (config.account.clone(), config.user.clone());
    let session = match landfall_upsert::session(config, pipeline).await {
        Ok(session) => session,
        Err(error) => {
            checks.push(fault("log-in", &error.into(), "check the key"));
            return checks;
        }
    };
    if let Err(error) = session.log_in().await {
        let evidence = log_in::Evidence { account: &account, user: &user, key: &public_key, skew: reached.skew() };
        let (what, remedy) = log_in::diagnosed(&error, &evidence);
        checks.push(Check::fault("log-in", what, remedy));
        checks.extend(INSIDE.map(|what| Check::unknown(what, "nobody is logged in")));
        return checks;
    }
    checks.extend(provision::verify(&session, &settings, pipeline).await);
    checks
}

/// The secret, and whether a key is in it.
async fn secret(id: &str) -> Result<(Check, PublicKey), Check> {
    const WHAT: &str = "secret";
    let remedy = "landfall snowflake keygen makes a key and stores it";
    let read = async { crate::snowflake::Secrets::of(id).await?.get().await };
    let text = read.await.map_err(|error| refused(WHAT, &error, "secretsmanager:GetSecretValue", remedy))?;
    let key = PublicKey::of_private(&text).map_err(|error| Check::fault(WHAT, error.to_string(), remedy))?;
    Ok((Check::ok(WHAT, format!("a key, {}", key.fingerprint)), key))
}

fn file(path: &str) -> Result<(Check, PublicKey), Check> {
    const WHAT: &str = "secret";
    let remedy = "landfall snowflake keygen --file makes one";
    let text = std::fs::read_to_string(path)
        .map_err(|error| Check::fault(WHAT, format!("failed to read {path}: {error}"), remedy))?;
    let key = PublicKey::of_private(&landfall_snowflake::Secret::new(text))
        .map_err(|error| Check::fault(WHAT, error.to_string(), remedy))?;
    Ok((Check::ok(WHAT, format!("the file {path}, {}", key.fingerprint)), key))
}
