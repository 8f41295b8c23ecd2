//! The stack of a folder: the one that runs there, or one that is started for as long as a command needs it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use landfall_local::stack::{Connection, Ports, Settings, Stack, StackError};
use tokio::time::Instant;

use crate::console::{self, Progress};
use crate::failure::Failure;
use crate::pipeline_file::{self, PipelineFile};

/// How long another command may take that has the folder for itself: it may be setting Python up.
const PATIENCE: Duration = Duration::from_secs(600);

/// Processes of each function, unless the command knows better.
const CONCURRENCY: usize = 4;

/// Where a stack is kept, unless it is said otherwise.
pub(crate) const DEFAULT_DIR: &str = ".landfall";

/// Which stack.
#[derive(Debug, Clone, Args)]
pub(crate) struct StackOptions {
    /// What a record holds and where its rows go [default: pipeline.toml in this folder, or else the sensor pipeline].
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,

    /// Where the local stack keeps objects, rows, logs and the Python venv.
    #[arg(long, default_value = DEFAULT_DIR, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

impl StackOptions {
    /// A stack that keeps what is in the folder, on ports of the system's choosing.
    pub(crate) fn settings(&self, pipeline: &PipelineFile) -> anyhow::Result<Settings> {
        Ok(Settings {
            dir: self.dir.clone(),
            venv_dir: self.dir.join("venv"),
            pipeline: pipeline.text.clone(),
            program: std::env::current_exe()?,
            args: vec!["function".to_owned()],
            concurrency: CONCURRENCY,
            time_scale: 1.0,
            clean: false,
            ports: Ports::default(),
            firehose: false,
        })
    }

    /// With the pipeline that the stack was last started with, unless one is named: for those who only look.
    pub(crate) fn with_its_last_pipeline(mut self) -> Self {
        let last = self.dir.join("pipeline.toml");
        if self.pipeline.is_none() && last.exists() {
            self.pipeline = Some(last);
        }
        self
    }

    /// Refuses a running stack that has another pipeline than the one that is named.
    pub(crate) fn check(&self, running: &Connection) -> anyhow::Result<()> {
        let Some(path) = &self.pipeline else {
            // Whatever stands in this folder; it need not even be valid.
            if pipeline_file::load(None).is_ok_and(|file| file.path.is_some() && file.pipeline != running.pipeline) {
                let (dir, name) = (self.dir.display(), &running.pipeline.name);
                console::print_note(&format!(
                    "note: the stack that runs in {dir} has another pipeline, {name}: that is used"
                ));
            }
            return Ok(());
        };
        if pipeline_file::load(Some(path))?.pipeline == running.pipeline {
            return Ok(());
        }
        let what = format!(
            "failed to use {}: the stack that runs in {} has another pipeline, {}",
            path.display(),
            self.dir.display(),
            running.pipeline.name
        );
        let remedy = "stop that one (Ctrl-C where it runs), use another folder (--dir), or leave --pipeline out";
        Err(Failure { what, remedy: remedy.to_owned() }.into())
    }
}

/// Waits for another command that has a folder for itself.
pub(crate) struct Waiting<'a> {
    dir: &'a Path,
    progress: &'a Progress,
    deadline: Instant,
    is_told: bool,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(dir: &'a Path, progress: &'a Progress) -> Self {
        Self { dir, progress, deadline: Instant::now() + PATIENCE, is_told: false }
    }

    /// Whether there is patience left.
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Waits a little, and says so once.
    pub(crate) async fn a_moment(&mut self) {
        if !self.is_told {
            self.progress.step(&format!("waiting for another landfall in {}", self.dir.display()));
            self.is_told = true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A stack that may be used.
#[derive(Debug)]
pub(crate) struct AtHand {
    pub(crate) connection: Connection,
    own: Option<Stack>,
}

impl AtHand {
    /// The stack that runs in the folder; where none does, one of our own.
    pub(crate) async fn get(options: &StackOptions, progress: &Progress) -> anyhow::Result<Self> {
        let mut waiting = Waiting::new(&options.dir, progress);
        loop {
            if let Some(connection) = Connection::find(&options.dir).await? {
                options.check(&connection)?;
                return Ok(Self { connection, own: None });
            }
            // Not before: where a stack runs, what stands in this folder does not matter.
            let settings = options.settings(&pipeline_file::load(options.pipeline.as_deref())?)?;
            match Stack::start(settings, |step: &str| progress.step(step)).await {
                // It may be starting, or be another command's own.
                Err(StackError::Running { .. }) if waiting.goes_on() => waiting.a_moment().await,
                stack => {
                    let stack = stack?;
                    return Ok(Self { connection: stack.connection(), own: Some(stack) });
                }
            }
        }
    }

    /// Stops it, if it was started for this command.
    pub(crate) async fn stop(self) {
        if let Some(stack) = self.own {
            stack.stop().await;
        }
    }
}
