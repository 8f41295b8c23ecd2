//! Refusals in the words of the services that they would come from.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

fn answer(status: StatusCode, headers: &[(&'static str, &'static str)], body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().insert(*name, http::HeaderValue::from_static(value));
    }
    response
}

fn s3(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>0000000000000000</RequestId></Error>"
    );
    answer(status, &[("content-type", "application/xml"), ("x-amz-request-id", "0000000000000000")], body)
}

/// S3 has an internal error: 500.
///
/// Source: Amazon S3 API Reference, "Error responses".
pub fn s3_internal_error() -> Response<Bytes> {
    s3(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "We encountered an internal error. Please try again.")
}

/// S3 gets too many requests: 503.
pub fn s3_slow_down() -> Response<Bytes> {
    s3(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
}

/// Lambda has no free process for the function: 429.
///
/// Source: Lambda API Reference, `Invoke`.
pub fn lambda_throttle() -> Response<Bytes> {
    let body = json!({
        "Type": "User",
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "message": "Rate Exceeded.",
    });
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-errortype", "TooManyRequestsException"),
        ("x-amzn-requestid", "00000000-0000-0000-0000-000000000000"),
    ];
    answer(StatusCode::TOO_MANY_REQUESTS, &headers, body.to_string())
}

/// Snowflake refuses a statement; the status is 200, as it is there.
fn snowflake(code: &str, data: &Value, message: &str) -> Response<Bytes> {
    let body = json!({ "data": data, "code": code, "message": message, "success": false });
    answer(StatusCode::OK, &[("content-type", "application/json")], body.to_string())
}

/// Snowflake knows the session no more (390114), or says that it has expired (390112).
pub fn snowflake_session_gone(has_expired: bool) -> Response<Bytes> {
    if has_expired {
        return snowflake("390112", &Value::Null, "Your session has expired. Please login again.");
    }
    snowflake("390114", &Value::Null, "Authentication token has expired.  The user must authenticate again.")
}

/// More than 20 statements wait for the table's lock: 000625.
pub fn snowflake_lock_waiters() -> Response<Bytes> {
    let data = json!({ "errorCode": "000625", "sqlState": "57014", "queryId": "00000000-0000-0000-0000-000000000625" });
    let message = "Statement '00000000-0000-0000-0000-000000000000' has locked table 'T' in transaction 1 and this lock has \
                   not yet been released.\nYour statement was aborted because the number of waiters for this lock exceeds \
                   the 20 statements limit.";
    snowflake("000625", &data, message)
}

/// The statement ran for longer than it may and was cancelled: 000630.
pub fn snowflake_time_out() -> Response<Bytes> {
    let data = json!({ "errorCode": "000630", "sqlState": "57014", "queryId": "00000000-0000-0000-0000-000000000630" });
    let message = "Statement reached its statement or warehouse timeout of 40 second(s) and was canceled.";
    snowflake("000630", &data, message)
}
