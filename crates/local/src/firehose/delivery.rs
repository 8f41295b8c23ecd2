//! Gathers what was transformed and writes it, an object for each prefix.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use landfall_core::Record;
use md5::{Digest as _, Md5};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::{DELIVERY_STREAM, Settings};
use crate::s3::Objects;

/// S3 refuses an object: it is tried again for ever, as Firehose does until the stream forgets.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What is to be written of a record.
#[derive(Debug)]
pub(super) enum Item {
    /// What the function answered.
    Written {
        /// Where to.
        prefix: String,
        /// As it stands in the object, before that is compressed.
        data: Vec<u8>,
        /// What is to be written where there are too many prefixes.
        otherwise: Failure,
    },
    /// It was not transformed.
    Failed {
        /// Where to.
        prefix: String,
        /// The record as it came, in a line of JSON.
        line: String,
    },
}

/// A record that was not transformed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) record: Record,
    pub(super) n_attempts: u32,
    pub(super) function: String,
}

/// An object that is being gathered.
struct Buffer {
    data: Vec<u8>,
    since: Instant,
    /// Of errors it is not.
    is_compressed: bool,
}

struct Delivery {
    settings: Arc<Settings>,
    objects: Objects,
    buffers: BTreeMap<String, Buffer>,
    n_objects: u64,
}

/// Writes what is sent until there is nobody who might send more, and then what is left.
pub(super) async fn run(mut items: Receiver<Vec<Item>>, objects: Objects, settings: Arc<Settings>) {
    let mut delivery = Delivery { settings, objects, buffers: BTreeMap::new(), n_objects: 0 };
    loop {
        let due = delivery.buffers.values().map(|buffer| buffer.since).min();
        let due = due.map(|since| since + delivery.settings.object_interval);
        tokio::select! {
            sent = items.recv() => match sent {
                Some(sent) => sent.into_iter().for_each(|item| delivery.add(item)),
                None => break,
            },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        let (interval, n_bytes) = (delivery.settings.object_interval, delivery.settings.object_bytes);
        delivery.write(|buffer| buffer.data.len() >= n_bytes || buffer.since.elapsed() >= interval).await;
    }
    delivery.write(|_| true).await;
}

impl Delivery {
    fn add(&mut self, item: Item) {
        let (prefix, data, is_compressed) = match item {
            Item::Failed { prefix, line } => (prefix, format!("{line}\n").into_bytes(), false),
            Item::Written { prefix, otherwise, .. } if self.is_one_too_many(&prefix) => {
                let code = "DynamicPartitioning.ActivePartitionLimitExceeded";
                let line = otherwise.line(code, &format!("too many partitions are active for {prefix}"));
                let prefix =
                    self.settings.error_prefix.replace("!{firehose:error-output-type}", "activePartitionExceeded");
                (prefix, format!("{line}\n").into_bytes(), false)
            }
            Item::Written { prefix, data, .. } => (prefix, data, true),
        };
        let buffer = Buffer { data: Vec::new(), since: Instant::now(), is_compressed };
        self.buffers.entry(prefix).or_insert(buffer).data.extend(data);
    }

    fn is_one_too_many(&self, prefix: &str) -> bool {
        let n_active = self.buffers.values().filter(|buffer| buffer.is_compressed).count();
        n_active >= self.settings.max_partitions && !self.buffers.contains_key(prefix)
    }

    async fn write(&mut self, is_due: impl Fn(&Buffer) -> bool) {
        let due: Vec<String> =
            self.buffers.iter().filter(|(_, buffer)| is_due(buffer)).map(|(prefix, _)| prefix.clone()).collect();
        for prefix in due {
            let Some(buffer) = self.buffers.remove(&prefix) else { continue };
            let name = self.name();
            let extension = if buffer.is_compressed { self.settings.extension.as_str() } else { "" };
            let key = format!("{prefix}{name}{extension}");
            while let Err(error) = self.put(&key, &buffer).await {
                tracing::warn!(%error, key, "the local Firehose could not write an object");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }

    async fn put(&self, key: &str, buffer: &Buffer) -> io::Result<()> {
        let body = if buffer.is_compressed { Cow::Owned(gzip(&buffer.data)?) } else { Cow::Borrowed(&buffer.data) };
        self.objects.put(&self.settings.bucket, key, &body).await
    }

    /// `landfall-local-1-2026-11-20-14-00-05-` and what looks like a UUID: no two objects have one name.
    fn name(&mut self) -> String {
        self.n_objects += 1;
        let now = chrono::Utc::now();
        let unique =
            format!("{} {} {}", now.timestamp_nanos_opt().unwrap_or_default(), std::process::id(), self.n_objects);
        let hex: String = Md5::digest(unique).iter().map(|byte| format!("{byte:02x}")).collect();
        let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        format!("{DELIVERY_STREAM}-1-{}-{uuid}", now.format("%Y-%m-%d-%H-%M-%S"))
    }
}

fn gzip(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data)?;
    encoder.finish()
}
