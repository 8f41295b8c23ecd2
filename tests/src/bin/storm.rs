//! A long storm over the whole pipeline, with a verdict.
//!
//! `cargo run --release -p landfall-tests --bin storm -- --seed 7 --records 100000`. It ends with 1 when a document was lost,
//! doubled or changed, and with 2 when some kind of fault was never injected or some form of record never put.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use lambda_runtime::Error;
use landfall_local::process::exit_when_orphaned;
use landfall_tests::storm::{self, Kind, Leg, Options, Seen, Tally, Verdict};

/// What comes before a function's name when this binary is to be that function.
const FUNCTION: &str = "--function";

/// Sends records through the whole pipeline while everything that can fail fails, and checks that none is lost or doubled.
#[derive(Debug, Parser)]
struct Args {
    /// Decides the records and the faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many records.
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// What kind of storm.
    #[arg(long, value_enum, default_value_t = LegName::Everything)]
    leg: LegName,
    /// Build the functions with a mistake, which the storm is to find.
    #[arg(long, value_parser = mutant)]
    mutant: Option<String>,
    /// Factor on all time-outs.
    #[arg(long, default_value_t = 0.06)]
    time_scale: f64,
    /// Where everything is kept; emptied first. A folder that is removed at the end when it is not given.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LegName {
    /// Every kind of fault.
    Everything,
    /// Batches are never cut at other boundaries: the raw micro-batch table is to hold each row once.
    WholeBatches,
    /// Two parallel batches of a shard, of which one is given up and delivered again together with the other.
    Redrive,
}

fn mutant(name: &str) -> Result<String, String> {
    let names: Vec<_> = landfall_tests::function::mutant_names().collect();
    if names.contains(&name) { Ok(name.to_owned()) } else { Err(format!("one of {}", names.join(", "))) }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((first, rest)) if first == FUNCTION => {
            exit_when_orphaned();
            let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
            Box::pin(landfall_tests::function::run(&rest)).await.map(|()| ExitCode::SUCCESS)
        }
        _ => Box::pin(run(Args::parse())).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", landfall_core::chain(error.as_ref()));
        ExitCode::FAILURE
    })
}

async fn run(args: Args) -> Result<ExitCode, Error> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let temporary = tempfile::tempdir()?;
    let mutant = args.mutant.iter().flat_map(|name| ["--mutant".to_owned(), name.clone()]);
    let options = Options {
        leg: match args.leg {
            LegName::Everything => Leg::Everything,
            LegName::WholeBatches => Leg::WholeBatches,
            LegName::Redrive => Leg::Redrive,
        },
        seed: args.seed,
        records: args.records,
        dir: args.dir.unwrap_or_else(|| temporary.path().to_owned()),
        venv_dir: workspace.join(".landfall/venv"),
        program: std::env::current_exe()?,
        args: [FUNCTION.to_owned()].into_iter().chain(mutant).collect(),
        time_scale: args.time_scale,
    };
    let started = Instant::now();
    let verdict = storm::run(&options, |seen, tally| live(started, options.records, seen, tally)).await?;
    let mut out = std::io::stdout().lock();
    write(&mut out, &verdict, started).map_err(Error::from)?;
    Ok(match (verdict.faults.is_empty(), verdict.never.is_empty()) {
        (false, _) => ExitCode::from(1),
        (true, false) => ExitCode::from(2),
        (true, true) => ExitCode::SUCCESS,
    })
}

/// One line that changes, on a terminal; elsewhere one every ten seconds.
fn live(started: Instant, n_records: u64, seen: &Seen, tally: &Tally) {
    let seconds = started.elapsed().as_secs();
    let line = format!(
        "{seconds:>4} s  {} of {n_records} records put, {} done; {} faults injected, {} batches tried again, {} given up",
        seen.n_records,
        seen.n_done,
        tally.total(),
        seen.n_retries,
        tally.of(Kind::GivenUp)
    );
    if std::io::stderr().is_terminal() {
        eprint!("\r{line}\x1b[K");
    } else if seconds.is_multiple_of(10) {
        eprintln!("{line}");
    }
}

fn write(out: &mut impl std::io::Write, verdict: &Verdict, started: Instant) -> std::io::Result<()> {
    let Verdict { n_rows, n_poison, faults, never, tally, seen } = verdict;
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    for kind in Kind::ALL {
        writeln!(out, "{:>8}  {kind}", tally.of(*kind))?;
    }
    writeln!(out, "          {}", seen.forms)?;
    let seconds = started.elapsed().as_secs();
    writeln!(out, "{:>8}  faults in {seconds} s; {} batches tried again", tally.total(), seen.n_retries)?;
    for fault in faults.iter().take(50) {
        writeln!(out, "FAULT {fault}")?;
    }
    for kind in never {
        writeln!(out, "NEVER {kind}")?;
    }
    let n_records = seen.n_records;
    if faults.is_empty() {
        writeln!(out, "{n_records} records: {n_rows} rows and {n_poison} dead letters, none lost, none doubled")?;
    } else {
        writeln!(out, "{n_records} records: {} faults", faults.len())?;
    }
    out.flush()
}
