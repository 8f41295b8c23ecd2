//! Records of every form, and what is to become of each document in them.

use std::io;

use landfall_core::{Pipeline, Position, Record};
use landfall_generator::{Generator, PoisonKind, Poisoner, Template, TemplateError};
use serde_json::Value;

use super::deck::{Deck, Random, Site};
use super::forms::Form;
use super::{Leg, Options};
use crate::packing::{Packed, aggregated, gzip, with_wrong_digest, zstd};

const TEMPLATE: &str = include_str!("../../../events/templates/sensor.json");

/// How many of the documents are poison.
const POISON: f64 = 0.03;

/// Of 40 records, how many are of each form; the others are plain.
const FORMS: [(Form, usize); 3] = [(Form::Aggregated, 6), (Form::Compressed, 3), (Form::Broken, 1)];

/// A row of a table, all columns in order.
pub(crate) type TableRow = Vec<Option<String>>;

/// A document that is in the stream.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) position: Position,
    pub(crate) becomes: Becomes,
}

/// What is to become of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// This row, in every table.
    Row(TableRow),
    /// A dead letter with these bytes, but for the white space around them.
    DeadLetter(Vec<u8>),
}

/// A record that is to be put.
pub(crate) struct Draft {
    pub(crate) form: Form,
    pub(crate) partition_key: String,
    pub(crate) data: Vec<u8>,
    user_records: Vec<UserRecord>,
}

/// Sensor, temperature and status of a good document; the bytes of poison.
type Contents = Result<[Option<String>; 3], Vec<u8>>;

/// What is in a user record; in a plain record, or in one that cannot be read, the only one.
struct UserRecord {
    partition_key: String,
    documents: Vec<Contents>,
}

/// Makes records without end; the seed decides which.
pub(crate) struct Feed {
    generator: Generator,
    poisoner: Poisoner,
    forms: Deck<Form>,
}

impl Feed {
    pub(crate) fn new(options: &Options, pipeline: &Pipeline) -> Result<Self, TemplateError> {
        // With few sensors, each is in most batches.
        let sensors = if options.leg == Leg::Redrive { "random.number(4)" } else { "random.number(11)" };
        let template = TEMPLATE.replace("random.number(50)", sensors);
        Ok(Self {
            generator: Generator::new(Template::parse(&template)?, options.seed),
            poisoner: Poisoner::new(pipeline, options.seed, POISON),
            forms: Deck::new(Random::new(options.seed, Site::Feed), &FORMS, 30),
        })
    }

    pub(crate) fn next(&mut self) -> io::Result<Draft> {
        let (form, partition_key) = (self.forms.deal().unwrap_or(Form::Plain), self.generator.next_partition_key());
        let (data, user_records) = match form {
            Form::Plain => self.plain(&partition_key),
            Form::Compressed => {
                let (data, user_records) = self.plain(&partition_key);
                (self.compressed(&data)?, user_records)
            }
            Form::Aggregated => {
                let (data, user_records) = self.aggregated()?;
                // Some producers compress what their library has aggregated.
                (if self.one_in(4) { self.compressed(&data)? } else { data }, user_records)
            }
            Form::Broken => self.broken(&partition_key)?,
        };
        Ok(Draft { form, partition_key, data, user_records })
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.forms.random.below(n) == 0
    }

    fn plain(&mut self, partition_key: &str) -> (Vec<u8>, Vec<UserRecord>) {
        let (data, documents) = self.documents();
        (data, vec![UserRecord { partition_key: partition_key.to_owned(), documents }])
    }

    /// Two to five user records, some compressed, and one of those in ten cut off.
    fn aggregated(&mut self) -> io::Result<(Vec<u8>, Vec<UserRecord>)> {
        let (mut packed, mut user_records) = (Vec::new(), Vec::new());
        for _ in 0..2 + self.forms.random.below(4) {
            let partition_key = self.generator.next_partition_key();
            let (mut data, mut documents) = self.documents();
            if self.one_in(4) {
                data = self.compressed(&data)?;
                if self.one_in(10) {
                    data.truncate(data.len() / 2);
                    documents = vec![Err(data.clone())];
                }
            }
            let explicit_hash_key = self.one_in(3).then(|| self.forms.random.below(usize::MAX).to_string());
            packed.push(Packed { partition_key: partition_key.clone(), explicit_hash_key, data });
            user_records.push(UserRecord { partition_key, documents });
        }
        Ok((aggregated(&packed), user_records))
    }

    /// A record that begins as one of these forms and is none: one poison, whatever it would have held.
    fn broken(&mut self, partition_key: &str) -> io::Result<(Vec<u8>, Vec<UserRecord>)> {
        let (data, poison) = if self.one_in(2) {
            let record = with_wrong_digest(self.aggregated()?.0);
            // What was read last is the dead letter's: what a record inflates to.
            (if self.one_in(4) { self.compressed(&record)? } else { record.clone() }, record)
        } else {
            let (data, _) = self.documents();
            let mut cut_off = self.compressed(&data)?;
            cut_off.truncate(cut_off.len() / 2);
            (cut_off.clone(), cut_off)
        };
        let partition_key = partition_key.to_owned();
        Ok((data, vec![UserRecord { partition_key, documents: vec![Err(poison)] }]))
    }

    fn compressed(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        if self.one_in(2) { gzip(bytes) } else { zstd(bytes) }
    }

    /// The documents of a user record, and what becomes of each: one in four of five, else up to three.
    fn documents(&mut self) -> (Vec<u8>, Vec<Contents>) {
        let n_documents = 1 + self.forms.random.below(10).saturating_sub(7);
        let (mut data, mut documents) = (Vec::new(), Vec::new());
        for _ in 0..n_documents {
            let document = self.generator.next_record();
            let Some(spoiled) = self.poisoner.spoil(&document) else {
                data.extend_from_slice(&document);
                documents.push(Ok(values(&document)));
                continue;
            };
            data.extend_from_slice(&spoiled.record);
            documents.push(Err(spoiled.record));
            // What is no JSON has no end, so nothing may follow.
            if matches!(spoiled.kind, PoisonKind::CutInHalf | PoisonKind::InvalidUtf8) {
                break;
            }
        }
        (data, documents)
    }
}

/// Read by `serde_json` and by nothing of ours.
fn values(document: &[u8]) -> [Option<String>; 3] {
    let document: Value = serde_json::from_slice(document).unwrap_or_default();
    ["sensorId", "currentTemperature", "status"].map(|key| match &document[key] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    })
}

impl Draft {
    /// Its documents, now that it stands in the stream as `record`.
    pub(crate) fn documents(self, record: &Record) -> Vec<Document> {
        let mut all = Vec::new();
        for (subsequence_number, UserRecord { partition_key, documents }) in (0..).zip(self.user_records) {
            for (document_number, document) in (0..).zip(documents) {
                let position = Position {
                    shard_id: record.shard_id.clone(),
                    sequence_number: record.sequence_number.clone(),
                    subsequence_number,
                    document_number,
                };
                let becomes = match document {
                    Err(bytes) => Becomes::DeadLetter(bytes),
                    Ok(values) => {
                        let provenance = [
                            position.shard_id.to_string(),
                            position.sequence_number.to_string(),
                            subsequence_number.to_string(),
                            document_number.to_string(),
                            partition_key.clone(),
                            record.arrived_at.to_string(),
                        ];
                        Becomes::Row(provenance.map(Some).into_iter().chain(values).collect())
                    }
                };
                all.push(Document { position, becomes });
            }
        }
        all
    }
}
