//! The quantity of one event or of one contract term.

use crate::decimal::{excerpt, is_digits, is_whole, to_plain};
use crate::rational::Rational;
use ethnum::I256;
use std::fmt;
use std::str::FromStr;

/// Why a text or a number is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a number as JSON writes one.
    #[error("expected a number such as 12.5, found `{text}`")]
    NotANumber {
        /// The text, cut after 40 characters.
        text: String,
    },
    /// Beyond ±10^20.
    #[error("expected a quantity between -10^20 and 10^20, found a greater one")]
    TooLarge,
    /// More decimals than are kept.
    #[error("expected decimals up to the limit, which is `{decimals_max}`")]
    TooPrecise {
        /// The limit: 12.
        decimals_max: u32,
    },
}

/// An exact decimal quantity.
///
/// **Units**: of 10^-12 of the meter's unit, between −10^20 and 10^20 units.
///
/// **Examples**
/// ```
/// use money::{Quantity, QuantityError};
/// assert_eq!(Quantity::parse("1.50e2")?.to_string(), "150");
/// assert_eq!(Quantity::parse("1e400"), Err(QuantityError::TooLarge));
/// # Ok::<(), QuantityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

/// One unit.
const PICO_PER_UNIT: i128 = 1_000_000_000_000;
/// 10^20 units.
const PICO_MAX: i128 = 100_000_000_000_000_000_000 * PICO_PER_UNIT;
const DECIMALS_MAX: u32 = 12;
/// An exponent that no text is long enough to bring back into range.
const EXPONENT_LIMIT: i64 = 1_000_000_000_000_000;

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Quantity(0);
    /// One unit.
    pub const ONE: Self = Quantity(PICO_PER_UNIT);

    /// Reads a JSON number, exponent included, exactly.
    ///
    /// The time is linear in the length of the text, whatever the exponent says.
    ///
    /// **Errors**: [`QuantityError::NotANumber`] (also NaN, infinity, hexadecimal), [`QuantityError::TooLarge`],
    /// [`QuantityError::TooPrecise`]. Zeros at the end of a fraction are no precision.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        if let Some(units) = short_integer(text.as_bytes()) {
            return Ok(Quantity(i128::from(units) * PICO_PER_UNIT));
        }
        let number =
            Scientific::parse(text).ok_or_else(|| QuantityError::NotANumber { text: excerpt(text) })?;
        let pico = number.to_pico()?;
        Quantity::from_pico(if number.negative { -pico } else { pico })
    }

    /// A quantity in units of 10^-12.
    ///
    /// **Errors**: [`QuantityError::TooLarge`].
    pub fn from_pico(pico: i128) -> Result<Self, QuantityError> {
        if (-PICO_MAX..=PICO_MAX).contains(&pico) { Ok(Quantity(pico)) } else { Err(QuantityError::TooLarge) }
    }

    /// The quantity in units of 10^-12.
    pub fn pico(self) -> i128 {
        self.0
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The same value as a fraction.
    pub fn to_rational(self) -> Rational {
        crate::sum::Sum::ZERO.add(self).to_rational()
    }
}

/// A whole number of up to 18 digits without a sign: the common case.
fn short_integer(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    text.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

/// A JSON number taken apart.
struct Scientific<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Scientific<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        is_whole(whole).then_some(Scientific { negative, whole, fraction, exponent })
    }

    /// The absolute value in units of 10^-12.
    fn to_pico(&self) -> Result<i128, QuantityError> {
        let digits = || self.whole.bytes().chain(self.fraction.bytes());
        let is_zero = |digit: &u8| *digit == b'0';
        let length = digits().count();
        let leading = digits().take_while(is_zero).count();
        if leading == length {
            return Ok(0);
        }
        let trailing =
            self.fraction.bytes().rev().chain(self.whole.bytes().rev()).take_while(is_zero).count();
        let first_place = self.exponent + signed(self.whole.len())? - signed(leading)? - 1;
        let last_place = self.exponent - signed(self.fraction.len())? + signed(trailing)?;
        if first_place > 20 {
            return Err(QuantityError::TooLarge);
        }
        let zeros = last_place + i64::from(DECIMALS_MAX);
        let zeros =
            u32::try_from(zeros).map_err(|_| QuantityError::TooPrecise { decimals_max: DECIMALS_MAX })?;
        // First place ≤ 20 and last place ≥ −12: at most 33 digits, which 127 bits hold.
        let kept = digits().skip(leading).take(length - leading - trailing);
        let value = kept.fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        Ok(value * 10_i128.pow(zeros))
    }
}

/// The exponent; one beyond every limit is held at the limit, which decides the same way.
fn read_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !is_digits(digits) {
        return None;
    }
    let value = digits.bytes().fold(0_i64, |value, digit| {
        if value >= EXPONENT_LIMIT { EXPONENT_LIMIT } else { value * 10 + i64::from(digit - b'0') }
    });
    Some(if negative { -value } else { value })
}

/// A length of text; no memory holds one that does not fit.
fn signed(length: usize) -> Result<i64, QuantityError> {
    i64::try_from(length).map_err(|_| QuantityError::TooLarge)
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Quantity::parse(text)
    }
}

/// A plain decimal without an exponent.
impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&to_plain(I256::new(self.0), 12, 0))
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_exactly() {
        let check = |text: &str, expect: &str| {
            assert_eq!(Quantity::parse(text).unwrap().to_string(), expect, "{text}");
        };
        check("0", "0");
        check("-0", "0");
        check("-0.0e-99999999999999999999", "0");
        check("0e99999999999999999999", "0");
        check("1", "1");
        check("-1.5", "-1.5");
        check("1.50e2", "150");
        check("1E+2", "100");
        check("12e-1", "1.2");
        check("1e-12", "0.000000000001");
        check("10e-13", "0.000000000001");
        check("100000000000000000000", "100000000000000000000");
        check("-1e20", "-100000000000000000000");
        check("0.000000000000000000000000000001e30", "1");
        check("12345678901234567890.123456789012", "12345678901234567890.123456789012");
    }

    #[test]
    fn too_much() {
        let too_precise = QuantityError::TooPrecise { decimals_max: 12 };
        let check = |text: &str, expect: &QuantityError| {
            assert_eq!(Quantity::parse(text).as_ref(), Err(expect), "{text}");
        };
        check("1e400", &QuantityError::TooLarge);
        check("1e99999999999999999999999", &QuantityError::TooLarge);
        check("100000000000000000000.000000000001", &QuantityError::TooLarge);
        check("-100000000000000000001", &QuantityError::TooLarge);
        check("999999999999999999999", &QuantityError::TooLarge);
        check("1e-13", &too_precise);
        check("0.0000000000015", &too_precise);
        check("1e-99999999999999999999999", &too_precise);
        assert_eq!(Quantity::from_pico(PICO_MAX + 1), Err(QuantityError::TooLarge));
        assert_eq!(Quantity::from_pico(i128::MIN), Err(QuantityError::TooLarge));
    }

    #[test]
    fn not_a_number() {
        for text in
            ["", "-", "NaN", "nan", "inf", "Infinity", "-Infinity", "0x10", "1_000", "1,5", "+1", "01"]
        {
            assert!(matches!(Quantity::parse(text), Err(QuantityError::NotANumber { .. })), "{text}");
        }
        for text in [".5", "5.", "1e", "1e+", "e5", "1e5.0", "1e5e5", " 1", "1 ", "1\n", "٣", "--1", "\"1\""]
        {
            assert!(matches!(Quantity::parse(text), Err(QuantityError::NotANumber { .. })), "{text}");
        }
    }

    #[test]
    fn long_texts_are_read_in_bounded_time() {
        let many = "9".repeat(100_000);
        let zeros = "0".repeat(100_000);
        assert_eq!(Quantity::parse(&many), Err(QuantityError::TooLarge));
        assert_eq!(Quantity::parse(&format!("1.{zeros}")), Ok(Quantity::ONE));
        assert_eq!(Quantity::parse(&format!("1{zeros}e-100000")), Ok(Quantity::ONE));
        assert_eq!(Quantity::parse(&format!("0.{zeros}1e100001")), Ok(Quantity::ONE));
        let error = Quantity::parse(&format!("{many}x")).unwrap_err();
        assert!(error.to_string().len() < 200);
    }
}
