//! What happens to one event, top to bottom.

use futures::stream::{self, TryStreamExt};
use landfall_core::config::Timeouts;
use landfall_core::landing::{self, Object};
use landfall_core::upsert::{self, MAX_REQUEST_BYTES, Response};
use landfall_core::{Pipeline, Poison, Row, Stage, dead_letter, event};

use crate::deadline::Deadline;
use crate::error::OrchestratorError;
use crate::ports::{ObjectStore, Ports, Put, Upsert};

/// PUTs in flight at once: what one function's bandwidth and one bucket prefix bear with ease.
const CONCURRENT_PUTS: usize = 32;

/// What does not change between invocations.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What records hold and where rows go.
    pub pipeline: Pipeline,
    /// Whether rows are landed in S3.
    pub landing: bool,
    /// The chain of time-outs.
    pub timeouts: Timeouts,
}

/// What an event came to. Everything in it is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Shard of the first record; `None` for an empty event.
    pub shard_id: Option<String>,
    /// Records in the event.
    pub n_records: usize,
    /// Rows that it decoded to.
    pub n_rows: usize,
    /// Documents that became dead letters.
    pub n_poison: usize,
    /// Objects landed, by this try or an earlier one.
    pub n_objects: usize,
    /// Rows that the staging table held already.
    pub n_duplicates: u64,
}

/// Lands, upserts and dead-letters what an event holds.
///
/// A retry makes the same objects under the same keys and merges the same positions: it adds nothing.
///
/// # Errors
/// [`OrchestratorError`] when anything is not durable; the whole batch is to be retried.
pub async fn handle<S: ObjectStore, U: Upsert>(
    event: &str,
    settings: &Settings,
    ports: &Ports<S, U>,
    deadline: Deadline,
) -> Result<Summary, OrchestratorError> {
    let pipeline = &settings.pipeline;
    let records = event::records(event)?;
    let mut batch = landfall_core::decode(pipeline, &records);
    let upserting = ports.upsert.is_some();
    let rows = if upserting { set_aside_too_large(&mut batch)? } else { batch.rows };

    let objects = if settings.landing { landing::objects(pipeline, &rows).map_err(encode)? } else { Vec::new() };
    // None is cut short by another's failure: what one of them achieves, the retry need not do again.
    let (dead_lettered, landed, upserted) = futures::join!(
        store_dead_letters(pipeline, &batch.poison, &ports.store),
        land(&objects, &ports.store),
        upsert_all(settings, &rows, ports, deadline),
    );
    dead_lettered?;
    landed?;
    let upserted = upserted?;
    store_dead_letters(pipeline, &upserted.refused, &ports.store).await?;

    Ok(Summary {
        shard_id: records.first().map(|record| record.shard_id.to_string()),
        n_records: records.len(),
        n_rows: rows.len(),
        n_poison: batch.poison.len() + upserted.refused.len(),
        n_objects: objects.len(),
        n_duplicates: upserted.n_duplicates,
    })
}

fn encode(error: impl std::error::Error + Send + Sync + 'static) -> OrchestratorError {
    OrchestratorError::Encode(Box::new(error))
}

/// Whether it is worth measuring: JSON makes at most six bytes of one (`\u0000`), and a few around each element.
fn may_be_too_large(row: &Row) -> bool {
    let source = &row.document.source;
    let names = source.shard_id.len() + source.sequence_number.as_str().len() + source.partition_key.len();
    // The other provenance is numbers and a moment, below a hundred bytes.
    let cells: usize = row.cells.iter().map(|cell| cell.as_text().map_or(0, str::len) + 1).sum();
    (names + 100 + cells) * 6 > MAX_REQUEST_BYTES
}

/// Makes poison of the rows that no request can hold, so that they are in neither table.
fn set_aside_too_large(batch: &mut landfall_core::Batch) -> Result<Vec<Row>, OrchestratorError> {
    let mut rows = Vec::with_capacity(batch.rows.len());
    for row in std::mem::take(&mut batch.rows) {
        let one = std::slice::from_ref(&row);
        let too_large = if may_be_too_large(&row) {
            upsert::requests(one, MAX_REQUEST_BYTES).map_err(encode)?.too_large.first().map(|(_, size)| *size)
        } else {
            None
        };
        match too_large {
            None => rows.push(row),
            Some(n_bytes) => batch.poison.push(Poison {
                reason: format!(
                    "the row takes {n_bytes} bytes, more than the {MAX_REQUEST_BYTES} of one upsert request"
                ),
                stage: Stage::Decode,
                document: row.document,
            }),
        }
    }
    Ok(rows)
}

async fn land<S: ObjectStore>(objects: &[Object], store: &S) -> Result<(), OrchestratorError> {
    stream::iter(objects.iter().map(Ok))
        .try_for_each_concurrent(CONCURRENT_PUTS, |object| async move {
            match store.put(object).await {
                Ok(Put::Written | Put::Existed) => Ok(()),
                Err(source) => Err(OrchestratorError::Land { key: object.key.clone(), source }),
            }
        })
        .await
}

async fn store_dead_letters<S: ObjectStore>(
    pipeline: &Pipeline,
    poison: &[Poison],
    store: &S,
) -> Result<(), OrchestratorError> {
    for object in dead_letter::objects(pipeline, poison).map_err(encode)? {
        match store.put(&object).await {
            Ok(Put::Written | Put::Existed) => {}
            Err(source) => return Err(OrchestratorError::DeadLetter { key: object.key, source }),
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
        upserted.n_duplicates += response.duplicates;
        for rejected in &response.rejected {
            if let Some(row) = rows.get(rejected.row) {
                upserted.refused.push(Poison::refused(row, &rejected.code, &rejected.message));
            }
        }
    }
    Ok(upserted)
}

/// Every row of a request is inserted, a duplicate or rejected; an answer that says otherwise is not believed.
fn account(response: &Response, n_rows: usize) -> Result<(), OrchestratorError> {
    let Response { inserted, duplicates, rejected } = response;
    let distinct: std::collections::HashSet<_> = rejected.iter().map(|rejected| rejected.row).collect();
    let in_range = distinct.len() == rejected.len() && distinct.iter().all(|row| *row < n_rows);
    let accounted = inserted.checked_add(*duplicates).and_then(|n| n.checked_add(rejected.len() as u64));
    if in_range && accounted == Some(n_rows as u64) {
        return Ok(());
    }
    Err(OrchestratorError::Unaccounted {
        n_rows,
        inserted: *inserted,
        duplicates: *duplicates,
        n_rejected: rejected.len(),
    })
}

#[cfg(test)]
mod tests;
