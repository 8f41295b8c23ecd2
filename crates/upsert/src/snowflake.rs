//! Snowflake as the warehouse.

use std::sync::Arc;
use std::time::Duration;

use landfall_core::Pipeline;
use landfall_core::config::StartError;
use landfall_snowflake::{Fate, Secret, Session, SessionError, Table, merge};
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::config::Config;
use crate::error::WarehouseError;
use crate::function::session_with;
use crate::ports::{Rows, Warehouse};
use crate::secret::private_key;

/// How long fetching the private key again may take.
const KEY_TIME_OUT: Duration = Duration::from_secs(5);

/// One session and the table that it merges into.
///
/// The private key may become another while the function runs. A log-in that is refused has it fetched again, and where
/// it is another by then, there is another session: a key is rotated without a deployment.
#[derive(Debug)]
pub struct Snowflake {
    config: Config,
    pipeline: Pipeline,
    current: Mutex<Current>,
}

/// A session and the key that it logs in with.
#[derive(Debug)]
struct Current {
    session: Arc<Session>,
    key: Secret,
}

impl Snowflake {
    /// A warehouse with the private key of now; nobody is logged in yet.
    pub(crate) async fn new(config: Config, pipeline: Pipeline) -> Result<Self, StartError> {
        let key = private_key(&config.private_key).await?;
        let session = Arc::new(session_with(&config, key.clone(), &pipeline)?);
        Ok(Self { config, pipeline, current: Mutex::new(Current { session, key }) })
    }

    pub(crate) async fn log_in(&self) -> Result<(), SessionError> {
        self.session().await.log_in().await
    }

    async fn session(&self) -> Arc<Session> {
        Arc::clone(&self.current.lock().await.session)
    }

    async fn query(&self, sql: &str, binds: &[&str]) -> Result<Table, SessionError> {
        let session = self.session().await;
        match session.query(sql, binds).await {
            Err(error) if error.is_log_in_refused() => match self.with_another_key(&session).await {
                // The log-in was refused, so the statement did not run.
                Some(session) => session.query(sql, binds).await,
                None => Err(error),
            },
            answer => answer,
        }
    }

    /// A session with the key of now, if that is another than `refused` had.
    async fn with_another_key(&self, refused: &Arc<Session>) -> Option<Arc<Session>> {
        let mut current = self.current.lock().await;
        if !Arc::ptr_eq(&current.session, refused) {
            return Some(Arc::clone(&current.session));
        }
        let key = match tokio::time::timeout(KEY_TIME_OUT, private_key(&self.config.private_key)).await {
            Ok(Ok(key)) => key,
            Ok(Err(error)) => {
                warn!(error = %landfall_core::chain(&error), "failed to fetch the private key again");
                return None;
            }
            Err(_) => {
                warn!("failed to fetch the private key again: no answer in time");
                return None;
            }
        };
        if key == current.key {
            return None;
        }
        let session = Arc::new(session_with(&self.config, key.clone(), &self.pipeline).ok()?);
        *current = Current { session: Arc::clone(&session), key };
        info!("private key replaced");
        Some(session)
    }
}

impl Warehouse for Snowflake {
    async fn merge(&self, rows: Rows<'_>) -> Result<u64, WarehouseError> {
        let Rows { columns, json, bounds: [min, max] } = rows;
        let statement =
            merge(&self.pipeline, columns).map_err(|error| setup(format!("{error}; {}", error.remedy())))?;
        let table = self.query(&statement, &[json, min, max]).await?;
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

#[cfg(test)]
mod tests;
