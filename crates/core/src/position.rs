//! Where a row stands in its stream.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Position of a record within its shard: a decimal integer of up to 129 digits.
///
/// Kept as text because no integer type holds it. Ordered by value: by length, then by text.
///
/// Source: Kinesis API Reference, `Record.SequenceNumber` (`0|([1-9]\d{0,128})`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceNumber(Arc<str>);

impl SequenceNumber {
    /// The sequence number that `text` spells, or `None` if it spells none.
    pub fn new(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let canonical = text == "0" || !text.starts_with('0');
        (digits && canonical && (1..=129).contains(&text.len())).then(|| Self(text.into()))
    }

    /// Its decimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A row's identity: the same however often and by whatever route its document arrives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// `shardId-000000000006`
    pub shard_id: Arc<str>,
    /// The Kinesis record's.
    pub sequence_number: SequenceNumber,
    /// Index of the user record inside an aggregated record; 0 in a plain one.
    pub subsequence_number: u64,
    /// Index of the JSON document inside the user record, poison counted.
    pub document_number: u64,
}

impl Position {
    /// The position of a row whose first columns are that of a staging table or of the CSV; `None` when they are none.
    pub fn from_columns(row: &[Option<String>]) -> Option<Self> {
        let [Some(shard_id), Some(sequence_number), Some(subsequence_number), Some(document_number), ..] = row else {
            return None;
        };
        Some(Self {
            shard_id: shard_id.as_str().into(),
            sequence_number: SequenceNumber::new(sequence_number)?,
            subsequence_number: subsequence_number.parse().ok()?,
            document_number: document_number.parse().ok()?,
        })
    }
}

/// Where a document stands inside its record: the second half of a [`Position`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index of the user record inside an aggregated record; 0 in a plain one.
    pub subsequence_number: u64,
    /// Index of the JSON document inside the user record, poison counted.
    pub document_number: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shard_id, sequence_number, subsequence_number, document_number } = self;
        write!(f, "{shard_id}:{sequence_number}:{subsequence_number}:{document_number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_first_columns_are_its_position() {
        let row = |cells: &[&str]| cells.iter().map(|cell| Some((*cell).to_owned())).collect::<Vec<_>>();
        let position = Position::from_columns(&row(&["shard", "7", "1", "2", "key"])).unwrap();
        assert_eq!(position.to_string(), "shard:7:1:2");
        for cells in [&["shard", "7", "1"][..], &["shard", "x", "1", "2"], &["shard", "7", "-1", "2"]] {
            assert_eq!(Position::from_columns(&row(cells)), None, "{cells:?}");
        }
        assert_eq!(Position::from_columns(&[None, None, None, None]), None);
    }

    #[test]
    fn sequence_numbers_are_ordered_by_value() {
        let number = |text| SequenceNumber::new(text).unwrap();
        assert!(number("9") < number("10"));
        assert!(number("99999999999999999999") < number("100000000000000000000"));
        assert!(number("102") > number("101"));
    }

    #[test]
    fn only_canonical_digits_are_a_sequence_number() {
        assert!(SequenceNumber::new(&"9".repeat(129)).is_some());
        assert!(SequenceNumber::new("0").is_some());
        for text in ["", "00", "01", "-1", "1.0", "１", "abc", &"9".repeat(130)] {
            assert_eq!(SequenceNumber::new(text), None, "{text}");
        }
    }
}
