//! The orchestrator's effects, in its own words.

use std::future::Future;

use landfall_core::landing::Object;
use landfall_core::upsert::{Request, Response};

use crate::error::PortError;

/// Where objects are put: the landing zone and the dead letters.
pub trait ObjectStore: Send + Sync {
    /// Puts an object unless its key is taken. A key names its bytes, so one that is taken holds the same.
    fn put(&self, object: Object) -> impl Future<Output = Result<Put, PortError>> + Send;
}

/// What a put came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object is new.
    Written,
    /// An earlier try had written it.
    Existed,
}

/// Who merges rows into the staging table.
pub trait Upsert: Send + Sync {
    /// Merges a request's rows and waits until that is durable. Idempotent by the rows' positions.
    fn upsert(&self, request: &Request) -> impl Future<Output = Result<Response, PortError>> + Send;
}

/// The effects together.
#[derive(Debug, Clone)]
pub struct Ports<S, U> {
    /// The landing zone and the dead letters.
    pub store: S,
    /// The upsert function; `None` when rows are not upserted.
    pub upsert: Option<U>,
}
