//! Rows from the text of their columns: what the CSV of the landing zone holds, read back.

use std::sync::Arc;

use bytes::Bytes;

use super::Row;
use crate::cells::Packed;
use crate::document::{Document, Source};
use crate::event::is_shard_id;
use crate::json::{Json, Kind};
use crate::pipeline::{Column, DataType, PROVENANCE};
use crate::value::{self, Value};
use crate::{ArrivedAt, Pipeline, Position};

/// Why the text of columns is no row of a pipeline. A row that Landfall landed with that pipeline, or an earlier form of
/// it, always is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// It does not say where its document stands in the stream, or when that arrived.
    #[error("failed to read a row: it does not begin with a position, a partition key and an arrival")]
    Provenance,
    /// It was written for a pipeline with more fields.
    #[error("failed to read a row: it has {n_columns} columns, and the pipeline has {n_known}")]
    TooLong {
        /// Of the row.
        n_columns: usize,
        /// Of the pipeline.
        n_known: usize,
    },
    /// A column holds what the pipeline does not allow there.
    #[error("failed to read a row: `{column}` {fault}")]
    Value {
        /// Its name.
        column: String,
        /// The end of a sentence that begins with it: `is x, which is no integer`.
        fault: String,
    },
}

impl Row {
    /// The row with these columns, in the order of [`Pipeline::columns`]; `None` is NULL.
    ///
    /// A row that is shorter, from before a field was appended, has NULL in what it lacks. The document itself is not
    /// known: its bytes are empty.
    ///
    /// # Errors
    /// [`RowError`] at the first column that holds something else.
    pub fn from_columns(pipeline: &Pipeline, columns: &[Option<String>]) -> Result<Self, RowError> {
        let known = pipeline.columns();
        if columns.len() > known.len() {
            return Err(RowError::TooLong { n_columns: columns.len(), n_known: known.len() });
        }
        let document = document(columns).ok_or(RowError::Provenance)?;
        let values = columns.iter().map(Option::as_deref).chain(std::iter::repeat(None));
        let mut cells = Packed::default();
        for (column, text) in known.iter().zip(values).skip(PROVENANCE.len()) {
            push(&mut cells, column, text).map_err(|fault| RowError::Value { column: column.name.clone(), fault })?;
        }
        Ok(Self { document, cells: cells.finish() })
    }
}

fn document(columns: &[Option<String>]) -> Option<Document> {
    let position = Position::from_columns(columns).filter(|position| is_shard_id(&position.shard_id))?;
    let (Some(partition_key), Some(arrived_at)) = (columns.get(4)?, columns.get(5)?) else { return None };
    let Position { shard_id, sequence_number, subsequence_number, document_number } = position;
    let source = Source {
        shard_id,
        sequence_number,
        subsequence_number,
        partition_key: partition_key.as_str().into(),
        arrived_at: ArrivedAt::from_text(arrived_at)?,
        bytes: Bytes::new(),
    };
    Some(Document::whole(Arc::new(source), document_number))
}

/// Adds a cell, by the very rules that made its text: what somebody has changed is refused here and not, in other words,
/// by the warehouse, which would round it.
fn push(cells: &mut Packed, column: &Column, text: Option<&str>) -> Result<(), String> {
    let data_type = match column.data_type {
        // Stored alike.
        DataType::Epoch(_) => DataType::Timestamp,
        data_type => data_type,
    };
    let json = match text {
        Some(text) if data_type == DataType::Variant => Some(Json::parse(text).map_err(|why| format!("is {why}"))?),
        Some(text) => Some(Json { text, kind: Kind::String(text.into()) }),
        None => None,
    };
    let value = match &json {
        Some(json) => value::typed(json, data_type)?,
        None => Value::Null,
    };
    if value == Value::Null && column.required {
        return Err("is NULL, and it is required".to_owned());
    }
    cells.push(value.cell());
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{record, records, sensors, sensors_with};
    use crate::upsert::{MAX_REQUEST_BYTES, requests};
    use crate::{decode, landing};

    fn orders() -> Pipeline {
        Pipeline::from_toml(include_str!("../../../../examples/orders/pipeline.toml")).unwrap()
    }

    /// What is said to upsert about rows, one shard after the other.
    fn said(pipeline: &Pipeline, rows: &[Row]) -> Vec<String> {
        let planned = requests(rows, MAX_REQUEST_BYTES).unwrap().planned;
        planned.iter().map(|planned| serde_json::to_string(&planned.request(pipeline).unwrap()).unwrap()).collect()
    }

    /// Rows through the objects of the landing zone and back.
    fn landed(pipeline: &Pipeline, rows: &[Row]) -> Vec<Row> {
        let objects: Vec<_> = landing::objects(pipeline, rows).map(Result::unwrap).collect();
        let lines = objects.iter().flat_map(|object| landing::read(&object.key, &object.body).unwrap());
        let mut rows: Vec<Row> = lines.map(|columns| Row::from_columns(pipeline, &columns).unwrap()).collect();
        // Objects are in the order of their keys.
        rows.sort_by_key(Row::position);
        rows
    }

    #[track_caller]
    fn check(columns: &[&str], expected: &str) {
        let columns: Vec<_> = columns.iter().map(|text| (*text != "NULL").then(|| (*text).to_owned())).collect();
        assert_eq!(Row::from_columns(&sensors(), &columns).unwrap_err().to_string(), expected, "{columns:?}");
    }

    #[test]
    fn rows_of_every_type_come_back_from_the_landing_zone_as_they_were() {
        let sample = include_str!("../../../../examples/orders/sample.jsonl");
        let lines: Vec<&str> = sample.lines().collect();
        for pipeline in [orders(), sensors_with(&[("\"ignore\"", "\"keep\""), ("\"none\"", "\"zstd\"")])] {
            let mut records = records(&lines);
            records.extend([
                record(900, br#"{"sensorId":"6","status":"","x":{"y":1.10},"z":"\u0000"}"#),
                record(901, br#"{"sensorId":9007199254740993,"currentTemperature":null,"status":"a\n\"b\",c\\N"}"#),
            ]);
            let rows = decode(&pipeline, &records).rows;
            assert!(rows.len() >= 2);

            assert_eq!(said(&pipeline, &landed(&pipeline, &rows)), said(&pipeline, &rows), "{}", pipeline.name);
        }
    }

    #[test]
    fn a_row_from_before_a_field_was_appended_has_null_in_it() {
        let field = "[landing]";
        let appended = "[[fields]]\nname = \"battery\"\ntype = \"integer\"\n\n[landing]";
        let (old, new) = (sensors(), sensors_with(&[(field, appended)]));
        let records = records(&[r#"{"sensorId":6,"status":"OK"}"#]);
        let rows = decode(&old, &records).rows;
        let object = landing::objects(&old, &rows).next().unwrap().unwrap();
        let line = landing::read(&object.key, &object.body).unwrap().remove(0);

        let row = Row::from_columns(&new, &line).unwrap();

        assert_eq!(said(&new, &[row]), said(&new, &decode(&new, &records).rows));
        let mut too_long = line.clone();
        too_long.push(None);
        let expected = RowError::TooLong { n_columns: 10, n_known: 9 };
        assert_eq!(Row::from_columns(&old, &too_long), Err(expected));
    }

    #[test]
    fn columns_that_are_no_row_say_why() {
        let provenance = "failed to read a row: it does not begin with a position, a partition key and an arrival";
        check(&[], provenance);
        check(&["sensorId", "currentTemperature", "status"], provenance);
        check(&["s", "1", "0", "0", "key", "today", "6"], provenance);
        check(&["s", "1", "0", "0", "NULL", "2026-11-20 14:00:00.123", "6"], provenance);
        check(&["a:b", "1", "0", "0", "key", "2026-11-20 14:00:00.123", "6"], provenance);
        let with = |texts: &[&str], expected: &str| {
            let columns = [&["s", "1", "0", "0", "key", "2026-11-20 14:00:00.123"], texts].concat();
            check(&columns, &format!("failed to read a row: {expected}"));
        };
        with(&["64.5"], "`SENSORID` is 64.5, which is no integer");
        with(&[""], "`SENSORID` is \"\", which is no integer");
        with(&["NULL"], "`SENSORID` is NULL, and it is required");
        with(&[], "`SENSORID` is NULL, and it is required");
        let keep = sensors_with(&[("\"ignore\"", "\"keep\"")]);
        let columns =
            ["s", "1", "0", "0", "key", "2026-11-20 14:00:00.123", "{\"a\":", "6"].map(|t| Some(t.to_owned()));
        let error = Row::from_columns(&keep, &columns).unwrap_err().to_string();
        let json = "is invalid JSON: EOF while parsing a value at line 1 column 5";
        assert_eq!(error, format!("failed to read a row: `EXTRA` {json}"));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(status in any::<String>(), key in ".{1,20}", n in any::<u64>()) {
            let data = serde_json::json!({ "sensorId": n, "status": status }).to_string();
            let mut record = record(n, data.as_bytes());
            record.partition_key = key.into();
            let rows = decode(&sensors(), &[record]).rows;

            prop_assert_eq!(said(&sensors(), &landed(&sensors(), &rows)), said(&sensors(), &rows));
        }
    }
}
