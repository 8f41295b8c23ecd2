//! A decoded document, typed by the pipeline.

use std::ops::Range;
use std::sync::Arc;

use crate::{ArrivedAt, Position};

/// A decoded document, typed by the pipeline, with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its identity.
    pub position: Position,
    /// The Kinesis partition key of its record.
    pub partition_key: Arc<str>,
    /// When its record arrived.
    pub arrived_at: ArrivedAt,
    /// One cell for each column that is not provenance, in the order of [`crate::Pipeline::columns`].
    pub cells: Vec<Cell>,
    /// The text of the value that its partition is named after.
    pub partition_value: Arc<str>,
    /// The bytes that it was decoded from, kept for the case that the warehouse refuses it.
    pub document: Document,
}

/// One value of a row. Scalars stay text from the producer to the warehouse: no number passes through a float.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// SQL NULL: absent, or JSON `null`.
    Null,
    /// A scalar, checked against the column's type.
    Text(Box<str>),
    /// JSON for a VARIANT column.
    Json(Box<str>),
}

impl Cell {
    /// The text of a scalar or of JSON; `None` for NULL.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Json(text) => Some(text),
        }
    }
}

/// The bytes of one document inside its user record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The whole user record, shared by its documents.
    pub user_record: Arc<[u8]>,
    /// Where the document stands in it.
    pub range: Range<usize>,
}

impl Document {
    /// The document's own bytes.
    pub fn bytes(&self) -> &[u8] {
        self.user_record.get(self.range.clone()).unwrap_or_default()
    }
}

impl Row {
    /// The texts of the provenance columns, in their order.
    pub fn provenance(&self) -> [String; 6] {
        [
            self.position.shard_id.to_string(),
            self.position.sequence_number.to_string(),
            self.position.subsequence_number.to_string(),
            self.position.document_number.to_string(),
            self.partition_key.to_string(),
            self.arrived_at.to_string(),
        ]
    }
}
