//! The course of a storm: records in, through a mapping that is restarted, over shards that are split and merged.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::Error;
use landfall_core::{Record, SequenceNumber, event};
use landfall_local::event_source_mapping::{Delivery, EventSourceMapping, Outcome, Settings};
use landfall_local::files;
use landfall_local::lambda::{Invoked, Invoker};
use landfall_local::shards::{self, STREAM_ARN, Shard, Stream};
use landfall_local::stack::ORCHESTRATOR;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::deck::{Random, Site};
use super::feed::{Document, Feed};
use super::kind::{Kind, Tally};
use super::tampering::{Tampering, in_order};
use super::weather::lock;
use super::{Leg, Options, Seen, Watched};

/// Records that are put and not yet done, at most: so that a storm is spread over its records.
const MAX_UNDONE: usize = 500;

/// Records of a round of the redrive leg: both of its lanes' batches hold less.
const ROUND: usize = 40;

/// How often a batch is redelivered before it is a fault that it is not taken.
const MAX_REDELIVERIES: usize = 200;

/// Fewer than the orchestrator has processes.
const REDELIVERIES_AT_ONCE: usize = 6;

const PAUSE: Duration = Duration::from_millis(20);

/// A record, as far as the mapping is concerned.
type Place = (Arc<str>, SequenceNumber);

pub(crate) struct Course<'a> {
    options: &'a Options,
    feed: Feed,
    tally: Tally,
    tampering: Tampering,
    on_failure: PathBuf,
    random: Random,
    stream: Stream,
    mappings: Vec<EventSourceMapping>,
    tell: UnboundedSender<Delivery>,
    deliveries: UnboundedReceiver<Delivery>,
    /// The records of each shard, in order.
    put: BTreeMap<Arc<str>, Vec<SequenceNumber>>,
    n_put: usize,
    done: HashSet<Place>,
    documents: Vec<Document>,
    watched: &'a Watched,
}

impl<'a> Course<'a> {
    pub(crate) fn new(
        options: &'a Options,
        feed: Feed,
        tally: Tally,
        tampering: Tampering,
        on_failure: PathBuf,
        watched: &'a Watched,
    ) -> Self {
        let n_shards = if options.leg == Leg::Redrive { 1 } else { 4 };
        let (stream, shards) = shards::stream_that_keeps(n_shards, MAX_UNDONE);
        let (tell, deliveries) = mpsc::unbounded_channel();
        let random = Random::new(options.seed, Site::Course);
        let mut course = Self {
            options,
            feed,
            tally,
            tampering,
            on_failure,
            random,
            stream,
            mappings: Vec::new(),
            tell,
            deliveries,
            put: BTreeMap::new(),
            n_put: 0,
            done: HashSet::new(),
            documents: Vec::new(),
            watched,
        };
        course.map(shards);
        course
    }

    /// Runs it to its end: everything has been delivered, or redelivered. Answers with what was put.
    pub(crate) async fn run(mut self) -> Result<Vec<Document>, Error> {
        match self.options.leg {
            Leg::Redrive => self.rounds().await?,
            Leg::Everything | Leg::WholeBatches => self.stream().await?,
        }
        Ok(self.documents)
    }

    async fn stream(&mut self) -> Result<(), Error> {
        let n_records = self.options.records;
        for n in 0..n_records {
            if n == n_records / 3 && self.options.leg == Leg::Everything {
                self.restart().await?;
            }
            if n == n_records * 2 / 3 {
                self.reshard().await?;
            }
            self.put().await?;
            self.wait(MAX_UNDONE).await;
        }
        self.wait(0).await;
        self.replay().await
    }

    fn map(&mut self, shards: Vec<Shard>) {
        let is_redrive = self.options.leg == Leg::Redrive;
        let settings = Settings {
            batch_size: 25,
            // In a round, all that a lane gets is one batch.
            window: Duration::from_millis(150),
            parallelization_factor: if self.options.leg == Leg::WholeBatches { 1 } else { 2 },
            max_retries: Some(if is_redrive { 1 } else { 5 }),
            on_failure: Some(self.on_failure.clone()),
            retry_pause: PAUSE,
            ..Settings::new(ORCHESTRATOR)
        };
        self.mappings.push(EventSourceMapping::start(shards, &self.tampering, settings, self.tell.clone()));
    }

    async fn put(&mut self) -> Result<Record, Error> {
        let draft = self.feed.next()?;
        let form = draft.form;
        let record = self.stream.put(&draft.partition_key, &draft.data).await?;
        self.put.entry(record.shard_id.clone()).or_default().push(record.sequence_number.clone());
        self.documents.extend(draft.documents(&record));
        self.n_put += 1;
        self.seen(|seen| {
            seen.n_records += 1;
            seen.forms.count(form);
        });
        Ok(record)
    }

    /// Waits until at most so many records are neither done nor given up.
    async fn wait(&mut self, max_undone: usize) {
        while self.n_put - self.done.len() > max_undone {
            let Some(Delivery { records, outcome, .. }) = self.deliveries.recv().await else { return };
            match outcome {
                Outcome::Retried { .. } => self.seen(|seen| seen.n_retries += 1),
                Outcome::Done => self.done(&records),
                Outcome::GivenUp { .. } => {
                    self.tally.count(Kind::GivenUp);
                    self.done(&records);
                }
            }
        }
    }

    fn done(&mut self, records: &[Record]) {
        self.done.extend(records.iter().map(|record| (record.shard_id.clone(), record.sequence_number.clone())));
        let n_done = self.done.len();
        self.seen(|seen| seen.n_done = n_done);
    }

    fn seen(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut lock(self.watched));
    }

    /// Another mapping reads every shard, from a record on before which all are done. What the old one has in flight
    /// runs on.
    async fn restart(&mut self) -> Result<(), Error> {
        // So that there is something to be read again.
        self.wait(MAX_UNDONE / 2).await;
        let mut shards = Vec::new();
        for (shard_id, put) in self.put.clone() {
            let n_done = put.iter().take_while(|number| self.done.contains(&(shard_id.clone(), (*number).clone())));
            let from = &put[self.random.below(n_done.count())];
            shards.push(self.stream.read_again(&shard_id, from).await.ok_or("there is no such shard")?);
            self.tally.count(Kind::OldCheckpoint);
        }
        self.mappings.clear();
        self.map(shards);
        Ok(())
    }

    async fn reshard(&mut self) -> Result<(), Error> {
        let mut children = Vec::from(self.stream.split("shardId-000000000001").await.ok_or("no shard to split")?);
        self.tally.count(Kind::Split);
        let merged = self.stream.merge("shardId-000000000002", "shardId-000000000003").await;
        children.push(merged.ok_or("no shards to merge")?);
        self.tally.count(Kind::Merged);
        self.map(children);
        Ok(())
    }

    /// Delivers what is in the on-failure destination.
    async fn replay(&mut self) -> Result<(), Error> {
        let mut batches = Vec::new();
        for file in files::below(&self.on_failure)? {
            let object: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
            let payload = object["payload"].as_str().ok_or("an on-failure object without a payload")?;
            batches.push(event::records(payload)?);
            self.tally.count(Kind::Replayed);
        }
        if self.options.leg == Leg::Everything {
            // All of a shard's, cut where nothing was cut before.
            batches = in_order(batches).iter().flat_map(|shard| shard.chunks(40).map(<[_]>::to_vec)).collect();
        }
        let mut redeliveries = JoinSet::new();
        for batch in batches {
            if redeliveries.len() == REDELIVERIES_AT_ONCE
                && let Some(redelivered) = redeliveries.join_next().await
            {
                redelivered??;
            }
            redeliveries.spawn(redeliver(self.tampering.host().clone(), batch));
        }
        while let Some(redelivered) = redeliveries.join_next().await {
            redelivered??;
        }
        Ok(())
    }

    /// Each round puts records, lets the mapping give some up, and then delivers all of them from the stream, as one does
    /// with a destination that holds no payloads but only where they stand: first and last sequence number.
    async fn rounds(&mut self) -> Result<(), Error> {
        for _ in 0..self.options.records.div_ceil(ROUND as u64) {
            let mut records = Vec::new();
            for _ in 0..ROUND {
                records.push(self.put().await?);
            }
            let n_given_up = self.tally.of(Kind::GivenUp);
            self.wait(0).await;
            if self.tally.of(Kind::GivenUp) > n_given_up {
                redeliver(self.tampering.host().clone(), records).await?;
                self.tally.count(Kind::Replayed);
            }
        }
        Ok(())
    }
}

/// Delivers a batch until it is taken.
async fn redeliver(host: Invoker, records: Vec<Record>) -> Result<(), Error> {
    let mut n_failures = 0;
    loop {
        match host.invoke(ORCHESTRATOR, event::render(&records, STREAM_ARN).into()).await {
            Invoked::Succeeded { payload, .. } if payload == r#"{"batchItemFailures":[]}"# => return Ok(()),
            Invoked::Throttled => {}
            other if n_failures == MAX_REDELIVERIES => {
                return Err(format!("a batch was not taken in {n_failures} deliveries: {other:?}").into());
            }
            _ => n_failures += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
}
