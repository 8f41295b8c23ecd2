//! What happens to one event, top to bottom.

use landfall_aws::Deadline;
use landfall_core::config::Timeouts;
use landfall_core::firehose::{self, Answer, Answered, Delivered, Outcome, PartitionKeys, Unplaced, UserRecord};
use landfall_core::{Batch, Pipeline, Row, csv, decode_user_record, landing};
use landfall_landing::ObjectStore;

use crate::answering::{Answering, MAX_ANSWER_BYTES};
use crate::aside::{Aside, Landed};
use crate::error::TransformError;

/// What Firehose takes of a record, before it is base64.
///
/// Its quotas say so of records that are put into it; of those that are transformed they say nothing.
///
/// Source: Firehose Developer Guide, "Quota".
const MAX_RECORD_BYTES: usize = 1000 * 1024;

/// What does not change between invocations.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What records hold and where rows go.
    pub pipeline: Pipeline,
    /// The chain of time-outs.
    pub timeouts: Timeouts,
}

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
    /// Objects that it landed them in, by this try or an earlier one.
    pub n_objects: usize,
    /// The bytes of these.
    pub landed_bytes: usize,
    /// Records that do not say where they stand in a Kinesis stream: Firehose puts them under its error prefix.
    pub n_failed: usize,
    /// Why the first of these does not.
    pub failed: Option<Unplaced>,
}

/// Answers Firehose with the rows of an event, record by record. Poison becomes dead letters, and rows that the answer has no
/// room for are landed, before it is given.
///
/// A record is `Ok` with its rows, or `Dropped` where none are left to write. Firehose delivers at least once; another try
/// gives the same answer and puts the same objects under the same keys.
///
/// # Errors
/// [`TransformError`] when anything is not durable.
pub async fn handle<S: ObjectStore>(
    event: Box<str>,
    settings: &Settings,
    store: &S,
    deadline: Deadline,
) -> Result<(Answer, Summary), TransformError> {
    handle_within(event, settings, store, deadline, MAX_ANSWER_BYTES).await
}

async fn handle_within<S: ObjectStore>(
    event: Box<str>,
    settings: &Settings,
    store: &S,
    deadline: Deadline,
    max_bytes: usize,
) -> Result<(Answer, Summary), TransformError> {
    let delivered = firehose::records(&event)?;
    // Up to 6 MB that nobody reads again.
    drop(event);
    let mut summary = Summary { n_records: delivered.len(), ..Summary::default() };
    let mut answering = Answering::new(&delivered, max_bytes);
    let landed = Landed::default();
    let aside = Aside::new(settings, store, deadline, &landed);
    let work = Box::pin(transform(delivered, &settings.pipeline, aside, &mut answering, &mut summary));
    // Lambda's own end would leave nobody to say how far it came.
    let left = deadline.left().saturating_sub(settings.timeouts.answer_before_end());
    let in_time = tokio::time::timeout(left, work).await;
    summary.n_objects = landed.n_objects.into_inner();
    summary.landed_bytes = landed.n_bytes.into_inner();
    let answer = answering.finish();
    match in_time {
        Ok(done) => done.map(|()| (answer, summary)),
        Err(_) => Err(TransformError::CutShort {
            n_decoded: answer.records.len(),
            n_records: summary.n_records,
            n_objects: summary.n_objects,
        }),
    }
}

async fn transform<S: ObjectStore>(
    delivered: Vec<Delivered>,
    pipeline: &Pipeline,
    mut aside: Aside<'_, S>,
    answering: &mut Answering,
    summary: &mut Summary,
) -> Result<(), TransformError> {
    for Delivered { record_id, user_record } in delivered {
        let UserRecord { record, subsequence_number } = match user_record {
            Ok(user_record) => user_record,
            Err(why) => {
                summary.n_failed += 1;
                summary.failed.get_or_insert(why);
                answering.push(Answered::without_data(record_id, Outcome::ProcessingFailed));
                continue;
            }
        };
        let Batch { mut rows, poison, .. } = decode_user_record(pipeline, &record, subsequence_number);
        summary.n_rows += rows.len();
        summary.n_poison += poison.len();
        let answered = lines(&rows).map(|lines| Answered::ok(record_id.clone(), &lines, keys(pipeline, &rows)));
        if answered.is_some_and(|answered| answering.push_if_it_fits(answered)) {
            rows = Vec::new();
        } else {
            answering.push(Answered::without_data(record_id, Outcome::Dropped));
            summary.n_landed += rows.len();
        }
        aside.add(rows, poison).await?;
    }
    aside.store().await
}

/// The CSV of a record's rows; `None` when there are none, or when it is more than Firehose takes.
fn lines(rows: &[Row]) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for row in rows {
        csv::write_row(&mut lines, row);
        if lines.len() > MAX_RECORD_BYTES {
            return None;
        }
    }
    (!rows.is_empty()).then_some(lines)
}

/// One name for all rows of a record, for Firehose writes what it is answered for a record into one object.
fn keys(pipeline: &Pipeline, rows: &[Row]) -> PartitionKeys {
    // They are of one record, which has one arrival.
    let hour = rows.first().map(|row| row.arrived_at().hour_path().to_string()).unwrap_or_default();
    PartitionKeys { partition: landing::partition(pipeline, rows), hour }
}

#[cfg(test)]
mod tests;
