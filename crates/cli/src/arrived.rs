//! Which objects may hold what arrived in a window: the others need not be read.

use std::time::{Duration, SystemTime};

use landfall_core::ArrivedAt;

use crate::objects::{Listed, Place};
use crate::window::Window;

/// By how much clocks may differ, and S3's times be rounded.
const CLOCK_MARGIN: Duration = Duration::from_secs(300);

/// Arrivals grow with positions, by and large: an object may hold what arrived a little before its first row.
const ORDER_MARGIN_MS: i64 = 60 * 60 * 1000;

/// A window, and what is known of the place that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    pub(crate) window: Window,
    /// Whether objects were written by the clock that arrivals are told by. Those of a laptop may be copies, and hold records
    /// with invented times.
    pub(crate) are_times_known: bool,
}

impl Arrived {
    /// What is known of a place's times: those of AWS's own buckets are Kinesis's, or nearly. A folder holds copies, also
    /// where they are sent to AWS.
    pub(crate) fn new(window: Window, place: &Place, is_deployed: bool) -> Self {
        Self { window, are_times_known: is_deployed && matches!(place, Place::Bucket { .. }) }
    }

    /// Whether an object was written late enough: what arrived later is not in it.
    pub(crate) fn may_hold(self, object: &Listed) -> bool {
        let (Some(since), Some(written_at), true) = (self.window.since, object.written_at, self.are_times_known) else {
            return true;
        };
        let written_ms = (written_at + CLOCK_MARGIN).duration_since(SystemTime::UNIX_EPOCH).map(|age| age.as_millis());
        written_ms.map_or(true, |ms| i64::try_from(ms).unwrap_or(i64::MAX) >= since.as_millis())
    }

    /// The same of an object whose key says the hour in which its first row or letter arrived.
    pub(crate) fn may_hold_by_key(self, object: &Listed) -> bool {
        let is_too_late = |until: ArrivedAt| {
            hour(&object.key).is_some_and(|hour| hour.as_millis() >= until.as_millis().saturating_add(ORDER_MARGIN_MS))
        };
        self.may_hold(object) && !self.window.until.is_some_and(is_too_late)
    }
}

/// The hour of `…/2026/11/20/14/name`.
fn hour(key: &str) -> Option<ArrivedAt> {
    let mut parts = key.rsplit('/').skip(1);
    let [hour, day, month, year] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    ArrivedAt::from_text(&format!("{year}-{month}-{day} {hour}:00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(window: (Option<&str>, Option<&str>), key: &str, written: &str, expected: bool) {
        let at = |text: &str| ArrivedAt::from_text(text).unwrap();
        let written_ms = u64::try_from(at(written).as_millis()).unwrap();
        let written_at = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(written_ms));
        let object = Listed { key: key.to_owned(), written_at, n_bytes: 1 };
        let window = Window { since: window.0.map(at), until: window.1.map(at) };
        assert_eq!(Arrived { window, are_times_known: true }.may_hold_by_key(&object), expected, "{key} {written}");
        // Where times are not known, it is as if nobody had said since when.
        let by_key = Arrived { window: Window { since: None, ..window }, are_times_known: true };
        let untold = Arrived { window, are_times_known: false };
        assert_eq!(untold.may_hold_by_key(&object), by_key.may_hold_by_key(&object), "{key} {written}");
    }

    #[test]
    fn only_what_certainly_holds_nothing_is_left_out() {
        let (key, now) = ("deadletter/2026/11/20/14/shardId-0-1-2-x.jsonl", "2026-11-20 15:00:00");
        check((None, None), key, now, true);
        check((Some("2026-11-20 15:00:10"), None), key, now, true);
        check((Some("2026-11-20 15:10:00"), None), key, now, false);
        check((None, Some("2026-11-20 14:30:00")), key, now, true);
        // The first letter arrived then; another one may have, just before.
        check((None, Some("2026-11-20 13:30:00")), key, now, true);
        check((None, Some("2026-11-20 12:59:00")), key, now, false);
        check((None, Some("2026-11-20 12:59:00")), "copied/shardId-0-1-2-x.jsonl", now, true);
        // A batch that was tried again for days begins before the window and may reach into it.
        check((Some("2026-11-22 15:00:00"), None), key, "2026-11-22 15:00:00", true);
        // The clocks of Kinesis and of S3 are not one.
        check((Some("2026-11-20 15:05:00"), None), key, now, true);
        check((Some("2026-11-20 15:05:01"), None), key, now, false);
        check((Some("2026-11-20 15:05:01"), Some("2026-11-20 16:00:00")), key, now, false);
        check((Some("2026-11-20 11:00:00"), Some("2026-11-20 12:59:00")), key, now, false);
    }

    #[test]
    fn the_times_of_copies_are_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("copy.jsonl");
        std::fs::write(&file, "").unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        let object =
            Listed { key: "copy.jsonl".to_owned(), written_at: file.metadata().unwrap().modified().ok(), n_bytes: 1 };
        let window = Window { since: ArrivedAt::from_text("2026-11-20 14:00:00"), until: None };
        let name = |text: &str| Place::local(&text.parse().unwrap(), "http://127.0.0.1:9");
        let may_hold = |place: &str, is_deployed| Arrived::new(window, &name(place), is_deployed).may_hold(&object);

        assert!(may_hold("folder", true) && may_hold("folder", false) && may_hold("s3://bucket/prefix", false));
        assert!(!may_hold("s3://bucket/prefix", true));
    }

    #[test]
    fn an_hour_is_read_from_a_key_of_ours() {
        let at = |text: &str| ArrivedAt::from_text(text).unwrap();
        let check = |key: &str, expected: Option<&str>| assert_eq!(hour(key), expected.map(at), "{key}");
        check("kinesiscsv/sensor-6/2026/11/20/14/shard-1-2-3.csv", Some("2026-11-20 14:00:00"));
        check("deadletter/2026/11/20/14/shard-1-2-3.jsonl", Some("2026-11-20 14:00:00"));
        check("2026/11/20/14/x.csv", Some("2026-11-20 14:00:00"));
        for key in ["", "x.csv", "11/20/14/x.csv", "2026/13/20/14/x.csv", "a/b/c/d/x.csv"] {
            check(key, None);
        }
    }
}
