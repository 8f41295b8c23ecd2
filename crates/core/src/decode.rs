//! Records to rows and poison. Never fails: every document is in exactly one of the two.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::dead_letter::{Poison, Stage};
use crate::json::{self, Json, Kind};
use crate::payload::{self, UserRecord};
use crate::pipeline::UnknownFields;
use crate::row::Document;
use crate::{Cell, Pipeline, Position, Record, Row, value};

/// What one invocation's records came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Rows in the order of the records.
    pub rows: Vec<Row>,
    /// Poison in the order of the records.
    pub poison: Vec<Poison>,
    /// Documents left out because their position stood in the batch before.
    pub n_duplicates: usize,
}

/// Decodes records by the pipeline.
///
/// A position that stands twice in the batch counts once. A panic while decoding a record is that record's
/// poison: its neighbours go on.
pub fn decode(pipeline: &Pipeline, records: &[Record]) -> Batch {
    decode_with(records, |record| outcomes(pipeline, record))
}

type Outcome = Result<Row, Poison>;

fn decode_with(records: &[Record], outcomes: impl Fn(&Record) -> Vec<Outcome>) -> Batch {
    let mut batch = Batch { rows: Vec::with_capacity(records.len()), poison: Vec::new(), n_duplicates: 0 };
    let mut seen = HashSet::with_capacity(records.len());
    for record in records {
        let outcomes = catch_unwind(AssertUnwindSafe(|| outcomes(record)))
            .unwrap_or_else(|_| vec![Err(whole(record, "decoding the record panicked: a fault of Landfall"))]);
        for outcome in outcomes {
            let position = outcome.as_ref().map_or_else(|poison| &poison.position, |row| &row.position);
            if !seen.insert(position.clone()) {
                batch.n_duplicates += 1;
                continue;
            }
            match outcome {
                Ok(row) => batch.rows.push(row),
                Err(poison) => batch.poison.push(poison),
            }
        }
    }
    batch
}

/// A record that is poison as a whole.
fn whole(record: &Record, reason: &str) -> Poison {
    let data = match &record.data {
        Ok(data) => data,
        Err(undecodable) => &undecodable.text,
    };
    let document = Document { user_record: Arc::clone(data), range: 0..data.len() };
    poison(record, (0, 0), document, reason.to_owned())
}

fn poison(record: &Record, place: (u64, u64), document: Document, reason: String) -> Poison {
    Poison {
        position: position(record, place),
        partition_key: Arc::clone(&record.partition_key),
        arrived_at: record.arrived_at,
        stage: Stage::Decode,
        reason,
        document,
    }
}

fn position(record: &Record, (subsequence_number, document_number): (u64, u64)) -> Position {
    Position {
        shard_id: Arc::clone(&record.shard_id),
        sequence_number: record.sequence_number.clone(),
        subsequence_number,
        document_number,
    }
}

/// A record may hold this many poison documents and one more for every [`BYTES_A_POISON`]; what follows is one
/// poison together. A dead letter takes hundreds of bytes: a MiB of `1 1 1 …` would be 130 MiB of them.
const POISON_ANYWAY: usize = 10;

/// See [`POISON_ANYWAY`].
const BYTES_A_POISON: usize = 100;

fn outcomes(pipeline: &Pipeline, record: &Record) -> Vec<Outcome> {
    let data = match &record.data {
        Ok(data) => data,
        Err(undecodable) => return vec![Err(whole(record, &undecodable.reason))],
    };
    let mut outcomes = Vec::new();
    let mut n_poison_left = POISON_ANYWAY + data.len() / BYTES_A_POISON;
    for UserRecord { subsequence_number, bytes } in payload::user_records(data) {
        for (document_number, piece) in payload::pieces(&bytes, pipeline.documents).into_iter().enumerate() {
            let place = (subsequence_number, document_number as u64);
            let mut document = Document { user_record: Arc::clone(&bytes), range: piece.range };
            let outcome = match piece.garbage {
                Some(reason) => Err(reason),
                None => row(pipeline, record, place, &document),
            };
            let reason = match outcome {
                Ok(row) => {
                    outcomes.push(Ok(row));
                    continue;
                }
                Err(reason) => reason,
            };
            if n_poison_left == 0 {
                document.range.end = bytes.len();
                let reason = format!("{reason}; after so much poison the rest of the record was not read");
                outcomes.push(Err(poison(record, place, document, reason)));
                break;
            }
            n_poison_left -= 1;
            outcomes.push(Err(poison(record, place, document, reason)));
        }
    }
    outcomes
}

fn row(pipeline: &Pipeline, record: &Record, place: (u64, u64), document: &Document) -> Result<Row, String> {
    let text = std::str::from_utf8(document.bytes()).map_err(|error| format!("invalid UTF-8: {error}"))?;
    let json = Json::parse(text)?;
    let Kind::Object(members) = &json.kind else {
        return Err(format!("the document is {}, not an object", json.kind_name()));
    };
    let mut cells = Vec::with_capacity(pipeline.fields.len() + 1);
    if pipeline.unknown_fields != UnknownFields::Ignore {
        let paths: Vec<&[String]> = pipeline.fields.iter().map(|field| field.path.as_slice()).collect();
        let unnamed = json::unnamed(members, &paths);
        match (pipeline.unknown_fields, unnamed) {
            (UnknownFields::Reject, Some(unnamed)) => {
                return Err(format!("no field is declared for {}", value::shown(&unnamed)));
            }
            (UnknownFields::Keep, Some(unnamed)) => cells.push(Cell::Json(unnamed.into())),
            (UnknownFields::Keep, None) => cells.push(Cell::Null),
            _ => {}
        }
    }
    let mut partition_value: Arc<str> = "".into();
    for (index, field) in pipeline.fields.iter().enumerate() {
        let name = &field.name;
        let cell = match json.at(&field.path) {
            Some(json) => value::cell(json, field.data_type).map_err(|fault| format!("`{name}` {fault}"))?,
            None if field.required => return Err(format!("the required field `{name}` is missing")),
            None => Cell::Null,
        };
        if cell == Cell::Null && field.required {
            return Err(format!("the required field `{name}` is null"));
        }
        if index == pipeline.landing.partition_by {
            partition_value = cell.as_text().unwrap_or_default().into();
        }
        cells.push(cell);
    }
    Ok(Row {
        position: position(record, place),
        partition_key: Arc::clone(&record.partition_key),
        arrived_at: record.arrived_at,
        cells,
        partition_value,
        document: document.clone(),
    })
}

#[cfg(test)]
mod tests;
