//! Why a batch fails.

use std::error::Error as StdError;
use std::time::Duration;

use landfall_core::event::EventError;

/// Why an effect failed, in the words of whoever was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PortError {
    /// Whether trying again may help.
    pub fate: Fate,
    /// What happened, and for a setup fault what to change.
    pub what: String,
    /// What was beneath it.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What becomes of a batch after a failure. Poison is not on this list: it fails no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Trying again may help: the network, a throttle, a lock.
    Transient,
    /// Somebody has to change something first: a name, a right, a version. Retried all the same, until the
    /// records age out, so that nothing is lost meanwhile.
    Setup,
}

impl Fate {
    /// What an AWS service's HTTP status means; `None` is no answer at all.
    ///
    /// 408 and 429 are time-outs and throttles; 409 is a race with another conditional write, or a function
    /// that is being updated. What else is no 5xx (a right, a name, another region's bucket) stays until
    /// somebody acts.
    pub(crate) fn of_status(status: Option<u16>) -> Self {
        match status {
            None | Some(408 | 409 | 429 | 500..) => Self::Transient,
            Some(_) => Self::Setup,
        }
    }
}

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

impl PortError {
    fn kind(&self, transient: &'static str, setup: &'static str) -> &'static str {
        match self.fate {
            Fate::Transient => transient,
            Fate::Setup => setup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_somebody_has_to_act_on_is_a_setup_fault() {
        for status in [301, 307, 400, 403, 404, 413] {
            assert_eq!(Fate::of_status(Some(status)), Fate::Setup, "{status}");
        }
        for status in [408, 409, 429, 500, 502, 503, 504] {
            assert_eq!(Fate::of_status(Some(status)), Fate::Transient, "{status}");
        }
        assert_eq!(Fate::of_status(None), Fate::Transient);
    }
}
