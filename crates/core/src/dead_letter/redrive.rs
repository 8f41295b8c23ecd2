//! Dead letters as records again, for another try.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::DeadLetter;
use crate::event::is_shard_id;
use crate::{ArrivedAt, Place, Position, Record};

/// Why a dead letter cannot become a record. One that Landfall stored always can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedriveError {
    /// It does not say where its document stands in the stream, or when that arrived.
    #[error("failed to redrive dead letter {index}: it has no position or no arrival")]
    Provenance {
        /// Index in the letters given.
        index: usize,
    },
    /// What it holds cannot be known.
    #[error("failed to redrive dead letter {index}: its data is no base64")]
    Data {
        /// Index in the letters given.
        index: usize,
        /// Why.
        source: base64::DecodeError,
    },
}

/// The records that bring the documents of `letters` back, each at the very position that it has.
///
/// [`crate::event::render`] makes events of them. However often a document is redriven, and whatever other way it comes, it
/// is one row. A letter whose data was changed for the better must still hold one document.
///
/// # Errors
/// [`RedriveError`] at the first letter that somebody has broken.
pub fn to_records(letters: &[DeadLetter]) -> Result<Vec<Record>, RedriveError> {
    let mut records = Vec::with_capacity(letters.len());
    for (index, letter) in letters.iter().enumerate() {
        let position = letter.position().filter(|position| is_shard_id(&position.shard_id));
        let arrived_at = ArrivedAt::from_text(&letter.arrived_at);
        let (Some(position), Some(arrived_at)) = (position, arrived_at) else {
            return Err(RedriveError::Provenance { index });
        };
        let data = STANDARD.decode(&letter.data).map_err(|source| RedriveError::Data { index, source })?;
        let Position { shard_id, sequence_number, subsequence_number, document_number } = position;
        records.push(Record {
            shard_id,
            sequence_number,
            partition_key: letter.partition_key.as_str().into(),
            arrived_at,
            data: Ok(data.into()),
            place: Some(Place { subsequence_number, document_number }),
        });
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{record, sensors, sensors_with};
    use crate::{Batch, Pipeline, decode, event};

    const STREAM_ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/sensors";

    /// What an event with `data` at place 2, 3 comes to: `2:3 cells` or `2:3 reason`.
    #[track_caller]
    fn check(pipeline: &Pipeline, place: (u64, u64), data: &[u8], expected: &[&str]) {
        let place = Place { subsequence_number: place.0, document_number: place.1 };
        let batch = decode(pipeline, &[Record { place: Some(place), ..record(100, data) }]);
        let place = |position: Position| format!("{}:{}", position.subsequence_number, position.document_number);
        let rows =
            batch.rows.iter().map(|row| format!("{} row {}", place(row.position()), row.partition_value(pipeline)));
        let poison = batch.poison.iter().map(|poison| format!("{} {}", place(poison.position()), poison.reason));
        assert_eq!(rows.chain(poison).collect::<Vec<_>>(), expected, "{}", data.escape_ascii());
    }

    /// The dead letters of a batch, through their stored form, as an event.
    fn redriven(batch: &Batch) -> Vec<Record> {
        let lines = batch.poison.iter().map(|poison| serde_json::to_string(&DeadLetter::from(poison)).unwrap());
        let letters: Vec<DeadLetter> = lines.map(|line| serde_json::from_str(&line).unwrap()).collect();
        let records = to_records(&letters).unwrap();
        let read = event::records(&event::render(&records, STREAM_ARN)).unwrap();
        assert_eq!(read, records);
        read
    }

    #[test]
    fn a_redriven_document_keeps_its_position() {
        let data = b"{\"sensorId\":6} {\"sensorId\":64.5}\n7 [{\"sensorId\":1}] {\"sensor";
        let batch = decode(&sensors(), &[record(100, data), record(101, b"")]);
        assert_eq!((batch.rows.len(), batch.poison.len()), (1, 5));

        let again = decode(&sensors(), &redriven(&batch));

        assert_eq!(again.rows, []);
        let letters = |batch: &Batch| -> Vec<DeadLetter> {
            // `serde_json` says where in the text the fault is, and the text is shorter now.
            let reason = |letter: &DeadLetter| letter.reason.split(" at line ").next().unwrap().to_owned();
            let letters = batch.poison.iter().map(DeadLetter::from);
            letters.map(|letter| DeadLetter { reason: reason(&letter), ..letter }).collect()
        };
        assert_eq!(letters(&again), letters(&batch));
    }

    #[test]
    fn a_document_that_the_pipeline_takes_now_is_a_row_at_its_old_position() {
        let data = br#"{"sensorId":6} {"sensorId":"six"}"#;
        let batch = decode(&sensors(), &[record(100, data)]);

        let changed = sensors_with(&[("type = \"integer\"     ", "type = \"string\"     ")]);
        let again = decode(&changed, &redriven(&batch));

        assert_eq!(again.poison, []);
        let [row] = &again.rows[..] else { panic!("{} rows", again.rows.len()) };
        assert_eq!(row.position(), batch.poison[0].position());
        assert_eq!(row.provenance(), decode(&changed, &[record(100, data)]).rows[1].provenance());
    }

    #[test]
    fn a_redriven_document_is_one_or_poison() {
        let one = br#"{"sensorId":6}"#;
        check(&sensors(), (2, 3), one, &["2:3 row 6"]);
        check(&sensors(), (2, 3), b"\n{\"sensorId\":6}\r\n", &["2:3 row 6"]);
        check(
            &sensors(),
            (2, 3),
            b"{\"sensorId\":",
            &["2:3 invalid JSON: EOF while parsing a value at line 1 column 12"],
        );
        check(&sensors(), (2, 3), b"", &["2:3 the record holds no document"]);
        for several in [&[&one[..], one].concat()[..], &[one, &b" {"[..]].concat()] {
            check(&sensors(), (2, 3), several, &["2:3 it stands for one document and holds more than that"]);
        }
        let array = sensors_with(&[("\"lines\"", "\"array\"")]);
        check(&array, (2, 3), br#"[{"sensorId":6}]"#, &["2:3 the document is an array, not an object"]);
    }

    #[test]
    fn what_could_not_be_inflated_is_redriven_as_what_it_is() {
        let small = sensors_with(&[("name = \"sensors\"", "name = \"sensors\"\nmax_inflated_bytes = 1048576")]);
        let text = br#"{"sensorId":6} {"sensorId":7}"#.to_vec();
        let large = zstd::encode_all([text.clone(), vec![b' '; 1 << 20]].concat().as_slice(), 0).unwrap();
        let batch = decode(&small, &[record(100, &large)]);
        assert_eq!((batch.rows.len(), batch.poison.len()), (0, 1));

        let again = decode(&sensors(), &redriven(&batch));

        assert_eq!(again, decode(&sensors(), &[record(100, &large)]));
        assert_eq!(again.rows.len(), 2);
        check(&sensors(), (2, 0), &large, &["2:0 row 6", "2:1 row 7"]);
        check(&sensors(), (2, 1), &large, &["2:1 invalid UTF-8 at byte 1"]);
    }

    #[test]
    fn a_letter_that_somebody_broke_is_named() {
        let batch = decode(&sensors(), &[record(100, b"poison")]);
        let letter = DeadLetter::from(&batch.poison[0]);
        let fault = |change: fn(&mut DeadLetter)| {
            let mut broken = letter.clone();
            change(&mut broken);
            crate::chain(&to_records(&[letter.clone(), broken]).unwrap_err())
        };
        let provenance = "failed to redrive dead letter 1: it has no position or no arrival";
        assert_eq!(fault(|letter| letter.sequence_number = "1e5".to_owned()), provenance);
        assert_eq!(fault(|letter| letter.shard_id = "a:b".to_owned()), provenance);
        assert_eq!(fault(|letter| letter.arrived_at = "today".to_owned()), provenance);
        let data = "failed to redrive dead letter 1: its data is no base64: Invalid symbol 33, offset 0.";
        assert_eq!(fault(|letter| letter.data = "!!!!".to_owned()), data);
    }
}
