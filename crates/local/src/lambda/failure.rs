//! A function's failures in AWS's words: `{"errorType":…,"errorMessage":…}`.

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::MAX_SYNC_BYTES;

/// The process did not answer in time and was killed.
pub(super) fn timed_out(request_id: &str, timeout: Duration) -> Bytes {
    let seconds = timeout.as_secs_f64();
    error("Sandbox.Timedout", &format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds"))
}

/// The process ended during the invocation, or before it asked for work. `log` is what it wrote last.
pub(super) fn exited(request_id: &str, status: std::io::Result<ExitStatus>, log: &str) -> Bytes {
    let reason = match status {
        Ok(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        Ok(status) => match status.code() {
            Some(code) => format!("Runtime exited with error: exit status {code}"),
            None => format!("Runtime exited with error: {status}"),
        },
        Err(error) => format!("Runtime exited with error: {error}"),
    };
    let log = if log.is_empty() { String::new() } else { format!("\n{log}") };
    error("Runtime.ExitError", &format!("RequestId: {request_id} Error: {reason}{log}"))
}

/// The program could not be started at all.
pub(super) fn not_started(request_id: &str, reason: &dyn std::error::Error) -> Bytes {
    error("Runtime.InvalidEntrypoint", &format!("RequestId: {request_id} Error: {}", landfall_core::chain(reason)))
}

/// The answer was over the limit.
pub(super) fn response_too_large() -> Bytes {
    error(
        "Function.ResponseSizeTooLarge",
        &format!("Response payload size exceeded maximum allowed payload size ({MAX_SYNC_BYTES} bytes)."),
    )
}

fn error(error_type: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string())
}
