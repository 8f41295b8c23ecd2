//! `landfall doctor`: what is most often wrong, before and after deployment, and what mends it.

mod account;
mod amazon;
pub(crate) mod log_in;
mod mapping;
mod probe;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use landfall_core::Pipeline;
use landfall_snowflake::provision::{Check, Outcome};

use crate::console::{self, Progress};
use crate::interrupt::{stopped, unless_stopped};
use crate::snowflake::outputs::{Outputs, OutputsOptions};
use crate::{checks, pipeline_file};

/// Looks at what is most often wrong: pipeline.toml, AWS credentials and region, bucket, stream, mapping, secret, the
/// Snowflake account, clock, log-in, rights, warehouse, tables, stage, pipe and the notification that it waits for. What cannot be looked at is said, with why.
/// It changes nothing.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit code: 0 when nothing is at fault, else 1; what was not checked is no fault.

What it looks at comes from Terraform's outputs; without them from LANDING_BUCKET, --stream, --function and upsert's variables
(SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_PRIVATE_KEY_SECRET or SNOWFLAKE_PRIVATE_KEY_FILE, …).

Examples:
  landfall doctor --terraform infra/terraform
  landfall doctor")]
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
    let outputs = match options.outputs.read() {
        Ok(outputs) => {
            if options.outputs.are_named() {
                checks.extend(deployed(&outputs, pipeline.as_ref(), environment));
            }
            outputs
        }
        Err(error) => {
            checks.push(fault("Terraform", &error, "terraform apply"));
            Outputs::default()
        }
    };
    let places = places(options, &outputs, pipeline.as_ref());
    let (amazon, access) = amazon::checks(&places).await;
    checks.extend(amazon);
    let (account, channel) = account::checks(&outputs, pipeline.as_ref()).await;
    checks.extend(account);
    checks.push(match &access {
        Ok(aws) => amazon::notification(aws, &places, channel.as_deref()).await,
        Err(why) => Check::unknown("notification", *why),
    });
    checks
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn places(options: &DoctorOptions, outputs: &Outputs, pipeline: Option<&Pipeline>) -> amazon::Places {
    let output = |name: &str| outputs.get(name).map(str::to_owned);
    amazon::Places {
        bucket: environment("LANDING_BUCKET").or_else(|| output("landing_bucket")),
        prefix: pipeline.map(|pipeline| pipeline.landing.prefix.clone()).unwrap_or_default(),
        stream: options.stream.clone().or_else(|| output("stream")),
        function: options.function.clone().or_else(|| output("orchestrator_function")),
        region: output("region"),
        stream_arn: output("stream_arn"),
        // That of its own stream and function, and not of any other that is named here.
        mapping: output("event_source_mapping").filter(|_| options.stream.is_none() && options.function.is_none()),
        phase: output("phase"),
    }
}

/// Whether Terraform deployed what pipeline.toml and the environment say.
fn deployed(
    outputs: &Outputs,
    pipeline: Option<&Pipeline>,
    environment: impl Fn(&str) -> Option<String>,
) -> Vec<Check> {
    const WHAT: &str = "Terraform";
    if outputs.is_empty() {
        return vec![Check::fault(WHAT, "it has no outputs: nothing is applied there", "terraform apply")];
    }
    let mut checks = Vec::new();
    let landing = pipeline.map(|pipeline| &pipeline.landing);
    for (output, here) in [
        ("landing_prefix", landing.map(|landing| &landing.prefix)),
        ("dead_letter_prefix", landing.map(|landing| &landing.dead_letter_prefix)),
    ] {
        let (Some(there), Some(here)) = (outputs.get(output), here) else { continue };
        if there.trim_matches('/') != here.trim_matches('/') {
            let what = format!("it deployed the {output} {there}, and pipeline.toml says {here}");
            let remedy =
                "give --pipeline the file that is deployed, or build the zips with this one and terraform apply";
            checks.push(Check::fault(WHAT, what, remedy));
        }
    }
    // Not the URL: the functions may reach the account by another than this machine does. Nor the secret, which has a name
    // and an ARN, and what is said to be it might be the key itself.
    for name in ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_ROLE", "SNOWFLAKE_WAREHOUSE"] {
        let (Some(here), Some(there)) = (environment(name), outputs.variable(name)) else { continue };
        if !here.eq_ignore_ascii_case(there) {
            let there = if there.is_empty() { "none" } else { there };
            let what = format!("{name} is {here} here, and it deployed with {there}");
            checks.push(Check::fault(WHAT, what, format!("unset {name}, unless it is Terraform's that is wrong")));
        }
    }
    if checks.is_empty() {
        let phase = outputs.get("phase").map(|phase| format!(", phase {phase}")).unwrap_or_default();
        checks.push(Check::ok(WHAT, format!("its outputs{phase}")));
    }
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
