//! A Snowflake of a few lines: it answers statements from a list and records every request in order.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use landfall_snowflake::{Config, Credentials, Secret, Session};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use serde_json::{Value, json};

/// What the fake answers to a statement.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Json(Value),
    Status(u16),
    /// Nothing, ever.
    Silence,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    log_in: Option<Answer>,
    answers: VecDeque<Answer>,
    n_log_ins: usize,
    effects: Vec<String>,
    bodies: Vec<Value>,
}

pub(crate) fn refusal(code: &str) -> Answer {
    let data = json!({"errorCode": code, "sqlState": "00000", "queryId": "01b0"});
    Answer::Json(json!({"data": data, "code": code, "message": format!("message of {code}"), "success": false}))
}

pub(crate) fn rows(columns: &[(&str, &str, u8)], rows: Value) -> Answer {
    let types: Vec<_> = columns
        .iter()
        .map(|(name, data_type, scale)| {
            json!({"name": name, "type": data_type, "nullable": true, "scale": scale, "precision": 38, "length": null})
        })
        .collect();
    let data = json!({"queryId": "01b0", "rowtype": types, "rowset": rows, "queryResultFormat": "json"});
    Answer::Json(json!({"data": data, "code": null, "message": null, "success": true}))
}

impl Fake {
    pub(crate) fn answering(answers: &[Answer]) -> Self {
        let fake = Self::default();
        fake.0.lock().unwrap().answers = answers.iter().cloned().collect();
        fake
    }

    pub(crate) fn refusing_log_in(answer: Answer) -> Self {
        let fake = Self::default();
        fake.0.lock().unwrap().log_in = Some(answer);
        fake
    }

    /// What the clients asked for, in order.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.0.lock().unwrap().effects.clone()
    }

    /// The bodies of the same requests.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.0.lock().unwrap().bodies.clone()
    }

    /// Serves until the test's runtime ends, and gives the settings that lead here.
    pub(crate) async fn config(&self) -> Config {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/session/v1/login-request", post(log_in))
            .route("/queries/v1/query-request", post(query))
            .route("/queries/v1/abort-request", post(abort))
            .with_state(self.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        config(Some(base_url))
    }

    pub(crate) async fn session(&self) -> Session {
        Session::new(self.config().await).unwrap()
    }

    fn record(&self, effect: String, body: &Bytes) {
        let mut inner = self.0.lock().unwrap();
        inner.effects.push(effect);
        inner.bodies.push(serde_json::from_slice(body).unwrap());
    }
}

pub(crate) fn config(base_url: Option<String>) -> Config {
    Config {
        account: "org-account".to_owned(),
        user: "LANDFALL".to_owned(),
        credentials: Credentials::PrivateKey(Secret::new(KEY.as_str())),
        base_url,
        role: Some("LOADER".to_owned()),
        warehouse: Some("XS".to_owned()),
        database: None,
        schema: None,
        query_tag: "landfall/sensors".to_owned(),
        statement_timeout: Duration::from_millis(39_500),
    }
}

/// One key for all tests, made anew each time: none is checked in.
static KEY: LazyLock<String> = LazyLock::new(|| {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
});

async fn log_in(State(fake): State<Fake>, body: Bytes) -> Response {
    let (n, refusal) = {
        let mut inner = fake.0.lock().unwrap();
        inner.n_log_ins += 1;
        (inner.n_log_ins, inner.log_in.clone())
    };
    fake.record(format!("log in {n}"), &body);
    match refusal {
        None => Json(json!({"data": {"token": format!("token-{n}")}, "code": null, "message": null, "success": true}))
            .into_response(),
        Some(answer) => respond(answer).await,
    }
}

async fn query(State(fake): State<Fake>, headers: axum::http::HeaderMap, body: Bytes) -> Response {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    let sql = serde_json::from_slice::<Value>(&body).unwrap()["sqlText"].as_str().unwrap().to_owned();
    fake.record(format!("{sql} with {token}"), &body);
    let answer = fake.0.lock().unwrap().answers.pop_front();
    respond(answer.unwrap_or(Answer::Status(500))).await
}

async fn abort(State(fake): State<Fake>, body: Bytes) -> Response {
    fake.record("abort".to_owned(), &body);
    Json(json!({"data": null, "code": null, "message": null, "success": true})).into_response()
}

async fn respond(answer: Answer) -> Response {
    match answer {
        Answer::Json(json) => Json(json).into_response(),
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Silence => std::future::pending().await,
    }
}
