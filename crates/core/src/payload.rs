//! What a record carries: user records, and the JSON documents inside each.

use std::ops::Range;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::json;
use crate::pipeline::Documents;

/// One record as its producer made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Its index inside an aggregated record; 0 in a plain one.
    pub subsequence_number: u64,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// The user records of a record's data.
///
/// The place of decompression and of KPL de-aggregation in the flow: today every record is plain and carries
/// one.
pub fn user_records(data: &Arc<[u8]>) -> Vec<UserRecord> {
    vec![UserRecord { subsequence_number: 0, bytes: Arc::clone(data) }]
}

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
/// Good documents before garbage are documents; the garbage is one piece, to the end. A user record without any
/// document is garbage as a whole, so that nothing vanishes.
pub fn pieces(user_record: &[u8], documents: Documents) -> Vec<Piece> {
    let whole = 0..user_record.len();
    let (text, utf8_fault) = match std::str::from_utf8(user_record) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = &user_record[..error.valid_up_to()];
            let fault = format!("invalid UTF-8 at byte {}", error.valid_up_to());
            (std::str::from_utf8(valid).unwrap_or_default(), Some(fault))
        }
    };
    let mut pieces = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let garbage = loop {
        let start = stream.byte_offset();
        match stream.next() {
            Some(Ok(document)) => push_document(&mut pieces, document.get(), stream.byte_offset(), documents),
            Some(Err(error)) => break Some((start, json::invalid(&error))),
            None => break utf8_fault.clone().map(|fault| (start, fault)),
        }
    };
    if let Some((start, reason)) = garbage {
        pieces.push(Piece { range: start..whole.end, garbage: Some(utf8_fault.unwrap_or(reason)) });
    }
    if pieces.is_empty() {
        pieces.push(Piece { range: whole, garbage: Some("the record holds no document".to_owned()) });
    }
    pieces
}

fn push_document(pieces: &mut Vec<Piece>, text: &str, end: usize, documents: Documents) {
    let start = end - text.len();
    if documents == Documents::Array
        && let Some(elements) = json::elements(text)
    {
        for element in elements {
            // Both are slices of one text, so the difference is the element's place in it.
            let at = start + (element.as_ptr().addr() - text.as_ptr().addr());
            pieces.push(Piece { range: at..at + element.len(), garbage: None });
        }
        return;
    }
    pieces.push(Piece { range: start..end, garbage: None });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], documents: Documents, expected: &[&str]) {
        let pieces: Vec<String> = pieces(bytes, documents)
            .into_iter()
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
        for bytes in [&b""[..], b" \n"] {
            let text = format!("the record holds no document <{}>", String::from_utf8_lossy(bytes));
            check(bytes, Documents::Lines, &[&text]);
        }
        check(b"[]", Documents::Array, &["the record holds no document <[]>"]);
    }
}
