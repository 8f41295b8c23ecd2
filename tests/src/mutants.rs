//! The functions with one mistake each, so that one sees whether the checks of the storm and of the Firehose route notice. Never shipped.
//!
//! A mutant is the real function with a changed port: everything else of it is what is deployed.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::Error;
use landfall_aws::PortError;
use landfall_core::firehose::Answer;
use landfall_core::landing::Object;
use landfall_core::upsert::{Request, Response};
use landfall_landing::{ObjectStore, Put};
use landfall_orchestrator::ports::{Ports, Upsert};
use landfall_upsert::error::WarehouseError;
use landfall_upsert::ports::{Rows, Warehouse};
use serde_json::value::RawValue;

/// A mistake that somebody could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Upsert inserts without looking for what is there.
    MergeAsInsert,
    /// A key holds the time at which it was made, so that a retry writes another object.
    ClockInKeys,
    /// A key does not name its bytes, and one that is taken is still success.
    KeysWithoutDigest,
    /// Dead letters are not written.
    PoisonDropped,
    /// Upsert is answered for before it is done.
    AnswersEarly,
    /// Rows that no answer to Firehose has room for do not land.
    RowsDropped,
    /// Documents are numbered from 1 in the answer to Firehose.
    NumberedFromOne,
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Mutant {
    pub(crate) const ALL: [(&str, Self); 7] = [
        ("merge-as-insert", Self::MergeAsInsert),
        ("clock-in-keys", Self::ClockInKeys),
        ("keys-without-digest", Self::KeysWithoutDigest),
        ("poison-dropped", Self::PoisonDropped),
        ("answers-early", Self::AnswersEarly),
        ("rows-dropped", Self::RowsDropped),
        ("numbered-from-one", Self::NumberedFromOne),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, mutant)| *mutant)
    }

    /// Those of functions that a storm goes through.
    pub(crate) fn of_the_storm() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter().filter(|(_, mutant)| !matches!(mutant, Self::RowsDropped | Self::NumberedFromOne))
    }

    pub(crate) async fn orchestrator(self, get: Get<'_>) -> Result<(), Error> {
        let change = |ports: Ports<_, _>| Ports {
            store: Mutated { mutant: self, inner: Arc::new(ports.store) },
            upsert: ports.upsert.map(|upsert| Mutated { mutant: self, inner: Arc::new(upsert) }),
        };
        Box::pin(landfall_orchestrator::run_with(get, change)).await
    }

    pub(crate) async fn transform(self, get: Get<'_>) -> Result<(), Error> {
        let change = |bucket| Mutated { mutant: self, inner: Arc::new(bucket) };
        let change_answer = |mut answer: Answer| {
            if self == Self::NumberedFromOne {
                answer.records.iter_mut().for_each(|answered| answered.data = numbered_from_one(&answered.data));
            }
            answer
        };
        Box::pin(landfall_transform::run_with(get, change, change_answer)).await
    }

    pub(crate) async fn upsert(self, get: Get<'_>) -> Result<(), Error> {
        let change = |warehouse| Mutated { mutant: self, inner: Arc::new(warehouse) };
        Box::pin(landfall_upsert::run_with(get, change)).await
    }
}

/// CSV in base64, of rows without line breaks.
fn numbered_from_one(data: &str) -> String {
    let csv = String::from_utf8(STANDARD.decode(data).unwrap_or_default()).unwrap_or_default();
    let numbered = csv.lines().map(|line| {
        let mut columns: Vec<_> = line.split(',').map(str::to_owned).collect();
        if let Some(number) = columns.get_mut(3) {
            *number = number.parse::<u64>().map_or_else(|_| number.clone(), |n| (n + 1).to_string());
        }
        columns.join(",") + "\n"
    });
    STANDARD.encode(numbered.collect::<String>())
}

/// A port with the mistake.
struct Mutated<T> {
    mutant: Mutant,
    inner: Arc<T>,
}

impl<S: ObjectStore> ObjectStore for Mutated<S> {
    async fn put(&self, mut object: Object) -> Result<Put, PortError> {
        match self.mutant {
            Mutant::PoisonDropped if object.key.ends_with(".jsonl") => return Ok(Put::Written),
            Mutant::RowsDropped if object.key.ends_with(".csv") => return Ok(Put::Written),
            Mutant::ClockInKeys => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                object.key = object.key.replace(".csv", &format!("-{now}.csv"));
            }
            Mutant::KeysWithoutDigest => {
                if let Some((rest, _digest)) = object.key.rsplit_once('-') {
                    object.key = format!("{rest}.csv");
                }
            }
            _ => {}
        }
        self.inner.put(object).await
    }
}

impl<U: Upsert + 'static> Upsert for Mutated<U> {
    async fn upsert(&self, request: &Request) -> Result<Response, PortError> {
        if self.mutant != Mutant::AnswersEarly {
            return self.inner.upsert(request).await;
        }
        let (inner, owned) = (self.inner.clone(), request.clone());
        tokio::spawn(async move { inner.upsert(&owned).await.map(|_| ()).ok() });
        let rows: Vec<&RawValue> = serde_json::from_str(request.rows.get()).unwrap_or_default();
        Ok(Response { inserted: rows.len() as u64, ..Response::default() })
    }
}

impl<W: Warehouse> Warehouse for Mutated<W> {
    async fn merge(&self, rows: Rows<'_>) -> Result<u64, WarehouseError> {
        // Between bounds where nothing is, nothing is found, and every row is inserted.
        let bounds = match self.mutant {
            Mutant::MergeAsInsert => ["1970-01-01 00:00:00.000"; 2],
            _ => rows.bounds,
        };
        self.inner.merge(Rows { bounds, ..rows }).await
    }
}
