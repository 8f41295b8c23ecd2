//! What Landfall publishes in CloudWatch: the names, units and dimensions of its metrics.
//!
//! The dashboard and the alarms of `infra/terraform` use them by name; a test holds theirs against these.

/// The namespace of all of them.
pub const NAMESPACE: &str = "Landfall";

/// The dimension that holds pipeline.toml's name.
pub const PIPELINE: &str = "Pipeline";

/// The dimension that holds the function's name.
pub const FUNCTION: &str = "Function";

/// What stands there for `landfall reconcile`, which is no function.
pub const OF_RECONCILE: &str = "reconcile";

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    /// CloudWatch's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// As CloudWatch shows it.
    pub name: &'static str,
    /// What its values are.
    pub unit: Unit,
}

const fn count(name: &'static str) -> Metric {
    Metric { name, unit: Unit::Count }
}

const fn milliseconds(name: &'static str) -> Metric {
    Metric { name, unit: Unit::Milliseconds }
}

/// Records of the invocation's event.
pub const RECORDS: Metric = count("Records");
/// Rows: decoded by the orchestrator or the transformation, requested of upsert.
pub const ROWS: Metric = count("Rows");
/// Documents that are no rows of the pipeline.
pub const POISON: Metric = count("Poison");
/// Records that Firehose delivers without their place in a Kinesis stream: they are left to its error prefix.
pub const FAILED: Metric = count("Failed");
/// Rows that the warehouse refused.
pub const REJECTED: Metric = count("Rejected");
/// Poison and rejected rows together: what is among the dead letters after the invocation.
pub const DEAD_LETTERS: Metric = count("DeadLetters");
/// Objects landed, by this try or an earlier one.
pub const OBJECTS: Metric = count("Objects");
/// The bytes of these objects, as S3 holds them.
pub const LANDED_BYTES: Metric = Metric { name: "LandedBytes", unit: Unit::Bytes };
/// Rows that upsert found in the staging table.
pub const DUPLICATES: Metric = count("Duplicates");
/// Rows that upsert put into the staging table.
pub const INSERTED: Metric = count("Inserted");
/// How long the batch took to land.
pub const LANDING_MS: Metric = milliseconds("LandingMs");
/// How long the batch took to be upserted, as the orchestrator sees it.
pub const UPSERT_MS: Metric = milliseconds("UpsertMs");
/// From the arrival of the batch's oldest record at Kinesis until all of the batch was durable.
pub const ARRIVAL_TO_DURABLE_MS: Metric = milliseconds("ArrivalToDurableMs");
/// How long a request's rows took to be merged, with what was tried again or halved.
pub const MERGE_MS: Metric = milliseconds("MergeMs");
/// Rows that landed and that the micro-batch table should hold by now, and does not.
pub const MICROBATCH_MISSING: Metric = count("MicrobatchMissing");
/// The age of the oldest of these.
pub const MICROBATCH_LAG_MS: Metric = milliseconds("MicrobatchLagMs");

/// What each invocation of the orchestrator publishes. A time is left out where nothing was to be done.
pub const ORCHESTRATOR: [Metric; 11] = [
    RECORDS,
    ROWS,
    POISON,
    REJECTED,
    DEAD_LETTERS,
    OBJECTS,
    LANDED_BYTES,
    DUPLICATES,
    LANDING_MS,
    UPSERT_MS,
    ARRIVAL_TO_DURABLE_MS,
];

/// What each invocation of upsert publishes.
pub const UPSERT: [Metric; 5] = [ROWS, INSERTED, DUPLICATES, REJECTED, MERGE_MS];

/// What each invocation of the transformation publishes; objects are those that it lands itself.
pub const TRANSFORM: [Metric; 7] = [RECORDS, ROWS, POISON, FAILED, DEAD_LETTERS, OBJECTS, LANDED_BYTES];

/// What a reconciliation publishes.
pub const RECONCILE: [Metric; 2] = [MICROBATCH_MISSING, MICROBATCH_LAG_MS];
