//! An input of the fuzzer as a batch. The fuzz target in `fuzz/` includes this file too.

use landfall_core::{ArrivedAt, Pipeline, Place, Record, SequenceNumber};

use crate::law::assert_law;
use crate::pack::{gzip, sealed, zstd};

/// The first byte says what to make of the others.
mod option {
    pub(super) const ARRAY: u8 = 1;
    pub(super) const KEEP: u8 = 1 << 1;
    pub(super) const REJECT: u8 = 1 << 2;
    pub(super) const REDRIVEN: u8 = 1 << 3;
    /// The others are a protobuf.
    pub(super) const AGGREGATED: u8 = 1 << 4;
    pub(super) const GZIP: u8 = 1 << 5;
    pub(super) const ZSTD: u8 = 1 << 6;
}

/// Asserts the law for a batch of two records: the one that the input says, and one beside it.
pub(crate) fn check(input: &[u8]) {
    let Some((options, data)) = input.split_first() else { return };
    let is = |option: u8| options & option != 0;
    let mut data = data.to_vec();
    if is(option::AGGREGATED) {
        data = sealed(&data);
    }
    if is(option::GZIP) {
        data = gzip(&data);
    }
    if is(option::ZSTD) {
        data = zstd(&data);
    }
    let place = is(option::REDRIVEN).then_some(Place { subsequence_number: 2, document_number: 0 });
    let neighbour = record(101, br#"{"sensorId":6}"#, None);

    let batch = assert_law(&pipeline(is), &[record(100, &data, place), neighbour]);

    let neighbours = batch.rows.iter().filter(|row| row.position().sequence_number.as_str() == "101");
    assert_eq!(neighbours.count(), 1);
}

fn pipeline(is: impl Fn(u8) -> bool) -> Pipeline {
    let mut text = include_str!("../../../../pipeline.toml").to_owned();
    let mut set = |from: &str, to: &str| text = text.replacen(from, to, 1);
    set("name = \"sensors\"", "name = \"sensors\"\nmax_inflated_bytes = 1048576");
    if is(option::ARRAY) {
        set("\"lines\"", "\"array\"");
    }
    if is(option::KEEP) {
        set("\"ignore\"", "\"keep\"");
    } else if is(option::REJECT) {
        set("\"ignore\"", "\"reject\"");
    }
    Pipeline::from_toml(&text).unwrap()
}

fn record(n: u64, data: &[u8], place: Option<Place>) -> Record {
    Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(data.into()),
        place,
    }
}
