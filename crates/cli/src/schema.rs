//! `landfall schema`: the columns of the CSV and of both staging tables.

use std::process::ExitCode;

use comfy_table::{Table, presets};
use landfall_core::Pipeline;
use landfall_core::pipeline::{EXTRA, PROVENANCE};
use landfall_snowflake::sql::column_type;
use serde::Serialize;

use crate::args::SchemaOptions;
use crate::{console, pipeline_file};

#[derive(Debug, Serialize)]
struct SchemaColumn {
    /// From 1, in the CSV and in both tables.
    number: usize,
    column: String,
    from: String,
    #[serde(rename = "type")]
    data_type: String,
    snowflake_type: String,
    required: bool,
}

pub(crate) fn run(options: &SchemaOptions) -> anyhow::Result<ExitCode> {
    let pipeline = pipeline_file::load(options.pipeline.as_deref())?.pipeline;
    if options.json {
        console::print(&serde_json::to_string_pretty(&columns(&pipeline))?)?;
    } else {
        console::print(&text(&pipeline))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The columns as a table for people, and where they are.
pub(crate) fn text(pipeline: &Pipeline) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["#", "column", "from", "type", "in Snowflake"]);
    for SchemaColumn { number, column, from, data_type, snowflake_type, required } in columns(pipeline) {
        let not_null = if required { " NOT NULL" } else { "" };
        table.add_row([number.to_string(), column, from, data_type, format!("{snowflake_type}{not_null}")]);
    }
    let target = &pipeline.snowflake;
    format!(
        "{4}\n\nThe CSV has no header: its fields stand in this order, as do the columns of\n  {0}.{1}.{2}\n  {0}.{1}.{3}",
        target.database,
        target.schema,
        target.streaming_table,
        target.microbatch_table,
        table.trim_fmt()
    )
}

fn columns(pipeline: &Pipeline) -> Vec<SchemaColumn> {
    let from = |name: &str| {
        if PROVENANCE.iter().any(|(provenance, ..)| *provenance == name) {
            return "the Kinesis record".to_owned();
        }
        if name == EXTRA {
            return "all other keys".to_owned();
        }
        let field = pipeline.fields.iter().find(|field| field.column == name);
        field.map(|field| field.name.clone()).unwrap_or_default()
    };
    let columns = pipeline.columns();
    let schema_column = |(index, column): (usize, &landfall_core::pipeline::Column)| SchemaColumn {
        number: index + 1,
        column: column.name.clone(),
        from: from(&column.name),
        data_type: column.data_type.to_string(),
        snowflake_type: column_type(column),
        required: column.required,
    };
    columns.iter().enumerate().map(schema_column).collect()
}
