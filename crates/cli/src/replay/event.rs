//! Stored events.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use landfall_core::{Batch, Pipeline, Record, decode_first, event, upsert};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::Failure;

/// What Lambda's Invoke API takes at once.
pub(super) const MAX_BYTES: usize = 6 * 1024 * 1024;

/// A stored event.
#[derive(Debug, Clone)]
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

    /// The events that an orchestrator with this pipeline takes it as, one after the other: more than one where its records
    /// inflate to more than an invocation holds.
    pub(super) fn parts(&self, pipeline: &Pipeline) -> anyhow::Result<Vec<Cow<'_, Self>>> {
        let mut ends = vec![0];
        while let Some(rest) = ends.last().and_then(|end| self.records.get(*end..)).filter(|rest| !rest.is_empty()) {
            let (_, n_records) = decode_first(pipeline, rest);
            ends.push(self.records.len() - rest.len() + n_records);
        }
        if ends.len() <= 2 {
            return Ok(vec![Cow::Borrowed(self)]);
        }
        ends.windows(2).map(|ends| Ok(Cow::Owned(self.part(ends[0], ends[1])?))).collect()
    }

    /// What of it begins with a record. `None` where that is not in it, or the first one.
    ///
    /// # Errors
    /// Records of several documents to redrive have one number: which of them is meant is not known.
    pub(super) fn rest(&self, sequence_number: &str) -> anyhow::Result<Option<Self>> {
        let numbers = || self.records.iter().map(|record| record.sequence_number.as_str());
        if numbers().filter(|number| *number == sequence_number).count() > 1 {
            let what =
                format!("failed to go on at record {sequence_number}: it stands in {} more than once", self.name);
            let remedy = "give each of these records an event of its own; what came before is done".to_owned();
            return Err(Failure { what, remedy }.into());
        }
        let begin = numbers().position(|number| number == sequence_number);
        begin.filter(|begin| *begin > 0).map(|begin| self.part(begin, self.records.len())).transpose()
    }

    fn part(&self, begin: usize, end: usize) -> anyhow::Result<Self> {
        /// Each as it stands there.
        #[derive(Deserialize)]
        struct Records<'a> {
            #[serde(borrow, rename = "Records")]
            records: Vec<&'a RawValue>,
        }
        let Records { records } = serde_json::from_str(&self.text).context("failed to take the event apart")?;
        let texts: Vec<_> = records.get(begin..end).unwrap_or_default().iter().map(|record| record.get()).collect();
        Ok(Self {
            name: format!("{}, records {} to {end}", self.name, begin + 1),
            text: format!("{{\"Records\":[{}]}}", texts.join(",")),
            records: self.records.get(begin..end).unwrap_or_default().to_vec(),
        })
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

    const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/sensors";

    fn pipeline() -> Pipeline {
        Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap()
    }

    fn record(number: &str, data: Vec<u8>) -> Record {
        Record {
            shard_id: "shard".into(),
            sequence_number: SequenceNumber::new(number).unwrap(),
            partition_key: "key".into(),
            arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
            data: Ok(data.into()),
            place: None,
        }
    }

    fn of(records: Vec<Record>) -> Event {
        Event { name: "x".to_owned(), text: event::render(&records, ARN), records }
    }

    #[test]
    fn an_event_that_inflates_to_too_much_is_sent_in_parts() {
        let small = || br#"{"sensorId":6}"#.to_vec();
        let padded = format!(r#"{{"sensorId":6,"x":"{}"}}"#, "x".repeat(landfall_core::decode::MAX_BYTES / 4 * 3));
        let large = || zstd::encode_all(padded.as_bytes(), 0).unwrap();
        let numbers = |event: &Event| {
            assert_eq!(event::records(&event.text).unwrap(), event.records);
            event.records.iter().map(|record| record.sequence_number.to_string()).collect::<Vec<_>>().join(" ")
        };
        let parts = |event: &Event| {
            let parts = event.parts(&pipeline()).unwrap();
            parts.iter().map(|part| format!("{}: {}", part.name, numbers(part))).collect::<Vec<_>>()
        };

        assert_eq!(parts(&of(Vec::new())), ["x: "]);
        assert_eq!(parts(&of(vec![record("1", small()), record("2", large())])), ["x: 1 2"]);
        let event = of(vec![record("1", small()), record("2", large()), record("3", large()), record("4", small())]);
        assert_eq!(parts(&event), ["x, records 1 to 2: 1 2", "x, records 3 to 4: 3 4"]);

        assert_eq!(numbers(&event.rest("3").unwrap().unwrap()), "3 4");
        assert!(event.rest("1").unwrap().is_none() && event.rest("5").unwrap().is_none());
        let twice = of(vec![record("1", small()), record("2", small()), record("1", small())]);
        let error = twice.rest("1").unwrap_err();
        assert_eq!(error.to_string(), "failed to go on at record 1: it stands in x more than once");
    }

    #[test]
    fn a_row_that_fits_no_request_is_expected_as_poison() {
        let of_status = |status: &str| format!(r#"{{"sensorId":6,"status":"{status}"}}"#).into_bytes();
        let records =
            vec![record("1", of_status(&"x".repeat(upsert::MAX_REQUEST_BYTES))), record("2", of_status("OK"))];
        let batch = of(records).batch(&pipeline()).unwrap();

        assert_eq!((batch.rows.len(), batch.poison.len()), (1, 1));
        assert!(batch.poison[0].reason.starts_with("the row takes 900"), "{}", batch.poison[0].reason);
    }
}
