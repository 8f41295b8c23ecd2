//! A stand-in for Amazon Data Firehose: reads shards, has a function transform what it read, and writes what it is answered
//! into a bucket.
//!
//! As Firehose does, it takes aggregated records apart before it invokes the function; gathers what it is answered by the
//! prefix that the answer's partition keys make, until there is enough of it or its time has come; compresses it with gzip
//! and gives the object a name of its own; tries an invocation again that is throttled; and puts what could not be transformed, as it
//! came, under the error prefix. It delivers at least once.
//!
//! What it is not: buffers end after parts of a second, not after one to fifteen minutes. User records are kept whatever shard
//! their keys belong to; `kinesisRecordMetadata` has the user record's own partition key. A function that fails
//! is invoked again only where [`Settings::retries_failures`] says so: Firehose's documentation does not. There is no limit on the size of a
//! record but that of the event that it comes in; no delay of its own, no encryption, no format conversion, no other prefix
//! expressions than those of [`Settings`]; and nothing of it survives a restart.

mod delivery;
mod invocation;
mod user_records;

use std::sync::Arc;
use std::time::Duration;

use landfall_core::Pipeline;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::lambda::Invoke;
use crate::s3::Objects;
use crate::shards::Shard;

/// Names the delivery stream in events; nothing reads it.
pub const DELIVERY_STREAM: &str = "landfall-local";

/// Records read at once from a shard.
const MAX_RECORDS: usize = 10_000;

/// Transformed batches that wait to be written.
const CAPACITY: usize = 16;

/// What a delivery stream is told when it is created. A hint is reached by whichever comes first, bytes or time.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The function that transforms.
    pub function: String,
    /// The bucket that objects are written into.
    pub bucket: String,
    /// Of objects, with expressions `!{partitionKeyFromLambda:…}`.
    pub prefix: String,
    /// Of what could not be transformed, with the expression `!{firehose:error-output-type}`.
    pub error_prefix: String,
    /// The function is invoked with so many bytes of records, about.
    pub batch_bytes: usize,
    /// Or with what has come in so long.
    pub batch_interval: Duration,
    /// An object is written when it has so many bytes, before it is compressed.
    pub object_bytes: usize,
    /// Or when its first row has waited for so long.
    pub object_interval: Duration,
    /// Of an object of rows, behind its name.
    pub extension: String,
    /// How often an invocation that is throttled is tried again.
    pub n_retries: u32,
    /// Whether one that fails is, too.
    pub retries_failures: bool,
    /// The wait before that.
    pub retry_pause: Duration,
    /// Objects under way at once; what would be one more goes to the error prefix.
    pub max_partitions: usize,
}

impl Settings {
    /// What Firehose takes by default, but for the times, and the layout of the pipeline's landing zone.
    pub fn new(function: &str, bucket: &str, pipeline: &Pipeline) -> Self {
        let prefix = &pipeline.landing.prefix;
        Self {
            function: function.to_owned(),
            bucket: bucket.to_owned(),
            prefix: format!("{prefix}/!{{partitionKeyFromLambda:partition}}/!{{partitionKeyFromLambda:hour}}/"),
            error_prefix: "firehose-errors/!{firehose:error-output-type}/".to_owned(),
            batch_bytes: 1 << 20,
            batch_interval: Duration::from_millis(200),
            object_bytes: 64 << 20,
            object_interval: Duration::from_millis(800),
            extension: ".csv.gz".to_owned(),
            n_retries: 3,
            retries_failures: false,
            retry_pause: Duration::from_millis(100),
            max_partitions: 500,
        }
    }
}

/// A running delivery stream. When dropped, it stops, and what it holds is lost.
#[derive(Debug)]
pub struct Firehose {
    tasks: JoinSet<()>,
}

impl Firehose {
    /// Reads `shards` to their ends. Needs a Tokio runtime.
    pub fn start<I: Invoke>(shards: Vec<Shard>, invoker: &I, objects: Objects, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let (deliver, delivered) = mpsc::channel(CAPACITY);
        let mut tasks = JoinSet::new();
        for shard in shards {
            tasks.spawn(read(shard, invoker.clone(), settings.clone(), deliver.clone()));
        }
        tasks.spawn(delivery::run(delivered, objects, settings));
        Self { tasks }
    }

    /// Waits until every shard has ended and all that was read of it is written.
    pub async fn finished(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the local Firehose failed");
            }
        }
    }
}

async fn read<I: Invoke>(
    mut shard: Shard,
    invoker: I,
    settings: Arc<Settings>,
    deliver: mpsc::Sender<Vec<delivery::Item>>,
) {
    shard.parents_drained().await;
    while let Some(records) = shard.batch(MAX_RECORDS, settings.batch_bytes, settings.batch_interval).await {
        for batch in user_records::batches(&records) {
            // The host has stopped, or the writer: nothing more is delivered.
            let Some(items) = invocation::transform(&invoker, &settings, batch).await else { return };
            if deliver.send(items).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
