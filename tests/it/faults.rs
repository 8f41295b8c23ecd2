//! What fails is tried again, and then everything is as if it had not failed.

use std::time::Duration;

use landfall_local::event_source_mapping::{EventSourceMapping, Outcome, Settings};
use landfall_local::lambda::{Function, Invoked, LambdaHost};
use landfall_local::shards;
use landfall_local::stack::{BUCKET, ORCHESTRATOR};
use tokio::sync::mpsc;

use crate::support::{sensor, sensor_row, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn upsert_failing_once_is_tried_again_by_the_mapping() {
    let marker = tempfile::tempdir().unwrap();
    let file = marker.path().join("failed").display().to_string();
    let test =
        start_with(crate::support::SENSORS, |settings| settings.args = vec!["--fail-upsert-once".to_owned(), file])
            .await;
    let (stream, shards) = shards::stream(1, 100);
    let (tell, mut deliveries) = mpsc::unbounded_channel();
    let mapping = EventSourceMapping::start(shards, &test.stack.lambda.invoker(), Settings::new(ORCHESTRATOR), tell);

    let mut sequence_numbers = Vec::new();
    for n in 0..20 {
        let put = stream.put("key", format!("{{\"sensorId\":{n}}}").as_bytes()).await.unwrap();
        sequence_numbers.push(put.sequence_number.to_string());
    }
    drop(stream);
    mapping.finished().await;

    let first = deliveries.recv().await.unwrap();
    let Outcome::Retried { error } = first.outcome else { panic!("{:?}", first.outcome) };
    assert!(error.contains("UpsertTransient") && error.contains("failed to upsert request 1 of 1"), "{error}");
    while let Some(delivery) = deliveries.recv().await {
        assert_eq!(delivery.outcome, Outcome::Done);
    }
    for rows in [test.streaming().await, test.microbatch().await] {
        let arrived: Vec<_> = rows.iter().map(|row| (row[1].clone().unwrap(), row[6].clone().unwrap())).collect();
        let expected: Vec<_> = sequence_numbers.iter().cloned().zip((0..20).map(|n: u64| n.to_string())).collect();
        assert_eq!(arrived, expected);
    }
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_fails_the_batch_and_says_what_to_do() {
    let test = start().await;
    let bucket = test.stack.bucket_dir(BUCKET);
    std::fs::remove_dir_all(&bucket).unwrap();
    let records = [sensor(100, 6, 64, "OK")];

    let message = test.fails(&records, "LandSetup").await;

    assert!(message.contains("failed to land kinesiscsv/sensor-6/"), "{message}");
    assert!(
        message.contains(
            "; create it, or set LANDING_BUCKET to one that exists, for example LANDING_BUCKET=acme-landing-zone"
        ),
        "{message}"
    );
    std::fs::create_dir(&bucket).unwrap();
    test.takes(&records).await;
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_fails_the_batch_and_says_what_to_do() {
    let test = start().await;
    let table = "\"LANDFALL\".\"STAGING\".\"KINESIS_SENSORS_STREAMING\"";
    test.session.query(&format!("DROP TABLE {table}"), &[]).await.unwrap();
    let records = [sensor(100, 6, 64, "OK")];

    let message = test.fails(&records, "UpsertSetup").await;

    assert!(message.contains("run landfall snowflake apply"), "{message}");
    let landing_zone = test.stack.bucket_dir(BUCKET).join("kinesiscsv");
    test.stack.snowflake.set_up(&test.stack.pipeline, &landing_zone).await.unwrap();
    test.takes(&records).await;
    test.holds(&[sensor_row(100, 6, 64, "OK")]).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_lacks_a_variable_names_it_at_its_cold_start() {
    let dir = tempfile::tempdir().unwrap();
    let orchestrator = Function {
        name: "orchestrator".to_owned(),
        program: env!("CARGO_BIN_EXE_landfall-tests").into(),
        args: vec!["orchestrator".to_owned()],
        env: vec![("UPSERT_FUNCTION".to_owned(), "landfall-upsert".to_owned())],
        timeout: Duration::from_secs(60),
        memory_mb: 128,
        concurrency: 1,
        log_file: dir.path().join("orchestrator.log"),
    };
    let host = LambdaHost::start(vec![orchestrator], 0).await.unwrap();

    let Invoked::Failed { payload, .. } = host.invoker().invoke("orchestrator", "{}".into()).await else {
        panic!("it did not fail")
    };

    let message = String::from_utf8_lossy(&payload).into_owned();
    assert!(message.contains("Runtime.ExitError") && message.contains("LANDING_BUCKET is not set"), "{message}");
    assert!(message.contains("for example LANDING_BUCKET=acme-landing-zone"), "{message}");
    assert!(!message.contains("ConfigFault"), "{message}");
    host.stop().await;
}
