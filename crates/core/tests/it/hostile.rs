//! Records made to cost: the largest that Kinesis takes, each of another kind. None may panic, overflow the
//! stack or take quadratic time.

use std::fmt::Write as _;
use std::time::Instant;

use landfall_core::{Pipeline, dead_letter, decode, landing};

use crate::aggregate::aggregated;
use crate::pack::{gzip, sealed, zstd};
use crate::{record, sensors_with};

/// A MiB, as Kinesis takes it; less where the build is not optimised.
const FULL: usize = if cfg!(debug_assertions) { 1 << 18 } else { 1 << 20 };

/// Decodes and encodes, and holds the numbers of rows and poison against `expected`. What it took is printed.
#[track_caller]
#[expect(clippy::print_stdout, reason = "a test's own output: what each record took")]
fn check(name: &str, pipeline: &Pipeline, data: impl AsRef<[u8]>, expected: (usize, usize)) {
    let started = Instant::now();
    let batch = decode(pipeline, &[record(100, data.as_ref())]);
    let decoded = started.elapsed();
    let letters: Vec<_> = dead_letter::objects(pipeline, &batch.poison).map(Result::unwrap).collect();
    let landed: Vec<_> = landing::objects(pipeline, &batch.rows).map(Result::unwrap).collect();
    println!("{name}: {decoded:?} to decode, {:?} in all", started.elapsed());
    assert_eq!((batch.rows.len(), batch.poison.len()), expected, "{name}");
    let n_bytes: usize = letters.iter().chain(&landed).map(|object| object.body.len()).sum();
    assert!(n_bytes < 8 * FULL, "{name} becomes {n_bytes} bytes");
}

/// `middle` inside `n` levels.
fn nested(open: &str, middle: &str, close: &str, n: usize) -> String {
    open.repeat(n) + middle + &close.repeat(n)
}

#[test]
fn deep_documents_cost_no_more_than_flat_ones() {
    let pipeline = sensors_with(&[]);
    let check = |name, data: &str, expected| check(name, &pipeline, data, expected);
    let in_field = |value: &str| format!("{{\"sensorId\":1,\"x\":{value}}}");
    let arrays = nested("[", "", "]", FULL / 2);
    check("any number of levels", &arrays, (0, 1));
    check("any number of levels in a field", &in_field(&arrays), (0, 1));
    check("arrays never closed", &"[".repeat(FULL), (0, 1));
    check("objects never closed", &"{\"a\":".repeat(FULL / 5), (0, 1));
    let wide = format!("[{}1]", "1,".repeat(FULL / 2));
    check("a wide array at the end of a deep one", &in_field(&nested("[", &wide, "]", 120)), (1, 0));
    let text = format!("\"{}\"", "a".repeat(FULL));
    check("a MiB of text in deep objects", &in_field(&nested("{\"a\":", &text, "}", 120)), (1, 0));
}

#[test]
fn wide_documents_are_read_in_linear_time() {
    let pipeline = sensors_with(&[("\"ignore\"", "\"keep\"")]);
    let check = |name, data: &str, expected| check(name, &pipeline, data, expected);
    let mut keys = String::new();
    for n in 0..100_000 {
        let _ = write!(keys, ",\"k{n}\":1");
    }
    check("100,000 keys", &format!("{{\"sensorId\":1{keys}}}"), (1, 0));
    check("a number of a MiB", &format!("{{\"sensorId\":{}}}", "1".repeat(FULL)), (0, 1));
    check("an exponent of a MiB", &format!("{{\"sensorId\":1e{}}}", "1".repeat(FULL)), (0, 1));
    check("a zero of a MiB", &format!("{{\"sensorId\":0.{}}}", "0".repeat(FULL)), (1, 0));
    let escapes = "\\u0001".repeat(FULL / 6);
    check("a MiB of escapes", &format!("{{\"sensorId\":1,\"status\":\"{escapes}\"}}"), (1, 0));
    let key = "k".repeat(FULL / 2);
    check("one long key twice", &format!("{{\"{key}\":1,\"{key}\":2}}"), (0, 1));
}

#[test]
fn many_documents_become_no_more_than_memory_holds() {
    let pipeline = sensors_with(&[("\"lines\"", "\"array\"")]);
    let check = |name, data: &str, expected| check(name, &pipeline, data, expected);
    // Ten, one for every hundred bytes, and the rest.
    let most = 10 + FULL / 100 + 1;
    check("any number of scalars", &"1 ".repeat(FULL / 2), (0, most));
    check("any number of empty objects", &"{}".repeat(FULL / 2), (0, most));
    check("any number of elements", &format!("[{}1]", "1,".repeat(FULL / 2 - 2)), (0, most));
    check("the smallest rows", &"{\"sensorId\":1}".repeat(FULL / 14), (FULL / 14, 0));
}

#[test]
fn a_bomb_is_one_poison_and_held_no_further_than_the_limit() {
    let limit = FULL * 4;
    let max_inflated = format!("name = \"sensors\"\nmax_inflated_bytes = {limit}");
    let pipeline = sensors_with(&[("name = \"sensors\"", &max_inflated)]);
    let check = |name, data: &[u8], expected| check(name, &pipeline, data, expected);
    for compress in [gzip, zstd] {
        check("a bomb", &compress(&vec![b' '; limit + 1]), (0, 1));
        check("of members", &compress(&vec![b' '; FULL]).repeat(5), (0, 1));
        check(
            "in a user record",
            &aggregated(&["A"], &[(0, compress(&vec![b' '; limit + 1])), (0, b"{}".to_vec())]),
            (0, 2),
        );
        let bombs: Vec<_> = (0..10).map(|_| (0, compress(&vec![b' '; FULL]))).collect();
        check("of user records", &aggregated(&["A"], &bombs), (0, 10));
        let row = format!("{{\"sensorId\":1{}}}", " ".repeat(100));
        let n_rows = limit / row.len();
        check("no more than the limit", &compress(row.repeat(n_rows).as_bytes()), (n_rows, 0));
        check("members of nothing", &compress(b"").repeat(FULL / 20), (0, 1));
    }
}

#[test]
fn a_record_packed_in_any_way_becomes_no_more_than_memory_holds() {
    let pipeline = sensors_with(&[("\"lines\"", "\"array\"")]);
    let check = |name, data: &[u8], expected| check(name, &pipeline, data, expected);
    let most = |n_bytes: usize| 10 + n_bytes / 100 + 1;
    for compress in [gzip, zstd] {
        for text in ["1 ".repeat(FULL), format!("[{}1]", "1,".repeat(FULL))] {
            let data = compress(text.as_bytes());
            check("scalars inflated", &data, (0, most(data.len())));
        }
    }
    let data = aggregated(&["A"], &vec![(0, b""); FULL / 7]);
    check("user records of nothing", &data, (0, most(data.len())));
    let data = aggregated(&["A"], &vec![(0, "1 1 1 1"); FULL / 14]);
    check("scalars in user records", &data, (0, most(data.len())));
    let data = aggregated(&vec!["A"; FULL / 3], &[(0, "{\"sensorId\":1}")]);
    check("any number of partition keys", &data, (1, 0));
    check("user records without anything", &sealed(&b"\x1a\x00".repeat(FULL / 2)), (0, 1));
}
