//! The ports in memory, recording every effect in order. Public, so that tests of other crates use it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_aws::{Fate, PortError};
use landfall_core::landing::Object;
use landfall_core::upsert::{Request, Response};
use landfall_landing::{ObjectStore, Put};

use crate::ports::{Ports, Upsert};

/// An S3 and an upsert function in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    effects: Vec<Effect>,
    objects: BTreeMap<String, Vec<u8>>,
    failing_puts: Vec<String>,
    answers: Vec<Result<Response, Fate>>,
}

/// Something that was done to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// An object was written that was not there before.
    Put {
        /// Its key.
        key: String,
        /// Rows or dead letters in it.
        n_rows: usize,
    },
    /// An object was there already.
    Existed {
        /// Its key.
        key: String,
    },
    /// A request was sent to upsert.
    Upserted {
        /// Its rows, as JSON text.
        rows: String,
    },
}

impl Memory {
    /// This memory as both ports.
    pub fn ports(&self) -> Ports<Self, Self> {
        Ports { store: self.clone(), upsert: Some(self.clone()) }
    }

    /// All effects so far, in order.
    pub fn effects(&self) -> Vec<Effect> {
        self.with(|state| state.effects.clone())
    }

    /// The bytes of all objects, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.with(|state| state.objects.clone())
    }

    /// Lets the next put of a key that begins with `prefix` fail.
    pub fn fail_put(&self, prefix: &str) {
        self.with(|state| state.failing_puts.push(prefix.to_owned()));
    }

    /// What upsert answers next; after these it inserts all rows.
    pub fn answer(&self, answer: Result<Response, Fate>) {
        self.with(|state| state.answers.insert(0, answer));
    }

    fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn failure(fate: Fate) -> PortError {
    PortError { fate, what: "as the test wants".to_owned(), source: None }
}

impl ObjectStore for Memory {
    async fn put(&self, object: Object) -> Result<Put, PortError> {
        self.with(|state| {
            if let Some(index) = state.failing_puts.iter().position(|prefix| object.key.starts_with(prefix)) {
                state.failing_puts.remove(index);
                return Err(failure(Fate::Transient));
            }
            if state.objects.contains_key(&object.key) {
                state.effects.push(Effect::Existed { key: object.key.clone() });
                return Ok(Put::Existed);
            }
            let Object { key, body, n_rows } = object;
            state.objects.insert(key.clone(), body.into());
            state.effects.push(Effect::Put { key, n_rows });
            Ok(Put::Written)
        })
    }
}

impl Upsert for Memory {
    async fn upsert(&self, request: &Request) -> Result<Response, PortError> {
        self.with(|state| {
            state.effects.push(Effect::Upserted { rows: request.rows.get().to_owned() });
            if let Some(answer) = state.answers.pop() {
                return answer.map_err(failure);
            }
            let rows: Vec<serde_json::Value> = serde_json::from_str(request.rows.get()).map_err(|error| PortError {
                fate: Fate::Setup,
                what: error.to_string(),
                source: None,
            })?;
            Ok(Response { inserted: rows.len() as u64, ..Response::default() })
        })
    }
}
