//! Starts either Lambda function, as the `landfall` binary does: cargo gives a test no binary of another package.
//!
//! What its arguments are: [`landfall_tests::function::run`].

use std::process::ExitCode;

use landfall_local::process::exit_when_orphaned;

#[tokio::main]
async fn main() -> ExitCode {
    exit_when_orphaned();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match landfall_tests::function::run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", landfall_core::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
