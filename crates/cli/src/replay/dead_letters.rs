//! Dead letters, again at their own positions.

use futures::StreamExt as _;
use landfall_core::dead_letter::{self, RedriveError};

use super::redrive::Redrive;
use super::split::{self, MAX_RECORD_BYTES, Seen, Sized};
use crate::arrived::Arrived;
use crate::failure::Failure;
use crate::letters::{self, Letter};
use crate::objects::{self, Listed, Place};

/// Records held until they are sent, as they stand in an event.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// The objects of a place that may hold letters which arrived in time.
///
/// # Errors
/// They cannot be listed, or the place holds no letters at all.
pub(super) async fn list(place: &Place, arrived: Arrived) -> anyhow::Result<Vec<Listed>> {
    let mut is_empty = true;
    let listed = place
        .list(|object| {
            let is_ours = object.key.ends_with(".jsonl");
            is_empty &= !is_ours;
            is_ours && arrived.may_hold_by_key(object)
        })
        .await?;
    if is_empty {
        let what = format!("no dead letters under {}: they are .jsonl objects", place.name());
        return Err(Failure { what, remedy: "name the prefix or the folder that holds them".to_owned() }.into());
    }
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
                    let name = place.name_of(&object.key);
                    for letter in letters::read(&name, &bytes) {
                        match letter.and_then(|letter| sized(&name, &letter)) {
                            Ok(letter) if arrived.window.holds(letter.record.arrived_at) && seen.is_new(&letter) => {
                                n_held_bytes += letter.n_bytes;
                                held.push(letter);
                            }
                            Ok(_) => {}
                            Err(failure) => redrive.problems.unusable(&failure.into()),
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

/// A letter as a record.
fn sized(name: &str, letter: &Letter) -> Result<Sized, Failure> {
    let records = dead_letter::to_records(std::slice::from_ref(&letter.letter)).map_err(|error| {
        let why = match error {
            RedriveError::Provenance { .. } => "it has no position or no arrival".to_owned(),
            RedriveError::Data { source, .. } => format!("its data is no base64: {source}"),
            error => landfall_core::chain(&error),
        };
        letters::spoiled(name, letter.number, &why)
    })?;
    let Some(record) = records.into_iter().next() else {
        return Err(letters::spoiled(name, letter.number, "it holds no document"));
    };
    let sized = Sized::new(letter.position.clone(), record);
    if sized.n_bytes > MAX_RECORD_BYTES {
        let why =
            format!("its document takes {} bytes in an event, and Lambda takes {MAX_RECORD_BYTES}", sized.n_bytes);
        let remedy = "have the record read from the stream again, while that keeps it";
        return Err(letters::fault(name, letter.number, &why, remedy));
    }
    Ok(sized)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Result<String, String> {
        let letter = letters::read("x.jsonl", line.as_bytes()).next().unwrap();
        letter
            .and_then(|letter| sized("x.jsonl", &letter))
            .map(|sized| sized.position.to_string())
            .map_err(|failure| failure.what.replace("failed to use line 1 of x.jsonl: ", ""))
    }

    fn line(data: &str) -> String {
        format!(
            r#"{{"stage":"decode","reason":"why","shard_id":"s","sequence_number":"7","subsequence_number":1,"document_number":2,"partition_key":"key","arrived_at":"2026-11-20 14:00:00.123","data":"{data}"}}"#
        )
    }

    #[test]
    fn a_letter_is_a_record_or_says_why_it_is_none() {
        assert_eq!(said(&line("e30=")), Ok("s:7:1:2".to_owned()));
        let check = |line: &str, expected: &str| assert_eq!(said(line), Err(expected.to_owned()));
        check(&line("!!!!"), "its data is no base64: Invalid symbol 33, offset 0.");
        check(&line("e30=").replace("\"s\"", "\"a:b\""), "it has no position or no arrival");
        let large = said(&line(&"A".repeat(MAX_RECORD_BYTES))).unwrap_err();
        assert!(
            large.starts_with("its document takes 62")
                && large.ends_with("bytes in an event, and Lambda takes 6225920"),
            "{large}"
        );
    }
}
