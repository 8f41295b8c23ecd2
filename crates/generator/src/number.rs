//! `random.number`

use crate::decimal::Decimal;
use crate::error::Fault;
use crate::json;
use crate::random::Random;

const EXAMPLE: &str = "write random.number(50) or random.number({\"min\":10,\"max\":150,\"precision\":1})";

/// A random number: the multiples of `precision` from `min` to `max`, both included, each as likely as the other.
///
/// As in KDG, one number is `max`, and what is left out is 0, 99999 and 1. Other than in KDG, a negative `max` is
/// included too, and a bound that is no multiple of `precision` is never overstepped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    /// The smallest multiple.
    first: i128,
    n_multiples: u128,
    precision: Decimal,
}

impl Number {
    pub(crate) fn new(argument: &str) -> Result<Self, Fault> {
        let mut min = Decimal::ZERO;
        let mut max = Decimal { units: 99_999, scale: 0 };
        let mut precision = Decimal { units: 1, scale: 0 };
        if argument.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
            max = Decimal::parse(argument, "the argument")?;
        } else {
            let options = json::object(argument)
                .ok_or_else(|| Fault::new("the argument is neither a number nor an object", EXAMPLE))?;
            for (key, value) in options {
                let option = match key.as_str() {
                    "min" => &mut min,
                    "max" => &mut max,
                    "precision" => &mut precision,
                    _ => return Err(Fault::new(format!("there is no option \"{key}\""), EXAMPLE)),
                };
                *option = Decimal::parse(value, &format!("\"{key}\""))?;
            }
        }
        Self::between(min, max, precision)
    }

    fn between(min: Decimal, max: Decimal, precision: Decimal) -> Result<Self, Fault> {
        let scale = min.scale.max(max.scale).max(precision.scale);
        let units = precision.at_scale(scale)?;
        if units <= 0 {
            return Err(Fault::new("\"precision\" is not above 0", "write 1 for whole numbers, 0.01 for two digits"));
        }
        // Euclidean division by a positive number rounds down; of the negated number, negated, it rounds up.
        let first = -(-min.at_scale(scale)?).div_euclid(units);
        let last = max.at_scale(scale)?.div_euclid(units);
        if first > last {
            let mut what = "no multiple of ".to_owned();
            precision.write(&mut what);
            what.push_str(" lies between ");
            min.write(&mut what);
            what.push_str(" and ");
            max.write(&mut what);
            return Err(Fault::new(what, "write a \"max\" above \"min\"; left out, they are 99999 and 0"));
        }
        Ok(Self { first, n_multiples: last.abs_diff(first) + 1, precision: Decimal { units, scale } })
    }

    pub(crate) fn render(&self, random: &mut Random, record: &mut String) {
        // No overflow: the sum lies between two numbers whose products with the precision were below the limit.
        let multiple = self.first.saturating_add_unsigned(random.below(self.n_multiples));
        let units = multiple.saturating_mul(self.precision.units);
        Decimal { units, ..self.precision }.write(record);
    }
}
