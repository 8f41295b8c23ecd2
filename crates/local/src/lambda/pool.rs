//! The processes of one function.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::instance::Instance;
use super::port::Ports;
use super::trace::Call;
use super::{Function, FunctionReport, failure};

/// A function and its processes: at most as many as its concurrency, each either idle here or owned by an invocation.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) function: Function,
    pub(super) address: SocketAddr,
    pub(super) ports: Arc<Ports>,
    /// One for each process that may be busy.
    pub(super) permits: Arc<Semaphore>,
    idle: Mutex<Vec<Instance>>,
    stopping: CancellationToken,
    n_processes: AtomicU64,
    report: Mutex<FunctionReport>,
}

impl Pool {
    pub(super) fn new(function: Function, address: SocketAddr, ports: Arc<Ports>, stopping: CancellationToken) -> Self {
        let report = FunctionReport {
            name: function.name.clone(),
            n_invocations: 0,
            n_errors: 0,
            n_processes: 0,
            cold_start: None,
            peak_memory_bytes: None,
        };
        Self {
            permits: Arc::new(Semaphore::new(function.concurrency)),
            function,
            address,
            ports,
            idle: Mutex::default(),
            stopping,
            n_processes: AtomicU64::new(0),
            report: Mutex::new(report),
        }
    }

    /// Runs one invocation in an idle process, or in a new one. The caller holds a permit.
    pub(super) async fn run(&self, call: &Call, payload: Bytes) -> Result<Bytes, Bytes> {
        let mut instance = match self.idle_instance() {
            Some(instance) => instance,
            None => {
                let n = self.n_processes.fetch_add(1, Ordering::Relaxed) + 1;
                let started = Instance::start(self, format!("{}-{n}", self.function.name));
                started.map_err(|error| {
                    self.count(true);
                    failure::not_started(&call.request_id, &error)
                })?
            }
        };
        let answered = instance.run(self, call, payload).await;
        self.count(answered.is_err());

        let mut idle = self.idle();
        // Looked at under the lock, so that none is left behind by `take_idle`.
        if !self.stopping.is_cancelled() {
            idle.push(instance);
        }
        answered
    }

    /// Kills a busy process, else an idle one.
    pub(super) fn kill_one(&self) -> bool {
        self.ports.kill_busy(&self.function.name) || self.idle_instance().is_some()
    }

    /// The id of the idle process that is used next.
    pub(super) fn idle_process(&self) -> Option<u32> {
        self.idle().iter().rev().find_map(Instance::process)
    }

    /// All idle processes, to be stopped.
    pub(super) fn take_idle(&self) -> Vec<Instance> {
        std::mem::take(&mut self.idle())
    }

    pub(super) fn report(&self) -> FunctionReport {
        let n_processes = self.n_processes.load(Ordering::Relaxed);
        FunctionReport { n_processes, ..self.counts().clone() }
    }

    pub(super) fn started(&self, took: Duration) {
        let mut counts = self.counts();
        counts.cold_start = counts.cold_start.max(Some(took));
    }

    pub(super) fn used_memory(&self, peak_bytes: u64) {
        let mut counts = self.counts();
        counts.peak_memory_bytes = counts.peak_memory_bytes.max(Some(peak_bytes));
    }

    fn count(&self, is_error: bool) {
        let mut counts = self.counts();
        counts.n_invocations += 1;
        counts.n_errors += u64::from(is_error);
    }

    /// The one used last, so that those no longer needed are left alone. Those that have died are dropped.
    fn idle_instance(&self) -> Option<Instance> {
        let mut idle = self.idle();
        while let Some(mut instance) = idle.pop() {
            if instance.is_alive() {
                return Some(instance);
            }
        }
        None
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, FunctionReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
