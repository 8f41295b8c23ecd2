//! The mistakes of a first day: each is made for real, and the message says what to do.

mod aws;
mod key;
mod landing;
mod snowflake;

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use axum::Router;
use axum::response::Response;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::SENSORS;

type Variable<'a> = (&'a str, &'a str);

/// What the local services take.
const AWS: [Variable<'_>; 3] =
    [("AWS_ACCESS_KEY_ID", "landfall"), ("AWS_SECRET_ACCESS_KEY", "landfall-local"), ("AWS_REGION", "us-east-1")];

const ORCHESTRATOR: [Variable<'_>; 2] =
    [("LANDING_BUCKET", "acme-landing-zone"), ("UPSERT_FUNCTION", "landfall-upsert")];

const UPSERT: [Variable<'_>; 3] =
    [("SNOWFLAKE_ACCOUNT", "acme-prod"), ("SNOWFLAKE_USER", "LANDFALL"), ("SNOWFLAKE_PRIVATE_KEY_FILE", "rsa_key.p8")];

/// One key for all tests, made anew each time.
static KEY: LazyLock<rsa::RsaPrivateKey> =
    LazyLock::new(|| rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap());

/// The key as upsert takes it.
fn pem() -> String {
    KEY.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
}

/// A function's folder: its pipeline, and upsert's key.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.toml"), SENSORS).unwrap();
    std::fs::write(folder.path().join("rsa_key.p8"), pem()).unwrap();
    folder
}

/// A function that is to be started in its folder, outside Lambda, with nothing but these variables.
fn function(folder: &Path, name: &str, variables: &[&[Variable<'_>]]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall-tests"));
    command.arg(name).current_dir(folder).env_clear().envs(variables.concat());
    // Nobody's profiles, and no minute of asking a machine in the cloud.
    command.env("HOME", folder).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// What a function says that does not start.
async fn cold_start(folder: &Path, name: &str, variables: &[&[Variable<'_>]]) -> String {
    said(function(folder, name, variables)).await
}

async fn said(mut command: Command) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let run = move || {
        let mut child = command.spawn().unwrap();
        // Held: it ends with its parent.
        let _stdin = child.stdin.take();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (child.wait().unwrap().code(), said)
    };
    let (code, said) = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(code, Some(1), "{said}");
    is_for_a_person(&said);
    said.strip_prefix("error: ").unwrap_or_else(|| panic!("{said}")).trim_end().to_owned()
}

/// No panic, no structure of the code, no pages and nothing of the key.
#[track_caller]
fn is_for_a_person(message: &str) {
    for bad in
        ["panicked", "Error {", "Error(", "SdkError", "unhandled", "Some(", "kind:", "Attempted", "<html", "<?xml"]
    {
        assert!(!message.contains(bad), "{bad}: {message}");
    }
    let pem = pem();
    assert!(pem.lines().skip(1).take(20).all(|line| !message.contains(line)), "{message}");
}

/// A server with one answer, whatever it is asked for; its URL.
async fn server(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(move || async move { answer() });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
