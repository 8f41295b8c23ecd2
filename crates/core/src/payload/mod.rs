//! What a record carries: user records, and the JSON documents inside each.
//!
//! In this order: [`compression`] around the record, aggregation ([`kpl`]), compression around a user record,
//! [`pieces`](pieces()).

pub mod compression;
pub mod kpl;
mod pieces;

use std::sync::Arc;

use bytes::Bytes;

pub use compression::Inflater;
pub use pieces::{Piece, Pieces, pieces};

/// One record as its producer made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Its index inside an aggregated record; 0 in a plain one.
    pub subsequence_number: u64,
    /// Its own partition key; `None` in a plain record, whose key is that of the Kinesis record.
    pub partition_key: Option<Arc<str>>,
    /// Its bytes, which may be compressed.
    pub bytes: Bytes,
}

/// A record whose user records cannot be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Why, in words for a person.
    pub reason: String,
    /// What was read last: the record, or what it inflates to.
    pub bytes: Bytes,
}

/// The user records of a record's data: at least one.
///
/// # Errors
/// [`Unreadable`] when the data begins as a compressed stream or an aggregated record does and is none. No JSON
/// begins so: it could be nothing else.
pub fn user_records(data: Bytes, inflater: &mut Inflater) -> Result<Vec<UserRecord>, Unreadable> {
    let bytes = match inflater.inflate(&data) {
        Ok(bytes) => bytes,
        Err(reason) => return Err(Unreadable { reason, bytes: data }),
    };
    if kpl::is_aggregated(&bytes) {
        return kpl::user_records(&bytes).map_err(|why| Unreadable { reason: broken(&why), bytes });
    }
    Ok(vec![UserRecord { subsequence_number: 0, partition_key: None, bytes }])
}

fn broken(why: &str) -> String {
    format!("the record begins as one that the Kinesis Producer Library aggregated, but {why}")
}

/// Why a user record that Firehose has taken out of its record cannot be read, where it still is an aggregated record.
pub(crate) fn still_aggregated(bytes: &Bytes) -> Option<String> {
    if !kpl::is_aggregated(bytes) {
        return None;
    }
    Some(match kpl::user_records(bytes) {
        Err(why) => broken(&why),
        Ok(_) => "the record is aggregated in a way that Firehose does not take apart: inside another aggregated \
                  record, or inside a compressed one"
            .to_owned(),
    })
}
