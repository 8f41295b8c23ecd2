//! What an event left in the bucket.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;

use aws_sdk_s3::Client;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use landfall_core::dead_letter::DeadLetter;
use landfall_core::{ArrivedAt, Batch, Pipeline, Position, Stage, landing};

use crate::objects::{self, CONCURRENCY, Place};
use crate::{aws, letters};

/// Objects and dead letters shown of one event.
const N_SHOWN: usize = 5;

/// A bucket that the orchestrator lands in.
#[derive(Debug)]
pub(super) struct Zone {
    client: Client,
    bucket: String,
}

/// The objects of an event.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Keys and how many rows each holds.
    pub(super) there: Vec<(String, usize)>,
    /// Keys that are not there, though this pipeline makes them of the event.
    pub(super) missing: Vec<String>,
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
        Self { client: objects::local_client(endpoint), bucket: bucket.to_owned() }
    }

    /// A bucket on AWS.
    pub(super) fn deployed(aws: &aws_config::SdkConfig, bucket: &str) -> Self {
        Self { client: Client::new(aws), bucket: bucket.to_owned() }
    }

    /// Looks for what the orchestrator makes of a batch: a key names its bytes, so what is there is just that.
    pub(super) async fn landed(&self, pipeline: &Pipeline, batch: &Batch) -> anyhow::Result<Landed> {
        let Objects { there: objects, missing } = self.objects(pipeline, batch).await?;
        let documents = || {
            let poison = batch.poison.iter().map(|poison| &poison.document);
            batch.rows.iter().map(|row| &row.document).chain(poison)
        };
        let documents: Vec<_> = documents().map(|document| (document.position(), document.source.arrived_at)).collect();
        Ok(Landed {
            place: format!("s3://{}/{}/", self.bucket, pipeline.landing.prefix),
            objects,
            missing,
            dead_letters: self.dead_letters(pipeline, &documents).await?,
            dead_letter_place: format!("s3://{}/{}/", self.bucket, pipeline.landing.dead_letter_prefix),
        })
    }

    /// Which of the objects that the orchestrator makes of a batch are there.
    pub(super) async fn objects(&self, pipeline: &Pipeline, batch: &Batch) -> anyhow::Result<Objects> {
        let expected = landing::objects(pipeline, &batch.rows).collect::<Result<Vec<_>, _>>()?;
        let found: Vec<bool> = stream::iter(expected.iter().map(|object| self.exists(&object.key)))
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let mut objects = Objects::default();
        for (object, found) in expected.into_iter().zip(found) {
            if found { objects.there.push((object.key, object.n_rows)) } else { objects.missing.push(object.key) }
        }
        Ok(objects)
    }

    async fn exists(&self, key: &str) -> anyhow::Result<bool> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => Ok(false),
            Err(error) => Err(aws::failure(&format!("failed to look for s3://{}/{key}", self.bucket), &error)),
        }
    }

    /// The bucket's objects below a prefix.
    pub(super) fn below(&self, prefix: &str) -> Place {
        Place::Bucket {
            client: self.client.clone(),
            bucket: self.bucket.clone(),
            prefix: prefix.to_owned(),
            is_local: false,
        }
    }

    /// What the keys of all objects begin with that hold letters of a shard whose first one arrived in this hour.
    pub(super) fn letters_prefix(pipeline: &Pipeline, position: &Position, arrived_at: ArrivedAt) -> String {
        format!("{}/{}/{}-", pipeline.landing.dead_letter_prefix, arrived_at.hour_path(), position.shard_id)
    }

    /// The dead letters of documents with these positions and arrivals: those of the decoder, and those of rows that the
    /// warehouse refused.
    async fn dead_letters(
        &self,
        pipeline: &Pipeline,
        documents: &[(Position, ArrivedAt)],
    ) -> anyhow::Result<Vec<DeadLetter>> {
        let positions: HashSet<&Position> = documents.iter().map(|(position, _)| position).collect();
        let prefixes: BTreeSet<String> = documents
            .iter()
            .map(|(position, arrived_at)| Self::letters_prefix(pipeline, position, *arrived_at))
            .collect();
        let mut all = Vec::new();
        for prefix in prefixes {
            let place = self.below(&prefix);
            let listed = place.find(|_| true).await?;
            let mut objects = pin!(place.read_all(&listed));
            while let Some((object, bytes)) = objects.next().await {
                for letter in letters::read(&place.name_of(&object.key), &bytes?) {
                    all.push(letter?.letter);
                }
            }
        }
        let is_of_batch = |letter: &DeadLetter| letter.position().is_some_and(|position| positions.contains(&position));
        let mut letters: Vec<DeadLetter> = all.into_iter().filter(is_of_batch).collect();
        letters.sort_by_key(DeadLetter::position);
        // One that was stored twice is one.
        letters.dedup_by_key(|letter| letter.position());
        Ok(letters)
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
    pub(super) fn refused(&self) -> HashSet<Position> {
        let refused = self.dead_letters.iter().filter(|letter| letter.stage == Stage::Upsert);
        refused.filter_map(DeadLetter::position).collect()
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
