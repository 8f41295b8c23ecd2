//! The forms that records come in, and how many came in each.

use std::fmt;

/// How a record is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON and nothing else.
    Plain,
    /// Aggregated by a producer library; what is in it may be compressed, and so may be all of it.
    Aggregated,
    /// Documents under gzip or zstd.
    Compressed,
    /// It begins as one of these and is none.
    Broken,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Aggregated, Self::Compressed, Self::Broken];
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Aggregated => "aggregated",
            Self::Compressed => "compressed",
            Self::Broken => "broken",
        })
    }
}

/// How many records came in each form: `records: 30 plain, 6 aggregated, 3 compressed, 1 broken`.
#[derive(Debug, Clone, Default)]
pub struct Forms([usize; 4]);

impl Forms {
    pub(crate) fn count(&mut self, form: Form) {
        self.0[form as usize] += 1;
    }

    /// How many came in this one.
    pub fn of(&self, form: Form) -> usize {
        self.0[form as usize]
    }
}

impl fmt::Display for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Form::ALL.map(|form| format!("{} {form}", self.of(form)));
        write!(f, "records: {}", counts.join(", "))
    }
}
