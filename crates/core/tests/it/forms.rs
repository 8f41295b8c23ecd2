//! Records of every form, each with the documents that are known to be in it.

use landfall_core::{Batch, Pipeline, Place, Record};
use proptest::prelude::*;

use crate::aggregate::aggregated;
use crate::law::assert_law;
use crate::pack::{gzip, zstd};
use crate::{record, sensors_with};

/// What is known of a document: its place, and whether it is a row.
type Known = (Place, bool);

#[derive(Debug, Clone, Copy)]
enum Packing {
    Plain,
    Gzip,
    /// Two members.
    Gzips,
    Zstd,
    /// A stream without its end.
    Cut,
}

impl Packing {
    fn apply(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => bytes.to_vec(),
            Self::Gzip => gzip(bytes),
            Self::Gzips => [gzip(&bytes[..bytes.len() / 2]), gzip(&bytes[bytes.len() / 2..])].concat(),
            Self::Zstd => zstd(bytes),
            Self::Cut => gzip(bytes)[..12].to_vec(),
        }
    }
}

fn any_packing() -> impl Strategy<Value = Packing> {
    use Packing::{Cut, Gzip, Gzips, Plain, Zstd};
    prop::sample::select(vec![Plain, Plain, Plain, Gzip, Gzips, Zstd, Cut])
}

/// A user record: its bytes, and for each of its documents whether it is a row.
#[derive(Debug, Clone)]
struct UserRecord {
    bytes: Vec<u8>,
    documents: Vec<bool>,
}

/// Few documents, so that no record holds more poison than is told apart.
fn any_user_record(as_array: bool) -> impl Strategy<Value = UserRecord> {
    let document = prop::sample::select(vec![
        ("{\"sensorId\":6}", true),
        ("{\"sensorId\":\"7\",\"status\":\"a\\nb\"}", true),
        ("{}", false),
        ("[{\"sensorId\":1}]", as_array),
        ("\"text\"", false),
    ]);
    let between = prop::sample::select(vec!["\n", "\r\n", "", " \t"]);
    let garbage = prop::sample::select(vec!["", "", "", "{\"sensorId\":", "nonsense", "\0x", "\u{feff}", "]"]);
    let end = prop::sample::select(vec!["", "\n", "\0", "\r\n\0\0"]);
    (prop::collection::vec(document, 0..3), between, garbage, end, any::<bool>(), any_packing()).prop_map(
        move |(documents, between, garbage, end, mark, packing)| {
            let texts: Vec<&str> = documents.iter().map(|(text, _)| *text).collect();
            let text = if as_array && mark {
                // Inside an array an array is not cut up.
                format!("[{}]", texts.join(",").replace("[{\"sensorId\":1}]", "{\"sensorId\":1}"))
            } else {
                texts.join(between)
            };
            let mark = if mark { "\u{feff}" } else { "" };
            let mut documents: Vec<bool> = documents.into_iter().map(|(_, is_row)| is_row).collect();
            if !garbage.is_empty() || documents.is_empty() {
                documents.push(false);
            }
            if let Packing::Cut = packing {
                documents = vec![false];
            }
            UserRecord { bytes: packing.apply(format!("{mark}{text}{garbage}{end}").as_bytes()), documents }
        },
    )
}

/// A record's data, the place that it is redriven to, and what is known of its documents.
fn any_form(as_array: bool) -> impl Strategy<Value = (Vec<u8>, Option<Place>, Vec<Known>)> {
    let known = |(n, user_record): (u64, &UserRecord)| -> Vec<Known> {
        let place = |document_number| Place { subsequence_number: n, document_number };
        (0..).zip(&user_record.documents).map(|(number, is_row)| (place(number), *is_row)).collect()
    };
    let plain = any_user_record(as_array).prop_map(move |user_record| {
        let known = known((0, &user_record));
        (user_record.bytes, None, known)
    });
    let user_records = prop::collection::vec(any_user_record(as_array), 1..4);
    let of_many = (user_records, any_packing(), any::<bool>()).prop_map(move |(user_records, packing, is_broken)| {
        let keyed: Vec<(u64, &[u8])> =
            (0..).zip(&user_records).map(|(n, user_record)| (n % 2, user_record.bytes.as_slice())).collect();
        let mut data = aggregated(&["A", "B"], &keyed);
        let mut documents: Vec<Known> = (0..).zip(&user_records).flat_map(known).collect();
        if is_broken {
            data[10] ^= 1;
        }
        if is_broken || matches!(packing, Packing::Cut) {
            documents = vec![(Place::default(), false)];
        }
        (packing.apply(&data), None, documents)
    });
    let redriven = (any::<(u64, u64)>(), any::<bool>()).prop_map(|((subsequence_number, document_number), is_row)| {
        let place = Place { subsequence_number, document_number };
        let data = if is_row { &b" {\"sensorId\":6}\n"[..] } else { b"{\"sensorId\":6} 7" };
        (data.to_vec(), Some(place), vec![(place, is_row)])
    });
    prop_oneof![4 => plain, 4 => of_many, 1 => redriven]
}

fn known(batch: &Batch, record: &Record) -> Vec<Known> {
    let rows = batch.rows.iter().map(|row| (row.position(), true));
    let poison = batch.poison.iter().map(|poison| (poison.position(), false));
    let mut known: Vec<Known> = rows
        .chain(poison)
        .filter(|(position, _)| position.sequence_number == record.sequence_number)
        .map(|(position, is_row)| {
            let (subsequence_number, document_number) = (position.subsequence_number, position.document_number);
            (Place { subsequence_number, document_number }, is_row)
        })
        .collect();
    known.sort();
    known
}

fn pipeline(as_array: bool) -> Pipeline {
    if as_array { sensors_with(&[("\"lines\"", "\"array\"")]) } else { sensors_with(&[]) }
}

type Forms = (bool, Vec<(Vec<u8>, Option<Place>, Vec<Known>)>);

fn any_forms() -> impl Strategy<Value = Forms> {
    any::<bool>().prop_flat_map(|as_array| (Just(as_array), prop::collection::vec(any_form(as_array), 0..5)))
}

#[test]
fn compression_is_undone_around_a_record_and_around_its_user_records() {
    let one = br#"{"sensorId":6}"#;
    let counts = |data: &[u8]| {
        let batch = assert_law(&pipeline(false), &[record(100, data)]);
        (batch.rows.len(), batch.poison.len())
    };
    assert_eq!(counts(&gzip(one)), (1, 0));
    assert_eq!(counts(&zstd(&gzip(one))), (1, 0), "a plain record is its one user record");
    assert_eq!(counts(&gzip(&zstd(&gzip(one)))), (0, 1));
    assert_eq!(counts(&gzip(&aggregated(&["A"], &[(0, zstd(one)), (0, zstd(&gzip(one)))]))), (1, 1));
}

proptest! {
    #[test]
    fn every_document_is_in_exactly_one_output((as_array, forms) in any_forms()) {
        let records: Vec<Record> = (100..)
            .zip(&forms)
            .map(|(n, (data, place, _))| Record { place: *place, ..record(n, data) })
            .collect();

        let batch = assert_law(&pipeline(as_array), &records);

        for (record, (_, _, expected)) in records.iter().zip(&forms) {
            prop_assert_eq!(&known(&batch, record), expected);
        }
    }
}
