//! Why a request fails.

pub use landfall_snowflake::Fate;
use landfall_snowflake::SessionError;

/// Why the warehouse did not merge.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct WarehouseError {
    /// What becomes of the rows.
    pub fate: Fate,
    /// Whether another try within seconds may go better.
    pub is_brief: bool,
    /// Snowflake's code, or empty.
    pub code: String,
    /// What Snowflake said about the data, for a dead letter. It may quote a value.
    pub message: String,
    /// What happened and, for a setup fault, what to change. Quotes no value.
    pub what: String,
    /// What was beneath it, when that quotes no value either.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl From<SessionError> for WarehouseError {
    fn from(error: SessionError) -> Self {
        let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        let code = error.code().unwrap_or_default().to_owned();
        let message = error.message().unwrap_or_default().to_owned();
        let (fate, is_brief) = (error.fate(), error.is_brief());
        // Snowflake's words may quote a value, and these go to the log: so of what it answered only the code, unless the
        // code is known to be about something else than values.
        let query = error.query_id().map(|id| format!(", query {id}")).unwrap_or_default();
        let (what, source): (_, Option<Box<dyn std::error::Error + Send + Sync>>) = match fate {
            Fate::Data => (format!("the warehouse refused a value ({code}{query})"), None),
            Fate::Transient if !code.is_empty() => (format!("the warehouse answered with error {code}{query}"), None),
            Fate::Transient | Fate::Setup => (format!("failed to merge{remedy}"), Some(Box::new(error))),
        };
        Self { fate, is_brief, code, message, what, source }
    }
}

/// Why a whole request fails; the orchestrator's batch is retried.
///
/// A row that the warehouse refuses for its values is not on this list: it comes back as rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpsertError {
    /// The request is of another version of the contract.
    #[error(
        "failed to read a request of version {version}: this build speaks version {known}; deploy upsert first, then the orchestrator"
    )]
    Version {
        /// As requested.
        version: u32,
        /// As understood.
        known: u32,
    },
    /// The request does not hold together.
    #[error("failed to read the request: {what}")]
    Request {
        /// What is wrong.
        what: &'static str,
        /// Why.
        source: Option<serde_json::Error>,
    },
    /// The warehouse did not merge.
    #[error("failed to merge {n_rows} rows")]
    Merge {
        /// Rows in the statement.
        n_rows: usize,
        /// Why.
        source: WarehouseError,
    },
    /// So many rows are refused that they cannot be told from the others in time: no poison, but a table that does not
    /// fit the pipeline.
    #[error(
        "failed to find every refused row in time: {n_rejected} found so far, the last for code {code}, {n_left} rows left; \
         compare the table's columns with the pipeline's: landfall schema"
    )]
    TooManyRefused {
        /// Rows found to be refused.
        n_rejected: usize,
        /// Snowflake's code for the last refusal.
        code: String,
        /// Rows not yet decided about.
        n_left: usize,
    },
    /// The warehouse says that it inserted more rows than it was given.
    #[error("failed to account for {n_rows} rows: the warehouse says it inserted {inserted}")]
    Unaccounted {
        /// Rows in the statement.
        n_rows: usize,
        /// As answered.
        inserted: u64,
    },
}

impl UpsertError {
    /// A stable name for alarms and metrics. The orchestrator takes one that ends in `Setup` for a setup fault.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Version { .. } => "VersionSetup",
            Self::Request { .. } => "RequestSetup",
            Self::Merge { source: WarehouseError { fate: Fate::Setup, .. }, .. } => "MergeSetup",
            Self::Merge { .. } => "MergeTransient",
            Self::TooManyRefused { .. } => "TooManyRefusedSetup",
            Self::Unaccounted { .. } => "Unaccounted",
        }
    }
}
