//! A local Snowpipe: loads what lands, by the pipe's own COPY.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::{Duration, SystemTime};

use landfall_core::Pipeline;
use landfall_snowflake::ddl::copy_into;
use landfall_snowflake::local::for_local;
use landfall_snowflake::{Fate, Session, SessionError, Table};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::files;
use crate::s3::ObjectCreated;

/// Objects in one COPY. Snowflake takes 1,000; fewer show their rows sooner.
const MAX_FILES: usize = 200;

const RETRY_PAUSE: Duration = Duration::from_millis(200);
const MAX_TRIES: u32 = 5;

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Its key.
    pub key: String,
    /// When that was known.
    pub at: SystemTime,
    /// The rows loaded (0 for an object that had been loaded before), or why none was.
    pub outcome: Result<u64, String>,
}

/// A running pipe. It stops when dropped.
///
/// It remembers the names of what it has loaded, across restarts (fakesnow does), so that a notification that comes
/// twice loads once.
#[derive(Debug)]
pub struct Snowpipe {
    orders: UnboundedSender<Order>,
    _task: AbortOnDropHandle<()>,
}

/// What the pipe is told beside notifications.
#[derive(Debug)]
enum Order {
    /// Load these too.
    Refresh(Vec<ObjectCreated>),
    /// Load all that was notified, then say so.
    Drain(oneshot::Sender<NotLoaded>),
}

/// The objects that could not be loaded, and why.
pub type NotLoaded = BTreeMap<String, String>;

/// Where a pipe loads from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The bucket that it listens to.
    pub bucket: String,
    /// The pipeline: prefix, table, format.
    pub pipeline: Pipeline,
}

impl Snowpipe {
    /// Loads what `notifications` tell of, over `session`. Each object's load is told to `loads`.
    pub fn start(
        source: Source,
        session: Session,
        notifications: UnboundedReceiver<ObjectCreated>,
        loads: UnboundedSender<Load>,
    ) -> Self {
        let (orders, ordered) = mpsc::unbounded_channel();
        let task =
            tokio::spawn(run(Worker { source, session, loads, not_loaded: NotLoaded::new() }, notifications, ordered));
        Self { orders, _task: AbortOnDropHandle::new(task) }
    }

    /// What is stripped from the pipe's COPY because fakesnow lacks it.
    pub fn stripped(pipeline: &Pipeline) -> Vec<String> {
        for_local(&copy_into(pipeline, "", &[]), "").stripped
    }

    /// Takes in what landed while the pipe did not run: `ALTER PIPE … REFRESH`. `root` is the folder of the bucket.
    ///
    /// Answers how many objects it found; the pipe skips those that it has loaded.
    pub fn refresh(&self, bucket: &str, root: &Path) -> std::io::Result<usize> {
        let mut found = Vec::new();
        for path in files::below(root)? {
            if let Ok(key) = path.strip_prefix(root) {
                found.push(ObjectCreated { bucket: bucket.to_owned(), key: key.to_string_lossy().into_owned() });
            }
        }
        let n_found = found.len();
        // A pipe that has stopped loads nothing, and nobody waits for it.
        let _ = self.orders.send(Order::Refresh(found));
        Ok(n_found)
    }

    /// Waits until all that has landed so far is loaded, or could not be: then it is among what is answered with.
    pub async fn drained(&self) -> NotLoaded {
        self.drain().drained().await
    }

    /// A way to wait that is not bound to this.
    pub(crate) fn drain(&self) -> Drain {
        Drain { orders: self.orders.clone() }
    }
}

/// Waits for a pipe. It does not keep the pipe running.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    orders: UnboundedSender<Order>,
}

impl Drain {
    /// As [`Snowpipe::drained`].
    pub(crate) async fn drained(&self) -> NotLoaded {
        let (tell, drained) = oneshot::channel();
        // When the pipe has stopped there is nothing to wait for.
        let _ = self.orders.send(Order::Drain(tell));
        drained.await.unwrap_or_default()
    }
}

async fn run(
    mut worker: Worker,
    mut notifications: UnboundedReceiver<ObjectCreated>,
    mut orders: UnboundedReceiver<Order>,
) {
    loop {
        let mut drained = None;
        let mut pending = tokio::select! {
            Some(created) = notifications.recv() => vec![created],
            Some(order) = orders.recv() => match order {
                Order::Refresh(found) => found,
                Order::Drain(tell) => {
                    drained = Some(tell);
                    Vec::new()
                }
            },
            else => return,
        };
        // An object is notified before its PUT is answered, so what landed before a drain is here by now.
        while let Ok(created) = notifications.try_recv() {
            pending.push(created);
        }
        worker.load(pending).await;
        if let Some(tell) = drained {
            let _ = tell.send(worker.not_loaded.clone());
        }
    }
}

struct Worker {
    source: Source,
    session: Session,
    loads: UnboundedSender<Load>,
    not_loaded: NotLoaded,
}

impl Worker {
    async fn load(&mut self, pending: Vec<ObjectCreated>) {
        let prefix = format!("{}/", self.source.pipeline.landing.prefix);
        // What is beside the prefix (dead letters) is not the pipe's.
        let keys: Vec<String> = pending
            .into_iter()
            .filter(|created| created.bucket == self.source.bucket && created.key.starts_with(&prefix))
            .map(|created| created.key)
            .collect();
        let mut copies: VecDeque<Vec<String>> = keys.chunks(MAX_FILES).map(<[String]>::to_vec).collect();
        while let Some(keys) = copies.pop_front() {
            match self.copy_with_retries(&prefix, &keys).await {
                Ok(table) => self.tell_loaded(&prefix, &keys, &table),
                // One bad object fails the statement: each on its own, so that the good ones load.
                Err(_) if keys.len() > 1 => {
                    copies.extend(keys.into_iter().map(|key| vec![key]));
                }
                Err(error) => {
                    let reason = error.message().map_or_else(|| landfall_core::chain(&error), str::to_owned);
                    for key in keys {
                        self.tell(key, Err(reason.clone()));
                    }
                }
            }
        }
    }

    async fn copy_with_retries(&self, prefix: &str, keys: &[String]) -> Result<Table, SessionError> {
        let names: Vec<&str> = keys.iter().map(|key| key.strip_prefix(prefix).unwrap_or(key)).collect();
        let copy = for_local(&copy_into(&self.source.pipeline, "", &names), "").sql.unwrap_or_default();
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            match self.session.query(&copy, &[]).await {
                Err(error) if error.fate() == Fate::Transient && n_tries < MAX_TRIES => {
                    tokio::time::sleep(RETRY_PAUSE * n_tries).await;
                }
                result => return result,
            }
        }
    }

    /// COPY answers with a row a file; its name is the whole URL.
    fn tell_loaded(&mut self, prefix: &str, keys: &[String], table: &Table) {
        let column = |name: &str| table.columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        let mut n_rows = BTreeMap::new();
        if let (Some(file), Some(loaded)) = (column("file"), column("rows_loaded")) {
            for row in &table.rows {
                let (Some(Some(file)), Some(Some(loaded))) = (row.get(file), row.get(loaded)) else { continue };
                let key = file.rfind(prefix).map_or(file.as_str(), |at| &file[at..]);
                n_rows.insert(key.to_owned(), loaded.parse().unwrap_or(0));
            }
        }
        for key in keys {
            let outcome = n_rows.get(key).copied().ok_or_else(|| "COPY did not name it in its answer".to_owned());
            self.tell(key.clone(), outcome);
        }
    }

    fn tell(&mut self, key: String, outcome: Result<u64, String>) {
        match &outcome {
            Ok(_) => drop(self.not_loaded.remove(&key)),
            Err(reason) => {
                tracing::warn!(key, reason, "an object was not loaded");
                self.not_loaded.insert(key.clone(), reason.clone());
            }
        }
        let _ = self.loads.send(Load { key, at: SystemTime::now(), outcome });
    }
}
