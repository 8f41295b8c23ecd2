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

#[track_caller]
fn passes(verdict: &Verdict) {
    let first: Vec<_> = verdict.faults.iter().take(20).collect();
    assert!(first.is_empty(), "{} faults: {first:#?}", verdict.faults.len());
    assert!(verdict.never.is_empty(), "never injected: {:?}", verdict.never);
    assert!(verdict.n_rows > 0 && verdict.n_poison > 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_nothing_is_lost_and_nothing_doubled() {
    passes(&storm(Leg::Everything, 1, 1000, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_batches_stay_whole_the_raw_table_holds_each_row_once_too() {
    passes(&storm(Leg::WholeBatches, 2, 800, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_given_up_is_replayed_among_others_of_its_shard() {
    passes(&storm(Leg::Redrive, 3, 200, &[]).await);
}

/// The storm finds what a mutant does wrong, and calls it so.
#[track_caller]
fn finds(verdict: &Verdict, what: &str) {
    let found = verdict.faults.iter().filter(|fault| fault.contains(what)).count();
    assert!(found > 0, "none of {} faults is {what:?}: {:#?}", verdict.faults.len(), verdict.faults.first());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_in_place_of_the_merge_is_found() {
    let verdict = storm(Leg::WholeBatches, 4, 400, &["--mutant", "merge-as-insert"]).await;
    finds(&verdict, "is doubled: 2 rows in KINESIS_SENSORS_STREAMING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_in_the_keys_is_found() {
    let verdict = storm(Leg::WholeBatches, 5, 400, &["--mutant", "clock-in-keys"]).await;
    finds(&verdict, "is doubled: 2 rows in KINESIS_SENSORS_MICROBATCH");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_name_its_bytes_is_found() {
    let verdict = storm(Leg::Redrive, 6, 200, &["--mutant", "keys-without-digest"]).await;
    finds(&verdict, "is lost: not in KINESIS_SENSORS_MICROBATCH");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_poison_is_found() {
    let verdict = storm(Leg::Redrive, 7, 200, &["--mutant", "poison-dropped"]).await;
    finds(&verdict, "is lost: poison without a dead letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_upsert_is_done_is_found() {
    let verdict = storm(Leg::WholeBatches, 8, 400, &["--mutant", "answers-early"]).await;
    finds(&verdict, "is lost: not in KINESIS_SENSORS_STREAMING");
}
