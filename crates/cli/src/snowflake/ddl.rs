//! `landfall snowflake ddl`: the SQL that sets an account up.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use landfall_snowflake::ddl::scripts_with;

use super::outputs::OutputsOptions;
use super::{NameOptions, public_key};
use crate::{console, pipeline_file};

/// Prints the SQL of infra/snowflake: roles, warehouse, service user, database, integration, tables, views, file format,
/// stage and pipe. What it is not told stays a placeholder, such as `<landing-bucket>`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  landfall snowflake ddl > landfall.sql
  landfall snowflake ddl --terraform infra/terraform --public-key landfall_key.pub")]
pub(super) struct DdlOptions {
    #[command(flatten)]
    names: NameOptions,

    #[command(flatten)]
    outputs: OutputsOptions,

    /// Instead of Terraform's landing_bucket.
    #[arg(long, value_name = "BUCKET")]
    landing_bucket: Option<String>,

    /// Instead of Terraform's storage_role_arn.
    #[arg(long, value_name = "ARN")]
    storage_role_arn: Option<String>,

    /// Instead of Terraform's storage_external_id.
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,

    /// The service user's public key.
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

pub(super) fn run(options: &DdlOptions) -> anyhow::Result<ExitCode> {
    let pipeline = pipeline_file::load(options.names.pipeline.as_deref())?.pipeline;
    let outputs = options.outputs.read()?;
    let mut settings = options.names.settings(&outputs)?;
    for (setting, given, output) in [
        (&mut settings.landing_bucket, &options.landing_bucket, "landing_bucket"),
        (&mut settings.storage_role_arn, &options.storage_role_arn, "storage_role_arn"),
        (&mut settings.external_id, &options.external_id, "storage_external_id"),
    ] {
        if let Some(value) = given.as_deref().or(outputs.get(output)) {
            value.clone_into(setting);
        }
    }
    if let Some(file) = &options.public_key {
        settings.public_key = Some(public_key(file)?.base64);
    }
    let scripts = scripts_with(&pipeline, &settings);
    let text: Vec<_> = scripts.into_iter().map(|script| format!("-- {}\n{}", script.file_name, script.sql)).collect();
    console::print(text.join("\n").trim_end())?;
    Ok(ExitCode::SUCCESS)
}
