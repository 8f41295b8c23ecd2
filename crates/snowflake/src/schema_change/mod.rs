//! What a change of pipeline.toml does to staging tables that hold rows.
//!
//! Objects are loaded by position and the ones in flight were written before the change, so fields are append-only: a
//! new optional field becomes a new last column, and a required one may become optional. Everything else is refused
//! before anything has changed.

mod deployed;
mod refusal;

use std::fmt;

use landfall_core::Pipeline;
use landfall_core::pipeline::Column;

pub use self::deployed::{Deployed, DeployedColumn, deployed_query, described};
pub use self::refusal::{Refusal, SchemaError};
use crate::sql::{column_type, in_schema, quoted};

/// What brings the deployed tables to the pipeline: nothing, most of the time.
///
/// A table that is not there is no part of it: the scripts of [`crate::ddl`] make that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order to run them in.
    pub changes: Vec<Change>,
}

/// One change to one table. Making it again changes nothing.
///
/// Displayed, it is a line for a person: `KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table, without database and schema.
    pub table: String,
    /// What changes: `+ HUMIDITY NUMBER(38,0)`.
    pub what: String,
    /// The ALTER TABLE.
    pub statement: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.what)
    }
}

/// What to alter, each table by itself: one may have been altered before and the other not.
///
/// # Errors
/// All that is refused, at once; then nothing is to be altered.
pub fn plan(pipeline: &Pipeline, deployed: &Deployed) -> Result<Plan, SchemaError> {
    let (target, columns) = (&pipeline.snowflake, pipeline.columns());
    let mut plan = Plan::default();
    let mut refusals: Vec<Refusal> = Vec::new();
    for (table, deployed) in
        [(&target.streaming_table, &deployed.streaming), (&target.microbatch_table, &deployed.microbatch)]
    {
        if deployed.is_empty() {
            continue;
        }
        for (what, remedy) in refusal::reasons(&columns, deployed) {
            match refusals.iter_mut().find(|refusal| refusal.what == what) {
                Some(refusal) => refusal.tables.push(table.clone()),
                None => refusals.push(Refusal { tables: vec![table.clone()], what, remedy }),
            }
        }
        plan.changes.extend(columns.iter().filter_map(|column| change(pipeline, table, column, deployed)));
    }
    if refusals.is_empty() { Ok(plan) } else { Err(SchemaError { refusals }) }
}

fn change(pipeline: &Pipeline, table: &str, column: &Column, deployed: &[DeployedColumn]) -> Option<Change> {
    let (name, data_type) = (&column.name, column_type(column));
    let (what, action) = match deployed.iter().find(|deployed| deployed.name == *name) {
        None => (format!("+ {name} {data_type}"), format!("ADD COLUMN IF NOT EXISTS {} {data_type}", quoted(name))),
        Some(deployed) if !deployed.is_nullable && !column.required => (
            format!("~ {name} {data_type}, no longer NOT NULL"),
            format!("ALTER COLUMN {} DROP NOT NULL", quoted(name)),
        ),
        // A field that became required: its old rows may be NULL, so the table stays as it is.
        Some(_) => return None,
    };
    let statement = format!("ALTER TABLE {} {action}", in_schema(pipeline, table));
    Some(Change { table: table.to_owned(), what, statement })
}

#[cfg(test)]
mod tests;
