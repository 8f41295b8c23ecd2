//! The tables that a stack which has stopped left in its folder, looked at without starting one: none is made or altered.

use landfall_core::Pipeline;
use landfall_snowflake::schema_change::Deployed;

use super::{Settings, Stack, StackError, absolute, folder};
use crate::snowflake::{self, LocalSnowflake};
use crate::venv::Venv;

impl Stack {
    /// The staging tables of a pipeline as earlier runs left them in the folder; none where nothing ever ran.
    ///
    /// # Errors
    /// [`StackError::Running`] where a stack runs: ask that one, by its [`Connection`](super::Connection).
    pub async fn deployed(
        settings: &Settings,
        pipeline: &Pipeline,
        progress: impl Fn(&str) + Send + Sync,
    ) -> Result<Deployed, StackError> {
        if !snowflake::has_database(&settings.dir.join("snowflake"), pipeline) {
            return Ok(Deployed::default());
        }
        // Held to the end: only one process may open the databases.
        let (dir, _lock) = folder::take(&settings.dir)?;
        let databases = dir.join("snowflake");
        let venv = Venv::ensure(&absolute(&settings.venv_dir)?, snowflake::REQUIREMENTS, &progress).await?;
        let snowflake = LocalSnowflake::start(venv.python(), &databases, settings.ports.snowflake).await?;
        let deployed = snowflake.deployed(pipeline).await;
        snowflake.stop().await;
        Ok(deployed?)
    }
}
