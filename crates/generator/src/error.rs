//! What is wrong with a template, where, and what to write instead.

use std::fmt;

use crate::helper;

/// Where something stands in a template's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte; a byte inside a character counts as that character.
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let before = &text[..text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is no template: a setup fault, found when the template is parsed and never while it is rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// There is nothing in it.
    #[error(
        "failed to parse the template: it is empty; write a record, such as {{\"sensorId\": {{{{random.number(50)}}}}}}"
    )]
    Empty,
    /// A call is not written as one.
    #[error("failed to parse the template at {place}: {what}; {remedy}")]
    Syntax {
        /// Where the call begins.
        place: Place,
        /// What is wrong.
        what: String,
        /// What to write instead.
        remedy: String,
    },
    /// A call names a helper that is not here.
    #[error(
        "failed to parse the template at {place}: there is no helper `{name}`; {}known are: {}",
        nearest.map(|nearest| format!("write `{nearest}`; ")).unwrap_or_default(),
        helper::names().collect::<Vec<_>>().join(", ")
    )]
    UnknownHelper {
        /// Where the name begins.
        place: Place,
        /// The name as written.
        name: String,
        /// The known name that it resembles, if any.
        nearest: Option<&'static str>,
    },
    /// A helper does not take this argument.
    #[error("failed to parse the template at {place}: in `{name}`, {what}; {remedy}")]
    Argument {
        /// Where the argument is at fault.
        place: Place,
        /// The helper's name.
        name: &'static str,
        /// What is wrong.
        what: String,
        /// What to write instead.
        remedy: String,
    },
}

/// What is wrong with an argument, by one who does not know where it stands.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}
