//! Upsert's one effect, in its own words.

use std::future::Future;

use crate::error::WarehouseError;

/// Rows to be merged in one statement.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// What the elements of each row are.
    pub columns: &'a [String],
    /// A JSON array of rows, each an array.
    pub json: &'a str,
    /// The arrivals between which the table is searched for them, as `2026-11-20 14:00:00.123`.
    pub bounds: [&'a str; 2],
}

/// The warehouse that holds the staging table.
pub trait Warehouse: Send + Sync {
    /// Inserts the rows whose position the table does not hold, and each position once; all of them or, on an
    /// error, none. Answers how many it inserted.
    fn merge(&self, rows: Rows<'_>) -> impl Future<Output = Result<u64, WarehouseError>> + Send;
}
