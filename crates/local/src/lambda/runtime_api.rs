//! The Runtime API, which the functions' processes call: `/{instance}/2018-06-01/runtime/…`.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::time::Instant;

use super::MAX_SYNC_BYTES;
use super::invoke_api::{Collected, collect};
use super::port::{Event, Port};

type Host = State<Arc<super::state::State>>;

pub(super) fn router() -> Router<Arc<super::state::State>> {
    Router::new()
        .route("/{instance}/2018-06-01/runtime/invocation/next", get(next))
        .route("/{instance}/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/{instance}/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/{instance}/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::disable())
}

/// Hands out the next job, whenever there is one.
async fn next(State(host): Host, Path(instance): Path<String>) -> Response {
    let Some(port) = host.ports.get(&instance) else { return unknown("InvalidInstance", &instance) };
    tell(&port, Event::Polled(Instant::now()));
    let mut jobs = port.jobs.lock().await;
    let Some(job) = jobs.recv().await else { return StatusCode::GONE.into_response() };
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", job.request_id),
        ("lambda-runtime-deadline-ms", job.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", job.arn),
        ("lambda-runtime-trace-id", job.trace),
    ];
    (headers, job.payload).into_response()
}

/// Takes the answer to the job.
async fn response(State(host): Host, Path((instance, id)): Path<(String, String)>, body: Body) -> Response {
    let Some(port) = host.ports.get(&instance) else { return unknown("InvalidInstance", &instance) };
    let event = match collect(body, MAX_SYNC_BYTES).await {
        Collected::Whole(payload) => Event::Responded(payload),
        Collected::TooLarge(_) => Event::RespondedTooMuch,
        Collected::Broken => return StatusCode::BAD_REQUEST.into_response(),
    };
    if !port.finish(&id) {
        return unknown("InvalidRequestID", &id);
    }
    let status = match event {
        Event::RespondedTooMuch => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::ACCEPTED,
    };
    tell(&port, event);
    (status, axum::Json(json!({ "status": status.canonical_reason() }))).into_response()
}

/// Takes the job's error.
async fn error(State(host): Host, Path((instance, id)): Path<(String, String)>, body: Body) -> Response {
    let Some(port) = host.ports.get(&instance) else { return unknown("InvalidInstance", &instance) };
    let Collected::Whole(error) = collect(body, MAX_SYNC_BYTES).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !port.finish(&id) {
        return unknown("InvalidRequestID", &id);
    }
    tell(&port, Event::Failed(error));
    StatusCode::ACCEPTED.into_response()
}

/// Takes the reason why a process cannot start.
async fn init_error(State(host): Host, Path(instance): Path<String>, body: Body) -> Response {
    let Some(port) = host.ports.get(&instance) else { return unknown("InvalidInstance", &instance) };
    let Collected::Whole(error) = collect(body, MAX_SYNC_BYTES).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    tell(&port, Event::InitFailed(error));
    StatusCode::ACCEPTED.into_response()
}

/// Nobody listens once the process is given up.
fn tell(port: &Port, event: Event) {
    port.events.send(event).ok();
}

fn unknown(error_type: &str, id: &str) -> Response {
    let error = json!({ "errorType": error_type, "errorMessage": format!("unknown or finished: {id}") });
    (StatusCode::BAD_REQUEST, axum::Json(error)).into_response()
}
