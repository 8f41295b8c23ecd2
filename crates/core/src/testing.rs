//! What the tests of this crate share.

use std::sync::Arc;

use crate::{ArrivedAt, Pipeline, Record, SequenceNumber};

/// 2026-11-20 14:00:00.123 UTC.
pub(crate) const ARRIVED_MS: i64 = 1_795_183_200_123;

pub(crate) fn sensors() -> Pipeline {
    Pipeline::from_toml(include_str!("../../../pipeline.toml")).unwrap()
}

/// The sensors pipeline with each `(from, to)` of its text replaced.
pub(crate) fn sensors_with(changes: &[(&str, &str)]) -> Pipeline {
    let mut text = include_str!("../../../pipeline.toml").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    Pipeline::from_toml(&text).unwrap()
}

/// Records 100, 101, … of one shard.
pub(crate) fn records<T: AsRef<[u8]>>(data: &[T]) -> Vec<Record> {
    data.iter().zip(100..).map(|(data, n)| record(n, data.as_ref())).collect()
}

pub(crate) fn record(n: u64, data: &[u8]) -> Record {
    Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(ARRIVED_MS).unwrap(),
        data: Ok(Arc::from(data)),
        place: None,
    }
}
