//! Moments and days. A moment is stored in UTC, as text with as many decimals as it needs: `2026-11-20 14:00:00.123`.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike as _, Utc};

use super::number::{Number, Unscalable};
use crate::pipeline::{DataType, EpochUnit};

const NANOSECONDS_A_SECOND: i128 = 1_000_000_000;

/// ISO 8601 with a zone, or without one, which means UTC; stored in UTC with as many decimals as were given. The seconds
/// may be left out, as Java does where they are zero.
///
/// A leap second and a tenth decimal are refused: Snowflake holds neither.
pub(super) fn iso(text: &str) -> Option<String> {
    let n_decimals = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    if !starts_with_year(text) || n_decimals > 9 {
        return None;
    }
    let text = &with_seconds(text);
    let at: NaiveDateTime = match DateTime::parse_from_rfc3339(&with_extended_offset(text)) {
        Ok(at) => at.with_timezone(&Utc).naive_utc(),
        Err(_) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?,
    };
    let is_leap = at.nanosecond() >= 1_000_000_000;
    (!is_leap).then(|| stored(at)).flatten()
}

/// `2026-11-20T14:00Z` with the seconds that it leaves out.
fn with_seconds(text: &str) -> Cow<'_, str> {
    let (Some(minutes), Some(rest)) = (text.get(..16), text.get(16..)) else { return text.into() };
    let has_minutes = minutes.as_bytes()[13] == b':' && minutes.as_bytes()[14..].iter().all(u8::is_ascii_digit);
    if has_minutes && (rest.is_empty() || rest.starts_with(['Z', 'z', '+', '-'])) {
        return format!("{minutes}:00{rest}").into();
    }
    text.into()
}

/// An offset in ISO 8601's basic form, `+0100` or `+01`, as RFC 3339 has it: `+01:00`.
fn with_extended_offset(text: &str) -> Cow<'_, str> {
    let Some(sign) = text.rfind(['+', '-']) else { return text.into() };
    let (before, digits) = text.split_at(sign + 1);
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.into();
    }
    match digits.len() {
        2 => format!("{text}:00").into(),
        4 => format!("{before}{}:{}", &digits[..2], &digits[2..]).into(),
        _ => text.into(),
    }
}

/// A number of seconds or milliseconds since 1970, UTC; with a fraction as long as it ends at whole nanoseconds.
///
/// # Errors
/// Why not, as the end of a sentence that begins with the value: `which is no timestamp(s)`.
pub(super) fn epoch(text: &str, unit: EpochUnit) -> Result<String, String> {
    let data_type = DataType::Epoch(unit);
    let power = match unit {
        EpochUnit::Seconds => 9,
        EpochUnit::Milliseconds => 6,
    };
    let number = Number::parse(text).ok_or_else(|| format!("which is no {data_type}"))?;
    let out_of_range = || format!("which as {data_type} lies outside the years 1 to 9999");
    let nanoseconds = number.scaled(power).map_err(|fault| match fault {
        Unscalable::Fraction => format!("which as {data_type} is finer than a nanosecond"),
        Unscalable::Large => out_of_range(),
    })?;
    let seconds = i64::try_from(nanoseconds.div_euclid(NANOSECONDS_A_SECOND)).map_err(|_| out_of_range())?;
    let below = u32::try_from(nanoseconds.rem_euclid(NANOSECONDS_A_SECOND)).map_err(|_| out_of_range())?;
    let at = DateTime::from_timestamp(seconds, below).ok_or_else(out_of_range)?;
    stored(at.naive_utc()).ok_or_else(out_of_range)
}

/// A calendar day, `2026-11-20`.
pub(super) fn date(text: &str) -> Option<String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    // The parser also takes blanks, single digits and a sign.
    (in_range(date) && date.format("%Y-%m-%d").to_string() == text).then(|| text.to_owned())
}

fn stored(at: NaiveDateTime) -> Option<String> {
    in_range(at.date()).then(|| at.format("%Y-%m-%d %H:%M:%S%.f").to_string())
}

/// `%Y` also takes fewer digits, and more behind a sign: year 26 would be meant as another.
fn starts_with_year(text: &str) -> bool {
    text.len() > 4 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit) && text.as_bytes()[4] == b'-'
}

/// The years that Snowflake recommends and every client reads.
fn in_range(date: NaiveDate) -> bool {
    (1..=9999).contains(&chrono::Datelike::year(&date))
}
