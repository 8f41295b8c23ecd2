//! A local Snowflake: fakesnow, as a child process in a Python venv, made to behave by a launcher of ours.

use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_core::Pipeline;
use landfall_snowflake::local::{Localized, for_local, statements};
use landfall_snowflake::schema_change::{self, Deployed, SchemaError};
use landfall_snowflake::{Config, Credentials, Secret, Session, SessionError, ddl};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::{ChildProcess, Output, ProcessError, last_line, log_tail};

/// What the venv has to hold.
pub const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The program, file by file. They stand side by side, as Python imports them.
const PROGRAM: [(&str, &str); 3] = [
    ("launcher.py", include_str!("launcher.py")),
    ("service.py", include_str!("service.py")),
    ("repairs.py", include_str!("repairs.py")),
];

/// The account that local sessions name.
pub const ACCOUNT: &str = "local";

/// The user that local sessions log in as.
pub const USER: &str = "LANDFALL";

/// The folder with a file for each database.
const DATABASES: &str = "databases";

const START_TIME_OUT: Duration = Duration::from_secs(60);
const STATEMENT_TIME_OUT: Duration = Duration::from_secs(40);

/// Why there is no local Snowflake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnowflakeError {
    /// Its files cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The private key cannot be read.
    #[error("failed to read {}", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Python does not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended, or did not answer, before it was ready.
    #[error("failed to start the local Snowflake: {what}: {}", last_line(tail))]
    NotReady {
        /// What happened.
        what: &'static str,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A statement of the set-up failed.
    #[error("failed to set up the local Snowflake")]
    SetUp(#[from] SessionError),
    /// The tables that an earlier run left cannot become the pipeline's. Nothing has been changed.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// A running local Snowflake. It stops when dropped.
#[derive(Debug)]
pub struct LocalSnowflake {
    process: ChildProcess,
    endpoint: String,
    key_file: PathBuf,
    private_key: Secret,
}

#[derive(Deserialize)]
struct Ready {
    port: u16,
}

impl LocalSnowflake {
    /// Starts it on 127.0.0.1; `port` 0 is one of the system's choosing. Its databases persist in `dir`.
    ///
    /// `python` is the interpreter of a venv with [`REQUIREMENTS`].
    pub async fn start(python: &Path, dir: &Path, port: u16) -> Result<Self, SnowflakeError> {
        write_program(dir)?;
        let (key_file, log) = (dir.join("rsa_key.p8"), dir.join("snowflake.log"));
        let log_start = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let mut command = Command::new(python);
        // No bytecode beside the program, and nothing of the developer's own Python.
        command.args(["-B", "-u"]).arg(dir.join("launcher.py"));
        command.arg("--db-path").arg(dir.join(DATABASES)).arg("--key-file").arg(&key_file);
        command.arg("--port").arg(port.to_string());
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        let mut process = ChildProcess::spawn(command, Output::Lines, &log)?;

        let not_ready = |what| {
            let tail = log_tail(&log, log_start);
            SnowflakeError::NotReady { what, log: log.clone(), tail }
        };
        let line = match timeout(START_TIME_OUT, process.next_line()).await {
            Err(_) => return Err(not_ready("it is not ready after 60 s")),
            Ok(Ok(Some(line))) => line,
            Ok(_) => {
                process.stop().await;
                return Err(not_ready("it ended"));
            }
        };
        let Ok(Ready { port }) = serde_json::from_str(&line) else { return Err(not_ready("it named no port")) };
        let private_key = private_key(&key_file)?;
        Ok(Self { process, endpoint: format!("http://127.0.0.1:{port}"), key_file, private_key })
    }

    /// Its URL, for `SNOWFLAKE_URL`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The private key that clients log in with, made at the first start.
    pub fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// The id of its process.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// A session with the pipeline's database and schema as its own; not logged in yet.
    pub fn session(&self, pipeline: &Pipeline) -> Result<Session, SnowflakeError> {
        session(&self.endpoint, self.private_key.clone(), Some(pipeline))
    }

    /// The staging tables of a pipeline as they are now.
    pub async fn deployed(&self, pipeline: &Pipeline) -> Result<Deployed, SnowflakeError> {
        let session = session(&self.endpoint, self.private_key.clone(), None)?;
        Ok(Deployed::read(&session, pipeline).await?)
    }

    /// Runs the SQL of infra/snowflake for `pipeline`, with `landing_zone` (a folder) as the stage. Tables that an earlier
    /// run left get the columns that the pipeline has by now. Answers with what was stripped because fakesnow lacks it.
    pub async fn set_up(&self, pipeline: &Pipeline, landing_zone: &Path) -> Result<Vec<String>, SnowflakeError> {
        let session = session(&self.endpoint, self.private_key.clone(), None)?;
        // Before the scripts: a view names the columns of its table.
        for change in schema_change::plan(pipeline, &self.deployed(pipeline).await?)?.changes {
            session.query(&change.statement, &[]).await?;
        }
        let stage_url = format!("file://{}/", landing_zone.display());
        let mut all_stripped = Vec::new();
        for script in ddl::scripts(pipeline) {
            for statement in statements(&script.sql) {
                let Localized { sql, stripped } = for_local(&statement, &stage_url);
                all_stripped.extend(stripped);
                if let Some(sql) = sql {
                    session.query(&sql, &[]).await?;
                }
            }
        }
        Ok(all_stripped)
    }

    /// Asks it to close its databases and go.
    pub async fn stop(mut self) {
        self.process.stop().await;
    }
}

/// Whether the pipeline's database has ever been made in `dir`.
pub(crate) fn has_database(dir: &Path, pipeline: &Pipeline) -> bool {
    dir.join(DATABASES).join(format!("{}.db", pipeline.snowflake.database)).exists()
}

/// The private key that clients of a local Snowflake log in with.
pub(crate) fn private_key(key_file: &Path) -> Result<Secret, SnowflakeError> {
    let key = std::fs::read_to_string(key_file).map(Secret::new);
    key.map_err(|source| SnowflakeError::Key { path: key_file.to_owned(), source })
}

/// A session with the local Snowflake at `endpoint`, in the pipeline's database and schema.
pub(crate) fn session(
    endpoint: &str,
    private_key_pem: Secret,
    pipeline: Option<&Pipeline>,
) -> Result<Session, SnowflakeError> {
    Ok(Session::new(Config {
        account: ACCOUNT.to_owned(),
        user: USER.to_owned(),
        credentials: Credentials::PrivateKey(private_key_pem),
        base_url: Some(endpoint.to_owned()),
        role: None,
        warehouse: None,
        database: pipeline.map(|pipeline| pipeline.snowflake.database.clone()),
        schema: pipeline.map(|pipeline| pipeline.snowflake.schema.clone()),
        query_tag: "landfall/local".to_owned(),
        statement_timeout: STATEMENT_TIME_OUT,
    })?)
}

fn write_program(dir: &Path) -> Result<(), SnowflakeError> {
    let write = |path: PathBuf, text: &str| {
        std::fs::write(&path, text).map_err(|source| SnowflakeError::Write { path, source })
    };
    std::fs::create_dir_all(dir).map_err(|source| SnowflakeError::Write { path: dir.to_owned(), source })?;
    for (name, text) in PROGRAM {
        write(dir.join(name), text)?;
    }
    Ok(())
}
