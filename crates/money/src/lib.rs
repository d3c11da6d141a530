//! Exact numbers and money: the only crate that rounds.
//!
//! ```
//! use money::{Currency, Rational, Rounding, round};
//!
//! let usd = Currency::parse("USD")?;
//! let exact = Rational::parse("59.72374")?;
//! let rounded = round(exact, usd, Rounding::HalfAwayFromZero)?;
//! assert_eq!(rounded.amount.to_string(), "59.72");
//! assert_eq!(rounded.residue.to_string(), "-0.00374");
//! assert!(Rational::parse("5.").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Owns
//! Quantities, sums of quantities, exact rationals, amounts, currencies, rounding, allocation over keys,
//! splits in time.
//!
//! # Does not own
//! Prices (`rating`), units of measure, exchange rates, tax, anything that knows why a number exists.
//!
//! # Invariants
//! * No binary floating point. Every operation is exact or an error: nothing wraps, clamps or defaults.
//! * A [`Rational`] is reduced, its denominator is positive, so equal values are equal in every field.
//! * A [`Sum`] of fewer than 2^64 quantities cannot overflow.
//! * [`round_decimals`] is the one place where digits are given up, and [`round`], [`split_cumulative`]
//!   give what was lost back as a residue. [`allocate`] loses nothing: its parts add up to the total.
//! * An unknown currency is refused; there is no default exponent.
//!
//! # Times
//! None. This crate has no clock and no calendar.
//!
//! # Entry points
//! [`Quantity::parse`] for what an event says, [`Rational`] for what a price does with it, [`round`] for
//! what a customer owes.
#![forbid(unsafe_code)]
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    clippy::indexing_slicing
)]

mod allocation;
mod amount;
mod currency;
mod decimal;
mod gcd;
mod quantity;
mod rational;
mod rational_text;
mod rounding;
mod split;
mod sum;

pub use allocation::{AllocationError, allocate};
pub use amount::{Amount, AmountError};
pub use currency::{Currency, CurrencyError};
pub use quantity::{Quantity, QuantityError};
pub use rational::{NumberError, Rational};
pub use rounding::{Rounded, Rounding, RoundingError, round, round_decimals};
pub use split::split_cumulative;
pub use sum::Sum;
