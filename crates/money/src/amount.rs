//! Money in minor units of one currency.

use crate::currency::Currency;
use crate::decimal::{Plain, excerpt, power_of_ten, to_plain};
use crate::rational::{NumberError, Rational};
use ethnum::I256;
use std::fmt;

/// What can go wrong with amounts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Two currencies in one sum.
    #[error("expected an amount in {expected}, found one in `{found}`")]
    CurrencyMismatch {
        /// The currency of the first amount.
        expected: Currency,
        /// The currency of the other one.
        found: Currency,
    },
    /// Beyond ±(2^127 − 1) minor units.
    #[error("expected an amount that 127 bits of minor units hold, the result is greater")]
    Overflow,
    /// Text that is no plain decimal.
    #[error("expected an amount such as 12.50, found `{text}`")]
    Syntax {
        /// The text, cut after 40 characters.
        text: String,
    },
    /// More decimals than the currency has.
    #[error("expected at most {exponent} decimals in {currency}, found `{text}`")]
    TooPrecise {
        /// The currency.
        currency: Currency,
        /// The decimals that it has.
        exponent: u32,
        /// The text, cut after 40 characters.
        text: String,
    },
}

/// Rounded money: what is owed, posted and paid.
///
/// It has no order and no plus sign of its own: adding is checked, for the currency as well.
///
/// **Units**: minor units of its currency, between −(2^127 − 1) and 2^127 − 1.
///
/// **Examples**
/// ```
/// use money::{Amount, Currency};
/// let usd = Currency::parse("USD")?;
/// assert_eq!(Amount::from_minor(12105, usd).to_string(), "121.05");
/// assert!(Amount::parse("0.001", usd).is_err());
/// assert!(Amount::from_minor(1, usd).checked_add(Amount::zero(Currency::parse("EUR")?)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount {
    minor: i128,
    currency: Currency,
}

impl Amount {
    /// An amount in minor units: 12105 USD is 121.05.
    ///
    /// # Panics
    /// At `i128::MIN`, the one number without a negative. No other function of this crate makes it.
    pub fn from_minor(minor: i128, currency: Currency) -> Self {
        assert!(minor != i128::MIN, "expected an amount that has a negative, found `{minor}`");
        Amount { minor, currency }
    }

    /// Nothing, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Amount { minor: 0, currency }
    }

    /// Reads a plain decimal in major units, exactly.
    ///
    /// **Errors**: [`AmountError::Syntax`]; [`AmountError::TooPrecise`] where a decimal beyond the currency's
    /// exponent is not zero; [`AmountError::Overflow`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let plain = Plain::parse(text).ok_or_else(|| AmountError::Syntax { text: excerpt(text) })?;
        let exponent = currency.exponent();
        if u32::try_from(plain.decimals()).map_or(true, |decimals| decimals > exponent) {
            return Err(AmountError::TooPrecise { currency, exponent, text: excerpt(text) });
        }
        let minor = plain.scaled(exponent).ok_or(AmountError::Overflow)?;
        Amount::from_wide(minor, currency).ok_or(AmountError::Overflow)
    }

    /// Minor units of any width, where they fit.
    pub(crate) fn from_wide(minor: I256, currency: Currency) -> Option<Self> {
        let minor = i128::try_from(minor).ok().filter(|minor| *minor != i128::MIN)?;
        Some(Amount { minor, currency })
    }

    /// Minor units.
    pub fn minor(self) -> i128 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// The exact sum of two amounts of one currency.
    ///
    /// **Errors**: [`AmountError::CurrencyMismatch`], [`AmountError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, AmountError> {
        if self.currency != other.currency {
            return Err(AmountError::CurrencyMismatch { expected: self.currency, found: other.currency });
        }
        let minor = self.minor.checked_add(other.minor).filter(|minor| *minor != i128::MIN);
        minor.map(|minor| Amount { minor, currency: self.currency }).ok_or(AmountError::Overflow)
    }

    /// The amount with its sign turned.
    #[expect(clippy::should_implement_trait, reason = "reads in method chains and needs no import")]
    pub fn neg(self) -> Self {
        Amount { minor: -self.minor, currency: self.currency }
    }

    /// The same value in major units as a fraction.
    pub fn to_rational(self) -> Rational {
        match fraction(self) {
            Ok(value) => value,
            // 127 bits over a power of ten of at most 10^4 always fit, and the power is not zero.
            Err(_) => unreachable!("an amount of 127 bits is a rational"),
        }
    }
}

fn fraction(amount: Amount) -> Result<Rational, NumberError> {
    let scale = power_of_ten(amount.currency.exponent()).ok_or(NumberError::Overflow)?;
    Rational::from_parts(I256::new(amount.minor), scale)
}

/// Major units with all decimals of the currency, without its code: `121.05`.
impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = usize::try_from(self.currency.exponent()).map_err(|_| fmt::Error)?;
        formatter.pad(&to_plain(I256::new(self.minor), decimals, decimals))
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self} {}", self.currency)
    }
}
