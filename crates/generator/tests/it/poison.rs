//! Spoiled records, byte by byte.

use std::collections::BTreeMap;

use landfall_core::Pipeline;
use landfall_generator::{PoisonKind, Poisoner};

const SENSORS: &str = include_str!("../../../../pipeline.toml");
const RECORD: &[u8] = b"{\"sensorId\": 6, \"currentTemperature\": 64, \"status\": \"OK\"}\n";

fn poisoner(pipeline: &str, share: f64) -> Poisoner {
    Poisoner::new(&Pipeline::from_toml(pipeline).unwrap_or_else(|error| panic!("{error}")), 1, share)
}

/// The pipeline with the field `sensorId` nested and the integers turned into text.
fn nested() -> String {
    SENSORS.replace("\"sensorId\"", "\"/device/id\"").replace("type = \"integer\"", "type = \"string\"")
}

#[track_caller]
fn check(pipeline: &str, kind: PoisonKind, record: &[u8], expected: (PoisonKind, &[u8])) {
    let spoiled = poisoner(pipeline, 1.0).spoil_as(kind, record);

    let text = String::from_utf8_lossy(&spoiled.record);
    assert!((spoiled.kind, spoiled.record.as_slice()) == expected, "{record:?} became {} {text}", spoiled.kind);
}

#[test]
fn each_kind_spoils_what_it_says() {
    use PoisonKind::{CutInHalf, InvalidUtf8, MissingField};

    check(SENSORS, CutInHalf, RECORD, (CutInHalf, b"{\"sensorId\": 6, \"currentTemp"));
    check(SENSORS, CutInHalf, b"{}\n", (CutInHalf, b"{"));
    check(SENSORS, CutInHalf, "{\"é\":1}".as_bytes(), (CutInHalf, "{\"é".as_bytes()));
    check(SENSORS, MissingField, RECORD, (MissingField, b"{\"currentTemperature\":64,\"status\":\"OK\"}\n"));
    check(&nested(), MissingField, b"{\"device\":{\"id\":\"a\"}}", (MissingField, b"{\"device\":{}}\n"));
    let invalid = b"{\"\xffsensorId\": 6, \"currentTemperature\": 64, \"status\": \"OK\"}\n";
    check(SENSORS, InvalidUtf8, RECORD, (InvalidUtf8, invalid));
}

#[test]
fn an_integer_field_gets_a_fraction_or_50_digits() {
    let mut poisoner = poisoner(SENSORS, 1.0);
    let mut seen: BTreeMap<PoisonKind, Vec<String>> = BTreeMap::new();
    for kind in [PoisonKind::Fraction, PoisonKind::TooManyDigits].repeat(200) {
        let spoiled = poisoner.spoil_as(kind, RECORD);
        assert_eq!(spoiled.kind, kind);
        seen.entry(kind).or_default().push(String::from_utf8(spoiled.record).unwrap());
    }

    let (fractions, digits) = (&mut seen[&PoisonKind::Fraction].clone(), &seen[&PoisonKind::TooManyDigits]);
    fractions.sort();
    fractions.dedup();
    assert_eq!(
        *fractions,
        [
            "{\"sensorId\":6,\"currentTemperature\":64.5,\"status\":\"OK\"}\n",
            "{\"sensorId\":64.5,\"currentTemperature\":64,\"status\":\"OK\"}\n",
        ]
    );
    for record in digits {
        let longest = record.split(|c: char| !c.is_ascii_digit()).max_by_key(|digits| digits.len()).unwrap();
        assert!(longest.len() == 50 && !longest.starts_with('0'), "{record}");
    }
}

#[test]
fn nothing_good_is_left_behind_or_before() {
    use PoisonKind::{Fraction, InvalidUtf8, MissingField};

    let doubled = [RECORD, RECORD].concat();
    check(SENSORS, MissingField, &doubled, (MissingField, b"{\"currentTemperature\":64,\"status\":\"OK\"}\n"));
    check(SENSORS, MissingField, b"[{\"sensorId\":1},{\"sensorId\":2}]", (InvalidUtf8, b"[{\"\xff\n"));
    check(SENSORS, Fraction, b"6,64,OK\n", (InvalidUtf8, b"6,64,OK\n\xff\n"));
    check(SENSORS, Fraction, b"", (InvalidUtf8, b"\xff\n"));
    check(SENSORS, MissingField, b"\xff{\"sensorId\":1}", (InvalidUtf8, b"\xff{\"\xff\n"));
}

#[test]
fn a_pipeline_without_integers_skips_their_kinds() {
    use PoisonKind::{CutInHalf, Fraction, InvalidUtf8, MissingField, TooManyDigits};

    assert_eq!(poisoner(SENSORS, 1.0).kinds(), [CutInHalf, MissingField, Fraction, TooManyDigits, InvalidUtf8]);
    assert_eq!(poisoner(&nested(), 1.0).kinds(), [CutInHalf, MissingField, InvalidUtf8]);
    check(&nested(), Fraction, b"{\"a\":1}", (InvalidUtf8, b"{\"\xffa\":1}\n"));
}

#[test]
fn the_share_is_respected_and_every_kind_drawn() {
    for (share, expected) in [(0.0, 0..=0), (0.1, 900..=1_100), (1.0, 10_000..=10_000), (f64::NAN, 0..=0)] {
        let mut poisoner = poisoner(SENSORS, share);
        let mut n_by_kind: BTreeMap<PoisonKind, usize> = BTreeMap::new();
        for _ in 0..10_000 {
            if let Some(spoiled) = poisoner.spoil(RECORD) {
                *n_by_kind.entry(spoiled.kind).or_default() += 1;
            }
        }

        let n_spoiled: usize = n_by_kind.values().sum();
        assert!(expected.contains(&n_spoiled), "{share}: {n_spoiled}");
        assert_eq!(n_by_kind.len(), if n_spoiled == 0 { 0 } else { 5 });
    }
}

#[test]
fn a_seed_spoils_the_same_records_in_the_same_way() {
    let spoil = || {
        let mut poisoner = poisoner(SENSORS, 0.5);
        (0..100).map(|_| poisoner.spoil(RECORD)).collect::<Vec<_>>()
    };

    assert_eq!(spoil(), spoil());
}
