//! A local S3 over plain files, which tells of every object it has stored.
//!
//! The protocol (signatures, checksums, chunked uploads, XML) is `s3s`; the objects are plain files at
//! `root/bucket/key`, nothing beside them, so that a person and a `COPY` can read them in place. `s3s-fs`, which does
//! nearly this, is not used: it keeps each object's checksums in a file that is named after the whole key, and a key of
//! our landing zone makes that name too long for a file system.
//!
//! What it has: CreateBucket, HeadBucket, ListBuckets, PutObject (with checksums and `If-None-Match: *`), GetObject
//! (with ranges), HeadObject, DeleteObject(s), ListObjectsV2. What it has not: multipart uploads, copies, versions, metadata
//! (a content type is accepted and forgotten; only the answer to a PUT has an ETag). Operations it has not get `NotImplemented`.

mod auth;
mod checksum;
mod files;
mod list;
mod service;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as ConnectionBuilder;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::auth::OnePair;
use self::files::Files;

/// The access key of the local S3. No secret: it is in the source, and the server listens on 127.0.0.1 alone.
pub const ACCESS_KEY: &str = "landfall";

/// The secret key of the local S3. No secret either, see [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "landfall-local";

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An object has been stored, as S3's `s3:ObjectCreated:Put` notification says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCreated {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded. (A real notification carries it URL-encoded.)
    pub key: String,
}

/// Why the local S3 does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum S3Error {
    /// The folder of the objects cannot be made or read.
    #[error("failed to open the object folder {}", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No port on 127.0.0.1.
    #[error("failed to listen on 127.0.0.1")]
    Listen(#[source] io::Error),
    /// A bucket's folder cannot be made.
    #[error("failed to create the bucket {bucket}")]
    CreateBucket {
        /// The bucket's name.
        bucket: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A running S3 server. It stops when dropped.
///
/// One server at a time serves a root: conditional writes are made one by one within the server, not across servers.
#[derive(Debug)]
pub struct LocalS3 {
    address: SocketAddr,
    files: Arc<Files>,
    stopping: CancellationToken,
    server: AbortOnDropHandle<()>,
}

impl LocalS3 {
    /// Serves the folder `root`, made if absent, on 127.0.0.1; `port` 0 is one of the system's choosing.
    ///
    /// Every stored object is sent to `notify` once, after its file is complete under its name and before the client
    /// has its answer; also when the client has hung up meanwhile. A refused or broken-off upload sends nothing. A
    /// receiver that is gone is no fault.
    pub async fn start(root: &Path, port: u16, notify: UnboundedSender<ObjectCreated>) -> Result<Self, S3Error> {
        let files = Files::open(root, notify).map_err(|source| S3Error::Root { path: root.into(), source })?;
        let files = Arc::new(files);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(S3Error::Listen)?;
        let address = listener.local_addr().map_err(S3Error::Listen)?;

        let mut service = S3ServiceBuilder::new(service::Service::new(files.clone()));
        service.set_auth(OnePair);
        let stopping = CancellationToken::new();
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, service.build(), stopping.clone())));
        Ok(Self { address, files, stopping, server })
    }

    /// Its URL, for `AWS_ENDPOINT_URL_S3`. Clients must use path-style addressing.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The way to put objects from this process.
    pub fn objects(&self) -> Objects {
        Objects { files: self.files.clone() }
    }

    /// Makes a bucket. One that exists already is left as it is.
    pub fn create_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        match self.files.create_bucket(bucket) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(S3Error::CreateBucket { bucket: bucket.into(), source })
            }
            _ => Ok(()),
        }
    }

    /// Breaks off the requests under way and stops listening.
    pub async fn stop(self) {
        self.stopping.cancel();
        if let Err(error) = self.server.await {
            tracing::warn!(%error, "the local S3 had ended before it was stopped");
        }
    }
}

/// Puts objects without HTTP, for services of the same process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    files: Arc<Files>,
}

impl Objects {
    /// Puts an object, in place of one of that name if there is one, and tells of it as of every other.
    pub async fn put(&self, bucket: &str, key: &str, body: &[u8]) -> io::Result<()> {
        let (files, bucket, key, body) = (self.files.clone(), bucket.to_owned(), key.to_owned(), body.to_owned());
        let put = move || {
            let (upload, mut file) = files.upload()?;
            file.write_all(&body)?;
            files.name(upload, &bucket, &key, false).map_err(io::Error::other)
        };
        tokio::task::spawn_blocking(put).await.map_err(io::Error::other)?
    }
}

async fn serve(listener: TcpListener, service: S3Service, stopping: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: it takes a moment until some are free.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection had gone before it was served");
            continue;
        }
        let service = service.clone();
        connections.spawn(async move {
            let server = ConnectionBuilder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the local S3 broke off");
            }
        });
    }
    connections.shutdown().await;
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
