//! This package's binaries as Lambda functions.

use lambda_runtime::Error;

use crate::mutants::Mutant;

/// Runs the function that `args` name, `orchestrator`, `transform` or `upsert`, until its parent is gone.
///
/// `--fail-upsert-once FILE upsert` ends at once when FILE is not there yet, and makes it: the first invocation of upsert
/// fails, the next ones do not. `--fail-transform-once` is the same for transform. `--mutant NAME orchestrator|transform|upsert` does one thing wrong: see [`mutant_names`].
///
/// # Errors
/// There is no such function, or it does not start.
pub async fn run(args: &[&str]) -> Result<(), Error> {
    let (mutant, name) = match args {
        ["--fail-upsert-once", file, "upsert"] | ["--fail-transform-once", file, "transform"]
            if !std::path::Path::new(file).exists() =>
        {
            std::fs::write(file, "")?;
            return Err("failing once, as the test wants".into());
        }
        ["--mutant", mutant, name] => (Some(Mutant::named(mutant).ok_or("there is no such mutant")?), *name),
        ["--fail-upsert-once" | "--fail-transform-once", _, name] | [name] => (None, *name),
        _ => (None, ""),
    };
    let get = |name: &str| std::env::var(name).ok();
    // Boxed: several functions' futures in one are deeper than the compiler computes a layout for.
    match (name, mutant) {
        ("orchestrator", None) => Box::pin(landfall_orchestrator::run(&get)).await,
        ("transform", None) => Box::pin(landfall_transform::run(&get)).await,
        ("upsert", None) => Box::pin(landfall_upsert::run(&get)).await,
        ("orchestrator", Some(mutant)) => Box::pin(mutant.orchestrator(&get)).await,
        ("transform", Some(mutant)) => Box::pin(mutant.transform(&get)).await,
        ("upsert", Some(mutant)) => Box::pin(mutant.upsert(&get)).await,
        (other, _) => {
            Err(format!("failed to start a function: {other:?} is none of orchestrator, transform and upsert").into())
        }
    }
}

/// The mutants that a storm is to find.
pub fn mutant_names() -> impl Iterator<Item = &'static str> {
    Mutant::of_the_storm().map(|(name, _)| name)
}
