//! Values as text for people and for comparison, straight from Snowflake's own text: no number becomes a float.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, Utc};
use snowflake_connector_rs::ColumnType;

const NANOS: i128 = 1_000_000_000;

/// A value as people read it, or nothing when the text is not of the type.
///
/// Timestamps have three decimals, and more only when these are not zero; TIMESTAMP_NTZ has no zone.
/// A VARIANT is JSON without the line breaks that Snowflake puts in.
pub(crate) fn rendered(raw: &str, column_type: &ColumnType) -> Option<String> {
    match column_type {
        ColumnType::Boolean => match raw {
            "1" | "true" | "TRUE" => Some("true".to_owned()),
            "0" | "false" | "FALSE" => Some("false".to_owned()),
            _ => None,
        },
        ColumnType::Date => date(raw),
        ColumnType::Time { .. } => {
            let (seconds, nanos) = split(raw)?;
            let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds.try_into().ok()?, nanos)?;
            Some(format!("{}{}", time.format("%H:%M:%S"), fraction(nanos)))
        }
        ColumnType::TimestampNtz { .. } => timestamp(raw),
        ColumnType::TimestampLtz { .. } => timestamp(raw).map(|text| format!("{text} +00:00")),
        ColumnType::TimestampTz { .. } => timestamp_with_zone(raw),
        ColumnType::Variant | ColumnType::Object | ColumnType::Array => Some(compact(raw)),
        _ => Some(raw.to_owned()),
    }
}

/// Days since 1970-01-01.
fn date(raw: &str) -> Option<String> {
    let days: i64 = raw.parse().ok()?;
    let epoch = NaiveDate::default();
    let distance = Days::new(days.unsigned_abs());
    let date = if days < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) }?;
    Some(date.to_string())
}

/// Seconds since 1970-01-01 in UTC, with a fraction: `1795183200.123000000`.
fn timestamp(raw: &str) -> Option<String> {
    let (seconds, nanos) = split(raw)?;
    let moment = DateTime::<Utc>::from_timestamp(seconds, nanos)?;
    Some(format!("{}{}", moment.format("%Y-%m-%d %H:%M:%S"), fraction(nanos)))
}

/// As a timestamp, then the zone in minutes, plus 1440: `1795183200.123000000 1500`.
fn timestamp_with_zone(raw: &str) -> Option<String> {
    let (raw, zone) = raw.split_once(' ')?;
    let (seconds, nanos) = split(raw)?;
    let minutes = zone.parse::<i32>().ok()? - 1440;
    let zone = FixedOffset::east_opt(minutes.checked_mul(60)?)?;
    let moment = DateTime::<Utc>::from_timestamp(seconds, nanos)?.with_timezone(&zone);
    Some(format!("{}{} {}", moment.format("%Y-%m-%d %H:%M:%S"), fraction(nanos), moment.format("%:z")))
}

/// Whole seconds, rounded down, and the nanoseconds after them: `-0.5` is -1 and 500,000,000.
fn split(raw: &str) -> Option<(i64, u32)> {
    let (sign, unsigned) = raw.strip_prefix('-').map_or((1, raw), |unsigned| (-1, unsigned));
    let (seconds, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    let nanos = sign * (i128::from(seconds.parse::<u64>().ok()?) * NANOS + fraction);
    Some((nanos.div_euclid(NANOS).try_into().ok()?, nanos.rem_euclid(NANOS).try_into().ok()?))
}

fn fraction(nanos: u32) -> String {
    let digits = format!("{nanos:09}");
    let kept = digits.trim_end_matches('0').len().max(3);
    format!(".{}", &digits[..kept])
}

/// JSON without white space between its tokens. Numbers and strings stay as they are written.
fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string || !c.is_ascii_whitespace() {
            text.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_three_decimals_or_as_many_as_they_need() {
        assert_eq!(timestamp("1795183200.123").as_deref(), Some("2026-11-20 14:00:00.123"));
        assert_eq!(timestamp("1795183200.120000000").as_deref(), Some("2026-11-20 14:00:00.120"));
        assert_eq!(timestamp("1795183200").as_deref(), Some("2026-11-20 14:00:00.000"));
        assert_eq!(timestamp("1795183200.123456789").as_deref(), Some("2026-11-20 14:00:00.123456789"));
        assert_eq!(timestamp("-0.500000000").as_deref(), Some("1969-12-31 23:59:59.500"));
        assert_eq!(timestamp_with_zone("1795183200.123 1500").as_deref(), Some("2026-11-20 15:00:00.123 +01:00"));
    }

    #[test]
    fn days_count_from_1970_both_ways() {
        assert_eq!(date("20777").as_deref(), Some("2026-11-20"));
        assert_eq!(date("-1").as_deref(), Some("1969-12-31"));
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        assert_eq!(
            compact("{\n  \"a b\": 9007199254740993,\n  \"c\": \" \\\" \"\n}"),
            r#"{"a b":9007199254740993,"c":" \" "}"#
        );
    }

    #[test]
    fn what_is_not_of_its_type_is_not_guessed_at() {
        for raw in ["", "x", "1.x", "1.1234567890", "--1"] {
            assert_eq!(timestamp(raw), None, "{raw}");
        }
        assert_eq!(rendered("maybe", &ColumnType::Boolean), None);
    }
}
