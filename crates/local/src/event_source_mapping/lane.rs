//! One lane: batch after batch, each until it is done or given up.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use landfall_core::{Record, SequenceNumber, event};
use serde::Deserialize;
use tokio::sync::mpsc::UnboundedSender;

use super::{Delivery, Outcome, Settings, on_failure};
use crate::lambda::{Invoke, Invoked};
use crate::shards::{STREAM_ARN, Shard};

/// What an event holds at most, as base64 and with the JSON around it.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024 - 64 * 1024;

pub(super) async fn run<I: Invoke>(
    mut shard: Shard,
    invoker: I,
    settings: Settings,
    deliveries: UnboundedSender<Delivery>,
) {
    shard.parents_drained().await;
    while let Some(batch) = shard.batch(settings.batch_size, MAX_EVENT_BYTES, settings.window).await {
        let mut lane = Lane { invoker: &invoker, settings: &settings, deliveries: &deliveries };
        if lane.deliver(batch).await.is_none() {
            return;
        }
    }
}

struct Lane<'a, I> {
    invoker: &'a I,
    settings: &'a Settings,
    deliveries: &'a UnboundedSender<Delivery>,
}

/// What one invocation said about a batch.
enum Answer {
    Done,
    /// The records from this index on are to be tried again.
    Failed {
        from: usize,
        error: String,
    },
    /// Not tried at all: as often as it takes, without counting.
    Throttled,
    /// The host has stopped.
    Stopped,
}

impl<I: Invoke> Lane<'_, I> {
    /// Delivers a batch, whole or in parts. `None` when the host has stopped.
    async fn deliver(&mut self, batch: Vec<Record>) -> Option<()> {
        let mut parts = VecDeque::from([(batch, 0_u32)]);
        while let Some((records, n_failures)) = parts.pop_front() {
            match self.invoke(&records).await {
                Answer::Done => self.tell(&records, Outcome::Done),
                Answer::Stopped => return None,
                Answer::Throttled => {
                    tokio::time::sleep(self.settings.retry_pause).await;
                    parts.push_front((records, n_failures));
                }
                Answer::Failed { from, error } => {
                    let (done, rest) = records.split_at(from.min(records.len()));
                    if !done.is_empty() {
                        self.tell(done, Outcome::Done);
                    }
                    // Progress starts the count anew, as it does in Lambda.
                    let n_failures = if done.is_empty() { n_failures + 1 } else { 1 };
                    if self.is_over(rest, n_failures) {
                        self.give_up(rest, error).await;
                        continue;
                    }
                    self.tell(rest, Outcome::Retried { error });
                    tokio::time::sleep(self.pause(n_failures)).await;
                    let rest = rest.to_vec();
                    if self.settings.bisect_on_error && rest.len() > 1 {
                        let (left, right) = rest.split_at(rest.len() / 2);
                        parts.push_front((right.to_vec(), n_failures));
                        parts.push_front((left.to_vec(), n_failures));
                    } else {
                        parts.push_front((rest, n_failures));
                    }
                }
            }
        }
        Some(())
    }

    fn is_over(&self, records: &[Record], n_failures: u32) -> bool {
        let age = records.first().and_then(|record| {
            let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis() as i64;
            u64::try_from(now_ms - record.arrived_at.as_millis()).ok().map(Duration::from_millis)
        });
        self.settings.max_retries.is_some_and(|max| n_failures > max)
            || self.settings.max_record_age.is_some_and(|max| age.is_some_and(|age| age > max))
    }

    async fn give_up(&self, records: &[Record], error: String) {
        if let Some(bucket) = &self.settings.on_failure
            && let Err(fault) = on_failure::store(bucket, &self.settings.function, records, &error).await
        {
            tracing::error!(error = %fault, "failed to store a batch that was given up");
        }
        self.tell(records, Outcome::GivenUp { error });
    }

    fn pause(&self, n_failures: u32) -> Duration {
        self.settings.retry_pause * 2_u32.pow(n_failures.saturating_sub(1).min(6))
    }

    fn tell(&self, records: &[Record], outcome: Outcome) {
        // Nobody listening is no fault of the mapping.
        let _ = self.deliveries.send(Delivery { records: records.into(), at: SystemTime::now(), outcome });
    }

    async fn invoke(&self, records: &[Record]) -> Answer {
        let event = event::render(records, STREAM_ARN);
        let failed = |error: String| Answer::Failed { from: 0, error };
        match self.invoker.invoke(&self.settings.function, event.into()).await {
            Invoked::Succeeded { payload, .. } => answer(&payload, records),
            Invoked::Failed { payload, .. } => failed(function_error(&payload)),
            Invoked::Throttled => Answer::Throttled,
            Invoked::Stopped => Answer::Stopped,
            Invoked::NotFound => failed(format!("there is no function {}", self.settings.function)),
            Invoked::TooLarge { n_bytes } => failed(format!("an event of {n_bytes} bytes is too large")),
            Invoked::NotJson { reason } => failed(reason),
        }
    }
}

#[derive(Deserialize)]
struct BatchResponse {
    #[serde(rename = "batchItemFailures", default)]
    failures: Vec<ItemFailure>,
}

#[derive(Deserialize)]
struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    item: String,
}

/// Everything from the lowest reported sequence number on is tried again; a report that names no record of the batch
/// fails all of it.
///
/// Source: Lambda Developer Guide, "Configuring partial batch response with Kinesis Data Streams and Lambda".
fn answer(payload: &[u8], records: &[Record]) -> Answer {
    let failures = match serde_json::from_slice::<Option<BatchResponse>>(payload) {
        Ok(response) => response.map(|response| response.failures).unwrap_or_default(),
        Err(error) => return Answer::Failed { from: 0, error: format!("the answer is no batch response: {error}") },
    };
    if failures.is_empty() {
        return Answer::Done;
    }
    let index = |failure: &ItemFailure| {
        let number = SequenceNumber::new(&failure.item)?;
        records.iter().position(|record| record.sequence_number == number)
    };
    let lowest = failures.iter().map(index).min().flatten();
    let error = format!("the function reported {} failed records", failures.len());
    Answer::Failed { from: lowest.unwrap_or(0), error }
}

fn function_error(payload: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct FunctionError {
        error_type: String,
        error_message: String,
    }
    match serde_json::from_slice::<FunctionError>(payload) {
        Ok(FunctionError { error_type, error_message }) => format!("{error_type}: {error_message}"),
        Err(_) => String::from_utf8_lossy(payload).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_core::ArrivedAt;

    fn records() -> Vec<Record> {
        ["100", "101", "102"]
            .into_iter()
            .map(|number| Record {
                shard_id: "shardId-000000000000".into(),
                sequence_number: SequenceNumber::new(number).unwrap(),
                partition_key: "key".into(),
                arrived_at: ArrivedAt::from_millis(0).unwrap(),
                data: Ok(b"data".as_slice().into()),
                place: None,
            })
            .collect()
    }

    #[track_caller]
    fn check(payload: &str, expected: Option<usize>) {
        let from = match answer(payload.as_bytes(), &records()) {
            Answer::Done => None,
            Answer::Failed { from, .. } => Some(from),
            Answer::Throttled | Answer::Stopped => panic!("no answer says that"),
        };
        assert_eq!(from, expected, "{payload}");
    }

    #[test]
    fn the_lowest_reported_record_is_where_the_retry_starts() {
        check(r#"{"batchItemFailures":[]}"#, None);
        check("{}", None);
        check("null", None);
        check(r#"{"batchItemFailures":[{"itemIdentifier":"102"},{"itemIdentifier":"101"}]}"#, Some(1));
        check(r#"{"batchItemFailures":[{"itemIdentifier":"102"},{"itemIdentifier":"999"}]}"#, Some(0));
        check(r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, Some(0));
        check("\"done\"", Some(0));
    }
}
