//! Reading JSON without reading its numbers: every value stays the text that was written.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::Fault;

/// The JSON value that `text` begins with, or where and why there is none.
///
/// Whatever follows the value is not looked at; that is how a call's argument ends where its JSON ends, wherever
/// braces and parentheses stand in its strings. A stream of values would refuse `50)`, so this reads just one.
pub(crate) fn first(text: &str) -> Result<&str, serde_json::Error> {
    let raw = <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(text))?;
    Ok(raw.get())
}

/// The text of the JSON object with which a record begins.
pub(crate) fn first_object(record: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(record).ok()?.trim_start();
    text.starts_with('{').then(|| first(text).ok()).flatten()
}

/// The members of an object by key, of doubled keys the last; `None` if `text` is another value.
pub(crate) fn object(text: &str) -> Option<BTreeMap<String, &str>> {
    let Pairs(pairs) = serde_json::from_str(text).ok()?;
    Some(pairs.into_iter().collect())
}

/// The elements of an array; `None` if `text` is another value.
pub(crate) fn array(text: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// What an array's element contributes to a record: a string its text, every other value its JSON as written,
/// without line ends, so that no number passes through a float.
///
/// KDG writes numbers, `true` and `null` in the same way; its `[object Object]` for an object is of no use.
pub(crate) fn element(text: &str) -> Result<String, Fault> {
    if !text.starts_with('"') {
        return Ok(text.replace(['\r', '\n'], ""));
    }
    serde_json::from_str(text).map_err(|_| {
        Fault::new(
            format!("{text} is not text: half of a surrogate pair"),
            "write both halves, or the character itself",
        )
    })
}

/// The members of an object in the order of the text, doubled keys included.
pub(crate) struct Pairs<'t>(pub(crate) Vec<(String, &'t str)>);

impl<'t> Deserialize<'t> for Pairs<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'t> Visitor<'t> for PairsVisitor {
    type Value = Pairs<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            pairs.push((key, value.get()));
        }
        Ok(Pairs(pairs))
    }
}
