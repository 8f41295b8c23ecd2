//! Why an invocation fails.

use std::error::Error as StdError;

use landfall_aws::PortError;
use landfall_core::firehose::EventError;

/// Why a whole invocation fails. Firehose tries it again, three times unless it is told otherwise; then it puts the records as
/// they came under its error prefix.
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
}

impl TransformError {
    /// A stable name for alarms and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "Event",
            Self::Encode(_) => "Encode",
            Self::Land { source, .. } => source.kind("LandTransient", "LandSetup"),
            Self::DeadLetter { source, .. } => source.kind("DeadLetterTransient", "DeadLetterSetup"),
        }
    }
}
