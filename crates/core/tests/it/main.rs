//! Laws of the public surface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

mod aggregate;
mod forms;
mod fuzzed;
mod hostile;
mod infer;
mod kpl;
mod law;
mod laws;
mod pack;
mod seeds;

use landfall_core::{ArrivedAt, Pipeline, Record, SequenceNumber};

fn sensors_with(changes: &[(&str, &str)]) -> Pipeline {
    let mut text = include_str!("../../../../pipeline.toml").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    Pipeline::from_toml(&text).unwrap()
}

fn record(n: u64, data: &[u8]) -> Record {
    Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(data.into()),
        place: None,
    }
}
