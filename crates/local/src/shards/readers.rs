//! Shards for several readers, and shards of records that are there already.

use std::collections::BTreeMap;
use std::time::Duration;

use landfall_core::Record;

use super::Shard;

/// Each shard twice, for two who read the stream: both get every record. Whoever reads faster waits for the other when that
/// is `capacity` records behind, but not for one that has gone. Needs a Tokio runtime.
pub fn for_two(shards: Vec<Shard>, capacity: usize) -> (Vec<Shard>, Vec<Shard>) {
    let capacity = capacity.max(1);
    let mut both = (Vec::new(), Vec::new());
    for mut shard in shards {
        let ((first, one), (second, other)) = (shard.lane(capacity), shard.lane(capacity));
        both.0.push(one);
        both.1.push(other);
        tokio::spawn(async move {
            shard.parents_drained().await;
            while let Some(batch) = shard.batch(capacity, usize::MAX, Duration::ZERO).await {
                for record in batch {
                    // One that has gone needs no record.
                    if first.send(record.clone()).await.is_err() & second.send(record).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
    both
}

/// Shards that hold these records, in their order, and end.
pub fn holding(records: &[Record]) -> Vec<Shard> {
    let mut by_shard: BTreeMap<&str, Vec<Record>> = BTreeMap::new();
    for record in records {
        by_shard.entry(&record.shard_id).or_default().push(record.clone());
    }
    let shard = |(id, records): (&str, Vec<Record>)| {
        let (_, mut shard, _) = Shard::new(id.into(), 1, Vec::new());
        shard.held = records.into();
        shard
    };
    by_shard.into_iter().map(shard).collect()
}

#[cfg(test)]
mod tests {
    use super::super::stream;
    use super::*;

    async fn read(shard: &mut Shard) -> Vec<Record> {
        let mut read = Vec::new();
        while let Some(batch) = shard.batch(3, usize::MAX, Duration::ZERO).await {
            read.extend(batch);
        }
        read
    }

    #[tokio::test]
    async fn two_readers_get_every_record() {
        let (stream, shards) = stream(2, 100);
        let (mut one, mut other) = for_two(shards, 10);
        let mut sent = Vec::new();
        for n in 0..8 {
            sent.push(stream.put(&format!("key-{n}"), b"data").await.unwrap());
        }
        drop(stream);

        for shard in one.iter_mut().chain(&mut other) {
            let expected: Vec<_> = sent.iter().filter(|record| record.shard_id == shard.id).cloned().collect();
            assert_eq!(read(shard).await, expected);
        }
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_not_waited_for() {
        let (stream, shards) = stream(1, 100);
        let (mut one, other) = for_two(shards, 1);
        drop(other);
        for n in 0..8 {
            stream.put(&format!("key-{n}"), b"data").await.unwrap();
        }
        drop(stream);

        assert_eq!(read(&mut one[0]).await.len(), 8);
    }

    #[tokio::test]
    async fn shards_hold_what_they_are_given_and_end() {
        let (stream, mut shards) = stream(1, 100);
        let records = [stream.put("a", b"1").await.unwrap(), stream.put("b", b"2").await.unwrap()];
        drop((stream, shards.pop()));

        let mut held = holding(&records);

        assert_eq!(held.len(), 1);
        assert_eq!(read(&mut held[0]).await, records);
    }
}
