//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::at_hand::StackOptions;
use crate::check::CheckOptions;
use crate::dev::DevOptions;
use crate::doctor::DoctorOptions;
use crate::init::InitOptions;
use crate::reconcile::ReconcileOptions;
use crate::replay::ReplayOptions;
use crate::snowflake::SnowflakeOptions;
use crate::sql::SqlOptions;

/// Lands an Amazon Kinesis stream in S3 and in Snowflake, each record exactly once.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Examples:
  landfall demo                         the whole pipeline on this machine, 10,000 records
  landfall demo --poison 0.01 --keep    with malformed records; leave it running to look around
  landfall dev                          the same services, for as long as you work with them
  landfall replay events/kinesis-batch.json
  landfall replay --dead-letters s3://landfall-landing/deadletter/ --dry-run
  landfall reconcile
  landfall sql \"select count(*) from kinesis_sensors_streaming\"
  landfall init mine.toml --from sample.jsonl && landfall check mine.toml
  landfall snowflake apply --terraform infra/terraform
  landfall doctor")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole pipeline on this machine and check that no record is lost or doubled.
    Demo(DemoOptions),
    /// Keep the local stack running, to work with it.
    Dev(DevOptions),
    /// Send stored events through the orchestrator, or bring back what did not get through: dead letters, batches that were
    /// given up, rows that landed. Local, under cargo lambda watch, or deployed.
    Replay(ReplayOptions),
    /// Compare landing zone, tables and dead letters with each other: what is missing where.
    Reconcile(ReconcileOptions),
    /// Ask the local Snowflake, or the deployed one.
    Sql(SqlOptions),
    /// Write a pipeline.toml: the sensor pipeline, or one derived from sample documents.
    Init(InitOptions),
    /// Check a pipeline.toml, and what it changes about the tables that are there.
    Check(CheckOptions),
    /// Print the columns of the CSV and of both staging tables.
    Schema(SchemaOptions),
    /// Set a Snowflake account up for a pipeline: SQL, keys, what is missing there, whether all is well.
    Snowflake(SnowflakeOptions),
    /// Look at what is most often wrong, before and after deployment, with what mends it.
    Doctor(DoctorOptions),
    /// Run as one of the Lambda functions: the local stack starts this.
    #[command(hide = true)]
    Function {
        /// Which one.
        name: FunctionName,
    },
}

/// A Lambda function that is in this binary.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FunctionName {
    /// Takes events.
    Orchestrator,
    /// Answers Firehose.
    Transform,
    /// Merges rows.
    Upsert,
}

/// Generates records, pushes them through in-memory shards, the event source mapping and both Lambda functions
/// into a local S3 and a local Snowflake, and compares what went in with what came out, position by position.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Exit code: 0 when each record is exactly once in each table or in the dead letters, else 1.

Examples:
  landfall demo
  landfall demo --records 100000 --batch-size 1000
  landfall demo --records 2000 --poison 0.01 --json > summary.json
  landfall demo --keep                  prints where its services listen, and runs until Ctrl-C")]
pub(crate) struct DemoOptions {
    /// How many records to generate.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) records: u64,

    /// The same seed gives the same records.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,

    /// Shards of the stream.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16))]
    pub(crate) shards: u16,

    /// Records in a batch, at most.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) batch_size: u16,

    /// Share of the records that are malformed, from 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub(crate) poison: f64,

    /// Let a stand-in for Firehose write the landing zone: few large objects.
    #[arg(long)]
    pub(crate) firehose: bool,

    #[command(flatten)]
    pub(crate) stack: StackOptions,

    /// What a generated record looks like, in the Kinesis Data Generator's language [default: what fits the pipeline].
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<PathBuf>,

    /// Keep what earlier runs left in DIR instead of starting from a clean stage.
    #[arg(long)]
    pub(crate) append: bool,

    /// Leave the stack running at the end, until Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,

    /// Print the summary as JSON on stdout; everything else goes to stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  landfall schema
  landfall schema --pipeline my-pipeline.toml --json")]
pub(crate) struct SchemaOptions {
    /// The pipeline [default: pipeline.toml in this folder, or else the sensor pipeline].
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,

    /// Print an array of objects.
    #[arg(long)]
    pub(crate) json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1: 0.01 is one in a hundred".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        assert_eq!(share("0.01"), Ok(0.01));
        for text in ["-0.1", "1.1", "NaN", "1%", ""] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
