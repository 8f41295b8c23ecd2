//! What happens to one event, top to bottom.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt as _};
use landfall_core::config::Timeouts;
use landfall_core::document::Source;
use landfall_core::landing::{self, MAX_OBJECT_BYTES, Object};
use landfall_core::upsert::{self, MAX_REQUEST_BYTES, Response};
use landfall_core::{ArrivedAt, Batch, Pipeline, Place, Poison, Record, Row, SequenceNumber, dead_letter, event};
use landfall_landing::{ObjectStore, Put};

use crate::error::OrchestratorError;
use crate::ports::{Ports, Upsert};
use landfall_aws::Deadline;

/// PUTs in flight at once: what one function's bandwidth and one bucket prefix bear with ease.
const CONCURRENT_PUTS: usize = 32;

/// What their bodies may hold together: two full objects, so that the largest event fits a small function's memory.
const MAX_BYTES_IN_FLIGHT: usize = 2 * MAX_OBJECT_BYTES;

/// What does not change between invocations.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What records hold and where rows go.
    pub pipeline: Pipeline,
    /// Whether rows are landed in S3. Those of redriven documents always are: where Firehose lands the others, nobody else
    /// would land these.
    pub landing: bool,
    /// The chain of time-outs.
    pub timeouts: Timeouts,
}

/// What an event came to. All before [`Summary::rest`] is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Shard of the first record; `None` for an empty event.
    pub shard_id: Option<String>,
    /// Records that are done.
    pub n_records: usize,
    /// The first record that is not: with those before it, the invocation was full. `None` when all are done.
    pub rest: Option<SequenceNumber>,
    /// Rows that it decoded to.
    pub n_rows: usize,
    /// Documents that are no rows of the pipeline. They are dead letters.
    pub n_poison: usize,
    /// Rows that the warehouse refused. They are dead letters too.
    pub n_rejected: usize,
    /// Objects landed, by this try or an earlier one.
    pub n_objects: usize,
    /// The bytes of these.
    pub landed_bytes: usize,
    /// Rows that the staging table held already.
    pub n_duplicates: u64,
    /// When the oldest record arrived; `None` for an empty event.
    pub oldest: Option<ArrivedAt>,
    /// How long landing took; `None` where there was nothing to land.
    pub landing: Option<Duration>,
    /// How long upserting took; `None` where there was nothing to upsert.
    pub upserting: Option<Duration>,
}

/// What is durable so far.
#[derive(Debug, Default)]
struct Durable {
    n_objects: AtomicUsize,
    n_bytes: AtomicUsize,
    n_upserted: AtomicUsize,
}

/// Lands, upserts and dead-letters what an event holds; of one that inflates to more than an invocation holds, the first
/// records.
///
/// A retry makes the same objects under the same keys and merges the same positions: it adds nothing. How many records it
/// takes goes by what they hold, and so is the same in each try.
///
/// # Errors
/// [`OrchestratorError`] when anything of these is not durable; the whole batch is to be retried.
pub async fn handle<S: ObjectStore, U: Upsert>(
    event: Box<str>,
    settings: &Settings,
    ports: &Ports<S, U>,
    deadline: Deadline,
) -> Result<Summary, OrchestratorError> {
    let records = event::records(&event)?;
    // Up to 6 MB that nobody reads again.
    drop(event);
    let (mut batch, n_decoded) = landfall_core::decode_first(&settings.pipeline, &records);
    if ports.upsert.is_some() {
        upsert::set_aside_too_large(&mut batch).map_err(encode)?;
    }
    let to_land = if settings.landing { None } else { Some(redriven(&records, &batch.rows)) };
    let to_land = to_land.as_deref().unwrap_or(&batch.rows);
    let durable = Durable::default();
    // Boxed: deeper than the compiler computes a layout for, with ports around ports.
    let effects = Box::pin(effects(settings, &batch, to_land, ports, deadline, &durable));
    // Lambda's own end would leave nobody to say how far it came.
    let left = deadline.left().saturating_sub(settings.timeouts.answer_before_end());
    let (upserted, landing, upserting) = match tokio::time::timeout(left, effects).await {
        Ok(done) => done?,
        Err(_) => {
            return Err(OrchestratorError::CutShort {
                n_objects: durable.n_objects.into_inner(),
                n_upserted: durable.n_upserted.into_inner(),
                n_rows: batch.rows.len(),
            });
        }
    };
    let (done, rest) = records.split_at_checked(n_decoded).unwrap_or((&records, &[]));
    Ok(Summary {
        shard_id: records.first().map(|record| record.shard_id.to_string()),
        n_records: done.len(),
        rest: rest.first().map(|record| record.sequence_number.clone()),
        n_rows: batch.rows.len(),
        n_poison: batch.poison.len(),
        n_rejected: upserted.refused.len(),
        n_objects: durable.n_objects.into_inner(),
        landed_bytes: durable.n_bytes.into_inner(),
        n_duplicates: upserted.n_duplicates,
        oldest: done.iter().map(|record| record.arrived_at).min(),
        landing,
        upserting,
    })
}

async fn effects<S: ObjectStore, U: Upsert>(
    settings: &Settings,
    batch: &Batch,
    to_land: &[Row],
    ports: &Ports<S, U>,
    deadline: Deadline,
    durable: &Durable,
) -> Result<(Upserted, Option<Duration>, Option<Duration>), OrchestratorError> {
    let pipeline = &settings.pipeline;
    // None is cut short by another's failure: what one of them achieves, the retry need not do again.
    let (dead_lettered, (landed, landing), (upserted, upserting)) = futures::join!(
        store_dead_letters(pipeline, &batch.poison, &ports.store),
        timed(land(landing::objects(pipeline, to_land), &ports.store, durable)),
        timed(upsert_all(settings, &batch.rows, ports, deadline, durable)),
    );
    dead_lettered?;
    landed?;
    let upserted = upserted?;
    store_dead_letters(pipeline, &upserted.refused, &ports.store).await?;
    let upserts = ports.upsert.is_some() && !batch.rows.is_empty();
    Ok((upserted, (!to_land.is_empty()).then_some(landing), upserts.then_some(upserting)))
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (work.await, started.elapsed())
}

/// The rows of records that are redriven.
fn redriven(records: &[Record], rows: &[Row]) -> Vec<Row> {
    let redriven = records.iter().filter_map(|record| {
        let Place { subsequence_number, .. } = record.place?;
        Some((&*record.shard_id, &record.sequence_number, subsequence_number))
    });
    let redriven: HashSet<_> = redriven.collect();
    let is_redriven = |row: &&Row| {
        let Source { shard_id, sequence_number, subsequence_number, .. } = &*row.document.source;
        redriven.contains(&(&**shard_id, sequence_number, *subsequence_number))
    };
    rows.iter().filter(is_redriven).cloned().collect()
}

fn encode(error: impl std::error::Error + Send + Sync + 'static) -> OrchestratorError {
    OrchestratorError::Encode(Box::new(error))
}

async fn land<S: ObjectStore>(
    objects: impl Iterator<Item = std::io::Result<Object>>,
    store: &S,
    durable: &Durable,
) -> Result<(), OrchestratorError> {
    let mut puts = FuturesUnordered::new();
    let mut n_bytes = 0;
    for object in objects {
        let object = object.map_err(encode)?;
        let n_more = object.body.len();
        while puts.len() == CONCURRENT_PUTS || n_bytes + n_more > MAX_BYTES_IN_FLIGHT {
            let Some(n_less) = puts.next().await else { break };
            n_bytes -= n_less?;
        }
        n_bytes += n_more;
        puts.push(async move {
            let key = object.key.clone();
            match store.put(object).await {
                Ok(Put::Written | Put::Existed) => {
                    durable.n_objects.fetch_add(1, Ordering::Relaxed);
                    durable.n_bytes.fetch_add(n_more, Ordering::Relaxed);
                    Ok(n_more)
                }
                Err(source) => Err(OrchestratorError::Land { key, source }),
            }
        });
    }
    while let Some(put) = puts.next().await {
        put?;
    }
    Ok(())
}

async fn store_dead_letters<S: ObjectStore>(
    pipeline: &Pipeline,
    poison: &[Poison],
    store: &S,
) -> Result<(), OrchestratorError> {
    for object in dead_letter::objects(pipeline, poison) {
        let object = object.map_err(encode)?;
        let key = object.key.clone();
        match store.put(object).await {
            Ok(Put::Written | Put::Existed) => {}
            Err(source) => return Err(OrchestratorError::DeadLetter { key, source }),
        }
    }
    Ok(())
}

/// What upsert made of a batch.
#[derive(Default)]
struct Upserted {
    n_duplicates: u64,
    refused: Vec<Poison>,
}

async fn upsert_all<S, U: Upsert>(
    settings: &Settings,
    rows: &[Row],
    ports: &Ports<S, U>,
    deadline: Deadline,
    durable: &Durable,
) -> Result<Upserted, OrchestratorError> {
    let mut upserted = Upserted::default();
    let Some(port) = &ports.upsert else { return Ok(upserted) };
    let planned = upsert::requests(rows, MAX_REQUEST_BYTES).map_err(encode)?.planned;
    let n_requests = planned.len();
    for (index, planned) in planned.into_iter().enumerate() {
        let left = deadline.left();
        if left < settings.timeouts.request_starts_before_end() {
            return Err(OrchestratorError::OutOfTime { n_left: n_requests - index, n_requests, left });
        }
        let request = planned.request(&settings.pipeline).map_err(encode)?;
        let rows = planned.rows;
        let response = port.upsert(&request).await.map_err(|source| OrchestratorError::Upsert {
            index: index + 1,
            n_requests,
            n_rows: rows.len(),
            source,
        })?;
        account(&response, rows.len())?;
        durable.n_upserted.fetch_add(rows.len(), Ordering::Relaxed);
        upserted.n_duplicates += response.duplicates;
        for rejected in &response.rejected {
            if let Some(row) = rows.get(rejected.row) {
                upserted.refused.push(Poison::refused(row, &rejected.code, &rejected.message));
            }
        }
    }
    Ok(upserted)
}

fn account(response: &Response, n_rows: usize) -> Result<(), OrchestratorError> {
    if response.accounts_for(n_rows) {
        return Ok(());
    }
    Err(OrchestratorError::Unaccounted {
        n_rows,
        inserted: response.inserted,
        duplicates: response.duplicates,
        n_rejected: response.rejected.len(),
    })
}

#[cfg(test)]
mod tests;
