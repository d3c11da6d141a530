//! The one rounding function.

use crate::amount::Amount;
use crate::currency::Currency;
use crate::decimal::{excerpt, magnitude, power_of_ten};
use crate::rational::{NumberError, Rational};
use ethnum::{I256, U256};
use std::fmt;
use std::str::FromStr;

/// What happens to the digits that are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rounding {
    /// To the nearest, a half away from zero: 0.125 → 0.13, −0.125 → −0.13.
    #[default]
    HalfAwayFromZero,
    /// To the nearest, a half to the even digit: 0.125 → 0.12, 0.135 → 0.14.
    HalfEven,
    /// Away from zero: 0.121 → 0.13, −0.121 → −0.13.
    Up,
    /// Towards zero: 0.129 → 0.12, −0.129 → −0.12.
    Down,
}

/// A text that names no rounding mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected half_away_from_zero, half_even, up or down, found `{text}`")]
pub struct RoundingError {
    /// The text, cut after 40 characters.
    pub text: String,
}

impl Rounding {
    /// All modes.
    pub const ALL: [Rounding; 4] =
        [Rounding::HalfAwayFromZero, Rounding::HalfEven, Rounding::Up, Rounding::Down];

    /// The name in configuration and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Rounding::HalfAwayFromZero => "half_away_from_zero",
            Rounding::HalfEven => "half_even",
            Rounding::Up => "up",
            Rounding::Down => "down",
        }
    }

    /// Reads a name.
    ///
    /// **Errors**: [`RoundingError`].
    pub fn parse(text: &str) -> Result<Self, RoundingError> {
        let found = Rounding::ALL.into_iter().find(|mode| mode.as_str() == text);
        found.ok_or_else(|| RoundingError { text: excerpt(text) })
    }
}

impl FromStr for Rounding {
    type Err = RoundingError;

    fn from_str(text: &str) -> Result<Self, RoundingError> {
        Rounding::parse(text)
    }
}

impl fmt::Display for Rounding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// An amount and what rounding did to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounded {
    /// What is owed.
    pub amount: Amount,
    /// Rounded − exact, in major units: positive where the customer pays more than the exact charge.
    pub residue: Rational,
}

/// Rounds an exact charge to the minor unit of a currency.
///
/// **Units**: major units in, minor units in the amount.
///
/// **Rounding**: by `mode`; the residue keeps what it did, exactly.
///
/// **Errors**: [`NumberError::Overflow`] beyond 127 bits of minor units.
///
/// **Source**: ADR 0002.
///
/// **Examples**
/// ```
/// use money::{Currency, NumberError, Rational, Rounding, round};
/// let jpy = Currency::parse("JPY").unwrap();
/// let half = round(Rational::parse("-100.5")?, jpy, Rounding::HalfAwayFromZero)?;
/// assert_eq!((half.amount.minor(), half.residue.to_string().as_str()), (-101, "-0.5"));
/// let huge = Rational::from_integer(i128::MAX).checked_mul(Rational::from_integer(2))?;
/// assert_eq!(round(huge, jpy, Rounding::Down), Err(NumberError::Overflow));
/// # Ok::<(), NumberError>(())
/// ```
pub fn round(exact: Rational, currency: Currency, mode: Rounding) -> Result<Rounded, NumberError> {
    let scaled = round_scaled(exact, currency.exponent(), mode)?;
    let amount = Amount::from_wide(scaled, currency).ok_or(NumberError::Overflow)?;
    Ok(Rounded { amount, residue: amount.to_rational().checked_sub(exact)? })
}

/// Rounds to a number of decimals: for a derived price that declares its own.
///
/// **Rounding**: by `mode`.
///
/// **Errors**: [`NumberError::Overflow`], also for more than 76 decimals.
///
/// **Examples**
/// ```
/// use money::{NumberError, Rational, Rounding, round_decimals};
/// let third = Rational::new(1, 3)?;
/// assert_eq!(round_decimals(third, 4, Rounding::Up)?.to_string(), "0.3334");
/// assert_eq!(round_decimals(third, 77, Rounding::Up), Err(NumberError::Overflow));
/// # Ok::<(), NumberError>(())
/// ```
pub fn round_decimals(exact: Rational, decimals: u32, mode: Rounding) -> Result<Rational, NumberError> {
    let scale = power_of_ten(decimals).ok_or(NumberError::Overflow)?;
    Rational::from_parts(round_scaled(exact, decimals, mode)?, scale)
}

/// The rounded number times ten to `decimals`.
fn round_scaled(exact: Rational, decimals: u32, mode: Rounding) -> Result<I256, NumberError> {
    let scale = power_of_ten(decimals).ok_or(NumberError::Overflow)?;
    let scaled = exact.checked_mul(Rational::from_wide(scale)?)?;
    let (top, bottom) = (magnitude(scaled.numerator), magnitude(scaled.denominator));
    let (whole, rest) = (top / bottom, top % bottom);
    let whole = if is_away(whole, rest, bottom, mode) {
        whole.checked_add(U256::ONE).ok_or(NumberError::Overflow)?
    } else {
        whole
    };
    let whole = I256::try_from(whole).map_err(|_| NumberError::Overflow)?;
    Ok(if scaled.is_negative() { -whole } else { whole })
}

/// Whether `whole + rest/bottom` goes away from zero, to `whole + 1`.
fn is_away(whole: U256, rest: U256, bottom: U256, mode: Rounding) -> bool {
    // Twice the rest might not fit; its distance to the next whole number does.
    let against_half = rest.cmp(&(bottom - rest));
    match mode {
        Rounding::Down => false,
        Rounding::Up => rest != U256::ZERO,
        Rounding::HalfAwayFromZero => against_half.is_ge(),
        Rounding::HalfEven => against_half.is_gt() || (against_half.is_eq() && whole % 2 == 1),
    }
}
