//! Records as the function gets them: taken apart, and in events that Lambda takes.

use bytes::Bytes;
use landfall_core::Record;
use landfall_core::firehose::UserRecord;
use landfall_core::payload::kpl;

/// What an event holds at most, as base64 and with the JSON around it.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024 - 64 * 1024;

/// The user records of `records` with the names that they have in the event, in as many events as it takes.
pub(super) fn batches(records: &[Record]) -> Vec<Vec<(String, UserRecord)>> {
    let mut batches: Vec<Vec<(String, UserRecord)>> = vec![Vec::new()];
    let mut n_bytes = 0;
    for user_record in records.iter().flat_map(user_records) {
        let n_more = size(&user_record);
        if n_bytes + n_more > MAX_EVENT_BYTES && n_bytes > 0 {
            batches.push(Vec::new());
            n_bytes = 0;
        }
        n_bytes += n_more;
        let record_id = format!("{}{:06}", user_record.record.sequence_number, user_record.subsequence_number);
        if let Some(batch) = batches.last_mut() {
            batch.push((record_id, user_record));
        }
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// A record that is not aggregated, or not well, is one user record.
fn user_records(record: &Record) -> Vec<UserRecord> {
    let plain = || vec![UserRecord { record: record.clone(), subsequence_number: 0 }];
    let Ok(data) = &record.data else { return plain() };
    if !kpl::is_aggregated(data) {
        return plain();
    }
    let Ok(user_records) = kpl::user_records(&Bytes::from_owner(data.clone())) else { return plain() };
    let taken_out = |user_record: landfall_core::payload::UserRecord| UserRecord {
        subsequence_number: user_record.subsequence_number,
        record: Record {
            partition_key: user_record.partition_key.unwrap_or_else(|| record.partition_key.clone()),
            data: Ok(user_record.bytes.as_ref().into()),
            ..record.clone()
        },
    };
    user_records.into_iter().map(taken_out).collect()
}

/// What a user record takes in an event: its data in base64 and about 700 bytes around it.
fn size(user_record: &UserRecord) -> usize {
    let UserRecord { record, .. } = user_record;
    record.data.as_ref().map_or(0, |data| data.len()).div_ceil(3) * 4 + record.partition_key.len() + 700
}
