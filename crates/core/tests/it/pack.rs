//! Records as producers pack them.

use std::io::Write as _;

use md5::{Digest, Md5};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

/// `protobuf` between the magic and its MD5.
pub(crate) fn sealed(protobuf: &[u8]) -> Vec<u8> {
    [b"\xf3\x89\x9a\xc2", protobuf, Md5::digest(protobuf).as_slice()].concat()
}
