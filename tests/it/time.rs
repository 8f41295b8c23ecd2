//! Whoever is slow is given up on, and what it did all the same is done once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use landfall_core::config::Timeouts;
use landfall_local::proxy::{Fault, Proxy};
use landfall_local::stack::{Between, Endpoints, ORCHESTRATOR};
use landfall_tests::pause::pause;

use crate::support::{sensor, sensor_row, start_between};

const TIME_SCALE: f64 = 0.06;

/// Between which services the proxy stands.
#[derive(Debug, Clone, Copy)]
enum Before {
    Lambda,
    Snowflake,
}

/// A proxy, and how long it holds back each of the next requests.
struct Slow {
    before: Before,
    proxy: Proxy,
    holds_back: Arc<Mutex<VecDeque<Duration>>>,
}

impl Between for &Slow {
    fn endpoints(&mut self, real: Endpoints) -> Endpoints {
        match self.before {
            Before::Lambda => {
                self.proxy.forward_to(&real.lambda);
                Endpoints { lambda: self.proxy.endpoint(), ..real }
            }
            Before::Snowflake => {
                self.proxy.forward_to(&real.snowflake);
                Endpoints { snowflake: self.proxy.endpoint(), ..real }
            }
        }
    }
}

impl Slow {
    async fn start(before: Before, path: &'static str, holds_back: &[Duration]) -> Self {
        let holds_back = Arc::new(Mutex::new(holds_back.iter().copied().collect::<VecDeque<_>>()));
        let left = holds_back.clone();
        let plan = move |request: &Request<Bytes>| {
            request.uri().path().contains(path).then(|| left.lock().unwrap().pop_front()).flatten().map(Fault::Delay)
        };
        Self { before, proxy: Proxy::start(plan).await.unwrap(), holds_back }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_went_on_running_does_not_double_a_row() {
    // It is given up, and cancelled, before Snowflake has it.
    let late = Timeouts::scaled(TIME_SCALE).statement().mul_f64(1.6);
    let snowflake = Slow::start(Before::Snowflake, "query-request", &[late]).await;
    let test = start_between(&snowflake, TIME_SCALE).await;
    let records = [sensor(100, 6, 64, "OK"), sensor(101, 2, 20, "WARN")];
    let rows = [sensor_row(100, 6, 64, "OK"), sensor_row(101, 2, 20, "WARN")];

    test.fails(&records, "UpsertTransient").await;
    test.takes(&records).await;
    snowflake.proxy.settled().await;

    test.holds(&rows).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_out_of_time_fails_between_two_requests_and_its_retry_adds_what_is_missing() {
    let held_back = Timeouts::scaled(TIME_SCALE).invoke().mul_f64(0.75);
    // Two or three of four requests of two rows each; then less is left than one may take.
    let lambda = Slow::start(Before::Lambda, "/invocations", &[held_back; 4]).await;
    let test = start_between(&lambda, TIME_SCALE).await;
    let status = "x".repeat(400_000);
    let records: Vec<_> = (100..108).map(|n| sensor(n, n % 3, 20, &status)).collect();
    let rows: Vec<_> = (100..108).map(|n| sensor_row(n, n % 3, 20, &status)).collect();

    let message = test.fails(&records, "OutOfTime").await;

    assert!(message.contains("of 4 requests were left"), "{message}");
    let n_before = test.streaming().await.len();
    assert!([4, 6].contains(&n_before), "{n_before} rows: {message}");
    assert_eq!(test.keys("kinesiscsv").len(), 3);
    lambda.holds_back.lock().unwrap().clear();
    test.takes(&records).await;
    test.holds(&rows).await;
    test.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_that_lambda_ends_for_its_time_is_retried_and_adds_nothing() {
    // It stands still as soon as it has asked upsert for something; upsert does not.
    let orchestrator = Arc::<Mutex<Option<u32>>>::default();
    let process = orchestrator.clone();
    let plan = move |_: &Request<Bytes>| {
        process.lock().unwrap().take().map(pause);
        None
    };
    let proxy = Proxy::start(plan).await.unwrap();
    let lambda = Slow { before: Before::Lambda, proxy, holds_back: Arc::default() };
    let test = start_between(&lambda, TIME_SCALE).await;
    let all: Vec<_> = (100..103).map(|n| sensor(n, n, 20, "OK")).collect();
    let rows: Vec<_> = (100..103).map(|n| sensor_row(n, n, 20, "OK")).collect();
    test.takes(&all[..1]).await;
    let idle = test.stack.lambda.invoker().idle_process(ORCHESTRATOR);
    *orchestrator.lock().unwrap() = Some(idle.unwrap());

    test.fails(&all[1..], "Sandbox.Timedout").await;

    assert_eq!(test.streaming().await, rows, "upsert was done");
    test.takes(&all[1..]).await;
    test.holds(&rows).await;
    test.stack.stop().await;
}
