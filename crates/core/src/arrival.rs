//! When a record arrived at Kinesis.

use std::fmt;

use chrono::{DateTime, Utc};

/// The moment at which Kinesis took a record, in whole milliseconds since 1970, UTC.
///
/// Every route delivers it in another form (the event source mapping as float seconds, Firehose as integer
/// milliseconds, our own CSV as text); it is rounded here, once, so that one record has one arrival on all of
/// them. Between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArrivedAt(DateTime<Utc>);

const TEXT: &str = "%Y-%m-%d %H:%M:%S%.3f";

impl ArrivedAt {
    /// From `approximateArrivalTimestamp`, seconds since 1970; `None` when out of range.
    ///
    /// A double holds today's seconds to a quarter of a microsecond, so that rounding gives the milliseconds
    /// that were meant.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let ms = (seconds * 1000.0).round();
        if ms.is_nan() {
            return None;
        }
        // The cast saturates, and what saturates is out of range.
        Self::from_millis(ms as i64)
    }

    /// From milliseconds since 1970; `None` when out of range.
    pub fn from_millis(ms: i64) -> Option<Self> {
        let at = DateTime::from_timestamp_millis(ms)?;
        let year = chrono::Datelike::year(&at);
        (1..=9999).contains(&year).then_some(Self(at))
    }

    /// From the text that [`fmt::Display`] writes.
    pub fn from_text(text: &str) -> Option<Self> {
        let at = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
        Self::from_millis(at.and_utc().timestamp_millis())
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// The hour as part of a key: `2026/11/20/14`.
    pub fn hour_path(self) -> impl fmt::Display {
        self.0.format("%Y/%m/%d/%H")
    }
}

/// As both tables and the CSV hold it: `2026-11-20 14:00:00.123`.
impl fmt::Display for ArrivedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format(TEXT).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_gives_the_same_arrival() {
        // .05 is told apart from .5: a decimal point's neighbours are not read as a number of their own.
        for (ms, seconds) in [(1_545_084_650_987, "1545084650.987"), (1_545_084_650_050, "1.54508465005E9")] {
            let from_event = ArrivedAt::from_seconds(seconds.parse().unwrap()).unwrap();
            let from_firehose = ArrivedAt::from_millis(ms).unwrap();
            let from_csv = ArrivedAt::from_text(&from_firehose.to_string()).unwrap();
            assert_eq!((from_event, from_csv), (from_firehose, from_firehose));
        }
    }

    #[test]
    fn it_reads_as_snowflake_and_s3_want_it() {
        let at = ArrivedAt::from_millis(1_795_269_600_050).unwrap();
        assert_eq!(at.to_string(), "2026-11-21 14:00:00.050");
        assert_eq!(at.hour_path().to_string(), "2026/11/21/14");
    }

    #[test]
    fn what_no_calendar_holds_is_refused() {
        for seconds in [f64::NAN, f64::INFINITY, -1e18, 1e18] {
            assert_eq!(ArrivedAt::from_seconds(seconds), None, "{seconds}");
        }
    }
}
