//! A proxy that makes faults, for tests: it stands between two real processes and does to a request what a plan says.
//!
//! Only HTTP/1, and each request and answer is read whole before it goes on. What it forwards it forwards as it came,
//! the `Host` header included, so that signatures stay valid. A request that is forwarded reaches its service also when
//! the client has hung up meanwhile, as it does in a network: an effect may come late, and after its own retry.

pub mod answers;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, Request, Response, Uri, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// What speaks of one connection only, and is not passed on. A length is counted anew.
const HOP_BY_HOP: [HeaderName; 3] = [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH];

/// What is done to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is reset, and the request goes nowhere.
    ResetBefore,
    /// The request has its effect; then the connection is reset instead of an answer.
    ResetAfter,
    /// The request is held back for so long.
    Delay(Duration),
    /// The request goes nowhere, and this is the answer: see [`answers`].
    Answer(Response<Bytes>),
    /// The request has its effect, and no answer ever comes.
    NeverAnswer,
}

/// A running proxy. When dropped it stops; what it was about to forward it still forwards.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    upstream: Arc<OnceLock<String>>,
    forwards: TaskTracker,
    _server: AbortOnDropHandle<Infallible>,
}

impl Proxy {
    /// Listens on 127.0.0.1. `plan` is asked about each request, in the order in which they come; `None` is no fault.
    ///
    /// # Errors
    /// There is no port to be had.
    pub async fn start<P>(plan: P) -> io::Result<Self>
    where
        P: Fn(&Request<Bytes>) -> Option<Fault> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (upstream, forwards) = (Arc::<OnceLock<String>>::default(), TaskTracker::new());
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let relay = Relay { plan, upstream: upstream.clone(), client, forwards: forwards.clone() };
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, Arc::new(relay))));
        Ok(Self { address, upstream, forwards, _server: server })
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where requests go, as `http://127.0.0.1:port`; the first call counts. Until then, every connection is reset.
    pub fn forward_to(&self, upstream: &str) {
        self.upstream.get_or_init(|| upstream.trim_end_matches('/').to_owned());
    }

    /// Waits until nothing is being forwarded, or held back, any more.
    pub async fn settled(&self) {
        self.forwards.close();
        self.forwards.wait().await;
        self.forwards.reopen();
    }
}

/// The connection is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset")]
struct Reset;

struct Relay<P> {
    plan: P,
    upstream: Arc<OnceLock<String>>,
    client: Client<HttpConnector, Body>,
    forwards: TaskTracker,
}

async fn serve<P>(listener: TcpListener, relay: Arc<Relay<P>>) -> Infallible
where
    P: Fn(&Request<Bytes>) -> Option<Fault> + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, relay.clone()));
                }
                // Out of file descriptors, most likely.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<P>(stream: TcpStream, relay: Arc<Relay<P>>)
where
    P: Fn(&Request<Bytes>) -> Option<Fault> + Send + Sync + 'static,
{
    // One that fails has gone already.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let relay = relay.clone();
        async move { relay.answer(request).await }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if (&mut connection).await.is_err() {
        // With nothing to linger for, the end of a connection is a reset and not a polite end.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

impl<P> Relay<P>
where
    P: Fn(&Request<Bytes>) -> Option<Fault> + Send + Sync + 'static,
{
    async fn answer(&self, request: Request<hyper::body::Incoming>) -> Result<Response<Body>, Reset> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Reset)?;
        let request = Request::from_parts(parts, body);
        match (self.plan)(&request) {
            Some(Fault::ResetBefore) => Err(Reset),
            Some(Fault::Answer(answer)) => Ok(answer.map(Body::from)),
            Some(Fault::ResetAfter) => {
                self.forward(request, Duration::ZERO).await?;
                Err(Reset)
            }
            Some(Fault::NeverAnswer) => {
                self.forward(request, Duration::ZERO).await?;
                std::future::pending().await
            }
            Some(Fault::Delay(delay)) => self.forward(request, delay).await,
            None => self.forward(request, Duration::ZERO).await,
        }
    }

    /// In a task of its own, which goes on when the client hangs up.
    async fn forward(&self, request: Request<Bytes>, after: Duration) -> Result<Response<Body>, Reset> {
        let (mut parts, body) = request.into_parts();
        let upstream = self.upstream.get().ok_or(Reset)?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = format!("{upstream}{path}").parse::<Uri>().map_err(|_| Reset)?;
        HOP_BY_HOP.iter().for_each(|name| drop(parts.headers.remove(name)));
        let (client, request) = (self.client.clone(), Request::from_parts(parts, Body::from(body)));
        let forwarded = self.forwards.spawn(async move {
            tokio::time::sleep(after).await;
            let (mut parts, body) = client.request(request).await.map_err(|_| Reset)?.into_parts();
            let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Reset)?;
            HOP_BY_HOP.iter().for_each(|name| drop(parts.headers.remove(name)));
            Ok(Response::from_parts(parts, Body::from(body)))
        });
        forwarded.await.unwrap_or(Err(Reset))
    }
}
