//! Snowflake as the warehouse.

use landfall_core::Pipeline;
use landfall_snowflake::{Fate, Session, Table, merge};

use crate::error::WarehouseError;
use crate::ports::{Rows, Warehouse};

/// One session and the table that it merges into.
#[derive(Debug)]
pub struct Snowflake {
    pub(crate) session: Session,
    pub(crate) pipeline: Pipeline,
}

impl Warehouse for Snowflake {
    async fn merge(&self, rows: Rows<'_>) -> Result<u64, WarehouseError> {
        let Rows { columns, json, bounds: [min, max] } = rows;
        let statement =
            merge(&self.pipeline, columns).map_err(|error| setup(format!("{error}; {}", error.remedy())))?;
        let table = self.session.query(&statement, &[json, min, max]).await?;
        inserted(&table).ok_or_else(|| setup("failed to read how many rows the MERGE inserted".to_owned()))
    }
}

/// The answer to a MERGE that only inserts is one row with one number.
fn inserted(table: &Table) -> Option<u64> {
    table.rows.first()?.first()?.as_deref()?.parse().ok()
}

fn setup(what: String) -> WarehouseError {
    WarehouseError {
        fate: Fate::Setup,
        is_brief: false,
        code: String::new(),
        message: String::new(),
        what,
        source: None,
    }
}
