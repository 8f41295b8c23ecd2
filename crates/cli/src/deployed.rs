//! The Snowflake account that the environment names, for commands that look at what is deployed.

use std::path::Path;

use anyhow::Context as _;
use landfall_snowflake::Session;

use crate::pipeline_file;

/// A session with the account of upsert's variables, in the pipeline's database and schema.
pub(crate) async fn session(pipeline: Option<&Path>) -> anyhow::Result<Session> {
    let pipeline = pipeline_file::load(pipeline)?.pipeline;
    let get = |name: &str| std::env::var(name).ok();
    let config = landfall_upsert::config::Config::read(&get).context("failed to name the deployed Snowflake")?;
    Ok(landfall_upsert::session(config, &pipeline).await?)
}
