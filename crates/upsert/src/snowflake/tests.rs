//! A key is rotated while the function runs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_core::config::Timeouts;
use landfall_snowflake::key::KeyPair;
use serde_json::{Value, json};

use super::*;
use crate::config::PrivateKey;

/// An account that knows one key and forgets its sessions when told to.
#[derive(Debug, Clone, Default)]
struct Account(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    fingerprint: String,
    n_sessions: usize,
    forgotten: usize,
    effects: Vec<String>,
}

impl Account {
    fn knows(&self, pair: &KeyPair) {
        self.0.lock().unwrap().fingerprint.clone_from(&pair.public_key.fingerprint);
    }

    fn forgets_its_sessions(&self) {
        let mut known = self.0.lock().unwrap();
        known.forgotten = known.n_sessions;
    }

    fn effects(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().effects)
    }

    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/session/v1/login-request", post(log_in))
            .route("/queries/v1/query-request", post(query))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

async fn log_in(State(account): State<Account>, Json(body): Json<Value>) -> Json<Value> {
    let token = body["data"]["TOKEN"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    let mut known = account.0.lock().unwrap();
    if !claims["iss"].as_str().unwrap().ends_with(&known.fingerprint) {
        known.effects.push("refused".to_owned());
        return Json(json!({"data": null, "code": "390144", "message": "JWT token is invalid.", "success": false}));
    }
    known.effects.push("logged in".to_owned());
    known.n_sessions += 1;
    Json(json!({"data": {"token": known.n_sessions.to_string()}, "code": null, "message": null, "success": true}))
}

async fn query(State(account): State<Account>, headers: axum::http::HeaderMap) -> Json<Value> {
    let token = headers["authorization"].to_str().unwrap().split('"').nth(1).unwrap().parse::<usize>().unwrap();
    let mut known = account.0.lock().unwrap();
    if token <= known.forgotten {
        known.effects.push("gone".to_owned());
        return Json(json!({"data": {"queryId": "q"}, "code": "390111", "message": "gone", "success": false}));
    }
    known.effects.push("merged".to_owned());
    let column = json!({"name": "n", "type": "fixed", "nullable": true, "scale": 0, "precision": 38, "length": null});
    let data = json!({"queryId": "q", "rowtype": [column], "rowset": [["1"]], "queryResultFormat": "json"});
    Json(json!({"data": data, "code": null, "message": null, "success": true}))
}

async fn snowflake(account: &Account, key_file: &Path) -> Snowflake {
    let config = Config {
        pipeline_file: String::new(),
        account: "acme-prod".to_owned(),
        user: "LANDFALL_LOADER".to_owned(),
        private_key: PrivateKey::File(key_file.display().to_string()),
        role: None,
        warehouse: None,
        url: Some(account.serve().await),
        timeouts: Timeouts::scaled(1.0),
    };
    let pipeline = Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap();
    Snowflake::new(config, pipeline).await.unwrap()
}

async fn merge_one(snowflake: &Snowflake) -> Result<u64, WarehouseError> {
    let columns: Vec<_> = snowflake.pipeline.columns().into_iter().map(|column| column.name).collect();
    let moment = "2026-11-20 14:00:00.123";
    snowflake.merge(Rows { columns: &columns, json: "[[]]", bounds: [moment, moment] }).await
}

#[tokio::test]
async fn a_new_key_is_taken_up_without_a_deployment() {
    let (account, dir) = (Account::default(), tempfile::tempdir().unwrap());
    let (file, [old, new]) = (dir.path().join("key.p8"), [0, 1].map(|_| KeyPair::generate().unwrap()));
    std::fs::write(&file, old.private_key_pem.expose()).unwrap();
    account.knows(&old);
    let snowflake = snowflake(&account, &file).await;
    assert_eq!(merge_one(&snowflake).await.unwrap(), 1);
    assert_eq!(account.effects(), ["logged in", "merged"]);

    std::fs::write(&file, new.private_key_pem.expose()).unwrap();
    account.knows(&new);
    // As long as the session lives, nothing is asked.
    assert_eq!(merge_one(&snowflake).await.unwrap(), 1);
    account.forgets_its_sessions();
    assert_eq!(merge_one(&snowflake).await.unwrap(), 1);
    assert_eq!(merge_one(&snowflake).await.unwrap(), 1);

    assert_eq!(account.effects(), ["merged", "gone", "refused", "logged in", "merged", "merged"]);
}

#[tokio::test]
async fn a_key_that_is_refused_and_still_the_same_is_not_tried_twice() {
    let (account, dir) = (Account::default(), tempfile::tempdir().unwrap());
    let (file, [old, new]) = (dir.path().join("key.p8"), [0, 1].map(|_| KeyPair::generate().unwrap()));
    std::fs::write(&file, old.private_key_pem.expose()).unwrap();
    account.knows(&new);
    let snowflake = snowflake(&account, &file).await;

    let error = merge_one(&snowflake).await.unwrap_err();

    assert_eq!(account.effects(), ["refused"]);
    assert_eq!(error.fate, Fate::Setup);
    // The file goes, and comes back with the new key: each time it is read anew.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(merge_one(&snowflake).await.unwrap_err().fate, Fate::Setup);
    std::fs::write(&file, new.private_key_pem.expose()).unwrap();
    assert_eq!(merge_one(&snowflake).await.unwrap(), 1);
    assert_eq!(account.effects(), ["refused", "refused", "logged in", "merged"]);
}
