//! A parsed template.

use landfall_core::Pipeline;

use crate::error::TemplateError;
use crate::fitting::template_text;
use crate::helper::Helper;
use crate::parse::{Parser, Piece};
use crate::random::Random;

/// A record's text with calls in it, in KDG's language: `{"sensorId": {{random.number(50)}}}`.
///
/// The text may be of any format. As in KDG, white space around it and line ends in it are dropped, so that a
/// template of many lines gives records of one. A call is a helper's name and, in parentheses, one JSON value,
/// which may hold `}}` and parentheses, other than in KDG. What a helper renders is not escaped: quotes around a
/// text stand in the template. Nor is it parsed again.
///
/// | helper | argument | renders |
/// |---|---|---|
/// | `random.number` | `50`, or `{"min":10,"max":150,"precision":1}` | a multiple of precision, bounds included |
/// | `random.arrayElement` | `["OK","FAIL","WARN"]` | one of them |
/// | `random.weightedArrayElement` | `{"weights":[0.8,0.2],"data":["OK","FAIL"]}` | one of them, by weight |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Call(Helper),
}

impl Template {
    /// Parses a template and checks all of its calls, so that rendering cannot fail.
    ///
    /// # Errors
    /// The first fault, with its place and what to write instead.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser::new(text);
        let mut parts = Vec::new();
        while let Some(piece) = parser.next()? {
            parts.push(match piece {
                Piece::Literal(text) => Part::Literal(text.replace(['\r', '\n'], "")),
                Piece::Call(call) => Part::Call(Helper::new(&call)?),
            });
        }
        if parts.is_empty() {
            return Err(TemplateError::Empty);
        }
        Ok(Self { parts })
    }

    /// The template of [`template_text`]: every record of it is one row of `pipeline`.
    #[expect(clippy::expect_used, reason = "the text is our own, and tests parse that of any pipeline")]
    pub fn for_pipeline(pipeline: &Pipeline) -> Self {
        Self::parse(&template_text(pipeline)).expect("the template that fits a pipeline is one")
    }

    pub(crate) fn render(&self, random: &mut Random) -> String {
        let mut record = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => record.push_str(text),
                Part::Call(helper) => helper.render(random, &mut record),
            }
        }
        record
    }
}
