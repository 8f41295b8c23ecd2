//! One table of a TOML file, read key by key, so that all its faults are found and not only the first.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::DEFAULT_MAX_INFLATED_BYTES;
use super::check::Fault;

/// Collects faults and knows on which line a byte stands.
pub(super) struct Faults<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

impl<'t> Faults<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: Vec::new() }
    }

    pub(super) fn add(&mut self, at: usize, what: impl Into<String>, remedy: impl Into<String>) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        self.faults.push(Fault { line, what: what.into(), remedy: remedy.into() });
    }

    pub(super) fn into_sorted(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.line);
        self.faults
    }
}

/// A table whose keys are taken one by one; what is left over at the end is unknown.
pub(super) struct Section<'t> {
    name: &'static str,
    at: usize,
    table: &'t DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    pub(super) fn new(name: &'static str, at: usize, table: &'t DeTable<'t>) -> Self {
        Self { name, at, table, known: Vec::new() }
    }

    /// Byte at which the section starts.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Byte of a key's value, or of the section when the key is absent.
    pub(super) fn at_key(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.at, |value| value.span().start)
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// The text under `key`, or `None`: absent, or a fault is noted.
    pub(super) fn text(&mut self, key: &'static str, example: &str, faults: &mut Faults<'_>) -> Option<&'t str> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            other => {
                let what = format!("{} `{key}` is {}", self.name, article(other.type_str()));
                faults.add(value.span().start, what, format!("write {key} = \"{example}\""));
                None
            }
        }
    }

    /// As [`Section::text`], and a fault when it is absent.
    pub(super) fn required_text(
        &mut self,
        key: &'static str,
        example: &str,
        faults: &mut Faults<'_>,
    ) -> Option<&'t str> {
        if self.table.get(key).is_none() {
            let what = format!("{} has no `{key}`", self.name);
            faults.add(self.at, what, format!("add {key} = \"{example}\""));
        }
        self.text(key, example, faults)
    }

    /// The variant that the text under `key` names; the first one when the key is absent.
    pub(super) fn one_of<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)], faults: &mut Faults<'_>) -> T {
        let (default_name, default) = choices[0];
        let Some(text) = self.text(key, default_name, faults) else { return default };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return *choice;
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let what = format!("{} `{key}` is \"{text}\"", self.name);
        faults.add(self.at_key(key), what, format!("write one of {}", names.join(", ")));
        default
    }

    pub(super) fn flag(&mut self, key: &'static str, faults: &mut Faults<'_>) -> bool {
        let Some(value) = self.get(key) else { return false };
        if let DeValue::Boolean(flag) = value.get_ref() {
            return *flag;
        }
        let what = format!("{} `{key}` is {}", self.name, article(value.get_ref().type_str()));
        faults.add(value.span().start, what, format!("write {key} = true or {key} = false"));
        false
    }

    /// The number of bytes under `key`, or `None`: absent, or a fault is noted.
    pub(super) fn bytes(
        &mut self,
        key: &'static str,
        range: RangeInclusive<usize>,
        faults: &mut Faults<'_>,
    ) -> Option<usize> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (min, max) = range.into_inner();
            let what = format!("{} `{key}` is no number of bytes from {min} to {max}", self.name);
            faults.add(value.span().start, what, format!("write one, such as {key} = {DEFAULT_MAX_INFLATED_BYTES}"));
        }
        number
    }

    pub(super) fn array(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<&'t DeArray<'t>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Array(array) => Some(array),
            other => {
                let what = format!("`{key}` is {}", article(other.type_str()));
                faults.add(value.span().start, what, format!("write each one as a [[{key}]] section"));
                None
            }
        }
    }

    pub(super) fn section(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Section<'t>> {
        let Some(value) = self.get(key) else {
            faults.add(
                self.at,
                format!("there is no [{key}] section"),
                format!("add [{key}], as in the default pipeline.toml"),
            );
            return None;
        };
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(key, value.span().start, table)),
            other => {
                let what = format!("`{key}` is {}", article(other.type_str()));
                faults.add(value.span().start, what, format!("write it as a section: [{key}]"));
                None
            }
        }
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let remedy = match self.known.iter().find(|known| alike(known, name)) {
                Some(known) => format!("write `{known}`"),
                None => format!("remove it; known are: {}", self.known.join(", ")),
            };
            faults.add(key.span().start, format!("{} has no key `{name}`", self.name), remedy);
        }
    }
}

fn article(type_name: &str) -> String {
    let vowel = type_name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {type_name}", if vowel { "an" } else { "a" })
}

/// Whether two keys differ by a slip of the fingers: the same letters in whatever order and case, one letter
/// more, less or other, or a part left off at the end.
fn alike(known: &str, written: &str) -> bool {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        letters.sort_unstable();
        letters
    };
    let same = |(a, b): &(u8, u8)| a == b;
    let n_before = known.bytes().zip(written.bytes()).take_while(same).count();
    let n_behind = known.bytes().rev().zip(written.bytes().rev()).take_while(same).count();
    let one_off = n_before + n_behind + 1 >= known.len().max(written.len());
    let part = written.len() > 2 && (known.starts_with(written) || written.starts_with(known));
    one_off || part || letters(known) == letters(written)
}
