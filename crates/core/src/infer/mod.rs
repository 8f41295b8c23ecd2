//! A pipeline.toml derived from a sample of documents.
//!
//! Sample → documents (`sample`) → what stands at each path (`observed`, `scalars`) → fields, with columns
//! (`names`) and the partitioning field (`partition`) → text (`render`). A type is proposed only when the decoder
//! takes every value of the sample by it, so that no document of the sample is poison to the pipeline derived.

mod names;
mod observed;
mod partition;
mod render;
mod sample;
mod scalars;

use crate::json::{Json, Kind};
use crate::pipeline::DataType;

use self::names::Columns;
use self::observed::Observed;
use self::partition::Partition;

/// A pipeline.toml derived from a sample, and what is worth saying about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inferred {
    /// The file's text, with comments. [`crate::Pipeline::from_toml`] reads it, and decodes every document of the
    /// sample to a row by it.
    pub toml: String,
    /// The pipeline's name: the one asked for, of letters, digits, `-` and `_`.
    pub name: String,
    /// Its fields, in column order.
    pub fields: Vec<InferredField>,
    /// How many documents the sample holds.
    pub n_documents: usize,
    /// The name of the partitioning field.
    pub partition_by: String,
    /// What a person should look at, in whole sentences without a full stop.
    pub notes: Vec<String>,
}

/// One field of a derived pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InferredField {
    /// A JSON key, or a JSON pointer (RFC 6901): `sensorId`, `/device/id`.
    pub name: String,
    /// Its column: a valid identifier that no other field has.
    pub column: String,
    /// What every value of the sample is.
    pub data_type: DataType,
    /// Whether each document of the sample has a value that is not null.
    pub required: bool,
    /// What the sample shows beyond that: `3 distinct values; missing or null in 2 of 20 documents`.
    pub comment: Option<String>,
}

/// Why no pipeline can be derived from a sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InferError {
    /// The sample is empty or blank.
    #[error("failed to read the sample: it holds no document")]
    Empty,
    /// A document that the decoder would call poison under any pipeline.
    #[error("failed to read the sample: line {line}: {reason}")]
    Document {
        /// The line on which it begins, from 1.
        line: usize,
        /// Why, as a dead letter would say it.
        reason: String,
    },
    /// No field can be the partitioning field.
    #[error("failed to choose the partitioning field: no string, integer, decimal or date is in every document")]
    NoPartition,
}

impl InferError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "put documents into it as producers write them, one JSON object a line",
            Self::Document { .. } => "mend or remove that line: a sample is one JSON object a line, as UTF-8",
            Self::NoPartition => {
                "leave out the documents that lack the key to partition by, or write the pipeline.toml by hand"
            }
        }
    }
}

/// Derives a pipeline called `name` from a sample: JSON objects, one a line, concatenated, or in a top-level array.
///
/// Blank lines, CRLF and a byte order mark are taken as they come. Deterministic: the same sample gives the same
/// text.
///
/// # Errors
/// [`InferError`] when a document is no JSON object or has a key twice, when there is no document, or when no field
/// can be the partitioning field.
pub fn infer(name: &str, sample: &[u8]) -> Result<Inferred, InferError> {
    let sample = sample::read(sample)?;
    let mut root = Observed::default();
    for text in &sample.documents {
        let document = Json::parse(text).map_err(|reason| sample.fault(text, &reason))?;
        if !matches!(document.kind, Kind::Object(_)) {
            return Err(sample.fault(text, &format!("the document is {}, not an object", document.kind_name())));
        }
        root.add(&document, 0);
    }
    let n_documents = sample.documents.len();
    // A field cannot be named after the empty key.
    let (leaves, unnamable): (Vec<_>, Vec<_>) = root.leaves().into_iter().partition(|leaf| leaf.path != [""]);
    let partition = partition::choose(&leaves, n_documents).ok_or(InferError::NoPartition)?;

    let mut columns = Columns::default();
    let fields: Vec<InferredField> = leaves
        .iter()
        .map(|leaf| InferredField {
            name: names::field(&leaf.path),
            column: columns.take(&leaf.path),
            data_type: leaf.data_type,
            required: leaf.n_values == n_documents,
            comment: leaf.comment(n_documents),
        })
        .collect();
    let name = names::plain(name, "stream");
    let toml = render::toml(&name, &fields, &partition, n_documents, sample.is_array);
    let partition_by = fields[partition.index].name.clone();
    let notes = notes(&partition, n_documents, !unnamable.is_empty());
    Ok(Inferred { toml, name, fields, n_documents, partition_by, notes })
}

/// A sample of fewer documents says little about what is optional.
const FEW_DOCUMENTS: usize = 100;

fn notes(partition: &Partition, n_documents: usize, has_empty_key: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if n_documents < FEW_DOCUMENTS {
        notes.push(format!(
            "the sample is small ({}): check what is required, for a document without it is poison",
            names::counted(n_documents, "document")
        ));
    }
    if partition.is_unique {
        notes.push("each document has its own partition value, hence layout = \"per-batch\"".to_owned());
    }
    if has_empty_key {
        notes.push("the empty key cannot be a field: its value is kept in the column EXTRA".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests;
