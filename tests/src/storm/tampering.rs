//! What happens between the event source mapping and Lambda.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use landfall_core::config::Timeouts;
use landfall_core::{Record, SequenceNumber, event};
use landfall_local::lambda::{Invoke, Invoked, Invoker};
use landfall_local::shards::STREAM_ARN;
use landfall_local::stack::ORCHESTRATOR;
use tokio::sync::mpsc::UnboundedSender;

use super::deck::{Deck, Random, Site};
use super::kind::{Kind, Tally};
use super::weather::{Kill, lock};
use super::{Leg, Options};
use crate::pause::{pause, resume};

/// What is dealt twice, and not counted when it is tried: which process it meets, if any, is a matter of time.
const COUNTED_WHEN_DONE: [Kind; 3] =
    [Kind::OrchestratorKilled, Kind::OrchestratorTimedOut, Kind::OrchestratorOutOfTime];

/// Stands between the mapping and the host, and delivers otherwise than it is told.
#[derive(Debug, Clone)]
pub(crate) struct Tampering {
    host: Invoker,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    deck: Mutex<Deck<Card>>,
    tally: Tally,
    kills: UnboundedSender<Kill>,
    timeouts: Timeouts,
    /// Batches that fail on every try, by their first records, and whether they do after all of their effects.
    cursed: Mutex<HashMap<SequenceNumber, bool>>,
    /// The last batch of each shard.
    last: Mutex<HashMap<Arc<str>, Vec<Record>>>,
    in_flight: Mutex<HashMap<Arc<str>, usize>>,
}

#[derive(Debug, Clone, Copy)]
enum Card {
    Kind(Kind),
    /// It fails on every try: given up in the end.
    Curse {
        after_effects: bool,
    },
}

impl Tampering {
    pub(crate) fn new(options: &Options, host: Invoker, tally: &Tally, kills: UnboundedSender<Kill>) -> Self {
        let curse = |after_effects| (Card::Curse { after_effects }, 1);
        let mut cards: Vec<(Card, usize)> = [
            Kind::OrchestratorKilled,
            Kind::OrchestratorTimedOut,
            Kind::OrchestratorOutOfTime,
            Kind::OrchestratorThrottled,
            Kind::OrchestratorAnswerLost,
            Kind::BatchTwice,
            Kind::RecordTwice,
            Kind::ReCut,
        ]
        .into_iter()
        .filter(|kind| kind.is_of(options.leg))
        .map(|kind| (Card::Kind(kind), 1 + usize::from(COUNTED_WHEN_DONE.contains(&kind))))
        .collect();
        cards.push(curse(false));
        let mut n_blank = options.n_blank(13);
        if options.leg == Leg::Redrive {
            // One of the two batches of a round.
            n_blank = 1;
        } else {
            cards.push(curse(true));
        }
        let shared = Shared {
            deck: Mutex::new(Deck::new(Random::new(options.seed, Site::Mapping), &cards, n_blank)),
            tally: tally.clone(),
            kills,
            timeouts: Timeouts::scaled(options.time_scale),
            cursed: Mutex::default(),
            last: Mutex::default(),
            in_flight: Mutex::default(),
        };
        Self { host, shared: Arc::new(shared) }
    }

    /// The host itself, for who redelivers.
    pub(crate) fn host(&self) -> &Invoker {
        &self.host
    }

    /// Deals for a batch. One that is cursed stays so.
    fn deal(&self, first: &SequenceNumber) -> (Option<Card>, usize) {
        let mut cursed = lock(&self.shared.cursed);
        if let Some(after_effects) = cursed.get(first) {
            return (Some(Card::Curse { after_effects: *after_effects }), 0);
        }
        let mut deck = lock(&self.shared.deck);
        let (card, at) = (deck.deal(), deck.random.below(1 << 16));
        if let Some(Card::Curse { after_effects }) = card {
            cursed.insert(first.clone(), after_effects);
        }
        (card, at)
    }

    async fn deliver(&self, records: &[Record]) -> Invoked {
        let invoked = self.host.invoke(ORCHESTRATOR, event::render(records, STREAM_ARN).into()).await;
        match error_type(&invoked).as_deref() {
            Some("Sandbox.Timedout") => self.shared.tally.count(Kind::OrchestratorTimedOut),
            Some("OutOfTime") => self.shared.tally.count(Kind::OrchestratorOutOfTime),
            _ => {}
        }
        invoked
    }

    /// The process that gets the batch stands still at some moment, until Lambda ends it.
    fn pause_for_good(&self, after: Duration) {
        let Some(process) = self.host.idle_process(ORCHESTRATOR) else { return };
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            pause(process)
        });
    }

    /// It stands still before it has the batch, and goes on with less time than a request needs.
    fn pause_for_a_while(&self) {
        let Some(process) = self.host.idle_process(ORCHESTRATOR).filter(|process| pause(*process)) else { return };
        let timeouts = self.shared.timeouts;
        let too_long = timeouts.orchestrator_function() - timeouts.request_starts_before_end().mul_f64(0.7);
        tokio::spawn(async move {
            tokio::time::sleep(too_long).await;
            resume(process)
        });
    }

    async fn tamper(&self, kind: Kind, at: usize, records: &[Record], last: &[Record]) -> Invoked {
        if !COUNTED_WHEN_DONE.contains(&kind) {
            self.shared.tally.count(kind);
        }
        match kind {
            Kind::OrchestratorThrottled => return Invoked::Throttled,
            Kind::OrchestratorKilled => {
                let after = Duration::from_millis(at as u64 % 120);
                // Nobody kills any more at the end of a storm.
                let _ = self.shared.kills.send(Kill { function: ORCHESTRATOR, after, kind });
            }
            Kind::OrchestratorTimedOut => self.pause_for_good(Duration::from_millis(at as u64 % 120)),
            Kind::OrchestratorOutOfTime => self.pause_for_a_while(),
            Kind::OrchestratorAnswerLost => {
                self.deliver(records).await;
                return lost();
            }
            Kind::BatchTwice => return tokio::join!(self.deliver(records), self.deliver(records)).1,
            Kind::RecordTwice => {
                let mut twice = records.to_vec();
                let place = at / records.len() % (records.len() + 1);
                twice.insert(place, records[at % records.len()].clone());
                return self.deliver(&twice).await;
            }
            Kind::ReCut => {
                let tail = &last[last.len() - at % (last.len() + 1)..];
                let head = &records[..at / 7 % (records.len() + 1)];
                // Whatever comes of it: what counts is that the whole batch is taken afterwards.
                self.deliver(&[tail, head].concat()).await;
            }
            _ => {}
        }
        self.deliver(records).await
    }
}

/// Of an invocation that failed.
fn error_type(invoked: &Invoked) -> Option<String> {
    let Invoked::Failed { payload, .. } = invoked else { return None };
    let error: serde_json::Value = serde_json::from_slice(payload).ok()?;
    error["errorType"].as_str().map(str::to_owned)
}

/// What the mapping sees of an invocation whose end it does not see.
fn lost() -> Invoked {
    let payload = r#"{"errorType":"Storm","errorMessage":"the answer was lost"}"#;
    Invoked::Failed { request_id: String::new(), payload: Bytes::from_static(payload.as_bytes()) }
}

/// Counts a batch as in flight, also when it is dropped.
struct InFlight<'a>(&'a Shared, Arc<str>);

impl<'a> InFlight<'a> {
    fn new(shared: &'a Shared, shard_id: &Arc<str>) -> Self {
        let mut in_flight = lock(&shared.in_flight);
        let n = in_flight.entry(shard_id.clone()).or_default();
        *n += 1;
        if *n > 1 {
            shared.tally.count(Kind::ParallelBatches);
        }
        Self(shared, shard_id.clone())
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        lock(&self.0.in_flight).entry(self.1.clone()).and_modify(|n| *n -= 1);
    }
}

impl Invoke for Tampering {
    async fn invoke(&self, name: &str, payload: Bytes) -> Invoked {
        let records = std::str::from_utf8(&payload).ok().and_then(|payload| event::records(payload).ok());
        let Some(records) = records.filter(|records| !records.is_empty()) else {
            return self.host.invoke(name, payload).await;
        };
        let first = &records[0];
        let _in_flight = InFlight::new(&self.shared, &first.shard_id);
        let last = lock(&self.shared.last).insert(first.shard_id.clone(), records.clone()).unwrap_or_default();
        match self.deal(&first.sequence_number) {
            (None, _) => self.deliver(&records).await,
            (Some(Card::Kind(kind)), at) => self.tamper(kind, at, &records, &last).await,
            (Some(Card::Curse { after_effects: false }), _) => lost(),
            (Some(Card::Curse { after_effects: true }), _) => {
                self.deliver(&records).await;
                lost()
            }
        }
    }
}

/// The records of some batches, each once, by shard and in order.
pub(crate) fn in_order(batches: Vec<Vec<Record>>) -> Vec<Vec<Record>> {
    let mut seen = HashSet::new();
    let mut shards: std::collections::BTreeMap<Arc<str>, Vec<Record>> = std::collections::BTreeMap::new();
    for record in batches.into_iter().flatten() {
        if seen.insert((record.shard_id.clone(), record.sequence_number.clone())) {
            shards.entry(record.shard_id.clone()).or_default().push(record);
        }
    }
    let mut shards: Vec<_> = shards.into_values().collect();
    shards.iter_mut().for_each(|records| records.sort_by(|a, b| a.sequence_number.cmp(&b.sequence_number)));
    shards
}
