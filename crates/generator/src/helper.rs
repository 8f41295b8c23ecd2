//! The helpers that a template may call.

use crate::choice::Choice;
use crate::error::{Fault, TemplateError};
use crate::number::Number;
use crate::parse::{Argument, Call};
use crate::random::Random;

/// A call that is ready to be rendered; its argument was checked when the template was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Helper {
    Number(Number),
    Choice(Choice),
}

/// A helper as it may be called.
struct Known {
    name: &'static str,
    /// Stands for an argument that is left out, or `null`. These are KDG's own.
    default: &'static str,
    /// Makes it of the argument's JSON.
    new: fn(&str) -> Result<Helper, Fault>,
}

const KNOWN: [Known; 3] = [
    Known { name: "random.number", default: "{}", new: |json| Number::new(json).map(Helper::Number) },
    Known {
        name: "random.arrayElement",
        default: r#"["a","b","c"]"#,
        new: |json| Choice::even(json).map(Helper::Choice),
    },
    Known {
        name: "random.weightedArrayElement",
        default: r#"{"weights":[0.5,0.5],"data":["dog","cat"]}"#,
        new: |json| Choice::weighted(json).map(Helper::Choice),
    },
];

/// The names of all helpers.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

impl Helper {
    pub(crate) fn new(call: &Call<'_>) -> Result<Self, TemplateError> {
        let Some(known) = KNOWN.iter().find(|known| known.name == call.name) else {
            let name: String = call.name.chars().take(60).collect();
            let nearest = nearest(&name);
            return Err(TemplateError::UnknownHelper { place: call.place, name, nearest });
        };
        let (json, place) = match &call.argument {
            Argument::None | Argument::Json { text: "null", .. } => (known.default, call.place),
            Argument::Json { text, place } => (*text, *place),
            Argument::Text { fault, place } => {
                let remedy = "write one JSON value between the parentheses".to_owned();
                let what = format!("the argument is not JSON: {fault}");
                return Err(TemplateError::Argument { place: *place, name: known.name, what, remedy });
            }
        };
        (known.new)(json).map_err(|Fault { what, remedy }| TemplateError::Argument {
            place,
            name: known.name,
            what,
            remedy,
        })
    }

    pub(crate) fn render(&self, random: &mut Random, record: &mut String) {
        match self {
            Self::Number(number) => number.render(random, record),
            Self::Choice(choice) => choice.render(random, record),
        }
    }
}

/// The known name that was probably meant: the nearest, if at most a third of it is written otherwise.
fn nearest(written: &str) -> Option<&'static str> {
    let (distance, name) = names().map(|name| (distance(written, name), name)).min()?;
    (distance * 3 <= name.len()).then_some(name)
}

/// How many characters one must add, remove or replace to make one text of the other; case does not count.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: Option<&str>) {
        assert_eq!(nearest(written), expected, "{written}");
    }

    #[test]
    fn a_slip_of_the_fingers_finds_its_name_and_another_helper_does_not() {
        check("random.nubmer", Some("random.number"));
        check("Random.Number", Some("random.number"));
        check("random.arrayElements", Some("random.arrayElement"));
        check("random.wieghtedArrayElement", Some("random.weightedArrayElement"));
        check("name.firstName", None);
        check("date.now", None);
        check("", None);
    }

    #[test]
    fn every_default_is_an_argument_of_its_helper() {
        for known in &KNOWN {
            assert!((known.new)(known.default).is_ok(), "{}", known.name);
        }
    }
}
