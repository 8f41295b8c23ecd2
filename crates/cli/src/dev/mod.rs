//! `landfall dev`: the stack stays up, and takes up each change of pipeline.toml.

mod environment;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use landfall_local::stack::{BUCKET, ORCHESTRATOR, Ports, Settings, Stack, UPSERT};

use crate::at_hand::{DEFAULT_DIR, StackOptions};
use crate::console::{self, Progress, program, shell_word};
use crate::interrupt::{stopped, unless_stopped};
use crate::pipeline_file::{self, PipelineFile};

/// The first of three ports; dev.env has them too.
const DEFAULT_PORT: u16 = 9010;

/// Keeps the local S3, Lambda (with both functions), Snowflake and Snowpipe running until Ctrl-C, and what they hold
/// beyond it. `landfall replay` and `landfall sql` in the same DIR use this stack. When pipeline.toml changes, the stack
/// starts anew with it: a new optional field becomes a new column.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  landfall dev
  landfall dev --pipeline my-pipeline.toml --dir .landfall-mine --port 0
  landfall dev --clean                  without what earlier runs left in DIR")]
pub(crate) struct DevOptions {
    #[command(flatten)]
    stack: StackOptions,

    /// The first of three ports in a row, for S3, Lambda and Snowflake; 0 takes any that are free.
    #[arg(long, default_value_t = DEFAULT_PORT, value_name = "PORT", value_parser = port)]
    port: u16,

    /// Remove the objects and rows that DIR holds from earlier runs first.
    #[arg(long)]
    clean: bool,
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse::<u16>().ok().filter(|port| Ports::from(*port).is_some());
    port.ok_or_else(|| "a port is a number from 1 to 65533, or 0 for any that are free".to_owned())
}

/// Runs the stack until Ctrl-C.
pub(crate) async fn run(options: DevOptions) -> anyhow::Result<ExitCode> {
    let progress = Progress::new();
    let mut pipeline = pipeline_file::load(options.stack.pipeline.as_deref())?;
    let mut seen = pipeline.text.clone();
    let mut clean = options.clean;
    let mut before = None;
    loop {
        let settings = Settings {
            clean,
            ports: Ports::from(options.port).unwrap_or_default(),
            ..options.stack.settings(&pipeline)?
        };
        let Some(stack) = unless_stopped(start(settings, &progress)).await else {
            return Ok(stopped(&progress));
        };
        let mut stack = match (stack, before.take()) {
            (Ok(stack), _) => stack,
            (Err(error), None) => return Err(error),
            (Err(error), Some(last)) => {
                console::print_failure(&error);
                console::print_note("starting with the pipeline as it was");
                pipeline = last;
                continue;
            }
        };
        clean = false;
        progress.clear();
        console::print(&shown(&options, &pipeline, &stack))?;
        let changed = unless_stopped(watch::changed(&mut stack, &pipeline, &seen)).await;
        // What has landed is the old pipe's to load.
        stack.snowpipe.drained().await;
        stack.stop().await;
        let Some(changed) = changed else {
            console::print_note("stopped; what landed stays in the folder");
            return Ok(ExitCode::SUCCESS);
        };
        // Also when it turns out that the stack does not start with it: it is not tried again and again.
        seen.clone_from(&changed.text);
        before = Some(std::mem::replace(&mut pipeline, changed));
    }
}

async fn start(settings: Settings, progress: &Progress) -> anyhow::Result<Stack> {
    let mut stack = Stack::start(settings, |step: &str| progress.step(step)).await?;
    stack.announce().await?;
    Ok(stack)
}

/// Where everything is, and one example of each.
fn shown(options: &DevOptions, pipeline: &PipelineFile, stack: &Stack) -> String {
    let endpoints = stack.endpoints();
    let dir = &options.stack.dir;
    let key_file = dir.join("snowflake").join("rsa_key.p8");
    let source = pipeline.path.as_deref().map_or("the sensor pipeline".to_owned(), |path| path.display().to_string());
    let pipeline_file = pipeline.path.clone().unwrap_or_else(|| dir.join("pipeline.toml"));
    let aws = exports(&environment::aws(&endpoints));
    let functions = environment::lines(&environment::functions(&endpoints, &key_file, &pipeline_file));
    let in_dir = if *dir == Path::new(DEFAULT_DIR) { String::new() } else { format!(" --dir {}", shell_word(dir)) };
    // The sample events are the sensors'.
    let event = if stack.pipeline.name == "sensors" { "events/kinesis-batch.json" } else { "EVENT.json" };
    let is_default = options.port == DEFAULT_PORT && in_dir.is_empty() && pipeline_file == Path::new("pipeline.toml");
    let (env_file, of_env_file) =
        if is_default { ("dev.env", "it is in dev.env") } else { ("my.env", "save it as my.env") };
    let landfall = program();
    format!(
        "The stack is running with {source}; stop it with Ctrl-C. It keeps its objects and rows in {dir}.

  S3         {s3}  bucket {BUCKET}
  Lambda     {lambda}  functions {ORCHESTRATOR} and {UPSERT}
  Snowflake  {snowflake}  user {user}, key {key_file}

The environment that points the AWS CLI at it:
{aws}
The environment for cargo lambda watch ({of_env_file}):
{functions}
In another terminal:
  {landfall} replay{in_dir} {event}
  {landfall} sql{in_dir} \"select count(*) from {table}\"
  aws s3 ls --recursive s3://{BUCKET}/{prefix}/
  aws lambda invoke --function-name {ORCHESTRATOR} --payload fileb://{event} answer.json
  cargo lambda watch -A 127.0.0.1 --ignore-changes --env-file {env_file}
  cargo lambda invoke orchestrator -A 127.0.0.1 --data-file {event}
",
        dir = dir.display(),
        s3 = endpoints.s3,
        lambda = endpoints.lambda,
        snowflake = endpoints.snowflake,
        user = landfall_local::snowflake::USER,
        key_file = key_file.display(),
        table = stack.pipeline.snowflake.streaming_table.to_lowercase(),
        prefix = stack.pipeline.landing.prefix,
    )
}

/// Lines for a shell.
fn exports(environment: &environment::Environment) -> String {
    environment.iter().map(|(name, value)| format!("export {name}={value}\n")).collect()
}
