//! This binary as a Lambda function of the local stack, so that one build is enough.

use std::process::ExitCode;

use crate::args::FunctionName;

/// Runs the function until its parent is gone.
pub(crate) async fn run(name: FunctionName) -> anyhow::Result<ExitCode> {
    landfall_local::process::exit_when_orphaned();
    let get = |name: &str| std::env::var(name).ok();
    let run = match name {
        FunctionName::Orchestrator => landfall_orchestrator::run(&get).await,
        FunctionName::Transform => landfall_transform::run(&get).await,
        FunctionName::Upsert => landfall_upsert::run(&get).await,
    };
    run.map_err(|error| anyhow::anyhow!(error))?;
    Ok(ExitCode::SUCCESS)
}
