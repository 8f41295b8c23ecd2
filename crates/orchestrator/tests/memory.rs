//! What the largest event costs the function in memory. A binary of its own, because every allocation of its process is
//! counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_aws::Deadline;
use landfall_aws::PortError;
use landfall_core::config::Timeouts;
use landfall_core::landing::Object;
use landfall_core::upsert::{Request, Response};
use landfall_core::{ArrivedAt, Pipeline, Record, SequenceNumber, event};
use landfall_landing::{ObjectStore, Put};
use landfall_orchestrator::handler::{Settings, handle};
use landfall_orchestrator::ports::{Ports, Upsert};
use peak_alloc::PeakAlloc;
use serde_json::value::RawValue;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const N_ROWS: usize = 330_000;

const MIB: usize = 1024 * 1024;

/// Takes everything, keeps nothing, and sees how much is held meanwhile.
#[derive(Default)]
struct Nowhere {
    held: AtomicUsize,
}

impl Nowhere {
    async fn look(&self) {
        tokio::task::yield_now().await;
        self.held.fetch_max(ALLOCATOR.current_usage(), Ordering::Relaxed);
    }
}

impl ObjectStore for Nowhere {
    async fn put(&self, object: Object) -> Result<Put, PortError> {
        self.look().await;
        drop(object);
        Ok(Put::Written)
    }
}

impl Upsert for Nowhere {
    async fn upsert(&self, request: &Request) -> Result<Response, PortError> {
        self.look().await;
        let rows: Vec<&RawValue> = serde_json::from_str(request.rows.get()).unwrap();
        Ok(Response { inserted: rows.len() as u64, ..Response::default() })
    }
}

/// An event as large as may be, of as many rows as may be.
fn event_of_the_smallest_rows() -> Box<str> {
    let text = "{\"sensorId\":1}".repeat(N_ROWS / 5);
    let number = |n: u64| format!("4959033827149025660855969253836157109592157598913658{n:04}");
    let record = |n| Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&number(n)).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(text.as_bytes().into()),
        place: None,
    };
    let records: Vec<_> = (0..5).map(record).collect();
    event::render(&records, "arn:aws:kinesis:us-east-1:000000000000:stream/sensors").into()
}

#[tokio::test]
async fn the_largest_event_takes_little_memory() {
    let pipeline = Pipeline::from_toml(include_str!("../../../pipeline.toml")).unwrap();
    let settings = Settings { pipeline, landing: true, timeouts: Timeouts::scaled(1.0) };
    let ports = Ports { store: Nowhere::default(), upsert: Some(Nowhere::default()) };
    let before = ALLOCATOR.current_usage();
    let event = event_of_the_smallest_rows();
    ALLOCATOR.reset_peak_usage();

    let summary = handle(event, &settings, &ports, Deadline::NONE).await.unwrap();

    let peak = ALLOCATOR.peak_usage() - before;
    let held = ports.store.held.load(Ordering::Relaxed) - before;
    println!("{held} bytes held while objects are put, {peak} at most");
    // One of the five records: with it, the invocation is full.
    assert_eq!((summary.n_records, summary.n_rows, summary.n_objects), (1, N_ROWS / 5, 4));
    assert!(held < 20 * MIB, "{held}");
    // As long as the list of rows grows it is counted twice, although the allocator moves pages and no bytes.
    assert!(peak < 24 * MIB, "{peak}");
}
