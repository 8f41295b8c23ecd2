//! JSON values as cells: only lossless coercions, and numbers by their text.

mod moment;
mod number;

use std::borrow::Cow;

use crate::Cell;
use crate::json::{Json, Kind};
use crate::pipeline::DataType;

/// What a JSON value comes to under a data type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Scalar(Cow<'a, str>),
    Variant(&'a str),
}

impl Value<'_> {
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Scalar(text) => Cell::Text(text),
            Self::Variant(json) => Cell::Json(json),
        }
    }
}

/// What `json` comes to under `data_type`.
///
/// # Errors
/// Why not, as the end of a sentence that begins with the field's name: ``is 64.5, which is no integer``.
pub(crate) fn typed<'a>(json: &'a Json<'_>, data_type: DataType) -> Result<Value<'a>, String> {
    if matches!(json.kind, Kind::Null) {
        return Ok(Value::Null);
    }
    if data_type == DataType::Variant {
        return Ok(Value::Variant(json.text));
    }
    let text = match &json.kind {
        Kind::String(text) => text.as_ref(),
        Kind::Number | Kind::Bool(_) => json.text,
        Kind::Null | Kind::Array | Kind::Object(_) => {
            return Err(format!("is {}, not {}", json.kind_name(), wanted(data_type)));
        }
    };
    let is_bool = matches!(json.kind, Kind::Bool(_));
    let is_string = matches!(json.kind, Kind::String(_));
    let text = match data_type {
        DataType::String | DataType::Variant => Some(Cow::Borrowed(text)),
        DataType::Boolean => matches!(text, "true" | "false").then_some(Cow::Borrowed(text)),
        _ if is_bool => None,
        DataType::Integer => return number::integer(text).map(owned),
        DataType::Decimal { precision, scale } => return number::decimal(text, precision, scale).map(owned),
        DataType::Float => number::float(text).map(Cow::Owned),
        DataType::Epoch(unit) => {
            return moment::epoch(text, unit).map(owned).map_err(|why| format!("is {}, {why}", shown(json.text)));
        }
        DataType::Timestamp if is_string => moment::iso(text).map(Cow::Owned),
        DataType::Date if is_string => moment::date(text).map(Cow::Owned),
        DataType::Timestamp | DataType::Date => None,
    };
    text.map(Value::Scalar).ok_or_else(|| format!("is {}, which is no {data_type}", shown(json.text)))
}

fn owned<'a>(text: String) -> Value<'a> {
    Value::Scalar(Cow::Owned(text))
}

fn wanted(data_type: DataType) -> String {
    let name = data_type.to_string();
    format!("{} {name}", if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" })
}

/// A value as it stands in a reason: its first 40 characters.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::EpochUnit;

    #[track_caller]
    fn check(data_type: DataType, json: &str, expected: Result<&str, &str>) {
        let json_value = Json::parse(json).unwrap();
        let value = typed(&json_value, data_type);
        let text = value.as_ref().map(|value| value.cell().as_text().unwrap_or("NULL")).map_err(String::as_str);
        assert_eq!(text, expected, "{json} as {data_type}");
    }

    #[test]
    fn integers_keep_every_digit() {
        let check = |json, expected| check(DataType::Integer, json, expected);
        let (nines, fifty) = ("9".repeat(38), "1".repeat(50));
        check("64", Ok("64"));
        check("\"64\"", Ok("64"));
        check("-0", Ok("0"));
        check("64.0", Ok("64"));
        check("6.4e1", Ok("64"));
        check("640e-1", Ok("64"));
        check("9007199254740993", Ok("9007199254740993"));
        check(&nines, Ok(&nines));
        check("null", Ok("NULL"));
        check("64.5", Err("is 64.5, which is no integer"));
        check("\"x\"", Err("is \"x\", which is no integer"));
        check("\"\"", Err("is \"\", which is no integer"));
        check("\"007\"", Err("is \"007\", which is no integer"));
        check("true", Err("is true, which is no integer"));
        check("{}", Err("is an object, not an integer"));
        check(&fifty, Err("has 50 digits, more than the 38 of a NUMBER(38,0)"));
        check("1e999999999999999999999", Err("has 2305843009213693952 digits, more than the 38 of a NUMBER(38,0)"));
    }

    #[test]
    fn decimals_are_never_rounded() {
        let check = |json, expected| check(DataType::Decimal { precision: 5, scale: 2 }, json, expected);
        check("1.10", Ok("1.10"));
        check("1.100", Ok("1.1"));
        check("1e-2", Ok("0.01"));
        check("-999.99", Ok("-999.99"));
        check("0.001", Err("is 0.001, which does not fit decimal(5,2) without rounding"));
        check("1000", Err("is 1000, which does not fit decimal(5,2) without rounding"));
        check("\"1,5\"", Err("is \"1,5\", which is no number"));
    }

    #[test]
    fn other_scalars_are_coerced_only_without_loss() {
        check(DataType::Float, "1.5e3", Ok("1.5e3"));
        check(DataType::Float, "\"NaN\"", Err("is \"NaN\", which is no float"));
        check(DataType::Float, "1e400", Err("is 1e400, which is no float"));
        check(DataType::Boolean, "true", Ok("true"));
        check(DataType::Boolean, "\"false\"", Ok("false"));
        check(DataType::Boolean, "1", Err("is 1, which is no boolean"));
        check(DataType::String, "\"\"", Ok(""));
        check(DataType::String, "\"null\"", Ok("null"));
        check(DataType::String, "1.10", Ok("1.10"));
        check(DataType::String, "[]", Err("is an array, not a string"));
        check(DataType::Variant, "{\"a\": [1]}", Ok("{\"a\": [1]}"));
        check(DataType::Variant, "null", Ok("NULL"));
    }

    #[test]
    fn moments_are_stored_in_utc() {
        let check_at = |json, expected| check(DataType::Timestamp, json, expected);
        check_at("\"2026-11-20T15:00:00.123456789+01:00\"", Ok("2026-11-20 14:00:00.123456789"));
        check_at("\"2026-11-20T14:00:00Z\"", Ok("2026-11-20 14:00:00"));
        check_at("\"2026-11-20 14:00:00.5\"", Ok("2026-11-20 14:00:00.500"));
        check_at("\"2026-02-30T00:00:00Z\"", Err("is \"2026-02-30T00:00:00Z\", which is no timestamp"));
        check_at("1700000000", Err("is 1700000000, which is no timestamp"));
        check_at("\"1700000000\"", Err("is \"1700000000\", which is no timestamp"));
        check_at("\"2026-11-20T15:00:00+0100\"", Ok("2026-11-20 14:00:00"));
        check_at("\"2026-11-20T14:00Z\"", Ok("2026-11-20 14:00:00"));
        check_at("\"2026-11-20T15:00+01:00\"", Ok("2026-11-20 14:00:00"));
        check_at("\"2026-11-20 14:00\"", Ok("2026-11-20 14:00:00"));
        check_at("\"2026-11-20T14:0\"", Err("is \"2026-11-20T14:0\", which is no timestamp"));
        check_at("\"2026-11-20T14:00 Z\"", Err("is \"2026-11-20T14:00 Z\", which is no timestamp"));
        check_at("\"2026-11-20T14\"", Err("is \"2026-11-20T14\", which is no timestamp"));
        check_at("\"2026-11-20 13:30:00.5-0030\"", Ok("2026-11-20 14:00:00.500"));
        check_at("\"2026-11-20T15:00:00+01\"", Ok("2026-11-20 14:00:00"));
        check_at("\"9999-12-31T23:59:59-00:01\"", Err("is \"9999-12-31T23:59:59-00:01\", which is no timestamp"));
        for no_zone in ["+1", "+010", "+01000", "+24", "+0160", " +01", "+0x", "-", "+01+01"] {
            let text = format!("\"2026-11-20T15:00:00{no_zone}\"");
            let json = Json::parse(&text).unwrap();
            assert_eq!(typed(&json, DataType::Timestamp), Err(format!("is {text}, which is no timestamp")));
        }
        check_at("\"2026-11-20T14:00:00,5Z\"", Err("is \"2026-11-20T14:00:00,5Z\", which is no timestamp"));
        check_at("\"2026-11-20-05\"", Err("is \"2026-11-20-05\", which is no timestamp"));
        check_at("\"26-11-20 14:00:00\"", Err("is \"26-11-20 14:00:00\", which is no timestamp"));
        check_at("\"2026-12-31T23:59:60Z\"", Err("is \"2026-12-31T23:59:60Z\", which is no timestamp"));
        check_at(
            "\"2026-11-20T14:00:00.0123456789Z\"",
            Err("is \"2026-11-20T14:00:00.0123456789Z\", which is no timestamp"),
        );
        check(DataType::Date, "\"2026-11-20\"", Ok("2026-11-20"));
        check(DataType::Date, "\"2026-11-31\"", Err("is \"2026-11-31\", which is no date"));
        check(DataType::Date, "\"26-11-20\"", Err("is \"26-11-20\", which is no date"));
        check(DataType::Date, "\"2026- 1- 2\"", Err("is \"2026- 1- 2\", which is no date"));
    }

    #[test]
    fn epochs_are_stored_as_iso_timestamps_are() {
        let seconds = |json, expected| check(DataType::Epoch(EpochUnit::Seconds), json, expected);
        let millis = |json, expected| check(DataType::Epoch(EpochUnit::Milliseconds), json, expected);
        seconds("1795183200", Ok("2026-11-20 14:00:00"));
        seconds("\"1795183200\"", Ok("2026-11-20 14:00:00"));
        seconds("1795183200.123456789", Ok("2026-11-20 14:00:00.123456789"));
        seconds("1795183200.1230000000000", Ok("2026-11-20 14:00:00.123"));
        seconds("1.7951832e9", Ok("2026-11-20 14:00:00"));
        seconds("1.7951832005E+9", Ok("2026-11-20 14:00:00.500"));
        seconds("0", Ok("1970-01-01 00:00:00"));
        seconds("-0.001", Ok("1969-12-31 23:59:59.999"));
        seconds("-62135596800", Ok("0001-01-01 00:00:00"));
        seconds("253402300799.999999999", Ok("9999-12-31 23:59:59.999999999"));
        seconds("null", Ok("NULL"));
        millis("1795183200123", Ok("2026-11-20 14:00:00.123"));
        millis("\"-1\"", Ok("1969-12-31 23:59:59.999"));
        millis("1795183200123.456789", Ok("2026-11-20 14:00:00.123456789"));
        millis("1795183200123.4", Ok("2026-11-20 14:00:00.123400"));
    }

    #[test]
    fn an_epoch_that_is_none_says_why() {
        let seconds = |json, expected| check(DataType::Epoch(EpochUnit::Seconds), json, Err(expected));
        let millis = |json, expected| check(DataType::Epoch(EpochUnit::Milliseconds), json, Err(expected));
        seconds("1795183200123", "is 1795183200123, which as timestamp(s) lies outside the years 1 to 9999");
        seconds("253402300800", "is 253402300800, which as timestamp(s) lies outside the years 1 to 9999");
        seconds("-62135596800.1", "is -62135596800.1, which as timestamp(s) lies outside the years 1 to 9999");
        millis(
            "1e999999999999999999999",
            "is 1e999999999999999999999, which as timestamp(ms) lies outside the years 1 to 9999",
        );
        millis("1e29", "is 1e29, which as timestamp(ms) lies outside the years 1 to 9999");
        seconds("0.0000000001", "is 0.0000000001, which as timestamp(s) is finer than a nanosecond");
        millis("0.0000001", "is 0.0000001, which as timestamp(ms) is finer than a nanosecond");
        seconds("\"2026-11-20T14:00:00Z\"", "is \"2026-11-20T14:00:00Z\", which is no timestamp(s)");
        seconds("\" 1\"", "is \" 1\", which is no timestamp(s)");
        seconds("true", "is true, which is no timestamp(s)");
        millis("[1]", "is an array, not a timestamp(ms)");
    }

    proptest! {
        #[test]
        fn one_moment_is_one_text_however_it_is_written(ms in -62_135_596_800_000_i64..253_402_300_800_000) {
            let (seconds, below) = (ms.div_euclid(1000), ms.rem_euclid(1000));
            let iso = chrono::DateTime::from_timestamp_millis(ms).unwrap().format("\"%Y-%m-%dT%H:%M:%S%.fZ\"").to_string();
            let text = |json: String, data_type| typed(&Json::parse(&json).unwrap(), data_type).map(|value| value.cell().as_text().map(str::to_owned));

            let expected = text(iso, DataType::Timestamp);

            prop_assert!(expected.is_ok());
            prop_assert_eq!(&text(ms.to_string(), DataType::Epoch(EpochUnit::Milliseconds)), &expected);
            prop_assert_eq!(&text(format!("{ms}e-3"), DataType::Epoch(EpochUnit::Seconds)), &expected);
            if seconds >= 0 {
                let seconds = format!("\"{seconds}.{below:03}\"");
                prop_assert_eq!(&text(seconds, DataType::Epoch(EpochUnit::Seconds)), &expected);
            }
        }
    }
}
