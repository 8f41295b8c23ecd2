//! `landfall sql`: a query, and its answer as a table, as JSON or as CSV.

use std::io::Read as _;
use std::process::ExitCode;

use clap::Args;
use landfall_snowflake::local::statements;
use landfall_snowflake::{Session, SessionError, Table};

use crate::at_hand::{AtHand, StackOptions};
use crate::console::{self, Progress};
use crate::failure::Failure;
use crate::interrupt::{stopped, unless_stopped};
use crate::{deployed, table};

/// Asks the local Snowflake: that of the stack which runs in DIR, or else of one that is started for the query alone
/// and keeps what is in DIR. Names without a database are looked for in the pipeline's schema.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  landfall sql \"select count(*) from kinesis_sensors_streaming\"
  landfall sql \"select sensorid, status from kinesis_sensors_streaming_deduplicated\" --csv > sensors.csv
  landfall sql --json \"select * from kinesis_sensors_microbatch limit 3\"
  landfall sql - < query.sql
  landfall sql --deployed \"select current_user()\"     the account of the SNOWFLAKE_* variables")]
pub(crate) struct SqlOptions {
    /// One statement; - reads it from stdin.
    #[arg(value_name = "STATEMENT")]
    statement: String,

    /// Print an array of objects. Numbers keep all their digits.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print CSV with a header; NULL is nothing and the empty string is "".
    #[arg(long)]
    csv: bool,

    /// Ask the account that upsert's variables name (SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, a private key, …).
    #[arg(long, conflicts_with = "dir")]
    deployed: bool,

    #[command(flatten)]
    stack: StackOptions,
}

/// Runs the statement. Ctrl-C stops it, and the stack if that is its own.
pub(crate) async fn run(options: SqlOptions) -> anyhow::Result<ExitCode> {
    let statement = statement(&options.statement)?;
    let progress = Progress::new();
    let answer = if options.deployed {
        let Some(answer) = unless_stopped(ask_deployed(&options, &statement)).await else {
            return Ok(stopped(&progress));
        };
        answer
    } else {
        let Some(at_hand) =
            unless_stopped(AtHand::get(&options.stack.clone().with_its_last_pipeline(), &progress)).await
        else {
            return Ok(stopped(&progress));
        };
        let at_hand = at_hand?;
        let answer = match at_hand.connection.session() {
            Ok(session) => unless_stopped(ask(&session, &statement)).await,
            Err(error) => Some(Err(error.into())),
        };
        at_hand.stop().await;
        let Some(answer) = answer else { return Ok(stopped(&progress)) };
        answer
    };
    progress.clear();
    let table = answer?;
    let text = if options.json {
        table::json(&table)?
    } else if options.csv {
        table::csv(&table)
    } else {
        table::markdown(&table)
    };
    // No more than the last line end: what stands before it may be a value.
    console::print(text.strip_suffix('\n').unwrap_or(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// What may be asked of a deployed account: nothing that changes it.
const LOOKS: [&str; 8] = ["SELECT", "WITH", "SHOW", "DESC", "DESCRIBE", "LIST", "LS", "EXPLAIN"];

async fn ask_deployed(options: &SqlOptions, statement: &str) -> anyhow::Result<Table> {
    let first = statement.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    if !LOOKS.iter().any(|look| look.eq_ignore_ascii_case(first)) {
        let what = format!("failed to run {first}: --deployed only looks");
        let remedy = format!("begin with one of {}; change the account with Snowflake's own tools", LOOKS.join(", "));
        return Err(Failure { what, remedy }.into());
    }
    ask(&deployed::session(options.stack.pipeline.as_deref()).await?, statement).await
}

async fn ask(session: &Session, statement: &str) -> anyhow::Result<Table> {
    session.query(statement, &[]).await.map_err(refused)
}

/// What Snowflake says is for whoever wrote the statement; the functions' logs do not have it.
fn refused(error: SessionError) -> anyhow::Error {
    let (SessionError::Run { .. }, Some(message)) = (&error, error.message()) else { return error.into() };
    let code = error.code().map(|code| format!(" ({code})")).unwrap_or_default();
    Failure {
        what: format!("failed to run the statement: {}{code}", message.trim()),
        remedy: "check the statement; landfall schema has the tables and their columns".to_owned(),
    }
    .into()
}

/// The one statement of a text.
fn statement(text: &str) -> anyhow::Result<String> {
    let mut from_stdin = String::new();
    if text == "-" {
        std::io::stdin().read_to_string(&mut from_stdin)?;
    }
    let mut statements = statements(if text == "-" { &from_stdin } else { text });
    match statements.len() {
        1 => Ok(statements.remove(0)),
        n => Err(Failure {
            what: match n {
                0 => "failed to read the statement: it is empty".to_owned(),
                _ => format!("failed to read the statement: there are {n}"),
            },
            remedy: "give one at a time: landfall sql \"select 1\"".to_owned(),
        }
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_is_asked_and_its_semicolon_is_not_part_of_it() {
        assert_eq!(statement("select ';' ; ").unwrap(), "select ';'");
        for (text, fault) in [("", "it is empty"), ("select 1; select 2", "there are 2"), (" ; ", "it is empty")] {
            let error = statement(text).unwrap_err().to_string();
            assert_eq!(error, format!("failed to read the statement: {fault}"));
        }
    }
}
