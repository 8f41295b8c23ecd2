//! Nothing is lost and nothing is doubled, whatever fails; and a storm finds the mistakes that it is there to find.

use landfall_tests::storm::{self, Leg, Options, Verdict};

use crate::support::workspace;

async fn storm(leg: Leg, seed: u64, records: u64, args: &[&str]) -> Verdict {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        leg,
        seed,
        records,
        dir: dir.path().to_owned(),
        venv_dir: workspace().join(".landfall/venv"),
        program: env!("CARGO_BIN_EXE_landfall-tests").into(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        time_scale: 0.06,
    };
    storm::run(&options, |_, _| {}).await.unwrap()
}

/// A storm in which every kind of fault came. In a short one it is a matter of time whether each does, so another seed
/// has its turn where one did not; that nothing is lost or doubled holds for each.
async fn passes(leg: Leg, seed: u64, records: u64) {
    let mut never = Vec::new();
    for seed in [seed, seed + 100, seed + 200] {
        let verdict = storm(leg, seed, records, &[]).await;
        let first: Vec<_> = verdict.faults.iter().take(20).collect();
        assert!(first.is_empty(), "seed {seed}: {} faults: {first:#?}", verdict.faults.len());
        assert!(verdict.n_rows > 0 && verdict.n_poison > 0, "{verdict:?}");
        if verdict.never.is_empty() {
            return;
        }
        never.push((seed, verdict.never));
    }
    panic!("never injected: {never:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_nothing_is_lost_and_nothing_doubled() {
    passes(Leg::Everything, 1, 1000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_batches_stay_whole_the_raw_table_holds_each_row_once_too() {
    passes(Leg::WholeBatches, 2, 800).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_given_up_is_replayed_among_others_of_its_shard() {
    passes(Leg::Redrive, 3, 200).await;
}

/// A storm finds what a mutant does wrong, and calls it so. The fault that shows it may miss its moment in one.
async fn finds(leg: Leg, seed: u64, records: u64, mutant: &str, what: &str) {
    let mut others = Vec::new();
    for seed in [seed, seed + 100, seed + 200] {
        let verdict = storm(leg, seed, records, &["--mutant", mutant]).await;
        if verdict.faults.iter().any(|fault| fault.contains(what)) {
            return;
        }
        others.push((seed, verdict.faults.len(), verdict.faults.first().cloned()));
    }
    panic!("no fault is {what:?}: {others:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_in_place_of_the_merge_is_found() {
    finds(Leg::WholeBatches, 4, 400, "merge-as-insert", "is doubled: 2 rows in KINESIS_SENSORS_STREAMING").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_in_the_keys_is_found() {
    finds(Leg::WholeBatches, 5, 400, "clock-in-keys", "is doubled: 2 rows in KINESIS_SENSORS_MICROBATCH").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_name_its_bytes_is_found() {
    finds(Leg::Redrive, 6, 200, "keys-without-digest", "is lost: not in KINESIS_SENSORS_MICROBATCH").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_poison_is_found() {
    finds(Leg::Redrive, 7, 200, "poison-dropped", "is lost: poison without a dead letter").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_upsert_is_done_is_found() {
    finds(Leg::WholeBatches, 8, 400, "answers-early", "is lost: not in KINESIS_SENSORS_STREAMING").await;
}
