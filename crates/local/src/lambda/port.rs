//! Between the Runtime API and the owner of a process: jobs go one way, events the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// One invocation, as the Runtime API hands it to a process.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request_id: String,
    pub(super) deadline_ms: u128,
    pub(super) arn: String,
    /// `Lambda-Runtime-Trace-Id`: what it is part of.
    pub(super) trace: String,
    pub(super) payload: Bytes,
}

/// What a process says to the Runtime API.
#[derive(Debug)]
pub(super) enum Event {
    /// It asks for work.
    Polled(Instant),
    /// The answer to the job that it has.
    Responded(Bytes),
    /// The answer was over the limit.
    RespondedTooMuch,
    /// The job failed, with AWS's JSON of the error.
    Failed(Bytes),
    /// It cannot start, with AWS's JSON of the error.
    InitFailed(Bytes),
}

/// The end of an instance that the Runtime API talks to.
#[derive(Debug)]
pub(super) struct Port {
    function: String,
    pub(super) jobs: tokio::sync::Mutex<mpsc::Receiver<Job>>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// The request id of the job under way.
    current: Mutex<Option<String>>,
    killed: Notify,
}

impl Port {
    pub(super) fn new(function: &str, jobs: mpsc::Receiver<Job>, events: mpsc::UnboundedSender<Event>) -> Self {
        Self {
            function: function.to_owned(),
            jobs: tokio::sync::Mutex::new(jobs),
            events,
            current: Mutex::new(None),
            killed: Notify::new(),
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<String>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a job. A kill that came too late for the one before is forgotten.
    pub(super) fn begin(&self, request_id: &str) {
        let mut current = self.current();
        self.killed().now_or_never();
        *current = Some(request_id.to_owned());
    }

    /// Ends the job if it is this one. So each job is answered once, and a late answer to an earlier one is not taken.
    pub(super) fn finish(&self, request_id: &str) -> bool {
        self.current().take_if(|current| current == request_id).is_some()
    }

    /// Asks whoever runs the job to kill the process, if it has one.
    fn kill_if_busy(&self) -> bool {
        let current = self.current();
        if current.is_some() {
            self.killed.notify_one();
        }
        current.is_some()
    }

    /// Waits until the process is to be killed.
    pub(super) async fn killed(&self) {
        self.killed.notified().await;
    }
}

/// The ports of all processes, by instance name.
#[derive(Debug, Default)]
pub(super) struct Ports(Mutex<HashMap<String, Arc<Port>>>);

impl Ports {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Port>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, instance: &str) -> Option<Arc<Port>> {
        self.lock().get(instance).cloned()
    }

    pub(super) fn insert(&self, instance: &str, port: Arc<Port>) {
        self.lock().insert(instance.to_owned(), port);
    }

    pub(super) fn remove(&self, instance: &str) {
        self.lock().remove(instance);
    }

    /// Kills one process of a function that has a job.
    pub(super) fn kill_busy(&self, function: &str) -> bool {
        self.lock().values().any(|port| port.function == function && port.kill_if_busy())
    }
}
