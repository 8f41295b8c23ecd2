//! Records that the Kinesis Producer Library, or a library that writes its format, made of many user records.
//!
//! Explicit hash keys and tags are not read: they choose a shard, and the record is in one. For the same reason a user
//! record is kept whatever shard its key belongs to, as after a reshard.
//!
//! Source: amazon-kinesis-producer, `aggregation-format.md`: magic, protobuf, MD5 of the protobuf.

use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};
use prost::Message;

use super::UserRecord;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

const DIGEST_BYTES: usize = 16;

/// The largest record that Kinesis takes. Only inflated is one larger, and then the library did not make it.
const MAX_BYTES: usize = 10 << 20;

/// The longest partition key that Kinesis takes, in characters.
///
/// Each row and dead letter carries its key, so a longer one, which thousands of user records may share, would make
/// gigabytes of a record.
const MAX_KEY_CHARS: usize = 256;

#[derive(Clone, PartialEq, Message)]
struct AggregatedRecord {
    #[prost(string, repeated, tag = "1")]
    partition_key_table: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<AggregatedUserRecord>,
}

/// Both fields are required: optional here, so that their absence is seen.
#[derive(Clone, PartialEq, Message)]
struct AggregatedUserRecord {
    #[prost(uint64, optional, tag = "1")]
    partition_key_index: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    data: Option<Bytes>,
}

/// Whether bytes begin as an aggregated record. No JSON does: the magic is invalid UTF-8.
pub fn is_aggregated(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The user records of an aggregated record, in order: at least one. Their bytes are slices of its own.
///
/// # Errors
/// What is wrong, as the end of a sentence about the record: `its MD5 does not match`.
pub fn user_records(record: &Bytes) -> Result<Vec<UserRecord>, String> {
    if record.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, more than Kinesis takes", record.len()));
    }
    let Some(end) = record.len().checked_sub(DIGEST_BYTES).filter(|end| *end >= MAGIC.len()) else {
        return Err(format!("it has {} bytes only", record.len()));
    };
    let (body, digest) = (record.slice(MAGIC.len()..end), &record[end..]);
    if Md5::digest(&body).as_slice() != digest {
        return Err("its MD5 does not match".to_owned());
    }
    let AggregatedRecord { partition_key_table, records } =
        AggregatedRecord::decode(body).map_err(|error| format!("its protobuf is broken: {error}"))?;
    if let Some(index) = partition_key_table.iter().position(|key| key.chars().nth(MAX_KEY_CHARS).is_some()) {
        return Err(format!("its partition key {index} has more than {MAX_KEY_CHARS} characters"));
    }
    if records.is_empty() {
        return Err("it holds no user record".to_owned());
    }
    let partition_keys: Vec<Arc<str>> = partition_key_table.into_iter().map(Arc::from).collect();
    let mut user_records = Vec::with_capacity(records.len());
    for (subsequence_number, AggregatedUserRecord { partition_key_index, data }) in (0..).zip(records) {
        let key = partition_key_index.and_then(|index| partition_keys.get(usize::try_from(index).ok()?));
        let (Some(key), Some(bytes)) = (key, data) else {
            return Err(format!("its user record {subsequence_number} has no partition key or no data"));
        };
        user_records.push(UserRecord { subsequence_number, partition_key: Some(Arc::clone(key)), bytes });
    }
    Ok(user_records)
}
