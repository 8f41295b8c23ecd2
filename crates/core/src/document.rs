//! A document and where it comes from.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::{ArrivedAt, Position, SequenceNumber};

/// A user record with its provenance: what its documents have in common, and share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `shardId-000000000006`
    pub shard_id: Arc<str>,
    /// The Kinesis record's.
    pub sequence_number: SequenceNumber,
    /// Index of the user record inside an aggregated record; 0 in a plain one.
    pub subsequence_number: u64,
    /// The user record's own in an aggregated record, else the Kinesis record's.
    pub partition_key: Arc<str>,
    /// When the Kinesis record arrived.
    pub arrived_at: ArrivedAt,
    /// The user record, inflated.
    pub bytes: Bytes,
}

/// One document, or what stands in place of one, inside its user record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The user record.
    pub source: Arc<Source>,
    /// Its index inside the user record, poison counted.
    pub number: u64,
    /// Where its bytes stand in the user record.
    pub range: Range<usize>,
}

impl Document {
    /// All of a user record, as the document `number`.
    pub fn whole(source: Arc<Source>, number: u64) -> Self {
        let range = 0..source.bytes.len();
        Self { source, number, range }
    }

    /// Its own bytes.
    pub fn bytes(&self) -> &[u8] {
        self.source.bytes.get(self.range.clone()).unwrap_or_default()
    }

    /// Its identity.
    pub fn position(&self) -> Position {
        Position {
            shard_id: Arc::clone(&self.source.shard_id),
            sequence_number: self.source.sequence_number.clone(),
            subsequence_number: self.source.subsequence_number,
            document_number: self.number,
        }
    }

    /// What orders documents as their positions do.
    pub(crate) fn order(&self) -> impl Ord + '_ {
        let Source { shard_id, sequence_number, subsequence_number, .. } = self.source.as_ref();
        (shard_id, sequence_number, subsequence_number, self.number)
    }
}
