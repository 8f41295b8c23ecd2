//! The warehouse in memory, recording every statement in order. Public, so that tests of other crates use it.

use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;

use crate::error::{Fate, WarehouseError};
use crate::ports::{Rows, Warehouse};

/// A staging table in memory: a whole row is its own position.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    table: Vec<String>,
    merges: Vec<String>,
    refused: Vec<String>,
    failure: Option<Fate>,
    n_brief: usize,
}

impl Memory {
    /// The table's rows as JSON, in the order in which they came.
    pub fn table(&self) -> Vec<String> {
        self.with(|state| state.table.clone())
    }

    /// Every statement so far: its rows and its bounds.
    pub fn merges(&self) -> Vec<String> {
        self.with(|state| state.merges.clone())
    }

    /// Makes every statement with this row a data error.
    pub fn refuse(&self, row: &str) {
        self.with(|state| state.refused.push(row.to_owned()));
    }

    /// Lets the next statement fail with this fate.
    pub fn fail(&self, fate: Fate) {
        self.with(|state| state.failure = Some(fate));
    }

    /// Lets the next `n` statements meet a brief obstacle.
    pub fn fail_briefly(&self, n: usize) {
        self.with(|state| state.n_brief = n);
    }

    fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Warehouse for Memory {
    async fn merge(&self, rows: Rows<'_>) -> Result<u64, WarehouseError> {
        let Rows { json, bounds: [min, max], .. } = rows;
        let error = |fate, code: &str, message: &str| WarehouseError {
            fate,
            is_brief: false,
            code: code.to_owned(),
            message: message.to_owned(),
            what: "as the test wants".to_owned(),
            source: None,
        };
        let rows: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|fault| error(Fate::Setup, "", &fault.to_string()))?;
        self.with(|state| {
            state.merges.push(format!("{json} {min}..{max}"));
            if let Some(n_left) = state.n_brief.checked_sub(1) {
                state.n_brief = n_left;
                return Err(WarehouseError { is_brief: true, ..error(Fate::Transient, "000625", "") });
            }
            if let Some(fate) = state.failure.take() {
                return Err(error(fate, "", ""));
            }
            if rows.iter().any(|row| state.refused.iter().any(|refused| refused == row.get())) {
                return Err(error(Fate::Data, "100038", "Numeric value is not recognized"));
            }
            let mut inserted = 0;
            for row in rows {
                if !state.table.iter().any(|known| known == row.get()) {
                    state.table.push(row.get().to_owned());
                    inserted += 1;
                }
            }
            Ok(inserted)
        })
    }
}
