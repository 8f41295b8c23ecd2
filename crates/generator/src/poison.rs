//! Spoiling records, so that one sees what becomes of poison.

use std::fmt;

use landfall_core::Pipeline;
use landfall_core::pipeline::{DataType, Field};

use crate::edit::edit;
use crate::json;
use crate::random::{Purpose, Random};

/// In how many steps a share is measured: what a double holds exactly.
const N_STEPS: u64 = 1 << 53;

/// How a record is spoiled, and why nothing good can remain in it.
///
/// A spoiled record holds one document at most, and documents are read from the record's start. So it is enough
/// that this document is poison, or that it never ends: there is nothing before it, and nothing after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PoisonKind {
    /// The document stops in the middle. An object ends with its last byte, so no shorter part of it, read from
    /// its start, is JSON.
    CutInHalf,
    /// A required field is removed. Applies to every pipeline: the partitioning field is always required.
    MissingField,
    /// An integer field is 64.5, which no lossless coercion makes an integer.
    Fraction,
    /// An integer field has 50 digits, the first of them not 0, where NUMBER(38,0) holds 38.
    TooManyDigits,
    /// The byte 0xFF, which UTF-8 never contains, follows the record's first quotation mark: it stands in the first
    /// key. A document with a value has a key, so there is none before it.
    InvalidUtf8,
}

impl PoisonKind {
    const ALL: [Self; 5] =
        [Self::CutInHalf, Self::MissingField, Self::Fraction, Self::TooManyDigits, Self::InvalidUtf8];
}

impl fmt::Display for PoisonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutInHalf => "cut in half",
            Self::MissingField => "required field missing",
            Self::Fraction => "fraction for an integer",
            Self::TooManyDigits => "integer of 50 digits",
            Self::InvalidUtf8 => "invalid UTF-8",
        })
    }
}

/// A record that is certainly poison for its pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoiled {
    /// What was done to it.
    pub kind: PoisonKind,
    /// Its bytes.
    pub record: Vec<u8>,
}

/// Spoils a share of the records of a pipeline, deterministically.
#[derive(Debug, Clone)]
pub struct Poisoner {
    kinds: Vec<PoisonKind>,
    required: Vec<Vec<String>>,
    integers: Vec<Vec<String>>,
    random: Random,
    /// How many of [`N_STEPS`] draws spoil a record.
    n_spoiling: u128,
}

impl Poisoner {
    /// A poisoner that spoils `share` of the records: 0.01 is one in a hundred, 0 none, 1 and more all of them.
    ///
    /// Its random numbers have nothing to do with a [`Generator`](crate::Generator)'s of the same seed.
    pub fn new(pipeline: &Pipeline, seed: u64, share: f64) -> Self {
        let paths = |wanted: fn(&Field) -> bool| -> Vec<Vec<String>> {
            pipeline.fields.iter().filter(|field| wanted(field)).map(|field| field.path.clone()).collect()
        };
        let required = paths(|field| field.required);
        let integers = paths(|field| field.data_type == DataType::Integer);
        let kinds = PoisonKind::ALL.into_iter().filter(|kind| match kind {
            PoisonKind::Fraction | PoisonKind::TooManyDigits => !integers.is_empty(),
            PoisonKind::CutInHalf | PoisonKind::MissingField | PoisonKind::InvalidUtf8 => true,
        });
        Self {
            kinds: kinds.collect(),
            required,
            integers,
            random: Random::new(seed, Purpose::Poison),
            // A cast of a float saturates, and makes 0 of NaN.
            n_spoiling: (share * N_STEPS as f64) as u128,
        }
    }

    /// The kinds that apply to the pipeline.
    pub fn kinds(&self) -> &[PoisonKind] {
        &self.kinds
    }

    /// Draws whether a record is spoiled, and by which kind. `None`: leave it as it is.
    pub fn spoil(&mut self, record: &[u8]) -> Option<Spoiled> {
        if self.random.below(u128::from(N_STEPS)) >= self.n_spoiling {
            return None;
        }
        let kind = *self.random.pick(&self.kinds)?;
        Some(self.spoil_as(kind, record))
    }

    /// Spoils a record by one kind.
    ///
    /// A record that begins with an object becomes that object, spoiled; what follows is dropped, lest it be good.
    /// Another record (an array, a text that is not JSON) has no field to spoil: it is cut at its first quotation
    /// mark and becomes [`PoisonKind::InvalidUtf8`], as it does when the pipeline lacks a field for the kind.
    pub fn spoil_as(&mut self, kind: PoisonKind, record: &[u8]) -> Spoiled {
        let Some(object) = json::first_object(record) else {
            let first_quote = record.iter().position(|byte| *byte == b'"');
            return invalid_utf8(&record[..first_quote.map_or(record.len(), |quote| quote + 1)]);
        };
        let edited = match kind {
            PoisonKind::CutInHalf => Some(object[..object.floor_char_boundary(object.len() / 2)].to_owned()),
            PoisonKind::MissingField => self.random.pick(&self.required).and_then(|path| edit(object, path, None)),
            PoisonKind::Fraction => self.random.pick(&self.integers).and_then(|path| edit(object, path, Some("64.5"))),
            PoisonKind::TooManyDigits => {
                let digits = self.fifty_digits();
                self.random.pick(&self.integers).and_then(|path| edit(object, path, Some(&digits)))
            }
            PoisonKind::InvalidUtf8 => None,
        };
        let Some(mut edited) = edited else { return invalid_utf8(object.as_bytes()) };
        if kind != PoisonKind::CutInHalf {
            edited.push('\n');
        }
        Spoiled { kind, record: edited.into_bytes() }
    }

    fn fifty_digits(&mut self) -> String {
        let tail = 10_u128.pow(25);
        let head = tail / 10 + self.random.below(tail - tail / 10);
        format!("{head}{:025}", self.random.below(tail))
    }
}

fn invalid_utf8(document: &[u8]) -> Spoiled {
    let after_quote = document.iter().position(|byte| *byte == b'"').map_or(document.len(), |quote| quote + 1);
    let (before, after) = document.split_at(after_quote);
    Spoiled { kind: PoisonKind::InvalidUtf8, record: [before, b"\xff", after, b"\n"].concat() }
}
