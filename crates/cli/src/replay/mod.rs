//! `landfall replay`: sends through the functions again what is stored, and says what became of it.

mod dead_letters;
mod destination;
mod event;
mod fault;
mod invoke;
mod landed;
mod landing;
mod loaded;
mod on_failure;
mod problems;
mod redrive;
mod refused;
mod split;
mod stored;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use self::destination::{Destination, Function};
use self::landing::Loading;
use self::redrive::Redrive;
use crate::arrived::Arrived;
use crate::at_hand::StackOptions;
use crate::console::Progress;
use crate::interrupt::{stopped, stopped_elsewhere, unless_stopped};
use crate::objects::{Listed, Place, PlaceName};
use crate::window::WindowOptions;

/// Sends stored events through the orchestrator, as Lambda would, and prints for each what it answered and what landed; or
/// brings back what did not get through: dead letters, batches that were given up, rows that landed while upsert was off.
///
/// On the local stack (the one that runs in DIR, or else one that is started for this and keeps what is in DIR) it
/// returns when what landed is loaded. Whatever comes again adds no row to the streaming table, and none to the
/// micro-batch table's view: a row is known by its position.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("source").required(true).args(["events", "dead_letters", "on_failure", "landing"]),
    after_help = "A PLACE is s3://bucket/prefix or a folder. s3:// is the S3 of the local stack, with the buckets landfall-landing and
landfall-on-failure; with --function-name that of AWS.

What comes again adds no row to the streaming table: a row is known by its position. Documents that are sent in other
events than at first are new objects in the bucket, and so in the raw micro-batch table a second time; its view
(…_DEDUPLICATED) holds each once.

On AWS nobody looks at the tables here: what an event came to is known by its objects in the bucket and by the new dead
letters there, and where it may not be looked at is what this pipeline.toml makes of it. `landfall reconcile --deployed`
looks at the tables.

A row that the warehouse rejects with --landing is printed and is no dead letter. It stays in the landing zone and in the
micro-batch table, and `landfall reconcile` names it as missing in the streaming table, until the table or the pipeline is
changed.

After three events or requests in a row that fail on every try it stops.

Exit code: 0 when everything was taken, also with poison in it; 1 when something failed, could not be read or was
rejected, or when on the local stack something of it is not where it has to be. Then run the same again: what is there
already stays as it is.

Examples:
  landfall replay events/kinesis-batch.json events/poison.json
  landfall replay --endpoint http://127.0.0.1:9000 events/kinesis-batch.json    under cargo lambda watch
  landfall replay --function-name landfall-orchestrator events/kinesis-batch.json    deployed, with AWS's own
                                                                                 credentials and region
After pipeline.toml has changed, what of the dead letters it takes now, and then with them in the tables:
  landfall replay --dead-letters s3://landfall-landing/deadletter/ --since 2d --dry-run
  landfall replay --dead-letters s3://landfall-landing/deadletter/ --since 2d
Mended by hand, from copies:
  landfall replay --dead-letters ./letters --function-name landfall-orchestrator
After an outage that was longer than the mapping's patience:
  landfall replay --on-failure s3://acme-on-failure/aws/lambda/ --function-name landfall-orchestrator
After upsert was off:
  landfall replay --landing s3://acme-landing-zone/kinesiscsv/ --since 6h --function-name landfall-upsert"
)]
pub(crate) struct ReplayOptions {
    /// Files with one Kinesis event each, as Lambda receives them.
    #[arg(value_name = "EVENT", conflicts_with_all = ["since", "until", "dry_run"])]
    events: Vec<PathBuf>,

    /// Send the documents of dead letters (.jsonl) through the orchestrator, each at its old position. The letters stay where
    /// they are; what is poison still is a letter once more.
    #[arg(long, value_name = "PLACE")]
    dead_letters: Option<PlaceName>,

    /// Send the batches of an on-failure destination through the orchestrator, each whole. The objects stay where they are.
    /// They have to be of one stream, and on AWS of the function that is named.
    #[arg(long, value_name = "PLACE")]
    on_failure: Option<PlaceName>,

    /// Send the rows of landed objects (.csv, .csv.gz, .csv.zst) through upsert into the streaming table; what the warehouse
    /// rejects is printed.
    #[arg(long, value_name = "PLACE")]
    landing: Option<PlaceName>,

    #[command(flatten)]
    window: WindowOptions,

    /// Send nothing: say what would land by this pipeline and what is poison still. What the warehouse alone refuses shows
    /// only when it is sent.
    #[arg(long)]
    dry_run: bool,

    /// Invoke the function at this URL: that of `cargo lambda watch`, which works with the stack in DIR.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Invoke this function of AWS, with AWS's own credentials and region; with --endpoint, the function's name there
    /// [default: the local stack's; with --endpoint, orchestrator, or upsert for --landing].
    #[arg(long, value_name = "NAME")]
    function_name: Option<String>,

    /// Where a deployed orchestrator lands its objects [default: what its LANDING_BUCKET says].
    #[arg(long, value_name = "BUCKET", requires = "function_name", conflicts_with_all = ["endpoint", "landing"])]
    bucket: Option<String>,

    #[command(flatten)]
    stack: StackOptions,
}

impl ReplayOptions {
    /// Where objects are read from, if not events from files.
    fn place(&self) -> Option<&PlaceName> {
        self.dead_letters.as_ref().or(self.on_failure.as_ref()).or(self.landing.as_ref())
    }

    /// Whether a stack has something to do: a dry run over a folder needs none.
    fn needs_stack(&self) -> bool {
        !(self.dry_run && matches!(self.place(), Some(PlaceName::Folder(_))))
    }
}

/// Replays what the options name. Ctrl-C stops it, and the stack if that is its own.
pub(crate) async fn run(options: ReplayOptions) -> anyhow::Result<ExitCode> {
    let progress = Progress::new();
    let events = event::read(&options.events)?;
    // Before anything is started: a name may be misspelt.
    let in_folder = match options.place() {
        Some(PlaceName::Folder(path)) => Some(find(&options, Place::Folder(path.clone()), false).await?),
        _ => None,
    };
    let function = if options.landing.is_some() { Function::Upsert } else { Function::Orchestrator };
    let prepared = Destination::prepare(&options, function, options.needs_stack(), &progress);
    let Some(prepared) = unless_stopped(prepared).await else {
        return Ok(stopped(&progress));
    };
    let (to, at_hand) = prepared?;
    let done = match (options.place(), in_folder) {
        (None, _) => unless_stopped(stored::replay(&to, &events, &progress)).await.transpose(),
        (Some(_), Some(found)) => recover(&options, &found, &to, &progress).await,
        (Some(name), None) => {
            progress.step(&format!("listing {name}"));
            let found = unless_stopped(async { find(&options, to.place(name)?, to.is_deployed()).await }).await;
            match found.transpose() {
                Ok(Some(found)) => recover(&options, &found, &to, &progress).await,
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            }
        }
    };
    let is_elsewhere = at_hand.is_none() && !options.dry_run;
    if let Some(at_hand) = at_hand {
        at_hand.stop().await;
    }
    match done? {
        Some(code) => Ok(code),
        None if is_elsewhere => Ok(stopped_elsewhere(&progress)),
        None => Ok(stopped(&progress)),
    }
}

/// A place with the objects in it that may hold what is asked for.
struct Found {
    place: Place,
    arrived: Arrived,
    listed: Vec<Listed>,
}

async fn find(options: &ReplayOptions, place: Place, is_deployed: bool) -> anyhow::Result<Found> {
    let arrived = Arrived::new(options.window.window(), &place, is_deployed);
    let listed = if options.landing.is_some() {
        landing::list(&place, arrived).await?
    } else if options.on_failure.is_some() {
        on_failure::list(&place, arrived).await?
    } else {
        dead_letters::list(&place, arrived).await?
    };
    Ok(Found { place, arrived, listed })
}

/// Brings back what a place holds; `None` when it was stopped, and then has said how far it came.
async fn recover(
    options: &ReplayOptions,
    Found { place, arrived, listed }: &Found,
    to: &Destination,
    progress: &Progress,
) -> anyhow::Result<Option<ExitCode>> {
    progress.step(&format!("reading {}", place.name()));
    if options.landing.is_some() {
        let mut loading = Loading::new(to, options.dry_run, progress);
        let done = unless_stopped(async {
            let done = loading.load(place, listed, *arrived).await;
            loading.finish(done).await
        });
        let done = done.await;
        return if done.is_none() { loading.stopped().map(|()| None) } else { done.transpose() };
    }
    let what = if options.on_failure.is_some() { "record" } else { "document" };
    let mut redrive = Redrive::new(to, what, options.dry_run, progress);
    let done = unless_stopped(async {
        let done = if options.on_failure.is_some() {
            on_failure::redrive(place, listed, *arrived, &mut redrive).await
        } else {
            dead_letters::redrive(place, listed, *arrived, &mut redrive).await
        };
        redrive.finish(done).await
    });
    let done = done.await;
    if done.is_none() { redrive.stopped().map(|()| None) } else { done.transpose() }
}
