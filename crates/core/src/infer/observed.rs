//! What a sample holds at each path.

use std::collections::HashMap;

use super::names::counted;
use super::scalars::Scalars;
use crate::json::{Json, Kind};
use crate::pipeline::DataType;

/// An object of more different keys than this is a map: its keys are data, not names.
const MAX_KEYS: usize = 30;

/// A field's path has at most so many keys; an object that lies deeper is a variant.
const MAX_LEVELS: usize = 4;

/// As few distinct values as this are worth a comment.
const FEW_VALUES: usize = 10;

/// What the sample holds at one path.
#[derive(Debug, Default)]
pub(super) struct Observed {
    n_arrays: usize,
    n_objects: usize,
    scalars: Scalars,
    members: Members,
}

/// The keys of the objects at one path, in the order of their first appearance.
#[derive(Debug, Default)]
struct Members {
    list: Vec<(String, Observed)>,
    places: HashMap<String, usize>,
    /// There were more than [`MAX_KEYS`], and they are forgotten.
    is_map: bool,
}

/// A path that becomes a field.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The keys that lead to it, outermost first.
    pub(super) path: Vec<String>,
    /// What every value of it is.
    pub(super) data_type: DataType,
    /// In how many documents it has a value that is not null.
    pub(super) n_values: usize,
    /// How many different scalars it has.
    pub(super) n_distinct: usize,
    /// What is to be said about the type.
    remark: Option<String>,
}

impl Observed {
    /// Adds one document's value at this path, `level` keys below the document.
    pub(super) fn add(&mut self, json: &Json<'_>, level: usize) {
        match &json.kind {
            Kind::Null => {}
            Kind::Array => self.n_arrays += 1,
            Kind::Object(members) => {
                self.n_objects += 1;
                if level < MAX_LEVELS {
                    let max_keys = if level == 0 { usize::MAX } else { MAX_KEYS };
                    members.iter().for_each(|(key, value)| self.members.add(key, value, level + 1, max_keys));
                }
            }
            Kind::Bool(_) | Kind::Number | Kind::String(_) => self.scalars.add(json),
        }
    }

    /// The fields that the document at this path comes to, in column order: an object's own in its place.
    pub(super) fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.members.list.iter().for_each(|(key, member)| member.push_leaves(&mut vec![key.clone()], &mut leaves));
        leaves
    }

    fn push_leaves(&self, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
        let is_object = self.n_objects > 0 && self.n_objects == self.n_values();
        if is_object && !self.members.list.is_empty() {
            for (key, member) in &self.members.list {
                path.push(key.clone());
                member.push_leaves(path, leaves);
                path.pop();
            }
            return;
        }
        let (data_type, remark) = self.data_type(path);
        let (n_values, n_distinct) = (self.n_values(), self.scalars.n_distinct());
        leaves.push(Leaf { path: path.clone(), data_type, n_values, n_distinct, remark });
    }

    fn n_values(&self) -> usize {
        self.n_arrays + self.n_objects + self.scalars.len()
    }

    fn data_type(&self, path: &[String]) -> (DataType, Option<String>) {
        let remark = match (self.n_objects, self.n_arrays, self.scalars.len()) {
            (0, 0, 0) => "always null in the sample: give it a type",
            (0, 0, _) => return self.scalars.data_type(path.last().map_or("", String::as_str)),
            (_, 0, 0) if self.members.is_map => "an object of more than 30 different keys",
            (_, 0, 0) if path.len() >= MAX_LEVELS => "an object below 4 levels",
            (_, 0, 0) => "an object, empty in the sample",
            (0, _, 0) => "an array",
            _ => "an object, an array or a scalar: not the same in all documents",
        };
        (DataType::Variant, Some(remark.to_owned()))
    }
}

impl Members {
    fn add(&mut self, key: &str, value: &Json<'_>, level: usize, max_keys: usize) {
        if self.is_map {
            return;
        }
        let place = match self.places.get(key) {
            Some(place) => *place,
            None if self.list.len() == max_keys => {
                *self = Self { is_map: true, ..Self::default() };
                return;
            }
            None => {
                self.places.insert(key.to_owned(), self.list.len());
                self.list.push((key.to_owned(), Observed::default()));
                self.list.len() - 1
            }
        };
        self.list[place].1.add(value, level);
    }
}

impl Leaf {
    /// What is worth saying about the field, for a comment; it holds nothing of the documents' own.
    pub(super) fn comment(&self, n_documents: usize) -> Option<String> {
        let mut parts: Vec<String> = self.remark.iter().cloned().collect();
        let repeats = self.n_values >= 2 * self.n_distinct;
        let counts = matches!(self.data_type, DataType::Integer | DataType::String);
        if counts && repeats && self.n_distinct <= FEW_VALUES {
            parts.push(counted(self.n_distinct, "distinct value"));
        }
        if (1..n_documents).contains(&self.n_values) {
            parts.push(format!("missing or null in {} of {n_documents} documents", n_documents - self.n_values));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
