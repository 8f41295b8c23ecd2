//! The on-failure destination: a batch that is given up is put into a bucket, payload included.

use std::io;
use std::path::Path;

use landfall_core::{Record, event};
use serde_json::json;

use crate::shards::STREAM_ARN;

/// Writes the batch as Lambda writes it to S3: `aws/lambda/<mapping>/<shard>/yyyy/mm/dd/….json`.
///
/// Source: Lambda Developer Guide, "Retaining discarded batch records for a Kinesis event source".
pub(super) async fn store(bucket: &Path, function: &str, records: &[Record], error: &str) -> io::Result<()> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
    let now = chrono::Utc::now();
    let dir = bucket.join(format!("aws/lambda/{function}/{}/{}", first.shard_id, now.format("%Y/%m/%d")));
    tokio::fs::create_dir_all(&dir).await?;
    let object = json!({
        "requestContext": { "functionArn": function, "condition": "RetryAttemptsExhausted" },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": error },
        "version": "1.0",
        "timestamp": now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "KinesisBatchInfo": {
            "shardId": *first.shard_id,
            "startSequenceNumber": first.sequence_number.as_str(),
            "endSequenceNumber": last.sequence_number.as_str(),
            "batchSize": records.len(),
            "streamArn": STREAM_ARN,
        },
        "payload": event::render(records, STREAM_ARN),
    });
    let name = format!("{}-{}-{}.json", first.shard_id, now.format("%Y-%m-%dT%H.%M.%S%.3fZ"), first.sequence_number);
    tokio::fs::write(dir.join(name), object.to_string()).await
}
