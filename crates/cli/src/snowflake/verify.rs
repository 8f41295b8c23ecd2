//! `landfall snowflake verify`: what the service user can do.

use std::process::ExitCode;

use clap::Args;
use landfall_snowflake::provision;

use super::NameOptions;
use super::outputs::{Outputs, OutputsOptions};
use crate::console::{self, Progress};
use crate::interrupt::{stopped, unless_stopped};
use crate::{checks, pipeline_file};

/// Logs in as the service user, with upsert's variables, and tries what upsert and Snowpipe need: rights, warehouse,
/// tables, a row through a scratch table, the stage and the pipe. It leaves nothing behind.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit code: 0 when all is well, 1 when anything is at fault.

Environment: upsert's own (SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_PRIVATE_KEY_SECRET or SNOWFLAKE_PRIVATE_KEY_FILE, …);
with --terraform or --outputs, account and secret come from there.

Examples:
  landfall snowflake verify --terraform infra/terraform
  SNOWFLAKE_PRIVATE_KEY_FILE=landfall_key.p8 landfall snowflake verify")]
pub(super) struct VerifyOptions {
    #[command(flatten)]
    names: NameOptions,

    #[command(flatten)]
    outputs: OutputsOptions,
}

pub(super) async fn run(options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    let pipeline = pipeline_file::load(options.names.pipeline.as_deref())?.pipeline;
    let outputs = options.outputs.read()?;
    let mut settings = options.names.settings();
    let get = service_environment(&outputs);
    let config = landfall_upsert::config::Config::read(&get)?;
    if let Some(role) = &config.role {
        settings.loader_role.clone_from(role);
    }
    if let Some(warehouse) = &config.warehouse {
        settings.warehouse.clone_from(warehouse);
    }
    let session = landfall_upsert::session(config, &pipeline).await?;
    let progress = Progress::new();
    progress.step("asking the account");
    let Some(checks) = unless_stopped(provision::verify(&session, &settings, &pipeline)).await else {
        return Ok(stopped(&progress));
    };
    progress.clear();
    console::print(&checks::text(&checks))?;
    Ok(checks::exit_code(&checks))
}

/// Upsert's variables: the environment's own, or else what Terraform says, or else the usual names.
pub(crate) fn service_environment(outputs: &Outputs) -> impl Fn(&str) -> Option<String> {
    let file = "SNOWFLAKE_PRIVATE_KEY_FILE";
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    move |name: &str| {
        set(name).or_else(|| match name {
            "SNOWFLAKE_ACCOUNT" => outputs.get("snowflake_account").map(str::to_owned),
            "SNOWFLAKE_PRIVATE_KEY_SECRET" if set(file).is_none() => {
                outputs.get("snowflake_secret_arn").map(str::to_owned)
            }
            "SNOWFLAKE_USER" | "SNOWFLAKE_ROLE" => Some("LANDFALL_LOADER".to_owned()),
            "SNOWFLAKE_WAREHOUSE" => Some("LANDFALL_WH".to_owned()),
            _ => None,
        })
    }
}
