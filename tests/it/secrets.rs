//! The private key comes from Secrets Manager, and nothing of it is seen.

use std::path::Path;

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use landfall_core::{Pipeline, decode, upsert};
use landfall_local::lambda::{Function, Invoked, LambdaHost};
use tokio::net::TcpListener;

use crate::support::{SENSORS, TestStack, record, sensor, sensor_row, start};

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
    upsert_function_at(test, secrets, test.stack.snowflake.endpoint(), "INFO").await
}

/// Upsert, with the account's URL and what it logs.
async fn upsert_function_at(test: &TestStack, secrets: SocketAddr, url: &str, log_level: &str) -> LambdaHost {
    let env = [
        ("AWS_LAMBDA_LOG_LEVEL", log_level.to_owned()),
        ("PIPELINE_FILE", test.stack.dir().join("pipeline.toml").display().to_string()),
        ("SNOWFLAKE_ACCOUNT", "local".to_owned()),
        ("SNOWFLAKE_USER", "LANDFALL".to_owned()),
        ("SNOWFLAKE_URL", url.to_owned()),
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

/// Every form in which a key could be seen: the lines of its PEM, and parts of what they encode, as bytes and in hex.
///
/// The lines alone find it in one line, inside of JSON and between other text as well.
fn forms(pem: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let lines: Vec<&str> = pem.lines().filter(|line| !line.is_empty() && !line.starts_with("-----")).collect();
    assert!(lines.len() > 10, "no PEM of a key: {} lines", lines.len());
    let der = base64::engine::general_purpose::STANDARD.decode(lines.concat()).unwrap();
    // The first bytes are those of any key.
    let parts = der[64..].chunks_exact(32);
    let hex = parts.clone().map(|part| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
    let bytes = parts.clone().map(<[u8]>::to_vec);
    lines.iter().map(|line| line.as_bytes().to_vec()).chain(bytes).chain(hex).collect()
}

#[track_caller]
fn shows_nothing(forms: &[Vec<u8>], what: &str, bytes: &[u8]) {
    for form in forms {
        let is_there = bytes.windows(form.len()).any(|window| window == form);
        assert!(!is_there, "{what} holds a part of the key, {} bytes in one of {} forms", form.len(), forms.len());
    }
}

/// All files below a folder, however deep, but for the one that is to hold the key.
fn files(folder: &Path, key_file: &Path) -> Vec<std::path::PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path != key_file {
                files.push(path);
            }
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_key_is_in_what_a_run_leaves_or_says() {
    let test = start().await;
    let key_file = test.stack.snowflake.key_file().to_owned();
    let key = std::fs::read_to_string(&key_file).unwrap();
    let nowhere = "http://127.0.0.1:1";
    let here = test.stack.snowflake.endpoint().to_owned();
    // The whole key that works and one that reaches nobody; a key cut short, without line breaks, and inside of JSON.
    let half: String =
        key.lines().take(8).chain(["-----END PRIVATE KEY-----"]).map(|line| format!("{line}\n")).collect();
    let json = serde_json::json!({ "key": key }).to_string();
    let cases = [
        (key.clone(), here.as_str()),
        (key.clone(), nowhere),
        (half, here.as_str()),
        (key.replace('\n', " "), here.as_str()),
        (json, here.as_str()),
    ];
    test.takes(&[sensor(99, 6, 64, "OK"), record(98, "no JSON")]).await;
    let mut answers = Vec::new();

    for (secret, url) in cases {
        let secrets = secrets_manager(200, serde_json::json!({ "SecretString": secret })).await;
        let host = upsert_function_at(&test, secrets, url, "TRACE").await;
        answers.push(invoke(&host).await);
        host.stop().await;
    }

    let succeeded: Vec<_> = answers.iter().map(|answer| matches!(answer, Invoked::Succeeded { .. })).collect();
    assert_eq!(succeeded, [true, false, false, false, false]);
    let forms = forms(&key);
    for (index, answer) in answers.iter().enumerate() {
        let (Invoked::Succeeded { payload, .. } | Invoked::Failed { payload, .. }) = answer else {
            panic!("{answer:?}")
        };
        shows_nothing(&forms, &format!("answer {index}"), payload);
    }
    let dir = test.stack.dir().to_owned();
    test.stack.stop().await;
    let files = files(&dir, &key_file);
    assert!(files.iter().any(|file| file.ends_with("logs/upsert-with-secret.log")) && files.len() > 5, "{files:?}");
    for file in files {
        shows_nothing(&forms, &file.display().to_string(), &std::fs::read(&file).unwrap());
    }
    // This one is of the run's output, and does hold it: what is looked for can be found.
    let found = std::panic::catch_unwind(|| shows_nothing(&forms, "the key's file", key.as_bytes()));
    assert!(found.is_err());
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
