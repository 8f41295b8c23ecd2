//! The CSV of the landing zone: no header, `\n` line ends, NULL as nothing and the empty string as `""`.
//!
//! `csv` cannot tell NULL from the empty string, neither writing nor reading, hence the few lines here; tests
//! hold both directions against it.

use crate::{Cell, Row};

/// Appends `row` as one line: provenance first, then the cells.
pub fn write_row(out: &mut Vec<u8>, row: &Row) {
    let provenance = row.provenance();
    let cells = row.cells.iter().map(Cell::as_text);
    write_fields(out, provenance.iter().map(|text| Some(text.as_str())).chain(cells));
}

/// Appends one line of fields, `None` being NULL.
pub fn write_fields<'a>(out: &mut Vec<u8>, fields: impl Iterator<Item = Option<&'a str>>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let Some(text) = field else { continue };
        if needs_quotes(text) {
            write_quoted(out, text);
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.push(b'\n');
}

/// A backslash needs none by RFC 4180, yet loaders exist that would take it for an escape.
fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.bytes().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r' | b'\\'))
}

fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Why bytes are no CSV of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// A quoted field has no closing quote, or something follows it.
    #[error("failed to read line {line} as CSV: a quote is out of place")]
    Quote {
        /// Line on which the record starts, from 1.
        line: usize,
    },
    /// The bytes are no UTF-8.
    #[error("failed to read the CSV: it is no UTF-8")]
    Utf8(#[from] std::str::Utf8Error),
}

/// The lines of a landed object, each as its fields, `None` being NULL.
///
/// # Errors
/// [`CsvError`] at the first quote out of place.
pub fn read(bytes: &[u8]) -> Result<Vec<Vec<Option<String>>>, CsvError> {
    let mut rest = std::str::from_utf8(bytes)?;
    let mut lines = Vec::new();
    let mut line = 1;
    while !rest.is_empty() {
        let (fields, after) = read_line(rest).ok_or(CsvError::Quote { line })?;
        line += rest[..rest.len() - after.len()].matches('\n').count();
        lines.push(fields);
        rest = after;
    }
    Ok(lines)
}

fn read_line(mut rest: &str) -> Option<(Vec<Option<String>>, &str)> {
    let mut fields = Vec::new();
    loop {
        let (field, after) = if rest.starts_with('"') { read_quoted(rest)? } else { read_plain(rest)? };
        fields.push(field);
        match after.chars().next() {
            Some(',') => rest = &after[1..],
            Some('\n') => return Some((fields, &after[1..])),
            None => return Some((fields, after)),
            Some(_) => return None,
        }
    }
}

fn read_plain(rest: &str) -> Option<(Option<String>, &str)> {
    let end = rest.find([',', '\n']).unwrap_or(rest.len());
    let text = &rest[..end];
    (!text.contains('"')).then(|| ((!text.is_empty()).then(|| text.to_owned()), &rest[end..]))
}

fn read_quoted(rest: &str) -> Option<(Option<String>, &str)> {
    let mut text = String::new();
    let mut rest = &rest[1..];
    loop {
        let end = rest.find('"')?;
        text.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                text.push('"');
                rest = after;
            }
            None => return Some((Some(text), rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(fields: &[Option<&str>]) -> String {
        let mut out = Vec::new();
        write_fields(&mut out, fields.iter().copied());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn null_is_nothing_and_the_empty_string_is_quoted() {
        assert_eq!(line(&[None, Some(""), None]), ",\"\",\n");
        assert_eq!(read(b",\"\",\n").unwrap(), [[None, Some(String::new()), None]]);
    }

    #[test]
    fn only_what_needs_quotes_has_them() {
        insta::assert_snapshot!(
            line(&[Some("x'), (1,2,'y"), Some("a b"), Some("say \"hi\""), Some(r"C:\temp"), Some(r"\N"), Some("NULL")]),
            @r#""x'), (1,2,'y",a b,"say ""hi""","C:\temp","\N",NULL"#);
        assert_eq!(line(&[Some("two\nlines"), Some("cr\r"), Some("🌡")]), "\"two\nlines\",\"cr\r\",🌡\n");
    }

    #[test]
    fn a_quote_out_of_place_is_named_by_its_line() {
        for bad in ["a\n\"b", "a\n\"b\"c\n", "\"a\n\"\"\nb", "a\nb\"c\n"] {
            let error = read(bad.as_bytes()).unwrap_err().to_string();
            let line = if bad.starts_with('a') { 2 } else { 1 };
            assert_eq!(error, format!("failed to read line {line} as CSV: a quote is out of place"), "{bad:?}");
        }
        assert!(matches!(read(b"\xff"), Err(CsvError::Utf8(_))));
        assert_eq!(read(b"\"a\n\"\n\"b").unwrap_err(), CsvError::Quote { line: 3 });
    }

    /// Lines of at least two fields, as ours are: `csv` skips a line that is empty.
    fn any_lines() -> impl Strategy<Value = Vec<Vec<Option<String>>>> {
        let text = prop_oneof![any::<String>(), "[,\"\n\r\\\\ aN]{0,6}"];
        prop::collection::vec(prop::collection::vec(prop::option::of(text), 2..5), 0..5)
    }

    fn written(lines: &[Vec<Option<String>>]) -> Vec<u8> {
        let mut out = Vec::new();
        for fields in lines {
            write_fields(&mut out, fields.iter().map(Option::as_deref));
        }
        out
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(lines in any_lines()) {
            prop_assert_eq!(read(&written(&lines)).unwrap(), lines);
        }

        #[test]
        fn csv_reads_what_is_written(lines in any_lines()) {
            let bytes = written(&lines);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
            let read: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            let expected: Vec<Vec<String>> = lines
                .into_iter()
                .map(|fields| fields.into_iter().map(Option::unwrap_or_default).collect())
                .collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn what_csv_writes_is_read(lines in any_lines()) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for fields in &lines {
                writer.write_record(fields.iter().map(|field| field.as_deref().unwrap_or_default())).unwrap();
            }
            let nothing_is_null = lines
                .into_iter()
                .map(|fields| fields.into_iter().map(|field| field.filter(|text| !text.is_empty())).collect::<Vec<_>>())
                .collect::<Vec<_>>();
            prop_assert_eq!(read(&writer.into_inner().unwrap()).unwrap(), nothing_is_null);
        }

        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes);
        }
    }
}
