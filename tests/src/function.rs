//! This package's binaries as Lambda functions.

use lambda_runtime::Error;

use crate::mutants::Mutant;

/// Runs the function that `args` name, `orchestrator` or `upsert`, until its parent is gone.
///
/// `--fail-upsert-once FILE upsert` ends at once when FILE is not there yet, and makes it: the first invocation of upsert
/// fails, the next ones do not. `--mutant NAME orchestrator|upsert` does one thing wrong: see [`mutant_names`].
///
/// # Errors
/// There is no such function, or it does not start.
pub async fn run(args: &[&str]) -> Result<(), Error> {
    let (mutant, name) = match args {
        ["--fail-upsert-once", file, "upsert"] if !std::path::Path::new(file).exists() => {
            std::fs::write(file, "")?;
            return Err("failing once, as the test wants".into());
        }
        ["--mutant", mutant, name] => (Some(Mutant::named(mutant).ok_or("there is no such mutant")?), *name),
        ["--fail-upsert-once", _, name] | [name] => (None, *name),
        _ => (None, ""),
    };
    lambda_runtime::tracing::init_default_subscriber();
    let get = |name: &str| std::env::var(name).ok();
    // Boxed: two functions' futures in one are deeper than the compiler computes a layout for.
    match (name, mutant) {
        ("orchestrator", None) => Box::pin(landfall_orchestrator::run(&get)).await,
        ("upsert", None) => Box::pin(landfall_upsert::run(&get)).await,
        ("orchestrator", Some(mutant)) => Box::pin(mutant.orchestrator(&get)).await,
        ("upsert", Some(mutant)) => Box::pin(mutant.upsert(&get)).await,
        (other, _) => Err(format!("failed to start a function: {other:?} is neither orchestrator nor upsert").into()),
    }
}

/// The mutants that there are.
pub fn mutant_names() -> impl Iterator<Item = &'static str> {
    Mutant::ALL.iter().map(|(name, _)| *name)
}
