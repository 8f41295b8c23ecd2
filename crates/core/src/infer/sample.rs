//! A sample file as documents.

use crate::json;
use crate::payload;
use crate::pipeline::Documents;

use super::InferError;

/// The documents of a sample.
pub(super) struct Sample<'a> {
    text: &'a str,
    /// Each one's text, a slice of the sample's.
    pub(super) documents: Vec<&'a str>,
    /// Whether some of them stand in a top-level array.
    pub(super) is_array: bool,
}

impl Sample<'_> {
    /// The error that names the line of a document.
    pub(super) fn fault(&self, document: &str, reason: &str) -> InferError {
        // `serde_json` counts from the start of the document, or even of the one string that is at fault.
        let reason = reason.split_once(" at line ").map_or(reason, |(reason, _)| reason);
        let at = document.as_ptr().addr() - self.text.as_ptr().addr();
        InferError::Document { line: line(self.text.as_bytes(), at), reason: reason.to_owned() }
    }
}

/// Cuts a sample as the decoder cuts a record; a byte order mark is not a part of it.
pub(super) fn read(bytes: &[u8]) -> Result<Sample<'_>, InferError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(InferError::Empty);
    }
    let pieces: Vec<_> = payload::pieces(bytes, Documents::Lines).collect();
    if let Some(piece) = pieces.last()
        && let Some(reason) = &piece.garbage
    {
        let n_blank = bytes[piece.range.clone()].iter().take_while(|b| b.is_ascii_whitespace()).count();
        return Err(InferError::Document { line: line(bytes, piece.range.start + n_blank), reason: reason.clone() });
    }
    // Without garbage all of it is UTF-8.
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let mut sample = Sample { text, documents: Vec::with_capacity(pieces.len()), is_array: false };
    for piece in pieces {
        let document = text.get(piece.range).unwrap_or_default();
        match json::elements(document) {
            Some(elements) => {
                sample.is_array = true;
                sample.documents.extend(elements);
            }
            None => sample.documents.push(document),
        }
    }
    if sample.documents.is_empty() { Err(InferError::Empty) } else { Ok(sample) }
}

/// The line, from 1, of the byte at `at`.
fn line(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|b| **b == b'\n').count() + 1
}
