//! What may stand between the services of a stack.

use tokio::sync::mpsc::UnboundedReceiver;

use super::Endpoints;
use crate::s3::ObjectCreated;

/// What stands between the services of a stack: nothing, or the faults of a test.
pub trait Between: Send {
    /// Where the functions are to find the services that are at `real`.
    fn endpoints(&mut self, real: Endpoints) -> Endpoints {
        real
    }

    /// What Snowpipe is to be told of the objects that S3 tells of.
    fn notifications(&mut self, real: UnboundedReceiver<ObjectCreated>) -> UnboundedReceiver<ObjectCreated> {
        real
    }
}

impl Between for () {}
