//! The event source mapping: reads shards and invokes the orchestrator, batch by batch, as Lambda does.
//!
//! Each lane (a shard, or one of several that a shard is split into by partition key) has one batch in flight: the
//! next one waits until this one is done or given up.

mod lane;
mod on_failure;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landfall_core::Record;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use crate::lambda::Invoke;
use crate::shards::{self, Shard};

/// What a real event source mapping is told when it is created.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The function to invoke.
    pub function: String,
    /// Records in a batch: 1 to 10,000.
    pub batch_size: usize,
    /// How long the first record of a batch waits for others.
    pub window: Duration,
    /// Batches of one shard in flight at once: 1 to 10. Records of one partition key stay in order.
    pub parallelization_factor: usize,
    /// How often a failed batch is tried again; `None` is without end.
    pub max_retries: Option<u32>,
    /// A batch whose first record is older is given up; `None` is never.
    pub max_record_age: Option<Duration>,
    /// Whether a failed batch is cut in two.
    pub bisect_on_error: bool,
    /// The bucket, as a folder, that a batch is put into when it is given up.
    pub on_failure: Option<PathBuf>,
    /// The wait before the first retry; it doubles up to 64 times as long.
    pub retry_pause: Duration,
}

impl Settings {
    /// The mapping that DESIGN asks for: retries without end, no bisecting.
    pub fn new(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            batch_size: 100,
            window: Duration::from_millis(50),
            parallelization_factor: 1,
            max_retries: None,
            max_record_age: None,
            bisect_on_error: false,
            on_failure: None,
            retry_pause: Duration::from_millis(100),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its records.
    pub records: Arc<[Record]>,
    /// When that was known.
    pub at: SystemTime,
    /// What it was.
    pub outcome: Outcome,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function took it.
    Done,
    /// The function failed; the batch is tried again.
    Retried {
        /// What the function or Lambda said.
        error: String,
    },
    /// The function failed too often or for too long; the batch is in the on-failure destination, if there is one.
    GivenUp {
        /// What the function or Lambda said last.
        error: String,
    },
}

/// A running mapping. When dropped, it stops reading; a batch in flight is not waited for.
#[derive(Debug)]
pub struct EventSourceMapping {
    lanes: JoinSet<()>,
}

/// Records that wait in a lane of a shard that is split.
const LANE_CAPACITY: usize = 1000;

impl EventSourceMapping {
    /// Reads `shards` to their ends. Each delivery is told to `deliveries`.
    ///
    /// A shard that came of a reshard is read when its parents' batches are done, as in Lambda; another mapping may
    /// read those.
    pub fn start<I: Invoke>(
        shards: Vec<Shard>,
        invoker: &I,
        settings: Settings,
        deliveries: UnboundedSender<Delivery>,
    ) -> Self {
        let mut lanes = JoinSet::new();
        for shard in shards {
            for shard in split(shard, settings.parallelization_factor, &mut lanes) {
                lanes.spawn(lane::run(shard, invoker.clone(), settings.clone(), deliveries.clone()));
            }
        }
        Self { lanes }
    }

    /// Waits until every shard has ended and every batch is done or given up.
    pub async fn finished(mut self) {
        while let Some(ended) = self.lanes.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a lane of the event source mapping failed");
            }
        }
    }
}

/// Splits a shard into lanes by partition key, so that records of one key stay in order.
fn split(mut shard: Shard, factor: usize, tasks: &mut JoinSet<()>) -> Vec<Shard> {
    if factor <= 1 {
        return vec![shard];
    }
    let (writers, lanes): (Vec<_>, Vec<_>) = (0..factor).map(|_| shard.lane(LANE_CAPACITY)).unzip();
    tasks.spawn(async move {
        shard.parents_drained().await;
        while let Some(batch) = shard.batch(LANE_CAPACITY, usize::MAX, Duration::ZERO).await {
            for record in batch {
                let lane = (shards::hash(&record.partition_key) % factor as u128) as usize;
                if writers[lane].send(record).await.is_err() {
                    return;
                }
            }
        }
    });
    lanes
}
