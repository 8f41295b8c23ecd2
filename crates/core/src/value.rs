//! JSON values as cells: only lossless coercions, and numbers by their text.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike as _, Utc};

use crate::Cell;
use crate::json::{Json, Kind};
use crate::pipeline::DataType;

/// Digits that NUMBER holds at most.
const MAX_DIGITS: usize = 38;

/// The cell that `json` gives under `data_type`.
///
/// # Errors
/// Why not, as the end of a sentence that begins with the field's name: ``is 64.5, which is no integer``.
pub(crate) fn cell(json: &Json<'_>, data_type: DataType) -> Result<Cell, String> {
    if matches!(json.kind, Kind::Null) {
        return Ok(Cell::Null);
    }
    if data_type == DataType::Variant {
        return Ok(Cell::Json(json.text.into()));
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
        DataType::String | DataType::Variant => Some(text.to_owned()),
        DataType::Boolean => matches!(text, "true" | "false").then(|| text.to_owned()),
        _ if is_bool => None,
        DataType::Integer => return integer(text).map(text_cell),
        DataType::Decimal { precision, scale } => return decimal(text, precision, scale).map(text_cell),
        DataType::Float => float(text),
        DataType::Timestamp if is_string => timestamp(text),
        DataType::Date if is_string => date(text),
        DataType::Timestamp | DataType::Date => None,
    };
    text.map(text_cell).ok_or_else(|| format!("is {}, which is no {data_type}", shown(json.text)))
}

fn text_cell(text: String) -> Cell {
    Cell::Text(text.into_boxed_str())
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

/// A number as significant digits and a power of ten: `-12.50` is `-`, `125`, -1.
struct Number<'a> {
    negative: bool,
    digits: String,
    exponent: i64,
    /// The text, if it has no exponent.
    plain: Option<&'a str>,
}

impl<'a> Number<'a> {
    /// `None` when `text` is no number by JSON's grammar.
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole) || leading_zero || fraction.is_some_and(|fraction| !digits(fraction)) {
            return None;
        }
        let power = match exponent {
            None => 0,
            Some(exponent) if digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) => {
                // What overflows is far out of any range; the sign says on which side.
                exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 })
            }
            Some(_) => return None,
        };
        let fraction = fraction.unwrap_or_default();
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        let n_trailing = (significant.len() - digits.len()) as i64;
        let exponent_of_last = (power.clamp(i64::MIN / 4, i64::MAX / 4)) - fraction.len() as i64 + n_trailing;
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent: exponent_of_last,
            plain: exponent.is_none().then_some(text),
        })
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Digits before the point.
    fn n_whole(&self) -> usize {
        if self.is_zero() { 0 } else { usize::try_from(self.digits.len() as i64 + self.exponent).unwrap_or(0) }
    }

    /// Digits after the point.
    fn n_fraction(&self) -> usize {
        if self.is_zero() { 0 } else { usize::try_from(-self.exponent).unwrap_or(0) }
    }

    /// Without an exponent. Call it only when the digits are known to be few.
    fn to_plain(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let sign = if self.negative { "-" } else { "" };
        if self.exponent >= 0 {
            return format!("{sign}{}{}", self.digits, "0".repeat(self.n_whole() - self.digits.len()));
        }
        let padded = format!("{:0>width$}", self.digits, width = self.n_fraction() + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.n_fraction());
        format!("{sign}{whole}.{fraction}")
    }
}

fn integer(text: &str) -> Result<String, String> {
    let number = Number::parse(text).ok_or_else(|| format!("is {}, which is no integer", shown(&quoted(text))))?;
    if number.n_fraction() > 0 {
        return Err(format!("is {}, which is no integer", shown(text)));
    }
    if number.n_whole() > MAX_DIGITS {
        return Err(format!("has {} digits, more than the {MAX_DIGITS} of a NUMBER(38,0)", number.n_whole()));
    }
    Ok(number.to_plain())
}

fn decimal(text: &str, precision: u8, scale: u8) -> Result<String, String> {
    let number = Number::parse(text).ok_or_else(|| format!("is {}, which is no number", shown(&quoted(text))))?;
    let (precision, scale) = (usize::from(precision), usize::from(scale));
    if number.n_whole() > precision - scale || number.n_fraction() > scale {
        return Err(format!("is {}, which does not fit decimal({precision},{scale}) without rounding", shown(text)));
    }
    let n_written = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    Ok(match number.plain {
        Some(plain) if n_written(plain) <= scale => plain.to_owned(),
        _ => number.to_plain(),
    })
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn float(text: &str) -> Option<String> {
    Number::parse(text)?;
    let value: f64 = text.parse().ok()?;
    value.is_finite().then(|| text.to_owned())
}

/// ISO 8601 with a zone, or without one, which means UTC; stored in UTC with as many decimals as were given.
///
/// A leap second and a tenth decimal are refused: Snowflake holds neither.
fn timestamp(text: &str) -> Option<String> {
    let n_decimals = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    if !starts_with_year(text) || n_decimals > 9 {
        return None;
    }
    let at: NaiveDateTime = match DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.with_timezone(&Utc).naive_utc(),
        Err(_) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?,
    };
    let is_leap = at.nanosecond() >= 1_000_000_000;
    (in_range(at.date()) && !is_leap).then(|| at.format("%Y-%m-%d %H:%M:%S%.f").to_string())
}

fn date(text: &str) -> Option<String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    // The parser also takes blanks, single digits and a sign.
    (in_range(date) && date.format("%Y-%m-%d").to_string() == text).then(|| text.to_owned())
}

/// `%Y` also takes fewer digits, and more behind a sign: year 26 would be meant as another.
fn starts_with_year(text: &str) -> bool {
    text.len() > 4 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit) && text.as_bytes()[4] == b'-'
}

/// The years that Snowflake recommends and every client reads.
fn in_range(date: NaiveDate) -> bool {
    (1..=9999).contains(&chrono::Datelike::year(&date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data_type: DataType, json: &str, expected: Result<&str, &str>) {
        let cell = cell(&Json::parse(json).unwrap(), data_type);
        let text = cell.as_ref().map(|cell| cell.as_text().unwrap_or("NULL")).map_err(String::as_str);
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
}
