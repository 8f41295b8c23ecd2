//! A decoded document, typed by the pipeline.

mod columns;

pub use self::columns::RowError;
use crate::pipeline::UnknownFields;
use crate::{ArrivedAt, Cell, Cells, Document, Pipeline, Position};

/// A decoded document, typed by the pipeline, with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it was decoded from, kept for its provenance and for the case that the warehouse refuses it.
    pub document: Document,
    /// One cell for each column that is not provenance, in the order of [`Pipeline::columns`].
    pub cells: Cells,
}

impl Row {
    /// Its identity.
    pub fn position(&self) -> Position {
        self.document.position()
    }

    /// The partition key of its user record.
    pub fn partition_key(&self) -> &str {
        &self.document.source.partition_key
    }

    /// When its record arrived.
    pub fn arrived_at(&self) -> ArrivedAt {
        self.document.source.arrived_at
    }

    /// The text of the value that its partition is named after.
    pub fn partition_value(&self, pipeline: &Pipeline) -> &str {
        let n_before_fields = usize::from(pipeline.unknown_fields == UnknownFields::Keep);
        let cell = self.cells.get(n_before_fields + pipeline.landing.partition_by);
        cell.and_then(Cell::as_text).unwrap_or_default()
    }

    /// The texts of the provenance columns, in their order.
    pub fn provenance(&self) -> [String; 6] {
        let source = &self.document.source;
        [
            source.shard_id.to_string(),
            source.sequence_number.to_string(),
            source.subsequence_number.to_string(),
            self.document.number.to_string(),
            source.partition_key.to_string(),
            source.arrived_at.to_string(),
        ]
    }
}
