//! A Kinesis stream in memory: records go to the shard that their partition key hashes into.

mod readers;
mod reshard;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landfall_core::{ArrivedAt, Record, SequenceNumber};
use md5::{Digest, Md5};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::readers::{for_two, holding};

/// The stream's ARN, as events name it.
pub const STREAM_ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/landfall-local";

/// The writing end of a stream. Cheap to clone; the stream ends when all clones are dropped.
///
/// A shard holds a bounded number of records: whoever puts faster than the stream is read has to wait, so that
/// memory stays bounded and a record's latency is not the length of a queue.
#[derive(Debug, Clone)]
pub struct Stream {
    writers: Arc<Mutex<Writers>>,
}

#[derive(Debug)]
struct Writers {
    open: Vec<Open>,
    /// How many shards there have ever been.
    n_shards: usize,
    capacity: usize,
    keeps: bool,
    last_nanos: u64,
}

/// A shard that takes records.
#[derive(Debug)]
struct Open {
    id: Arc<str>,
    index: usize,
    /// Of the hash keys.
    range: RangeInclusive<u128>,
    records: mpsc::Sender<Record>,
    /// All of its records, if the stream keeps them.
    kept: Vec<Record>,
    drained: CancellationToken,
}

/// The reading end of one shard.
#[derive(Debug)]
pub struct Shard {
    /// `shardId-000000000000`
    pub id: Arc<str>,
    records: mpsc::Receiver<Record>,
    /// To be read first: a batch's limit left it over, or the shard is read again.
    held: VecDeque<Record>,
    /// Cancelled when a shard that this one comes from has been read to its end.
    parents: Vec<CancellationToken>,
    /// Dropped with the last reader of this shard.
    drained: Arc<DropGuard>,
}

/// Why a record is not in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// Nobody reads the shard any more.
    #[error("failed to put a record: the stream has been closed")]
    Closed,
    /// The clock is not in the years 1 to 9999.
    #[error("failed to put a record: the system clock is out of range")]
    Clock,
}

/// A stream of `n_shards` shards (at least one), each of which holds up to `capacity` records (at least one).
pub fn stream(n_shards: usize, capacity: usize) -> (Stream, Vec<Shard>) {
    open(n_shards, capacity, false)
}

/// As [`stream`], and it keeps every record, so that a shard can be read again: [`Stream::read_again`].
pub fn stream_that_keeps(n_shards: usize, capacity: usize) -> (Stream, Vec<Shard>) {
    open(n_shards, capacity, true)
}

fn open(n_shards: usize, capacity: usize, keeps: bool) -> (Stream, Vec<Shard>) {
    let n_shards = n_shards.max(1);
    let mut writers = Writers { open: Vec::new(), n_shards: 0, capacity: capacity.max(1), keeps, last_nanos: 0 };
    let width = u128::MAX / n_shards as u128;
    let range = |i: usize| {
        let start = width * i as u128;
        start..=if i + 1 == n_shards { u128::MAX } else { start + width - 1 }
    };
    let shards = (0..n_shards).map(|i| writers.add(range(i), Vec::new())).collect();
    (Stream { writers: Arc::new(Mutex::new(writers)) }, shards)
}

impl Writers {
    /// Opens a shard whose records are read when its parents' are.
    fn add(&mut self, range: RangeInclusive<u128>, parents: Vec<CancellationToken>) -> Shard {
        let (index, id) = (self.n_shards, Arc::<str>::from(format!("shardId-{:012}", self.n_shards)));
        self.n_shards += 1;
        let (records, shard, drained) = Shard::new(id.clone(), self.capacity, parents);
        self.open.push(Open { id, index, range, records, kept: Vec::new(), drained });
        shard
    }
}

impl Stream {
    /// Puts one record, waiting while its shard is full, and answers with it as it stands in the stream.
    ///
    /// # Errors
    /// [`PutError`]; the record is not in the stream then.
    pub async fn put(&self, partition_key: &str, data: &[u8]) -> Result<Record, PutError> {
        // Held until the record is in its shard, so that sequence numbers grow in the order of the shard.
        let mut writers = self.writers.lock().await;
        let (hash, keeps, last_nanos) = (hash(partition_key), writers.keeps, writers.last_nanos);
        let shard = writers.open.iter_mut().find(|shard| shard.range.contains(&hash)).ok_or(PutError::Closed)?;
        let permit = shard.records.clone().reserve_owned().await.map_err(|_| PutError::Closed)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| PutError::Clock)?;
        let nanos = (since_epoch.as_nanos() as u64).max(last_nanos + 1);
        let record = Record {
            shard_id: shard.id.clone(),
            sequence_number: sequence_number(nanos, shard.index).ok_or(PutError::Clock)?,
            partition_key: partition_key.into(),
            arrived_at: ArrivedAt::from_millis(since_epoch.as_millis() as i64).ok_or(PutError::Clock)?,
            data: Ok(data.into()),
            place: None,
        };
        permit.send(record.clone());
        if keeps {
            shard.kept.push(record.clone());
        }
        writers.last_nanos = nanos;
        Ok(record)
    }
}

/// 56 digits, as real ones have; from the clock, so that a later run of the stack never gives one again.
fn sequence_number(nanos: u64, shard: usize) -> Option<SequenceNumber> {
    SequenceNumber::new(&format!("49{nanos:020}{shard:034}"))
}

/// Where a partition key stands in the hash-key range.
///
/// Source: Kinesis API Reference, PutRecord: "An MD5 hash function is used to map partition keys to 128-bit
/// integer values".
pub(crate) fn hash(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into())
}

impl Shard {
    /// The end that fills a shard, the shard, and what is cancelled when it has been read to its end.
    fn new(
        id: Arc<str>,
        capacity: usize,
        parents: Vec<CancellationToken>,
    ) -> (mpsc::Sender<Record>, Self, CancellationToken) {
        let (writer, records) = mpsc::channel(capacity);
        let drained = CancellationToken::new();
        let guard = Arc::new(drained.clone().drop_guard());
        (writer, Self { id, records, held: VecDeque::new(), parents, drained: guard }, drained)
    }

    /// A part of this shard, and the end that fills it.
    pub(crate) fn lane(&self, capacity: usize) -> (mpsc::Sender<Record>, Self) {
        let (writer, records) = mpsc::channel(capacity);
        let (id, drained) = (self.id.clone(), self.drained.clone());
        (writer, Self { id, records, held: VecDeque::new(), parents: Vec::new(), drained })
    }

    /// Waits until the shards that this one comes from have been read, and all of their batches are done.
    pub(crate) async fn parents_drained(&self) {
        for parent in &self.parents {
            parent.cancelled().await;
        }
    }

    /// The next records: up to `max_records` or `max_bytes` of data, whichever comes first, or what has come within
    /// `window` of the first one. `None` at the end of the stream.
    pub async fn batch(&mut self, max_records: usize, max_bytes: usize, window: Duration) -> Option<Vec<Record>> {
        let first = match self.held.pop_front() {
            Some(record) => record,
            None => self.records.recv().await?,
        };
        let mut n_bytes = size(&first);
        let mut batch = vec![first];
        let end = Instant::now() + window;
        while batch.len() < max_records {
            let record = match self.held.pop_front() {
                Some(record) => record,
                // Also at the end of the window, what is there already is taken.
                None => match timeout_at(end, self.records.recv()).await {
                    Ok(Some(record)) => record,
                    _ => break,
                },
            };
            n_bytes += size(&record);
            if n_bytes > max_bytes {
                self.held.push_front(record);
                break;
            }
            batch.push(record);
        }
        Some(batch)
    }
}

/// What a record takes in an event: its data in base64 and about 500 bytes around it.
fn size(record: &Record) -> usize {
    let data = record.data.as_ref().map_or(0, |data| data.len());
    data.div_ceil(3) * 4 + record.partition_key.len() + 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shard_keeps_the_order_of_its_records() {
        let (stream, mut shards) = stream(4, 1000);
        let mut sent = Vec::new();
        for n in 0..400 {
            sent.push(stream.put(&format!("key-{n}"), b"data").await.unwrap());
        }
        drop(stream);

        for shard in &mut shards {
            let batch = shard.batch(1000, usize::MAX, Duration::ZERO).await.unwrap();
            let expected: Vec<_> = sent.iter().filter(|record| record.shard_id == shard.id).cloned().collect();
            assert_eq!(batch, expected);
            assert!(batch.len() > 50, "{} of 400 records are in {}", batch.len(), shard.id);
            assert!(batch.is_sorted_by(|a, b| a.sequence_number < b.sequence_number));
            assert!(batch.iter().all(|record| record.sequence_number.as_str().len() == 56));
            assert_eq!(shard.batch(1000, usize::MAX, Duration::ZERO).await, None);
        }
    }

    #[tokio::test]
    async fn a_batch_ends_at_its_limits_and_loses_nothing() {
        let (stream, mut shards) = stream(1, 100);
        for _ in 0..10 {
            stream.put("key", &[b'x'; 300]).await.unwrap();
        }
        drop(stream);

        let mut lengths = Vec::new();
        // 300 bytes of data, 400 in base64: 903 in an event.
        while let Some(batch) = shards[0].batch(4, 3 * 903, Duration::ZERO).await {
            lengths.push(batch.len());
        }
        assert_eq!(lengths, [3, 3, 3, 1]);
    }

    #[tokio::test]
    async fn a_full_shard_makes_the_producer_wait() {
        let (stream, mut shards) = stream(1, 1);
        stream.put("key", b"1").await.unwrap();
        let mut second = std::pin::pin!(stream.put("key", b"2"));
        assert!(futures::poll!(&mut second).is_pending());

        shards[0].batch(1, usize::MAX, Duration::ZERO).await.unwrap();
        second.await.unwrap();
    }
}
