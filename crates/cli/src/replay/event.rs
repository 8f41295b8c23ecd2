//! Stored events.

use std::path::{Path, PathBuf};

use landfall_core::{Record, event};

use crate::failure::Failure;

/// What Lambda's Invoke API takes at once.
pub(super) const MAX_BYTES: usize = 6 * 1024 * 1024;

/// A stored event.
#[derive(Debug)]
pub(super) struct Event {
    /// As it was named on the command line.
    pub(super) name: String,
    /// As it stands in its file.
    pub(super) text: String,
    /// What is in it.
    pub(super) records: Vec<Record>,
}

impl Event {
    /// Its name and its size.
    pub(super) fn title(&self) -> String {
        let n = self.records.len();
        format!("{}: {n} record{}", self.name, if n == 1 { "" } else { "s" })
    }
}

/// Reads all of them, so that a fault of the last one is known before the first one is sent.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Event>> {
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> anyhow::Result<Event> {
    let name = path.display().to_string();
    let fault = |what: String, remedy: &str| Failure { what, remedy: remedy.to_owned() };
    let text = std::fs::read_to_string(path)
        .map_err(|error| fault(format!("failed to read {name}: {error}"), "name a file with a Kinesis event"))?;
    if text.len() > MAX_BYTES {
        let what = format!("failed to use {name}: it has {} bytes, and Lambda takes {MAX_BYTES}", text.len());
        return Err(fault(what, "split its Records over two events").into());
    }
    let records = event::records(&text).map_err(|error| {
        let what = format!("failed to use {name}: {}", landfall_core::chain(&error));
        fault(what, "give an event as Lambda receives it from a Kinesis stream; events/kinesis-batch.json is one")
    })?;
    Ok(Event { name, text, records })
}
