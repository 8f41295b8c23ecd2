//! `landfall check`: whether a pipeline.toml is valid, what it makes in Snowflake, and what that changes there.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use landfall_core::Pipeline;
use landfall_local::stack::{Connection, Stack, StackError};
use landfall_snowflake::schema_change::{Deployed, SchemaError, plan};
use landfall_snowflake::{Session, ddl};

use crate::at_hand::{DEFAULT_DIR, StackOptions, Waiting};
use crate::console::{self, Progress};
use crate::failure::Failure;
use crate::interrupt::{stopped, unless_stopped};
use crate::pipeline_file::{self, PipelineFile};
use crate::{deployed, schema};

/// Says what is wrong with a pipeline.toml, all at once. Of a valid one it prints the columns, the SQL that makes its
/// tables, and what it changes about those that are there: in the local stack's folder, or deployed. It changes nothing.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit code: 0 when it is valid and the tables can follow it, else 1.

Examples:
  landfall check
  landfall check my-pipeline.toml --dir .landfall-mine
  landfall check --deployed             against the account of the SNOWFLAKE_* variables")]
pub(crate) struct CheckOptions {
    /// The pipeline [default: pipeline.toml in this folder, or else the sensor pipeline].
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Compare with the tables of the local stack in this folder.
    #[arg(long, default_value = DEFAULT_DIR, value_name = "DIR")]
    dir: PathBuf,

    /// Compare with the account that upsert's variables name (SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, a private key, …).
    #[arg(long, conflicts_with = "dir")]
    deployed: bool,
}

/// Prints what there is to know. A change that the tables cannot follow is an error.
pub(crate) async fn run(options: CheckOptions) -> anyhow::Result<ExitCode> {
    let file = pipeline_file::load(options.file.as_deref())?;
    console::print(&described(&file))?;
    let progress = Progress::new();
    let Some(deployed) = unless_stopped(read(&options, &file, &progress)).await else {
        return Ok(stopped(&progress));
    };
    progress.clear();
    let place = if options.deployed { Place::Account } else { Place::Folder(options.dir.display().to_string()) };
    console::print(&compared(&file.pipeline, &deployed?, &place)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The tables that the pipeline names, as they are now.
async fn read(options: &CheckOptions, file: &PipelineFile, progress: &Progress) -> anyhow::Result<Deployed> {
    if options.deployed {
        return ask(&deployed::session(options.file.as_deref()).await?, &file.pipeline).await;
    }
    let stack = StackOptions { pipeline: options.file.clone(), dir: options.dir.clone() };
    let settings = stack.settings(file)?;
    let mut waiting = Waiting::new(&options.dir, progress);
    loop {
        if let Some(connection) = Connection::find(&options.dir).await? {
            return ask(&connection.session()?, &file.pipeline).await;
        }
        match Stack::deployed(&settings, &file.pipeline, |step: &str| progress.step(step)).await {
            Err(StackError::Running { .. }) if waiting.goes_on() => waiting.a_moment().await,
            deployed => return Ok(deployed?),
        }
    }
}

async fn ask(session: &Session, pipeline: &Pipeline) -> anyhow::Result<Deployed> {
    Deployed::read(session, pipeline).await.map_err(|error| match error.remedy() {
        Some(remedy) => Failure { what: landfall_core::chain(&error), remedy: remedy.to_owned() }.into(),
        None => error.into(),
    })
}

/// Which file it was, its columns, and the scripts that make its tables.
fn described(file: &PipelineFile) -> String {
    let name = &file.pipeline.name;
    let mut text = match &file.path {
        Some(path) => format!("{} is valid: the pipeline {name}", path.display()),
        None => format!("There is no pipeline.toml here: this is the pipeline that is built in, {name}"),
    };
    let _ = write!(text, "\n\n{}\n", schema::text(&file.pipeline));
    for script in ddl::scripts(&file.pipeline) {
        let _ = write!(text, "\n-- {}\n{}", script.file_name, script.sql);
    }
    text
}

/// Where the tables are that the pipeline is compared with.
enum Place {
    Folder(String),
    Account,
}

/// What the pipeline changes about the tables that are there.
fn compared(pipeline: &Pipeline, deployed: &Deployed, place: &Place) -> Result<String, SchemaError> {
    let (there, unless_hidden) = match place {
        Place::Folder(dir) => (format!("in {dir}"), ""),
        // Snowflake does not tell one from the other.
        Place::Account => ("in the account".to_owned(), " (or the role may not see it)"),
    };
    if deployed.is_empty() {
        return Ok(format!("Nothing of it is deployed {there} yet{unless_hidden}: all of it would be made."));
    }
    let changes = plan(pipeline, deployed)?.changes;
    let target = &pipeline.snowflake;
    let tables = [(&target.streaming_table, &deployed.streaming), (&target.microbatch_table, &deployed.microbatch)];
    let missing: Vec<_> = tables.into_iter().filter(|(_, columns)| columns.is_empty()).collect();
    // A pipe that exists stays as it is, and one cannot be replaced.
    let not_compared = match place {
        Place::Folder(_) => "",
        Place::Account => {
            "\nNot compared: stage and pipe, which keep the prefix and the format that they were made with."
        }
    };
    if changes.is_empty() && missing.is_empty() {
        return Ok(format!("The tables {there} are the same.{not_compared}"));
    }
    let mut text = format!("What would change {there}:\n");
    for (table, _) in missing {
        let _ = writeln!(text, "  {table}: is not there yet{unless_hidden}, and would be made");
    }
    for change in &changes {
        let _ = writeln!(text, "  {change}");
    }
    for (index, change) in changes.iter().enumerate() {
        let _ = writeln!(text, "{}{};", if index == 0 { "\n" } else { "" }, change.statement);
    }
    text.push_str(match place {
        Place::Folder(_) => "\nThe local stack does that by itself when it starts.",
        Place::Account => {
            "\nlandfall snowflake apply does that, and the views. Then deploy upsert, then the orchestrator."
        }
    });
    text.push_str(not_compared);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use landfall_snowflake::schema_change::DeployedColumn;
    use landfall_snowflake::sql::column_type;

    use super::*;
    use crate::pipeline_file::PIPELINE;

    const HUMIDITY: &str = "[[fields]]\nname = \"humidity\"\ntype = \"integer\"\n\n[landing]";

    fn pipeline(from: &str, to: &str) -> Pipeline {
        assert!(PIPELINE.contains(from), "{from}");
        Pipeline::from_toml(&PIPELINE.replacen(from, to, 1)).unwrap()
    }

    /// The tables of the sensor pipeline, as Snowflake's catalogue has them.
    fn sensors() -> Deployed {
        let columns: Vec<_> = Pipeline::from_toml(PIPELINE)
            .unwrap()
            .columns()
            .iter()
            .map(|column| DeployedColumn {
                name: column.name.clone(),
                data_type: column_type(column).replace("(3)", ""),
                is_nullable: !column.required,
            })
            .collect();
        Deployed { streaming: columns.clone(), microbatch: columns }
    }

    fn here() -> Place {
        Place::Folder(".landfall".to_owned())
    }

    #[test]
    fn tables_that_are_not_there_would_be_made() {
        let pipeline = pipeline("", "");
        insta::assert_snapshot!(compared(&pipeline, &Deployed::default(), &here()).unwrap(), @"Nothing of it is deployed in .landfall yet: all of it would be made.");
        insta::assert_snapshot!(compared(&pipeline, &Deployed::default(), &Place::Account).unwrap(), @"Nothing of it is deployed in the account yet (or the role may not see it): all of it would be made.");

        let half = Deployed { microbatch: Vec::new(), ..sensors() };
        insta::assert_snapshot!(compared(&pipeline, &half, &here()).unwrap(), @"
        What would change in .landfall:
          KINESIS_SENSORS_MICROBATCH: is not there yet, and would be made

        The local stack does that by itself when it starts.
        ");
    }

    #[test]
    fn tables_that_fit_stay_as_they_are() {
        insta::assert_snapshot!(compared(&pipeline("", ""), &sensors(), &here()).unwrap(), @"The tables in .landfall are the same.");
        assert!(
            compared(&pipeline("", ""), &sensors(), &Place::Account)
                .unwrap()
                .contains("\nNot compared: stage and pipe")
        );
    }

    #[test]
    fn what_would_be_altered_is_shown_with_its_statements() {
        let pipeline = pipeline("[landing]", HUMIDITY);
        insta::assert_snapshot!(compared(&pipeline, &sensors(), &here()).unwrap(), @r#"
        What would change in .landfall:
          KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)
          KINESIS_SENSORS_MICROBATCH: + HUMIDITY NUMBER(38,0)

        ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" ADD COLUMN IF NOT EXISTS "HUMIDITY" NUMBER(38,0);
        ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH" ADD COLUMN IF NOT EXISTS "HUMIDITY" NUMBER(38,0);

        The local stack does that by itself when it starts.
        "#);

        let half = Deployed { microbatch: Vec::new(), ..sensors() };
        insta::assert_snapshot!(compared(&pipeline, &half, &Place::Account).unwrap(), @r#"
        What would change in the account:
          KINESIS_SENSORS_MICROBATCH: is not there yet (or the role may not see it), and would be made
          KINESIS_SENSORS_STREAMING: + HUMIDITY NUMBER(38,0)

        ALTER TABLE "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING" ADD COLUMN IF NOT EXISTS "HUMIDITY" NUMBER(38,0);

        landfall snowflake apply does that, and the views. Then deploy upsert, then the orchestrator.
        Not compared: stage and pipe, which keep the prefix and the format that they were made with.
        "#);
    }

    #[test]
    fn what_the_tables_cannot_follow_is_an_error() {
        let pipeline = pipeline("type = \"string\"", "type = \"boolean\"");
        insta::assert_snapshot!(compared(&pipeline, &sensors(), &here()).unwrap_err(), @"
        failed to fit the deployed tables to the pipeline: 1 change is refused
          both tables: the column STATUS is VARCHAR and would be BOOLEAN; give the field its type back, or start anew: other tables in [snowflake] and another prefix in [landing]
        ");
    }

    #[test]
    fn which_file_it_was_is_said() {
        let file = |path: Option<&str>| PipelineFile {
            path: path.map(PathBuf::from),
            text: PIPELINE.to_owned(),
            pipeline: pipeline("", ""),
        };
        let first_line = |path| described(&file(path)).lines().next().unwrap().to_owned();
        insta::assert_snapshot!(first_line(Some("mine/pipeline.toml")), @"mine/pipeline.toml is valid: the pipeline sensors");
        insta::assert_snapshot!(first_line(None), @"There is no pipeline.toml here: this is the pipeline that is built in, sensors");
    }
}
