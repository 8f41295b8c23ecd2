//! Names that are made of keys: fields, columns, labels.

use std::collections::HashMap;

use crate::pipeline::{EXTRA, PROVENANCE};

/// Names longer than this are cut: with what is added, they stay within 255 bytes.
const MAX_NAME: usize = 100;

/// The same for columns, which get no more than a number.
const MAX_COLUMN: usize = 240;

/// A key's last word that says no more than "this names it".
const ID_WORDS: [&str; 4] = ["id", "key", "uuid", "guid"];

/// `1 document`, `2 documents`
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The words of a key: `createdAt_MS` is created, At, MS.
pub(super) fn words(key: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for part in key.split(|c: char| !c.is_alphanumeric()) {
        let mut start = 0;
        let chars: Vec<(usize, char)> = part.char_indices().collect();
        for window in chars.windows(2) {
            let [(_, before), (at, c)] = window else { continue };
            let next_is_lower = part[at + c.len_utf8()..].starts_with(char::is_lowercase);
            if c.is_uppercase() && (!before.is_uppercase() || next_is_lower) {
                words.push(&part[start..*at]);
                start = *at;
            }
        }
        words.push(&part[start..]);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a word is one that ends the name of an identifier.
pub(super) fn is_id(word: &str) -> bool {
    ID_WORDS.iter().any(|id| id.eq_ignore_ascii_case(word))
}

/// Letters, digits, `-` and `_` of a text, which does not begin or end with the latter two; else `or`.
pub(super) fn plain(text: &str, or: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let trimmed = text.trim_matches(['-', '_']);
    let cut = trimmed[..trimmed.len().min(MAX_NAME)].trim_end_matches(['-', '_']);
    if cut.is_empty() { or.to_owned() } else { cut.to_owned() }
}

/// A field's name: the key, or a JSON pointer (RFC 6901) where the path is longer or the key begins with a slash.
pub(super) fn field(path: &[String]) -> String {
    match path {
        [key] if !key.starts_with('/') => key.clone(),
        _ => path.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect(),
    }
}

/// What stands before a value in an object's key: `sensorId` gives `sensor`, `/device/id` gives `device`, and `id`
/// alone gives `id`.
pub(super) fn label(path: &[String]) -> String {
    for key in path.iter().rev() {
        let stem = match words(key).last() {
            Some(last) if is_id(last) => key.rfind(last).map_or("", |at| &key[..at]),
            _ => key,
        };
        let label = plain(stem, "");
        if !label.is_empty() {
            return label;
        }
    }
    plain(path.last().map_or("", String::as_str), "partition")
}

/// Columns that are given away, each once.
pub(super) struct Columns {
    /// With the number that the next path of the same column would get.
    taken: HashMap<String, usize>,
}

impl Default for Columns {
    fn default() -> Self {
        let own = PROVENANCE.iter().map(|(name, ..)| *name).chain([EXTRA]);
        Self { taken: own.map(|name| (name.to_owned(), 2)).collect() }
    }
}

impl Columns {
    /// The column of a path: its keys in upper case, with a number where another has that column.
    pub(super) fn take(&mut self, path: &[String]) -> String {
        let upper = path.join("_").to_ascii_uppercase();
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '$';
        let mut column: String = upper.chars().take(MAX_COLUMN).map(|c| if fits(c) { c } else { '_' }).collect();
        if !column.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') {
            column.insert(0, '_');
        }
        let mut free = column.clone();
        while self.taken.contains_key(&free) {
            let number = self.taken.entry(column.clone()).or_insert(2);
            free = format!("{column}_{number}");
            *number += 1;
        }
        self.taken.insert(free.clone(), 2);
        free
    }
}

/// The part of a table's name that a pipeline's name gives.
pub(super) fn table(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}
