//! What went in against what came out, document by document.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::Error;
use landfall_core::dead_letter::DeadLetter;
use landfall_core::{Pipeline, Position};
use landfall_local::files;
use landfall_local::stack::{BUCKET, Stack};
use landfall_snowflake::{Session, sql};

use super::feed::{Becomes, Document, TableRow};

/// A table or a view.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) rows: HashMap<Position, Vec<TableRow>>,
    /// Whether it may hold a row more than once.
    pub(crate) may_repeat: bool,
}

/// Everything that came out.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) places: Vec<Place>,
    pub(crate) dead_letters: HashMap<Position, Vec<DeadLetter>>,
}

impl Outcome {
    /// Reads both tables, both views and the dead letters. In the raw micro-batch table a row may stand more than once
    /// where `may_repeat`.
    pub(crate) async fn read(stack: &Stack, may_repeat: bool) -> Result<Self, Error> {
        let (pipeline, session) = (&stack.pipeline, stack.snowflake.session(&stack.pipeline)?);
        let tables = &pipeline.snowflake;
        let mut places = Vec::new();
        for (table, may_repeat) in [(&tables.streaming_table, false), (&tables.microbatch_table, may_repeat)] {
            places.push(place(&session, pipeline, table.clone(), may_repeat).await?);
            places.push(place(&session, pipeline, format!("{table}_DEDUPLICATED"), false).await?);
        }
        let dead_letters = dead_letters(&stack.bucket_dir(BUCKET).join(&pipeline.landing.dead_letter_prefix))?;
        Ok(Self { places, dead_letters })
    }

    /// Each fault, in words. None is what a storm is for.
    pub(crate) fn faults(&self, documents: &[Document]) -> Vec<String> {
        let mut faults = Vec::new();
        for document in documents {
            let letters = self.dead_letters.get(&document.position).map_or(&[][..], Vec::as_slice);
            let found = match &document.becomes {
                Becomes::Row(row) => self.row_faults(document, row, letters),
                Becomes::DeadLetter(bytes) => self.dead_letter_faults(document, bytes, letters),
            };
            faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", document.position)));
        }
        let sent: HashSet<&Position> = documents.iter().map(|document| &document.position).collect();
        let all = self.places.iter().flat_map(|place| place.rows.keys()).chain(self.dead_letters.keys());
        let strangers: BTreeSet<&Position> = all.filter(|position| !sent.contains(position)).collect();
        faults.extend(strangers.into_iter().map(|position| format!("{position}: was never sent")));
        faults
    }

    fn row_faults(&self, document: &Document, expected: &TableRow, letters: &[DeadLetter]) -> Vec<String> {
        let mut faults = Vec::new();
        for Place { name, rows, may_repeat } in &self.places {
            let rows = rows.get(&document.position).map_or(&[][..], Vec::as_slice);
            match rows {
                [] => faults.push(format!("is lost: not in {name}")),
                [_] => {}
                _ if *may_repeat => {}
                _ => faults.push(format!("is doubled: {} rows in {name}", rows.len())),
            }
            let other = rows.iter().find(|row| *row != expected);
            faults.extend(other.map(|row| format!("is {row:?} in {name}, not {expected:?}")));
        }
        faults.extend(letters.first().map(|letter| format!("is a dead letter, though it is good: {}", letter.reason)));
        faults
    }

    fn dead_letter_faults(&self, document: &Document, bytes: &[u8], letters: &[DeadLetter]) -> Vec<String> {
        let mut faults = Vec::new();
        for place in self.places.iter().filter(|place| place.rows.contains_key(&document.position)) {
            faults.push(format!("is in {}, though it is poison", place.name));
        }
        let reasons: BTreeSet<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
        match reasons.len() {
            0 => faults.push("is lost: poison without a dead letter".to_owned()),
            1 => {}
            _ => faults.push(format!("is a dead letter for several reasons: {reasons:?}")),
        }
        let is_other = |letter: &&DeadLetter| {
            STANDARD.decode(&letter.data).map_or(true, |data| data.trim_ascii() != bytes.trim_ascii())
        };
        faults.extend(letters.iter().find(is_other).map(|_| "is a dead letter with other bytes".to_owned()));
        faults
    }
}

async fn place(session: &Session, pipeline: &Pipeline, name: String, may_repeat: bool) -> Result<Place, Error> {
    let table = sql::qualified(&[&pipeline.snowflake.database, &pipeline.snowflake.schema, &name]);
    let columns: Vec<_> = pipeline.columns().iter().map(|column| sql::quoted(&column.name)).collect();
    let answer = session.query(&format!("SELECT {} FROM {table}", columns.join(", ")), &[]).await?;
    let mut place = Place { name, may_repeat, ..Place::default() };
    for row in answer.rows {
        let position = Position::from_columns(&row).ok_or_else(|| format!("a row without a position: {row:?}"))?;
        place.rows.entry(position).or_default().push(row);
    }
    Ok(place)
}

fn dead_letters(folder: &Path) -> Result<HashMap<Position, Vec<DeadLetter>>, Error> {
    let mut letters: HashMap<Position, Vec<DeadLetter>> = HashMap::new();
    for file in files::below(folder)? {
        for line in std::fs::read_to_string(&file)?.lines() {
            let letter: DeadLetter = serde_json::from_str(line)?;
            let position = letter.position().ok_or("a dead letter without a position")?;
            letters.entry(position).or_default().push(letter);
        }
    }
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use landfall_core::SequenceNumber;

    fn at(n: u64) -> Position {
        let sequence_number = SequenceNumber::new(&n.to_string()).unwrap();
        Position { shard_id: "shard".into(), sequence_number, subsequence_number: 0, document_number: 0 }
    }

    fn cells(status: &str) -> TableRow {
        vec![Some(status.to_owned())]
    }

    fn letter(reason: &str, data: &str) -> DeadLetter {
        let letter = serde_json::json!({
            "stage": "decode", "reason": reason, "shard_id": "shard", "sequence_number": "7", "subsequence_number": 0,
            "document_number": 0, "partition_key": "key", "arrived_at": "1970-01-01 00:00:00.000",
            "data": STANDARD.encode(data),
        });
        serde_json::from_value(letter).unwrap()
    }

    /// One document at position 7, the rows that a table and a view hold for it, and its dead letters.
    #[track_caller]
    fn check(becomes: Becomes, table: &[&str], view: &[&str], letters: &[DeadLetter], expected: &[&str]) {
        let place = |name: &str, rows: &[&str], may_repeat| Place {
            name: name.to_owned(),
            rows: HashMap::from([(at(7), rows.iter().map(|status| cells(status)).collect())]),
            may_repeat,
        };
        let mut outcome = Outcome {
            places: vec![place("T", table, true), place("V", view, false)],
            dead_letters: HashMap::from([(at(7), letters.to_vec())]),
        };
        outcome.places.iter_mut().for_each(|place| place.rows.retain(|_, rows| !rows.is_empty()));
        let faults = outcome.faults(&[Document { position: at(7), becomes }]);
        let faults: Vec<_> = faults.iter().map(|fault| fault.strip_prefix("shard:7:0:0: ").unwrap()).collect();
        assert_eq!(faults, expected);
    }

    #[test]
    fn every_way_to_lose_double_or_change_a_row_is_a_fault() {
        let good = || Becomes::Row(cells("OK"));
        check(good(), &["OK"], &["OK"], &[], &[]);
        check(good(), &["OK", "OK"], &["OK"], &[], &[]);
        check(good(), &["OK"], &["OK", "OK"], &[], &["is doubled: 2 rows in V"]);
        check(good(), &[], &["OK"], &[], &["is lost: not in T"]);
        let other = "is [Some(\"NO\")] in T, not [Some(\"OK\")]";
        check(good(), &["OK", "NO"], &["OK"], &[], &[other]);
        let dead = "is a dead letter, though it is good: why";
        check(good(), &["OK"], &["OK"], &[letter("why", "x")], &[dead]);
    }

    #[test]
    fn poison_has_one_reason_its_own_bytes_and_no_row() {
        let poison = || Becomes::DeadLetter(b"{bad\n".to_vec());
        check(poison(), &[], &[], &[letter("why", "{bad"), letter("why", "\n{bad\n")], &[]);
        check(poison(), &[], &[], &[], &["is lost: poison without a dead letter"]);
        check(poison(), &["OK"], &[], &[letter("why", "{bad")], &["is in T, though it is poison"]);
        let several = "is a dead letter for several reasons: {\"how\", \"why\"}";
        check(poison(), &[], &[], &[letter("why", "{bad"), letter("how", "{bad")], &[several]);
        check(poison(), &[], &[], &[letter("why", "{b")], &["is a dead letter with other bytes"]);
    }

    #[test]
    fn what_nobody_sent_is_a_fault() {
        let rows = HashMap::from([(at(8), vec![cells("OK")])]);
        let place = Place { name: "T".to_owned(), rows, may_repeat: true };
        let outcome = Outcome { places: vec![place], ..Outcome::default() };
        assert_eq!(outcome.faults(&[]), ["shard:8:0:0: was never sent"]);
    }
}
