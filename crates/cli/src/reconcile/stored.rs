//! Which documents the bucket holds: landed, and as dead letters.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use futures::stream::StreamExt as _;
use landfall_core::dead_letter::DeadLetter;
use landfall_core::pipeline::{ARRIVED_AT, PROVENANCE};
use landfall_core::{ArrivedAt, Position, Stage, landing};

use super::compare::{Store, Tally};
use crate::console::Progress;
use crate::objects::{self, Listed, Place};
use crate::window::Window;

/// How far the clock of Kinesis may be ahead of that of S3, which counts whole seconds besides.
const CLOCK_MARGIN: Duration = Duration::from_secs(300);

/// Arrivals grow with positions, by and large: an object may hold what arrived a little before its first row.
const ORDER_MARGIN_MS: i64 = 60 * 60 * 1000;

/// Which objects are read, and which of their rows count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// What counts.
    pub(super) window: Window,
    /// Whether an object that was written before the window can hold nothing of it. Sample events on a laptop may be from
    /// the future.
    pub(super) by_writing: bool,
}

/// What was read of a place.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) n_objects: usize,
    /// Objects that are none of ours, and why.
    pub(super) unreadable: Vec<String>,
}

impl Scope {
    /// Whether an object may hold something that arrived in the window.
    ///
    /// Its key has the hour in which its first row arrived, and it was written after all of it had arrived.
    fn may_hold_of(&self, listed: &Listed) -> bool {
        let begins_in_time = match (hour(&listed.key), self.window.until) {
            (Some(hour), Some(until)) => hour.as_millis() < until.as_millis().saturating_add(ORDER_MARGIN_MS),
            _ => true,
        };
        let is_written_in_time = match (listed.written_at, self.window.since.and_then(moment)) {
            (Some(written_at), Some(since)) if self.by_writing => written_at + CLOCK_MARGIN >= since,
            _ => true,
        };
        begins_in_time && is_written_in_time
    }
}

/// `…/2026/11/20/14/<file>` is from 14 o'clock on.
fn hour(key: &str) -> Option<ArrivedAt> {
    let mut parts = key.rsplit('/').skip(1);
    let (hour, day, month, year) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    ArrivedAt::from_text(&format!("{year}-{month}-{day} {hour}:00:00"))
}

fn moment(at: ArrivedAt) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(at.as_millis()).ok()?))
}

/// Tallies the rows of the landing zone.
pub(super) async fn landed(
    place: &Place,
    scope: &Scope,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<Read> {
    each(place, scope, &[".csv", ".csv.gz", ".csv.zst"], ("landed objects read", progress), |key, body| {
        // All of an object or nothing.
        let rows = landing::read(key, body)?;
        let rows = rows.iter().map(|row| landed_at(row)).collect::<Option<Vec<_>>>();
        for (position, arrived_at) in rows.context("it holds a row without position or arrival")? {
            if scope.window.holds(arrived_at) {
                tally.row(Store::Landing, position, 1);
            }
        }
        Ok(())
    })
    .await
}

/// Tallies the dead letters.
pub(super) async fn dead_letters(
    place: &Place,
    scope: &Scope,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<Read> {
    each(place, scope, &[".jsonl"], ("dead letters read", progress), |_, body| {
        let lines = std::str::from_utf8(body)?.lines();
        let letters = lines.map(letter).collect::<anyhow::Result<Vec<_>>>()?;
        for (position, arrived_at, stage) in letters {
            if scope.window.holds(arrived_at) {
                tally.letter(position, stage);
            }
        }
        Ok(())
    })
    .await
}

/// Reads the objects of a place that count. One that cannot be understood is told of, and the others go on.
async fn each(
    place: &Place,
    scope: &Scope,
    extensions: &[&str],
    (what, progress): (&'static str, &Progress),
    mut take: impl FnMut(&str, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Read> {
    progress.step(&format!("listing {}", place.name()));
    let mut listed = place.find().await?;
    // Snowpipe, too, has what is not ours for itself.
    listed.retain(|listed| extensions.iter().any(|extension| listed.key.ends_with(extension)));
    listed.retain(|listed| scope.may_hold_of(listed));
    progress.step(&format!("reading {} objects of {}", listed.len(), place.name()));
    let bar = progress.bar(what, listed.len() as u64);
    let mut read = Read { n_objects: listed.len(), unreadable: Vec::new() };
    for part in objects::parts(&listed) {
        let bodies: Vec<_> = place.read_all(part).collect().await;
        for (listed, body) in bodies {
            if let Err(error) = take(&listed.key, &body?) {
                let what = landfall_core::chain(error.as_ref());
                read.unreadable.push(format!("{}: {what}", place.name_of(&listed.key)));
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(read)
}

fn landed_at(row: &[Option<String>]) -> Option<(Position, ArrivedAt)> {
    let column = PROVENANCE.iter().position(|(name, ..)| *name == ARRIVED_AT)?;
    Some((Position::from_columns(row)?, ArrivedAt::from_text(row.get(column)?.as_deref()?)?))
}

fn letter(line: &str) -> anyhow::Result<(Position, ArrivedAt, Stage)> {
    let letter: DeadLetter = serde_json::from_str(line)?;
    let position = letter.position().context("it holds a dead letter without a position")?;
    let arrived_at = ArrivedAt::from_text(&letter.arrived_at);
    Ok((position, arrived_at.context("it holds a dead letter without an arrival")?, letter.stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ArrivedAt {
        ArrivedAt::from_text(text).unwrap()
    }

    const WINDOW: (&str, &str) = ("2026-11-20 14:30:00", "2026-11-20 16:00:00");

    #[track_caller]
    fn check(hour: &str, written_at: &str, by_writing: bool, expected: bool) {
        let listed = Listed {
            key: format!("kinesiscsv/sensor-6/{hour}/shard-1-2-3.csv"),
            written_at: moment(at(written_at)),
            n_bytes: 1,
        };
        let scope = Scope { window: Window { since: Some(at(WINDOW.0)), until: Some(at(WINDOW.1)) }, by_writing };
        assert_eq!(scope.may_hold_of(&listed), expected, "{hour} {written_at}");
        let unbounded = Scope { window: Window { since: None, until: None }, by_writing };
        assert!(unbounded.may_hold_of(&listed));
    }

    #[test]
    fn only_objects_that_may_hold_something_of_the_window_are_read() {
        check("2026/11/20/14", "2026-11-20 14:30:00", true, true);
        // A batch that was tried again for days begins before the window and may reach into it.
        check("2026/11/18/03", "2026-11-20 15:00:00", true, true);
        check("2026/11/20/15", "2026-11-22 15:00:00", true, true);
        // Its first row arrived then; another one may have, just before.
        check("2026/11/20/16", "2026-11-20 16:00:00", true, true);
        check("2026/11/20/17", "2026-11-20 17:00:00", true, false);
        check("2026/11/20/14", "2026-11-20 14:24:59", true, false);
        check("2026/11/20/14", "2026-11-20 14:24:59", false, true);
        // The clocks of Kinesis and of S3 are not one.
        check("2026/11/20/14", "2026-11-20 14:25:00", true, true);
        check("somewhere/else/than/hours", "2026-11-20 15:00:00", true, true);
    }

    #[test]
    fn an_hour_is_read_from_a_key_of_ours() {
        let check = |key: &str, expected: Option<&str>| assert_eq!(hour(key), expected.map(at), "{key}");
        check("kinesiscsv/sensor-6/2026/11/20/14/shard-1-2-3.csv", Some("2026-11-20 14:00:00"));
        check("deadletter/2026/11/20/14/shard-1-2-3.jsonl", Some("2026-11-20 14:00:00"));
        check("2026/11/20/14/x.csv", Some("2026-11-20 14:00:00"));
        for key in ["", "x.csv", "11/20/14/x.csv", "2026/13/20/14/x.csv", "a/b/c/d/x.csv"] {
            check(key, None);
        }
    }

    #[tokio::test]
    async fn what_is_none_of_ours_is_told_of_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let row = "shard,7,0,0,key,2026-11-20 14:00:00.000,6\n";
        let files = [
            ("a.csv", row),
            ("b.csv", "shard,7,0\n"),
            ("c.csv", "\"shard"),
            ("d.csv.gz", row),
            ("e.csv", "shard,8,0,0,key,noon,6\n"),
            ("f.txt", "not looked at"),
            ("g.csv", row),
        ];
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let place = Place::Folder(dir.path().to_owned());
        let scope = Scope { window: Window { since: None, until: None }, by_writing: true };
        let mut tally = Tally::default();

        let read = landed(&place, &scope, &mut tally, &Progress::new()).await.unwrap();

        let held = &tally.compare(&[Store::Landing]).stores[&Store::Landing];
        assert_eq!((read.n_objects, held.n_documents, held.n_rows), (6, 1, 2));
        let unreadable: Vec<_> = read.unreadable.iter().map(|text| text.rsplit_once('/').unwrap().1).collect();
        assert_eq!(unreadable.len(), 4, "{unreadable:?}");
        assert_eq!(unreadable[0], "b.csv: it holds a row without position or arrival");
        assert!(unreadable[1].starts_with("c.csv: failed to read c.csv"), "{unreadable:?}");
        assert!(unreadable[2].starts_with("d.csv.gz: failed to decompress d.csv.gz"), "{unreadable:?}");
        assert!(unreadable[3].starts_with("e.csv: it holds a row"), "{unreadable:?}");
    }

    #[tokio::test]
    async fn dead_letters_outside_the_window_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let letter = |n: u32, hour: u32| {
            format!(
                r#"{{"stage":"decode","reason":"r","shard_id":"shard","sequence_number":"{n}","subsequence_number":0,"document_number":0,"partition_key":"k","arrived_at":"2026-11-20 {hour}:00:00.000","data":""}}"#
            )
        };
        let text = format!("{}\n{}\n{}\n{}\n", letter(1, 14), letter(2, 15), letter(2, 15), letter(3, 16));
        std::fs::write(dir.path().join("a.jsonl"), text).unwrap();
        std::fs::write(dir.path().join("b.jsonl"), "{}\n").unwrap();
        let window = Window { since: Some(at("2026-11-20 15:00:00")), until: Some(at("2026-11-20 16:00:00")) };
        let mut tally = Tally::default();

        let scope = Scope { window, by_writing: false };
        let place = Place::Folder(dir.path().to_owned());
        let read = dead_letters(&place, &scope, &mut tally, &Progress::new()).await.unwrap();

        assert_eq!(tally.compare(&[Store::Landing]).dead_letters.n_poison, 1);
        assert_eq!((read.n_objects, read.unreadable.len()), (2, 1));
    }
}
