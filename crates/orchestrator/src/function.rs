//! The handler under Lambda's runtime: configuration, clients, one line an invocation.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::streams::{KinesisBatchItemFailure, KinesisEventResponse};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use landfall_aws::aws_config;
use landfall_core::config::{self as settings, StartError, Timeouts};
use landfall_core::{ArrivedAt, SequenceNumber, metrics};
use landfall_landing::{Bucket, ObjectStore};
use landfall_metrics::{Reports, init_logs};
use serde_json::value::RawValue;

use crate::config::Config;
use crate::error::OrchestratorError;
use crate::handler::{Settings, Summary, handle};
use crate::ports::{Ports, Upsert};
use crate::upsert_function::UpsertFunction;
use landfall_aws::Deadline;

/// Runs the function until Lambda ends it.
///
/// `get` answers with an environment variable's value. The AWS clients read theirs by themselves.
///
/// # Errors
/// A setup fault at cold start, with what to change; or the runtime's own failure.
pub async fn run(get: &dyn Fn(&str) -> Option<String>) -> Result<(), lambda_runtime::Error> {
    // Boxed: deeper than the compiler computes a layout for, where both functions are in one program.
    Box::pin(run_with(get, |ports| ports)).await
}

/// As [`run`], with ports that are made of its own: for tests of what notices that a function does wrong.
///
/// # Errors
/// As [`run`].
pub async fn run_with<S: ObjectStore, U: Upsert>(
    get: &dyn Fn(&str) -> Option<String>,
    change: impl FnOnce(Ports<Bucket, UpsertFunction>) -> Ports<S, U>,
) -> Result<(), lambda_runtime::Error> {
    init_logs(get);
    let config = Config::read(get).map_err(StartError::from)?;
    let settings = Settings {
        pipeline: settings::pipeline(&config.pipeline_file, |path| std::fs::read_to_string(path))?,
        landing: config.landing,
        timeouts: config.timeouts,
    };
    let ports = change(ports(&config).await?);
    settings::check_lambda(get)?;
    let reports = &Reports::new(&settings.pipeline.name, &get(settings::FUNCTION_NAME).unwrap_or_default())?;
    let (settings, ports) = (&settings, &ports);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        invocation(event, settings, ports, reports).await
    }))
    .await
}

async fn invocation<S: ObjectStore, U: Upsert>(
    event: LambdaEvent<Box<RawValue>>,
    settings: &Settings,
    ports: &Ports<S, U>,
    reports: &Reports,
) -> Result<KinesisEventResponse, Diagnostic> {
    let started = Instant::now();
    let deadline = Deadline::from_millis(event.context.deadline, SystemTime::now());
    let summary = handle(event.payload.into(), settings, ports, deadline).await.map_err(|error| diagnostic(&error))?;
    report(&summary, &event.context, started.elapsed(), reports);
    Ok(answer(summary))
}

/// Lambda sends the record that it names once more, and all behind it.
fn answer(summary: Summary) -> KinesisEventResponse {
    let rest = summary.rest.map(|rest| {
        let mut failure = KinesisBatchItemFailure::default();
        failure.item_identifier = Some(rest.to_string());
        failure
    });
    let mut response = KinesisEventResponse::default();
    response.batch_item_failures = rest.into_iter().collect();
    response
}

fn report(summary: &Summary, context: &Context, duration: Duration, reports: &Reports) {
    let fields = [
        ("requestId", context.request_id.as_str().into()),
        ("xrayTraceId", context.xray_trace_id.as_deref().into()),
        ("shard_id", summary.shard_id.as_deref().into()),
        // Where the next invocation begins, when there was too much for one.
        ("rest", summary.rest.as_ref().map(SequenceNumber::as_str).into()),
        ("duration_ms", (duration.as_millis() as u64).into()),
    ];
    let mut values = vec![
        (metrics::RECORDS, summary.n_records as f64),
        (metrics::ROWS, summary.n_rows as f64),
        (metrics::POISON, summary.n_poison as f64),
        (metrics::REJECTED, summary.n_rejected as f64),
        (metrics::DEAD_LETTERS, (summary.n_poison + summary.n_rejected) as f64),
        (metrics::OBJECTS, summary.n_objects as f64),
        (metrics::LANDED_BYTES, summary.landed_bytes as f64),
        (metrics::DUPLICATES, summary.n_duplicates as f64),
    ];
    let since_arrival = summary.oldest.map(|oldest| since(oldest, SystemTime::now()));
    let times = [
        (metrics::LANDING_MS, summary.landing),
        (metrics::UPSERT_MS, summary.upserting),
        (metrics::ARRIVAL_TO_DURABLE_MS, since_arrival),
    ];
    values.extend(times.into_iter().filter_map(|(metric, time)| Some((metric, time?.as_secs_f64() * 1000.0))));
    reports.report("batch done", &fields, &values);
}

/// Nothing for an arrival in the future: Kinesis's clock is not ours.
fn since(arrival: ArrivedAt, now: SystemTime) -> Duration {
    let arrival = UNIX_EPOCH + Duration::from_millis(u64::try_from(arrival.as_millis()).unwrap_or_default());
    now.duration_since(arrival).unwrap_or_default()
}

/// The whole chain of causes in one line; the runtime logs it and answers with it.
fn diagnostic(error: &OrchestratorError) -> Diagnostic {
    Diagnostic { error_type: error.kind().to_owned(), error_message: landfall_core::chain(error) }
}

async fn ports(config: &Config) -> Result<Ports<Bucket, UpsertFunction>, StartError> {
    let sdk = aws_config().await?;
    let store = Bucket::new(&sdk, &config.landing_bucket, config.timeouts);
    let lambda = aws_sdk_lambda::config::Builder::from(&sdk)
        .retry_config(RetryConfig::adaptive())
        .timeout_config(invoke_timeouts(config.timeouts))
        .build();
    let lambda = aws_sdk_lambda::Client::from_conf(lambda);
    let upsert = config.upsert_function.clone().map(|name| UpsertFunction { client: lambda, name });
    Ok(Ports { store, upsert })
}

/// One bound on all of the SDK's attempts together: a throttled invocation is tried again, but never past the
/// time that the deadline check allows for.
fn invoke_timeouts(timeouts: Timeouts) -> TimeoutConfig {
    TimeoutConfig::builder().read_timeout(timeouts.invoke()).operation_timeout(timeouts.invoke()).build()
}
