//! A user record cut into its documents.

use std::ops::Range;

use serde_json::StreamDeserializer;
use serde_json::de::StrRead;
use serde_json::value::RawValue;

use crate::json::{self, Elements};
use crate::pipeline::Documents;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A piece of a user record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it stands in the user record.
    pub range: Range<usize>,
    /// `None` for a JSON document; for what cannot be cut into documents, why.
    pub garbage: Option<String>,
}

/// Cuts a user record into its documents.
///
/// Good documents before garbage are documents; the garbage is one piece, the last, to the end. A user record without
/// any document is garbage as a whole, so that nothing vanishes: there is at least one piece.
///
/// A byte order mark at the start is no part of a document, nor are NULs at the end, which a producer in C sends that
/// counts the terminator of its string.
pub fn pieces(user_record: &[u8], documents: Documents) -> Pieces<'_> {
    let (text, utf8_fault) = match std::str::from_utf8(user_record) {
        Ok(text) => (text.trim_end_matches('\0'), None),
        Err(error) => {
            let valid = &user_record[..error.valid_up_to()];
            let fault = format!("invalid UTF-8 at byte {}", error.valid_up_to());
            (std::str::from_utf8(valid).unwrap_or_default(), Some(fault))
        }
    };
    let behind_mark = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    Pieces {
        n_bytes: user_record.len(),
        text: behind_mark,
        offset: text.len() - behind_mark.len(),
        utf8_fault,
        stream: serde_json::Deserializer::from_str(behind_mark).into_iter(),
        documents,
        elements: None,
        is_empty: true,
        is_done: false,
    }
}

/// The pieces of a user record, found one after the other: it may inflate to millions.
pub struct Pieces<'a> {
    n_bytes: usize,
    /// What is UTF-8, without what is no part of a document.
    text: &'a str,
    /// Where it stands in the user record.
    offset: usize,
    utf8_fault: Option<String>,
    stream: StreamDeserializer<'a, StrRead<'a>, &'a RawValue>,
    documents: Documents,
    /// What is left of a top-level array.
    elements: Option<Elements<'a>>,
    is_empty: bool,
    is_done: bool,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        while !self.is_done {
            if let Some(element) = self.elements.as_mut().and_then(Iterator::next) {
                return Some(self.document(element));
            }
            let start = self.offset + self.stream.byte_offset();
            match self.stream.next() {
                Some(Ok(document)) => {
                    let document = document.get();
                    match json::elements(document).filter(|_| self.documents == Documents::Array) {
                        Some(elements) => self.elements = Some(elements),
                        None => return Some(self.document(document)),
                    }
                }
                Some(Err(error)) => return Some(self.last(start, json::invalid(&error))),
                None if self.utf8_fault.is_some() => return Some(self.last(start, String::new())),
                None if self.is_empty => return Some(self.last(0, "the record holds no document".to_owned())),
                None => self.is_done = true,
            }
        }
        None
    }
}

impl Pieces<'_> {
    fn document(&mut self, text: &str) -> Piece {
        self.is_empty = false;
        // One is a slice of the other, so the difference is its place in it.
        let start = self.offset + (text.as_ptr().addr() - self.text.as_ptr().addr());
        Piece { range: start..start + text.len(), garbage: None }
    }

    /// Garbage to the end. Text cut off by what is no UTF-8 is invalid for that.
    fn last(&mut self, start: usize, reason: String) -> Piece {
        self.is_done = true;
        let start = if self.is_empty { 0 } else { start };
        Piece { range: start..self.n_bytes, garbage: Some(self.utf8_fault.take().unwrap_or(reason)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], documents: Documents, expected: &[&str]) {
        let pieces: Vec<String> = pieces(bytes, documents)
            .map(|piece| {
                let text = String::from_utf8_lossy(&bytes[piece.range]).into_owned();
                piece.garbage.map_or(text.clone(), |reason| format!("{reason} <{text}>"))
            })
            .collect();
        assert_eq!(pieces, expected);
    }

    #[test]
    fn a_record_is_cut_into_its_documents() {
        check(br#"{"a":1}"#, Documents::Lines, &[r#"{"a":1}"#]);
        check(b"{\"a\":1}\r\n{\"a\":2}\n\n", Documents::Lines, &[r#"{"a":1}"#, r#"{"a":2}"#]);
        check(br#"{"a":1}{"a":2}"#, Documents::Lines, &[r#"{"a":1}"#, r#"{"a":2}"#]);
        check(br#"[{"a":1}]"#, Documents::Lines, &[r#"[{"a":1}]"#]);
        check(br#" [{"a":1}, 7 ] {"a":2}"#, Documents::Array, &[r#"{"a":1}"#, "7", r#"{"a":2}"#]);
    }

    #[test]
    fn what_producers_put_around_documents_is_no_part_of_them() {
        check(b"\xef\xbb\xbf{\"a\":1}\r\n{\"a\":2}\r\n", Documents::Lines, &[r#"{"a":1}"#, r#"{"a":2}"#]);
        check(b"{\"a\":1}\n\0\0", Documents::Lines, &[r#"{"a":1}"#]);
        check(b"\xef\xbb\xbf[7]\0", Documents::Array, &["7"]);
        check(
            b"{\"a\":1}\0{\"a\":2}",
            Documents::Lines,
            &[r#"{"a":1}"#, "invalid JSON: expected value at line 1 column 8 <\0{\"a\":2}>"],
        );
        check(
            b"{\"a\":1}\xef\xbb\xbf",
            Documents::Lines,
            &[r#"{"a":1}"#, "invalid JSON: expected value at line 1 column 8 <\u{feff}>"],
        );
    }

    #[test]
    fn arrays_are_cut_where_the_pipeline_says_so() {
        check(
            b"[ ]{\"a\":1}[[],[1 , 2]\n,\"],[\" ,{}]",
            Documents::Array,
            &["{\"a\":1}", "[]", "[1 , 2]", "\"],[\"", "{}"],
        );
        check(b"[1,2", Documents::Array, &["invalid JSON: EOF while parsing a list at line 1 column 4 <[1,2>"]);
        check(b"[1] 2] [3]", Documents::Array, &["1", "2", "invalid JSON: expected value at line 1 column 6 <] [3]>"]);
    }

    #[test]
    fn good_documents_before_garbage_are_documents() {
        check(
            br#"{"a":1} {"a":"#,
            Documents::Lines,
            &[r#"{"a":1}"#, r#"invalid JSON: EOF while parsing a value at line 1 column 13 < {"a":>"#],
        );
        check(b"not json", Documents::Lines, &["invalid JSON: expected ident at line 1 column 2 <not json>"]);
        check(
            b"{\"a\":1}{\"b\":\"\xff\"}",
            Documents::Lines,
            &[r#"{"a":1}"#, "invalid UTF-8 at byte 13 <{\"b\":\"\u{fffd}\"}>"],
        );
    }

    #[test]
    fn a_record_without_a_document_is_garbage() {
        for bytes in [&b""[..], b" \n", b"\0", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n\0"] {
            let text = format!("the record holds no document <{}>", String::from_utf8_lossy(bytes));
            check(bytes, Documents::Lines, &[&text]);
        }
        check(b"[]", Documents::Array, &["the record holds no document <[]>"]);
    }
}
