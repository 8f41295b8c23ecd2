//! `landfall reconcile`: whether landing zone, both tables and the dead letters agree, position by position.

mod compare;
mod load_errors;
mod publish;
mod report;
mod stored;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use landfall_core::{ArrivedAt, Pipeline};
use landfall_local::stack::{BUCKET, Connection};
use landfall_snowflake::Session;

use self::compare::{Store, Tally};
use self::report::{Names, Owner, Report};
use crate::arrived::Arrived;
use crate::at_hand::{AtHand, StackOptions};
use crate::console::{self, Progress};
use crate::failure::Failure;
use crate::interrupt::{stopped, unless_stopped};
use crate::objects::{Place, PlaceName};
use crate::window::{Window, WindowOptions};
use crate::{deployed, pipeline_file, positions};

/// What is younger may be on its way to the micro-batch table.
const ON_ITS_WAY: Duration = Duration::from_secs(10 * 60);

/// How long a window is on a real account unless it is said otherwise.
const DEFAULT_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// What is compared, and where.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A document that is in the landing zone or in either table is to be in all three. What has a dead letter is to be in none,
or in all once it was sent again; what the warehouse refused may be in the landing zone and in the micro-batch table. The
streaming table is to hold a document once. What no place holds it cannot see: nothing here knows what was sent, and
`landfall demo`, which does, compares with that.

It looks at the local stack: the one that runs in DIR, or else one that is started for this. With --deployed it looks at
the account that upsert's variables name (SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, a private key, …) and at a bucket, with AWS's
own credentials and region. It changes nothing. --metrics tells the alarms on Snowpipe how far it is behind; give it to a
schedule.

Without --since and --until: everything on the local stack; on an account what arrived in the 24 hours that ended ten
minutes ago, for younger documents may be on their way. What is still tried again counts as missing, too.

Cost on an account: all keys of the landing zone and of the dead letters are listed (a request for 1,000), the objects
that were written since --since are read (a request each), and each table is asked for the hours that have rows and then
for each of them. The whole window is in memory, some 220 bytes for each document and 800 for each of the busiest hour: a
day of 100 documents a second is 8.6 million of them, 2.2 GB. A long window goes in pieces, one after the other: --since
and --until.

Exit code: 0 when all agree; 1 when something is missing, doubled or unreadable, or when it could not be compared.

Examples:
  landfall reconcile
  landfall reconcile --since 2026-11-20 --until 2026-11-21 --json
  landfall reconcile --deployed --bucket acme-landing-zone --since 3d
  landfall reconcile --deployed --bucket acme-landing-zone --since 2h --metrics  every quarter of an hour, by a schedule
  landfall reconcile --deployed --bucket acme-landing-zone --without landing     for a pipeline with LANDING=off"
)]
pub(crate) struct ReconcileOptions {
    #[command(flatten)]
    window: WindowOptions,

    /// Leave this out, for a pipeline that runs with LANDING=off or UPSERT=off; may be given more than once.
    #[arg(long, value_name = "STORE", value_enum)]
    without: Vec<Store>,

    /// Look at the account that upsert's variables name and at --bucket.
    #[arg(long, requires = "bucket", conflicts_with = "dir")]
    deployed: bool,

    /// Where the deployed orchestrator lands its objects.
    #[arg(long, value_name = "BUCKET", requires = "deployed")]
    bucket: Option<String>,

    /// Publish what Snowpipe has not loaded of what landed, and since when: MicrobatchMissing and MicrobatchLagMs in CloudWatch,
    /// which the deployed alarms go by.
    #[arg(long, requires = "deployed")]
    metrics: bool,

    /// Print one JSON object on stdout: the first hundred positions of each kind; everything else goes to stderr.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    stack: StackOptions,
}

/// Where to look, and at what.
struct Reconcile<'a> {
    pipeline: Pipeline,
    session: Session,
    landing: Place,
    dead_letters: Place,
    stores: Vec<Store>,
    arrived: Arrived,
    owner: Owner<'a>,
    /// As it was given.
    pipeline_file: Option<&'a Path>,
    progress: &'a Progress,
}

/// Compares and prints. Ctrl-C stops it, and the stack if that is its own.
pub(crate) async fn run(options: ReconcileOptions) -> anyhow::Result<ExitCode> {
    let stores: Vec<_> = Store::ALL.into_iter().filter(|store| !options.without.contains(store)).collect();
    if stores.is_empty() {
        let what = "failed to compare: every place is left out".to_owned();
        return Err(Failure { what, remedy: "leave out less: --without".to_owned() }.into());
    }
    let needed = [Store::Landing, Store::Microbatch];
    if options.metrics && !needed.iter().all(|store| stores.contains(store)) {
        let what = "failed to publish: what Snowpipe has not loaded is what landed and is not in its table".to_owned();
        return Err(Failure { what, remedy: "leave out --metrics, or --without".to_owned() }.into());
    }
    let progress = Progress::new();
    let report = if let Some(bucket) = &options.bucket {
        unless_stopped(on_account(&options, bucket, stores, &progress)).await
    } else {
        let stack = options.stack.clone().with_its_last_pipeline();
        let Some(at_hand) = unless_stopped(AtHand::get(&stack, &progress)).await else {
            return Ok(stopped(&progress));
        };
        let at_hand = at_hand?;
        let report = unless_stopped(on_stack(&options, &at_hand.connection, stores, &progress)).await;
        at_hand.stop().await;
        report
    };
    let Some(report) = report else { return Ok(stopped(&progress)) };
    progress.clear();
    let report = report?;
    if options.json {
        console::print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        console::print(report.to_string().trim_end())?;
    }
    if let (true, Some(backlog)) = (options.metrics, report.backlog) {
        let aws = landfall_aws::aws_config().await?;
        let pipeline = pipeline_file::load(options.stack.pipeline.as_deref())?.pipeline;
        publish::publish(&aws, &pipeline.name, backlog, SystemTime::now()).await?;
        progress.step(&format!("published in CloudWatch, namespace {}", landfall_core::metrics::NAMESPACE));
    }
    Ok(if report.agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn on_stack(
    options: &ReconcileOptions,
    local: &Connection,
    stores: Vec<Store>,
    progress: &Progress,
) -> anyhow::Result<Report> {
    progress.step("waiting until what has landed is loaded");
    let not_loaded = local.drained().await?;
    let place = |prefix: &str| Place::local(&in_bucket(BUCKET, prefix), &local.endpoints.s3);
    let landing = &local.pipeline.landing;
    let reconcile = Reconcile {
        pipeline: local.pipeline.clone(),
        session: local.session()?,
        landing: place(&landing.prefix),
        dead_letters: place(&landing.dead_letter_prefix),
        stores,
        arrived: Arrived { window: options.window.window(), are_times_known: false },
        owner: Owner::Stack(&options.stack.dir),
        pipeline_file: options.stack.pipeline.as_deref(),
        progress,
    };
    let mut report = reconcile.report().await?;
    if report.lacks(Store::Microbatch) {
        report.load_errors = not_loaded.iter().map(|(key, reason)| format!("{key}: {reason}")).collect();
    }
    Ok(report)
}

async fn on_account(
    options: &ReconcileOptions,
    bucket: &str,
    stores: Vec<Store>,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let window = settled(options.window.window(), SystemTime::now())?;
    let pipeline = pipeline_file::load(options.stack.pipeline.as_deref())?.pipeline;
    // Before AWS is asked: of the two, it is the one with more to set.
    let session = deployed::session(options.stack.pipeline.as_deref()).await?;
    let aws = landfall_aws::aws_config().await?;
    let place = |prefix: &str| Place::deployed(&in_bucket(bucket, prefix), &aws);
    let reconcile = Reconcile {
        session,
        landing: place(&pipeline.landing.prefix),
        dead_letters: place(&pipeline.landing.dead_letter_prefix),
        stores,
        arrived: Arrived { window, are_times_known: true },
        owner: Owner::Account,
        pipeline_file: options.stack.pipeline.as_deref(),
        progress,
        pipeline,
    };
    let mut report = reconcile.report().await?;
    if report.lacks(Store::Microbatch) {
        progress.step("asking for the errors of Snowpipe");
        match load_errors::deployed(&reconcile.session, &reconcile.pipeline, window).await {
            Ok(errors) => report.load_errors = errors,
            // The comparison stands without them.
            Err(error) => {
                let error = landfall_core::chain(&error);
                report.notes.push(format!("the errors of Snowpipe could not be asked for: {error}"));
            }
        }
    }
    Ok(report)
}

impl Reconcile<'_> {
    async fn report(&self) -> anyhow::Result<Report> {
        let mut tally = Tally::default();
        let mut read = stored::dead_letters(&self.dead_letters, self.arrived, &mut tally, self.progress).await?;
        if self.stores.contains(&Store::Landing) {
            let landed = stored::landed(&self.landing, self.arrived, &mut tally, self.progress).await?;
            read.n_objects += landed.n_objects;
            read.unreadable.extend(landed.unreadable);
        }
        let target = &self.pipeline.snowflake;
        for (store, table) in
            [(Store::Streaming, &target.streaming_table), (Store::Microbatch, &target.microbatch_table)]
        {
            if self.stores.contains(&store) {
                self.progress.step(&format!("asking for the positions in {table}"));
                let tell = |position, n_rows| tally.row(store, position, n_rows);
                positions::of_table(&self.session, &self.pipeline, table, self.arrived.window, tell).await?;
            }
        }
        self.progress.step("comparing");
        let window = self.arrived.window;
        let names =
            Names::new(&self.pipeline, (&self.landing, &self.dead_letters), window, (self.owner, self.pipeline_file));
        Ok(Report::new(window, &tally.compare(&self.stores), read, names))
    }
}

/// All below a prefix, and nothing below another that begins like it.
fn in_bucket(bucket: &str, prefix: &str) -> PlaceName {
    PlaceName::S3 { bucket: bucket.to_owned(), prefix: format!("{prefix}/") }
}

/// The window that is asked for, with what is the default on an account.
fn settled(asked: Window, now: SystemTime) -> anyhow::Result<Window> {
    let before = |ms: i64, span: Duration| ArrivedAt::from_millis(ms - i64::try_from(span.as_millis()).unwrap_or(0));
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let until = asked.until.or_else(|| before(i64::try_from(now).unwrap_or(i64::MAX), ON_ITS_WAY));
    let since = asked.since.or_else(|| before(until?.as_millis(), DEFAULT_SPAN));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let what =
            format!("failed to compare what arrived since {since}: what is younger than {until} may be on its way");
        let remedy = "begin earlier, or say --until when it is known to have arrived everywhere".to_owned();
        return Err(Failure { what, remedy }.into());
    }
    Ok(Window { since, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ArrivedAt {
        ArrivedAt::from_text(text).unwrap()
    }

    fn settled_at(since: Option<&str>, until: Option<&str>) -> Result<String, String> {
        let now = at("2026-11-20 14:00:00").as_millis();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now).unwrap());
        let window = Window { since: since.map(at), until: until.map(at) };
        settled(window, now).map(|window| window.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn on_an_account_what_may_be_on_its_way_is_left_alone() {
        let default = settled_at(None, None).unwrap();
        assert_eq!(default, "since 2026-11-19 13:50:00.000 and before 2026-11-20 13:50:00.000, UTC");
        let earlier = settled_at(None, Some("2026-11-10 00:00:00")).unwrap();
        assert_eq!(earlier, "since 2026-11-09 00:00:00.000 and before 2026-11-10 00:00:00.000, UTC");
        let longer = settled_at(Some("2026-11-01 00:00:00"), None).unwrap();
        assert_eq!(longer, "since 2026-11-01 00:00:00.000 and before 2026-11-20 13:50:00.000, UTC");
        let asked = settled_at(Some("2026-11-20 13:55:00"), Some("2026-11-20 14:00:00")).unwrap();
        assert_eq!(asked, "since 2026-11-20 13:55:00.000 and before 2026-11-20 14:00:00.000, UTC");
        let error = settled_at(Some("2026-11-20 13:55:00"), None).unwrap_err();
        assert!(error.ends_with("what is younger than 2026-11-20 13:50:00.000 may be on its way"), "{error}");
    }
}
