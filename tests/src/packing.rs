//! Records as producers pack them, made by nothing that core reads them with: aggregated ones are written byte by byte.

use std::io::{self, Write as _};

use md5::{Digest as _, Md5};

/// Source: amazon-kinesis-producer, `aggregation-format.md`.
const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

const DIGEST_BYTES: usize = 16;

/// A user record that is to be aggregated.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Its own.
    pub partition_key: String,
    /// What chooses its shard in place of the key: a decimal number below 2^128.
    pub explicit_hash_key: Option<String>,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// An aggregated record of these. As the Kinesis Producer Library does, each key stands once in its table.
pub fn aggregated(user_records: &[Packed]) -> Vec<u8> {
    let (mut keys, mut hash_keys, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for Packed { partition_key, explicit_hash_key, data } in user_records {
        let mut message = vec![1 << 3];
        varint(&mut message, index(&mut keys, partition_key));
        if let Some(hash_key) = explicit_hash_key {
            message.push(2 << 3);
            varint(&mut message, index(&mut hash_keys, hash_key));
        }
        field(&mut message, 3, data);
        messages.push(message);
    }
    let mut body = Vec::new();
    keys.iter().for_each(|key| field(&mut body, 1, key.as_bytes()));
    hash_keys.iter().for_each(|key| field(&mut body, 2, key.as_bytes()));
    messages.iter().for_each(|message| field(&mut body, 3, message));
    [&MAGIC, body.as_slice(), Md5::digest(&body).as_slice()].concat()
}

/// The same with another MD5.
pub fn with_wrong_digest(mut aggregated: Vec<u8>) -> Vec<u8> {
    aggregated.iter_mut().rev().take(DIGEST_BYTES).for_each(|byte| *byte ^= 0xff);
    aggregated
}

/// # Errors
/// What only writing to memory could fail with: nothing.
pub fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// # Errors
/// As [`gzip`].
pub fn zstd(bytes: &[u8]) -> io::Result<Vec<u8>> {
    zstd::encode_all(bytes, 0)
}

/// Where a key stands in its table, which it is added to.
fn index<'a>(table: &mut Vec<&'a str>, key: &'a str) -> u64 {
    let index = table.iter().position(|known| *known == key).unwrap_or_else(|| {
        table.push(key);
        table.len() - 1
    });
    index as u64
}

/// A length-delimited field.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `explicit_hash_keys.bin` is what AWS's own library makes of the same.
    #[test]
    fn it_is_packed_as_awss_library_packs_it() {
        let user_record = |n: u64| Packed {
            partition_key: format!("Fühler {} 🌡", n % 3),
            explicit_hash_key: Some((u128::MAX - u128::from(n % 2)).to_string()),
            data: format!("{{\"sensorId\": {n}, \"currentTemperature\": {n}, \"status\": \"OK\"}}").into_bytes(),
        };
        let packed = aggregated(&(0..5).map(user_record).collect::<Vec<_>>());

        let theirs = include_bytes!("../../crates/core/tests/fixtures/kpl/explicit_hash_keys.bin");
        assert_eq!(packed.escape_ascii().to_string(), theirs.escape_ascii().to_string());
        assert_ne!(with_wrong_digest(packed), theirs);
    }
}
