//! Which field partitions the landing zone.

use super::names::{self, is_id, words};
use super::observed::Leaf;
use crate::pipeline::DataType;

/// In a smaller sample even a field of few values may have another one in each document.
const TELLING: usize = 10;

/// A key's last word that names a kind rather than a thing.
const KIND_WORDS: [&str; 10] =
    ["name", "type", "code", "status", "kind", "category", "region", "country", "tenant", "source"];

/// The partitioning field.
pub(super) struct Partition {
    /// Index of the field.
    pub(super) index: usize,
    /// What stands before its value in an object's key.
    pub(super) label: String,
    /// How many values it has in the sample.
    pub(super) n_distinct: usize,
    /// Whether each document has its own value.
    pub(super) is_unique: bool,
}

/// The field to partition by: one that each document has, named like an identifier, of few values that repeat.
///
/// `None` when no string, integer, decimal or date is in every document. A float, a boolean and a moment are
/// scalars too, but what would stand in an object's key is a measurement.
pub(super) fn choose(leaves: &[Leaf], n_documents: usize) -> Option<Partition> {
    let (index, leaf) = leaves
        .iter()
        .enumerate()
        .filter(|(_, leaf)| leaf.n_values == n_documents && type_rank(leaf.data_type).is_some())
        .min_by_key(|(_, leaf)| (rank(leaf, n_documents), type_rank(leaf.data_type), leaf.n_distinct))?;
    let n_distinct = leaf.n_distinct;
    let is_unique = n_distinct == n_documents && n_documents > 1;
    Some(Partition { index, label: names::label(&leaf.path), n_distinct, is_unique })
}

fn type_rank(data_type: DataType) -> Option<u8> {
    match data_type {
        DataType::Integer | DataType::String => Some(0),
        DataType::Decimal { .. } | DataType::Date => Some(1),
        _ => None,
    }
}

/// The lower, the better.
fn rank(leaf: &Leaf, n_documents: usize) -> u8 {
    let words = leaf.path.last().map(|key| words(key)).unwrap_or_default();
    let last = words.last().copied().unwrap_or_default();
    let repeats = leaf.n_distinct * 2 <= n_documents || n_documents < TELLING;
    let varies = leaf.n_distinct > 1 || n_documents == 1;
    let is_kind = KIND_WORDS.iter().any(|kind| kind.eq_ignore_ascii_case(last));
    if is_id(last) && repeats && varies {
        0
    } else if is_kind && repeats && varies {
        1
    } else if leaf.data_type == DataType::String && varies && repeats {
        2
    } else if is_id(last) {
        3
    } else {
        4
    }
}
