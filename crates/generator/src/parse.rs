//! The grammar: literal text, and calls `{{ module.method ( argument ) }}` in it.

use crate::error::{Place, TemplateError};
use crate::json;

/// A call as written, not yet known to be possible.
pub(crate) struct Call<'t> {
    pub(crate) name: &'t str,
    /// Where the name begins.
    pub(crate) place: Place,
    pub(crate) argument: Argument<'t>,
}

/// What stands between a call's parentheses: one JSON value, or else, as in KDG, a text.
pub(crate) enum Argument<'t> {
    /// Nothing, or there are no parentheses.
    None,
    Json {
        text: &'t str,
        place: Place,
    },
    /// It ends at the first closing parenthesis. No helper takes one yet: why it is not JSON, and where.
    Text {
        fault: String,
        place: Place,
    },
}

/// Either of the two things that a template is made of.
pub(crate) enum Piece<'t> {
    Literal(&'t str),
    Call(Call<'t>),
}

/// Cuts a template into pieces.
pub(crate) struct Parser<'t> {
    /// All of the text: places are counted in it.
    text: &'t str,
    /// What is not yet read, a part of `text`.
    rest: &'t str,
}

impl<'t> Parser<'t> {
    /// Like KDG, ignores white space around the template; and a byte order mark before it.
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, rest: text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}') }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Piece<'t>>, TemplateError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match self.rest.find("{{") {
            Some(0) => Ok(Some(Piece::Call(self.call()?))),
            literal => Ok(Some(Piece::Literal(self.take(literal.unwrap_or(self.rest.len()))))),
        }
    }

    fn call(&mut self) -> Result<Call<'t>, TemplateError> {
        let opening = self.place();
        self.take(2);
        self.skip_space();
        let place = self.place();
        let name_end = self.rest.find(|c: char| c.is_whitespace() || "(){}".contains(c));
        let name = self.take(name_end.unwrap_or(self.rest.len()));
        if name.is_empty() {
            let remedy = "write {{random.number(50)}}; a record cannot hold {{ itself but as an array's element";
            return Err(syntax(opening, "no helper is named after {{", remedy));
        }
        self.skip_space();
        let argument = if self.rest.starts_with('(') { self.argument(opening)? } else { Argument::None };
        self.skip_space();
        if !self.rest.starts_with("}}") {
            return Err(syntax(opening, "the call is not closed", "write }} after the name or its parentheses"));
        }
        self.take(2);
        Ok(Call { name, place, argument })
    }

    fn argument(&mut self, opening: Place) -> Result<Argument<'t>, TemplateError> {
        self.take(1);
        self.skip_space();
        let place = self.place();
        if self.rest.starts_with(')') {
            self.take(1);
            return Ok(Argument::None);
        }
        let start = self.rest;
        let (fault, place) = match json::first(start) {
            Ok(text) => {
                self.take(text.len());
                self.skip_space();
                if self.rest.starts_with(')') {
                    self.take(1);
                    return Ok(Argument::Json { text, place });
                }
                ("more follows its value".to_owned(), self.place())
            }
            Err(error) => (reason(&error), self.place_of(&error)),
        };
        self.rest = start;
        let Some(end) = self.rest.find(')') else {
            let what = format!("the parenthesis is not closed, and at {place} its argument is not JSON: {fault}");
            return Err(syntax(opening, what, "write )}} after the argument"));
        };
        self.take(end + 1);
        Ok(Argument::Text { fault, place })
    }

    fn take(&mut self, n_bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(n_bytes);
        self.rest = rest;
        taken
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Byte of `text` at which `rest` begins.
    fn at(&self) -> usize {
        self.rest.as_ptr() as usize - self.text.as_ptr() as usize
    }

    fn place(&self) -> Place {
        Place::of(self.text, self.at())
    }

    /// Where an error of the JSON that begins at `rest` stands; serde_json counts lines and bytes from 1.
    fn place_of(&self, error: &serde_json::Error) -> Place {
        let line_start: usize =
            self.rest.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = line_start + error.column().saturating_sub(1);
        Place::of(self.text, self.at() + at.min(self.rest.len()))
    }
}

fn syntax(place: Place, what: impl Into<String>, remedy: &str) -> TemplateError {
    TemplateError::Syntax { place, what: what.into(), remedy: remedy.to_owned() }
}

/// What serde_json says without its place, which it counts from the argument's start.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason).to_owned()
}
