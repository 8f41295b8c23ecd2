//! The port in memory, recording every effect in order. Public, so that tests of other crates use it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_aws::{Fate, PortError};
use landfall_core::landing::Object;
use landfall_landing::{ObjectStore, Put};

/// An S3 in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    effects: Vec<Effect>,
    objects: BTreeMap<String, Vec<u8>>,
    failing_puts: Vec<(String, Fate)>,
    hanging: Option<String>,
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
}

impl Memory {
    /// All effects so far, in order.
    pub fn effects(&self) -> Vec<Effect> {
        self.with(|state| state.effects.clone())
    }

    /// The bytes of all objects, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.with(|state| state.objects.clone())
    }

    /// Lets the next put of a key that begins with `prefix` fail.
    pub fn fail_put(&self, prefix: &str, fate: Fate) {
        self.with(|state| state.failing_puts.push((prefix.to_owned(), fate)));
    }

    /// Lets each put of a key that `part` is in never come to an end.
    pub fn hang_at(&self, part: &str) {
        self.with(|state| state.hanging = Some(part.to_owned()));
    }

    fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ObjectStore for Memory {
    async fn put(&self, object: Object) -> Result<Put, PortError> {
        if self.with(|state| state.hanging.as_ref().is_some_and(|part| object.key.contains(part))) {
            std::future::pending::<()>().await;
        }
        self.with(|state| {
            if let Some(index) = state.failing_puts.iter().position(|(prefix, _)| object.key.starts_with(prefix)) {
                let (_, fate) = state.failing_puts.remove(index);
                return Err(PortError { fate, what: "as the test wants".to_owned(), source: None });
            }
            let Object { key, body, n_rows } = object;
            if state.objects.contains_key(&key) {
                state.effects.push(Effect::Existed { key });
                return Ok(Put::Existed);
            }
            state.objects.insert(key.clone(), body.into());
            state.effects.push(Effect::Put { key, n_rows });
            Ok(Put::Written)
        })
    }
}
