//! Laws of decoding, for any bytes.

use std::collections::HashSet;

use landfall_core::payload::pieces;
use landfall_core::pipeline::Documents;
use landfall_core::{SequenceNumber, decode};
use proptest::prelude::*;

use crate::{record, sensors_with};

/// Bytes that look like records now and then.
fn any_data() -> impl Strategy<Value = Vec<u8>> {
    let fragments = prop::sample::select(vec![
        "{\"sensorId\":6}",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"sensorId\"",
        "\"a\"",
        "\\",
        "\\ud800",
        "\\u0000",
        "7",
        "-",
        ".5",
        "1e9",
        "null",
        "true",
        " ",
        "\n",
        "\u{feff}",
        "é",
        "{\"a\":[{\"b\":1}]}",
        "[]",
        "[1, 2]",
    ]);
    let joined = prop::collection::vec(fragments, 0..12).prop_map(|fragments| fragments.concat().into_bytes());
    prop_oneof![
        joined.clone(),
        prop::collection::vec(any::<u8>(), 0..30),
        (joined, any::<u8>()).prop_map(|(mut bytes, byte)| {
            bytes.push(byte);
            bytes
        })
    ]
}

proptest! {
    #[test]
    fn every_record_comes_to_something(data in prop::collection::vec(any_data(), 0..6), option in 0..4_usize) {
        let changes: [&[(&str, &str)]; 4] = [
            &[],
            &[("\"ignore\"", "\"keep\"")],
            &[("\"ignore\"", "\"reject\""), ("\"lines\"", "\"array\"")],
            &[("column = \"STATUS\"\ntype = \"string\"", "type = \"variant\"")],
        ];
        let pipeline = sensors_with(changes[option]);
        let records: Vec<_> = data.iter().zip(100..).map(|(data, n)| record(n, data)).collect();

        let batch = decode(&pipeline, &records);

        let rows = batch.rows.iter().map(|row| &row.position);
        let positions: Vec<_> = rows.chain(batch.poison.iter().map(|poison| &poison.position)).collect();
        let distinct: HashSet<_> = positions.iter().collect();
        prop_assert_eq!(distinct.len(), positions.len());
        for record in &records {
            prop_assert!(positions.iter().any(|position| position.sequence_number == record.sequence_number));
        }
        for row in &batch.rows {
            prop_assert_eq!(6 + row.cells.len(), pipeline.columns().len());
        }
    }

    #[test]
    fn pieces_are_in_order_and_cover_all_but_blanks(data in any_data(), as_array in any::<bool>()) {
        let documents = if as_array { Documents::Array } else { Documents::Lines };
        let mut end = 0;
        let mut uncovered = Vec::new();
        let pieces = pieces(&data, documents);
        prop_assert!(!pieces.is_empty());
        for piece in &pieces {
            prop_assert!(end <= piece.range.start && piece.range.start <= piece.range.end, "{:?}", pieces);
            uncovered.extend_from_slice(&data[end..piece.range.start]);
            end = piece.range.end;
        }
        uncovered.extend_from_slice(&data[end..]);
        let between = if as_array { " \t\r\n[],".as_bytes() } else { " \t\r\n".as_bytes() };
        prop_assert!(uncovered.iter().all(|byte| between.contains(byte)), "{uncovered:?}");
    }

    #[test]
    fn sequence_numbers_are_in_the_order_of_integers(a in any::<u128>(), b in any::<u128>(), shift in 0..128_u32) {
        for (a, b) in [(a, b), (a >> shift, b), (a >> shift, b >> shift), (a, a)] {
            let number = |n: u128| SequenceNumber::new(&n.to_string()).unwrap();
            prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
        }
    }
}
