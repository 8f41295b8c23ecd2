//! Dead letters, again at their own positions.

use futures::StreamExt as _;
use landfall_core::Record;
use landfall_core::dead_letter::{self, DeadLetter, RedriveError};

use super::redrive::Redrive;
use super::split::{self, MAX_RECORD_BYTES, Seen, Sized};
use crate::arrived::Arrived;
use crate::failure::Failure;
use crate::objects::{self, Listed, Place};

/// Records held until they are sent, as they stand in an event.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// The objects of a place that may hold letters which arrived in time.
///
/// # Errors
/// They cannot be listed, or the place holds no letters at all.
pub(super) async fn list(place: &Place, arrived: Arrived) -> anyhow::Result<Vec<Listed>> {
    let mut listed = place.list().await?;
    listed.retain(|object| object.key.ends_with(".jsonl"));
    if listed.is_empty() {
        let what = format!("no dead letters under {}: they are .jsonl objects", place.name());
        return Err(Failure { what, remedy: "name the prefix or the folder that holds them".to_owned() }.into());
    }
    listed.retain(|object| arrived.may_hold_by_key(object));
    Ok(listed)
}

/// Redrives the letters of these objects that arrived in time.
pub(super) async fn redrive(
    place: &Place,
    listed: &[Listed],
    arrived: Arrived,
    redrive: &mut Redrive<'_>,
) -> anyhow::Result<()> {
    let bar = redrive.progress.bar("objects of dead letters", listed.len() as u64);
    let (mut held, mut n_held_bytes, mut seen) = (Vec::new(), 0, Seen::default());
    for some in objects::parts(listed) {
        // All of them, before anything is sent: a download that nobody reads is cut off.
        let read: Vec<_> = place.read_all(some).collect().await;
        for (object, bytes) in read {
            match bytes {
                Ok(bytes) => {
                    for letter in letters(place, object, &bytes) {
                        match letter {
                            Ok(letter) if arrived.window.holds(letter.record.arrived_at) && seen.is_new(&letter) => {
                                n_held_bytes += letter.n_bytes;
                                held.push(letter);
                            }
                            Ok(_) => {}
                            Err(error) => redrive.problems.unusable(&error),
                        }
                    }
                }
                Err(error) => redrive.problems.unusable(&error),
            }
            bar.inc(1);
        }
        if n_held_bytes >= MAX_HELD_BYTES {
            send(std::mem::take(&mut held), redrive).await?;
            n_held_bytes = 0;
        }
    }
    send(held, redrive).await
}

async fn send(records: Vec<Sized>, redrive: &mut Redrive<'_>) -> anyhow::Result<()> {
    let events = split::events(records);
    redrive.says_what_it_does(events.len());
    let bar = redrive.progress.bar("events", events.len() as u64);
    for records in events {
        redrive.event(&split::event(records)).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The letters of an object, each as a record, or why a line is none.
fn letters(place: &Place, object: &Listed, bytes: &[u8]) -> Vec<anyhow::Result<Sized>> {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..).filter(|(line, _)| !line.trim_ascii().is_empty());
    lines
        .map(|(line, number)| {
            letter(line).map_err(|(why, remedy)| {
                let what = format!("failed to redrive line {number} of {}: {why}", place.name_of(&object.key));
                Failure { what, remedy: remedy.to_owned() }.into()
            })
        })
        .collect()
}

/// A letter as a record; or why it is none, and what to do.
fn letter(line: &[u8]) -> Result<Sized, (String, &'static str)> {
    const MEND: &str = "mend the line in a copy, and redrive that: --dead-letters takes a folder, too";
    let letter: DeadLetter =
        serde_json::from_slice(line).map_err(|error| (format!("it is no dead letter: {error}"), MEND))?;
    let records = dead_letter::to_records(std::slice::from_ref(&letter)).map_err(|error| {
        let why = match error {
            RedriveError::Provenance { .. } => "it has no position or no arrival".to_owned(),
            RedriveError::Data { source, .. } => format!("its data is no base64: {source}"),
            error => landfall_core::chain(&error),
        };
        (why, MEND)
    })?;
    let record: Option<Record> = records.into_iter().next();
    let (Some(record), Some(position)) = (record, letter.position()) else {
        return Err(("it has no position or no arrival".to_owned(), MEND));
    };
    let sized = Sized::new(position, record);
    if sized.n_bytes > MAX_RECORD_BYTES {
        let why =
            format!("its document takes {} bytes in an event, and Lambda takes {MAX_RECORD_BYTES}", sized.n_bytes);
        return Err((why, "have the record read from the stream again, while that keeps it"));
    }
    Ok(sized)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Result<String, String> {
        letter(line.as_bytes()).map(|sized| sized.position.to_string()).map_err(|(why, _)| why)
    }

    fn line(data: &str) -> String {
        format!(
            r#"{{"stage":"decode","reason":"why","shard_id":"s","sequence_number":"7","subsequence_number":1,"document_number":2,"partition_key":"key","arrived_at":"2026-11-20 14:00:00.123","data":"{data}"}}"#
        )
    }

    #[test]
    fn a_line_is_a_letter_or_says_why_it_is_none() {
        assert_eq!(said(&line("e30=")), Ok("s:7:1:2".to_owned()));
        let check = |line: &str, expected: &str| assert_eq!(said(line), Err(expected.to_owned()));
        check("{\"stage\":", "it is no dead letter: EOF while parsing a value at line 1 column 9");
        check(&line("!!!!"), "its data is no base64: Invalid symbol 33, offset 0.");
        check(&line("e30=").replace("\"7\"", "\"07\""), "it has no position or no arrival");
        check(&line("e30=").replace("2026-11-20", "today"), "it has no position or no arrival");
        let large = said(&line(&"A".repeat(MAX_RECORD_BYTES))).unwrap_err();
        assert!(
            large.starts_with("its document takes 62")
                && large.ends_with("bytes in an event, and Lambda takes 6225920"),
            "{large}"
        );
    }
}
