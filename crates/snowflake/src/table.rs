//! Results of statements.

use snowflake_connector_rs as connector;
use snowflake_connector_rs::ColumnType;

use crate::cell::rendered;
use crate::error::Cause;

/// The result of a statement, as text.
///
/// A cell is what a person would write, and exact: numbers in all their digits, `true` or `false`, dates
/// `2026-11-20`, timestamps `2026-11-20 14:00:00.123` (always three decimals, more when these are not zero; a zone
/// after it, `+00:00`, for the types that have one), VARIANT as JSON on one line. NULL is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// As Snowflake names them: upper-case unless quoted in the statement.
    pub columns: Vec<String>,
    /// What the cells of each column are.
    pub kinds: Vec<Kind>,
    /// In the order of the result.
    pub rows: Vec<Vec<Option<String>>>,
}

/// What the text of a column's cells is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number. A FLOAT may also be `NaN`, `inf` or `-inf`.
    Number,
    /// `true` or `false`.
    Boolean,
    /// JSON: VARIANT, OBJECT or ARRAY.
    Json,
    /// Text, or what has no form of its own: dates, timestamps, binary.
    Text,
}

impl Kind {
    fn of(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::Fixed { .. } | ColumnType::Real => Self::Number,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Variant | ColumnType::Object | ColumnType::Array => Self::Json,
            _ => Self::Text,
        }
    }
}

/// Cells as the connector holds them: Snowflake's own text.
struct RawRow(Vec<Option<String>>);

impl connector::FromRow for RawRow {
    type Plan = usize;

    fn build_plan(context: connector::RowPlanContext<'_>) -> Result<usize, connector::error::PlanBuildError> {
        Ok(context.schema().len())
    }

    fn from_row_with_plan(
        row: connector::RowRef<'_>,
        n_columns: &usize,
    ) -> Result<Self, connector::error::RowDecodeError> {
        let cells = (0..*n_columns).map(|i| Ok(row.cell_at(i)?.raw().map(str::to_owned)));
        Ok(Self(cells.collect::<Result<_, connector::error::SchemaError>>()?))
    }
}

pub(crate) fn to_table(result: &connector::ResultTable) -> Result<Table, Cause> {
    let columns = result.schema().columns();
    let mut rows = Vec::with_capacity(result.row_count());
    for row in result.rows::<RawRow>()? {
        let mut cells = Vec::with_capacity(columns.len());
        for (raw, column) in row?.0.into_iter().zip(columns) {
            let cell = raw.map(|raw| {
                rendered(&raw, column.ty()).ok_or_else(|| Cause::Cell {
                    column: column.name().to_owned(),
                    column_type: column.ty().to_string(),
                })
            });
            cells.push(cell.transpose()?);
        }
        rows.push(cells);
    }
    Ok(Table {
        columns: columns.iter().map(|column| column.name().to_owned()).collect(),
        kinds: columns.iter().map(|column| Kind::of(column.ty())).collect(),
        rows,
    })
}
