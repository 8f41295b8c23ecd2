//! The landing zone: which objects a batch becomes and what they are called.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::pipeline::{Compression, Layout};
use crate::{Document, Pipeline, Row, csv};

/// An object of the landing zone or of the dead letters, ready to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key: names its bytes, so that an object under the same key is the same object.
    pub key: String,
    /// Its bytes, to be put again without a copy.
    pub body: Bytes,
    /// How many rows or dead letters it holds.
    pub n_rows: usize,
}

/// The most bytes of CSV that an object holds before it is closed, so that the largest event fits a small function's memory.
///
/// Part of the contract: another limit makes other objects of a batch that is retried.
pub const MAX_OBJECT_BYTES: usize = 2 << 20;

/// The objects that `rows` become, one after the other: one a partition, or one a batch; more where that is over
/// [`MAX_OBJECT_BYTES`]. Each is made when it is asked for.
///
/// Deterministic: the same rows in the same order give the same keys and bytes, whoever runs it and when. Rows
/// keep their order. Records of two shards never share an object, since a key names one shard.
///
/// # Errors
/// What the compressor says; it writes to memory.
pub fn objects<'a>(pipeline: &'a Pipeline, rows: &'a [Row]) -> impl Iterator<Item = io::Result<Object>> + use<'a> {
    let mut partitions: BTreeMap<(String, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        partitions.entry((name_of(pipeline, row), &row.document.source.shard_id)).or_default().push(row);
    }
    partitions.into_iter().flat_map(move |((name, _), rows)| {
        let mut n_done = 0;
        std::iter::from_fn(move || {
            let rest = rows.get(n_done..)?;
            let head = rest.first()?;
            // The row that closes it is over the limit, and a body that grows is copied.
            let mut body = Vec::with_capacity(expected_bytes(rest).min(MAX_OBJECT_BYTES + MAX_OBJECT_BYTES / 64));
            let Ok(n_rows) = fill(&mut body, rest, |body, row| {
                csv::write_row(body, row);
                Ok::<_, Infallible>(())
            });
            n_done += n_rows;
            Some(object(pipeline, &name, head, &rest[..n_rows], body))
        })
    })
}

/// What objects of several partitions are named after.
const SEVERAL: &str = "batch";

/// The partition that a row belongs to, as a part of a key.
fn name_of(pipeline: &Pipeline, row: &Row) -> String {
    match pipeline.landing.layout {
        Layout::PerPartition => partition_name(&pipeline.landing.partition_label, row.partition_value(pipeline)),
        Layout::PerBatch => SEVERAL.to_owned(),
    }
}

/// The partition that all of `rows` belong to, as a part of a key: `sensor-6`. Of rows that belong to several it is
/// `batch`, as of all rows where the layout says so: a partition's folder never holds another's rows.
pub fn partition(pipeline: &Pipeline, rows: &[Row]) -> String {
    let Some((first, rest)) = rows.split_first() else { return SEVERAL.to_owned() };
    let value = first.partition_value(pipeline);
    if rest.iter().all(|row| row.partition_value(pipeline) == value) {
        return name_of(pipeline, first);
    }
    SEVERAL.to_owned()
}

/// Writes the first of `items`, and says how many: all, or up to the one that makes `body` too long.
pub(crate) fn fill<T, E>(
    body: &mut Vec<u8>,
    items: &[T],
    mut write: impl FnMut(&mut Vec<u8>, &T) -> Result<(), E>,
) -> Result<usize, E> {
    for (item, n_before) in items.iter().zip(0..) {
        write(body, item)?;
        if body.len() >= MAX_OBJECT_BYTES {
            return Ok(n_before + 1);
        }
    }
    Ok(items.len())
}

fn object(pipeline: &Pipeline, name: &str, head: &Row, rows: &[&Row], body: Vec<u8>) -> io::Result<Object> {
    let extension = match pipeline.landing.compression {
        Compression::None => ".csv",
        Compression::Gzip => ".csv.gz",
        Compression::Zstd => ".csv.zst",
    };
    let documents = || rows.iter().map(|row| &row.document);
    let first = documents().min_by_key(|document| document.order()).unwrap_or(&head.document);
    let last = documents().max_by_key(|document| document.order()).unwrap_or(&head.document);
    let key = key(&format!("{}/{name}", pipeline.landing.prefix), first, last, &body, extension);
    Ok(Object { key, body: compress(body, pipeline.landing.compression)?.into(), n_rows: rows.len() })
}

/// About what `rows` take as CSV, so that a body of tens of megabytes need not be copied to grow.
///
/// Lines are much alike; the last has the longest document number.
fn expected_bytes(rows: &[&Row]) -> usize {
    let n_bytes = |row: Option<&&Row>| {
        let mut line = Vec::new();
        if let Some(row) = row {
            csv::write_row(&mut line, row);
        }
        line.len()
    };
    n_bytes(rows.first()).max(n_bytes(rows.last())) * rows.len()
}

/// `<prefix>/yyyy/mm/dd/hh/<shard>-<first>-<last>-<digest><extension>`
///
/// The hour is the first row's arrival: no clock, so that a retry makes the same key. The digest is the first
/// 16 hex digits of the SHA-256 of the uncompressed body.
pub(crate) fn key(prefix: &str, first: &Document, last: &Document, body: &[u8], extension: &str) -> String {
    let hour = first.source.arrived_at.hour_path();
    let (shard_id, first, last) = (&first.source.shard_id, &first.source.sequence_number, &last.source.sequence_number);
    format!("{prefix}/{hour}/{shard_id}-{first}-{last}-{}{extension}", digest(body))
}

/// What is escaped in a partition's name: all but letters, digits, `-` and `_`. The dot is, so that no value
/// reads as `..`; `~` is, so that it stands only before a hash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The longest name of a partition's value, in bytes.
const MAX_VALUE_BYTES: usize = 100;

/// How the empty value is written.
const EMPTY_VALUE: &str = "%00";

/// `sensor-6`; what is strange in a value is percent-encoded, and over 100 bytes it is cut and hashed.
fn partition_name(label: &str, value: &str) -> String {
    if value.is_empty() {
        return format!("{label}-{EMPTY_VALUE}");
    }
    let encoded = utf8_percent_encode(value, ESCAPED).to_string();
    // A NUL is hashed too: plainly encoded it would be the empty value.
    if encoded.len() <= MAX_VALUE_BYTES && encoded != EMPTY_VALUE {
        return format!("{label}-{encoded}");
    }
    format!("{label}-{}~{}", &encoded[..encoded.len().min(80)], digest(value.as_bytes()))
}

/// First 16 hex digits of the SHA-256.
fn digest(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(16);
    for byte in Sha256::digest(bytes).iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Why an object of the landing zone cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not compressed as its key says.
    #[error("failed to decompress {key}")]
    Decompress {
        /// The object's key.
        key: String,
        /// Why.
        source: io::Error,
    },
    /// It is no CSV of ours.
    #[error("failed to read {key}")]
    Csv {
        /// The object's key.
        key: String,
        /// Why.
        source: csv::CsvError,
    },
}

/// The rows of a landed object, each as the text of its columns; `None` is NULL.
///
/// # Errors
/// [`ReadError`] when the object is not one that [`objects`] makes.
pub fn read(key: &str, body: &[u8]) -> Result<Vec<Vec<Option<String>>>, ReadError> {
    let decompressed = decompress(key, body).map_err(|source| ReadError::Decompress { key: key.to_owned(), source })?;
    csv::read(&decompressed).map_err(|source| ReadError::Csv { key: key.to_owned(), source })
}

fn decompress<'a>(key: &str, body: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
    if key.ends_with(".gz") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body).read_to_end(&mut plain)?;
        return Ok(plain.into());
    }
    if key.ends_with(".zst") {
        return zstd::decode_all(body).map(Cow::Owned);
    }
    Ok(body.into())
}

fn compress(body: Vec<u8>, compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::None => Ok(body),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&body)?;
            encoder.finish()
        }
        Compression::Zstd => zstd::encode_all(body.as_slice(), zstd::DEFAULT_COMPRESSION_LEVEL),
    }
}

#[cfg(test)]
mod tests;
