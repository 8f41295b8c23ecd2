//! Numbers by their text: no value passes through a float.

use super::shown;

/// Digits that NUMBER holds at most.
const MAX_DIGITS: usize = 38;

/// A number as significant digits and a power of ten: `-12.50` is `-`, `125`, -1.
pub(super) struct Number<'a> {
    negative: bool,
    digits: String,
    exponent: i64,
    /// The text, if it has no exponent.
    plain: Option<&'a str>,
}

impl<'a> Number<'a> {
    /// `None` when `text` is no number by JSON's grammar.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole) || leading_zero || fraction.is_some_and(|fraction| !digits(fraction)) {
            return None;
        }
        let power = match exponent {
            None => 0,
            Some(exponent) if digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) => {
                // What overflows is far out of any range; the sign says on which side.
                exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 })
            }
            Some(_) => return None,
        };
        let fraction = fraction.unwrap_or_default();
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        let n_trailing = (significant.len() - digits.len()) as i64;
        let exponent_of_last = (power.clamp(i64::MIN / 4, i64::MAX / 4)) - fraction.len() as i64 + n_trailing;
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent: exponent_of_last,
            plain: exponent.is_none().then_some(text),
        })
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Digits before the point.
    fn n_whole(&self) -> usize {
        if self.is_zero() { 0 } else { usize::try_from(self.digits.len() as i64 + self.exponent).unwrap_or(0) }
    }

    /// Digits after the point.
    fn n_fraction(&self) -> usize {
        if self.is_zero() { 0 } else { usize::try_from(-self.exponent).unwrap_or(0) }
    }

    /// The number times `10^power`, if that is whole.
    ///
    /// # Errors
    /// Which of the two it is: with digits behind the point still, or of more digits than NUMBER holds.
    pub(super) fn scaled(&self, power: u8) -> Result<i128, Unscalable> {
        if self.is_zero() {
            return Ok(0);
        }
        let zeros = self.exponent + i64::from(power);
        let zeros = usize::try_from(zeros).map_err(|_| Unscalable::Fraction)?;
        if self.digits.len() + zeros > MAX_DIGITS {
            return Err(Unscalable::Large);
        }
        let digits = format!("{}{}", self.digits, "0".repeat(zeros));
        let size: i128 = digits.parse().map_err(|_| Unscalable::Large)?;
        Ok(if self.negative { -size } else { size })
    }

    /// Without an exponent. Call it only when the digits are known to be few.
    fn to_plain(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let sign = if self.negative { "-" } else { "" };
        if self.exponent >= 0 {
            return format!("{sign}{}{}", self.digits, "0".repeat(self.n_whole() - self.digits.len()));
        }
        let padded = format!("{:0>width$}", self.digits, width = self.n_fraction() + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.n_fraction());
        format!("{sign}{whole}.{fraction}")
    }
}

/// Why a number times a power of ten is no integer of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unscalable {
    /// It has digits behind the point.
    Fraction,
    /// It has more than 38 digits.
    Large,
}

/// A whole number of at most 38 digits, without point and exponent.
pub(super) fn integer(text: &str) -> Result<String, String> {
    let number = Number::parse(text).ok_or_else(|| format!("is {}, which is no integer", shown(&quoted(text))))?;
    if number.n_fraction() > 0 {
        return Err(format!("is {}, which is no integer", shown(text)));
    }
    if number.n_whole() > MAX_DIGITS {
        return Err(format!("has {} digits, more than the {MAX_DIGITS} of a NUMBER(38,0)", number.n_whole()));
    }
    Ok(number.to_plain())
}

/// A number that fits NUMBER(precision, scale) without rounding, as it was written where that fits.
pub(super) fn decimal(text: &str, precision: u8, scale: u8) -> Result<String, String> {
    let number = Number::parse(text).ok_or_else(|| format!("is {}, which is no number", shown(&quoted(text))))?;
    let (precision, scale) = (usize::from(precision), usize::from(scale));
    if number.n_whole() > precision - scale || number.n_fraction() > scale {
        return Err(format!("is {}, which does not fit decimal({precision},{scale}) without rounding", shown(text)));
    }
    let n_written = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    Ok(match number.plain {
        Some(plain) if n_written(plain) <= scale => plain.to_owned(),
        _ => number.to_plain(),
    })
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A number within the range of a double, as it was written.
pub(super) fn float(text: &str) -> Option<String> {
    Number::parse(text)?;
    let value: f64 = text.parse().ok()?;
    value.is_finite().then(|| text.to_owned())
}
