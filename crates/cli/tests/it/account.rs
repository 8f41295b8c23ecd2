//! A Snowflake account and a Secrets Manager over HTTP, as a command sees them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_snowflake::provision::{Account as _, Memory};
use serde_json::{Value, json};

/// What Terraform says after its first phase.
pub(crate) const OUTPUTS: &str = r#"{
  "landing_bucket": {"sensitive": false, "type": "string", "value": "acme-landing"},
  "landing_prefix": {"sensitive": false, "type": "string", "value": "kinesiscsv"},
  "storage_role_arn": {"value": "arn:aws:iam::123456789012:role/landfall-snowflake-storage"},
  "storage_external_id": {"value": "landfall-0123456789abcdef"},
  "snowflake_secret_arn": {"value": "arn:aws:secretsmanager:us-east-1:123456789012:secret:landfall/snowflake-key-AbCdEf"},
  "region": {"value": "us-east-1"},
  "snowflake_account": {"value": "acme-prod"},
  "orchestrator_function": {"value": "landfall-orchestrator"},
  "stream": {"value": "landfall"},
  "stream_arn": {"value": "arn:aws:kinesis:us-east-1:123456789012:stream/landfall"},
  "event_source_mapping": {"value": "11111111-2222-3333-4444-555555555555"},
  "phase": {"value": 2}
}"#;

/// An account, its front page and what it was logged in with.
#[derive(Clone, Default)]
pub(crate) struct Account(Arc<Inner>);

#[derive(Default)]
struct Inner {
    memory: Memory,
    log_ins: Mutex<Vec<Value>>,
    log_in_queries: Mutex<Vec<String>>,
    refusal: Mutex<Option<String>>,
    key_refusal: Mutex<Option<String>>,
    status: Mutex<Option<u16>>,
    date: Mutex<Option<String>>,
    looks_at_keys: AtomicBool,
}

impl Account {
    pub(crate) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// The bodies of all log-ins.
    pub(crate) fn log_ins(&self) -> Vec<Value> {
        self.0.log_ins.lock().unwrap().clone()
    }

    /// What their URLs said of role and warehouse.
    pub(crate) fn log_in_queries(&self) -> Vec<String> {
        self.0.log_in_queries.lock().unwrap().clone()
    }

    /// Refuses every log-in so.
    pub(crate) fn refuse(&self, message: &str) {
        *self.0.refusal.lock().unwrap() = Some(message.to_owned());
    }

    /// Refuses every log-in with a key so.
    pub(crate) fn refuse_keys(&self, message: &str) {
        *self.0.key_refusal.lock().unwrap() = Some(message.to_owned());
    }

    /// Lets the service user in with a key that it has been given, and with no other.
    pub(crate) fn look_at_keys(&self) {
        self.0.looks_at_keys.store(true, Ordering::Relaxed);
    }

    /// The fingerprints of the service user's keys.
    pub(crate) async fn keys(&self) -> [Option<String>; 2] {
        landfall_snowflake::provision::public_keys(self.memory(), "LANDFALL_LOADER").await.unwrap()
    }

    /// Answers every log-in with this status and a page that is none of Snowflake's.
    pub(crate) fn answer_log_ins_with(&self, status: u16) {
        *self.0.status.lock().unwrap() = Some(status);
    }

    /// Lives at another time.
    pub(crate) fn say_it_is(&self, date: &str) {
        *self.0.date.lock().unwrap() = Some(date.to_owned());
    }

    pub(crate) async fn serve(&self) -> String {
        let router = Router::new()
            .route("/", get(front))
            .route("/session/v1/login-request", post(log_in))
            .route("/queries/v1/query-request", post(query))
            .with_state(self.clone());
        serve(router).await
    }
}

pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn front(State(account): State<Account>) -> Response {
    let date = account.0.date.lock().unwrap().clone();
    match date {
        Some(date) => ([("date", date)], "").into_response(),
        None => "".into_response(),
    }
}

async fn log_in(State(account): State<Account>, uri: Uri, Json(body): Json<Value>) -> Response {
    account.0.log_in_queries.lock().unwrap().push(uri.query().unwrap_or_default().to_owned());
    let is_known = is_known(&account, &body["data"]).await;
    let has_key = body["data"]["AUTHENTICATOR"] == "SNOWFLAKE_JWT";
    account.0.log_ins.lock().unwrap().push(body);
    if let Some(status) = *account.0.status.lock().unwrap() {
        return (StatusCode::from_u16(status).unwrap(), "<html>no</html>").into_response();
    }
    if !is_known {
        let invalid = "JWT token is invalid.";
        return Json(json!({"data": null, "code": "390144", "message": invalid, "success": false})).into_response();
    }
    let of_keys = account.0.key_refusal.lock().unwrap().clone().filter(|_| has_key);
    if let Some(message) = account.0.refusal.lock().unwrap().clone().or(of_keys) {
        return Json(json!({"data": null, "code": "390144", "message": message, "success": false})).into_response();
    }
    Json(json!({"data": {"token": "t"}, "code": null, "message": null, "success": true})).into_response()
}

/// Whether a user may log in; a token names its user and key as `ACCOUNT.USER.SHA256:…`.
async fn is_known(account: &Account, log_in: &Value) -> bool {
    if !account.0.looks_at_keys.load(Ordering::Relaxed) || log_in["AUTHENTICATOR"] != "SNOWFLAKE_JWT" {
        return true;
    }
    let claims = log_in["TOKEN"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let (_, fingerprint) = claims["iss"].as_str().unwrap().rsplit_once('.').unwrap();
    account.keys().await.iter().flatten().any(|key| key == fingerprint)
}

async fn query(State(account): State<Account>, Json(body): Json<Value>) -> Json<Value> {
    let sql = body["sqlText"].as_str().unwrap();
    match account.memory().run(sql, &[]).await {
        Ok(table) => {
            let column = |name: &String| json!({"name": name, "type": "text", "nullable": true, "scale": null, "precision": null, "length": 100});
            let columns: Vec<_> = table.columns.iter().map(column).collect();
            let data = json!({"queryId": "q", "rowtype": columns, "rowset": table.rows, "queryResultFormat": "json"});
            Json(json!({"data": data, "code": null, "message": null, "success": true}))
        }
        Err(error) => {
            let data = json!({"errorCode": error.code, "sqlState": "00000", "queryId": "q"});
            Json(json!({"data": data, "code": error.code, "message": error.what, "success": false}))
        }
    }
}

/// Secrets Manager with one secret.
#[derive(Clone, Default)]
pub(crate) struct SecretsManager(Arc<Mutex<Option<String>>>);

impl SecretsManager {
    pub(crate) fn value(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn set(&self, value: &str) {
        *self.0.lock().unwrap() = Some(value.to_owned());
    }

    pub(crate) async fn serve(&self) -> String {
        serve(Router::new().route("/", post(secret)).with_state(self.clone())).await
    }
}

async fn secret(State(secrets): State<SecretsManager>, headers: HeaderMap, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let operation = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap().to_owned();
    let value = secrets.value();
    match (operation.as_str(), value) {
        ("DescribeSecret", value) => {
            let versions = if value.is_some() { json!({"v": ["AWSCURRENT"]}) } else { json!({}) };
            Json(json!({"Name": "landfall/snowflake-key", "VersionIdsToStages": versions})).into_response()
        }
        ("PutSecretValue", _) => {
            secrets.set(body["SecretString"].as_str().unwrap());
            Json(json!({"Name": "landfall/snowflake-key", "VersionId": "v"})).into_response()
        }
        (_, Some(value)) => Json(json!({"Name": "landfall/snowflake-key", "SecretString": value})).into_response(),
        _ => {
            let error = json!({"__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"});
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
    }
}
