//! The Invoke API, which callers and SDKs use: `POST /2015-03-31/functions/{name}/invocations`.
//!
//! Source: Lambda API Reference, `Invoke`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::state::json as check_json;
use super::trace::{Call, TRACE_HEADER, new_request_id};
use super::{Invoked, MAX_ASYNC_BYTES, MAX_SYNC_BYTES, environment};

pub(super) fn router() -> Router<Arc<super::state::State>> {
    Router::new().route("/2015-03-31/functions/{name}/invocations", post(invoke)).layer(DefaultBodyLimit::disable())
}

async fn invoke(
    State(host): State<Arc<super::state::State>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let kind = headers.get("x-amz-invocation-type").map_or(Ok("RequestResponse"), |kind| kind.to_str());
    let trace = headers.get(TRACE_HEADER).and_then(|trace| trace.to_str().ok());
    let Some(pool) = host.pool(function_name(&name)) else { return not_found(&name) };
    match kind {
        Ok("RequestResponse") => match collect(body, MAX_SYNC_BYTES).await {
            Collected::Whole(payload) => answer(&name, host.invoke(function_name(&name), payload, trace).await),
            Collected::TooLarge(n_bytes) => too_large(n_bytes, "RequestResponse", MAX_SYNC_BYTES),
            Collected::Broken => StatusCode::BAD_REQUEST.into_response(),
        },
        Ok("Event") => match collect(body, MAX_ASYNC_BYTES).await {
            Collected::Whole(payload) => match check_json(payload) {
                Ok(payload) => {
                    let call = Call::new(trace);
                    let request_id = call.request_id.clone();
                    host.invoke_event(pool, call, payload);
                    (StatusCode::ACCEPTED, [("x-amzn-requestid", request_id)]).into_response()
                }
                Err(error) => not_json(&error.to_string()),
            },
            Collected::TooLarge(n_bytes) => too_large(n_bytes, "Event", MAX_ASYNC_BYTES),
            Collected::Broken => StatusCode::BAD_REQUEST.into_response(),
        },
        Ok("DryRun") => (StatusCode::NO_CONTENT, [("x-amzn-requestid", new_request_id())]).into_response(),
        _ => refusal(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            json!({ "Type": "User", "message": "X-Amz-Invocation-Type is RequestResponse, Event or DryRun" }),
        ),
    }
}

/// A function's name out of what callers write: `name`, `name:qualifier`, `account:function:name`, or an ARN.
fn function_name(given: &str) -> &str {
    let name = match given.split_once("function:") {
        Some((_, name)) => name,
        None => given,
    };
    name.split(':').next().unwrap_or(name)
}

fn answer(name: &str, invoked: Invoked) -> Response {
    let (request_id, payload, function_error) = match invoked {
        Invoked::Succeeded { request_id, payload } => (request_id, payload, None),
        Invoked::Failed { request_id, payload } => (request_id, payload, Some("Unhandled")),
        Invoked::NotFound => return not_found(name),
        Invoked::TooLarge { n_bytes } => return too_large(n_bytes, "RequestResponse", MAX_SYNC_BYTES),
        Invoked::NotJson { reason } => return not_json(&reason),
        Invoked::Throttled => {
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequestsException",
                json!({
                    "Type": "User",
                    "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
                    "message": "Rate Exceeded.",
                }),
            );
        }
        Invoked::Stopped => {
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceException",
                json!({ "Type": "Service", "Message": "the local Lambda is stopping" }),
            );
        }
    };
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-requestid", &request_id),
        ("x-amz-executed-version", "$LATEST"),
    ];
    let mut response = (headers, payload).into_response();
    if let Some(function_error) = function_error {
        let value = axum::http::HeaderValue::from_static(function_error);
        response.headers_mut().insert("x-amz-function-error", value);
    }
    response
}

fn not_found(name: &str) -> Response {
    let arn = environment::arn(function_name(name));
    refusal(
        StatusCode::NOT_FOUND,
        "ResourceNotFoundException",
        json!({ "Type": "User", "Message": format!("Function not found: {arn}") }),
    )
}

fn too_large(n_bytes: usize, kind: &str, limit: usize) -> Response {
    let message = format!("{n_bytes} byte payload is too large for the {kind} invocation type (limit {limit} bytes)");
    refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", json!({ "Type": "User", "message": message }))
}

fn not_json(reason: &str) -> Response {
    refusal(
        StatusCode::BAD_REQUEST,
        "InvalidRequestContentException",
        json!({ "Type": "User", "message": format!("Could not parse request body into json: {reason}") }),
    )
}

/// An error in AWS's form; its name is in the header alone.
fn refusal(status: StatusCode, name: &'static str, body: Value) -> Response {
    let headers = [("x-amzn-errortype", name), ("x-amzn-requestid", &new_request_id())];
    (status, headers, axum::Json(body)).into_response()
}

/// What came of reading a body.
pub(super) enum Collected {
    /// All of it.
    Whole(Bytes),
    /// It is over the limit, this large.
    TooLarge(usize),
    /// It broke off.
    Broken,
}

/// Reads a body to its end, even when it is over the limit: who is still sending would not see the answer.
///
/// Beyond the limit the bytes are counted and thrown away.
pub(super) async fn collect(body: Body, limit: usize) -> Collected {
    let mut stream = body.into_data_stream();
    let (mut bytes, mut n_bytes) = (BytesMut::new(), 0);
    while let Some(chunk) = stream.next().await {
        let Ok(chunk) = chunk else { return Collected::Broken };
        n_bytes += chunk.len();
        if n_bytes <= limit {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = BytesMut::new();
        }
    }
    if n_bytes <= limit { Collected::Whole(bytes.freeze()) } else { Collected::TooLarge(n_bytes) }
}

#[cfg(test)]
mod tests {
    use super::function_name;

    #[test]
    fn a_function_is_found_by_every_form_of_its_name() {
        for given in [
            "upsert",
            "upsert:$LATEST",
            "123456789012:function:upsert",
            "arn:aws:lambda:us-east-1:123456789012:function:upsert",
            "arn:aws:lambda:us-east-1:123456789012:function:upsert:live",
        ] {
            assert_eq!(function_name(given), "upsert", "{given}");
        }
    }
}
