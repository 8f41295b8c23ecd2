//! Compressed bytes, recognised by the first of them.

use std::io::{self, Read};

use bytes::Bytes;

/// Source: RFC 1952, 2.3.1, `ID1` and `ID2`.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Source: RFC 8878, 3.1.1, `Magic_Number`.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Binary logarithm of the largest zstd window that is held, 8 MiB: a frame of a few bytes may ask for gigabytes.
///
/// Source: RFC 8878, 3.1.1.1.2: decoders support at least 8 MiB, and encoders keep to that.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Whether bytes begin as a compressed stream. No JSON does: either magic is invalid UTF-8.
pub fn is_compressed(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP) || bytes.starts_with(&ZSTD)
}

/// Undoes compression, and bounds what a record and its user records inflate to together.
#[derive(Debug)]
pub struct Inflater {
    max_bytes: usize,
    n_bytes_left: usize,
}

impl Inflater {
    /// One for a record that may inflate to `max_bytes`, its user records together.
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, n_bytes_left: max_bytes }
    }

    /// What the record has inflated to so far.
    pub fn n_bytes(&self) -> usize {
        self.max_bytes - self.n_bytes_left
    }

    /// What `bytes` were compressed from; `bytes` when they are not compressed. Undone once, not again and again.
    ///
    /// At most one byte beyond the limit is ever held. What fails takes nothing from what is left for others.
    ///
    /// # Errors
    /// In words for a person: the stream is cut off, corrupt, followed by something else, or too large.
    pub fn inflate(&mut self, bytes: &Bytes) -> Result<Bytes, String> {
        let mut out = Bounded { inflated: Vec::new(), max_bytes: self.n_bytes_left };
        let (name, outcome) = if bytes.starts_with(&GZIP) {
            ("gzip", gunzip(bytes, &mut out))
        } else if bytes.starts_with(&ZSTD) {
            ("zstd", unzstd(bytes, &mut out))
        } else {
            return Ok(bytes.clone());
        };
        outcome.map_err(|fault| match fault {
            Fault::TooLarge => format!(
                "inflated, the record would take more than {} bytes, which is max_inflated_bytes in pipeline.toml",
                self.max_bytes
            ),
            Fault::Trailing(n) => format!("{n} bytes that are no {name} follow the {name} stream"),
            Fault::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                format!("the {name} stream is cut off")
            }
            Fault::Broken(error) => format!("the {name} stream is corrupt: {error}"),
        })?;
        self.n_bytes_left -= out.inflated.len();
        Ok(out.inflated.into())
    }
}

enum Fault {
    TooLarge,
    Trailing(usize),
    Broken(io::Error),
}

struct Bounded {
    inflated: Vec<u8>,
    max_bytes: usize,
}

impl Bounded {
    /// Takes all that `stream` gives, unless that is too much.
    fn take(&mut self, stream: impl Read) -> Result<(), Fault> {
        let n_left = self.max_bytes - self.inflated.len();
        let n = stream.take(n_left as u64 + 1).read_to_end(&mut self.inflated).map_err(Fault::Broken)?;
        if n > n_left { Err(Fault::TooLarge) } else { Ok(()) }
    }
}

/// Members one after the other are one stream. Zeros behind the last are padding, as for `gzip` itself.
fn gunzip(mut rest: &[u8], out: &mut Bounded) -> Result<(), Fault> {
    while rest.starts_with(&GZIP) {
        out.take(flate2::bufread::GzDecoder::new(&mut rest))?;
    }
    if rest.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Fault::Trailing(rest.len())) }
}

/// Frames one after the other are one stream.
fn unzstd(bytes: &[u8], out: &mut Bounded) -> Result<(), Fault> {
    let mut stream = zstd::Decoder::with_buffer(bytes).map_err(Fault::Broken)?;
    stream.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(Fault::Broken)?;
    out.take(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 0).unwrap()
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<&str, &str>) {
        let inflated = Inflater::new(100).inflate(&Bytes::copy_from_slice(bytes));
        let inflated = inflated.as_ref().map(|bytes| std::str::from_utf8(bytes).unwrap()).map_err(String::as_str);
        assert_eq!(inflated, expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn a_stream_is_what_it_was_made_from() {
        check(b"plain", Ok("plain"));
        check(b"", Ok(""));
        for compress in [gzip, zstd] {
            check(&compress(b"one"), Ok("one"));
            check(&compress(b""), Ok(""));
            check(&[compress(b"one, "), compress(b""), compress(b"two")].concat(), Ok("one, two"));
            check(&compress("a".repeat(100).as_bytes()), Ok(&"a".repeat(100)));
            let twice = Bytes::from(compress(&compress(b"one")));
            let once = Bytes::from(compress(b"one"));
            assert_eq!(Inflater::new(100).inflate(&twice), Ok(once), "undone once");
        }
        check(&[gzip(b"padded"), vec![0; 9]].concat(), Ok("padded"));
    }

    #[test]
    fn what_is_no_whole_stream_says_why() {
        for n in 2..gzip(b"one").len() {
            check(&gzip(b"one")[..n], Err("the gzip stream is cut off"));
        }
        for n in 4..zstd(b"one").len() {
            check(&zstd(b"one")[..n], Err("the zstd stream is cut off"));
        }
        check(&[gzip(b"one"), gzip(b"two")[..9].to_vec()].concat(), Err("the gzip stream is cut off"));
        check(&[gzip(b"one"), b"two".to_vec()].concat(), Err("3 bytes that are no gzip follow the gzip stream"));
        check(&[gzip(b"one"), b"\n".to_vec()].concat(), Err("1 bytes that are no gzip follow the gzip stream"));
        check(&[zstd(b"one"), b"two!".to_vec()].concat(), Err("the zstd stream is corrupt: Unknown frame descriptor"));
        let mut bad_sum = gzip(b"one");
        bad_sum[15] ^= 1;
        let reason = "the gzip stream is corrupt: corrupt gzip stream does not have a matching checksum";
        check(&bad_sum, Err(reason));
        check(b"\x1f\x8b\x07 and no deflate", Err("the gzip stream is corrupt: invalid gzip header"));
    }

    #[test]
    fn a_window_beyond_8_mib_is_not_held() {
        // A raw block of one byte behind a header that asks for a window of 16 MiB, then of 8 MiB.
        let frame = |window| [&ZSTD[..], &[0, window, 0b0000_1001, 0, 0, b'a']].concat();
        check(&frame(14 << 3), Err("the zstd stream is corrupt: Frame requires too much memory for decoding"));
        check(&frame(13 << 3), Ok("a"));
    }

    #[test]
    fn user_records_inflate_to_so_much_together() {
        let too_large =
            "inflated, the record would take more than 100 bytes, which is max_inflated_bytes in pipeline.toml";
        for compress in [gzip, zstd] {
            check(&compress(&[b' '; 101]), Err(too_large));
            check(&[compress(&[b' '; 60]), compress(&[b' '; 41])].concat(), Err(too_large));
            let mut inflater = Inflater::new(100);
            let mut inflate = |n| inflater.inflate(&compress(&vec![b' '; n]).into()).map(|bytes| bytes.len());
            assert_eq!(inflate(60), Ok(60));
            assert_eq!(inflate(41), Err(too_large.to_owned()));
            assert_eq!(inflate(1 << 20), Err(too_large.to_owned()));
            assert_eq!(inflate(40), Ok(40), "what failed took nothing");
            assert_eq!(inflate(0), Ok(0));
            assert_eq!(inflate(1), Err(too_large.to_owned()));
            assert_eq!(inflater.inflate(&Bytes::from(vec![b' '; 200])).unwrap().len(), 200, "what is plain is free");
        }
    }
}
