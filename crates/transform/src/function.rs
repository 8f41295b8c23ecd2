//! The handler under Lambda's runtime: configuration, clients, one line an invocation.

use std::time::{Duration, Instant, SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use landfall_aws::{Deadline, aws_config};
use landfall_core::config::{self as settings, StartError};
use landfall_core::firehose::Answer;
use landfall_core::metrics;
use landfall_landing::{Bucket, ObjectStore};
use landfall_metrics::{Reports, init_logs};
use serde_json::value::RawValue;

use crate::config::Config;
use crate::error::TransformError;
use crate::handler::{Settings, Summary, handle};

/// Runs the function until Lambda ends it.
///
/// `get` answers with an environment variable's value. The AWS clients read theirs by themselves.
///
/// # Errors
/// A setup fault at cold start, with what to change; or the runtime's own failure.
pub async fn run(get: &dyn Fn(&str) -> Option<String>) -> Result<(), lambda_runtime::Error> {
    // Boxed: deeper than the compiler computes a layout for, where all functions are in one program.
    Box::pin(run_with(get, |bucket| bucket, |answer| answer)).await
}

/// As [`run`], with a store that is made of its own, and answers: for tests of what notices that a function does wrong.
///
/// # Errors
/// As [`run`].
pub async fn run_with<S: ObjectStore>(
    get: &dyn Fn(&str) -> Option<String>,
    change: impl FnOnce(Bucket) -> S,
    change_answer: impl Fn(Answer) -> Answer,
) -> Result<(), lambda_runtime::Error> {
    init_logs(get);
    let config = Config::read(get).map_err(StartError::from)?;
    let pipeline = settings::pipeline(&config.pipeline_file, |path| std::fs::read_to_string(path))?;
    let store = change(Bucket::new(&aws_config().await?, &config.landing_bucket, config.timeouts));
    settings::check_lambda(get)?;
    let reports = &Reports::new(&pipeline.name, &get(settings::FUNCTION_NAME).unwrap_or_default())?;
    let settings = Settings { pipeline, timeouts: config.timeouts };
    let (settings, store, change_answer) = (&settings, &store, &change_answer);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        invocation(event, settings, store, reports).await.map(change_answer)
    }))
    .await
}

async fn invocation<S: ObjectStore>(
    event: LambdaEvent<Box<RawValue>>,
    settings: &Settings,
    store: &S,
    reports: &Reports,
) -> Result<Answer, Diagnostic> {
    let started = Instant::now();
    let deadline = Deadline::from_millis(event.context.deadline, SystemTime::now());
    let done = handle(event.payload.into(), settings, store, deadline).await;
    let (answer, summary) = done.map_err(|error| diagnostic(&error))?;
    report(&summary, &event.context, started.elapsed(), reports);
    Ok(answer)
}

fn report(summary: &Summary, context: &Context, duration: Duration, reports: &Reports) {
    let fields = [
        ("requestId", context.request_id.as_str().into()),
        ("xrayTraceId", context.xray_trace_id.as_deref().into()),
        // Why records are left to Firehose's error prefix, and what to do about it.
        ("why", summary.failed.map(|why| why.to_string()).into()),
        ("n_landed", summary.n_landed.into()),
        ("duration_ms", (duration.as_millis() as u64).into()),
    ];
    let values = [
        (metrics::RECORDS, summary.n_records as f64),
        (metrics::ROWS, summary.n_rows as f64),
        (metrics::POISON, summary.n_poison as f64),
        (metrics::FAILED, summary.n_failed as f64),
        (metrics::DEAD_LETTERS, summary.n_poison as f64),
        (metrics::OBJECTS, summary.n_objects as f64),
        (metrics::LANDED_BYTES, summary.landed_bytes as f64),
    ];
    reports.report("records transformed", &fields, &values);
}

/// The whole chain of causes in one line; the runtime logs it and answers with it.
fn diagnostic(error: &TransformError) -> Diagnostic {
    Diagnostic { error_type: error.kind().to_owned(), error_message: landfall_core::chain(error) }
}
