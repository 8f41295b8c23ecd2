//! The way to a running stack, from its own process or from another.
//!
//! A stack that announces itself leaves a file in its folder that says where its services are, and listens for those
//! who want to wait for its Snowpipe: it greets with its folder, and answers a line `drain` with a line of JSON, the objects
//! that could not be loaded.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_core::Pipeline;
use landfall_snowflake::Session;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::{PIPELINE_FILE, StackError, bucket_dir};
use crate::snowflake;
use crate::snowpipe::{Drain, NotLoaded};

const ANNOUNCEMENT: &str = "stack.json";

const GREETING_TIME_OUT: Duration = Duration::from_secs(5);

/// Where the services of a stack are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// URL of the local S3.
    pub s3: String,
    /// URL of the local Lambda's Invoke API.
    pub lambda: String,
    /// URL of the local Snowflake.
    pub snowflake: String,
    /// The private key that clients of it log in with.
    pub key_file: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Announced {
    endpoints: Endpoints,
    drain: SocketAddr,
}

/// A stack that may be used: it runs in this process or in another.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where its services are.
    pub endpoints: Endpoints,
    /// What it was started with.
    pub pipeline: Pipeline,
    dir: PathBuf,
    pipe: Pipe,
}

#[derive(Debug, Clone)]
enum Pipe {
    Here(Drain),
    There(SocketAddr),
}

impl Connection {
    pub(super) fn here(dir: &Path, endpoints: Endpoints, pipeline: Pipeline, drain: Drain) -> Self {
        Self { endpoints, pipeline, dir: dir.to_owned(), pipe: Pipe::Here(drain) }
    }

    /// The stack that runs in a folder and has announced itself; `None` when there is none.
    ///
    /// # Errors
    /// [`StackError::Connect`] when its files cannot be read, and faults of its pipeline.
    pub async fn find(dir: &Path) -> Result<Option<Self>, StackError> {
        // The stack, too, knows its folder under this name.
        let Ok(dir) = dir.canonicalize() else { return Ok(None) };
        let fault = |source| StackError::Connect { path: dir.clone(), source };
        let announced = match std::fs::read_to_string(dir.join(ANNOUNCEMENT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(fault)?,
        };
        // What cannot be read was left by another version.
        let Ok(Announced { endpoints, drain }) = serde_json::from_str(&announced) else { return Ok(None) };
        // One that was killed left its file, and anybody may have its port by now.
        if greeted(drain).await.is_none_or(|(greeting, _)| greeting != self::greeting(&dir)) {
            return Ok(None);
        }
        let pipeline = std::fs::read_to_string(dir.join(PIPELINE_FILE)).map_err(fault)?;
        let pipeline = Pipeline::from_toml(&pipeline)?;
        Ok(Some(Self { endpoints, pipeline, dir, pipe: Pipe::There(drain) }))
    }

    /// A session with its Snowflake, in the pipeline's database and schema; not logged in yet.
    pub fn session(&self) -> Result<Session, StackError> {
        let key = snowflake::private_key(&self.endpoints.key_file)?;
        Ok(snowflake::session(&self.endpoints.snowflake, key, Some(&self.pipeline))?)
    }

    /// The folder with the objects of a bucket.
    pub fn bucket_dir(&self, bucket: &str) -> PathBuf {
        bucket_dir(&self.dir, bucket)
    }

    /// Waits until all that has landed so far is loaded by Snowpipe. Answers with the objects that could not be.
    ///
    /// # Errors
    /// [`StackError::Connect`] when the stack has stopped meanwhile.
    pub async fn drained(&self) -> Result<NotLoaded, StackError> {
        match &self.pipe {
            Pipe::Here(drain) => Ok(drain.drained().await),
            Pipe::There(address) => {
                ask(*address).await.map_err(|source| StackError::Connect { path: self.dir.clone(), source })
            }
        }
    }
}

fn greeting(dir: &Path) -> String {
    format!("landfall {}", dir.display())
}

/// What is said to whoever connects, and the connection.
async fn greeted(address: SocketAddr) -> Option<(String, BufReader<TcpStream>)> {
    let greeted = async {
        let mut stream = BufReader::new(TcpStream::connect(address).await.ok()?);
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        Some((line.trim_end().to_owned(), stream))
    };
    tokio::time::timeout(GREETING_TIME_OUT, greeted).await.ok()?
}

async fn ask(address: SocketAddr) -> io::Result<NotLoaded> {
    let stopped = || io::Error::new(io::ErrorKind::UnexpectedEof, "it has stopped");
    let (_, mut stream) = greeted(address).await.ok_or_else(stopped)?;
    stream.write_all(b"drain\n").await?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await?;
    serde_json::from_str(&answer).map_err(|_| stopped())
}

/// Tells other processes of a stack, until it is dropped.
#[derive(Debug)]
pub(super) struct Announcement {
    path: PathBuf,
    _server: AbortOnDropHandle<()>,
}

impl Announcement {
    pub(super) async fn make(dir: &Path, endpoints: Endpoints, drain: Drain) -> Result<Self, StackError> {
        let path = dir.join(ANNOUNCEMENT);
        let fault = |source| StackError::Dir { path: path.clone(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(fault)?;
        let announced = Announced { endpoints, drain: listener.local_addr().map_err(fault)? };
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, greeting(dir), drain)));
        let text = serde_json::to_string_pretty(&announced).map_err(|error| fault(error.into()))?;
        // Whole or not at all: somebody may be waiting for it.
        let half = dir.join("stack.half");
        std::fs::write(&half, text).and_then(|()| std::fs::rename(&half, &path)).map_err(fault)?;
        Ok(Self { path, _server: server })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the stack's announcement had gone already");
        }
    }
}

async fn serve(listener: TcpListener, greeting: String, drain: Drain) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(answer(stream, greeting.clone(), drain.clone()));
                }
                // Out of file descriptors, most likely: it takes a moment until some are free.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(stream: TcpStream, greeting: String, drain: Drain) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    writer.write_all(format!("{greeting}\n").as_bytes()).await?;
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        if line == "drain" {
            let answer = serde_json::to_string(&drain.drained().await)?;
            writer.write_all(format!("{answer}\n").as_bytes()).await?;
        }
    }
    Ok(())
}
