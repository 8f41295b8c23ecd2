//! Why an effect failed, in no words of the SDK.

use std::error::Error as StdError;

/// Why an effect failed, in the words of whoever was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PortError {
    /// Whether trying again may help.
    pub fate: Fate,
    /// What happened, and for a setup fault what to change.
    pub what: String,
    /// What was beneath it.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl PortError {
    /// The stable name of an operation that failed so, for alarms and metrics: one for each fate.
    pub fn kind(&self, transient: &'static str, setup: &'static str) -> &'static str {
        match self.fate {
            Fate::Transient => transient,
            Fate::Setup => setup,
        }
    }
}

/// What becomes of a batch or an invocation after a failure. Poison is not on this list: it fails none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Trying again may help: the network, a throttle, a lock.
    Transient,
    /// Somebody has to change something first: a name, a right, a version. Retried all the same, by whoever invoked the
    /// function and for as long as that does, so that nothing is lost meanwhile.
    Setup,
}

impl Fate {
    /// What an AWS service's HTTP status means; `None` is no answer at all.
    ///
    /// 408 and 429 are time-outs and throttles; 409 is a race with another conditional write, or a function
    /// that is being updated. What else is no 5xx (a right, a name, another region's bucket) stays until
    /// somebody acts.
    pub fn of_status(status: Option<u16>) -> Self {
        match status {
            None | Some(408 | 409 | 429 | 500..) => Self::Transient,
            Some(_) => Self::Setup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_somebody_has_to_act_on_is_a_setup_fault() {
        for status in [301, 307, 400, 403, 404, 413] {
            assert_eq!(Fate::of_status(Some(status)), Fate::Setup, "{status}");
        }
        for status in [408, 409, 429, 500, 502, 503, 504] {
            assert_eq!(Fate::of_status(Some(status)), Fate::Transient, "{status}");
        }
        assert_eq!(Fate::of_status(None), Fate::Transient);
    }
}
