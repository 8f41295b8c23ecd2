//! What tells one invocation from another: its request id, and the X-Ray trace that it is part of.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a caller says what an invocation is part of. The AWS SDK of a function sends its own trace along.
pub(super) const TRACE_HEADER: &str = "x-amzn-trace-id";

/// An invocation.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) request_id: String,
    /// `Root=1-<8 hex digits of the time>-<24 hex>;Parent=<16 hex>;Sampled=0`.
    pub(super) trace: String,
}

impl Call {
    /// A new one, in the trace of its caller or else in one of its own. None is sampled: nobody collects them here.
    pub(super) fn new(trace: Option<&str>) -> Self {
        Self { request_id: new_request_id(), trace: trace.map_or_else(new_trace, str::to_owned) }
    }
}

/// A new id in the form of a random UUID.
pub(super) fn new_request_id() -> String {
    let n = random() & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        n >> 80 & 0xffff,
        n >> 64 & 0xffff,
        n >> 48 & 0xffff,
        n & 0xffff_ffff_ffff
    )
}

fn new_trace() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("Root=1-{seconds:08x}-{:024x};Parent={:016x};Sampled=0", random() >> 32, random() >> 64)
}

fn random() -> u128 {
    // Each `RandomState` has keys of its own, the first of the process from the system's randomness.
    let (high, low) = (RandomState::new().hash_one(0), RandomState::new().hash_one(1));
    (u128::from(high) << 64) | u128::from(low)
}
