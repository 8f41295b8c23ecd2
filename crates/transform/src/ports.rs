//! The transform function's effects, in its own words.

use std::future::Future;

use landfall_core::landing::Object;

use crate::error::PortError;

/// Where objects are put: the landing zone and the dead letters.
pub trait ObjectStore: Send + Sync {
    /// Puts an object unless its key is taken. A key names its bytes, so one that is taken holds the same: an earlier try
    /// had written it.
    fn put(&self, object: Object) -> impl Future<Output = Result<(), PortError>> + Send;
}
