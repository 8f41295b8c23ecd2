//! What the function stores itself: poison, and rows that no answer has room for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use landfall_aws::{Deadline, Fate, PortError};
use landfall_core::landing::{self, Object};
use landfall_core::{Poison, Row, dead_letter};
use landfall_landing::{ObjectStore, Put};

use crate::error::TransformError;
use crate::handler::Settings;

/// PUTs in flight at once; their bodies have some 2 MiB at most.
const CONCURRENT_PUTS: usize = 8;

/// What is set aside is stored when it takes this much memory: a record may inflate to most of what a small function has.
const MAX_BYTES: usize = 8 << 20;

/// The wait before an object is put again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest wait before an object is put again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What has landed so far.
#[derive(Debug, Default)]
pub(crate) struct Landed {
    pub(crate) n_objects: AtomicUsize,
    pub(crate) n_bytes: AtomicUsize,
}

/// What is still to be stored.
pub(crate) struct Aside<'a, S> {
    settings: &'a Settings,
    store: &'a S,
    deadline: Deadline,
    landed: &'a Landed,
    rows: Vec<Row>,
    poison: Vec<Poison>,
    n_bytes: usize,
}

impl<'a, S: ObjectStore> Aside<'a, S> {
    pub(crate) fn new(settings: &'a Settings, store: &'a S, deadline: Deadline, landed: &'a Landed) -> Self {
        Self { settings, store, deadline, landed, rows: Vec::new(), poison: Vec::new(), n_bytes: 0 }
    }

    /// Sets aside what a record came to, and stores it before the next one is decoded if it is much.
    pub(crate) async fn add(&mut self, rows: Vec<Row>, poison: Vec<Poison>) -> Result<(), TransformError> {
        let n_more = n_bytes(&rows, &poison);
        if self.n_bytes + n_more > MAX_BYTES {
            self.store().await?;
        }
        self.n_bytes += n_more;
        append(&mut self.rows, rows);
        append(&mut self.poison, poison);
        if self.n_bytes > MAX_BYTES {
            self.store().await?;
        }
        Ok(())
    }

    /// Stores all that is set aside.
    pub(crate) async fn store(&mut self) -> Result<(), TransformError> {
        let (rows, poison) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.poison));
        self.n_bytes = 0;
        let pipeline = &self.settings.pipeline;
        let dead = dead_letter::objects(pipeline, &poison).map(|object| object.map_err(encode));
        let objects = landing::objects(pipeline, &rows).map(|object| object.map_err(encode));
        // None is cut short by the other's failure: what one of them achieves, the next try need not do again.
        let (dead, landed) = futures::join!(
            self.put_all(dead, None, |key, source| TransformError::DeadLetter { key, source }),
            self.put_all(objects, Some(self.landed), |key, source| TransformError::Land { key, source }),
        );
        dead.and(landed)
    }

    async fn put_all(
        &self,
        objects: impl Iterator<Item = Result<Object, TransformError>>,
        counted: Option<&Landed>,
        refused: fn(String, PortError) -> TransformError,
    ) -> Result<(), TransformError> {
        let mut puts = stream::iter(objects)
            .map(|object| async move {
                let object = object?;
                self.put(&object).await.map_err(|source| refused(object.key.clone(), source))?;
                if let Some(landed) = counted {
                    landed.n_objects.fetch_add(1, Ordering::Relaxed);
                    landed.n_bytes.fetch_add(object.body.len(), Ordering::Relaxed);
                }
                Ok::<_, TransformError>(())
            })
            .buffered(CONCURRENT_PUTS);
        while puts.try_next().await?.is_some() {}
        Ok(())
    }

    /// Puts an object again and again while there is time. Of a function that fails Firehose does not say that it invokes it
    /// again, and what it gives up has lost its position.
    async fn put(&self, object: &Object) -> Result<Put, PortError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.store.put(object.clone()).await {
                Ok(put) => return Ok(put),
                Err(error) => error,
            };
            // Of what somebody has to mend first, another try says no more.
            let left = self.deadline.left().saturating_sub(self.settings.timeouts.answer_before_end());
            if error.fate == Fate::Setup || left <= pause {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}

/// Moves, and only where there are others already copies: the rows of a record may be most of what there is memory for.
fn append<T>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.extend(more);
    }
}

/// About what these take, which are of one record: the text of cells is no longer than the record that they hold on to.
fn n_bytes(rows: &[Row], poison: &[Poison]) -> usize {
    let of_rows = rows.first().map_or(0, |row| 2 * row.document.source.bytes.len());
    let of_poison = poison.last().map_or(0, |poison| poison.document.source.bytes.len());
    of_rows + of_poison + size_of_val(rows) + size_of_val(poison)
}

pub(crate) fn encode(error: impl std::error::Error + Send + Sync + 'static) -> TransformError {
    TransformError::Encode(Box::new(error))
}
