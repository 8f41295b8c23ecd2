//! Why an invocation fails.

use std::error::Error as StdError;

use landfall_aws::PortError;
use landfall_core::firehose::EventError;

/// Why a whole invocation fails. Firehose may try it again; when it does not, it puts the records as they came under its error
/// prefix.
///
/// That it does is documented of time-outs and throttles alone, so all that may be over in minutes is tried again before it is
/// one of these.
///
/// Source: Firehose Developer Guide, "Handle failure in data transformation".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// The event is none of Firehose's.
    #[error("failed to read the event")]
    Event(#[from] EventError),
    /// Rows could not be made into objects or an answer.
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
    /// The invocation's time is over.
    #[error(
        "failed to finish in time: {n_decoded} of {n_records} records are decoded and {n_objects} objects have landed; the next try \
         finds them there"
    )]
    CutShort {
        /// Records that are rows, poison or neither.
        n_decoded: usize,
        /// How many the event has.
        n_records: usize,
        /// Objects in the landing zone.
        n_objects: usize,
    },
}

impl TransformError {
    /// A stable name for alarms and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "Event",
            Self::Encode(_) => "Encode",
            Self::Land { source, .. } => source.kind("LandTransient", "LandSetup"),
            Self::CutShort { .. } => "OutOfTime",
            Self::DeadLetter { source, .. } => source.kind("DeadLetterTransient", "DeadLetterSetup"),
        }
    }
}
