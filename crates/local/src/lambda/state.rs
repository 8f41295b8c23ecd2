//! The host's functions, and the way from an invocation to its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pool::Pool;
use super::port::Ports;
use super::trace::Call;
use super::{Function, FunctionReport, Invoked, LambdaError, MAX_SYNC_BYTES};

/// Tries of an `Event` invocation, as AWS's default.
const EVENT_TRIES: usize = 3;

#[derive(Debug)]
pub(super) struct State {
    pub(super) address: SocketAddr,
    pub(super) ports: Arc<Ports>,
    /// No invocation begins or goes on.
    pub(super) stopping: CancellationToken,
    /// No request is answered any more. Later than `stopping`: a process whose poll breaks off fails loudly in its log.
    pub(super) closed: CancellationToken,
    pools: BTreeMap<String, Arc<Pool>>,
    /// The invocations under way, whether somebody waits for them or not.
    invocations: TaskTracker,
}

impl State {
    pub(super) fn new(functions: Vec<Function>, address: SocketAddr) -> Result<Self, LambdaError> {
        let ports = Arc::new(Ports::default());
        let stopping = CancellationToken::new();
        let mut pools = BTreeMap::new();
        for function in functions {
            let name = function.name.clone();
            if !is_name(&name) {
                return Err(LambdaError::Name { name });
            }
            let pool = Arc::new(Pool::new(function, address, ports.clone(), stopping.clone()));
            if pools.insert(name.clone(), pool).is_some() {
                return Err(LambdaError::Duplicate { name });
            }
        }
        let closed = CancellationToken::new();
        Ok(Self { address, ports, stopping, closed, pools, invocations: TaskTracker::new() })
    }

    pub(super) fn pool(&self, name: &str) -> Option<&Arc<Pool>> {
        self.pools.get(name)
    }

    pub(super) fn reports(&self) -> Vec<FunctionReport> {
        self.pools.values().map(|pool| pool.report()).collect()
    }

    /// A synchronous invocation.
    pub(super) async fn invoke(&self, name: &str, payload: Bytes, trace: Option<&str>) -> Invoked {
        let Some(pool) = self.pool(name) else { return Invoked::NotFound };
        if payload.len() > MAX_SYNC_BYTES {
            return Invoked::TooLarge { n_bytes: payload.len() };
        }
        let payload = match json(payload) {
            Ok(payload) => payload,
            Err(error) => return Invoked::NotJson { reason: error.to_string() },
        };
        let Ok(permit) = pool.permits.clone().try_acquire_owned() else { return Invoked::Throttled };
        let invocation = run(pool.clone(), permit, Call::new(trace), payload);
        // A task of its own: it goes on when the caller hangs up.
        let invocation = self.stopping.clone().run_until_cancelled_owned(invocation);
        match self.invocations.spawn(invocation).await {
            Ok(Some(invoked)) => invoked,
            Ok(None) | Err(_) => Invoked::Stopped,
        }
    }

    /// An asynchronous invocation of JSON within its limit: it waits for a free process, and is tried three times.
    pub(super) fn invoke_event(&self, pool: &Arc<Pool>, call: Call, payload: Bytes) {
        let pool = pool.clone();
        let invocation = async move {
            for _ in 0..EVENT_TRIES {
                let Ok(permit) = pool.permits.clone().acquire_owned().await else { return };
                let invoked = run(pool.clone(), permit, call.clone(), payload.clone()).await;
                if !matches!(invoked, Invoked::Failed { .. }) {
                    return;
                }
            }
            let request_id = call.request_id;
            tracing::warn!(function = pool.function.name, request_id, "an event invocation failed on every try");
        };
        self.invocations.spawn(self.stopping.clone().run_until_cancelled_owned(invocation));
    }

    /// Stops all processes: those at work at once, idle ones gently.
    pub(super) async fn stop(&self) {
        self.stopping.cancel();
        self.invocations.close();
        self.invocations.wait().await;
        let idle = self.pools.values().flat_map(|pool| pool.take_idle());
        join_all(idle.map(|instance| instance.stop())).await;
        self.closed.cancel();
    }

    /// Stops all processes without waiting.
    pub(super) fn abandon(&self) {
        self.stopping.cancel();
        for pool in self.pools.values() {
            drop(pool.take_idle());
        }
        self.closed.cancel();
    }
}

async fn run(pool: Arc<Pool>, permit: OwnedSemaphorePermit, call: Call, payload: Bytes) -> Invoked {
    let answered = pool.run(&call, payload).await;
    let request_id = call.request_id;
    drop(permit);
    match answered {
        Ok(payload) => Invoked::Succeeded { request_id, payload },
        Err(payload) => Invoked::Failed { request_id, payload },
    }
}

/// The payload as a function gets it, or what is wrong with it.
pub(super) fn json(payload: Bytes) -> Result<Bytes, serde_json::Error> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(&payload)?;
    Ok(payload)
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
