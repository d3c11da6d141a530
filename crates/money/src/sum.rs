//! The exact sum of many quantities.

use crate::decimal::{Plain, excerpt, power_of_ten, to_plain};
use crate::quantity::Quantity;
use crate::rational::{NumberError, Rational};
use ethnum::I256;
use std::fmt;
use std::str::FromStr;

/// An exact sum of quantities, in any order.
///
/// It cannot overflow: a quantity is at most 10^32 < 2^107 units of 10^-12, so fewer than 2^64 of them stay
/// below 2^171, and the sum has 255 bits. Sums of sums count their quantities together.
///
/// **Units**: of 10^-12 of the meter's unit.
///
/// **Examples**
/// ```
/// use money::{Quantity, Sum};
/// let sum = Sum::ZERO.add(Quantity::parse("0.1")?).add(Quantity::parse("0.2")?);
/// assert_eq!(sum.to_string(), "0.3");
/// # Ok::<(), money::QuantityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sum(I256);

const DECIMALS: u32 = 12;
const PICO_PER_UNIT: I256 = I256::new(1_000_000_000_000);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Self = Sum(I256::ZERO);

    /// The sum with one more quantity.
    #[expect(clippy::should_implement_trait, reason = "adds a Quantity, and reads in method chains")]
    pub fn add(self, quantity: Quantity) -> Self {
        self.merge(Sum(I256::new(quantity.pico())))
    }

    /// The sum of both.
    ///
    /// # Panics
    /// Only where a sum was made by [`Sum::from_le_bytes`] from bytes that no sum of fewer than 2^64
    /// quantities has written. It never wraps.
    pub fn merge(self, other: Self) -> Self {
        match self.0.checked_add(other.0) {
            Some(sum) => Sum(sum),
            None => panic!("expected sums of fewer than 2^64 quantities, found one of 255 bits"),
        }
    }

    /// The sum with the other sign.
    #[expect(clippy::should_implement_trait, reason = "reads in method chains, as `add` does")]
    pub fn neg(self) -> Self {
        Self(-self.0)
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.0 == I256::ZERO
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.0.is_negative()
    }

    /// The same value as a fraction.
    pub fn to_rational(self) -> Rational {
        match Rational::from_parts(self.0, PICO_PER_UNIT) {
            Ok(value) => value,
            // −2^255 / 10^12 reduces, and the divisor is not zero: there is no other failure.
            Err(_) => unreachable!("a fraction over 10^12 of any 256 bits is a rational"),
        }
    }

    /// The 256 bits, least significant byte first, two's complement.
    pub fn to_le_bytes(self) -> [u8; 32] {
        self.0.to_le_bytes()
    }

    /// The sum whose [`Sum::to_le_bytes`] these are.
    pub fn from_le_bytes(bytes: [u8; 32]) -> Self {
        Sum(I256::from_le_bytes(bytes))
    }

    /// Reads a plain decimal of at most 12 decimals.
    ///
    /// **Errors**: [`NumberError::Syntax`], [`NumberError::Overflow`].
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let syntax = || NumberError::Syntax { text: excerpt(text) };
        let plain = Plain::parse(text).ok_or_else(syntax)?;
        let scale = power_of_ten(DECIMALS).ok_or(NumberError::Overflow)?;
        debug_assert_eq!(scale, PICO_PER_UNIT);
        if plain.decimals() > 12 {
            return Err(syntax());
        }
        plain.scaled(DECIMALS).map(Sum).ok_or(NumberError::Overflow)
    }
}

impl Default for Sum {
    fn default() -> Self {
        Sum::ZERO
    }
}

impl FromStr for Sum {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        Sum::parse(text)
    }
}

/// A plain decimal without an exponent.
impl fmt::Display for Sum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&to_plain(self.0, 12, 0))
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
