//! A JSON document as a tree that keeps the text of every value.
//!
//! `serde_json::Value` would round numbers through a float and let the last of two equal keys win; this keeps a
//! number's text and refuses a duplicated key.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use crate::value::shown;

/// Deeper than this a document is poison: each level costs stack, and Snowflake stops far earlier.
const MAX_DEPTH: usize = 128;

/// A JSON value and the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Json<'a> {
    pub(crate) text: &'a str,
    pub(crate) kind: Kind<'a>,
}

/// What a value is. A number is its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind<'a> {
    Null,
    Bool(bool),
    Number,
    String(Cow<'a, str>),
    Array,
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads one whole document.
    ///
    /// # Errors
    /// In words for a person: the text is no JSON, a key is duplicated, or it is nested too deep.
    pub(crate) fn parse(text: &'a str) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| invalid(&error))?;
        Walk { text: raw.get(), at: 0 }.value(0)
    }

    /// The value at the end of `path`, if objects lead there.
    pub(crate) fn at(&self, path: &[String]) -> Option<&Self> {
        let Some((key, rest)) = path.split_first() else { return Some(self) };
        let Kind::Object(members) = &self.kind else { return None };
        members.iter().find(|(name, _)| name == key)?.1.at(rest)
    }

    /// What the value is, for messages: `a string`.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number => "a number",
            Kind::String(_) => "a string",
            Kind::Array => "an array",
            Kind::Object(_) => "an object",
        }
    }
}

/// A `serde_json` error in words for a person.
pub(crate) fn invalid(error: &serde_json::Error) -> String {
    format!("invalid JSON: {error}")
}

/// Walks over text that `serde_json` has found to be JSON, each byte once whatever the depth.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let first = self.peek();
        let start = self.at;
        let kind = match first {
            Some(b'"') => Kind::String(self.string()?),
            Some(b'[') => self.array(depth)?,
            Some(b'{') => Kind::Object(self.object(depth)?),
            _ => self.literal(first),
        };
        Ok(Json { text: self.since(start), kind })
    }

    fn literal(&mut self, first: Option<u8>) -> Kind<'a> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
        match first {
            Some(b'n') => Kind::Null,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            _ => Kind::Number,
        }
    }

    /// Borrowed where the text has no escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, String> {
        let start = self.at;
        let mut has_escapes = false;
        self.at += 1;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            has_escapes |= *byte == b'\\';
            if *byte == b'"' {
                break;
            }
        }
        let quoted = self.since(start);
        if has_escapes {
            return serde_json::from_str(quoted).map(Cow::Owned).map_err(|error| invalid(&error));
        }
        Ok(Cow::Borrowed(quoted.trim_matches('"')))
    }

    fn array(&mut self, depth: usize) -> Result<Kind<'a>, String> {
        while self.enters(b']') {
            self.value(depth + 1)?;
        }
        Ok(Kind::Array)
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Cow<'a, str>, Json<'a>)>, String> {
        let mut seen = HashSet::new();
        let mut members = Vec::new();
        while self.enters(b'}') {
            let key = match self.value(depth)?.kind {
                Kind::String(key) => key,
                _ => return Err("a key is no string".to_owned()),
            };
            if !seen.insert(key.clone()) {
                return Err(format!("the key `{}` stands twice", shown(&key)));
            }
            self.peek();
            self.at += 1;
            members.push((key, self.value(depth + 1)?));
        }
        Ok(members)
    }

    /// Steps over a bracket or comma: whether an element follows, or `close` did.
    fn enters(&mut self, close: u8) -> bool {
        let over = self.peek();
        self.at += usize::from(over.is_some());
        if over == Some(close) {
            return false;
        }
        let next = self.peek();
        self.at += usize::from(next == Some(close));
        next.is_some_and(|byte| byte != close)
    }
}

/// The members that no path in `paths` leads to, as JSON object text; `None` when there are none.
///
/// A nested object of which a part is named keeps its other part: `{"a":{"b":1,"c":2}}` without `/a/b` is
/// `{"a":{"c":2}}`. A null above a named part is that part's NULL.
pub(crate) fn unnamed(members: &[(Cow<'_, str>, Json<'_>)], paths: &[&[String]]) -> Option<String> {
    let mut out = String::new();
    for (key, value) in members {
        let below: Vec<&[String]> =
            paths.iter().filter(|path| path.first().is_some_and(|first| first == key)).map(|path| &path[1..]).collect();
        let text = match &value.kind {
            _ if below.is_empty() => value.text.to_owned(),
            _ if below.iter().any(|path| path.is_empty()) => continue,
            Kind::Null => continue,
            Kind::Object(members) => match unnamed(members, &below) {
                Some(text) => text,
                None => continue,
            },
            _ => value.text.to_owned(),
        };
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(&serde_json::Value::from(key.as_ref()).to_string());
        out.push(':');
        out.push_str(&text);
    }
    (!out.is_empty()).then(|| out + "}")
}

/// The elements of a top-level array; `None` when `text` is none. It must be JSON, without blanks around it.
pub(crate) fn elements(text: &str) -> Option<Elements<'_>> {
    Some(Elements { rest: text.strip_prefix('[')? })
}

/// The elements of an array, each as its text, found one after the other: a record may inflate to millions.
pub(crate) struct Elements<'a> {
    /// What follows the bracket or the last comma.
    rest: &'a str,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
        // Behind the last element stands the bracket, and behind that nothing: neither is a value.
        let element = stream.next()?.ok()?.get();
        let behind = self.rest.get(stream.byte_offset()..)?.trim_ascii_start();
        self.rest = behind.get(1..)?;
        Some(element)
    }
}
