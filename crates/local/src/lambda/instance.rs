//! One process of a function, and one invocation in it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::failure;
use super::pool::Pool;
use super::port::{Event, Job, Port, Ports};
use super::trace::Call;
use crate::process::{ChildProcess, Output, ProcessError, log_tail};

/// The least time that a process has from its spawn to its first poll, as AWS gives it.
const MIN_INIT: Duration = Duration::from_secs(10);

/// A process and its mailbox. Whoever owns it may run one invocation in it; dropped, it is killed.
#[derive(Debug)]
pub(super) struct Instance {
    name: String,
    ports: Arc<Ports>,
    port: Arc<Port>,
    child: ChildProcess,
    jobs: mpsc::Sender<Job>,
    events: mpsc::UnboundedReceiver<Event>,
    spawned: Instant,
    has_polled: bool,
    /// Where in the log this process begins.
    log_start: u64,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.ports.remove(&self.name);
    }
}

impl Instance {
    /// Starts a process.
    pub(super) fn start(pool: &Pool, name: String) -> Result<Self, ProcessError> {
        let function = &pool.function;
        let (jobs, receiver) = mpsc::channel(1);
        let (sender, events) = mpsc::unbounded_channel();
        let port = Arc::new(Port::new(&function.name, receiver, sender));
        let log_start = std::fs::metadata(&function.log_file).map_or(0, |log| log.len());
        let command = super::environment::command(function, pool.address, &name);
        // Known before it can ask.
        pool.ports.insert(&name, port.clone());
        let spawned = Instant::now();
        let child = ChildProcess::spawn(command, Output::Log, &function.log_file).inspect_err(|_| {
            pool.ports.remove(&name);
        })?;
        let ports = pool.ports.clone();
        Ok(Self { name, ports, port, child, jobs, events, spawned, has_polled: false, log_start })
    }

    /// Its id, unless it is known to have exited.
    pub(super) fn process(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn is_alive(&mut self) -> bool {
        !self.child.has_exited()
    }

    pub(super) async fn stop(mut self) {
        self.child.stop().await;
    }

    /// Runs one invocation: the answer, or AWS's JSON of the error. Afterwards the process may be gone: [`Self::is_alive`].
    pub(super) async fn run(&mut self, pool: &Pool, call: &Call, payload: Bytes) -> Result<Bytes, Bytes> {
        let request_id = call.request_id.as_str();
        if !self.has_polled {
            self.init(pool, request_id).await?;
        }
        // What is left is the poll after the last answer.
        while self.events.try_recv().is_ok() {}

        let timeout = pool.function.timeout;
        let deadline = SystemTime::now() + timeout;
        self.port.begin(request_id);
        let job = Job {
            request_id: request_id.to_owned(),
            deadline_ms: deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(),
            arn: super::environment::arn(&pool.function.name),
            trace: call.trace.clone(),
            payload,
        };
        let answered = match self.jobs.send(job).await {
            Ok(()) => self.answer(pool, request_id, Instant::now() + timeout).await,
            // Our own port holds the receiver.
            Err(_) => unreachable!("the port of an instance outlives it"),
        };
        self.port.finish(request_id);
        self.measure(pool);
        answered
    }

    /// Waits for the first poll.
    async fn init(&mut self, pool: &Pool, request_id: &str) -> Result<(), Bytes> {
        let deadline = self.spawned + MIN_INIT.max(pool.function.timeout);
        match self.next(deadline).await {
            Next::Event(Event::Polled(at)) => {
                self.has_polled = true;
                pool.started(at - self.spawned);
                Ok(())
            }
            Next::Event(Event::InitFailed(error) | Event::Failed(error)) => {
                self.kill().await;
                Err(error)
            }
            Next::Event(_) | Next::TimedOut => {
                self.kill().await;
                Err(failure::timed_out(request_id, deadline - self.spawned))
            }
            Next::Exited(status) => {
                let log = log_tail(&pool.function.log_file, self.log_start);
                Err(failure::exited(request_id, status, &log))
            }
        }
    }

    /// Waits for the answer to the job.
    async fn answer(&mut self, pool: &Pool, request_id: &str, deadline: Instant) -> Result<Bytes, Bytes> {
        loop {
            return match self.next(deadline).await {
                Next::Event(Event::Polled(_)) => continue,
                Next::Event(Event::Responded(payload)) => Ok(payload),
                Next::Event(Event::RespondedTooMuch) => Err(failure::response_too_large()),
                Next::Event(Event::Failed(error) | Event::InitFailed(error)) => Err(error),
                Next::Exited(status) => Err(failure::exited(request_id, status, "")),
                Next::TimedOut => {
                    self.measure(pool);
                    self.kill().await;
                    Err(failure::timed_out(request_id, pool.function.timeout))
                }
            };
        }
    }

    async fn next(&mut self, deadline: Instant) -> Next {
        loop {
            tokio::select! {
                // In this order, so that a process which answers and exits has answered.
                biased;
                Some(event) = self.events.recv() => return Next::Event(event),
                status = self.child.exited() => return Next::Exited(status),
                () = self.port.killed() => self.child.kill(),
                () = tokio::time::sleep_until(deadline) => return Next::TimedOut,
            }
        }
    }

    async fn kill(&mut self) {
        self.child.kill();
        if let Err(error) = self.child.exited().await {
            tracing::warn!(%error, "failed to wait for a killed process");
        }
    }

    fn measure(&self, pool: &Pool) {
        if let Some(peak) = self.child.id().and_then(peak_memory_bytes) {
            pool.used_memory(peak);
        }
    }
}

/// What happens next to a process.
enum Next {
    Event(Event),
    Exited(std::io::Result<std::process::ExitStatus>),
    TimedOut,
}

/// The most memory that a process has had resident, from Linux's `VmHWM`.
fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
