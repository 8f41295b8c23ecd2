//! The local Snowpipe, on objects that the orchestrator did not write.

use landfall_local::snowpipe::Load;
use landfall_local::stack::BUCKET;

use crate::support::{SHARD, TableRow, TestStack, sensor_row, start};

fn line(n: u64, sensor_id: &str) -> String {
    format!("{SHARD},{n},0,0,key,2026-11-20 14:00:00.123,{sensor_id},64,OK\n")
}

fn write(test: &TestStack, name: &str, text: &str) {
    let folder = test.stack.bucket_dir(BUCKET).join("kinesiscsv/sensor-6/by hand");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

async fn refresh(test: &mut TestStack) -> Vec<(String, Result<u64, String>)> {
    test.stack.snowpipe.refresh(BUCKET, &test.stack.bucket_dir(BUCKET)).unwrap();
    test.stack.snowpipe.drained().await;
    let mut loads = Vec::new();
    while let Ok(Load { key, outcome, .. }) = test.stack.loads.try_recv() {
        loads.push((key.rsplit('/').next().unwrap().to_owned(), outcome));
    }
    loads.sort_by(|a, b| a.0.cmp(&b.0));
    loads
}

fn rows(numbers: &[u64]) -> Vec<TableRow> {
    numbers.iter().map(|n| sensor_row(*n, 6, 64, "OK")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_object_does_not_keep_the_others_out() {
    let mut test = start().await;
    write(&test, "a.csv", &line(100, "6"));
    write(&test, "bad.csv", &line(101, "six"));
    write(&test, "c.csv", &(line(102, "6") + &line(103, "6")));
    write(&test, "quote.csv", &line(104, "6").replace("OK", "\"O\"K"));

    let loads = refresh(&mut test).await;

    let outcomes: Vec<_> = loads.iter().map(|(name, outcome)| (name.as_str(), outcome.clone().ok())).collect();
    assert_eq!(outcomes, [("a.csv", Some(1)), ("bad.csv", None), ("c.csv", Some(2)), ("quote.csv", None)]);
    let reason = loads[1].1.clone().unwrap_err();
    assert!(reason.contains("six"), "{reason}");
    assert_eq!(test.microbatch().await, rows(&[100, 102, 103]));
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_notified_twice_is_loaded_once() {
    let mut test = start().await;
    write(&test, "a.csv", &line(100, "6"));

    assert_eq!(refresh(&mut test).await, [("a.csv".to_owned(), Ok(1))]);
    write(&test, "b.csv", &line(101, "6"));
    assert_eq!(refresh(&mut test).await, [("a.csv".to_owned(), Ok(0)), ("b.csv".to_owned(), Ok(1))]);

    assert_eq!(test.microbatch().await, rows(&[100, 101]));
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_with_fewer_columns_still_loads() {
    let mut test = start().await;
    let without_status = line(100, "6").replace(",OK\n", "\n");
    write(&test, "old.csv", &without_status);
    write(&test, "new.csv", &line(101, "6"));

    assert_eq!(refresh(&mut test).await, [("new.csv".to_owned(), Ok(1)), ("old.csv".to_owned(), Ok(1))]);

    let mut expected = rows(&[100, 101]);
    expected[0][8] = None;
    assert_eq!(test.microbatch().await, expected);
    test.stack.stop().await;
}
