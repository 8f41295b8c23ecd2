//! Balances what went in against what came out, position by position.

use std::collections::{HashMap, HashSet};

use landfall_core::dead_letter::DeadLetter;
use landfall_core::{Pipeline, Position};
use landfall_local::files;
use landfall_local::stack::{BUCKET, Stack};
use landfall_snowflake::Session;

use super::feed::Sent;
use crate::positions;
use crate::window::Window;

/// How often each position stands in a place.
pub(super) type Counts = HashMap<Position, u64>;

/// Both tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) streaming: Counts,
    pub(super) microbatch: Counts,
}

/// What it came to.
#[derive(Debug)]
pub(super) struct Balance {
    /// This run's rows in the streaming table.
    pub(super) n_streaming: u64,
    /// This run's rows in the micro-batch table.
    pub(super) n_microbatch: u64,
    /// This run's dead letters.
    pub(super) n_dead_letters: u64,
    /// Each fault, in words: a position, and what is wrong with it.
    pub(super) faults: Vec<String>,
}

/// Reads the positions in both tables.
pub(super) async fn tables(session: &Session, pipeline: &Pipeline) -> anyhow::Result<Tables> {
    Ok(Tables {
        streaming: counts(session, pipeline, &pipeline.snowflake.streaming_table).await?,
        microbatch: counts(session, pipeline, &pipeline.snowflake.microbatch_table).await?,
    })
}

async fn counts(session: &Session, pipeline: &Pipeline, table: &str) -> anyhow::Result<Counts> {
    let mut counts = Counts::new();
    let all = Window { since: None, until: None };
    positions::of_table(session, pipeline, table, all, |position, n_rows| {
        *counts.entry(position).or_default() += n_rows
    })
    .await?;
    Ok(counts)
}

/// Compares the records sent with both tables and the dead letters. `before` stood in the tables already. Each of `two_routes`
/// stores the dead letters.
pub(super) async fn balance(
    sent: &[Sent],
    before: &Tables,
    stack: &Stack,
    session: &Session,
    two_routes: bool,
) -> anyhow::Result<Balance> {
    let after = tables(session, &stack.pipeline).await?;
    let dead_letters = dead_letters(stack, two_routes)?;
    let sent_positions: HashSet<&Position> = sent.iter().map(|sent| &sent.position).collect();
    let of_this_run =
        |counts: &Counts| counts.iter().filter(|(at, _)| sent_positions.contains(at)).map(|(_, n)| n).sum();
    let mut faults = Vec::new();
    for (name, counts, before) in [
        (&stack.pipeline.snowflake.streaming_table, &after.streaming, &before.streaming),
        (&stack.pipeline.snowflake.microbatch_table, &after.microbatch, &before.microbatch),
    ] {
        compare(name, sent, counts, &dead_letters, &mut faults);
        strangers(name, &sent_positions, counts, before, &mut faults);
    }
    Ok(Balance {
        n_streaming: of_this_run(&after.streaming),
        n_microbatch: of_this_run(&after.microbatch),
        n_dead_letters: of_this_run(&dead_letters),
        faults,
    })
}

/// Each record is once in the table or has a dead letter, and not both; poison has a dead letter.
fn compare(table: &str, sent: &[Sent], counts: &Counts, dead_letters: &Counts, faults: &mut Vec<String>) {
    for Sent { position, poison } in sent {
        let n_rows = counts.get(position).copied().unwrap_or(0);
        let n_dead = dead_letters.get(position).copied().unwrap_or(0);
        let fault = match (n_rows, n_dead, poison) {
            (0, 1, Some(_)) | (1, 0, None) => continue,
            (0, 0, _) => "is lost: neither a row nor a dead letter".to_owned(),
            (0, 1, None) => "is a dead letter, though nothing is wrong with it".to_owned(),
            (_, _, Some(kind)) => format!("is {n_rows} rows and {n_dead} dead letters, though it was spoiled ({kind})"),
            _ => format!("is {n_rows} rows and {n_dead} dead letters"),
        };
        faults.push(format!("{table}: {position} {fault}"));
    }
}

/// What is in the table, was not sent and was not there before.
fn strangers(table: &str, sent: &HashSet<&Position>, counts: &Counts, before: &Counts, faults: &mut Vec<String>) {
    for (position, n_rows) in counts {
        if !sent.contains(position) && before.get(position) != Some(n_rows) {
            faults.push(format!("{table}: {position} was never sent"));
        }
    }
}

fn dead_letters(stack: &Stack, two_routes: bool) -> anyhow::Result<Counts> {
    let (mut counts, mut seen) = (Counts::new(), HashSet::new());
    for path in files::below(&stack.bucket_dir(BUCKET).join(&stack.pipeline.landing.dead_letter_prefix))? {
        for line in std::fs::read_to_string(&path)?.lines() {
            if two_routes && !seen.insert(line.to_owned()) {
                continue;
            }
            let letter: DeadLetter = serde_json::from_str(line)?;
            let position = letter
                .position()
                .ok_or_else(|| anyhow::anyhow!("a dead letter in {} has no position", path.display()))?;
            *counts.entry(position).or_default() += 1;
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_core::SequenceNumber;
    use landfall_generator::PoisonKind;

    fn at(n: u64) -> Position {
        Position {
            shard_id: "shardId-000000000000".into(),
            sequence_number: SequenceNumber::new(&n.to_string()).unwrap(),
            subsequence_number: 0,
            document_number: 0,
        }
    }

    #[track_caller]
    fn check(poison: Option<PoisonKind>, n_rows: u64, n_dead: u64, expected: &[&str]) {
        let counts = |n| if n == 0 { Counts::new() } else { Counts::from([(at(7), n)]) };
        let mut faults = Vec::new();
        compare("T", &[Sent { position: at(7), poison }], &counts(n_rows), &counts(n_dead), &mut faults);
        assert_eq!(faults, expected);
    }

    #[test]
    fn every_way_to_lose_or_double_a_record_is_a_fault() {
        let poison = Some(PoisonKind::CutInHalf);
        check(None, 1, 0, &[]);
        check(poison, 0, 1, &[]);
        check(None, 0, 0, &["T: shardId-000000000000:7:0:0 is lost: neither a row nor a dead letter"]);
        check(poison, 0, 0, &["T: shardId-000000000000:7:0:0 is lost: neither a row nor a dead letter"]);
        check(None, 2, 0, &["T: shardId-000000000000:7:0:0 is 2 rows and 0 dead letters"]);
        check(None, 1, 1, &["T: shardId-000000000000:7:0:0 is 1 rows and 1 dead letters"]);
        check(None, 0, 1, &["T: shardId-000000000000:7:0:0 is a dead letter, though nothing is wrong with it"]);
        check(None, 0, 2, &["T: shardId-000000000000:7:0:0 is 0 rows and 2 dead letters"]);
        assert_eq!(poison.map(|kind| kind.to_string()).as_deref(), Some("cut in half"));
    }

    #[test]
    fn a_row_that_nobody_sent_is_a_fault() {
        let sent = [at(1)];
        let sent = sent.iter().collect();
        let counts = Counts::from([(at(1), 1), (at(2), 1), (at(3), 1)]);
        let before = Counts::from([(at(2), 1)]);
        let mut faults = Vec::new();

        strangers("T", &sent, &counts, &before, &mut faults);

        assert_eq!(faults, ["T: shardId-000000000000:3:0:0 was never sent"]);
    }
}
