//! Which documents the bucket holds: landed, and as dead letters.

use anyhow::Context as _;
use futures::stream::StreamExt as _;
use landfall_core::pipeline::{ARRIVED_AT, PROVENANCE};
use landfall_core::{ArrivedAt, Position, landing};

use super::compare::Tally;
use crate::arrived::Arrived;
use crate::console::Progress;
use crate::letters;
use crate::objects::{self, Listed, Place};

/// What was read of a place.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) n_objects: usize,
    /// Objects that are none of ours, and why.
    pub(super) unreadable: Vec<String>,
}

/// Tallies the rows of the landing zone.
pub(super) async fn landed(
    place: &Place,
    arrived: Arrived,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<Read> {
    let listed = list(place, arrived, &[".csv", ".csv.gz", ".csv.zst"], progress).await?;
    each(place, &listed, ("landed objects read", progress), |key, body| {
        // All of an object or nothing.
        let rows = landing::read(key, body)?;
        let rows = rows.iter().map(|row| landed_at(row)).collect::<Option<Vec<_>>>();
        for (position, arrived_at) in rows.context("it holds a row without position or arrival")? {
            if arrived.window.holds(arrived_at) {
                tally.landed(position, arrived_at);
            }
        }
        Ok(())
    })
    .await
}

/// Tallies the dead letters. Of an object with a line that is none, the others count.
pub(super) async fn dead_letters(
    place: &Place,
    arrived: Arrived,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<Read> {
    let listed = list(place, arrived, &[".jsonl"], progress).await?;
    each(place, &listed, ("dead letters read", progress), |key, body| {
        let mut broken = None;
        for letter in letters::read(key, body) {
            match letter {
                Ok(letter) if arrived.window.holds(letter.arrived_at) => {
                    tally.letter(letter.position, letter.letter.stage);
                }
                Ok(_) => {}
                Err(fault) => broken = broken.or(Some(fault)),
            }
        }
        broken.map_or(Ok(()), |fault| Err(fault.into()))
    })
    .await
}

/// The objects of a place that count.
async fn list(
    place: &Place,
    arrived: Arrived,
    extensions: &[&str],
    progress: &Progress,
) -> anyhow::Result<Vec<Listed>> {
    progress.step(&format!("listing {}", place.name()));
    // Snowpipe, too, has what is not ours for itself.
    let is_ours = |object: &Listed| extensions.iter().any(|extension| object.key.ends_with(extension));
    place.find(|object| is_ours(object) && arrived.may_hold_by_key(object)).await
}

/// Reads objects. One that cannot be read or understood is told of, and the others go on.
async fn each(
    place: &Place,
    listed: &[Listed],
    (what, progress): (&'static str, &Progress),
    mut take: impl FnMut(&str, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Read> {
    progress.step(&format!("reading {} objects of {}", listed.len(), place.name()));
    let bar = progress.bar(what, listed.len() as u64);
    let mut read = Read { n_objects: listed.len(), unreadable: Vec::new() };
    for part in objects::parts(listed) {
        let bodies: Vec<_> = place.read_all(part).collect().await;
        for (listed, body) in bodies {
            if let Err(error) = body.and_then(|body| take(&listed.key, &body)) {
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

#[cfg(test)]
mod tests {
    use super::super::compare::Store;
    use super::*;
    use crate::window::Window;

    fn at(text: &str) -> ArrivedAt {
        ArrivedAt::from_text(text).unwrap()
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
        let arrived = Arrived { window: Window { since: None, until: None }, are_times_known: true };
        let mut tally = Tally::default();

        let read = landed(&place, arrived, &mut tally, &Progress::new()).await.unwrap();

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
        let text = format!("{}\n\n{}\n{}\n{}\n", letter(1, 14), letter(2, 15), letter(2, 15), letter(3, 16));
        std::fs::write(dir.path().join("a.jsonl"), text).unwrap();
        std::fs::write(dir.path().join("b.jsonl"), format!("{{}}\n{}\n", letter(4, 15))).unwrap();
        let window = Window { since: Some(at("2026-11-20 15:00:00")), until: Some(at("2026-11-20 16:00:00")) };
        let mut tally = Tally::default();

        let arrived = Arrived { window, are_times_known: false };
        let place = Place::Folder(dir.path().to_owned());
        let read = dead_letters(&place, arrived, &mut tally, &Progress::new()).await.unwrap();

        assert_eq!(tally.compare(&[Store::Landing]).dead_letters.n_poison, 2);
        assert_eq!((read.n_objects, read.unreadable.len()), (2, 1));
        assert!(read.unreadable[0].contains("failed to use line 1 of b.jsonl: "), "{:?}", read.unreadable);
    }

    #[tokio::test]
    async fn an_object_that_is_gone_since_it_was_listed_is_unreadable_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b.csv"), "b").unwrap();
        let place = Place::Folder(dir.path().to_owned());
        let object = |key: &str| Listed { key: key.to_owned(), written_at: None, n_bytes: 1 };
        let mut taken = Vec::new();

        let take = |key: &str, _: &[u8]| {
            taken.push(key.to_owned());
            Ok(())
        };
        let read = each(&place, &[object("a.csv"), object("b.csv")], ("read", &Progress::new()), take).await.unwrap();

        assert_eq!(taken, ["b.csv"]);
        assert!(
            matches!(&read.unreadable[..], [one] if one.contains("a.csv: failed to read ")),
            "{:?}",
            read.unreadable
        );
    }
}
