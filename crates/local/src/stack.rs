//! All services of the laptop, started and stopped as one.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use landfall_core::Pipeline;
use landfall_core::config::Timeouts;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::lambda::{Function, LambdaError, LambdaHost};
use crate::s3::{LocalS3, S3Error};
use crate::snowflake::{self, LocalSnowflake, SnowflakeError};
use crate::snowpipe::{Load, Snowpipe, Source};
use crate::venv::{Venv, VenvError};

/// The bucket of the landing zone and of the dead letters.
pub const BUCKET: &str = "landfall-landing";

/// The bucket that given-up batches go to.
pub const ON_FAILURE_BUCKET: &str = "landfall-on-failure";

/// The function that takes events.
pub const ORCHESTRATOR: &str = "landfall-orchestrator";

/// The function that merges rows.
pub const UPSERT: &str = "landfall-upsert";

/// Locked while a stack runs in the folder; marks the folder as a stack's.
const LOCK: &str = "landfall.lock";

/// What a stack's path must not hold.
const AWKWARD: &str = "'\"#?%*[]\\";

/// What a stack is to be like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where everything of the stack is kept: objects, databases, logs.
    pub dir: PathBuf,
    /// Where the Python venv is. Stacks may share it.
    pub venv_dir: PathBuf,
    /// The text of pipeline.toml.
    pub pipeline: String,
    /// The program that runs a function: with `args` and then `orchestrator` or `upsert`.
    pub program: PathBuf,
    /// What comes before the function's name.
    pub args: Vec<String>,
    /// Processes of each function at once.
    pub concurrency: usize,
    /// Factor on all time-outs.
    pub time_scale: f64,
    /// Whether what an earlier run left in `dir` is removed first.
    pub clean: bool,
}

/// Why there is no stack. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// The folder cannot be made, locked or emptied.
    #[error("failed to prepare the folder {}", path.display())]
    Dir {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It holds something that no stack has put there.
    #[error("failed to use the folder {}: it holds {found}, which is not Landfall's", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// Its path is no UTF-8, or holds what fakesnow takes for a part of a URL or of its SQL.
    #[error("failed to use the folder {}: the local Snowflake cannot take a path with any of {AWKWARD}", path.display())]
    Awkward {
        /// Which.
        path: PathBuf,
    },
    /// Another stack runs there.
    #[error("failed to use the folder {}: another stack is running in it", path.display())]
    Running {
        /// Which.
        path: PathBuf,
    },
    /// pipeline.toml has faults.
    #[error(transparent)]
    Pipeline(#[from] landfall_core::pipeline::PipelineError),
    /// Python is not there or cannot be set up.
    #[error(transparent)]
    Venv(#[from] VenvError),
    /// The local S3 does not start.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// The local Lambda does not start.
    #[error(transparent)]
    Lambda(#[from] LambdaError),
    /// The local Snowflake does not start.
    #[error(transparent)]
    Snowflake(#[from] SnowflakeError),
}

/// A running stack. When dropped, all of it stops; [`Stack::stop`] does so in order.
#[derive(Debug)]
pub struct Stack {
    /// The local S3.
    pub s3: LocalS3,
    /// The local Lambda with both functions.
    pub lambda: LambdaHost,
    /// The local Snowflake, with tables, views and stage.
    pub snowflake: LocalSnowflake,
    /// The local Snowpipe.
    pub snowpipe: Snowpipe,
    /// What Snowpipe has loaded, object by object.
    pub loads: UnboundedReceiver<Load>,
    /// The pipeline that it was started with.
    pub pipeline: Pipeline,
    /// What was stripped from the SQL of infra/snowflake because the local Snowflake lacks it.
    pub stripped: Vec<String>,
    dir: PathBuf,
    // Last: the folder is another's only when everything else has stopped.
    _lock: File,
}

impl Stack {
    /// Starts everything; `progress` is told each step.
    ///
    /// Nothing keeps running when it fails.
    pub async fn start(settings: Settings, progress: impl Fn(&str) + Send + Sync) -> Result<Self, StackError> {
        let pipeline = Pipeline::from_toml(&settings.pipeline)?;
        let dir = absolute(&settings.dir)?;
        let lock = lock(&dir)?;
        if settings.clean {
            clean(&dir)?;
        }
        let pipeline_file = dir.join("pipeline.toml");
        std::fs::write(&pipeline_file, &settings.pipeline)
            .map_err(|source| StackError::Dir { path: pipeline_file.clone(), source })?;

        let venv = Venv::ensure(&absolute(&settings.venv_dir)?, snowflake::REQUIREMENTS, &progress).await?;
        progress("starting S3, Lambda and Snowflake");
        let (notify, notifications) = mpsc::unbounded_channel();
        let s3 = LocalS3::start(&dir.join("s3"), notify).await?;
        s3.create_bucket(BUCKET)?;
        s3.create_bucket(ON_FAILURE_BUCKET)?;
        let bucket_dir = dir.join("s3").join(BUCKET);
        let snowflake = LocalSnowflake::start(venv.python(), &dir.join("snowflake")).await?;
        let mut stripped = snowflake.set_up(&pipeline, &bucket_dir.join(&pipeline.landing.prefix)).await?;
        stripped.extend(Snowpipe::stripped(&pipeline));
        stripped.sort();
        stripped.dedup();
        let session = snowflake.session(&pipeline)?;
        let functions = functions(&settings, &dir, &pipeline_file, &s3, &snowflake);
        let lambda = LambdaHost::start(functions).await?;
        let source = Source { bucket: BUCKET.to_owned(), pipeline: pipeline.clone() };
        let (tell, loads) = mpsc::unbounded_channel();
        let snowpipe = Snowpipe::start(source, session, notifications, tell);
        if !settings.clean {
            // What an earlier run landed, and did not live to load.
            snowpipe.refresh(BUCKET, &bucket_dir).map_err(|source| StackError::Dir { path: bucket_dir, source })?;
            snowpipe.drained().await;
        }
        Ok(Self { s3, lambda, snowflake, snowpipe, loads, pipeline, stripped, dir, _lock: lock })
    }

    /// The folder with the objects of a bucket.
    pub fn bucket_dir(&self, bucket: &str) -> PathBuf {
        self.dir.join("s3").join(bucket)
    }

    /// The folder of all logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stops everything, in the order in which data flows.
    pub async fn stop(self) {
        self.lambda.stop().await;
        drop(self.snowpipe);
        self.s3.stop().await;
        self.snowflake.stop().await;
    }
}

fn absolute(path: &Path) -> Result<PathBuf, StackError> {
    std::path::absolute(path).map_err(|source| StackError::Dir { path: path.to_owned(), source })
}

fn lock(dir: &Path) -> Result<File, StackError> {
    let fault = |source| StackError::Dir { path: dir.to_owned(), source };
    if dir.to_str().is_none_or(|path| path.chars().any(|c| c.is_control() || AWKWARD.contains(c))) {
        return Err(StackError::Awkward { path: dir.to_owned() });
    }
    std::fs::create_dir_all(dir).map_err(fault)?;
    if let Some(found) = stranger(dir).map_err(fault)? {
        return Err(StackError::NotOurs { path: dir.to_owned(), found });
    }
    let file = File::create(dir.join(LOCK)).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StackError::Running { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

/// What stands in a folder that no stack has used yet, and is not what may stand there: a folder is emptied at a clean
/// start, so one that holds a person's own files is none for a stack.
fn stranger(dir: &Path) -> std::io::Result<Option<String>> {
    if dir.join(LOCK).exists() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("venv") && name != "ci" {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Removes objects, databases and logs; the venv stays.
fn clean(dir: &Path) -> Result<(), StackError> {
    for name in ["s3", "snowflake", "logs"] {
        let path = dir.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StackError::Dir { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn functions(
    settings: &Settings,
    dir: &Path,
    pipeline_file: &Path,
    s3: &LocalS3,
    snowflake: &LocalSnowflake,
) -> Vec<Function> {
    let timeouts = Timeouts::scaled(settings.time_scale);
    let pipeline_file = pipeline_file.display().to_string();
    let time_scale = settings.time_scale.to_string();
    let function = |name: &str, role: &str, timeout, env: &[(&str, &str)]| {
        let common = [("PIPELINE_FILE", pipeline_file.as_str()), ("LANDFALL_TIME_SCALE", &time_scale)];
        let mut args = settings.args.clone();
        args.push(role.to_owned());
        Function {
            name: name.to_owned(),
            program: settings.program.clone(),
            args,
            env: common.iter().chain(env).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            timeout,
            memory_mb: 128,
            concurrency: settings.concurrency,
            log_file: dir.join("logs").join(format!("{role}.log")),
        }
    };
    let key_file = snowflake.key_file().display().to_string();
    vec![
        function(
            ORCHESTRATOR,
            "orchestrator",
            timeouts.orchestrator_function(),
            &[("LANDING_BUCKET", BUCKET), ("UPSERT_FUNCTION", UPSERT), ("AWS_ENDPOINT_URL_S3", &s3.endpoint())],
        ),
        function(
            UPSERT,
            "upsert",
            timeouts.upsert_function(),
            &[
                ("SNOWFLAKE_ACCOUNT", snowflake::ACCOUNT),
                ("SNOWFLAKE_USER", snowflake::USER),
                ("SNOWFLAKE_PRIVATE_KEY_FILE", &key_file),
                ("SNOWFLAKE_URL", snowflake.endpoint()),
            ],
        ),
    ]
}
