//! All services of the laptop, started and stopped as one.

mod between;
mod connection;
mod deployed;
mod folder;
mod functions;
mod loaded;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_core::Pipeline;
use tokio::sync::mpsc::{self, UnboundedReceiver};

pub use self::between::Between;
use self::connection::Announcement;
pub use self::connection::{Connection, Endpoints};
use self::folder::AWKWARD;
use self::loaded::Loaded;
use crate::firehose::{self, Firehose};
use crate::lambda::{Invoke, LambdaError, LambdaHost};
use crate::s3::{LocalS3, S3Error};
use crate::shards::Shard;
use crate::snowflake::{self, LocalSnowflake, SnowflakeError};
use crate::snowpipe::{Load, Snowpipe, Source};
use crate::venv::{Venv, VenvError};

/// The bucket of the landing zone and of the dead letters.
pub const BUCKET: &str = "landfall-landing";

/// The bucket that given-up batches go to.
pub const ON_FAILURE_BUCKET: &str = "landfall-on-failure";

/// The function that takes events.
pub const ORCHESTRATOR: &str = "landfall-orchestrator";

/// The function that answers Firehose.
pub const TRANSFORM: &str = "landfall-transform";

/// The function that merges rows.
pub const UPSERT: &str = "landfall-upsert";

/// How long a stack that stops waits for its Snowpipe.
const DRAIN_AT_STOP: Duration = Duration::from_millis(500);

/// What the stack was last started with.
const PIPELINE_FILE: &str = "pipeline.toml";

/// What a stack is to be like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where everything of the stack is kept: objects, databases, logs.
    pub dir: PathBuf,
    /// Where the Python venv is. Stacks may share it.
    pub venv_dir: PathBuf,
    /// The text of pipeline.toml.
    pub pipeline: String,
    /// The program that runs a function: with `args` and then `orchestrator`, `transform` or `upsert`.
    pub program: PathBuf,
    /// What comes before the function's name.
    pub args: Vec<String>,
    /// Processes of each function at once.
    pub concurrency: usize,
    /// Factor on all time-outs.
    pub time_scale: f64,
    /// Whether what an earlier run left in `dir` is removed first.
    pub clean: bool,
    /// Where its services listen.
    pub ports: Ports,
    /// Whether the landing zone is Firehose's: then the orchestrator lands nothing, and there is a function that transforms. See
    /// [`Stack::firehose`].
    pub firehose: bool,
}

/// Where the services of a stack listen, on 127.0.0.1; 0 is a port of the system's choosing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// The local S3.
    pub s3: u16,
    /// The local Lambda.
    pub lambda: u16,
    /// The local Snowflake.
    pub snowflake: u16,
}

impl Ports {
    /// Three ports in a row, from `first`; of the system's choosing where it is 0. `None` where there are no three.
    pub fn from(first: u16) -> Option<Self> {
        if first == 0 {
            return Some(Self::default());
        }
        Some(Self { s3: first, lambda: first.checked_add(1)?, snowflake: first.checked_add(2)? })
    }

    /// Finds out now, and not from one service or another, that a port is taken.
    fn check(self) -> Result<(), StackError> {
        for (service, port) in [("S3", self.s3), ("Lambda", self.lambda), ("Snowflake", self.snowflake)] {
            if port > 0 {
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| StackError::Port {
                    service,
                    port,
                    source,
                })?;
            }
        }
        Ok(())
    }
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
    /// A service cannot listen where it is to.
    #[error("failed to start {service} on port {port} of 127.0.0.1")]
    Port {
        /// Which.
        service: &'static str,
        /// Where.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// What a running stack says of itself makes no sense.
    #[error("failed to use the stack that runs in {}", path.display())]
    Connect {
        /// The folder.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
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
    /// The local Lambda with the functions.
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
    announcement: Option<Announcement>,
    // Last: the folder is another's only when everything else has stopped.
    _lock: folder::Lock,
}

impl Stack {
    /// Starts everything; `progress` is told each step.
    ///
    /// Nothing keeps running when it fails.
    pub async fn start(settings: Settings, progress: impl Fn(&str) + Send + Sync) -> Result<Self, StackError> {
        Self::start_between(settings, progress, ()).await
    }

    /// As [`Stack::start`], with something between its services.
    pub async fn start_between(
        settings: Settings,
        progress: impl Fn(&str) + Send + Sync,
        mut between: impl Between,
    ) -> Result<Self, StackError> {
        let pipeline = Pipeline::from_toml(&settings.pipeline)?;
        let (dir, lock) = folder::take(&settings.dir)?;
        settings.ports.check()?;
        if settings.clean {
            folder::clean(&dir)?;
        }
        let venv = Venv::ensure(&absolute(&settings.venv_dir)?, snowflake::REQUIREMENTS, &progress).await?;
        progress("starting S3, Lambda and Snowflake");
        let (notify, notifications) = mpsc::unbounded_channel();
        let s3 = LocalS3::start(&dir.join("s3"), settings.ports.s3, notify).await?;
        s3.create_bucket(BUCKET)?;
        s3.create_bucket(ON_FAILURE_BUCKET)?;
        let bucket_dir = dir.join("s3").join(BUCKET);
        let snowflake = LocalSnowflake::start(venv.python(), &dir.join("snowflake"), settings.ports.snowflake).await?;
        let is_new = snowflake.deployed(&pipeline).await?.microbatch.is_empty();
        let mut stripped = snowflake.set_up(&pipeline, &bucket_dir.join(&pipeline.landing.prefix)).await?;
        // Now that the tables have taken it.
        let pipeline_file = dir.join(PIPELINE_FILE);
        std::fs::write(&pipeline_file, &settings.pipeline)
            .map_err(|source| StackError::Dir { path: pipeline_file.clone(), source })?;
        stripped.extend(Snowpipe::stripped(&pipeline));
        stripped.sort();
        stripped.dedup();
        let session = snowflake.session(&pipeline)?;
        let functions = |lambda| {
            let (snowflake, key_file) = (snowflake.endpoint().to_owned(), snowflake.key_file().to_owned());
            let endpoints = between.endpoints(Endpoints { s3: s3.endpoint(), lambda, snowflake, key_file });
            functions::functions(&settings, &dir, &pipeline_file, &endpoints)
        };
        let lambda = LambdaHost::start_with(functions, settings.ports.lambda).await?;
        let source = Source { bucket: BUCKET.to_owned(), pipeline: pipeline.clone() };
        let (tell, loads) = mpsc::unbounded_channel();
        let snowpipe = Snowpipe::start(source, session, between.notifications(notifications), tell);
        // A pipe that is new, with its table, takes nothing that was there before it: it may have other columns.
        let loaded = Loaded::take(&dir);
        let here = Loaded::everything(&pipeline, &bucket_dir)
            .map_err(|source| StackError::Dir { path: bucket_dir.clone(), source })?;
        if !is_new && loaded.as_ref() != Some(&here) {
            progress("loading what landed and was not loaded");
            snowpipe.refresh(BUCKET, &bucket_dir).map_err(|source| StackError::Dir { path: bucket_dir, source })?;
            snowpipe.drained().await;
        }
        Ok(Self { s3, lambda, snowflake, snowpipe, loads, pipeline, stripped, dir, announcement: None, _lock: lock })
    }

    /// Reads `shards` into the landing zone, in a stack that was started with [`Settings::firehose`].
    pub fn firehose(&self, shards: Vec<Shard>) -> Firehose {
        self.firehose_with(shards, &self.lambda.invoker(), |_| {})
    }

    /// As [`Stack::firehose`], told otherwise than it is by default, and by way of another `invoker`.
    pub fn firehose_with<I: Invoke>(
        &self,
        shards: Vec<Shard>,
        invoker: &I,
        change: impl FnOnce(&mut firehose::Settings),
    ) -> Firehose {
        let mut settings = firehose::Settings::new(TRANSFORM, BUCKET, &self.pipeline);
        change(&mut settings);
        Firehose::start(shards, invoker, self.s3.objects(), settings)
    }

    /// The folder with the objects of a bucket.
    pub fn bucket_dir(&self, bucket: &str) -> PathBuf {
        bucket_dir(&self.dir, bucket)
    }

    /// Where its services are.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            s3: self.s3.endpoint(),
            lambda: self.lambda.endpoint(),
            snowflake: self.snowflake.endpoint().to_owned(),
            key_file: self.snowflake.key_file().to_owned(),
        }
    }

    /// The way to use it from this process.
    pub fn connection(&self) -> Connection {
        Connection::here(&self.dir, self.endpoints(), self.pipeline.clone(), self.snowpipe.drain())
    }

    /// Lets other processes find it: [`Connection::find`].
    pub async fn announce(&mut self) -> Result<(), StackError> {
        self.announcement = Some(Announcement::make(&self.dir, self.endpoints(), self.snowpipe.drain()).await?);
        Ok(())
    }

    /// The folder of all logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stops everything, in the order in which data flows.
    pub async fn stop(self) {
        drop(self.announcement);
        self.lambda.stop().await;
        // Not longer: it may be far behind, and then the next stack looks at everything.
        let drained = tokio::time::timeout(DRAIN_AT_STOP, self.snowpipe.drained()).await;
        if drained.is_ok_and(|not_loaded| not_loaded.is_empty()) {
            let bucket_dir = bucket_dir(&self.dir, BUCKET);
            let left = Loaded::everything(&self.pipeline, &bucket_dir).and_then(|loaded| loaded.leave(&self.dir));
            if let Err(error) = left {
                tracing::debug!(%error, "the next stack looks at every object again");
            }
        }
        drop(self.snowpipe);
        self.s3.stop().await;
        self.snowflake.stop().await;
    }
}

fn absolute(path: &Path) -> Result<PathBuf, StackError> {
    std::path::absolute(path).map_err(|source| StackError::Dir { path: path.to_owned(), source })
}

fn bucket_dir(dir: &Path, bucket: &str) -> PathBuf {
    dir.join("s3").join(bucket)
}
