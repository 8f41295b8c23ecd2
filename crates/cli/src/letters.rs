//! The letters of a dead-letter object, line by line: one reading for all who look at them.

use landfall_core::dead_letter::DeadLetter;
use landfall_core::{ArrivedAt, Position};

use crate::failure::Failure;

/// What to do about a line that is no letter.
const MEND: &str = "mend the line in a copy: replay --dead-letters takes a folder, too";

/// A letter that says where its document stands in the stream, and when that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) letter: DeadLetter,
    pub(crate) position: Position,
    pub(crate) arrived_at: ArrivedAt,
    /// Of its line, from 1.
    pub(crate) number: usize,
}

/// The letters of the object that a person knows by this name, or of a line why it is none. Blank lines are none.
pub(crate) fn read<'a>(name: &'a str, bytes: &'a [u8]) -> impl Iterator<Item = Result<Letter, Failure>> + use<'a> {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..).filter(|(line, _)| !line.trim_ascii().is_empty());
    lines.map(move |(line, number)| one(line, number).map_err(|why| fault(name, number, &why, MEND)))
}

/// A line that cannot be used.
pub(crate) fn fault(name: &str, number: usize, why: &str, remedy: &str) -> Failure {
    Failure { what: format!("failed to use line {number} of {name}: {why}"), remedy: remedy.to_owned() }
}

/// The same of a letter whose data is spoiled.
pub(crate) fn spoiled(name: &str, number: usize, why: &str) -> Failure {
    fault(name, number, why, MEND)
}

fn one(line: &[u8], number: usize) -> Result<Letter, String> {
    let letter: DeadLetter = serde_json::from_slice(line).map_err(|error| format!("it is no dead letter: {error}"))?;
    match (letter.position(), ArrivedAt::from_text(&letter.arrived_at)) {
        (Some(position), Some(arrived_at)) => Ok(Letter { letter, position, arrived_at, number }),
        _ => Err("it has no position or no arrival".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_skipped_and_what_is_no_letter_is_named_by_object_and_line() {
        let letter = r#"{"stage":"decode","reason":"why","shard_id":"s","sequence_number":"7","subsequence_number":1,"document_number":2,"partition_key":"key","arrived_at":"2026-11-20 14:00:00.123","data":"e30="}"#;
        let text = [
            letter,
            "",
            "{\"stage\":",
            " \r",
            &letter.replace("\"7\"", "\"07\""),
            &letter.replace("2026-11-20", "today"),
            letter,
        ];

        let said: Vec<String> = read("x.jsonl", text.join("\n").as_bytes())
            .map(|letter| match letter {
                Ok(letter) => format!("{} of {}", letter.position, letter.number),
                Err(failure) => failure.to_string(),
            })
            .collect();

        assert_eq!(
            said,
            [
                "s:7:1:2 of 1",
                "failed to use line 3 of x.jsonl: it is no dead letter: EOF while parsing a value at line 1 column 9",
                "failed to use line 5 of x.jsonl: it has no position or no arrival",
                "failed to use line 6 of x.jsonl: it has no position or no arrival",
                "s:7:1:2 of 7",
            ]
        );
    }
}
