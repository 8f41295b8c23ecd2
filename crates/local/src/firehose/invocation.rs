//! Has the function transform a batch, and takes its answer at its word only where that is one.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use landfall_core::firehose::{self, UserRecord};
use serde::Deserialize;
use serde_json::json;

use super::delivery::{Failure, Item};
use super::{DELIVERY_STREAM, Settings};
use crate::lambda::{Invoke, Invoked};
use crate::shards::STREAM_ARN;

/// What is written under the error prefix for all that the function did not transform.
const PROCESSING_FAILED: &str = "processing-failed";

/// Of all that a function may come to, Firehose's documentation says of this alone that it is tried again, and of network
/// time-outs, of which there are none here.
///
/// Source: Firehose Developer Guide, "Handle failure in data transformation".
const THROTTLED: &str = "Lambda.InvokeLimitExceeded";

#[derive(Deserialize)]
struct Answer {
    records: Vec<Answered>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    record_id: String,
    result: String,
    #[serde(default)]
    data: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    partition_keys: HashMap<String, String>,
}

/// What is to be written of a batch. `None` when the host has stopped.
pub(super) async fn transform<I: Invoke>(
    invoker: &I,
    settings: &Settings,
    batch: Vec<(String, UserRecord)>,
) -> Option<Vec<Item>> {
    let delivery_stream = format!("arn:aws:firehose:us-east-1:000000000000:deliverystream/{DELIVERY_STREAM}");
    let event = Bytes::from(firehose::render(&batch, &delivery_stream, STREAM_ARN));
    let mut n_attempts = 0;
    loop {
        n_attempts += 1;
        let text = |payload: &Bytes| String::from_utf8_lossy(payload).into_owned();
        let (code, message) = match invoker.invoke(&settings.function, event.clone()).await {
            Invoked::Succeeded { payload, .. } => match serde_json::from_slice::<Answer>(&payload) {
                Ok(answer) => return Some(items(settings, &batch, answer, n_attempts)),
                Err(error) => ("Lambda.JsonProcessingException", error.to_string()),
            },
            Invoked::Failed { payload, .. } => ("Lambda.FunctionError", text(&payload)),
            Invoked::Throttled => (THROTTLED, "the function is throttled".to_owned()),
            Invoked::NotFound => ("Lambda.FunctionNotFound", format!("there is no function {}", settings.function)),
            Invoked::TooLarge { n_bytes } => {
                ("Lambda.FunctionError", format!("an event of {n_bytes} bytes is too large"))
            }
            Invoked::NotJson { reason } => ("Lambda.FunctionError", reason),
            Invoked::Stopped => return None,
        };
        let may_be_retried = settings.retries_failures || code == THROTTLED;
        if n_attempts > settings.n_retries || !may_be_retried {
            tracing::warn!(code, message, n_records = batch.len(), "a batch was not transformed");
            let fail =
                |(_, user_record): &(String, UserRecord)| failed(settings, user_record, code, &message, n_attempts);
            return Some(batch.iter().map(fail).collect());
        }
        tokio::time::sleep(settings.retry_pause).await;
    }
}

/// Each record of the batch by what the answer says of it. Names that the batch does not have are passed over.
fn items(settings: &Settings, batch: &[(String, UserRecord)], answer: Answer, n_attempts: u32) -> Vec<Item> {
    let mut answers: HashMap<String, Vec<Answered>> = HashMap::with_capacity(batch.len());
    for answered in answer.records {
        answers.entry(answered.record_id.clone()).or_default().push(answered);
    }
    let mut items = Vec::with_capacity(batch.len());
    for (record_id, user_record) in batch {
        let fail = |code: &str, message: &str| failed(settings, user_record, code, message, n_attempts);
        let answered = answers.get(record_id).map(Vec::as_slice).unwrap_or_default();
        let item = match answered {
            [] => fail("Lambda.MissingRecordId", "the answer does not name the record"),
            [_, _, ..] => fail("Lambda.DuplicatedRecordId", "the answer names the record twice"),
            [Answered { result, .. }] if result == "Dropped" => continue,
            [Answered { result, data, metadata, .. }] if result == "Ok" => {
                match (STANDARD.decode(data), prefix(&settings.prefix, &metadata.partition_keys)) {
                    (Ok(data), Some(prefix)) => {
                        Item::Written { prefix, data, otherwise: failure(settings, user_record, n_attempts) }
                    }
                    (Err(error), _) => fail("Lambda.JsonProcessingException", &error.to_string()),
                    (_, None) => fail(
                        "DynamicPartitioning.MetadataExtractionFailed",
                        "the answer has no value for an expression of the prefix",
                    ),
                }
            }
            [_] => fail("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record"),
        };
        items.push(item);
    }
    items
}

/// The prefix with its expressions evaluated; `None` where there is nothing to put in the place of one, or where it is of
/// another kind.
fn prefix(expression: &str, keys: &HashMap<String, String>) -> Option<String> {
    let mut parts = expression.split("!{");
    let mut prefix = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.strip_prefix("partitionKeyFromLambda:")?.split_once('}')?;
        prefix.push_str(keys.get(name).filter(|value| !value.is_empty())?);
        prefix.push_str(rest);
    }
    Some(prefix)
}

fn failed(settings: &Settings, user_record: &UserRecord, code: &str, message: &str, n_attempts: u32) -> Item {
    let prefix = settings.error_prefix.replace("!{firehose:error-output-type}", PROCESSING_FAILED);
    Item::Failed { prefix, line: failure(settings, user_record, n_attempts).line(code, message) }
}

fn failure(settings: &Settings, user_record: &UserRecord, n_attempts: u32) -> Failure {
    Failure { record: user_record.record.clone(), n_attempts, function: settings.function.clone() }
}

impl Failure {
    /// Source: Firehose Developer Guide, "Handle failure in data transformation".
    pub(super) fn line(&self, code: &str, message: &str) -> String {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let raw = match &self.record.data {
            Ok(data) => data,
            Err(undecodable) => &undecodable.text,
        };
        json!({
            "attemptsMade": self.n_attempts,
            "arrivalTimestamp": self.record.arrived_at.as_millis(),
            "errorCode": code,
            "errorMessage": message,
            "attemptEndingTimestamp": now_ms,
            "rawData": STANDARD.encode(raw),
            "lambdaArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{}", self.function),
        })
        .to_string()
    }
}
