//! The private key comes from Secrets Manager, and nothing of it is seen.

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use landfall_core::{Pipeline, decode, upsert};
use landfall_local::lambda::{Function, Invoked, LambdaHost};
use tokio::net::TcpListener;

use crate::support::{SENSORS, TestStack, sensor, sensor_row, start};

/// A Secrets Manager with one answer, whatever it is asked for.
async fn secrets_manager(status: u16, answer: serde_json::Value) -> SocketAddr {
    let status = StatusCode::from_u16(status).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", post(move || async move { (status, Json(answer)) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn upsert_function(test: &TestStack, secrets: SocketAddr) -> LambdaHost {
    let env = [
        ("PIPELINE_FILE", test.stack.dir().join("pipeline.toml").display().to_string()),
        ("SNOWFLAKE_ACCOUNT", "local".to_owned()),
        ("SNOWFLAKE_USER", "LANDFALL".to_owned()),
        ("SNOWFLAKE_URL", test.stack.snowflake.endpoint().to_owned()),
        ("SNOWFLAKE_PRIVATE_KEY_SECRET", "landfall/snowflake-key".to_owned()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", format!("http://{secrets}")),
    ];
    let function = Function {
        name: "upsert".to_owned(),
        program: env!("CARGO_BIN_EXE_landfall-tests").into(),
        args: vec!["upsert".to_owned()],
        env: env.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        timeout: std::time::Duration::from_secs(60),
        memory_mb: 128,
        concurrency: 1,
        log_file: test.stack.dir().join("logs/upsert-with-secret.log"),
    };
    LambdaHost::start(vec![function], 0).await.unwrap()
}

async fn invoke(host: &LambdaHost) -> Invoked {
    let pipeline = Pipeline::from_toml(SENSORS).unwrap();
    let rows = decode(&pipeline, &[sensor(100, 6, 64, "OK")]).rows;
    let requests = upsert::requests(&rows, upsert::MAX_REQUEST_BYTES).unwrap().planned;
    let request = requests[0].request(&pipeline).unwrap();
    host.invoker().invoke("upsert", serde_json::to_vec(&request).unwrap().into()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn upsert_logs_in_with_the_key_from_secrets_manager() {
    let test = start().await;
    let key = std::fs::read_to_string(test.stack.snowflake.key_file()).unwrap();
    let secrets =
        secrets_manager(200, serde_json::json!({ "Name": "landfall/snowflake-key", "SecretString": key })).await;
    let host = upsert_function(&test, secrets).await;

    let Invoked::Succeeded { payload, .. } = invoke(&host).await else { panic!("it failed") };

    assert_eq!(payload, r#"{"inserted":1,"duplicates":0,"rejected":[]}"#);
    assert_eq!(test.streaming().await, [sensor_row(100, 6, 64, "OK")]);
    host.stop().await;
    // No line of the key is in a log or in anything else that the run left, but for the key's own file.
    let key_line = key.lines().nth(1).unwrap().to_owned();
    let log = std::fs::read_to_string(test.stack.dir().join("logs/upsert-with-secret.log")).unwrap();
    assert!(log.contains("request done") && !log.contains(&key_line), "{log}");
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_there_is_named_at_cold_start() {
    let test = start().await;
    let answer = serde_json::json!({ "__type": "ResourceNotFoundException", "Message": "not found" });
    let secrets = secrets_manager(400, answer).await;
    let host = upsert_function(&test, secrets).await;

    let Invoked::Failed { payload, .. } = invoke(&host).await else { panic!("it did not fail") };

    let message = String::from_utf8_lossy(&payload);
    assert!(
        message.contains("failed to fetch the secret landfall/snowflake-key; check SNOWFLAKE_PRIVATE_KEY_SECRET"),
        "{message}"
    );
    host.stop().await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_fails_the_cold_start_and_is_not_shown() {
    let test = start().await;
    let secret = "not-a-key-but-a-secret";
    let secrets = secrets_manager(200, serde_json::json!({ "SecretString": secret })).await;
    let host = upsert_function(&test, secrets).await;

    let Invoked::Failed { payload, .. } = invoke(&host).await else { panic!("it did not fail") };

    let message = String::from_utf8_lossy(&payload);
    assert!(message.contains("Runtime.ExitError") && message.contains("as unencrypted PKCS#8 PEM"), "{message}");
    assert!(!message.contains(secret), "{message}");
    host.stop().await;
    test.stack.stop().await;
}
