//! What the values of an order become, computed by `serde_json` and `chrono` and by nothing of ours.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::value::RawValue;

use crate::support::TableRow;

/// Where the values stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In a table: decimals with all of their places; moments to the microsecond and floats as `7.0`, by fakesnow.
    Table,
    /// In the CSV: as they were written, moments in UTC.
    Csv,
}

/// What no field names, by order.
const EXTRA: [(&str, &str); 9] = [
    ("B-20261120-0422", r#"{"reason":"returned"}"#),
    ("B-20261120-0424", r#"{"customer":{"vip":true}}"#),
    ("B-20261120-0427", r#"{"coupon":"NOV10","giftNote":"Happy birthday,\nOma!"}"#),
    ("B-20261120-0432", r#"{"utm":{"campaign":"advent","source":"mail"}}"#),
    ("B-20261120-0438", r#"{"giftNote":""}"#),
    ("B-20261120-0442", r#"{"customer":{"vip":true}}"#),
    ("B-20261120-0444", r#"{"purchaseOrder":"4500017723"}"#),
    ("B-20261120-0447", r#"{"giftNote":"Grattis!"}"#),
    ("B-20261120-0450", r#"{"reason":"lost by the carrier"}"#),
];

/// `EXTRA`, then the fields of examples/orders/pipeline.toml.
pub(crate) fn cells(document: &str, form: Form) -> TableRow {
    let text = |path: &[&str]| value(document, path).map(|json| text(&json));
    let moment = |path: &[&str], read: fn(&str) -> DateTime<Utc>| text(path).map(|text| shown(read(&text), form));
    let decimal = |path: &[&str], scale| text(path).map(|text| decimal(&text, scale, form));
    let float = |path: &[&str]| {
        text(path).map(|text| if form == Form::Csv { text } else { format!("{:?}", text.parse::<f64>().unwrap()) })
    };
    let extra = EXTRA.iter().find(|(order, _)| text(&["orderId"]).as_deref() == Some(order));
    vec![
        extra.map(|(_, json)| (*json).to_owned()),
        text(&["orderId"]),
        moment(&["placedAt"], iso),
        text(&["depot"]),
        text(&["customer", "id"]),
        text(&["customer", "name"]),
        text(&["customer", "newsletter"]),
        decimal(&["total"], 2),
        text(&["currency"]),
        moment(&["payment", "capturedAt"], |text| epoch(text, 6)),
        decimal(&["payment", "tokenAmount"], 18),
        moment(&["packedAt"], |text| epoch(text, 9)),
        text(&["deliverOn"]),
        float(&["weightKg"]),
        text(&["gift"]),
        // Written without blanks, as tables show it.
        value(document, &["items"]),
    ]
}

/// The JSON at the end of `path`; none for null, or where nothing is.
fn value(json: &str, path: &[&str]) -> Option<String> {
    let Some((key, inner)) = path.split_first() else { return (json != "null").then(|| json.to_owned()) };
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    value(members.get(*key)?.get(), inner)
}

/// A string's text, or else the JSON.
fn text(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

/// With a zone, or else in UTC.
fn iso(text: &str) -> DateTime<Utc> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.to_utc(),
        Err(_) => text.replace(' ', "T").parse::<NaiveDateTime>().unwrap().and_utc(),
    }
}

/// From a number of 10^`power` nanoseconds.
fn epoch(text: &str, power: usize) -> DateTime<Utc> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    DateTime::from_timestamp_nanos(format!("{whole}{fraction:0<power$}").parse().unwrap())
}

fn decimal(text: &str, scale: usize, form: Form) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if form == Form::Csv { text.to_owned() } else { format!("{whole}.{fraction:0<scale$}") }
}

/// With three decimals, and more where these are not zero.
fn shown(at: DateTime<Utc>, form: Form) -> String {
    let text = match form {
        Form::Table => at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        Form::Csv => at.format("%Y-%m-%d %H:%M:%S%.9f").to_string(),
    };
    let (seconds, fraction) = text.split_at("2026-11-20 14:00:00.000".len());
    format!("{seconds}{}", fraction.trim_end_matches('0'))
}

/// A moment of the CSV, with as many decimals as [`cells`] gives it.
pub(crate) fn of_csv(text: &str) -> String {
    if text.is_empty() { String::new() } else { shown(iso(text), Form::Csv) }
}

/// [`cells`] itself, held against what a person reads in the order.
#[track_caller]
fn check(order: &str, form: Form, expected: &str) {
    let documents = include_str!("../../examples/orders/sample.jsonl");
    let document = documents.lines().find(|line| line.contains(order)).unwrap();
    let cells: Vec<_> = cells(document, form).into_iter().map(|cell| cell.unwrap_or("NULL".to_owned())).collect();

    assert_eq!(cells.join("|"), expected);
}

#[test]
fn what_is_computed_is_what_one_would_write_by_hand() {
    check(
        "B-20261120-0418",
        Form::Table,
        "NULL|B-20261120-0418|2026-11-20 13:58:41.000|Malmö|10218|Bo Dahl|false|12.50|SEK|2026-11-20 13:58:42.007|NULL|\
         2026-11-20 13:59:11.250|2026-11-24|0.2|true|[{\"price\":12.5,\"qty\":1,\"sku\":\"CARD-3\"}]",
    );
    check(
        "B-20261120-0421",
        Form::Table,
        "NULL|B-20261120-0421|2026-11-20 14:00:12.000|Gent|88||true|0.01|EUR|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
    );
    check(
        "B-20261120-0423",
        Form::Table,
        "NULL|B-20261120-0423|2026-11-20 14:00:30.987654|Montréal|10220|Zoé Tremblay|false|41.37|CAD|\
         2026-11-20 14:00:31.00025|NULL|2026-11-20 14:01:30.500|2026-11-25|1.125|true|\
         [{\"price\":41.37,\"qty\":1,\"sku\":\"BOWL-2\"}]",
    );
    check(
        "B-20261120-0424",
        Form::Csv,
        "{\"customer\":{\"vip\":true}}|B-20261120-0424|2026-11-20 14:00:44.000|Reykjavík 101|10221|Guðrún Jónsdóttir|true|\
         1250.00|ISK|2026-11-20 14:00:45.123|0.042000000000000001|2026-11-20 14:01:40.000|2026-12-01|3.75|false|\
         [{\"price\":1250,\"qty\":1,\"sku\":\"POT-11\"}]",
    );
    check(
        "B-20261120-0425",
        Form::Table,
        "NULL|B-20261120-0425|2026-11-20 14:01:02.000|Łódź|10222|Paweł Nowak|false|318.40|PLN|2026-11-20 14:01:03.010|\
         18446744073709551616.000000000000000001|2026-11-20 14:02:00.000|2026-11-24|12.4|false|\
         [{\"price\":79.6,\"qty\":4,\"sku\":\"PLATE-9\"}]",
    );
    check(
        "B-20261120-0436",
        Form::Table,
        "NULL|B-20261120-0436|2026-11-20 14:03:09.000|Montréal|10231|Luc Gagnon|true|128.00|CAD|\
         2026-11-20 14:03:10.111|-0.500000000000000000|2026-11-20 14:04:30.000|2026-11-25|0.602|false|\
         [{\"price\":64,\"qty\":2,\"sku\":\"PLATE-9\"}]",
    );
}
