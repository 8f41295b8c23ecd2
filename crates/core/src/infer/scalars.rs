//! The type that fits all scalars of a path.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::names::{counted, words};
use crate::json::{Json, Kind};
use crate::pipeline::{DataType, EpochUnit};
use crate::value::{self, Value};

const SECONDS: DataType = DataType::Epoch(EpochUnit::Seconds);
const MILLISECONDS: DataType = DataType::Epoch(EpochUnit::Milliseconds);

/// What numbers may turn out to be, and what strings may.
const OF_NUMBERS: [DataType; 4] = [DataType::Integer, DataType::Float, SECONDS, MILLISECONDS];
const OF_STRINGS: [DataType; 2] = [DataType::Timestamp, DataType::Date];

/// A key with one of these words names a moment.
const TIME_WORDS: [&str; 7] = ["time", "timestamp", "datetime", "date", "at", "ts", "epoch"];

/// A key with one of these words names an amount of money, which a float cannot hold.
const MONEY_WORDS: [&str; 10] =
    ["price", "amount", "total", "cost", "fee", "tax", "balance", "discount", "paid", "refund"];

/// Decimals of most currencies; producers leave zeros at the end out.
const USUAL_SCALE: usize = 2;

/// Digits that a decimal is given at least: room for larger values than the sample's.
const USUAL_PRECISION: usize = 18;

/// The scalars of one path.
#[derive(Debug, Default)]
pub(super) struct Scalars {
    n_booleans: usize,
    n_strings: usize,
    numbers: Numbers,
    /// Hashes of the values: one counts them, and nobody asks for them.
    distinct: HashSet<u64>,
    /// The types by which some value would be poison.
    refused: Vec<DataType>,
}

/// How the numbers of one path are written.
#[derive(Debug, Default)]
struct Numbers {
    n: usize,
    has_exponents: bool,
    /// Digits before the point, the most of them.
    n_whole: usize,
    /// How many have a point.
    n_fractions: usize,
    /// Digits behind the point where there is one: the fewest and the most.
    decimals: Option<(usize, usize)>,
}

impl Scalars {
    pub(super) fn len(&self) -> usize {
        self.n_booleans + self.n_strings + self.numbers.n
    }

    pub(super) fn n_distinct(&self) -> usize {
        self.distinct.len()
    }

    /// Adds a scalar.
    pub(super) fn add(&mut self, json: &Json<'_>) {
        let (text, candidates): (&str, &[DataType]) = match &json.kind {
            Kind::String(text) => {
                self.n_strings += 1;
                (text, &OF_STRINGS)
            }
            Kind::Number => {
                self.numbers.add(json.text);
                (json.text, &OF_NUMBERS)
            }
            _ => {
                self.n_booleans += 1;
                (json.text, &[])
            }
        };
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.distinct.insert(hasher.finish());
        for candidate in candidates {
            if !self.refused.contains(candidate) && !fits(json, *candidate) {
                self.refused.push(*candidate);
            }
        }
    }

    /// The type by which no value is poison, the narrowest that is sensible, and what is to be said about it.
    pub(super) fn data_type(&self, key: &str) -> (DataType, Option<String>) {
        let all = self.len();
        if self.numbers.n == all {
            return self.of_numbers(key);
        }
        if self.n_booleans == all {
            return (DataType::Boolean, None);
        }
        if self.n_strings == all {
            return (self.first_of(&OF_STRINGS).unwrap_or(DataType::String), None);
        }
        (DataType::String, Some("scalars of several types".to_owned()))
    }

    fn of_numbers(&self, key: &str) -> (DataType, Option<String>) {
        if names_one_of(&TIME_WORDS, key)
            && let Some(epoch) = self.first_of(&[SECONDS, MILLISECONDS])
        {
            return (epoch, None);
        }
        if self.numbers.n_fractions == 0 && !self.numbers.has_exponents {
            return match self.first_of(&[DataType::Integer]) {
                Some(integer) => (integer, None),
                None => (DataType::String, Some("integers of more than 38 digits".to_owned())),
            };
        }
        if let Some((decimal, scale)) = self.numbers.fixed() {
            return (decimal, Some(format!("always {} in the sample", counted(scale, "decimal"))));
        }
        if names_one_of(&MONEY_WORDS, key)
            && let Some((decimal, scale)) = self.numbers.money()
        {
            return (decimal, Some(format!("money: more than {} would be poison", counted(scale, "decimal"))));
        }
        match self.first_of(&[DataType::Float]) {
            Some(float) => (float, None),
            None => (DataType::String, Some("numbers beyond a double".to_owned())),
        }
    }

    fn first_of(&self, candidates: &[DataType]) -> Option<DataType> {
        candidates.iter().find(|candidate| !self.refused.contains(candidate)).copied()
    }
}

impl Numbers {
    fn add(&mut self, text: &str) {
        self.n += 1;
        let (mantissa, has_exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, _)) => (mantissa, true),
            None => (text, false),
        };
        self.has_exponents |= has_exponent;
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        self.n_whole = self.n_whole.max(whole.trim_start_matches('-').len());
        if let Some(fraction) = fraction {
            self.n_fractions += 1;
            let (least, most) = self.decimals.unwrap_or((fraction.len(), fraction.len()));
            self.decimals = Some((least.min(fraction.len()), most.max(fraction.len())));
        }
    }

    /// The decimal that holds them all, and its scale, when all are written with as many decimals. One digit is no choice of
    /// anybody's: the next value may well have two.
    fn fixed(&self) -> Option<(DataType, usize)> {
        let (scale, most) = self.decimals?;
        let is_fixed = scale == most && (2..=9).contains(&scale) && self.n_fractions == self.n && self.n >= 2;
        is_fixed.then(|| self.decimal(scale)).flatten()
    }

    /// The decimal that holds them all as money, and its scale.
    fn money(&self) -> Option<(DataType, usize)> {
        let (_, most) = self.decimals?;
        (most <= 9).then(|| self.decimal(most.max(USUAL_SCALE))).flatten()
    }

    fn decimal(&self, scale: usize) -> Option<(DataType, usize)> {
        let precision = USUAL_PRECISION.max(self.n_whole + scale);
        if precision > 38 || self.has_exponents {
            return None;
        }
        let decimal = DataType::Decimal { precision: precision.try_into().ok()?, scale: scale.try_into().ok()? };
        Some((decimal, scale))
    }
}

/// Whether the decoder takes a value by a type, and, of an epoch, whether it lies in this century: any number is
/// some moment.
fn fits(json: &Json<'_>, data_type: DataType) -> bool {
    match (value::typed(json, data_type), data_type) {
        (Ok(Value::Scalar(text)), DataType::Epoch(_)) => ("2000".."2100").contains(&text.get(..4).unwrap_or_default()),
        (cell, _) => cell.is_ok(),
    }
}

fn names_one_of(known: &[&str], key: &str) -> bool {
    words(key).iter().any(|word| known.iter().any(|known| known.eq_ignore_ascii_case(word)))
}
