//! Stored objects: what lies below a prefix of a bucket, or in a folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use futures::stream::{self, Stream, StreamExt as _};
use landfall_local::files;
use landfall_local::s3::{ACCESS_KEY, SECRET_KEY};

use crate::aws;
use crate::failure::Failure;

/// Objects that are read at once: what bounds the memory that they take, too.
pub(crate) const CONCURRENCY: usize = 16;

/// What the objects that are read together take at most, as they are stored.
const MAX_PART_BYTES: u64 = 64 * 1024 * 1024;

/// What to do about a bucket that is AWS's, most likely.
const LOCAL: &str = "check the bucket's name: this is the S3 of the local stack; with --function-name (replay) or --deployed \
                     (reconcile) it is that of AWS";

/// What local services are told; none of them looks at it.
pub(crate) const LOCAL_REGION: &str = "us-east-1";

/// What `s3://bucket/prefix` or a path on the command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlaceName {
    /// The objects of a bucket whose keys begin with the prefix.
    S3 { bucket: String, prefix: String },
    /// The files below a folder, or one file.
    Folder(PathBuf),
}

impl FromStr for PlaceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(name) = text.strip_prefix("s3://") else {
            return match text.split_once("://") {
                Some((scheme, _)) => Err(format!("{scheme}:// is none of ours: write s3://bucket/prefix or a folder")),
                None if text.is_empty() => Err("write s3://bucket/prefix or a folder".to_owned()),
                None => Ok(Self::Folder(text.into())),
            };
        };
        let (bucket, prefix) = name.split_once('/').unwrap_or((name, ""));
        if bucket.is_empty() {
            return Err("it names no bucket: write s3://bucket/prefix".to_owned());
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for PlaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

/// Where objects are, and the way to them.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The objects of a bucket whose keys begin with the prefix.
    Bucket { client: Client, bucket: String, prefix: String, is_local: bool },
    /// The files below a folder, or one file.
    Folder(PathBuf),
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// All of it in a bucket; in a folder the path from there, with `/` between its parts.
    pub(crate) key: String,
    /// When it was last written, as far as that is known.
    pub(crate) written_at: Option<SystemTime>,
    /// Its size as it is stored.
    pub(crate) n_bytes: u64,
}

impl Place {
    /// The objects on the S3 of a local stack, or in a folder.
    pub(crate) fn local(name: &PlaceName, s3_endpoint: &str) -> Self {
        Self::of(name, true, || local_client(s3_endpoint))
    }

    /// The objects on AWS, or in a folder.
    pub(crate) fn deployed(name: &PlaceName, aws: &SdkConfig) -> Self {
        Self::of(name, false, || Client::new(aws))
    }

    fn of(name: &PlaceName, is_local: bool, client: impl FnOnce() -> Client) -> Self {
        match name {
            PlaceName::S3 { bucket, prefix } => {
                Self::Bucket { client: client(), bucket: bucket.clone(), prefix: prefix.clone(), is_local }
            }
            PlaceName::Folder(path) => Self::Folder(path.clone()),
        }
    }

    /// The objects to `keep`, sorted by key.
    ///
    /// # Errors
    /// They cannot be listed, or there is none at all: then the place is most likely misspelt.
    pub(crate) async fn list(&self, mut keep: impl FnMut(&Listed) -> bool) -> anyhow::Result<Vec<Listed>> {
        let mut is_empty = true;
        let listed = self
            .find(|object| {
                is_empty = false;
                keep(object)
            })
            .await?;
        if is_empty {
            let what = match self {
                Self::Bucket { .. } => "the prefix",
                Self::Folder(_) => "the folder",
            };
            let (what, remedy) = (format!("nothing under {}", self.name()), format!("check {what}"));
            return Err(Failure { what, remedy }.into());
        }
        Ok(listed)
    }

    /// The objects to `keep`, sorted by key; there may be none. The others are not held: a bucket may have millions of them.
    ///
    /// # Errors
    /// They cannot be listed.
    pub(crate) async fn find(&self, mut keep: impl FnMut(&Listed) -> bool) -> anyhow::Result<Vec<Listed>> {
        let mut listed = match self {
            Self::Bucket { client, bucket, prefix, is_local } => {
                let mut pages = client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
                let mut listed = Vec::new();
                while let Some(page) = pages.next().await {
                    let page = page.map_err(|error| {
                        let what = format!("failed to list {}", self.name());
                        if *is_local && error.code() == Some("NoSuchBucket") {
                            return Failure {
                                what: format!("{what}: there is no such bucket"),
                                remedy: LOCAL.to_owned(),
                            }
                            .into();
                        }
                        aws::failure(&what, &error)
                    })?;
                    let page = page.contents().iter().filter_map(|object| {
                        Some(Listed {
                            key: object.key()?.to_owned(),
                            written_at: object.last_modified().and_then(|at| SystemTime::try_from(*at).ok()),
                            n_bytes: object.size().and_then(|n_bytes| u64::try_from(n_bytes).ok()).unwrap_or_default(),
                        })
                    });
                    listed.extend(page.filter(&mut keep));
                }
                listed
            }
            Self::Folder(folder) => in_folder(folder, keep).map_err(|error| {
                let what = format!("failed to list {}: {}", folder.display(), landfall_core::chain(error.as_ref()));
                Failure { what, remedy: "name a folder that can be read, or s3://bucket/prefix".to_owned() }
            })?,
        };
        listed.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(listed)
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// It cannot be read; the error names it.
    pub(crate) async fn read(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let what = || format!("failed to read {}", self.name_of(key));
        match self {
            Self::Bucket { client, bucket, .. } => {
                let object = client.get_object().bucket(bucket).key(key).send().await;
                let object = object.map_err(|error| aws::failure(&what(), &error))?;
                Ok(object.body.collect().await.with_context(what)?.to_vec())
            }
            Self::Folder(folder) => tokio::fs::read(path(folder, key)).await.with_context(what),
        }
    }

    /// Objects with their bytes in the order given, [`CONCURRENCY`] of them read at once.
    pub(crate) fn read_all<'a>(
        &'a self,
        listed: &'a [Listed],
    ) -> impl Stream<Item = (&'a Listed, anyhow::Result<Vec<u8>>)> + 'a {
        stream::iter(listed.iter().map(async |listed| (listed, self.read(&listed.key).await))).buffered(CONCURRENCY)
    }

    /// How a person names all of it: `s3://bucket/prefix` or the path.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Bucket { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}"),
            Self::Folder(folder) => folder.display().to_string(),
        }
    }

    /// How a person names an object: `s3://bucket/key` or the path.
    pub(crate) fn name_of(&self, key: &str) -> String {
        match self {
            Self::Bucket { bucket, .. } => format!("s3://{bucket}/{key}"),
            Self::Folder(folder) => path(folder, key).display().to_string(),
        }
    }
}

/// The objects in parts that are read together: [`CONCURRENCY`] of them at most, and unless one alone takes more, so many
/// that memory holds them with ease.
pub(crate) fn parts(mut listed: &[Listed]) -> Vec<&[Listed]> {
    let mut parts = Vec::new();
    while !listed.is_empty() {
        let mut n_bytes = 0;
        let fit = listed.iter().take(CONCURRENCY).take_while(|object| {
            n_bytes += object.n_bytes;
            n_bytes <= MAX_PART_BYTES
        });
        let (part, rest) = listed.split_at(fit.count().max(1));
        parts.push(part);
        listed = rest;
    }
    parts
}

/// A client of a local stack's S3.
pub(crate) fn local_client(s3_endpoint: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .endpoint_url(s3_endpoint)
        .force_path_style(true)
        .region(Region::from_static(LOCAL_REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "landfall"))
        .build();
    Client::from_conf(config)
}

/// The file with a key: below the folder, or the one file that was named in its place.
fn path(folder: &Path, key: &str) -> PathBuf {
    if folder.is_file() { folder.to_owned() } else { folder.join(key) }
}

fn in_folder(folder: &Path, mut keep: impl FnMut(&Listed) -> bool) -> anyhow::Result<Vec<Listed>> {
    let metadata = std::fs::metadata(folder)?;
    let files = if metadata.is_file() { vec![folder.to_owned()] } else { files::below(folder)? };
    let mut listed = Vec::new();
    for file in files {
        let metadata = std::fs::metadata(&file).with_context(|| format!("failed to look at {}", file.display()))?;
        let inside = file.strip_prefix(folder).ok().filter(|inside| !inside.as_os_str().is_empty());
        let parts = inside.or_else(|| file.file_name().map(Path::new)).unwrap_or(&file).iter();
        let parts: Option<Vec<&str>> = parts.map(|part| part.to_str()).collect();
        let parts = parts.with_context(|| format!("the name of {} is no UTF-8", file.display()))?;
        let object = Listed { key: parts.join("/"), written_at: metadata.modified().ok(), n_bytes: metadata.len() };
        if keep(&object) {
            listed.push(object);
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests;
