//! The checksums of an upload: computed as it comes, compared once it is complete.

use s3s::checksum::ChecksumHasher;
use s3s::dto::{Checksum, ChecksumAlgorithm, PutObjectInput};
use s3s::{S3Result, s3_error};

/// Computes what the client says it has computed.
pub(super) fn hasher(input: &PutObjectInput) -> ChecksumHasher {
    let algorithm = input.checksum_algorithm.as_ref().map(|algorithm| algorithm.as_str());
    let wanted = |given: &Option<String>, name| given.is_some() || algorithm == Some(name);
    ChecksumHasher {
        crc32: wanted(&input.checksum_crc32, ChecksumAlgorithm::CRC32).then(Default::default),
        crc32c: wanted(&input.checksum_crc32c, ChecksumAlgorithm::CRC32C).then(Default::default),
        crc64nvme: wanted(&input.checksum_crc64nvme, ChecksumAlgorithm::CRC64NVME).then(Default::default),
        sha1: wanted(&input.checksum_sha1, ChecksumAlgorithm::SHA1).then(Default::default),
        sha256: wanted(&input.checksum_sha256, ChecksumAlgorithm::SHA256).then(Default::default),
    }
}

/// A streamed upload tells its checksum after the body.
pub(super) fn take_trailers(input: &mut PutObjectInput, trailers: &http::HeaderMap) {
    let trailer = |name| trailers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    for (name, checksum) in [
        ("x-amz-checksum-crc32", &mut input.checksum_crc32),
        ("x-amz-checksum-crc32c", &mut input.checksum_crc32c),
        ("x-amz-checksum-crc64nvme", &mut input.checksum_crc64nvme),
        ("x-amz-checksum-sha1", &mut input.checksum_sha1),
        ("x-amz-checksum-sha256", &mut input.checksum_sha256),
    ] {
        if let Some(value) = trailer(name) {
            *checksum = Some(value);
        }
    }
}

/// Refuses bytes other than those the client sent.
pub(super) fn check(input: &PutObjectInput, computed: &Checksum) -> S3Result<()> {
    let agree = |given: &Option<String>, computed: &Option<String>| given.is_none() || given == computed;
    let all = agree(&input.checksum_crc32, &computed.checksum_crc32)
        && agree(&input.checksum_crc32c, &computed.checksum_crc32c)
        && agree(&input.checksum_crc64nvme, &computed.checksum_crc64nvme)
        && agree(&input.checksum_sha1, &computed.checksum_sha1)
        && agree(&input.checksum_sha256, &computed.checksum_sha256);
    if all { Ok(()) } else { Err(s3_error!(BadDigest, "the checksum you specified did not match what we received")) }
}

/// Bytes as an ETag writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
