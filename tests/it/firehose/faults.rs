//! What fails on the way through Firehose, and mistakes that the checks are there to find.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request};
use landfall_core::Position;
use landfall_local::proxy::{Fault, Proxy, answers};
use landfall_local::stack::{Between, Endpoints};

use super::*;
use crate::support::start_between_with;

/// Every form, and a record of more rows than Firehose takes, which the function lands.
fn every_form_and_a_large_one() -> (Vec<Record>, Vec<TableRow>, Vec<Place>) {
    let (mut records, mut rows, poison) = every_form();
    let status = "x".repeat(10_000);
    let large = format!("{{\"sensorId\":6,\"currentTemperature\":1,\"status\":\"{status}\"}}").repeat(110);
    records.push(record(109, gzip(large.as_bytes()).unwrap()));
    for n in 0..110 {
        let mut row = sensor_row(109, 6, 1, &status);
        row[3] = Some(n.to_string());
        rows.push(row);
    }
    (records, rows, poison)
}

fn positions(rows: &[TableRow]) -> BTreeSet<Position> {
    rows.iter().map(|row| Position::from_columns(row).unwrap()).collect()
}

/// What is wrong with what users query of the micro-batch table and with the dead letters, in words.
async fn faults(test: &TestStack, rows: &[TableRow], poison: &[Place]) -> Vec<String> {
    test.stack.snowpipe.drained().await;
    let loaded = test.table("KINESIS_SENSORS_MICROBATCH_DEDUPLICATED").await;
    let (expected, found) = (positions(rows), positions(&loaded));
    let letters: BTreeSet<Place> = places(&test.dead_letters()).into_iter().collect();
    let lost = expected.difference(&found).map(|position| format!("{position} is lost"));
    let foreign = found.difference(&expected).map(|position| format!("{position} is not in the stream"));
    let dropped = poison.iter().filter(|place| !letters.contains(place));
    let mut faults: Vec<_> =
        lost.chain(foreign).chain(dropped.map(|(place, _)| format!("{place} has no dead letter"))).collect();
    let others = letters.iter().filter(|letter| !poison.contains(letter));
    faults.extend(others.map(|(place, _)| format!("{place} is no poison")));
    faults.extend(loaded.iter().filter(|row| !rows.contains(row)).map(|row| format!("{row:?} is no row")));
    for key in test.keys("firehose-errors") {
        let lines = std::fs::read_to_string(test.stack.bucket_dir(BUCKET).join(key)).unwrap();
        let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        faults.push(format!("{} records were given up: {}", lines.lines().count(), line["errorMessage"]));
    }
    faults
}

/// S3 behind a proxy that does to the n-th PUT of an object what stands there.
#[derive(Clone)]
struct Sick {
    proxy: Arc<Proxy>,
    n_puts: Arc<AtomicUsize>,
}

impl Sick {
    async fn start(faults: Vec<Fault>) -> Self {
        let n_puts = Arc::new(AtomicUsize::new(0));
        let counted = n_puts.clone();
        let plan = move |request: &Request<Bytes>| {
            if request.method() != Method::PUT {
                return None;
            }
            faults.get(counted.fetch_add(1, Ordering::Relaxed)).cloned()
        };
        Self { proxy: Arc::new(Proxy::start(plan).await.unwrap()), n_puts }
    }
}

impl Between for Sick {
    fn endpoints(&mut self, real: Endpoints) -> Endpoints {
        self.proxy.forward_to(&real.s3);
        Endpoints { s3: self.proxy.endpoint(), ..real }
    }
}

/// More of it than the SDK bears with, and nothing of it reaches Firehose, which need not invoke the function again.
#[tokio::test(flavor = "multi_thread")]
async fn what_s3_refuses_for_a_while_is_stored_by_the_same_invocation() {
    let refusals = (0..12).map(|n| match n % 4 {
        0 => Fault::Answer(answers::s3_slow_down()),
        1 => Fault::ResetBefore,
        2 => Fault::ResetAfter,
        _ => Fault::Answer(answers::s3_internal_error()),
    });
    let sick = Sick::start(refusals.collect()).await;
    let test = start_between_with(sick.clone(), |settings| settings.firehose = true).await;
    let (records, rows, poison) = every_form_and_a_large_one();

    deliver(&test, &records).await;

    assert_eq!(faults(&test, &rows, &poison).await, Vec::<String>::new());
    assert!(sick.n_puts.load(Ordering::Relaxed) > 12);
    same_rows("the micro-batch table", &test.microbatch().await, &rows);
    test.stack.stop().await;
}

/// A Lambda that has no room for the first invocations.
#[derive(Clone)]
struct Busy {
    lambda: Invoker,
    n_throttled: Arc<AtomicUsize>,
    until: usize,
}

impl Invoke for Busy {
    async fn invoke(&self, name: &str, payload: Bytes) -> Invoked {
        if self.n_throttled.fetch_add(1, Ordering::Relaxed) < self.until {
            return Invoked::Throttled;
        }
        self.lambda.invoke(name, payload).await
    }
}

async fn deliver_while_busy(test: &TestStack, records: &[Record], until: usize) {
    let busy = Busy { lambda: test.stack.lambda.invoker(), n_throttled: Arc::default(), until };
    test.stack.firehose_with(holding(records), &busy, |_| {}).finished().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_throttled_is_invoked_again() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let (records, rows, poison) = every_form_and_a_large_one();

    deliver_while_busy(&test, &records, 3).await;

    assert_eq!(faults(&test, &rows, &poison).await, Vec::<String>::new());
    test.stack.stop().await;
}

/// Firehose keeps no positions under its error prefix, so what is there has to come from the stream again.
#[tokio::test(flavor = "multi_thread")]
async fn what_firehose_gives_up_lands_when_the_orchestrator_reads_it_again() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let records = [sensor(100, 6, 1, "OK"), sensor(101, 2, 1, "OK"), record(102, "poison")];

    deliver_while_busy(&test, &records, usize::MAX).await;

    let [given_up]: [String; 1] = test.keys("firehose-errors").try_into().unwrap();
    assert!(given_up.starts_with("firehose-errors/processing-failed/"), "{given_up}");
    let lines = std::fs::read_to_string(test.stack.bucket_dir(BUCKET).join(given_up)).unwrap();
    assert_eq!(lines.lines().count(), 3);
    assert_eq!((test.microbatch().await.len(), test.dead_letters().len()), (0, 0));
    let test = start_again_with(test.stop().await, SENSORS, |_| {}).await;
    test.takes(&records).await;
    test.holds(&[sensor_row(100, 6, 1, "OK"), sensor_row(101, 2, 1, "OK")]).await;
    assert_eq!(test.dead_letters().len(), 1);
    test.stack.stop().await;
}

/// As when Firehose goes on from an old checkpoint: all records at once, and then each in an event of its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_cut_otherwise_adds_nothing_to_what_users_query() {
    let test = start_with(SENSORS, |settings| settings.firehose = true).await;
    let (records, rows, poison) = every_form_and_a_large_one();

    deliver(&test, &records).await;
    let one_by_one = |settings: &mut landfall_local::firehose::Settings| settings.batch_bytes = 1;
    test.stack.firehose_with(holding(&records), &test.stack.lambda.invoker(), one_by_one).finished().await;

    assert_eq!(faults(&test, &rows, &poison).await, Vec::<String>::new());
    // What the function itself lands has a key that names its bytes, and so is there once.
    assert_eq!(test.microbatch().await.len(), 2 * rows.len() - 110);
    test.stack.stop().await;
}

/// The function is killed under its first invocation. Whether the real Firehose makes another is not documented.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_dies_of_is_transformed_again_or_kept_as_it_came() {
    let records = [sensor(100, 6, 1, "OK"), record(101, "poison")];
    for retries_failures in [true, false] {
        let test = start_with(SENSORS, |settings| {
            let once = settings.dir.join("once").display().to_string();
            settings.firehose = true;
            settings.args = vec!["--fail-transform-once".to_owned(), once];
        })
        .await;

        let change = |settings: &mut landfall_local::firehose::Settings| settings.retries_failures = retries_failures;
        test.stack.firehose_with(holding(&records), &test.stack.lambda.invoker(), change).finished().await;

        assert!(test.stack.dir().join("once").exists());
        let (rows, n_letters, n_errors) =
            (test.microbatch().await, test.dead_letters().len(), test.keys("firehose-errors").len());
        let expected = if retries_failures { (1, 1, 0) } else { (0, 0, 1) };
        assert_eq!((rows.len(), n_letters, n_errors), expected, "{retries_failures}");
        test.stack.stop().await;
    }
}

/// What the checks above say of a function with one mistake.
async fn said_of(mutant: &str) -> Vec<String> {
    let test = start_with(SENSORS, |settings| {
        settings.firehose = true;
        settings.args = vec!["--mutant".to_owned(), mutant.to_owned()];
    })
    .await;
    let (records, rows, poison) = every_form_and_a_large_one();

    deliver(&test, &records).await;

    let faults = faults(&test, &rows, &poison).await;
    test.stack.stop().await;
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_dropped_and_does_not_land_is_found() {
    let faults = said_of("rows-dropped").await;

    let lost: Vec<_> = (0..110).map(|n| format!("{}:109:0:{n} is lost", crate::support::SHARD)).collect();
    assert_eq!(faults, lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_number_that_is_one_too_high_is_found() {
    let faults = said_of("numbered-from-one").await;

    let at = |place: &str| format!("{}:{place}", crate::support::SHARD);
    assert!(faults.contains(&(at("100:0:0") + " is lost")), "{faults:?}");
    assert!(faults.contains(&(at("100:0:1") + " is not in the stream")), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_that_the_transformation_drops_is_found() {
    let faults = said_of("poison-dropped").await;

    assert_eq!(faults.len(), 5, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.ends_with("has no dead letter")), "{faults:?}");
}
