//! `landfall demo`: the whole pipeline on this machine, and the proof that nothing is lost or doubled.

mod balance;
mod feed;
mod look;
mod summary;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use landfall_generator::Template;
use landfall_local::event_source_mapping::{EventSourceMapping, Settings as MappingSettings};
use landfall_local::shards;
use landfall_local::stack::{self, ON_FAILURE_BUCKET, ORCHESTRATOR, Stack};
use tokio::sync::mpsc;

use crate::args::DemoOptions;
use crate::console::{self, Progress};
use crate::interrupt::{self, stopped, unless_stopped};
use crate::pipeline_file::{self, PipelineFile};

use self::summary::Summary;

/// A batch that fails is tried again this often before it is given up: a demo has to end.
const MAX_RETRIES: u32 = 5;

/// Runs the demo. Ctrl-C stops it and everything that it started.
pub(crate) async fn run(options: DemoOptions) -> anyhow::Result<ExitCode> {
    let pipeline = pipeline_file::load(options.stack.pipeline.as_deref())?;
    let template = pipeline_file::template(options.template.as_deref(), &pipeline.pipeline)?;
    let progress = Progress::new();
    let Some(stack) = unless_stopped(start(&options, &pipeline, &progress)).await else {
        return Ok(stopped(&progress));
    };
    let mut stack = stack?;
    let done = unless_stopped(story(&options, template, &mut stack, &progress)).await;
    progress.clear();
    if options.keep && matches!(done, Some(Ok(_))) {
        keep(&mut stack).await?;
    }
    stack.stop().await;
    done.unwrap_or_else(|| Ok(stopped(&progress)))
}

async fn story(
    options: &DemoOptions,
    template: Template,
    stack: &mut Stack,
    progress: &Progress,
) -> anyhow::Result<ExitCode> {
    let session = stack.snowflake.session(&stack.pipeline)?;
    // What an earlier run left behind is not this run's.
    let before = balance::tables(&session, &stack.pipeline).await?;
    let n_objects_before = look::objects(stack)?.len();

    progress.step("pushing records through");
    let started = Instant::now();
    let run = push(options, template, stack, progress).await?;
    let elapsed = started.elapsed();

    progress.step("comparing what went in with what came out");
    let balance = balance::balance(&run.sent, &before, stack, &session, options.firehose).await?;
    let n_objects = look::objects(stack)?.len() - n_objects_before;
    let summary = Summary::new(options, &run, &balance, n_objects, elapsed, stack);
    let shown = look::show(&session, stack).await?;
    progress.clear();
    if options.json {
        console::print(&serde_json::to_string_pretty(&summary)?)?;
    } else {
        console::print(&format!("{summary}\n{shown}\n{}", look::where_to_look(stack, &options.stack)))?;
    }
    Ok(if summary.reconciles { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn start(options: &DemoOptions, pipeline: &PipelineFile, progress: &Progress) -> anyhow::Result<Stack> {
    if !options.append && options.stack.dir.join("s3").exists() {
        let dir = options.stack.dir.display();
        progress
            .line(&format!("removing the objects and rows that {dir} holds from earlier runs (--append keeps them)"));
    }
    let settings = stack::Settings {
        concurrency: usize::from(options.shards),
        clean: !options.append,
        firehose: options.firehose,
        ..options.stack.settings(pipeline)?
    };
    Ok(Stack::start(settings, |step: &str| progress.step(step)).await?)
}

/// Generates, delivers and waits until everything has arrived or was given up.
async fn push(
    options: &DemoOptions,
    template: Template,
    stack: &mut Stack,
    progress: &Progress,
) -> anyhow::Result<watch::Run> {
    // Two batches wait in each shard: enough to keep the mapping busy, and latency is not the length of a queue.
    let capacity = usize::from(options.batch_size) * 2;
    let (stream, shards) = shards::stream(usize::from(options.shards), capacity);
    let (tell, deliveries) = mpsc::unbounded_channel();
    let mapping = MappingSettings {
        batch_size: usize::from(options.batch_size),
        max_retries: Some(MAX_RETRIES),
        on_failure: Some(stack.bucket_dir(ON_FAILURE_BUCKET)),
        ..MappingSettings::new(ORCHESTRATOR)
    };
    let (shards, firehose) = if options.firehose {
        let (mapped, read) = shards::for_two(shards, capacity);
        (mapped, Some(stack.firehose(read)))
    } else {
        (shards, None)
    };
    let mapping = EventSourceMapping::start(shards, &stack.lambda.invoker(), mapping, tell);
    let bars = watch::Bars::new(progress, options.records);
    let feed =
        tokio::spawn(feed::feed(options.clone(), template, stack.pipeline.clone(), stream, bars.records.clone()));

    let mut watch = watch::Watch::new(stack.pipeline.clone(), bars, progress.clone());
    let dir = stack.dir().to_owned();
    watch.deliveries(deliveries, &mut stack.loads, &dir).await?;
    mapping.finished().await;
    if let Some(firehose) = firehose {
        firehose.finished().await;
    }
    stack.snowpipe.drained().await;
    watch.remaining_loads(&mut stack.loads);
    let sent = feed.await??;
    watch.finish(sent, &stack.bucket_dir(stack::BUCKET))
}

async fn keep(stack: &mut Stack) -> anyhow::Result<()> {
    stack.announce().await?;
    console::print_note(&format!(
        "The stack is still running; stop it with Ctrl-C.\n  S3         {}\n  Lambda     {}\n  Snowflake  {} (user {}, key {})",
        stack.s3.endpoint(),
        stack.lambda.endpoint(),
        stack.snowflake.endpoint(),
        landfall_local::snowflake::USER,
        stack.snowflake.key_file().display(),
    ));
    interrupt::wait().await;
    Ok(())
}
