//! Aggregated records: those of AWS's own library, and those that are none.

use std::path::Path;

use landfall_core::payload::{self, Inflater};
use landfall_core::{Batch, Position, Record, decode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::aggregate::aggregated;
use crate::law::assert_law;
use crate::pack::{gzip, sealed, zstd};
use crate::{record, sensors_with};

const ONE: &str = r#"{"sensorId":6}"#;

const FIXTURES: [&str; 5] = ["single", "many", "explicit_hash_keys", "gzip_inside", "full"];

/// What `tests/fixtures/kpl/make.py` wrote: the data of a record, and its user records as the library reads them.
fn fixture(name: &str) -> (Vec<u8>, Vec<Value>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kpl");
    let expected = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
    (std::fs::read(folder.join(format!("{name}.bin"))).unwrap(), serde_json::from_slice(&expected).unwrap())
}

#[test]
fn user_records_are_those_that_awss_library_aggregated() {
    for name in FIXTURES {
        let (data, expected) = fixture(name);
        let user_records = payload::user_records(data.into(), &mut Inflater::new(0)).unwrap();

        let found: Vec<Value> = user_records
            .iter()
            .map(|user_record| {
                let sha256: String = Sha256::digest(&user_record.bytes).iter().map(|b| format!("{b:02x}")).collect();
                let partition_key = user_record.partition_key.as_deref();
                serde_json::json!({ "partition_key": partition_key, "n_bytes": user_record.bytes.len(), "sha256": sha256 })
            })
            .collect();
        assert_eq!(found, expected, "{name}");
        assert!(
            (0..found.len() as u64).eq(user_records.iter().map(|user_record| user_record.subsequence_number)),
            "{name}"
        );
    }
}

#[test]
fn each_user_record_is_a_row_with_its_own_partition_key() {
    let pipeline = sensors_with(&[]);
    for name in FIXTURES {
        let (data, expected) = fixture(name);
        let batch = assert_law(&pipeline, &[record(100, &data)]);

        assert_eq!(batch.poison, [], "{name}");
        assert_eq!(batch.rows.len(), expected.len(), "{name}");
        for (n, (row, expected)) in (0..).zip(batch.rows.iter().zip(expected)) {
            assert_eq!(row.partition_key(), expected["partition_key"], "{name}");
            assert_eq!((row.position().subsequence_number, row.position().document_number), (n, 0), "{name}");
            assert_eq!(row.partition_value(&pipeline), (n % 51).to_string(), "{name}");
        }
    }
}

/// Each document of a record as `sub:number key`, then `row` or a reason.
fn outcomes(data: &[u8]) -> Vec<String> {
    let batch = assert_law(&sensors_with(&[]), &[record(100, data)]);
    shown(&batch)
}

fn shown(batch: &Batch) -> Vec<String> {
    let rows = batch.rows.iter().map(|row| (&row.document, "row"));
    let poison = batch.poison.iter().map(|poison| (&poison.document, poison.reason.as_str()));
    let mut documents: Vec<_> = rows.chain(poison).collect();
    documents.sort_by_key(|(document, _)| document.position());
    let shown = documents.into_iter().map(|(document, outcome)| {
        let Position { subsequence_number, document_number, .. } = document.position();
        format!("{subsequence_number}:{document_number} {} {outcome}", document.source.partition_key)
    });
    shown.collect()
}

#[test]
fn a_user_record_is_read_as_a_record_is() {
    let two = format!("{ONE}\n{ONE} {{");
    let user_records: [(u64, &[u8]); 7] = [
        (1, two.as_bytes()),
        (0, &gzip(ONE.as_bytes())),
        (0, &zstd(two.as_bytes())),
        (1, &gzip(ONE.as_bytes())[..20]),
        (1, b""),
        (1, b"\xef\xbb\xbf{\"sensorId\":6}\r\n\0"),
        // One inside another is not taken apart: no producer does that.
        (1, &aggregated(&["key"], &[(0, ONE)])),
    ];
    let expected = [
        "0:0 B row",
        "0:1 B row",
        "0:2 B invalid JSON: EOF while parsing an object at line 2 column 16",
        "1:0 A row",
        "2:0 A row",
        "2:1 A row",
        "2:2 A invalid JSON: EOF while parsing an object at line 2 column 16",
        "3:0 B the gzip stream is cut off",
        "4:0 B the record holds no document",
        "5:0 B row",
        "6:0 B invalid UTF-8 at byte 0",
    ];
    let record = aggregated(&["A", "B"], &user_records);
    for packed in [record.clone(), gzip(&record), zstd(&record)] {
        assert_eq!(outcomes(&packed), expected);
    }
}

#[test]
fn the_dead_letter_of_a_user_record_holds_what_it_inflates_to() {
    let data = aggregated(&["A"], &[(0, &gzip(b"{\"sensorId\":6} 7 ")[..]), (0, &gzip(ONE.as_bytes())[..20])]);

    let batch = decode(&sensors_with(&[]), &[record(100, &gzip(&data))]);

    let found: Vec<_> = batch.poison.iter().map(|poison| poison.document.bytes()).collect();
    assert_eq!(found, [b"7", &gzip(ONE.as_bytes())[..20]]);
}

#[track_caller]
fn check_none(data: &[u8], why: &str) {
    let reason = format!("the record begins as one that the Kinesis Producer Library aggregated, but {why}");
    assert_eq!(outcomes(data), [format!("0:0 key {reason}")], "{}", data.escape_ascii());
    let batch = decode(&sensors_with(&[]), &[record(100, data)]);
    assert_eq!(batch.poison[0].document.bytes(), data, "the dead letter holds all of it");
}

#[test]
fn what_only_begins_as_an_aggregated_record_is_one_poison() {
    let good = aggregated(&["A"], &[(0, ONE)]);
    let mut broken = good.clone();
    *broken.last_mut().unwrap() ^= 1;
    check_none(&broken, "its MD5 does not match");
    let mut broken = good.clone();
    broken[5] ^= 1;
    check_none(&broken, "its MD5 does not match");
    check_none(&good[..good.len() - 1], "its MD5 does not match");
    check_none(&[good, vec![b'\n']].concat(), "its MD5 does not match");
    check_none(b"\xf3\x89\x9a\xc2", "it has 4 bytes only");
    check_none(&[b"\xf3\x89\x9a\xc2", ONE.as_bytes()].concat(), "it has 18 bytes only");
    check_none(b"\xf3\x89\x9a\xc2 and as many bytes as a digest has", "its MD5 does not match");
    check_none(&sealed(b""), "it holds no user record");
    check_none(&aggregated::<_, &str>(&["A"], &[]), "it holds no user record");
    check_none(&aggregated(&["A"], &[(0, ONE), (1, ONE)]), "its user record 1 has no partition key or no data");
    check_none(&aggregated::<&str, _>(&[], &[(0, ONE)]), "its user record 0 has no partition key or no data");
    check_none(&aggregated(&["A"], &[(u64::MAX, ONE)]), "its user record 0 has no partition key or no data");
    check_none(&sealed(b"\x0a\x01A\x1a\x02\x08\x00"), "its user record 0 has no partition key or no data");
    check_none(&sealed(b"\x0a\x01A\x1a\x02\x1a\x00"), "its user record 0 has no partition key or no data");
    let broken = "its protobuf is broken: failed to decode Protobuf message: ";
    check_none(&sealed(b"\x1a\x7f"), &format!("{broken}AggregatedRecord.records: buffer underflow"));
    let key = "AggregatedRecord.partition_key_table: invalid string value: data is not UTF-8 encoded";
    check_none(&sealed(b"\x0a\x01\xff"), &format!("{broken}{key}"));
}

#[test]
fn a_partition_key_is_no_longer_than_kinesis_takes() {
    let key = |n| ["é".repeat(n)];
    assert_eq!(outcomes(&aggregated(&key(256), &[(0, ONE)])), [format!("0:0 {} row", key(256)[0])]);
    check_none(&aggregated(&key(257), &[(0, ONE)]), "its partition key 0 has more than 256 characters");
}

#[test]
fn a_record_inflated_beyond_what_kinesis_takes_is_not_taken_apart() {
    let data = aggregated(&["A"], &[(0, vec![b' '; 10 << 20])]);
    let why = format!("it has {} bytes, more than Kinesis takes", data.len());

    let batch = decode(&sensors_with(&[]), &[record(100, &gzip(&data))]);

    assert_eq!(batch.poison.len(), 1);
    assert!(batch.poison[0].reason.ends_with(&why), "{}", batch.poison[0].reason);
}

#[test]
fn hash_keys_tags_and_what_else_there_may_be_are_passed_over() {
    // Hash key table; user record with hash key index 9 and a tag; an unknown field 15.
    let user_record = [b"\x08\x00\x10\x09\x1a\x0e", ONE.as_bytes(), b"\x22\x06\x0a\x01t\x12\x01v"].concat();
    let head = b"\x0a\x01A\x12\x02\xff\xff\x7a\x01x\x1a".to_vec();
    assert_eq!(outcomes(&sealed(&[head, vec![user_record.len() as u8], user_record].concat())), ["0:0 A row"]);
}

#[test]
fn so_much_poison_in_all_user_records_together_is_one_dead_letter_from_there_on() {
    let user_records: Vec<(u64, &[u8])> = (0..1_000).map(|_| (0, &b"1 2"[..])).collect();
    let data = aggregated(&["A"], &user_records);
    let most = 10 + data.len() / 100;

    let batch = assert_law(&sensors_with(&[]), &[record(100, &data), record(101, ONE.as_bytes())]);

    assert_eq!((batch.rows.len(), batch.poison.len()), (1, most + 1));
    let rest = batch.poison.last().unwrap();
    assert!(rest.reason.ends_with("; after so much poison the rest of the record was not read"), "{}", rest.reason);
    let place = (rest.position().subsequence_number, rest.position().document_number);
    assert_eq!(place, (most as u64 / 2, most as u64 % 2));
    let text = [&b"1 2"[most % 2 * 2..], &b"\n1 2".repeat(999 - most / 2)].concat();
    assert_eq!(rest.document.bytes(), text, "nothing of it is lost");
    assert_eq!(rest.document.source.partition_key.as_ref(), "A");
}

#[test]
fn one_that_is_redriven_is_not_taken_apart() {
    let data = aggregated(&["A"], &[(0, ONE)]);
    let place = Some(landfall_core::Place { subsequence_number: 2, document_number: 0 });
    let batch = assert_law(&sensors_with(&[]), &[Record { place, ..record(100, &data) }]);
    assert_eq!(shown(&batch), ["2:0 key invalid UTF-8 at byte 0"]);
}
