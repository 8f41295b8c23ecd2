//! Decimal numbers without floats.

use crate::error::Fault;

/// 10^37, which i128 holds with room for the sums and products made of it.
const LIMIT: u128 = 10_u128.pow(37);

/// A decimal number: `units` of 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) units: i128,
    pub(crate) scale: u32,
}

impl Decimal {
    pub(crate) const ZERO: Self = Self { units: 0, scale: 0 };

    /// Reads a JSON number, `what` being its name in messages.
    pub(crate) fn parse(text: &str, what: &str) -> Result<Self, Fault> {
        if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Err(Fault::new(format!("{what} is {text}"), "write a number"));
        }
        Self::of_number(text)
            .ok_or_else(|| Fault::new(format!("{what} is {text}"), "write a number of at most 37 digits"))
    }

    fn of_number(text: &str) -> Option<Self> {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
        let (text, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let units: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent.parse().ok()?)?;
        let shift = 10_i128.checked_pow(u32::try_from(scale.min(0).unsigned_abs()).ok()?)?;
        let number = Self { units: sign * units.checked_mul(shift)?, scale: u32::try_from(scale.max(0)).ok()? };
        (number.units.unsigned_abs() < LIMIT && number.scale <= 37).then_some(number)
    }

    /// The number in units of 10^-`scale`, a scale not below its own.
    pub(crate) fn at_scale(self, scale: u32) -> Result<i128, Fault> {
        let units =
            10_i128.checked_pow(scale.saturating_sub(self.scale)).and_then(|shift| self.units.checked_mul(shift));
        units
            .filter(|units| units.unsigned_abs() < LIMIT)
            .ok_or_else(|| Fault::new("the numbers have more than 37 digits between them", "write fewer digits"))
    }

    /// Writes the number as JSON does and JavaScript too: no trailing zeros.
    pub(crate) fn write(self, record: &mut String) {
        if self.scale == 0 {
            record.push_str(&self.units.to_string());
            return;
        }
        let width = self.scale as usize + 1;
        let digits = format!("{:0width$}", self.units.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        let fraction = fraction.trim_end_matches('0');
        if self.units < 0 {
            record.push('-');
        }
        record.push_str(whole);
        if !fraction.is_empty() {
            record.push('.');
            record.push_str(fraction);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let written = Decimal::parse(text, "it").ok().map(|number| {
            let mut written = String::new();
            number.write(&mut written);
            written
        });

        assert_eq!(written.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_number_comes_back_as_the_number_it_was() {
        check("0", Some("0"));
        check("-0", Some("0"));
        check("-0.0", Some("0"));
        check("9007199254740993", Some("9007199254740993"));
        check("9999999999999999999999999999999999999", Some("9999999999999999999999999999999999999"));
        check("99999999999999999999999999999999999999", None);
        check("0.5", Some("0.5"));
        check("-0.05", Some("-0.05"));
        check("12.340", Some("12.34"));
        check("1e3", Some("1000"));
        check("1.5E1", Some("15"));
        check("25e-3", Some("0.025"));
        check("1e38", None);
        check("1e-38", None);
        check("1e99999999999999999999", None);
        check("\"5\"", None);
        check("null", None);
    }
}
