//! A span of arrivals, as a person gives it: `--since` and `--until`.

use std::fmt;
use std::sync::OnceLock;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use landfall_core::ArrivedAt;

const EXAMPLES: &str = "2026-11-20, \"2026-11-20 14:00\", 2026-11-20T14:00:00Z (without a zone it is UTC), or so \
                        long ago: 15m, 2h, 3d";

/// Records that arrived at Kinesis in a span of time.
#[derive(Debug, Clone, Args)]
struct Options {
    /// What arrived then or later: 2026-11-20, "2026-11-20 14:00" or 2026-11-20T14:00:00Z (without a zone it is UTC), or so
    /// long ago: 15m, 2h, 3d.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<ArrivedAt>,

    /// What arrived before that; written as --since is.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<ArrivedAt>,
}

/// `--since` and `--until`, the one before the other: no value can be checked against another by clap's own means.
#[derive(Debug, Clone)]
pub(crate) struct WindowOptions(Options);

impl WindowOptions {
    /// The span that is asked for.
    pub(crate) fn window(&self) -> Window {
        Window { since: self.0.since, until: self.0.until }
    }

    fn checked(options: Options) -> Result<Self, Error> {
        match (options.since, options.until) {
            (Some(since), Some(until)) if since >= until => Err(Error::raw(
                ErrorKind::ValueValidation,
                format!("nothing arrives since {since} and before {until}: --since has to be earlier than --until\n"),
            )),
            _ => Ok(Self(options)),
        }
    }
}

impl Args for WindowOptions {
    fn augment_args(command: Command) -> Command {
        Options::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for WindowOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::checked(Options::from_arg_matches(matches)?)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)?;
        *self = Self::checked(self.0.clone())?;
        Ok(())
    }
}

/// A span of arrivals: since inclusive, until exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) since: Option<ArrivedAt>,
    pub(crate) until: Option<ArrivedAt>,
}

impl Window {
    /// Whether what arrived then is part of it.
    pub(crate) fn holds(&self, at: ArrivedAt) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// `since 2026-11-20 14:00:00.000 and before 2026-11-20 15:00:00.000, UTC`
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.since, self.until) {
            (None, None) => f.write_str("at any time"),
            (Some(since), None) => write!(f, "since {since}, UTC"),
            (None, Some(until)) => write!(f, "before {until}, UTC"),
            (Some(since), Some(until)) => write!(f, "since {since} and before {until}, UTC"),
        }
    }
}

/// The moment from which ages count: one and the same for --since and --until.
fn now() -> DateTime<Utc> {
    static NOW: OnceLock<DateTime<Utc>> = OnceLock::new();
    *NOW.get_or_init(Utc::now)
}

fn when(text: &str) -> Result<ArrivedAt, String> {
    parse(text.trim(), now())
        .and_then(|at| ArrivedAt::from_millis(at.timestamp_millis()))
        .ok_or_else(|| format!("that is no moment; write {EXAMPLES}"))
}

fn parse(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if let Some(age) = age(text) {
        return now.checked_sub_signed(age);
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    // A date and a time stand apart by a blank or by a T.
    let (day, time) = text.split_once(['T', 't', ' '])?;
    let text = format!("{day} {time}");
    for format in ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(&text, format) {
            return Some(at.and_utc());
        }
        // Z, +01 and +01:00.
        if let Ok(at) = DateTime::parse_from_str(&text, &format!("{format}%#z")) {
            return Some(at.to_utc());
        }
    }
    None
}

/// `15m`, `2h`, `3d`
fn age(text: &str) -> Option<TimeDelta> {
    let number = text.strip_suffix(['s', 'm', 'h', 'd'])?;
    // `parse` would take a sign.
    let count: i64 = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
    match text.bytes().last()? {
        b's' => TimeDelta::try_seconds(count),
        b'm' => TimeDelta::try_minutes(count),
        b'h' => TimeDelta::try_hours(count),
        _ => TimeDelta::try_days(count),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        window: WindowOptions,
    }

    fn window(args: &[&str]) -> Result<Window, String> {
        let line = Line::try_parse_from(["landfall"].iter().chain(args));
        line.map(|line| line.window.window()).map_err(|error| error.to_string())
    }

    fn at(text: &str) -> ArrivedAt {
        ArrivedAt::from_text(text).unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let now = DateTime::parse_from_rfc3339("2026-11-20T14:00:00.5Z").unwrap().to_utc();
        let parsed = parse(text, now).map(|at| at.format("%Y-%m-%d %H:%M:%S%.3f").to_string());
        assert_eq!(parsed.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_moment_may_be_a_day_a_time_or_an_age() {
        check("2026-11-20", Some("2026-11-20 00:00:00.000"));
        check("2026-11-20 14:05", Some("2026-11-20 14:05:00.000"));
        check("2026-11-20T14:05", Some("2026-11-20 14:05:00.000"));
        check("2026-11-20 14:05:06.123", Some("2026-11-20 14:05:06.123"));
        check("2026-11-20T14:05:06", Some("2026-11-20 14:05:06.000"));
        check("15m", Some("2026-11-20 13:45:00.500"));
        check("30s", Some("2026-11-20 13:59:30.500"));
        check("2h", Some("2026-11-20 12:00:00.500"));
        check("3d", Some("2026-11-17 14:00:00.500"));
    }

    #[test]
    fn a_zone_is_heeded_and_without_one_it_is_utc() {
        check("2026-11-20T14:00:00Z", Some("2026-11-20 14:00:00.000"));
        check("2026-11-20t14:00:00z", Some("2026-11-20 14:00:00.000"));
        check("2026-11-20T14:00:00.5+01:00", Some("2026-11-20 13:00:00.500"));
        check("2026-11-20 14:00-05", Some("2026-11-20 19:00:00.000"));
        check("2026-11-20 00:30 +01:00", Some("2026-11-19 23:30:00.000"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "m", "-5m", "+5m", "1.5h", "5", "5 m", "2026", "2026-13-01", "2026-11-31", "yesterday"] {
            check(text, None);
        }
        for text in ["2026-11-20 25:00", "2026-11-20 14", "14:00", "2026-11-20 14:00 CET", "99999999999999999999d"] {
            check(text, None);
        }
        check("9999999999999d", None);
    }

    #[test]
    fn a_fault_is_told_with_examples() {
        insta::assert_snapshot!(window(&["--since", "noon"]).unwrap_err(), @r#"
        error: invalid value 'noon' for '--since <WHEN>': that is no moment; write 2026-11-20, "2026-11-20 14:00", 2026-11-20T14:00:00Z (without a zone it is UTC), or so long ago: 15m, 2h, 3d

        For more information, try '--help'.
        "#);
        // Beyond what a row's arrival can be.
        assert!(window(&["--until", "0000-01-01"]).unwrap_err().contains("that is no moment"));
    }

    #[test]
    fn a_span_that_holds_nothing_is_refused() {
        let error = window(&["--since", "2026-11-20 15:00", "--until", "2026-11-20 14:00"]).unwrap_err();
        assert!(error.contains("nothing arrives since 2026-11-20 15:00:00.000 and before"), "{error}");
        assert!(window(&["--since", "2026-11-20", "--until", "2026-11-20"]).is_err());
        assert!(window(&["--since", "1h", "--until", "2h"]).is_err());
        assert!(window(&["--since", "1h", "--until", "1h"]).is_err());
        assert!(window(&["--since", "60m", "--until", "1h"]).unwrap_err().contains("nothing arrives since"));
        assert!(window(&["--since", "2h", "--until", "1h"]).is_ok());
    }

    #[test]
    fn since_is_part_of_it_and_until_is_not() {
        let window = window(&["--since", "2026-11-20 14:00", "--until", "2026-11-20 15:00"]).unwrap();
        assert!(window.holds(at("2026-11-20 14:00:00.000")) && window.holds(at("2026-11-20 14:59:59.999")));
        assert!(!window.holds(at("2026-11-20 13:59:59.999")) && !window.holds(at("2026-11-20 15:00:00.000")));
        assert_eq!(window.to_string(), "since 2026-11-20 14:00:00.000 and before 2026-11-20 15:00:00.000, UTC");
        let all = self::window(&[]).unwrap();
        assert!(all.holds(at("0001-01-01 00:00:00.000")) && all.holds(at("9999-12-31 23:59:59.999")));
        assert_eq!(all.to_string(), "at any time");
    }
}
