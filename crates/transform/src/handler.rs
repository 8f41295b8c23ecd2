//! What happens to one event, top to bottom.

use futures::stream::{self, TryStreamExt as _};
use landfall_aws::PortError;
use landfall_core::firehose::{self, Answer, Answered, Outcome, PartitionKeys, UserRecord};
use landfall_core::landing::{self, Object};
use landfall_core::{Batch, Pipeline, Poison, Row, csv, dead_letter, decode_user_record};
use landfall_landing::{ObjectStore, Put};

use crate::answering::{Answering, MAX_ANSWER_BYTES};
use crate::error::TransformError;

/// PUTs in flight at once; their bodies have some 2 MiB at most.
const CONCURRENT_PUTS: usize = 8;

/// What is set aside is stored when the user records that it holds on to have this many bytes: they may be inflated, and
/// the function small.
const MAX_BYTES_ASIDE: usize = 8 << 20;

/// What an event came to. What of it is not in the answer is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Records in the event, user records each for itself.
    pub n_records: usize,
    /// Rows that they decoded to.
    pub n_rows: usize,
    /// Documents that became dead letters.
    pub n_poison: usize,
    /// Rows that no answer had room for: the function has landed them.
    pub n_landed: usize,
    /// Records that do not say where they stand in a Kinesis stream: Firehose puts them under its error prefix.
    pub n_failed: usize,
    /// Why the first of these does not.
    pub failed: Option<&'static str>,
}

/// Answers Firehose with the rows of an event, record by record. Poison becomes dead letters, and rows that the answer has no
/// room for are landed, before it is given.
///
/// A record is `Ok` with its rows, or `Dropped` where none are left to write. Firehose delivers at least once; another try
/// gives the same answer and puts the same objects under the same keys.
///
/// # Errors
/// [`TransformError`] when anything is not durable: Firehose tries again.
pub async fn handle<S: ObjectStore>(
    event: Box<str>,
    pipeline: &Pipeline,
    store: &S,
) -> Result<(Answer, Summary), TransformError> {
    handle_within(event, pipeline, store, MAX_ANSWER_BYTES).await
}

async fn handle_within<S: ObjectStore>(
    event: Box<str>,
    pipeline: &Pipeline,
    store: &S,
    max_bytes: usize,
) -> Result<(Answer, Summary), TransformError> {
    let delivered = firehose::records(&event)?;
    // Up to 6 MB that nobody reads again.
    drop(event);
    let mut summary = Summary { n_records: delivered.len(), ..Summary::default() };
    let mut answering = Answering::new(&delivered, max_bytes).map_err(encode)?;
    let mut aside = Aside::default();
    for one in delivered {
        let UserRecord { record, subsequence_number } = match one.user_record {
            Ok(user_record) => user_record,
            Err(why) => {
                summary.n_failed += 1;
                summary.failed.get_or_insert(why);
                answering.push(Answered::without_data(one.record_id, Outcome::ProcessingFailed));
                continue;
            }
        };
        let Batch { rows, poison, .. } = decode_user_record(pipeline, &record, subsequence_number);
        summary.n_rows += rows.len();
        summary.n_poison += poison.len();
        aside.poison(poison);
        let lines = lines(&rows, max_bytes);
        let fits = match &lines {
            Some(lines) if !rows.is_empty() => {
                let answered = Answered::ok(one.record_id.clone(), lines, keys(pipeline, &rows));
                answering.push_if_it_fits(answered).map_err(encode)?
            }
            _ => false,
        };
        if !fits {
            answering.push(Answered::without_data(one.record_id, Outcome::Dropped));
            summary.n_landed += rows.len();
            aside.rows(rows);
        }
        if aside.n_bytes >= MAX_BYTES_ASIDE {
            std::mem::take(&mut aside).store(pipeline, store).await?;
        }
    }
    aside.store(pipeline, store).await?;
    Ok((answering.finish(), summary))
}

/// The CSV of a record's rows; `None` when it is longer than `max_bytes`, which a record may be a hundred times.
fn lines(rows: &[Row], max_bytes: usize) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for row in rows {
        csv::write_row(&mut lines, row);
        if lines.len() > max_bytes {
            return None;
        }
    }
    Some(lines)
}

/// One name for all rows of a record, for Firehose writes what it is answered for a record into one object.
fn keys(pipeline: &Pipeline, rows: &[Row]) -> PartitionKeys {
    // They are of one record, which has one arrival.
    let hour = rows.first().map(|row| row.arrived_at().hour_path().to_string()).unwrap_or_default();
    PartitionKeys { partition: landing::partition(pipeline, rows), hour }
}

/// What the function stores itself.
#[derive(Default)]
struct Aside {
    rows: Vec<Row>,
    poison: Vec<Poison>,
    /// Of the user records that these hold on to.
    n_bytes: usize,
}

impl Aside {
    fn rows(&mut self, rows: Vec<Row>) {
        self.n_bytes += rows.first().map_or(0, |row| row.document.source.bytes.len());
        self.rows.extend(rows);
    }

    fn poison(&mut self, poison: Vec<Poison>) {
        self.n_bytes += poison.last().map_or(0, |poison| poison.document.source.bytes.len());
        self.poison.extend(poison);
    }

    async fn store<S: ObjectStore>(self, pipeline: &Pipeline, store: &S) -> Result<(), TransformError> {
        let dead = dead_letter::objects(pipeline, &self.poison).map(|object| object.map_err(encode));
        put_all(dead, store, |key, source| TransformError::DeadLetter { key, source }).await?;
        let landed = landing::objects(pipeline, &self.rows).map(|object| object.map_err(encode));
        put_all(landed, store, |key, source| TransformError::Land { key, source }).await
    }
}

async fn put_all<S: ObjectStore>(
    objects: impl Iterator<Item = Result<Object, TransformError>>,
    store: &S,
    refused: fn(String, PortError) -> TransformError,
) -> Result<(), TransformError> {
    stream::iter(objects)
        .map_ok(|object| async move {
            let key = object.key.clone();
            match store.put(object).await {
                Ok(Put::Written | Put::Existed) => Ok(()),
                Err(source) => Err(refused(key, source)),
            }
        })
        .try_buffered(CONCURRENT_PUTS)
        .try_collect()
        .await
}

fn encode(error: impl std::error::Error + Send + Sync + 'static) -> TransformError {
    TransformError::Encode(Box::new(error))
}

#[cfg(test)]
mod tests;
