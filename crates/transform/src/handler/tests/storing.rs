//! What the function stores itself, when that does not succeed at once.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use landfall_aws::Fate;

use super::*;

#[tokio::test]
async fn what_is_not_stored_fails_the_invocation_and_the_next_try_adds_nothing() {
    let memory = Memory::default();
    let (settings, event) = (settings(), event(&["not json", SENSOR_6, "poison"]));
    let run = || handle_within(event.clone().into(), &settings, &memory, Deadline::NONE, 250);

    memory.fail_put("deadletter/", Fate::Setup);
    let error = run().await.unwrap_err();
    assert_eq!(error.kind(), "DeadLetterSetup");
    memory.fail_put("kinesiscsv/", Fate::Setup);
    let error = run().await.unwrap_err();
    assert_eq!(error.kind(), "LandSetup");
    assert!(landfall_core::chain(&error).starts_with("failed to land kinesiscsv/sensor-6/"), "{error}");
    let (first, _) = run().await.unwrap();
    let (second, _) = run().await.unwrap();

    assert_eq!(first, second);
    // Neither keeps the other from being stored.
    assert_eq!(stored(&memory), ["put L (1)", "put D (2)", "existed D", "existed L", "existed D", "existed L"]);
}

/// Effects, with D for the dead letters and L for the object of the test.
fn stored(memory: &Memory) -> Vec<String> {
    let dead = "deadletter/2026/11/20/14/shardId-000000000000-100-102";
    let landed = "kinesiscsv/sensor-6/2026/11/20/14/shardId-000000000000-101-101";
    effects(memory).into_iter().map(|effect| effect.replace(dead, "D").replace(landed, "L")).collect()
}

/// Firehose need not invoke a function again that failed.
#[tokio::test]
async fn what_may_be_over_soon_is_tried_again_within_the_invocation() {
    let memory = Memory::default();
    let event = event(&["not json", SENSOR_6, "poison"]);
    for prefix in ["deadletter/", "kinesiscsv/", "kinesiscsv/"] {
        memory.fail_put(prefix, Fate::Transient);
    }

    let (answer, _) = handle_within(event.into(), &settings(), &memory, Deadline::NONE, 250).await.unwrap();

    assert_eq!(answer.records.len(), 3);
    assert_eq!(stored(&memory), ["put D (2)", "put L (1)"]);
}

#[tokio::test]
async fn a_failure_that_lasts_is_told_before_the_time_is_over() {
    let memory = Memory::default();
    for _ in 0..100 {
        memory.fail_put("kinesiscsv/", Fate::Transient);
    }
    let (now, started) = (SystemTime::now(), Instant::now());
    let end = now.duration_since(UNIX_EPOCH).unwrap() + Duration::from_millis(900);
    let deadline = Deadline::from_millis(end.as_millis() as u64, now);

    let error = handle_within(event(&[SENSOR_6]).into(), &settings(), &memory, deadline, 0).await.unwrap_err();

    assert_eq!(error.kind(), "LandTransient");
    assert!(started.elapsed() > Duration::from_millis(200) && started.elapsed() < Duration::from_millis(900));
}

#[tokio::test]
async fn an_invocation_whose_time_is_over_says_how_far_it_came() {
    let memory = Memory::default();
    memory.hang_at("/shardId-000000000000-101-");
    let now = SystemTime::now();
    let end = now.duration_since(UNIX_EPOCH).unwrap() + Duration::from_millis(500);
    let deadline = Deadline::from_millis(end.as_millis() as u64, now);

    let large = gzip(r#"{"sensorId":6}"#.repeat(150_000).as_bytes());
    let error =
        handle(event(&[&large, &large, SENSOR_6.as_bytes()]).into(), &settings(), &memory, deadline).await.unwrap_err();

    assert_eq!(error.kind(), "OutOfTime");
    insta::assert_snapshot!(error, @"failed to finish in time: 2 of 3 records are decoded and 5 objects have landed; the next try finds them there");
}
