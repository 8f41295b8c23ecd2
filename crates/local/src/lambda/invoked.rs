//! What became of an invocation, and the limits it had to keep.

use bytes::Bytes;

/// The largest payload of a synchronous invocation, and the largest answer: 6 MB.
pub const MAX_SYNC_BYTES: usize = 6 * 1024 * 1024;

/// The largest payload of an asynchronous (`Event`) invocation: 1 MB.
pub const MAX_ASYNC_BYTES: usize = 1024 * 1024;

/// What became of a synchronous invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invoked {
    /// The function answered.
    Succeeded {
        /// The invocation's id, as in the function's log.
        request_id: String,
        /// The answer, JSON.
        payload: Bytes,
    },
    /// The function failed: it returned an error, panicked, exited, or took too long. Over HTTP this is status 200 with
    /// `X-Amz-Function-Error: Unhandled`.
    Failed {
        /// The invocation's id, as in the function's log.
        request_id: String,
        /// `{"errorType":…,"errorMessage":…}`.
        payload: Bytes,
    },
    /// All processes that the function may have are busy (429).
    Throttled,
    /// There is no such function (404).
    NotFound,
    /// The payload is over [`MAX_SYNC_BYTES`] (413).
    TooLarge {
        /// The payload's size.
        n_bytes: usize,
    },
    /// The payload is not JSON (400).
    NotJson {
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The host was stopped before the function answered (503).
    Stopped,
}
