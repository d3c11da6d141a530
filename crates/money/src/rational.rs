//! Exact fractions.

use crate::decimal::magnitude;
use crate::gcd::gcd;
use ethnum::{I256, U256};
use std::cmp::Ordering;

/// What can go wrong with exact numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The exact result needs more than 256 bits.
    #[error("expected a number that 256 bits hold exactly, the result is wider")]
    Overflow,
    /// A fraction over zero.
    #[error("expected a divisor other than `0`")]
    DivisionByZero,
    /// Text that is neither a decimal nor a fraction.
    #[error("expected a decimal such as 12.5 or a fraction such as 10/31, found `{text}`")]
    Syntax {
        /// The text, cut after 40 characters.
        text: String,
    },
}

/// An exact fraction: 17 days of 31 are `17/31`, which no decimal says.
///
/// It is always reduced and its denominator is positive, so equality, order and hash are those of the value.
///
/// **Errors**: [`NumberError::Overflow`] where numerator or denominator would leave ±(2^255 − 1).
///
/// **Examples**
/// ```
/// use money::{NumberError, Rational};
/// let third = Rational::new(10, 30)?;
/// assert_eq!(third.to_string(), "1/3");
/// assert_eq!(third.checked_mul(Rational::from_integer(6))?.to_string(), "2");
/// assert_eq!(third.checked_div(Rational::ZERO), Err(NumberError::DivisionByZero));
/// # Ok::<(), NumberError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rational {
    pub(crate) numerator: I256,
    pub(crate) denominator: I256,
}

impl Rational {
    /// Zero.
    pub const ZERO: Self = Rational { numerator: I256::ZERO, denominator: I256::ONE };
    /// One.
    pub const ONE: Self = Rational { numerator: I256::ONE, denominator: I256::ONE };

    /// A whole number.
    pub fn from_integer(value: i128) -> Self {
        Rational { numerator: I256::new(value), denominator: I256::ONE }
    }

    /// `numerator / denominator`, reduced.
    ///
    /// **Errors**: [`NumberError::DivisionByZero`].
    pub fn new(numerator: i128, denominator: i128) -> Result<Self, NumberError> {
        Rational::from_parts(I256::new(numerator), I256::new(denominator))
    }

    /// Reduces any fraction to the one form that this type allows.
    pub(crate) fn from_parts(numerator: I256, denominator: I256) -> Result<Self, NumberError> {
        if denominator == I256::ZERO {
            return Err(NumberError::DivisionByZero);
        }
        if numerator == I256::ZERO {
            return Ok(Rational::ZERO);
        }
        let common = gcd(magnitude(numerator), magnitude(denominator));
        let negative = numerator.is_negative() != denominator.is_negative();
        let top = narrow(magnitude(numerator) / common)?;
        let bottom = narrow(magnitude(denominator) / common)?;
        Ok(Rational { numerator: if negative { -top } else { top }, denominator: bottom })
    }

    /// A whole number, refused at the one value that has no negative.
    pub(crate) fn from_wide(value: I256) -> Result<Self, NumberError> {
        if value == I256::MIN { Err(NumberError::Overflow) } else { Ok(whole(value)) }
    }

    /// The exact sum.
    ///
    /// **Errors**: [`NumberError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, NumberError> {
        if self.denominator == other.denominator {
            let top = self.numerator.checked_add(other.numerator).ok_or(NumberError::Overflow)?;
            if self.denominator == I256::ONE {
                return Rational::from_wide(top);
            }
            return Rational::from_parts(top, self.denominator);
        }
        // With g = gcd of the denominators only g can still be shared with the sum's numerator.
        let common = narrow(gcd(magnitude(self.denominator), magnitude(other.denominator)))?;
        let left = other.denominator / common;
        let right = self.denominator / common;
        let top = multiply(self.numerator, left)?
            .checked_add(multiply(other.numerator, right)?)
            .ok_or(NumberError::Overflow)?;
        let shared = narrow(gcd(magnitude(top), magnitude(common)))?;
        let bottom = multiply(right, other.denominator / shared)?;
        let top = Rational::from_wide(top / shared)?.numerator;
        if top == I256::ZERO {
            return Ok(Rational::ZERO);
        }
        Ok(Rational { numerator: top, denominator: bottom })
    }

    /// The exact difference.
    ///
    /// **Errors**: [`NumberError::Overflow`].
    pub fn checked_sub(self, other: Self) -> Result<Self, NumberError> {
        self.checked_add(other.neg())
    }

    /// The exact product.
    ///
    /// **Errors**: [`NumberError::Overflow`].
    pub fn checked_mul(self, other: Self) -> Result<Self, NumberError> {
        if self.denominator == I256::ONE && other.denominator == I256::ONE {
            return Rational::from_wide(multiply(self.numerator, other.numerator)?);
        }
        if self.is_zero() || other.is_zero() {
            return Ok(Rational::ZERO);
        }
        // Both are reduced, so only the diagonals share factors.
        let down = narrow(gcd(magnitude(self.numerator), magnitude(other.denominator)))?;
        let up = narrow(gcd(magnitude(other.numerator), magnitude(self.denominator)))?;
        let top = multiply(self.numerator / down, other.numerator / up)?;
        let bottom = multiply(self.denominator / up, other.denominator / down)?;
        Ok(Rational { numerator: Rational::from_wide(top)?.numerator, denominator: bottom })
    }

    /// The exact quotient.
    ///
    /// **Errors**: [`NumberError::DivisionByZero`], [`NumberError::Overflow`].
    pub fn checked_div(self, other: Self) -> Result<Self, NumberError> {
        if other.is_zero() {
            return Err(NumberError::DivisionByZero);
        }
        let (top, bottom) = (other.denominator, other.numerator);
        let inverse = if bottom.is_negative() {
            Rational { numerator: -top, denominator: -bottom }
        } else {
            Rational { numerator: top, denominator: bottom }
        };
        self.checked_mul(inverse)
    }

    /// The number with its sign turned.
    #[expect(clippy::should_implement_trait, reason = "reads in method chains and needs no import")]
    pub fn neg(self) -> Self {
        Rational { numerator: -self.numerator, denominator: self.denominator }
    }

    /// The distance from zero.
    pub fn abs(self) -> Self {
        if self.is_negative() { self.neg() } else { self }
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.numerator == I256::ZERO
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.numerator.is_negative()
    }

    /// Whether it has no fraction.
    pub fn is_integer(self) -> bool {
        self.denominator == I256::ONE
    }

    /// The greatest whole number that is not above it: −1 for −0.2.
    pub fn floor(self) -> Self {
        whole(self.numerator.div_euclid(self.denominator))
    }

    /// The least whole number that is not below it: 1 for 0.2.
    pub fn ceil(self) -> Self {
        self.neg().floor().neg()
    }
}

/// A whole number that is known not to be the one without a negative.
fn whole(value: I256) -> Rational {
    Rational { numerator: value, denominator: I256::ONE }
}

fn narrow(value: U256) -> Result<I256, NumberError> {
    I256::try_from(value).map_err(|_| NumberError::Overflow)
}

fn multiply(a: I256, b: I256) -> Result<I256, NumberError> {
    if let (Ok(small_a), Ok(small_b)) = (i64::try_from(a), i64::try_from(b)) {
        return Ok(I256::new(i128::from(small_a) * i128::from(small_b)));
    }
    a.checked_mul(b).ok_or(NumberError::Overflow)
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rational {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.denominator == other.denominator {
            return self.numerator.cmp(&other.numerator);
        }
        let left = self.numerator.checked_mul(other.denominator);
        let right = other.numerator.checked_mul(self.denominator);
        match (left, right) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => compare_by_division(*self, *other),
        }
    }
}

/// Compares the whole parts, then what remains turned upside down: nothing grows, so nothing overflows.
fn compare_by_division(left: Rational, right: Rational) -> Ordering {
    let (mut a, mut b) = (left.numerator, left.denominator);
    let (mut c, mut d) = (right.numerator, right.denominator);
    loop {
        let wholes = a.div_euclid(b).cmp(&c.div_euclid(d));
        if wholes != Ordering::Equal {
            return wholes;
        }
        let (rest_left, rest_right) = (a.rem_euclid(b), c.rem_euclid(d));
        if rest_left == I256::ZERO || rest_right == I256::ZERO {
            return rest_left.cmp(&rest_right);
        }
        // r/b < s/d exactly when d/s < b/r.
        (a, b, c, d) = (d, rest_right, b, rest_left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(text: &str) -> Rational {
        Rational::parse(text).unwrap()
    }

    #[test]
    fn arithmetic() {
        let check = |result: Result<Rational, NumberError>, expect: &str| {
            assert_eq!(result, Ok(r(expect)));
        };
        check(r("1/6").checked_add(r("1/10")), "4/15");
        check(r("1/6").checked_sub(r("1/6")), "0");
        check(r("1/6").checked_add(r("1/3")), "1/2");
        check(r("-2/3").checked_mul(r("9/4")), "-3/2");
        check(r("-2/3").checked_div(r("-4/9")), "3/2");
        check(r("5").checked_div(r("-4")), "-1.25");
        check(Rational::new(-6, -4), "1.5");
        assert_eq!(r("1").checked_div(Rational::ZERO), Err(NumberError::DivisionByZero));
        assert_eq!(Rational::new(1, 0), Err(NumberError::DivisionByZero));
    }

    #[test]
    fn too_wide_is_an_error() {
        let wide = Rational::from_integer(i128::MAX);
        let squared = wide.checked_mul(wide).unwrap();
        assert_eq!(squared.checked_mul(Rational::from_integer(4)), Err(NumberError::Overflow));
        assert_eq!(Rational::from_wide(I256::MIN), Err(NumberError::Overflow));
        let edge = Rational::from_wide(I256::MAX).unwrap();
        assert_eq!(edge.checked_add(Rational::ONE), Err(NumberError::Overflow));
        assert_eq!(edge.neg().checked_sub(Rational::ONE), Err(NumberError::Overflow));
        assert_eq!(edge.neg().neg(), edge);
        assert_eq!(Rational::new(i128::MIN, i128::MIN), Ok(Rational::ONE));
        assert_eq!(
            Rational::new(1, i128::MIN).unwrap().neg().neg(),
            Rational::new(-1, i128::MIN).unwrap().neg()
        );
    }

    #[test]
    fn floor_and_ceil() {
        let check = |text: &str, floor: &str, ceil: &str| {
            assert_eq!((r(text).floor(), r(text).ceil()), (r(floor), r(ceil)), "{text}");
        };
        check("0", "0", "0");
        check("0.2", "0", "1");
        check("-0.2", "-1", "0");
        check("7", "7", "7");
        check("-7", "-7", "-7");
        check("22/7", "3", "4");
    }

    #[test]
    fn order_without_overflow() {
        let wide = |top: I256, bottom: I256| Rational::from_parts(top, bottom).unwrap();
        let a = wide(I256::MAX, I256::MAX - 1);
        let b = wide(I256::MAX - 1, I256::MAX - 2);
        assert_eq!((a.cmp(&b), b.cmp(&a), a.cmp(&a)), (Ordering::Less, Ordering::Greater, Ordering::Equal));
        assert!(a.neg() > b.neg());
        assert!(wide(I256::ONE, I256::MAX) > Rational::ZERO);
        assert!(wide(I256::MAX, I256::new(2)) > wide(I256::MAX, I256::new(3)));
        assert!(r("1/3") < r("0.334") && r("-1/3") < r("0"));
    }
}
