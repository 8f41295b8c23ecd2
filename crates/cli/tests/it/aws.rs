//! An AWS over HTTP, as `landfall doctor` sees it.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use landfall_snowflake::provision::NOTIFICATION_CHANNEL;
use serde_json::{Value, json};

use crate::account::serve;

/// The account of everything in `account::OUTPUTS`.
pub(crate) const ACCOUNT: &str = "123456789012";

/// One in which all is well, unless it is told otherwise.
#[derive(Clone)]
pub(crate) struct Aws(Arc<Mutex<Inner>>);

struct Inner {
    account: &'static str,
    mapping: Value,
    queue: String,
    prefix: &'static str,
    refusal: Option<&'static str>,
    no_identity: Option<&'static str>,
}

impl Default for Aws {
    fn default() -> Self {
        let mapping = json!({
            "UUID": "11111111-2222-3333-4444-555555555555",
            "EventSourceArn": format!("arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/landfall"),
            "State": "Enabled",
            "LastProcessingResult": "OK",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        });
        let queue = NOTIFICATION_CHANNEL.to_owned();
        let (refusal, no_identity) = (None, None);
        Self(Arc::new(Mutex::new(Inner {
            account: ACCOUNT,
            mapping,
            queue,
            prefix: "kinesiscsv/",
            refusal,
            no_identity,
        })))
    }
}

impl Aws {
    /// Sets a field of the mapping.
    pub(crate) fn mapping_has(&self, field: &str, value: Value) {
        self.0.lock().unwrap().mapping[field] = value;
    }

    /// Tells this queue of what lands below this prefix.
    pub(crate) fn notifies(&self, queue: &str, prefix: &'static str) {
        let mut inner = self.0.lock().unwrap();
        (inner.queue, inner.prefix) = (queue.to_owned(), prefix);
    }

    /// Has no notification.
    pub(crate) fn notifies_nobody(&self) {
        self.0.lock().unwrap().queue.clear();
    }

    /// The credentials are those of another account.
    pub(crate) fn is_account(&self, account: &'static str) {
        self.0.lock().unwrap().account = account;
    }

    /// Takes no credentials at all.
    pub(crate) fn knows_nobody(&self, code: &'static str) {
        self.0.lock().unwrap().no_identity = Some(code);
    }

    /// Knows who asks, and refuses everything else.
    pub(crate) fn refuse(&self, code: &'static str) {
        self.0.lock().unwrap().refusal = Some(code);
    }

    pub(crate) async fn serve(&self) -> String {
        serve(Router::new().fallback(answer).with_state(self.clone())).await
    }
}

async fn answer(State(aws): State<Aws>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let inner = aws.0.lock().unwrap();
    let (query, body) = (uri.query().unwrap_or_default(), String::from_utf8_lossy(&body));
    if body.contains("Action=GetCallerIdentity") {
        return identity(&inner);
    }
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap().rsplit('.').next().unwrap());
    let is_s3 = target.is_none() && !uri.path().contains("event-source-mappings");
    if let Some(code) = inner.refusal {
        if is_s3 {
            let error =
                format!("<Error><Code>{}</Code><Message>no</Message></Error>", code.trim_end_matches("Exception"));
            return (StatusCode::FORBIDDEN, error).into_response();
        }
        let error = json!({"__type": code, "message": "no"});
        return (StatusCode::BAD_REQUEST, [("x-amzn-errortype", code)], Json(error)).into_response();
    }
    match target {
        Some("DescribeStreamSummary") => {
            let summary = json!({
                "StreamName": "landfall", "StreamARN": "arn", "StreamStatus": "ACTIVE", "RetentionPeriodHours": 48,
                "StreamCreationTimestamp": 1.0, "EnhancedMonitoring": [], "OpenShardCount": 2,
            });
            Json(json!({ "StreamDescriptionSummary": summary })).into_response()
        }
        Some(other) => panic!("{other}"),
        None if !is_s3 => {
            // By its stream, or by its function.
            let is_asked = query
                .contains("EventSourceArn=arn%3Aaws%3Akinesis%3Aus-east-1%3A123456789012%3Astream%2Flandfall")
                || query.contains("FunctionName=landfall-orchestrator");
            let mappings = if is_asked { vec![inner.mapping.clone()] } else { Vec::new() };
            Json(json!({ "EventSourceMappings": mappings })).into_response()
        }
        None if query.contains("notification") => notification(&inner).into_response(),
        None => "<ListBucketResult><Contents><Key>kinesiscsv/a</Key><Size>1</Size></Contents></ListBucketResult>"
            .into_response(),
    }
}

fn identity(inner: &Inner) -> Response {
    if let Some(code) = inner.no_identity {
        let error = format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>");
        return (StatusCode::FORBIDDEN, error).into_response();
    }
    let account = inner.account;
    format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/ada</Arn>\
         <UserId>A</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    .into_response()
}

fn notification(inner: &Inner) -> String {
    if inner.queue == "nonsense" {
        return "<SomethingElse/>".to_owned();
    }
    if inner.queue.is_empty() {
        return "<NotificationConfiguration/>".to_owned();
    }
    // With the capital that S3 answers with.
    format!(
        "<NotificationConfiguration><QueueConfiguration><Id>snowpipe</Id><Queue>{}</Queue>\
         <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>{}</Value></FilterRule>\
         </S3Key></Filter></QueueConfiguration></NotificationConfiguration>",
        inner.queue, inner.prefix
    )
}
