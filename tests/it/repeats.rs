//! What comes twice counts once.

use crate::support::{sensor, sensor_row, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_three_times_gives_the_same_tables() {
    let test = start().await;
    let records: Vec<_> = (100..140).map(|n| sensor(n, n % 5, 20, "OK")).collect();
    let expected: Vec<_> = (100..140).map(|n| sensor_row(n, n % 5, 20, "OK")).collect();

    test.takes(&records).await;
    let keys = test.keys("");
    test.takes(&records).await;
    test.takes(&records).await;

    test.holds(&expected).await;
    assert_eq!(test.keys(""), keys);
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_twice_in_an_event_is_one_row() {
    let test = start().await;
    let (first, second) = (sensor(100, 6, 64, "OK"), sensor(101, 6, 65, "WARN"));

    test.takes(&[first.clone(), second.clone(), first.clone(), second, first]).await;

    test.holds(&[sensor_row(100, 6, 64, "OK"), sensor_row(101, 6, 65, "WARN")]).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_cut_at_another_place_adds_nothing_to_what_users_query() {
    let test = start().await;
    let records: Vec<_> = (100..110).map(|n| sensor(n, 6, 20, "OK")).collect();
    let expected: Vec<_> = (100..110).map(|n| sensor_row(n, 6, 20, "OK")).collect();

    test.takes(&records[..6]).await;
    test.takes(&records[3..]).await;

    assert_eq!(test.streaming().await, expected);
    // The raw table has the three rows in common twice: they stand in two objects.
    assert_eq!(test.microbatch().await.len(), 13);
    assert_eq!(test.table("KINESIS_SENSORS_MICROBATCH_DEDUPLICATED").await, expected);
    test.stack.stop().await;
}
