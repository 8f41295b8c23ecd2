//! What an event left in the bucket.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use landfall_core::dead_letter::DeadLetter;
use landfall_core::{Batch, Pipeline, Position, Stage, landing};
use landfall_local::s3::{ACCESS_KEY, SECRET_KEY};

use super::invoke::LOCAL_REGION;
use crate::aws;

/// Objects looked at at once.
const CONCURRENCY: usize = 16;

/// Objects and dead letters shown of one event.
const N_SHOWN: usize = 5;

/// A bucket that the orchestrator lands in.
#[derive(Debug)]
pub(super) struct Zone {
    client: Client,
    bucket: String,
}

/// What is there of an event.
#[derive(Debug)]
pub(super) struct Landed {
    /// `s3://bucket/prefix/`
    place: String,
    /// Keys and how many rows each holds.
    objects: Vec<(String, usize)>,
    /// Keys that are not there, though this pipeline makes them of the event.
    missing: Vec<String>,
    dead_letters: Vec<DeadLetter>,
    dead_letter_place: String,
}

impl Zone {
    /// A bucket of the local S3.
    pub(super) fn local(endpoint: &str, bucket: &str) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .endpoint_url(endpoint)
            .force_path_style(true)
            .region(Region::from_static(LOCAL_REGION))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "landfall"))
            .build();
        Self { client: Client::from_conf(config), bucket: bucket.to_owned() }
    }

    /// A bucket on AWS.
    pub(super) fn deployed(aws: &aws_config::SdkConfig, bucket: &str) -> Self {
        Self { client: Client::new(aws), bucket: bucket.to_owned() }
    }

    /// Looks for what the orchestrator makes of a batch: a key names its bytes, so what is there is just that.
    pub(super) async fn landed(&self, pipeline: &Pipeline, batch: &Batch) -> anyhow::Result<Landed> {
        let expected = landing::objects(pipeline, &batch.rows).collect::<Result<Vec<_>, _>>()?;
        let found: Vec<bool> = stream::iter(expected.iter().map(|object| self.exists(&object.key)))
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let (mut objects, mut missing) = (Vec::new(), Vec::new());
        for (object, found) in expected.into_iter().zip(found) {
            if found { objects.push((object.key, object.n_rows)) } else { missing.push(object.key) }
        }
        Ok(Landed {
            place: format!("s3://{}/{}/", self.bucket, pipeline.landing.prefix),
            objects,
            missing,
            dead_letters: self.dead_letters(pipeline, batch).await?,
            dead_letter_place: format!("s3://{}/{}/", self.bucket, pipeline.landing.dead_letter_prefix),
        })
    }

    async fn exists(&self, key: &str) -> anyhow::Result<bool> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => Ok(false),
            Err(error) => Err(self.fault("look for", key, error)),
        }
    }

    /// The dead letters of a batch: those of the decoder, and those of rows that the warehouse refused.
    async fn dead_letters(&self, pipeline: &Pipeline, batch: &Batch) -> anyhow::Result<Vec<DeadLetter>> {
        let documents = || {
            let poison = batch.poison.iter().map(|poison| &poison.document);
            batch.rows.iter().map(|row| &row.document).chain(poison)
        };
        let positions: HashSet<Position> = documents().map(|document| document.position()).collect();
        let prefixes: BTreeSet<String> = documents()
            .map(|document| {
                let prefix = &pipeline.landing.dead_letter_prefix;
                format!("{prefix}/{}/{}-", document.source.arrived_at.hour_path(), document.source.shard_id)
            })
            .collect();
        let mut keys = Vec::new();
        for prefix in prefixes {
            keys.extend(self.keys(&prefix).await?);
        }
        let all: Vec<_> =
            stream::iter(keys.iter().map(|key| self.letters(key))).buffered(CONCURRENCY).try_collect().await?;
        let is_of_batch = |letter: &DeadLetter| letter.position().is_some_and(|position| positions.contains(&position));
        let mut letters: Vec<DeadLetter> = all.into_iter().flatten().filter(is_of_batch).collect();
        letters.sort_by_key(DeadLetter::position);
        // One that was stored twice is one.
        letters.dedup_by_key(|letter| letter.position());
        Ok(letters)
    }

    async fn keys(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.fault("list", prefix, error))?;
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        Ok(keys)
    }

    async fn letters(&self, key: &str) -> anyhow::Result<Vec<DeadLetter>> {
        let object = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let object = object.map_err(|error| self.fault("read", key, error))?;
        let bytes = object.body.collect().await?.into_bytes();
        let lines = std::str::from_utf8(&bytes)?.lines();
        Ok(lines.map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    fn fault<E>(&self, what: &str, key: &str, error: SdkError<E>) -> anyhow::Error
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        aws::failure(&format!("failed to {what} s3://{}/{key}", self.bucket), error)
    }
}

impl Landed {
    /// As it is printed.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let n_rows: usize = self.objects.iter().map(|(_, n_rows)| n_rows).sum();
        lines.push(format!(
            "  landed    {} with {} under {}",
            n(self.objects.len(), "object"),
            n(n_rows, "row"),
            self.place
        ));
        let shown = self.objects.iter().map(|(key, n_rows)| format!("{key}  {}", n(*n_rows, "row")));
        lines.extend(first(shown, self.objects.len()));
        if !self.dead_letters.is_empty() {
            lines.push(format!(
                "  poison    {} under {}",
                n(self.dead_letters.len(), "dead letter"),
                self.dead_letter_place
            ));
            let shown = self.dead_letters.iter().map(|letter| {
                let position = letter.position().map(|position| position.to_string()).unwrap_or_default();
                format!("{position}  {}", letter.reason)
            });
            lines.extend(first(shown, self.dead_letters.len()));
        }
        lines
    }

    /// What is not there, though this pipeline makes it of the event.
    pub(super) fn faults(&self, batch: &Batch) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(key) = self.missing.first() {
            faults.push(format!(
                "{} not there that this pipeline makes of it, {key} for one: does the function have the same pipeline.toml, and LANDING=on?",
                n(self.missing.len(), "object")
            ));
        }
        let letters: HashSet<_> = self.dead_letters.iter().filter_map(DeadLetter::position).collect();
        let n_missing = batch.poison.iter().filter(|poison| !letters.contains(&poison.position())).count();
        if n_missing > 0 {
            faults.push(format!("{} not there", n(n_missing, "dead letter")));
        }
        faults
    }

    /// Rows that the warehouse alone refused.
    pub(super) fn n_refused(&self) -> usize {
        self.dead_letters.iter().filter(|letter| letter.stage == Stage::Upsert).count()
    }

    /// Keys of the objects that are there.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.objects.iter().map(|(key, _)| key)
    }
}

/// The first few, and how many more there are.
fn first(lines: impl Iterator<Item = String>, n_lines: usize) -> Vec<String> {
    let mut shown: Vec<_> = lines.take(N_SHOWN).map(|line| format!("            {line}")).collect();
    if n_lines > N_SHOWN {
        shown.push(format!("            and {} more", n_lines - N_SHOWN));
    }
    shown
}

/// `1 row`, `2 rows`.
pub(super) fn n(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
