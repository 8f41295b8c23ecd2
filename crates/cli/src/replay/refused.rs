//! Which rows of a batch the warehouse refuses, as far as its dead letters tell.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::StreamExt as _;
use landfall_core::{Batch, Pipeline, Poison, Position, Stage, dead_letter};

use super::landed::Zone;
use crate::letters;
use crate::objects::{self, Place};

/// The objects of dead letters that were looked at, by their keys.
#[derive(Debug, Default)]
pub(super) struct Letters {
    objects: BTreeMap<String, Object>,
    /// Prefixes whose objects from before are known.
    prefixes: HashSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Object {
    /// Whether it was there before anything was sent.
    is_old: bool,
    /// What the warehouse refused, and why. Letters of the decoder are of no interest here.
    refused: Vec<(Position, String)>,
}

/// Rows of a batch that the warehouse refuses, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// With a letter in an object that was not there before.
    pub(super) anew: HashMap<Position, String>,
    /// With a letter from before, in the very object that the batch makes if they are refused for the same reason again: a key
    /// names its bytes, so nothing in the bucket tells whether they are.
    pub(super) perhaps: HashMap<Position, String>,
}

impl Letters {
    /// Remembers the objects that are there before a batch is sent.
    ///
    /// # Errors
    /// They cannot be listed or read.
    pub(super) async fn look_before(&mut self, zone: &Zone, pipeline: &Pipeline, batch: &Batch) -> anyhow::Result<()> {
        for prefix in prefixes(pipeline, batch) {
            if !self.prefixes.contains(&prefix) {
                self.read(&zone.below(&prefix), true).await?;
                self.prefixes.insert(prefix);
            }
        }
        Ok(())
    }

    /// What of a batch that was sent the warehouse refused.
    ///
    /// # Errors
    /// The objects cannot be listed or read.
    pub(super) async fn look_after(
        &mut self,
        zone: &Zone,
        pipeline: &Pipeline,
        batch: &Batch,
    ) -> anyhow::Result<Refused> {
        for prefix in prefixes(pipeline, batch) {
            self.read(&zone.below(&prefix), false).await?;
        }
        self.refused(pipeline, batch)
    }

    /// Reads the objects that are not known yet.
    async fn read(&mut self, place: &Place, is_old: bool) -> anyhow::Result<()> {
        let listed =
            place.find(|object| object.key.ends_with(".jsonl") && !self.objects.contains_key(&object.key)).await?;
        for some in objects::parts(&listed) {
            let read: Vec<_> = place.read_all(some).collect().await;
            for (object, bytes) in read {
                // A line that is no letter is nobody's of this replay.
                let letters = bytes?;
                let letters = letters::read(&object.key, &letters).filter_map(Result::ok);
                let refused = letters.filter(|letter| letter.letter.stage == Stage::Upsert);
                let refused = refused.map(|letter| (letter.position, letter.letter.reason)).collect();
                self.objects.insert(object.key.clone(), Object { is_old, refused });
            }
        }
        Ok(())
    }

    fn refused(&self, pipeline: &Pipeline, batch: &Batch) -> anyhow::Result<Refused> {
        let rows: HashMap<Position, _> = batch.rows.iter().map(|row| (row.position(), row)).collect();
        let mut refused = Refused::default();
        let mut before = Vec::new();
        for (key, object) in &self.objects {
            let of_batch: Vec<_> = object.refused.iter().filter(|(position, _)| rows.contains_key(position)).collect();
            if object.is_old && !of_batch.is_empty() {
                before.push((key, of_batch));
            } else {
                refused.anew.extend(of_batch.into_iter().cloned());
            }
        }
        // What the batch makes if just these are refused again: those of one object, or of all where letters are several objects.
        // The orchestrator puts its own poison into others.
        let keys = |of_batch: &mut dyn Iterator<Item = &&(Position, String)>| -> anyhow::Result<HashSet<String>> {
            let poison = of_batch.filter_map(|(position, reason)| {
                let document = rows.get(position)?.document.clone();
                Some(Poison { document, stage: Stage::Upsert, reason: reason.clone() })
            });
            let poison: Vec<_> = poison.collect();
            Ok(dead_letter::objects(pipeline, &poison)
                .map(|object| Ok(object?.key))
                .collect::<serde_json::Result<_>>()?)
        };
        let of_all = keys(&mut before.iter().flat_map(|(_, of_batch)| of_batch))?;
        for (key, of_batch) in &before {
            if of_all.contains(*key) || keys(&mut of_batch.iter())?.contains(*key) {
                refused.perhaps.extend(of_batch.iter().map(|one| (*one).clone()));
            }
        }
        refused.perhaps.retain(|position, _| !refused.anew.contains_key(position));
        Ok(refused)
    }
}

/// Where letters of a batch's rows are put.
fn prefixes(pipeline: &Pipeline, batch: &Batch) -> BTreeSet<String> {
    batch.rows.iter().map(|row| Zone::letters_prefix(pipeline, &row.position(), row.arrived_at())).collect()
}

#[cfg(test)]
mod tests {
    use landfall_core::{ArrivedAt, Record, SequenceNumber, decode};

    use super::*;

    const REASON: &str = "the warehouse refused the row: why (100038)";

    fn pipeline() -> Pipeline {
        Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap()
    }

    /// Records 1, 2, …, each with its data.
    fn batch(data: &[&str]) -> Batch {
        let record = |(data, number): (&&str, u64)| Record {
            shard_id: "shard".into(),
            sequence_number: SequenceNumber::new(&number.to_string()).unwrap(),
            partition_key: "key".into(),
            arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
            data: Ok(data.as_bytes().into()),
            place: None,
        };
        decode(&pipeline(), &data.iter().zip(1..).map(record).collect::<Vec<_>>())
    }

    /// The object that a batch makes when the warehouse refuses these rows of it.
    fn object(batch: &Batch, refused: &[usize], is_old: bool) -> (String, Object) {
        let refused: Vec<_> =
            refused.iter().map(|index| Poison::refused(&batch.rows[*index], "100038", "why")).collect();
        let key = dead_letter::objects(&pipeline(), &refused).next().unwrap().unwrap().key;
        let refused = refused.into_iter().map(|poison| (poison.position(), poison.reason)).collect();
        (key, Object { is_old, refused })
    }

    /// How many rows of the batch are refused anew, and how many perhaps.
    fn counts(objects: Vec<(String, Object)>, batch: &Batch) -> (usize, usize) {
        let letters = Letters { objects: objects.into_iter().collect(), prefixes: HashSet::new() };
        let refused = letters.refused(&pipeline(), batch).unwrap();
        assert!(refused.anew.values().chain(refused.perhaps.values()).all(|reason| reason == REASON));
        (refused.anew.len(), refused.perhaps.len())
    }

    #[test]
    fn only_a_letter_that_was_not_there_before_says_that_a_row_is_refused() {
        let (one, other) = (r#"{"sensorId":6}"#, r#"{"sensorId":7}"#);
        let together = batch(&[one, other, "no json"]);
        assert_eq!(counts(vec![], &together), (0, 0));
        assert_eq!(counts(vec![object(&together, &[0], false)], &together), (1, 0));
        // The same again is the same object, which nobody writes twice.
        assert_eq!(counts(vec![object(&together, &[0], true)], &together), (0, 1));
        assert_eq!(counts(vec![object(&together, &[0, 1], true)], &together), (0, 2));
        assert_eq!(counts(vec![object(&together, &[0, 1], true), object(&together, &[1], false)], &together), (1, 1));
        // Sent without the other, it would have been another object: it was taken.
        assert_eq!(counts(vec![object(&together, &[0, 1], true)], &batch(&[one])), (0, 0));
        // Somebody else's.
        assert_eq!(counts(vec![object(&batch(&[one, one, one, other]), &[3], false)], &together), (0, 0));
    }
}
