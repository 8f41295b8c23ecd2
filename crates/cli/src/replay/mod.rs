//! `landfall replay`: sends stored events through the orchestrator, and says what became of each.

mod event;
mod invoke;
mod landed;
mod loaded;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use landfall_core::Pipeline;
use landfall_local::stack::{BUCKET, Connection, ORCHESTRATOR};

use self::event::Event;
use self::invoke::Target;
use self::landed::Zone;
use crate::at_hand::{AtHand, StackOptions};
use crate::console::{self, Progress};
use crate::interrupt::{stopped, unless_stopped};
use crate::pipeline_file;

/// What `cargo lambda watch` calls the orchestrator.
const CARGO_LAMBDA_ORCHESTRATOR: &str = "orchestrator";

/// Sends stored events through the orchestrator, as Lambda would, and prints for each what it answered and what landed.
///
/// On the local stack (the one that runs in DIR, or else one that is started for this and keeps what is in DIR) it
/// returns when what landed is loaded. An event that comes again adds nothing.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit code: 0 when each event was taken, also with poison in it; 1 when one failed, or when on the local stack
something of it is not where it has to be.

Examples:
  landfall replay events/kinesis-batch.json events/poison.json
  landfall replay --endpoint http://127.0.0.1:9000 events/kinesis-batch.json    under cargo lambda watch
  landfall replay --function-name landfall-orchestrator events/kinesis-batch.json    deployed, with AWS's own
                                                                                 credentials and region"
)]
pub(crate) struct ReplayOptions {
    /// Files with one Kinesis event each, as Lambda receives them.
    #[arg(required = true, value_name = "EVENT")]
    events: Vec<PathBuf>,

    /// Invoke the function at this URL: that of `cargo lambda watch`, which works with the stack in DIR.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Invoke this function of AWS, with AWS's own credentials and region; with --endpoint, the function's name there
    /// [default: the local stack's; with --endpoint, orchestrator].
    #[arg(long, value_name = "NAME")]
    function_name: Option<String>,

    /// Where a deployed function lands its objects [default: what its LANDING_BUCKET says].
    #[arg(long, value_name = "BUCKET", requires = "function_name", conflicts_with = "endpoint")]
    bucket: Option<String>,

    #[command(flatten)]
    stack: StackOptions,
}

/// Where events go, and where to look for what they became.
struct Replay {
    target: Target,
    pipeline: Pipeline,
    zone: Option<Zone>,
    local: Option<Connection>,
}

/// Replays the events. Ctrl-C stops it, and the stack if that is its own.
pub(crate) async fn run(options: ReplayOptions) -> anyhow::Result<ExitCode> {
    let progress = Progress::new();
    let events = event::read(&options.events)?;
    let Some(prepared) = unless_stopped(prepare(&options, &progress)).await else {
        return Ok(stopped(&progress));
    };
    let (replay, at_hand) = prepared?;
    let done = unless_stopped(replay.all(&events, &progress)).await;
    if let Some(at_hand) = at_hand {
        at_hand.stop().await;
    }
    done.unwrap_or_else(|| Ok(stopped(&progress)))
}

async fn prepare(options: &ReplayOptions, progress: &Progress) -> anyhow::Result<(Replay, Option<AtHand>)> {
    if let Some(endpoint) = &options.endpoint {
        let name = options.function_name.as_deref().unwrap_or(CARGO_LAMBDA_ORCHESTRATOR);
        let local = Connection::find(&options.stack.dir).await?;
        let pipeline = match &local {
            Some(local) => {
                options.stack.check(local)?;
                local.pipeline.clone()
            }
            None => pipeline_file::load(options.stack.pipeline.as_deref())?.pipeline,
        };
        let zone = local.as_ref().map(|local| Zone::local(&local.endpoints.s3, BUCKET));
        return Ok((Replay { target: Target::at(endpoint, name), pipeline, zone, local }, None));
    }
    if let Some(name) = &options.function_name {
        let pipeline = pipeline_file::load(options.stack.pipeline.as_deref())?.pipeline;
        let aws = landfall_orchestrator::aws_config().await?;
        let target = Target::deployed(&aws, name);
        let bucket = match &options.bucket {
            Some(bucket) => Some(bucket.clone()),
            None => target.landing_bucket().await,
        };
        let zone = bucket.map(|bucket| Zone::deployed(&aws, &bucket));
        return Ok((Replay { target, pipeline, zone, local: None }, None));
    }
    let at_hand = AtHand::get(&options.stack, progress).await?;
    let local = at_hand.connection.clone();
    let replay = Replay {
        target: Target::at(&local.endpoints.lambda, ORCHESTRATOR),
        pipeline: local.pipeline.clone(),
        zone: Some(Zone::local(&local.endpoints.s3, BUCKET)),
        local: Some(local),
    };
    Ok((replay, Some(at_hand)))
}

impl Replay {
    async fn all(&self, events: &[Event], progress: &Progress) -> anyhow::Result<ExitCode> {
        let mut n_failed = 0;
        for event in events {
            progress.step(&format!("replaying {}", event.name));
            let outcome = self.one(event).await;
            progress.clear();
            match outcome {
                Ok(Outcome { lines, n_faults }) => {
                    n_failed += usize::from(n_faults > 0);
                    console::print(&lines.join("\n"))?;
                }
                Err(error) => {
                    n_failed += 1;
                    console::print(&format!("{}: failed", event.title()))?;
                    console::print_failure(&error);
                }
            }
        }
        let n_events = events.len();
        if n_events > 1 {
            console::print(&format!("\n{n_events} events: {} taken, {n_failed} failed", n_events - n_failed))?;
        }
        Ok(if n_failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn one(&self, event: &Event) -> anyhow::Result<Outcome> {
        let answer = self.target.invoke(event).await?;
        let batch = landfall_core::decode(&self.pipeline, &event.records);
        let mut lines =
            vec![event.title(), format!("  answered  {} in {} ms", answer.text, answer.duration.as_millis())];
        let landed = match &self.zone {
            Some(zone) => zone.landed(&self.pipeline, &batch).await,
            None => Err(anyhow::anyhow!("{}", self.target.how_to_look())),
        };
        let mut faults = Vec::new();
        match (landed, &self.local) {
            (Ok(landed), Some(local)) => {
                lines.extend(landed.lines());
                faults.extend(landed.faults(&batch));
                let loaded = loaded::look(local, &batch).await?;
                lines.push(loaded.line(local));
                faults.extend(loaded.faults(&batch, &landed, local));
            }
            // What is deployed may have another pipeline, or LANDING=off: what is not there is worth a line and no fault.
            (Ok(landed), None) => {
                lines.extend(landed.lines());
                lines.extend(landed.faults(&batch).iter().map(|fault| format!("  but       {fault}")));
            }
            (Err(error), None) => lines.push(format!(
                "  expected  {} rows and {} dead letters by this pipeline; not looked for: {error}",
                batch.rows.len(),
                batch.poison.len()
            )),
            (Err(error), Some(_)) => return Err(error),
        }
        lines.extend(faults.iter().map(|fault| format!("  FAULT     {fault}")));
        Ok(Outcome { lines, n_faults: faults.len() })
    }
}

/// What became of an event that was taken.
struct Outcome {
    /// As they are printed.
    lines: Vec<String>,
    /// What is not where it has to be.
    n_faults: usize,
}
