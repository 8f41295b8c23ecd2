//! The orchestrator's effects, in its own words. The store that it shares with transform is [`landfall_landing::ObjectStore`].

use std::future::Future;

use landfall_aws::PortError;
use landfall_core::upsert::{Request, Response};

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
