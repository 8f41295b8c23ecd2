//! What renders a value of each type, in the language of templates.

use landfall_core::pipeline::{DataType, EpochUnit};

use crate::decimal::Decimal;

/// Digits of a decimal before its point, at most: what a person expects of an amount, and any warehouse holds.
const MAX_WHOLE_DIGITS: u8 = 4;

/// Digits that a template's number has at most.
const MAX_DIGITS: u8 = 37;

/// 20 names, the most that a partitioning field has values.
const NAMES: &str = r#""alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango""#;

/// A value of a field that partitions: one of 20 at most.
pub(crate) fn partition(data_type: DataType) -> String {
    match data_type {
        DataType::Integer => number("0", "19", "1"),
        DataType::Decimal { precision, scale } => {
            let max = if precision == 1 { 9 } else { 19 };
            number("0", &decimal(max, scale), &decimal(1, scale))
        }
        DataType::Float => number("0", "9.5", "0.5"),
        DataType::Boolean => one_of("true, false"),
        DataType::Timestamp => format!("\"2026-11-20T14:{}:00Z\"", number("10", "29", "1")),
        DataType::Epoch(EpochUnit::Seconds) => number("1795132800", "1795201200", "3600"),
        DataType::Epoch(EpochUnit::Milliseconds) => number("1795132800000", "1795201200000", "3600000"),
        DataType::Date => format!("\"2026-11-{}\"", number("10", "29", "1")),
        // Text, and whatever core may add. A variant partitions nothing.
        _ => format!("\"{}\"", one_of(NAMES)),
    }
}

/// A value of a field that must have one.
pub(crate) fn required(data_type: DataType) -> String {
    match data_type {
        DataType::Integer => number("0", "9999", "1"),
        DataType::Decimal { precision, scale } => {
            number("0", &decimal(nines(precision, scale), scale), &decimal(1, scale))
        }
        DataType::Float => number("-100", "100", "0.001"),
        DataType::Boolean => one_of("true, false"),
        DataType::Timestamp => {
            let [month, day, hour] = [("10", "12"), ("10", "28"), ("10", "23")].map(|(min, max)| number(min, max, "1"));
            let sixtieth = number("10", "59", "1");
            let zone = one_of(r#""Z", "+01:00", "-05:30", """#);
            format!("\"2026-{month}-{day}T{hour}:{sixtieth}:{sixtieth}.{}{zone}\"", number("100", "999", "1"))
        }
        // November 2026.
        DataType::Epoch(EpochUnit::Seconds) => number("1793491200", "1796083199", "0.001"),
        DataType::Epoch(EpochUnit::Milliseconds) => number("1793491200000", "1796083199999", "1"),
        DataType::Date => format!("\"2026-{}-{}\"", number("10", "12", "1"), number("10", "28", "1")),
        DataType::Variant => one_of(r#"{"tags": ["new", "sale"], "score": 0.5}, ["a", 1, true], {"a": {"b": null}}"#),
        // Text, and whatever core may add.
        _ => format!("\"{}\"", one_of(NAMES)),
    }
}

/// A value of a field that may be null.
///
/// A string among an array's elements renders without its quotes, so those that the record needs are escaped.
pub(crate) fn optional(data_type: DataType) -> String {
    let values = match data_type {
        DataType::Integer => "0, 1, 7, 42, 365, 1999, 65536, -5, 9007199254740993, \"\\\"12\\\"\"".to_owned(),
        DataType::Decimal { precision, scale } => {
            let nines = nines(precision, scale);
            [0, 1, nines / 9, nines / 2, nines, -1, -nines / 4].map(|units| decimal(units, scale)).join(", ")
        }
        DataType::Float => "0, 0.5, 3.14159, -2.5e-3, 98.6, 1e10".to_owned(),
        DataType::Boolean => "true, false".to_owned(),
        DataType::Timestamp => texts(&[
            "2026-11-20T14:00:00Z",
            "2026-11-20T15:00:00.5+01:00",
            "2026-11-20 14:00:00",
            "2026-11-20T14:00:00.123456",
        ]),
        DataType::Epoch(EpochUnit::Seconds) => "1795183200, 1795183200.5, \"\\\"1795183200.123456\\\"\"".to_owned(),
        DataType::Epoch(EpochUnit::Milliseconds) => {
            "1795183200123, 1795183200000.5, \"\\\"1795183200123\\\"\"".to_owned()
        }
        DataType::Date => texts(&["2026-02-28", "2026-11-20", "2026-12-31"]),
        DataType::Variant => r#"{"tags": ["new"], "score": 0.5}, ["a", 1], {}, "\"text\"", 7"#.to_owned(),
        // Text, and whatever core may add.
        _ => texts(&["red", "green", "light blue", "black, white", "ocre / été", ""]),
    };
    one_of(&format!("{values}, null"))
}

/// A value under a key that no field names.
pub(crate) fn unknown() -> String {
    one_of(&texts(&["generated", "made up"]))
}

fn number(min: &str, max: &str, precision: &str) -> String {
    if precision == "1" {
        return format!("{{{{random.number({{\"min\": {min}, \"max\": {max}}})}}}}");
    }
    format!("{{{{random.number({{\"min\": {min}, \"max\": {max}, \"precision\": {precision}}})}}}}")
}

fn one_of(elements: &str) -> String {
    format!("{{{{random.arrayElement([{elements}])}}}}")
}

/// Elements that render as JSON strings. No text here needs more escaping than its quotes.
fn texts(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("\"\\\"{text}\\\"\"")).collect::<Vec<_>>().join(", ")
}

fn decimal(units: i128, scale: u8) -> String {
    let mut text = String::new();
    Decimal { units, scale: u32::from(scale) }.write(&mut text);
    text
}

/// The largest amount that is drawn, in its last digits.
fn nines(precision: u8, scale: u8) -> i128 {
    let n_whole = (precision - scale).min(MAX_WHOLE_DIGITS).min(MAX_DIGITS - scale);
    10_i128.pow(u32::from(n_whole + scale)) - 1
}
