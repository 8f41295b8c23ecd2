//! One record to rows and poison.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use super::MAX_RECORD_ROWS;
use super::document::cells;
use crate::dead_letter::{Poison, Stage};
use crate::document::{Document, Source};
use crate::payload::compression::is_compressed;
use crate::payload::{self, Inflater, Piece, UserRecord};
use crate::pipeline::Documents;
use crate::{Batch, Cells, Pipeline, Place, Record, Row};

/// A record may hold this many poison documents and one more for every [`BYTES_A_POISON`]; what follows is one
/// poison together. A dead letter takes hundreds of bytes: a MiB of `1 1 1 …` would be 130 MiB of them.
const POISON_ANYWAY: usize = 10;

/// See [`POISON_ANYWAY`]. Counted in the record as Kinesis holds it, all user records together and before it is
/// inflated, which may make a thousand times as much of it.
const BYTES_A_POISON: usize = 100;

/// Adds what the documents of a record come to, in their order.
pub(super) fn read(pipeline: &Pipeline, inflater: &mut Inflater, record: &Record, batch: &mut Batch) {
    let data = match &record.data {
        Ok(data) => Bytes::from_owner(Arc::clone(data)),
        Err(undecodable) => {
            batch.poison.push(whole(record, undecodable.reason.clone()));
            return;
        }
    };
    reading(pipeline, inflater, record, batch, |reading| match record.place {
        None => reading.record(data),
        Some(place) => reading.redriven(place, data),
    });
}

/// Adds what the documents of a user record come to that Firehose has taken out of its record.
pub(super) fn read_user_record(
    pipeline: &Pipeline,
    inflater: &mut Inflater,
    record: &Record,
    subsequence_number: u64,
    batch: &mut Batch,
) {
    // What is poison as a whole stands where the user record does.
    let record = &Record { place: Some(Place { subsequence_number, document_number: 0 }), ..record.clone() };
    let data = match &record.data {
        Ok(data) => Bytes::from_owner(Arc::clone(data)),
        Err(undecodable) => {
            batch.poison.push(whole(record, undecodable.reason.clone()));
            return;
        }
    };
    reading(pipeline, inflater, record, batch, |reading| reading.delivered(subsequence_number, data));
}

/// Adds what `read` finds in a record. One of too many rows is poison as a whole: they would not fit a function's memory.
fn reading(
    pipeline: &Pipeline,
    inflater: &mut Inflater,
    record: &Record,
    batch: &mut Batch,
    read: impl FnOnce(&mut Reading<'_>) -> ControlFlow<Full>,
) {
    let n_bytes = record.data.as_ref().map_or(0, |data| data.len());
    let n_poison_left = POISON_ANYWAY + n_bytes / BYTES_A_POISON;
    let (n_rows, n_poison) = (batch.rows.len(), batch.poison.len());
    let mut reading = Reading { pipeline, inflater, record, n_poison_left, n_rows_left: MAX_RECORD_ROWS, batch };
    if let ControlFlow::Break(Full::OfRows) = read(&mut reading) {
        batch.rows.truncate(n_rows);
        batch.poison.truncate(n_poison);
        batch.poison.push(whole(record, format!("the record holds more than {MAX_RECORD_ROWS} documents")));
    }
}

/// Why the rest of a record is not read.
enum Full {
    /// It is poison, and in the batch.
    OfPoison,
    /// There is no room for more rows.
    OfRows,
}

/// A record that is poison as a whole.
pub(super) fn whole(record: &Record, reason: String) -> Poison {
    let data = match &record.data {
        Ok(data) => data,
        Err(undecodable) => &undecodable.text,
    };
    let Place { subsequence_number, document_number } = record.place.unwrap_or_default();
    let source = source(record, subsequence_number, None, Bytes::from_owner(Arc::clone(data)));
    Poison { document: Document::whole(source, document_number), stage: Stage::Decode, reason }
}

fn source(record: &Record, subsequence_number: u64, partition_key: Option<&Arc<str>>, bytes: Bytes) -> Arc<Source> {
    Arc::new(Source {
        shard_id: Arc::clone(&record.shard_id),
        sequence_number: record.sequence_number.clone(),
        subsequence_number,
        partition_key: Arc::clone(partition_key.unwrap_or(&record.partition_key)),
        arrived_at: record.arrived_at,
        bytes,
    })
}

/// A record that is being read.
struct Reading<'a> {
    pipeline: &'a Pipeline,
    inflater: &'a mut Inflater,
    record: &'a Record,
    n_poison_left: usize,
    n_rows_left: usize,
    batch: &'a mut Batch,
}

impl Reading<'_> {
    /// A record as the stream holds it.
    fn record(&mut self, data: Bytes) -> ControlFlow<Full> {
        let user_records = match payload::user_records(data, self.inflater) {
            Ok(user_records) => user_records,
            Err(unreadable) => {
                let document = Document::whole(source(self.record, 0, None, unreadable.bytes), 0);
                return self.take(document, Err(unreadable.reason), &[]);
            }
        };
        let mut rest = user_records.as_slice();
        while let Some((user_record, following)) = rest.split_first() {
            self.user_record(user_record, following)?;
            rest = following;
        }
        ControlFlow::Continue(())
    }

    fn user_record(&mut self, user_record: &UserRecord, following: &[UserRecord]) -> ControlFlow<Full> {
        let UserRecord { subsequence_number, partition_key, bytes } = user_record;
        let inflated = self.inflater.inflate(bytes);
        let readable = inflated.as_ref().unwrap_or(bytes).clone();
        let source = source(self.record, *subsequence_number, partition_key.as_ref(), readable);
        if let Err(reason) = inflated {
            return self.take(Document::whole(source, 0), Err(reason), following);
        }
        for (number, Piece { range, garbage }) in (0..).zip(payload::pieces(&source.bytes, self.pipeline.documents)) {
            let document = Document { source: Arc::clone(&source), number, range };
            let outcome = garbage.map_or_else(|| cells(self.pipeline, document.bytes()), Err);
            self.take(document, outcome, following)?;
        }
        ControlFlow::Continue(())
    }

    /// A user record as Firehose delivers it. The first may be a plain record, around which compression is undone once more
    /// than around others.
    fn delivered(&mut self, subsequence_number: u64, data: Bytes) -> ControlFlow<Full> {
        let unreadable = |this: &mut Self, bytes, reason| {
            let document = Document::whole(source(this.record, subsequence_number, None, bytes), 0);
            this.take(document, Err(reason), &[])
        };
        let mut bytes = data;
        if subsequence_number == 0 {
            bytes = match self.inflater.inflate(&bytes) {
                Ok(inflated) => inflated,
                Err(reason) => return unreadable(self, bytes, reason),
            };
        }
        if let Some(reason) = payload::still_aggregated(&bytes) {
            return unreadable(self, bytes, reason);
        }
        self.user_record(&UserRecord { subsequence_number, partition_key: None, bytes }, &[])
    }

    /// A redriven document: it is what stood at `place`, so it is neither aggregated nor cut up.
    ///
    /// Compressed it is no document but a user record that could not be inflated, perhaps because there was too much of
    /// it. It is read as that.
    fn redriven(&mut self, place: Place, data: Bytes) -> ControlFlow<Full> {
        let Place { subsequence_number, document_number } = place;
        if document_number == 0 && is_compressed(&data) {
            return self.user_record(&UserRecord { subsequence_number, partition_key: None, bytes: data }, &[]);
        }
        let mut document =
            Document::whole(source(self.record, subsequence_number, None, data.clone()), document_number);
        let mut pieces = payload::pieces(&data, Documents::Lines);
        let outcome = match (pieces.next(), pieces.next()) {
            (Some(Piece { range, garbage: None }), None) => {
                document.range = range;
                cells(self.pipeline, document.bytes())
            }
            (Some(Piece { garbage: Some(reason), .. }), None) => Err(reason),
            _ => Err("it stands for one document and holds more than that".to_owned()),
        };
        self.take(document, outcome, &[])
    }

    /// Breaks off when the record holds too much poison: then the document and all that follows is one poison.
    fn take(
        &mut self,
        document: Document,
        outcome: Result<Cells, String>,
        following: &[UserRecord],
    ) -> ControlFlow<Full> {
        let reason = match outcome {
            Ok(_) if self.n_rows_left == 0 => return ControlFlow::Break(Full::OfRows),
            Ok(cells) => {
                self.n_rows_left -= 1;
                self.batch.rows.push(Row { document, cells });
                return ControlFlow::Continue(());
            }
            Err(reason) => reason,
        };
        let stage = Stage::Decode;
        if self.n_poison_left > 0 {
            self.n_poison_left -= 1;
            self.batch.poison.push(Poison { document, stage, reason });
            return ControlFlow::Continue(());
        }
        let reason = format!("{reason}; after so much poison the rest of the record was not read");
        self.batch.poison.push(Poison { document: with_rest(document, following), stage, reason });
        ControlFlow::Break(Full::OfPoison)
    }
}

/// A document with all that stands behind it in its record; user records a line each, as they are.
fn with_rest(mut document: Document, following: &[UserRecord]) -> Document {
    document.range.end = document.source.bytes.len();
    if following.is_empty() {
        return document;
    }
    let mut rest = document.bytes().to_vec();
    for user_record in following {
        rest.push(b'\n');
        rest.extend_from_slice(&user_record.bytes);
    }
    let source = Source { bytes: rest.into(), ..document.source.as_ref().clone() };
    Document::whole(Arc::new(source), document.number)
}
