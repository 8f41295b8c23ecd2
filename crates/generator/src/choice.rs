//! `random.arrayElement` and `random.weightedArrayElement`

use crate::decimal::Decimal;
use crate::error::Fault;
use crate::json;
use crate::random::Random;

const EXAMPLE: &str = "write random.arrayElement([\"OK\",\"FAIL\",\"WARN\"])";
const WEIGHTED_EXAMPLE: &str =
    "write random.weightedArrayElement({\"weights\":[0.8,0.1,0.1],\"data\":[\"OK\",\"FAIL\",\"WARN\"]})";

/// One of several texts, by weight.
///
/// Weights are exact and need not sum to 1. KDG rounds their running sum to two digits, so that a weight of 0.004
/// may never be drawn there; here it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    elements: Vec<String>,
    /// For each element, the sum of the weights up to and including its own.
    sums: Vec<u128>,
}

impl Choice {
    /// Of an array: each element is as likely as the other.
    pub(crate) fn even(argument: &str) -> Result<Self, Fault> {
        let elements = json::array(argument).ok_or_else(|| Fault::new("the argument is not an array", EXAMPLE))?;
        let weights = vec![1; elements.len()];
        Self::of(&elements, &weights, EXAMPLE)
    }

    /// Of an object with two arrays, `weights` and `data`.
    pub(crate) fn weighted(argument: &str) -> Result<Self, Fault> {
        let fault = |what: &str| Fault::new(what, WEIGHTED_EXAMPLE);
        let options = json::object(argument).ok_or_else(|| fault("the argument is not an object"))?;
        if let Some(key) = options.keys().find(|key| !["weights", "data"].contains(&key.as_str())) {
            return Err(fault(&format!("there is no option \"{key}\"")));
        }
        let array = |key: &str| options.get(key).and_then(|value| json::array(value));
        let elements = array("data").ok_or_else(|| fault("there is no array \"data\""))?;
        let weights = array("weights").ok_or_else(|| fault("there is no array \"weights\""))?;
        if elements.len() != weights.len() {
            let (n_weights, n_elements) = (weights.len(), elements.len());
            let what = format!("\"weights\" has {n_weights} elements and \"data\" {n_elements}");
            return Err(Fault::new(what, "write one weight for each"));
        }
        let weights: Vec<_> =
            weights.into_iter().map(|weight| Decimal::parse(weight, "a weight")).collect::<Result<_, _>>()?;
        let scale = weights.iter().map(|weight| weight.scale).max().unwrap_or(0);
        let mut units = Vec::with_capacity(weights.len());
        for weight in weights {
            let weight = u128::try_from(weight.at_scale(scale)?);
            units.push(weight.map_err(|_| Fault::new("a weight is negative", "write 0 for what is never drawn"))?);
        }
        Self::of(&elements, &units, WEIGHTED_EXAMPLE)
    }

    fn of(elements: &[&str], weights: &[u128], example: &str) -> Result<Self, Fault> {
        if elements.is_empty() {
            return Err(Fault::new("there are no elements to choose from", example));
        }
        let mut sum = 0_u128;
        let mut sums = Vec::with_capacity(weights.len());
        for weight in weights {
            sum = sum.saturating_add(*weight);
            sums.push(sum);
        }
        if sum == 0 {
            return Err(Fault::new("the weights sum to 0", "write a weight above 0 for one of them"));
        }
        let elements = elements.iter().map(|element| json::element(element)).collect::<Result<_, _>>()?;
        Ok(Self { elements, sums })
    }

    pub(crate) fn render(&self, random: &mut Random, record: &mut String) {
        let drawn = random.below(self.sums.last().copied().unwrap_or(0));
        let index = self.sums.partition_point(|sum| *sum <= drawn);
        if let Some(element) = self.elements.get(index) {
            record.push_str(element);
        }
    }
}
