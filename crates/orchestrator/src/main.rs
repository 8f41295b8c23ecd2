//! The orchestrator as a Lambda function.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match landfall_orchestrator::run(&|name| std::env::var(name).ok()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", landfall_core::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
