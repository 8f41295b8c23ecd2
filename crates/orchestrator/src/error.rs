//! Why a batch fails.

use std::error::Error as StdError;
use std::time::Duration;

use landfall_aws::PortError;
use landfall_core::event::EventError;

/// Why a whole batch fails and is retried.
///
/// A poison record is not on this list: it becomes a dead letter and its neighbours go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrchestratorError {
    /// The event has no records with positions.
    #[error("failed to read the event")]
    Event(#[from] EventError),
    /// Rows could not be made into objects or requests.
    #[error("failed to encode rows")]
    Encode(#[source] Box<dyn StdError + Send + Sync>),
    /// The landing zone refused an object.
    #[error("failed to land {key}")]
    Land {
        /// The object's key.
        key: String,
        /// Why.
        source: PortError,
    },
    /// The dead letters refused an object.
    #[error("failed to store dead letters as {key}")]
    DeadLetter {
        /// The object's key.
        key: String,
        /// Why.
        source: PortError,
    },
    /// The upsert function failed.
    #[error("failed to upsert request {index} of {n_requests} ({n_rows} rows)")]
    Upsert {
        /// From 1.
        index: usize,
        /// How many the batch has.
        n_requests: usize,
        /// Rows in this one.
        n_rows: usize,
        /// Why.
        source: PortError,
    },
    /// The upsert function's answer does not account for each row.
    #[error(
        "failed to account for {n_rows} rows: upsert answered {inserted} inserted, {duplicates} duplicates, {n_rejected} rejected"
    )]
    Unaccounted {
        /// Rows in the request.
        n_rows: usize,
        /// As answered.
        inserted: u64,
        /// As answered.
        duplicates: u64,
        /// As answered.
        n_rejected: usize,
    },
    /// What is left of the invocation's time would not suffice for another request.
    #[error("failed to upsert in time: {n_left} of {n_requests} requests were left with {left:?} to go")]
    OutOfTime {
        /// Requests not yet sent.
        n_left: usize,
        /// How many the batch has.
        n_requests: usize,
        /// Time that was left.
        left: Duration,
    },
    /// The invocation's time is over.
    #[error(
        "failed to finish in time: {n_objects} objects have landed and {n_upserted} of {n_rows} rows are upserted; the next \
         try finds them there"
    )]
    CutShort {
        /// Objects in the landing zone.
        n_objects: usize,
        /// Rows that upsert has answered for.
        n_upserted: usize,
        /// Rows in the batch.
        n_rows: usize,
    },
}

impl OrchestratorError {
    /// A stable name for alarms and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "Event",
            Self::Encode(_) => "Encode",
            Self::Land { source, .. } => source.kind("LandTransient", "LandSetup"),
            Self::DeadLetter { source, .. } => source.kind("DeadLetterTransient", "DeadLetterSetup"),
            Self::Upsert { source, .. } => source.kind("UpsertTransient", "UpsertSetup"),
            Self::Unaccounted { .. } => "Unaccounted",
            Self::OutOfTime { .. } | Self::CutShort { .. } => "OutOfTime",
        }
    }
}
