//! The kinds of faults, and how often each was injected.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Leg;

macro_rules! kinds {
    ($($kind:ident => $text:literal,)+) => {
        /// What is done to the pipeline.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = $text] $kind,)+
        }

        impl Kind {
            /// All of them, in the order of the services.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];
        }

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(Self::$kind => $text,)+
                })
            }
        }
    };
}

kinds! {
    S3InternalError => "S3: 500 InternalError",
    S3SlowDown => "S3: 503 SlowDown",
    S3ResetBefore => "S3: reset before the object was written",
    S3ResetAfter => "S3: reset after the object was written",
    S3NeverAnswers => "S3: a response that never comes",
    S3Late => "S3: a request that arrives late",
    SnowflakeResetBefore => "Snowflake: reset before the MERGE",
    SnowflakeResetAfter => "Snowflake: reset after the MERGE committed",
    SnowflakeSessionGone => "Snowflake: session gone",
    SnowflakeLockWaiters => "Snowflake: 000625, too many lock waiters",
    SnowflakeTimeOut => "Snowflake: 000630, a statement over its time",
    SnowflakeNeverAnswers => "Snowflake: an answer that never comes",
    SnowflakeLate => "Snowflake: a MERGE that arrives late",
    UpsertThrottled => "Lambda: 429 for upsert",
    UpsertAnswerLost => "Lambda: upsert's answer lost, the rows merged",
    UpsertNeverAnswers => "Lambda: an answer of upsert that never comes",
    UpsertTimedOut => "Lambda: upsert over its time",
    UpsertKilled => "Lambda: upsert killed",
    OrchestratorKilled => "Lambda: orchestrator killed",
    OrchestratorTimedOut => "Lambda: orchestrator over its time",
    OrchestratorOutOfTime => "Lambda: orchestrator with too little time left for a request",
    OrchestratorThrottled => "Lambda: 429 for the orchestrator",
    OrchestratorAnswerLost => "Lambda: the orchestrator's answer lost, all effects done",
    BatchTwice => "mapping: a batch delivered twice at once",
    RecordTwice => "mapping: a record twice in an event",
    ReCut => "mapping: a batch cut at other boundaries",
    ParallelBatches => "mapping: two batches of a shard in parallel",
    Split => "mapping: a shard split",
    Merged => "mapping: two shards merged",
    OldCheckpoint => "mapping: a restart from an old checkpoint",
    GivenUp => "mapping: a batch given up to the on-failure destination",
    Replayed => "mapping: a batch replayed from there",
    NotificationLost => "Snowpipe: a notification lost",
    NotificationDoubled => "Snowpipe: a notification doubled",
    NotificationLate => "Snowpipe: a notification out of order",
}

impl Kind {
    /// Whether a leg injects it.
    pub fn is_of(self, leg: Leg) -> bool {
        let re_cuts = [Self::RecordTwice, Self::ReCut, Self::ParallelBatches, Self::OldCheckpoint];
        match leg {
            Leg::Everything => true,
            Leg::WholeBatches => !re_cuts.contains(&self),
            Leg::Redrive => [Self::ParallelBatches, Self::GivenUp, Self::Replayed].contains(&self),
        }
    }
}

/// How often each kind was injected. Clones count together.
#[derive(Debug, Clone)]
pub struct Tally(Arc<[AtomicU64]>);

impl Default for Tally {
    fn default() -> Self {
        Self(Kind::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl Tally {
    pub(crate) fn count(&self, kind: Kind) {
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often a kind was injected.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize].load(Ordering::Relaxed)
    }

    /// How often any was.
    pub fn total(&self) -> u64 {
        Kind::ALL.iter().map(|kind| self.of(*kind)).sum()
    }
}
