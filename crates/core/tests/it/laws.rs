//! Laws of decoding, for any bytes.

use landfall_core::SequenceNumber;
use landfall_core::payload::pieces;
use landfall_core::pipeline::Documents;
use proptest::prelude::*;

use crate::law::assert_law;
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
        "\0",
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

        let batch = assert_law(&pipeline, &records);

        for row in &batch.rows {
            prop_assert_eq!(6 + row.cells.iter().count(), pipeline.columns().len());
        }
    }

    #[test]
    fn pieces_are_in_order_and_cover_all_but_blanks(data in any_data(), as_array in any::<bool>()) {
        let documents = if as_array { Documents::Array } else { Documents::Lines };
        let mut end = 0;
        let mut uncovered = Vec::new();
        let pieces: Vec<_> = pieces(&data, documents).collect();
        prop_assert!(!pieces.is_empty());
        for piece in &pieces {
            prop_assert!(end <= piece.range.start && piece.range.start <= piece.range.end, "{:?}", pieces);
            uncovered.extend_from_slice(&data[end..piece.range.start]);
            end = piece.range.end;
        }
        uncovered.extend_from_slice(&data[end..]);
        let uncovered = uncovered.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&uncovered);
        let n_nuls = uncovered.iter().rev().take_while(|byte| **byte == 0).count();
        let between = if as_array { " \t\r\n[],".as_bytes() } else { " \t\r\n".as_bytes() };
        prop_assert!(uncovered[..uncovered.len() - n_nuls].iter().all(|byte| between.contains(byte)), "{uncovered:?}");
    }

    #[test]
    fn sequence_numbers_are_in_the_order_of_integers(a in any::<u128>(), b in any::<u128>(), shift in 0..128_u32) {
        for (a, b) in [(a, b), (a >> shift, b), (a >> shift, b >> shift), (a, a)] {
            let number = |n: u128| SequenceNumber::new(&n.to_string()).unwrap();
            prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
        }
    }
}
