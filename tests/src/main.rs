//! Starts either Lambda function, as the `landfall` binary does: cargo gives a test no binary of another package.
//!
//! `landfall-tests orchestrator|upsert` runs the function. `landfall-tests --fail-upsert-once FILE upsert` ends at once
//! when FILE is not there yet, and makes it: the first invocation of upsert fails, the next ones do not.

use std::process::ExitCode;

use landfall_local::process::exit_when_orphaned;

#[tokio::main]
async fn main() -> ExitCode {
    exit_when_orphaned();
    // Boxed: two functions' futures in one are deeper than the compiler computes a layout for.
    match Box::pin(run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", landfall_core::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let name = match args.as_slice() {
        ["--fail-upsert-once", file, "upsert"] if !std::path::Path::new(file).exists() => {
            std::fs::write(file, "")?;
            return Err("failing once, as the test wants".into());
        }
        ["--fail-upsert-once", _, name] | [name] => *name,
        _ => "",
    };
    lambda_runtime::tracing::init_default_subscriber();
    let get = |name: &str| std::env::var(name).ok();
    match name {
        "orchestrator" => landfall_orchestrator::run(&get).await,
        "upsert" => landfall_upsert::run(&get).await,
        other => Err(format!("failed to start a function: {other:?} is neither orchestrator nor upsert").into()),
    }
}
