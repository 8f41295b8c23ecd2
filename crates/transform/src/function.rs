//! The handler under Lambda's runtime: configuration, clients, one line an invocation.

use std::time::{Duration, Instant};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use landfall_aws::aws_config;
use landfall_core::config::{self as settings, StartError};
use landfall_core::firehose::Answer;
use landfall_core::{Pipeline, metrics};
use landfall_landing::Bucket;
use landfall_metrics::Reports;
use serde_json::value::RawValue;
use tracing::error;

use crate::config::Config;
use crate::error::TransformError;
use crate::handler::{Summary, handle};

/// Runs the function until Lambda ends it.
///
/// `get` answers with an environment variable's value. The AWS clients read theirs by themselves.
///
/// # Errors
/// A setup fault at cold start, with what to change; or the runtime's own failure.
pub async fn run(get: &dyn Fn(&str) -> Option<String>) -> Result<(), lambda_runtime::Error> {
    let config = Config::read(get).map_err(StartError::from)?;
    let pipeline = settings::pipeline(&config.pipeline_file, |path| std::fs::read_to_string(path))?;
    let bucket = Bucket::new(&aws_config().await?, &config.landing_bucket, config.timeouts);
    settings::check_lambda(get)?;
    let reports = &Reports::new(&pipeline.name, &get(settings::FUNCTION_NAME).unwrap_or_default())?;
    let (pipeline, bucket) = (&pipeline, &bucket);
    // Boxed: deeper than the compiler computes a layout for, where all functions are in one program.
    Box::pin(lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        invocation(event, pipeline, bucket, reports).await
    })))
    .await
}

async fn invocation(
    event: LambdaEvent<Box<RawValue>>,
    pipeline: &Pipeline,
    bucket: &Bucket,
    reports: &Reports,
) -> Result<Answer, Diagnostic> {
    let started = Instant::now();
    let (answer, summary) = handle(event.payload.into(), pipeline, bucket).await.map_err(|error| diagnostic(&error))?;
    report(&summary, &event.context, started.elapsed(), reports);
    Ok(answer)
}

fn report(summary: &Summary, context: &Context, duration: Duration, reports: &Reports) {
    let Summary { n_records, n_rows, n_poison, n_landed, n_failed, failed } = summary;
    if let Some(why) = failed {
        error!(
            n_failed,
            why,
            "records are left to Firehose's error prefix, for they do not say where they stand in a Kinesis stream; let a \
             Kinesis stream be the delivery stream's source"
        );
    }
    let fields = [
        ("requestId", context.request_id.as_str().into()),
        ("xrayTraceId", context.xray_trace_id.as_deref().into()),
        ("n_landed", (*n_landed).into()),
        ("n_failed", (*n_failed).into()),
        ("duration_ms", (duration.as_millis() as u64).into()),
    ];
    let values =
        [(metrics::RECORDS, *n_records as f64), (metrics::ROWS, *n_rows as f64), (metrics::POISON, *n_poison as f64)];
    reports.report("records transformed", &fields, &values);
}

/// The whole chain of causes in one line; the runtime logs it and answers with it.
fn diagnostic(error: &TransformError) -> Diagnostic {
    Diagnostic { error_type: error.kind().to_owned(), error_message: landfall_core::chain(error) }
}
