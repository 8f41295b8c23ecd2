//! What is too much for one request, for the time that there is, or at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::*;

/// Two documents that share no request, and one more.
fn three_requests() -> String {
    let long = |id: u64| format!(r#"{{"sensorId":{id},"status":"{}"}}"#, "x".repeat(600_000));
    kinesis_event(&[long(1), long(2), long(3)])
}

#[tokio::test]
async fn a_failure_stops_the_requests_behind_it() {
    let memory = Memory::default();
    memory.answer(Ok(Response { inserted: 1, ..Response::default() }));
    memory.answer(Err(Fate::Transient));

    let error = run(&three_requests(), &memory).await.unwrap_err();

    assert_eq!(error.to_string(), "failed to upsert request 2 of 3 (1 rows)");
    let sent: Vec<_> = memory.effects().iter().map(shown).filter(|effect| effect.starts_with("upserted")).collect();
    assert_eq!(sent, ["upserted 100", "upserted 101"]);
}

#[tokio::test]
async fn a_deadline_too_near_starts_no_request() {
    let memory = Memory::default();
    let now = SystemTime::now();
    let in_66_s = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64 + 66_000;

    let deadline = Deadline::from_millis(in_66_s, now);
    let error = handle(three_requests().into(), &settings(), &memory.ports(), deadline).await.unwrap_err();

    assert_eq!(error.kind(), "OutOfTime");
    assert!(error.to_string().starts_with("failed to upsert in time: 3 of 3 requests were left with 6"), "{error}");
    check(
        &memory,
        &[
            "put kinesiscsv/sensor-1/2026/11/20/14/shardId-000000000000-100-100 (1)",
            "put kinesiscsv/sensor-2/2026/11/20/14/shardId-000000000000-101-101 (1)",
            "put kinesiscsv/sensor-3/2026/11/20/14/shardId-000000000000-102-102 (1)",
        ],
    );
}

#[tokio::test]
async fn what_an_invocation_does_not_hold_is_left_to_the_next() {
    let memory = Memory::default();
    let padded =
        |id: u64| format!(r#"{{"sensorId":{id},"x":"{}"}}"#, "x".repeat(landfall_core::decode::MAX_BYTES / 4 * 3));
    let packed = |id: u64| zstd::encode_all(padded(id).as_bytes(), 0).unwrap();
    let data = [SENSOR_6.as_bytes().to_vec(), packed(7), packed(8)];

    let summary = run(&kinesis_event(&data), &memory).await.unwrap();

    assert_eq!(summary.rest.as_ref().map(SequenceNumber::as_str), Some("102"));
    assert_eq!((summary.n_records, summary.n_rows), (2, 2));
    check(
        &memory,
        &[LANDED_6, "put kinesiscsv/sensor-7/2026/11/20/14/shardId-000000000000-101-101 (1)", "upserted 100 101"],
    );
    let n_objects = memory.objects().len();
    assert_eq!(run(&kinesis_event(&data), &memory).await.unwrap().rest, summary.rest);
    assert_eq!(memory.objects().len(), n_objects, "a retry is cut at the same place");
    assert_eq!(run(&kinesis_event(&data[2..]), &memory).await.unwrap().rest, None);
}

/// Takes what goes to sensor 2, and never answers for anything else.
struct Slow(Memory);

impl ObjectStore for Slow {
    async fn put(&self, object: Object) -> Result<Put, PortError> {
        if object.key.contains("sensor-2") {
            return self.0.put(object).await;
        }
        std::future::pending().await
    }
}

#[tokio::test]
async fn an_invocation_whose_time_is_over_says_how_far_it_came() {
    let memory = Memory::default();
    let ports = Ports { store: Slow(memory.clone()), upsert: None::<Memory> };
    let now = SystemTime::now();
    let in_4_s = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64 + 4000;

    let event = kinesis_event(&[SENSOR_6, SENSOR_2]).into();
    let error = handle(event, &settings(), &ports, Deadline::from_millis(in_4_s, now)).await.unwrap_err();

    assert_eq!(error.kind(), "OutOfTime");
    let so_far = "1 objects have landed and 0 of 2 rows are upserted";
    assert!(error.to_string().contains(so_far), "{error}");
    let took = now.elapsed().unwrap();
    assert!(took < std::time::Duration::from_secs(4), "{took:?}: Lambda would have ended it");
}

#[tokio::test]
async fn a_row_that_fits_no_request_is_a_dead_letter_with_its_size() {
    let memory = Memory::default();
    // Documents of which a request holds about as many bytes, and six times as many.
    let long = format!(r#"{{"sensorId":6,"status":"{}"}}"#, "x".repeat(900_000));
    let zeros = format!(r#"{{"sensorId":6,"status":"{}"}}"#, r"\u0000".repeat(150_000));

    let summary = run(&kinesis_event(&[SENSOR_6, &long, SENSOR_2, &zeros]), &memory).await.unwrap();

    check(
        &memory,
        &["put deadletter/2026/11/20/14/shardId-000000000000-101-103 (2)", LANDED_2, LANDED_6, "upserted 100 102"],
    );
    assert_eq!((summary.n_rows, summary.n_poison), (2, 2));
    let letters = dead_letters(&memory);
    assert_eq!(letters[0].0.reason, "the row takes 900082 bytes, more than the 900000 of one upsert request");
    assert_eq!(letters[0].1, long.as_bytes());
}

#[tokio::test]
async fn a_row_that_fits_no_request_lands_when_there_is_no_upsert() {
    let memory = Memory::default();
    let ports = Ports { store: memory.clone(), upsert: None::<Memory> };
    let long = format!(r#"{{"sensorId":6,"status":"{}"}}"#, "x".repeat(900_000));

    handle(kinesis_event(&[long]).into(), &settings(), &ports, Deadline::NONE).await.unwrap();

    check(&memory, &[LANDED_6]);
}

/// A store that counts the puts in flight, and an upsert that is never asked.
#[derive(Default)]
struct Counting {
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

impl ObjectStore for Counting {
    async fn put(&self, _: Object) -> Result<Put, PortError> {
        let n = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(n, Ordering::SeqCst);
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        Ok(Put::Written)
    }
}

impl Upsert for Counting {
    async fn upsert(&self, _: &Request) -> Result<Response, PortError> {
        unreachable!("there is no upsert")
    }
}

#[tokio::test]
async fn puts_in_flight_are_32_and_no_more() {
    let ports = Ports { store: Counting::default(), upsert: None::<Counting> };
    let data: Vec<_> = (0..200).map(|n| format!(r#"{{"sensorId":{n}}}"#)).collect();

    let summary = handle(kinesis_event(&data).into(), &settings(), &ports, Deadline::NONE).await.unwrap();

    assert_eq!(summary.n_objects, 200);
    assert_eq!(ports.store.most.load(Ordering::SeqCst), 32);
}
