//! The handler under Lambda's runtime: configuration, session, one line an invocation.

use std::time::{Duration, Instant};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use landfall_core::config::{self as settings, StartError};
use landfall_core::upsert::{Request, Response};
use landfall_core::{Pipeline, metrics};
use landfall_metrics::{Reports, init_logs};
use landfall_snowflake::{Config as SessionConfig, Credentials, Fate, Secret, Session, SessionError};

use crate::config::Config;
use crate::handler::handle;
use crate::ports::Warehouse;
use crate::secret::private_key;
use crate::snowflake::Snowflake;

/// Runs the function until Lambda ends it.
///
/// `get` answers with an environment variable's value. The AWS clients read theirs by themselves.
///
/// # Errors
/// A setup fault at cold start, with what to change; or the runtime's own failure.
pub async fn run(get: &dyn Fn(&str) -> Option<String>) -> Result<(), lambda_runtime::Error> {
    // Boxed: deeper than the compiler computes a layout for, where both functions are in one program.
    Box::pin(run_with(get, |warehouse| warehouse)).await
}

/// As [`run`], with a warehouse that is made of its own: for tests of what notices that a function does wrong.
///
/// # Errors
/// As [`run`].
pub async fn run_with<W: Warehouse>(
    get: &dyn Fn(&str) -> Option<String>,
    change: impl FnOnce(Snowflake) -> W,
) -> Result<(), lambda_runtime::Error> {
    init_logs(get);
    let config = Config::read(get).map_err(StartError::from)?;
    let pipeline = settings::pipeline(&config.pipeline_file, |path| std::fs::read_to_string(path))?;
    let timeouts = config.timeouts;
    let pipeline_name = pipeline.name.clone();
    let snowflake = Snowflake::new(config, pipeline).await?;
    check_log_in(&snowflake).await?;
    settings::check_lambda(get)?;
    let reports = &Reports::new(&pipeline_name, &get(settings::FUNCTION_NAME).unwrap_or_default())?;
    let warehouse = &change(snowflake);
    let (statement, in_all) = (timeouts.statement(), timeouts.upsert_function());
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Request>| async move {
        invocation(event, warehouse, in_all - statement, reports).await
    }))
    .await
}

/// A session as the function has it: not logged in yet, in the pipeline's database and schema.
///
/// # Errors
/// A private key that cannot be had, and what no session can be made of: setup faults.
pub async fn session(config: Config, pipeline: &Pipeline) -> Result<Session, StartError> {
    let key = private_key(&config.private_key).await?;
    session_with(&config, key, pipeline)
}

pub(crate) fn session_with(config: &Config, key: Secret, pipeline: &Pipeline) -> Result<Session, StartError> {
    let session = Session::new(SessionConfig {
        credentials: Credentials::PrivateKey(key),
        account: config.account.clone(),
        user: config.user.clone(),
        base_url: config.url.clone(),
        role: config.role.clone(),
        warehouse: config.warehouse.clone(),
        database: Some(pipeline.snowflake.database.clone()),
        schema: Some(pipeline.snowflake.schema.clone()),
        query_tag: format!("landfall/{}", pipeline.name),
        statement_timeout: config.timeouts.statement(),
    });
    session.map_err(|error| setup(&error))
}

/// A wrong account, user or key fails the cold start; an account that cannot be reached now may be at the first request.
async fn check_log_in(snowflake: &Snowflake) -> Result<(), StartError> {
    match snowflake.log_in().await {
        Err(error) if error.fate() == Fate::Setup => Err(setup(&error)),
        _ => Ok(()),
    }
}

fn setup(error: &SessionError) -> StartError {
    let remedy = error.remedy().unwrap_or("check SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and the private key");
    StartError::Port { what: format!("{}; {remedy}", landfall_core::chain(error)), source: None }
}

/// `start_within` is how long after its start it may start another statement.
async fn invocation<W: Warehouse>(
    event: LambdaEvent<Request>,
    warehouse: &W,
    start_within: Duration,
    reports: &Reports,
) -> Result<Response, Diagnostic> {
    let LambdaEvent { payload: request, context, .. } = event;
    let started = Instant::now();
    let response = handle(&request, warehouse, started + start_within).await.map_err(|error| Diagnostic {
        error_type: error.kind().to_owned(),
        error_message: landfall_core::chain(&error),
    })?;
    report(&request.shard_id, &response, &context, started.elapsed(), reports);
    Ok(response)
}

fn report(shard_id: &str, response: &Response, context: &Context, duration: Duration, reports: &Reports) {
    let fields = [
        ("requestId", context.request_id.as_str().into()),
        ("xrayTraceId", context.xray_trace_id.as_deref().into()),
        ("shard_id", shard_id.into()),
        ("duration_ms", (duration.as_millis() as u64).into()),
    ];
    let n_rejected = response.rejected.len() as u64;
    let values = [
        (metrics::ROWS, (response.inserted + response.duplicates + n_rejected) as f64),
        (metrics::INSERTED, response.inserted as f64),
        (metrics::DUPLICATES, response.duplicates as f64),
        (metrics::REJECTED, n_rejected as f64),
        (metrics::MERGE_MS, duration.as_secs_f64() * 1000.0),
    ];
    reports.report("request done", &fields, &values);
}
