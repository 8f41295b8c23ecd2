//! Shards that become others, and shards that are read again.

use landfall_core::SequenceNumber;

use super::{Open, Shard, Stream, Writers};

impl Stream {
    /// Splits a shard in the middle of its range: it takes no more records, and two new ones take its place.
    ///
    /// `None` when there is no open shard of that id.
    pub async fn split(&self, shard_id: &str) -> Option<[Shard; 2]> {
        let mut writers = self.writers.lock().await;
        let parent = writers.close(shard_id)?;
        let (start, end) = parent.range.into_inner();
        let middle = start + (end - start) / 2;
        let left = writers.add(start..=middle, vec![parent.drained.clone()]);
        let right = writers.add(middle + 1..=end, vec![parent.drained]);
        Some([left, right])
    }

    /// Merges two shards: they take no more records, and a new one takes their place.
    ///
    /// `None`, and nothing has changed, when they are not two open shards with adjacent ranges, the lower first.
    pub async fn merge(&self, lower_id: &str, upper_id: &str) -> Option<Shard> {
        let mut writers = self.writers.lock().await;
        let (lower, upper) = (writers.find(lower_id)?, writers.find(upper_id)?);
        let adjacent = writers.open[lower].range.end().checked_add(1) == Some(*writers.open[upper].range.start());
        if !adjacent {
            return None;
        }
        let (lower, upper) = (writers.close(lower_id)?, writers.close(upper_id)?);
        Some(writers.add(*lower.range.start()..=*upper.range.end(), vec![lower.drained, upper.drained]))
    }

    /// Reads an open shard again from a record on, as a mapping does that starts from an old checkpoint. Who has read it
    /// so far comes to an end.
    ///
    /// `None` when there is no open shard of that id, or the stream does not keep its records.
    pub async fn read_again(&self, shard_id: &str, from: &SequenceNumber) -> Option<Shard> {
        let mut writers = self.writers.lock().await;
        let (index, capacity) = (writers.find(shard_id)?, writers.capacity);
        if !writers.keeps {
            return None;
        }
        let open = &mut writers.open[index];
        let (writer, mut shard, drained) = Shard::new(open.id.clone(), capacity, Vec::new());
        shard.held = open.kept.iter().filter(|record| record.sequence_number >= *from).cloned().collect();
        (open.records, open.drained) = (writer, drained);
        Some(shard)
    }
}

impl Writers {
    fn find(&self, shard_id: &str) -> Option<usize> {
        self.open.iter().position(|shard| *shard.id == *shard_id)
    }

    /// Its reader comes to its end when it has read what is there.
    fn close(&mut self, shard_id: &str) -> Option<Open> {
        self.find(shard_id).map(|index| self.open.remove(index))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{stream, stream_that_keeps};
    use super::*;

    async fn put(stream: &Stream, n: u64) {
        for n in 0..n {
            stream.put(&format!("key-{n}"), b"data").await.unwrap();
        }
    }

    async fn n_records(shard: &mut Shard) -> usize {
        let mut n_records = 0;
        while let Some(batch) = shard.batch(1000, usize::MAX, Duration::ZERO).await {
            n_records += batch.len();
        }
        n_records
    }

    #[tokio::test]
    async fn a_reshard_loses_no_record() {
        let (stream, mut shards) = stream(4, 1000);
        put(&stream, 200).await;
        shards.extend(stream.split("shardId-000000000001").await.unwrap());
        shards.push(stream.merge("shardId-000000000002", "shardId-000000000003").await.unwrap());
        put(&stream, 200).await;
        assert!(stream.merge("shardId-000000000000", "shardId-000000000006").await.is_none());
        assert!(stream.split("shardId-000000000001").await.is_none());
        drop(stream);

        let mut counts = Vec::new();
        for shard in &mut shards {
            counts.push((shard.id.to_string(), n_records(shard).await));
        }
        assert_eq!(counts.iter().map(|(_, n)| n).sum::<usize>(), 400);
        assert!(counts.iter().all(|(_, n)| *n > 10), "{counts:?}");
        assert_eq!(counts.last().map(|(id, _)| id.as_str()), Some("shardId-000000000006"));
    }

    #[tokio::test]
    async fn a_child_is_read_when_its_parent_has_been() {
        let (stream, mut shards) = stream(1, 1000);
        put(&stream, 3).await;
        let [left, _right] = stream.split("shardId-000000000000").await.unwrap();
        let mut parent = shards.remove(0);
        let mut waiting = std::pin::pin!(left.parents_drained());

        assert_eq!(n_records(&mut parent).await, 3);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(parent);
        waiting.await;
    }

    #[tokio::test]
    async fn a_shard_is_read_again_from_a_record_on() {
        let (stream, mut shards) = stream_that_keeps(1, 1000);
        put(&stream, 5).await;
        let read = shards[0].batch(4, usize::MAX, Duration::ZERO).await.unwrap();

        let mut again = stream.read_again("shardId-000000000000", &read[2].sequence_number).await.unwrap();
        put(&stream, 2).await;
        drop(stream);

        let batch = again.batch(2, usize::MAX, Duration::ZERO).await.unwrap();
        assert_eq!(batch, read[2..4]);
        assert_eq!(n_records(&mut again).await, 3);
    }
}
