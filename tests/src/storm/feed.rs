//! Records, and what is to become of each document in them.

use landfall_core::{Pipeline, Position, Record};
use landfall_generator::{Generator, PoisonKind, Poisoner, Template, TemplateError};
use serde_json::Value;

use super::deck::{Random, Site};
use super::{Leg, Options};

const TEMPLATE: &str = include_str!("../../../events/templates/sensor.json");

/// How many of the documents are poison.
const POISON: f64 = 0.03;

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
    pub(crate) partition_key: String,
    pub(crate) data: Vec<u8>,
    /// Sensor, temperature and status of a good document; the bytes of poison.
    documents: Vec<Result<[Option<String>; 3], Vec<u8>>>,
}

/// Makes records without end; the seed decides which.
pub(crate) struct Feed {
    generator: Generator,
    poisoner: Poisoner,
    random: Random,
}

impl Feed {
    pub(crate) fn new(options: &Options, pipeline: &Pipeline) -> Result<Self, TemplateError> {
        // With few sensors, each is in most batches.
        let sensors = if options.leg == Leg::Redrive { "random.number(4)" } else { "random.number(11)" };
        let template = TEMPLATE.replace("random.number(50)", sensors);
        Ok(Self {
            generator: Generator::new(Template::parse(&template)?, options.seed),
            poisoner: Poisoner::new(pipeline, options.seed, POISON),
            random: Random::new(options.seed, Site::Feed),
        })
    }

    /// One document in four of five records, else up to three.
    pub(crate) fn next(&mut self) -> Draft {
        let n_documents = 1 + self.random.below(10).saturating_sub(7);
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
        Draft { partition_key: self.generator.next_partition_key(), data, documents }
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
    pub(crate) fn documents(self, record: &Record) -> impl Iterator<Item = Document> {
        self.documents.into_iter().zip(0..).map(move |(document, document_number)| {
            let position = Position {
                shard_id: record.shard_id.clone(),
                sequence_number: record.sequence_number.clone(),
                subsequence_number: 0,
                document_number,
            };
            let becomes = match document {
                Err(bytes) => Becomes::DeadLetter(bytes),
                Ok(values) => {
                    let provenance = [
                        position.shard_id.to_string(),
                        position.sequence_number.to_string(),
                        "0".to_owned(),
                        document_number.to_string(),
                        record.partition_key.to_string(),
                        record.arrived_at.to_string(),
                    ];
                    Becomes::Row(provenance.map(Some).into_iter().chain(values).collect())
                }
            };
            Document { position, becomes }
        })
    }
}
