//! A local Lambda: the Invoke API in front, the Runtime API behind, and each function a real child process between.
//!
//! A function is a program built on `lambda_runtime`, the same that is deployed. It is started when an invocation finds no
//! idle process (a cold start), is kept and used again, and runs one invocation at a time. What callers see is what
//! AWS shows them: a failed function is HTTP 200 with `X-Amz-Function-Error`, limits are 413, no free process is 429,
//! a function that does not answer in time is killed.
//!
//! Where it differs: a failed `Event` invocation is retried twice at once, not after one and two minutes; the start-up of
//! a process may take its function's time-out, if that is over ten seconds; memory is measured, not limited.

mod environment;
mod failure;
mod instance;
mod invoke_api;
mod invoked;
mod pool;
mod port;
mod runtime_api;
mod state;
mod trace;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub use self::invoked::{Invoked, MAX_ASYNC_BYTES, MAX_SYNC_BYTES};
use self::state::State;

/// A function to be hosted.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name: letters, digits, `-` and `_`, at most 64, as on AWS.
    pub name: String,
    /// The program, which must speak the Runtime API; [`crate::process::exit_when_orphaned`] first.
    pub program: PathBuf,
    /// The program's arguments.
    pub args: Vec<String>,
    /// The function's own variables. They win over those that the host sets; of the host's environment next to nothing
    /// is passed on.
    pub env: Vec<(String, String)>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// What the function is told that it has. Not enforced.
    pub memory_mb: u32,
    /// Most processes at once: its reserved concurrency.
    pub concurrency: usize,
    /// Where stdout and stderr of all its processes are appended.
    pub log_file: PathBuf,
}

/// What has been seen of a function so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionReport {
    /// The function's name.
    pub name: String,
    /// Invocations that reached a process, ended or failed; retries count, those under way do not.
    pub n_invocations: u64,
    /// Those of them that failed: errors, panics, exits, time-outs.
    pub n_errors: u64,
    /// Processes started.
    pub n_processes: u64,
    /// The slowest start of a process, from spawn to its first poll for work.
    pub cold_start: Option<Duration>,
    /// The most memory a process has had resident. `None` where there is no `/proc`.
    pub peak_memory_bytes: Option<u64>,
}

/// Why the host does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LambdaError {
    /// No port on 127.0.0.1.
    #[error("failed to listen on 127.0.0.1")]
    Listen(#[source] std::io::Error),
    /// A name that AWS would refuse.
    #[error("failed to host the function {name:?}: a name is 1 to 64 letters, digits, '-' and '_'")]
    Name {
        /// The name.
        name: String,
    },
    /// Two functions of one name.
    #[error("failed to host the function {name:?}: there are two of that name")]
    Duplicate {
        /// The name.
        name: String,
    },
}

/// The running host. When dropped, it stops listening and kills every process.
#[derive(Debug)]
pub struct LambdaHost {
    state: Arc<State>,
    server: AbortOnDropHandle<()>,
}

/// A way to invoke functions without HTTP, for the local event source mapping. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Invoker {
    state: Arc<State>,
}

impl LambdaHost {
    /// Listens on 127.0.0.1; `port` 0 is one of the system's choosing. No process is started before it is needed.
    pub async fn start(functions: Vec<Function>, port: u16) -> Result<Self, LambdaError> {
        Self::start_with(|_| functions, port).await
    }

    /// As [`LambdaHost::start`], with functions that are told its own URL.
    pub async fn start_with(functions: impl FnOnce(String) -> Vec<Function>, port: u16) -> Result<Self, LambdaError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(LambdaError::Listen)?;
        let address = listener.local_addr().map_err(LambdaError::Listen)?;
        let state = Arc::new(State::new(functions(format!("http://{address}")), address)?);

        let router = invoke_api::router().merge(runtime_api::router()).with_state(state.clone());
        // Without it, each answer that leaves in two packets waits 40 ms for an acknowledgement.
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).ok();
        });
        let closed = state.closed.clone();
        let server = tokio::spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(closed.cancelled_owned());
            if let Err(error) = server.await {
                tracing::error!(%error, "the local Lambda stopped listening");
            }
        });
        Ok(Self { state, server: AbortOnDropHandle::new(server) })
    }

    /// Its URL, for `AWS_ENDPOINT_URL_LAMBDA`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.state.address)
    }

    /// The way to invoke functions from this process.
    pub fn invoker(&self) -> Invoker {
        Invoker { state: self.state.clone() }
    }

    /// What has been seen of every function, by name.
    pub fn reports(&self) -> Vec<FunctionReport> {
        self.state.reports()
    }

    /// Kills one process of a function (SIGKILL), for fault tests: a busy one if any, else an idle one.
    ///
    /// Says whether there was one.
    pub fn kill(&self, name: &str) -> bool {
        self.state.pool(name).is_some_and(|pool| pool.kill_one())
    }

    /// Breaks off the invocations under way, asks every process to go, and kills those still there two seconds later.
    pub async fn stop(mut self) {
        self.state.stop().await;
        // The connections of processes and callers close with their ends, which may outlive this host.
        self.server.abort();
        (&mut self.server).await.ok();
    }
}

impl Drop for LambdaHost {
    fn drop(&mut self) {
        self.state.abandon();
    }
}

/// Who invokes functions for the event source mapping: the host itself, or a test that stands before it.
pub trait Invoke: Clone + Send + Sync + 'static {
    /// Invokes a function synchronously: see [`Invoker::invoke`].
    fn invoke(&self, name: &str, payload: Bytes) -> impl Future<Output = Invoked> + Send;
}

impl Invoke for Invoker {
    async fn invoke(&self, name: &str, payload: Bytes) -> Invoked {
        Invoker::invoke(self, name, payload).await
    }
}

impl Invoker {
    /// Invokes a function synchronously, as `RequestResponse` over HTTP does. An empty payload is `{}`.
    ///
    /// A function runs to its end even when this future is dropped.
    pub async fn invoke(&self, name: &str, payload: Bytes) -> Invoked {
        State::invoke(&self.state, name, payload, None).await
    }

    /// The id of the idle process that the next invocation of a function gets, for fault tests.
    pub fn idle_process(&self, name: &str) -> Option<u32> {
        self.state.pool(name)?.idle_process()
    }
}
