//! Whether the service user can do what it is for.

use landfall_core::Pipeline;
use landfall_core::pipeline::{Column, DataType};
use rsa::rand_core::RngCore as _;
use serde_json::Value;

use super::found::{Found, cell, named, show};
use super::{Account, AccountError};
use crate::ddl::{Grant, Kind, Paths, Settings, Step, objects, quoted_path, sections};
use crate::merge::merge;
use crate::schema_change::{self, Deployed, deployed_query};
use crate::sql::literal;

/// A table that is this session's alone and goes with it. With what is random after it, it hides no table of the
/// schema's, whatever that holds.
const SCRATCH: &str = "LANDFALL_SCRATCH";

/// How long upsert lets a statement run. A session's limit does not raise its warehouse's.
const UPSERT_STATEMENT_SECONDS: u64 = 40;

/// A moment between the bounds that the scratch row is searched in.
const ARRIVED: &str = "2026-01-01 00:00:00.000";

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What: a word or two.
    pub what: String,
    /// What came out.
    pub outcome: Outcome,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be; some detail.
    Ok(String),
    /// It is not: what is wrong, and what to do.
    Fault {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// It could not be looked at; why.
    Unknown(String),
}

impl Check {
    /// As it should be.
    pub fn ok(what: &str, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), outcome: Outcome::Ok(detail.into()) }
    }

    /// Wrong.
    pub fn fault(what: &str, fault: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.to_owned(), outcome: Outcome::Fault { what: fault.into(), remedy: remedy.into() } }
    }

    /// Not looked at.
    pub fn unknown(what: &str, why: impl Into<String>) -> Self {
        Self { what: what.to_owned(), outcome: Outcome::Unknown(why.into()) }
    }

    /// Whether it is wrong.
    pub fn is_fault(&self) -> bool {
        matches!(self.outcome, Outcome::Fault { .. })
    }

    fn failed(what: &str, error: AccountError, remedy: &str) -> Self {
        Self::fault(what, error.what, error.remedy.unwrap_or_else(|| remedy.to_owned()))
    }
}

const APPLY: &str = "run landfall snowflake apply";

/// Logs in as the service user and tries what upsert and Snowpipe need. Leaves nothing behind. A role or a warehouse
/// without a name is the one that the session has.
pub async fn verify(account: &impl Account, settings: &Settings, pipeline: &Pipeline) -> Vec<Check> {
    let mut settings = settings.clone();
    let (log_in, unknown) = log_in(account, &mut settings).await;
    let settings = &settings;
    let mut checks = vec![log_in];
    if let Some(why) = unknown {
        let rest = ["rights", "warehouse", "tables", "a row", "stage", "pipe"];
        checks.extend(rest.map(|what| Check::unknown(what, why)));
        return checks;
    }
    checks.push(rights(account, settings, pipeline).await);
    checks.push(warehouse(account, settings).await);
    checks.push(tables(account, pipeline).await);
    checks.push(match scratch(account, pipeline).await {
        Ok(()) => Check::ok("a row", "merged into a scratch table, and not twice"),
        Err(error) => Check::failed("a row", error, "see the other faults: upsert does the same with each request"),
    });
    checks.push(stage(account, pipeline).await);
    checks.push(pipe(account, pipeline).await);
    checks
}

/// Who is logged in; and why the rest cannot be looked at, if so.
async fn log_in(account: &impl Account, settings: &mut Settings) -> (Check, Option<&'static str>) {
    const WHAT: &str = "log-in";
    const NOBODY: Option<&str> = Some("nobody is logged in");
    let answer =
        match account.run("SELECT CURRENT_USER() AS U, CURRENT_ROLE() AS R, CURRENT_WAREHOUSE() AS W", &[]).await {
            Ok(answer) => answer,
            // A session that runs anything was logged in to.
            Err(error) if account.run("SELECT 1 AS N", &[]).await.is_ok() => {
                let is_named = !settings.loader_role.is_empty() && !settings.warehouse.is_empty();
                let unknown = (!is_named).then_some("the session does not say its role and warehouse");
                let remedy = "the log-in succeeded: ask Snowflake's support why the session cannot say who it is";
                return (Check::failed("session", error, remedy), unknown);
            }
            Err(error) => return (Check::failed(WHAT, error, "run landfall doctor, which looks closer"), NOBODY),
        };
    let value = |column| cell(&answer, 0, column).unwrap_or_default();
    let (user, role) = (value("U"), value("R"));
    if settings.warehouse.is_empty() {
        settings.warehouse = value("W");
    }
    if settings.loader_role.is_empty() {
        settings.loader_role.clone_from(&role);
    }
    if role != settings.loader_role {
        let grant = Grant {
            to_user: true,
            on: Kind::Role,
            privilege: "USAGE",
            path: vec![settings.loader_role.clone()],
            to: user.clone(),
        };
        let fault = format!("{user} has the role {role} and not {}", settings.loader_role);
        let remedy = format!("set SNOWFLAKE_ROLE={}, or {}", settings.loader_role, grant.sql());
        return (Check::fault(WHAT, fault, remedy), NOBODY);
    }
    (Check::ok(WHAT, format!("{user} as {role}")), None)
}

async fn rights(account: &impl Account, settings: &Settings, pipeline: &Pipeline) -> Check {
    const WHAT: &str = "rights";
    let loader = &settings.loader_role;
    let answer = match account.run(&format!("SHOW GRANTS TO ROLE {}", crate::sql::quoted(loader)), &[]).await {
        Ok(answer) => answer,
        Err(error) => return Check::failed(WHAT, error, APPLY),
    };
    let mut found = Found::default();
    found.add_rights(loader, &answer);
    let steps = sections(pipeline, settings).into_iter().flat_map(|section| section.steps);
    let wanted: Vec<Grant> = steps
        .filter_map(|step| match step {
            Step::Grant(grant) if grant.to == *loader && !grant.to_user => Some(grant),
            _ => None,
        })
        .collect();
    let missing: Vec<_> = wanted.iter().filter(|grant| !found.is_granted(grant)).collect();
    if missing.is_empty() {
        return Check::ok(WHAT, format!("{} of {}", wanted.len(), wanted.len()));
    }
    // All of them are the words of `apply`; of few it helps to see which.
    if missing.len() > 3 {
        let what = format!("{} of {} are missing, {} for one", missing.len(), wanted.len(), missing[0].describe());
        return Check::fault(WHAT, what, APPLY);
    }
    let words: Vec<_> = missing.iter().map(|grant| grant.describe()).collect();
    let sql: Vec<_> = missing.iter().map(|grant| grant.sql()).collect();
    Check::fault(WHAT, format!("missing: {}", words.join(", ")), format!("{APPLY}, or {}", sql.join("; ")))
}

async fn warehouse(account: &impl Account, settings: &Settings) -> Check {
    const WHAT: &str = "warehouse";
    if settings.warehouse.is_empty() {
        let fault = "SNOWFLAKE_WAREHOUSE names none, and the user has no default";
        return Check::fault(WHAT, fault, "set SNOWFLAKE_WAREHOUSE, or ALTER USER … SET DEFAULT_WAREHOUSE");
    }
    let path = [settings.warehouse.clone()];
    let answer = match show(account, Kind::Warehouse, &path).await {
        Ok(answer) => answer,
        Err(error) => return Check::failed(WHAT, error, APPLY),
    };
    let Some(row) = named(&answer, &settings.warehouse) else {
        let fault = format!("there is no {}, or the role may not use it", settings.warehouse);
        return Check::fault(WHAT, fault, APPLY);
    };
    let value = |column| cell(&answer, row, column).unwrap_or_default();
    if value("auto_resume") == "false" {
        let fault = format!("{} does not resume by itself", settings.warehouse);
        let sql = format!("ALTER WAREHOUSE {} SET AUTO_RESUME = TRUE", crate::sql::quoted(&settings.warehouse));
        return Check::fault(WHAT, fault, sql);
    }
    let mut detail = format!("{}, {}, suspends after {} s", settings.warehouse, value("size"), value("auto_suspend"));
    // Whether a role that only uses the warehouse may see it is not documented, so a refusal is none of its faults.
    let name = crate::sql::quoted(&settings.warehouse);
    let limit = format!("SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS' IN WAREHOUSE {name}");
    let limit = account.run(&limit, &[]).await.ok().and_then(|answer| cell(&answer, 0, "value")?.parse().ok());
    match limit {
        Some(seconds @ 1..UPSERT_STATEMENT_SECONDS) => {
            let fault = format!(
                "{} ends a statement after {seconds} s, and upsert's may take {UPSERT_STATEMENT_SECONDS}",
                settings.warehouse
            );
            return Check::fault(WHAT, fault, format!("ALTER WAREHOUSE {name} SET STATEMENT_TIMEOUT_IN_SECONDS = 300"));
        }
        Some(seconds) => detail.push_str(&format!(", ends a statement after {seconds} s")),
        None => {}
    }
    Check::ok(WHAT, detail)
}

async fn tables(account: &impl Account, pipeline: &Pipeline) -> Check {
    const WHAT: &str = "tables";
    let deployed = match account.run(&deployed_query(pipeline), &[]).await {
        Ok(answer) => Deployed::from_answer(pipeline, &answer),
        Err(error) => return Check::failed(WHAT, error, APPLY),
    };
    if deployed.streaming.is_empty() || deployed.microbatch.is_empty() {
        return Check::fault(WHAT, "a staging table is not there, or the role may not see it", APPLY);
    }
    match schema_change::plan(pipeline, &deployed) {
        Err(error) => Check::fault(WHAT, error.to_string(), "landfall snowflake apply says what to do by hand"),
        Ok(plan) if plan.changes.is_empty() => {
            Check::ok(WHAT, format!("both have the {} columns of the pipeline", pipeline.columns().len()))
        }
        Ok(plan) => {
            let changes: Vec<_> = plan.changes.iter().map(ToString::to_string).collect();
            Check::fault(WHAT, format!("behind the pipeline: {}", changes.join(", ")), APPLY)
        }
    }
}

/// The very statement of upsert, twice: the second time it must find the row.
async fn scratch(account: &impl Account, pipeline: &Pipeline) -> Result<(), AccountError> {
    let mut scratch = pipeline.clone();
    scratch.snowflake.streaming_table = format!("{SCRATCH}_{:016X}", rsa::rand_core::OsRng.next_u64());
    let path = Paths::of(&scratch).streaming;
    let name = quoted_path(&path);
    account.run(&format!("CREATE TEMPORARY TABLE {name} (\n  {}\n)", objects::columns(pipeline)), &[]).await?;
    let merged = merged(account, &scratch).await;
    // It goes with the session in any case.
    account.run(&format!("DROP TABLE IF EXISTS {name}"), &[]).await?;
    merged
}

async fn merged(account: &impl Account, scratch: &Pipeline) -> Result<(), AccountError> {
    let columns = scratch.columns();
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let failed = |what: String| AccountError { what, code: None, remedy: None };
    let statement = merge(scratch, &names).map_err(|error| failed(error.to_string()))?;
    let row = Value::Array(columns.iter().map(sample).collect());
    let rows = Value::Array(vec![row]).to_string();
    for expected in ["1", "0"] {
        let answer = account.run(&statement, &[&rows, ARRIVED, ARRIVED]).await?;
        let inserted = answer.rows.first().and_then(|row| row.first()?.clone()).unwrap_or_default();
        if inserted != expected {
            return Err(failed(format!("a MERGE of one row inserted {inserted} rows, and {expected} was expected")));
        }
    }
    Ok(())
}

/// A value that fits a column, as an upsert request has it.
fn sample(column: &Column) -> Value {
    match column.data_type {
        DataType::Integer | DataType::Decimal { .. } | DataType::Float => "0".into(),
        DataType::Boolean => "true".into(),
        DataType::Timestamp | DataType::Epoch(_) => ARRIVED.into(),
        DataType::Date => "2026-01-01".into(),
        DataType::Variant => serde_json::json!({ "landfall": 1 }),
        _ => "landfall".into(),
    }
}

/// A prefix with nothing in it: whether the bucket may be listed does not depend on how much there is.
async fn stage(account: &impl Account, pipeline: &Pipeline) -> Check {
    const WHAT: &str = "stage";
    let stage = quoted_path(&Paths::of(pipeline).stage);
    match account.run(&format!("LIST @{stage}/landfall-verify/"), &[]).await {
        Ok(_) => Check::ok(WHAT, "the landing bucket can be listed"),
        Err(error) => Check::failed(
            WHAT,
            error,
            "run landfall snowflake apply and then terraform apply, which has the role in AWS trust the integration",
        ),
    }
}

/// Where the pipe hears of objects: the ARN of its queue. It has one as soon as it is made, whether or not anybody
/// writes to it.
///
/// # Errors
/// There is no pipe, or its state may not be seen.
pub async fn notification_channel(account: &impl Account, pipeline: &Pipeline) -> Result<Option<String>, AccountError> {
    let status = pipe_status(account, pipeline).await?;
    Ok(text(&status, "notificationChannelName").map(str::to_owned))
}

async fn pipe_status(account: &impl Account, pipeline: &Pipeline) -> Result<Value, AccountError> {
    let name = quoted_path(&Paths::of(pipeline).pipe);
    let answer = account.run(&format!("SELECT SYSTEM$PIPE_STATUS({}) AS STATUS", literal(&name)), &[]).await?;
    Ok(cell(&answer, 0, "STATUS").and_then(|status| serde_json::from_str(&status).ok()).unwrap_or_default())
}

fn text<'a>(status: &'a Value, key: &str) -> Option<&'a str> {
    status.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

async fn pipe(account: &impl Account, pipeline: &Pipeline) -> Check {
    const WHAT: &str = "pipe";
    let status = match pipe_status(account, pipeline).await {
        Ok(status) => status,
        Err(error) => return Check::failed(WHAT, error, APPLY),
    };
    let pending = status.get("pendingFileCount").and_then(Value::as_u64).unwrap_or_default();
    let state = text(&status, "executionState").unwrap_or("in no known state");
    match state {
        "RUNNING" if text(&status, "notificationChannelName").is_none() => Check::fault(
            WHAT,
            "it runs, and has no queue to hear of objects on",
            "run landfall snowflake apply, then terraform apply",
        ),
        "RUNNING" => {
            let heard = match text(&status, "lastReceivedMessageTimestamp") {
                Some(time) => format!("last told of an object at {time}"),
                None => "not told of any yet".to_owned(),
            };
            Check::ok(WHAT, format!("RUNNING, {pending} objects pending, {heard}"))
        }
        _ => {
            let said = text(&status, "error").or(text(&status, "fault")).unwrap_or_default();
            Check::fault(WHAT, format!("{state} {said}").trim(), remedy(state, pipeline))
        }
    }
}

/// What mends a pipe that does not run.
///
/// Source: Snowflake documentation, "SYSTEM$PIPE_STATUS" and "Managing Snowpipe".
fn remedy(state: &str, pipeline: &Pipeline) -> String {
    let name = quoted_path(&Paths::of(pipeline).pipe);
    let resume = format!("ALTER PIPE {name} SET PIPE_EXECUTION_PAUSED = FALSE");
    // It knows its stage, table and format by more than their names.
    let anew = |first: &str| {
        format!(
            "{first}DROP PIPE {name}, then landfall snowflake apply. The new pipe does not know what the old one has loaded: \
             no REFRESH on it before landfall reconcile has said what is missing"
        )
    };
    match state {
        "PAUSED" | "PAUSED_BY_ACCOUNT_ADMIN" => resume,
        "PAUSED_BY_SNOWFLAKE_ADMIN" | "STOPPED_BY_SNOWFLAKE_ADMIN" | "STOPPED_FEATURE_DISABLED" => {
            "ask Snowflake's support: nobody in the account can resume it".to_owned()
        }
        "READ_ONLY" | "FAILING_OVER" => "load in the primary account: this one is its replica".to_owned(),
        "STALLED_STAGE_PERMISSION_ERROR" => format!(
            "landfall snowflake apply, then terraform apply, which has the role in AWS trust the integration; then {resume}"
        ),
        "STOPPED_STAGE_ALTERED" => anew("set the stage back to where it led; if the pipe does not go on by itself, "),
        "STOPPED_MISSING_TABLE" => anew("have the table back (UNDROP TABLE, or RENAME); if it is gone for good, "),
        "STOPPED_STAGE_DROPPED" | "STOPPED_FILE_FORMAT_DROPPED" | "STOPPED_MISSING_PIPE" | "STOPPED_CLONED" => anew(""),
        _ => format!("mend what it says, then {resume}"),
    }
}
