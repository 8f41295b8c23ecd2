//! Changes that a table with rows cannot follow.

use std::fmt;

use landfall_core::pipeline::{Column, EXTRA, PROVENANCE};

use super::DeployedColumn;
use crate::sql::column_type;

/// A change of the pipeline that deployed tables cannot follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One or both, without database and schema.
    pub tables: Vec<String>,
    /// What is refused, and why.
    pub what: String,
    /// What to do instead.
    pub remedy: &'static str,
}

/// Everything about a pipeline that the deployed tables cannot follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// At least one.
    pub refusals: Vec<Refusal>,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_refusals = self.refusals.len();
        let are = if n_refusals == 1 { " is" } else { "s are" };
        write!(f, "failed to fit the deployed tables to the pipeline: {n_refusals} change{are} refused")?;
        for Refusal { tables, what, remedy } in &self.refusals {
            let table = if let [table] = &tables[..] { table } else { "both tables" };
            write!(f, "\n  {table}: {what}; {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaError {}

/// What is refused, and what to do instead.
type Reason = (String, &'static str);

/// Why a table cannot be altered to hold `columns`; nothing when it can.
pub(super) fn reasons(columns: &[Column], deployed: &[DeployedColumn]) -> Vec<Reason> {
    if let Some(reason) = not_ours(deployed) {
        // What else is different follows from that.
        return vec![reason];
    }
    let mut reasons = Vec::new();
    reasons.extend(extra(columns, deployed));
    reasons.extend(removed(columns, deployed));
    reasons.extend(reordered(columns, deployed));
    reasons.extend(added(columns, deployed));
    reasons.extend(retyped(columns, deployed));
    reasons
}

fn not_ours(deployed: &[DeployedColumn]) -> Option<Reason> {
    let provenance = PROVENANCE.map(|(name, ..)| name);
    if deployed.iter().map(|column| column.name.as_str()).take(provenance.len()).eq(provenance) {
        return None;
    }
    let what = format!("the table does not begin with {}, so it is not one of Landfall's", provenance.join(", "));
    Some((what, "name another table in [snowflake], or rename that one: ALTER TABLE … RENAME TO …"))
}

/// `EXTRA` stands before the fields, so that it comes and goes with the table only.
fn extra(columns: &[Column], deployed: &[DeployedColumn]) -> Option<Reason> {
    match (has(columns, EXTRA), is_deployed(deployed, EXTRA)) {
        (true, false) => Some((
            format!("unknown_fields = \"keep\" needs the column {EXTRA} before the fields, and new columns come last"),
            "set unknown_fields back to \"ignore\" or \"reject\", or start anew: other tables in [snowflake] and another prefix in [landing]",
        )),
        (false, true) => Some((
            format!("only unknown_fields = \"keep\" fills the column {EXTRA}, and objects are loaded by position"),
            "set unknown_fields = \"keep\" again, or start anew: other tables in [snowflake] and another prefix in [landing]",
        )),
        _ => None,
    }
}

fn removed(columns: &[Column], deployed: &[DeployedColumn]) -> impl Iterator<Item = Reason> {
    let removed = deployed.iter().filter(|column| column.name != EXTRA && !has(columns, &column.name));
    removed.map(|DeployedColumn { name, .. }| {
        (
            format!("no field fills the column {name}, and objects are loaded by position"),
            "keep the field (optional: what producers leave out is NULL), or start anew: other tables in [snowflake] and another prefix in [landing]",
        )
    })
}

/// Numbers are those of `landfall schema`, from 1.
fn reordered(columns: &[Column], deployed: &[DeployedColumn]) -> Option<Reason> {
    let in_table = (1..).zip(deployed).filter(|(_, column)| has(columns, &column.name));
    let in_pipeline = (1..).zip(columns).filter(|(_, column)| is_deployed(deployed, &column.name));
    let (mut there, mut here) = (Vec::new(), Vec::new());
    for ((n_there, column_there), (n_here, column_here)) in in_table.zip(in_pipeline) {
        if column_there.name != column_here.name {
            there.push(format!("{n_there} {}", column_there.name));
            here.push(format!("{n_here} {}", column_here.name));
        }
    }
    if there.is_empty() {
        return None;
    }
    let what = format!(
        "columns changed places, and objects are loaded by position: {} in the table, {} in the pipeline",
        there.join(", "),
        here.join(", ")
    );
    Some((what, "put the fields back in the order of the table: fields are append-only"))
}

fn added(columns: &[Column], deployed: &[DeployedColumn]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let name = &column.name;
        if name == EXTRA || is_deployed(deployed, name) {
            continue;
        }
        if let Some(next) = columns[index..].iter().find(|next| is_deployed(deployed, &next.name)) {
            reasons.push((
                format!("the new column {name} stands before {}, and new columns come last", next.name),
                "move the field to the end: fields are append-only",
            ));
        }
        if column.required {
            reasons.push((
                format!("the new column {name} is required, and the rows that are there have no value for it"),
                "make the field optional: records that are in the stream already would be poison, too",
            ));
        }
    }
    reasons
}

fn retyped(columns: &[Column], deployed: &[DeployedColumn]) -> impl Iterator<Item = Reason> {
    columns.iter().filter_map(|column| {
        let deployed = deployed.iter().find(|deployed| deployed.name == column.name)?;
        let data_type = catalogue_type(column);
        let what = format!("the column {} is {} and would be {data_type}", column.name, deployed.data_type);
        (deployed.data_type != data_type).then_some((
            what,
            "give the field its type back, or start anew: other tables in [snowflake] and another prefix in [landing]",
        ))
    })
}

/// The type as [`DeployedColumn`] has it: a timestamp without its precision.
fn catalogue_type(column: &Column) -> String {
    let data_type = column_type(column);
    match data_type.split_once('(') {
        Some((timestamp @ "TIMESTAMP_NTZ", _)) => timestamp.to_owned(),
        _ => data_type,
    }
}

fn has(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|column| column.name == name)
}

fn is_deployed(deployed: &[DeployedColumn], name: &str) -> bool {
    deployed.iter().any(|column| column.name == name)
}
