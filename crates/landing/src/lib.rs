//! Where the orchestrator and transform put objects: the landing zone and the dead letters, which are in one bucket.

mod bucket;

use std::future::Future;

use landfall_aws::PortError;
use landfall_core::landing::Object;

pub use bucket::Bucket;

/// Where objects are put: the landing zone and the dead letters.
pub trait ObjectStore: Send + Sync {
    /// Puts an object unless its key is taken. A key names its bytes, so one that is taken holds the same.
    fn put(&self, object: Object) -> impl Future<Output = Result<Put, PortError>> + Send;
}

/// What a put came to. The object is durable either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object is new.
    Written,
    /// An earlier try had written it.
    Existed,
}
