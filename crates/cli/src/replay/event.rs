//! Stored events.

use std::path::{Path, PathBuf};

use landfall_core::{Batch, Pipeline, Record, event, upsert};

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

    /// What an orchestrator with this pipeline makes of it.
    pub(super) fn batch(&self, pipeline: &Pipeline) -> anyhow::Result<Batch> {
        let mut batch = landfall_core::decode(pipeline, &self.records);
        upsert::set_aside_too_large(&mut batch)?;
        Ok(batch)
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

#[cfg(test)]
mod tests {
    use landfall_core::{ArrivedAt, SequenceNumber};

    use super::*;

    #[test]
    fn a_row_that_fits_no_request_is_expected_as_poison() {
        let pipeline = Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap();
        let record = |number: &str, status: &str| Record {
            shard_id: "shard".into(),
            sequence_number: SequenceNumber::new(number).unwrap(),
            partition_key: "key".into(),
            arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
            data: Ok(format!(r#"{{"sensorId":6,"status":"{status}"}}"#).into_bytes().into()),
            place: None,
        };
        let records = vec![record("1", &"x".repeat(upsert::MAX_REQUEST_BYTES)), record("2", "OK")];
        let batch = Event { name: "x".to_owned(), text: String::new(), records }.batch(&pipeline).unwrap();

        assert_eq!((batch.rows.len(), batch.poison.len()), (1, 1));
        assert!(batch.poison[0].reason.starts_with("the row takes 900"), "{}", batch.poison[0].reason);
    }
}
