//! What the largest event costs in memory. A binary of its own, because every allocation of its process is counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

use landfall_core::{ArrivedAt, Pipeline, Record, SequenceNumber, decode, event, landing, upsert};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What Lambda takes at once.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

const N_RECORDS: usize = 5;

const N_ROWS: usize = 330_000;

/// An event as large as may be, of as many rows as may be.
fn event_of_the_smallest_rows() -> String {
    let text = "{\"sensorId\":1}".repeat(N_ROWS / N_RECORDS);
    let number = |n| format!("4959033827149025660855969253836157109592157598913658{n:04}");
    let record = |n| Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new(&number(n)).unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(text.as_bytes().into()),
        place: None,
    };
    let records: Vec<_> = (0..N_RECORDS).map(record).collect();
    event::render(&records, "arn:aws:kinesis:us-east-1:000000000000:stream/sensors")
}

/// What was made, and what it holds and took at most, in bytes, beside what was held before.
struct Measured<T> {
    made: T,
    held: usize,
    peak: usize,
}

#[expect(clippy::print_stdout, reason = "a test's own output: what each step took")]
fn measured<T>(what: &str, n: usize, make: impl FnOnce() -> T) -> Measured<T> {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let made = make();
    let (held, peak) = (ALLOCATOR.current_usage() - before, ALLOCATOR.peak_usage() - before);
    println!("{what}: {held} bytes held, {peak} at most; {} and {} each", held / n, peak / n);
    Measured { made, held, peak }
}

#[test]
fn a_row_costs_little_more_than_what_is_in_it() {
    let pipeline = Pipeline::from_toml(include_str!("../../../pipeline.toml")).unwrap();
    let event = event_of_the_smallest_rows();
    assert!(event.len() <= MAX_EVENT_BYTES && event.len() + 200_000 > MAX_EVENT_BYTES, "{}", event.len());
    let records = measured("records", N_RECORDS, || event::records(&event).unwrap()).made;

    let decoded = measured("rows", N_ROWS, || decode(&pipeline, &records));
    let rows = &decoded.made.rows;
    let landed = measured("objects", N_ROWS, || {
        landing::objects(&pipeline, rows).map(|object| object.unwrap().body.len()).max()
    });
    let planned = measured("requests", N_ROWS, || upsert::requests(rows, upsert::MAX_REQUEST_BYTES).unwrap());
    let one = measured("a request", 1, || planned.made.planned[0].request(&pipeline).unwrap());

    assert_eq!(rows.len(), N_ROWS);
    // 56 in the list of rows, the cells among them; as it doubles, the old and the new list are counted.
    assert!(decoded.held <= 60 * N_ROWS && decoded.peak <= 176 * N_ROWS);
    // A line of CSV has 113, and one object at a time is held, beside the list of rows of each partition.
    assert!(landed.made >= Some(landing::MAX_OBJECT_BYTES) && landed.peak <= landing::MAX_OBJECT_BYTES + 16 * N_ROWS);
    assert!(planned.held <= 20 * N_ROWS && one.peak <= 4 * upsert::MAX_REQUEST_BYTES);
}
