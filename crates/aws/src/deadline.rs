//! How much of an invocation's time is left.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The end of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Option<SystemTime>);

impl Deadline {
    /// No end: for tests and for hosts that name none.
    pub const NONE: Self = Self(None);

    /// From `Lambda-Runtime-Deadline-Ms`, seen at `now`.
    ///
    /// A deadline that lies in the past at the start of an invocation is none: `cargo lambda watch` sends one
    /// of 1970.
    pub fn from_millis(deadline_ms: u64, now: SystemTime) -> Self {
        let end = UNIX_EPOCH.checked_add(Duration::from_millis(deadline_ms));
        Self(end.filter(|end| *end > now))
    }

    /// The time left; zero when it is over, and for ever when there is no end.
    pub fn left(self) -> Duration {
        match self.0 {
            Some(end) => end.duration_since(SystemTime::now()).unwrap_or_default(),
            None => Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_1970_is_none() {
        let now = SystemTime::now();
        assert_eq!(Deadline::from_millis(3000, now), Deadline::NONE);
        assert_eq!(Deadline::NONE.left(), Duration::MAX);
    }

    #[test]
    fn what_is_over_leaves_nothing() {
        let deadline = Deadline::from_millis(3000, UNIX_EPOCH);
        assert_ne!(deadline, Deadline::NONE);
        assert_eq!(deadline.left(), Duration::ZERO);
    }
}
