//! A storm: records through the whole pipeline while everything that can fail fails, and a check that nothing was lost or
//! doubled.
//!
//! The functions are real processes; between them and S3, Lambda and Snowflake stand proxies that make faults, and between
//! the event source mapping and Lambda something that delivers otherwise than it is told. A seed decides the records, and
//! which fault meets the n-th request to each service; which request is the n-th is a matter of time.

mod check;
mod course;
mod deck;
mod feed;
mod forms;
mod kind;
mod tampering;
mod weather;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use lambda_runtime::Error;
use landfall_local::stack::{BUCKET, ON_FAILURE_BUCKET, Ports, Settings, Stack};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use self::check::Outcome;
use self::course::Course;
use self::feed::{Becomes, Feed};
pub use self::forms::{Form, Forms};
pub use self::kind::{Kind, Tally};
use self::tampering::Tampering;
use self::weather::{Kill, Weather, lock};

const PIPELINE: &str = include_str!("../../../pipeline.toml");

/// What kind of storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// Every kind of fault. In the raw micro-batch table a row may stand more than once.
    Everything,
    /// Batches are never cut at other boundaries: then the raw micro-batch table holds each row once, too.
    WholeBatches,
    /// Two parallel batches of a shard, of which one is given up; then both ranges are delivered as one batch.
    Redrive,
}

/// What a storm is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// What kind.
    pub leg: Leg,
    /// Decides the records and the faults.
    pub seed: u64,
    /// How many records.
    pub records: u64,
    /// Where everything is kept; emptied first.
    pub dir: PathBuf,
    /// Where the Python venv is.
    pub venv_dir: PathBuf,
    /// The program that runs a function: with `args` and then `orchestrator` or `upsert`.
    pub program: PathBuf,
    /// What comes before the function's name.
    pub args: Vec<String>,
    /// Factor on all time-outs, so that an answer that never comes costs little.
    pub time_scale: f64,
}

impl Options {
    /// How many cards that do nothing go with so many that do, where one is dealt for each batch or more: between 16, so that
    /// most batches get through, and 40. From 900 records on, each card comes at least once.
    pub(crate) fn n_blank(&self, n_cards: usize) -> usize {
        // A batch holds up to 25 records, and a retry deals again.
        let n_dealt = usize::try_from(self.records / 35).unwrap_or(usize::MAX);
        n_dealt.saturating_sub(n_cards).clamp(16, 40)
    }
}

/// What has been seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Records put.
    pub n_records: usize,
    /// The forms that they came in.
    pub forms: Forms,
    /// Records done, or given up.
    pub n_done: usize,
    /// Batches that failed and were tried again.
    pub n_retries: usize,
}

type Watched = Mutex<Seen>;

/// What a storm came to.
#[derive(Debug)]
pub struct Verdict {
    /// Documents that were to become rows.
    pub n_rows: usize,
    /// Documents that were to become dead letters.
    pub n_poison: usize,
    /// What is wrong with them, in words.
    pub faults: Vec<String>,
    /// Faults that the leg is to inject and did not, and forms that no record had.
    pub never: Vec<String>,
    /// What was injected.
    pub tally: Tally,
    /// The last of what was seen.
    pub seen: Seen,
}

/// Runs a storm. `progress` is told about once a second.
///
/// # Errors
/// There is no verdict: the stack does not start, or a batch is not taken however often it is delivered.
pub async fn run(options: &Options, progress: impl Fn(&Seen, &Tally)) -> Result<Verdict, Error> {
    let tally = Tally::default();
    let (kills, to_kill) = mpsc::unbounded_channel();
    let mut weather = Weather::start(options, &tally, kills.clone()).await?;
    let mut stack = Stack::start_between(settings(options), |_| {}, &mut weather).await?;
    let feed = Feed::new(options, &stack.pipeline)?;
    let tampering = Tampering::new(options, stack.lambda.invoker(), &tally, kills);
    let watched = Watched::default();
    let on_failure = stack.bucket_dir(ON_FAILURE_BUCKET);
    let course = Course::new(options, feed, tally.clone(), tampering, on_failure, &watched);

    let documents = tokio::select! {
        documents = course.run() => documents?,
        never = kill(&stack, to_kill, &tally) => match never {},
        never = report(&watched, &tally, progress) => match never {},
    };
    weather.settled().await;
    // Of what it was never told, a pipe learns by this alone.
    stack.snowpipe.refresh(BUCKET, &stack.bucket_dir(BUCKET))?;
    stack.snowpipe.drained().await;

    let outcome = Outcome::read(&stack, options.leg != Leg::WholeBatches).await?;
    let mut faults = outcome.faults(&documents);
    while let Ok(load) = stack.loads.try_recv() {
        faults.extend(load.outcome.err().map(|reason| format!("Snowpipe did not load {}: {reason}", load.key)));
    }
    stack.stop().await;
    let n_rows = documents.iter().filter(|document| matches!(document.becomes, Becomes::Row(_))).count();
    let seen = lock(&watched).clone();
    let kinds = Kind::ALL.iter().filter(|kind| kind.is_of(options.leg) && tally.of(**kind) == 0);
    let forms = Form::ALL.iter().filter(|form| seen.forms.of(**form) == 0);
    let never = kinds.map(Kind::to_string).chain(forms.map(|form| format!("records: {form}"))).collect();
    Ok(Verdict { n_rows, n_poison: documents.len() - n_rows, faults, never, tally, seen })
}

fn settings(options: &Options) -> Settings {
    Settings {
        dir: options.dir.clone(),
        venv_dir: options.venv_dir.clone(),
        pipeline: PIPELINE.to_owned(),
        program: options.program.clone(),
        args: options.args.clone(),
        // One for each lane: two of each of four shards.
        concurrency: 8,
        time_scale: options.time_scale,
        clean: true,
        ports: Ports::default(),
        firehose: false,
    }
}

async fn kill(stack: &Stack, mut kills: UnboundedReceiver<Kill>, tally: &Tally) -> std::convert::Infallible {
    loop {
        let Some(Kill { function, after, kind }) = kills.recv().await else { std::future::pending().await };
        tokio::time::sleep(after).await;
        if stack.lambda.kill(function) {
            tally.count(kind);
        }
    }
}

async fn report(watched: &Watched, tally: &Tally, progress: impl Fn(&Seen, &Tally)) -> std::convert::Infallible {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        let seen = lock(watched).clone();
        progress(&seen, tally);
    }
}
