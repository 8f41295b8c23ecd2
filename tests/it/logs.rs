//! What the functions log: no payload at any level, and JSON where Lambda wants it.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use landfall_core::firehose::{self, UserRecord};
use landfall_core::{Record, event};
use landfall_local::lambda::{Function, Invoked, LambdaHost};
use landfall_local::shards::STREAM_ARN;
use landfall_local::stack::BUCKET;
use serde_json::{Value, json};

use crate::support::{TestStack, record, sensor, start};

/// The functions of a stack once more, in a Lambda that has them log otherwise.
struct Logging<'a> {
    test: &'a TestStack,
    format: &'a str,
    level: &'a str,
}

impl Logging<'_> {
    fn log_file(&self, role: &str) -> PathBuf {
        self.test.stack.dir().join(format!("logs/{role}-{}-{}.log", self.format, self.level))
    }

    async fn host(&self, roles: &[&str], env: &[(&str, &str)]) -> LambdaHost {
        let pipeline_file = self.test.stack.dir().join("pipeline.toml").display().to_string();
        let common = [
            ("AWS_LAMBDA_LOG_FORMAT", self.format),
            ("AWS_LAMBDA_LOG_LEVEL", self.level),
            ("PIPELINE_FILE", &pipeline_file),
        ];
        let env: Vec<_> =
            common.iter().chain(env).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let function = |role: &&str| Function {
            name: (*role).to_owned(),
            program: env!("CARGO_BIN_EXE_landfall-tests").into(),
            args: vec![(*role).to_owned()],
            env: env.clone(),
            timeout: Duration::from_secs(180),
            memory_mb: 128,
            concurrency: 1,
            log_file: self.log_file(role),
        };
        LambdaHost::start(roles.iter().map(function).collect(), 0).await.unwrap()
    }

    async fn upsert(&self) -> LambdaHost {
        let snowflake = &self.test.stack.snowflake;
        let env = [
            ("SNOWFLAKE_ACCOUNT", "local"),
            ("SNOWFLAKE_USER", "LANDFALL"),
            ("SNOWFLAKE_URL", snowflake.endpoint()),
            ("SNOWFLAKE_PRIVATE_KEY_FILE", &snowflake.key_file().display().to_string()),
        ];
        self.host(&["upsert"], &env).await
    }

    async fn others(&self, upsert: &LambdaHost) -> LambdaHost {
        let env = [
            ("LANDING_BUCKET", BUCKET),
            ("UPSERT_FUNCTION", "upsert"),
            ("AWS_ENDPOINT_URL_S3", &self.test.stack.s3.endpoint()),
            ("AWS_ENDPOINT_URL_LAMBDA", &upsert.endpoint()),
        ];
        self.host(&["orchestrator", "transform"], &env).await
    }

    fn log(&self, role: &str) -> String {
        std::fs::read_to_string(self.log_file(role)).unwrap()
    }
}

fn delivered(records: &[Record]) -> String {
    let named = |record: &Record| {
        (record.sequence_number.to_string(), UserRecord { record: record.clone(), subsequence_number: 0 })
    };
    let named: Vec<_> = records.iter().map(named).collect();
    firehose::render(&named, "arn:aws:firehose:us-east-1:0:deliverystream/s", STREAM_ARN)
}

/// A text, and what stands for it in base64 wherever it begins.
fn forms(text: &str) -> Vec<String> {
    let shifted = (0..3).map(|n_before| {
        let encoded = STANDARD_NO_PAD.encode([&vec![b'.'; n_before][..], text.as_bytes()].concat());
        // What is of its neighbours too is left out.
        encoded[4.min(4 * n_before)..encoded.len() - 2].to_owned()
    });
    shifted.chain([text.to_owned()]).collect()
}

#[test]
fn a_text_is_found_in_base64_wherever_it_begins() {
    let text = "payload-7f3a";
    for before in ["", "a", "ab", "abc", "abcd"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{before}{text}behind"));
        assert!(forms(text).iter().any(|form| encoded.contains(form)), "{encoded}: {:?}", forms(text));
    }
    assert!(forms(text).iter().all(|form| form.len() > 8), "{:?}", forms(text));
}

/// Lambda's runtime and the AWS SDK would log events and requests.
#[tokio::test(flavor = "multi_thread")]
async fn no_payload_is_in_a_log() {
    let (marker, refused) = ("payload-7f3a-of-a-producer", "777777777777777777777777777777");
    let records = [
        sensor(100, 6, 64, marker),
        record(101, format!("{marker} is no JSON")),
        // Refused by the local warehouse, whose NUMBER has 64 bits.
        record(102, format!("{{\"sensorId\":{refused}}}")),
    ];
    let test = start().await;
    for (format, level) in [("JSON", "TRACE"), ("Text", "TRACE"), ("JSON", "INFO")] {
        let logging = Logging { test: &test, format, level };
        let upsert = logging.upsert().await;
        let others = logging.others(&upsert).await;

        for (role, event) in [("orchestrator", event::render(&records, STREAM_ARN)), ("transform", delivered(&records))]
        {
            let invoked = others.invoker().invoke(role, event.into()).await;
            assert!(matches!(invoked, Invoked::Succeeded { .. }), "{invoked:?}");
        }

        others.stop().await;
        upsert.stop().await;
        for (role, said) in
            [("orchestrator", "batch done"), ("transform", "records transformed"), ("upsert", "request done")]
        {
            let log = logging.log(role);
            assert!(log.contains(said), "{role}: {log}");
            for form in forms(marker).into_iter().chain(forms(refused)) {
                assert!(!log.contains(&form), "{role} {format} {level} {form}: {log}");
            }
        }
    }
    assert_eq!(test.dead_letters().len(), 2);
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_lambda_is_told_to_log_json_every_line_is() {
    let test = start().await;
    let logging = Logging { test: &test, format: "JSON", level: "INFO" };
    let upsert = logging.upsert().await;
    let others = logging.others(&upsert).await;
    let records = [sensor(100, 6, 64, "OK")];
    let none = json!({ "version": 1, "shard_id": "s", "columns": [], "arrived_ms": [0, 0], "rows": [] });
    let other_version = json!({ "version": 2, "shard_id": "s", "columns": [], "arrived_ms": [0, 0], "rows": [] });

    let (host, other) = (upsert.invoker(), others.invoker());
    for event in [&none, &other_version] {
        host.invoke("upsert", event.to_string().into()).await;
    }
    for (role, event) in [("orchestrator", event::render(&records, STREAM_ARN)), ("transform", delivered(&records))] {
        other.invoke(role, event.into()).await;
        other.invoke(role, "{}".into()).await;
    }

    others.stop().await;
    upsert.stop().await;
    let said = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let message = line["message"].as_str().or(line["fields"]["message"].as_str()).unwrap_or_default();
        format!("{} {message}", line["level"].as_str().unwrap())
    };
    for (role, first) in
        [("orchestrator", "batch done"), ("transform", "records transformed"), ("upsert", "request done")]
    {
        let log = logging.log(role);
        let said: Vec<_> = log.lines().map(said).collect();
        assert_eq!(said[0], format!("INFO {first}"));
        let others: Vec<_> = said.iter().filter(|line| !line.ends_with(first)).collect();
        assert!(!others.is_empty() && others.iter().all(|line| line.starts_with("ERROR")), "{role}: {said:?}");
    }
    test.stack.stop().await;
}
