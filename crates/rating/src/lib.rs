//! From a quantity and its price term to an exact charge that says how it came about.
//!
//! ```
//! use money::Rational;
//! use rating::{Price, PriceTerm, Tier, rate};
//!
//! let number = |text: &str| Rational::parse(text).unwrap();
//! let tier = |up_to: Option<&str>, unit: &str| Tier {
//!     up_to: up_to.map(number),
//!     unit: number(unit),
//!     flat: Rational::ZERO,
//! };
//! let tiers = vec![tier(Some("10000000"), "3"), tier(Some("20000000"), "2.5"), tier(None, "2")];
//! let term = PriceTerm::new(Price::Graduated { tiers, per: number("1000000") });
//!
//! let charge = rate(number("22361870"), &term)?;
//! assert_eq!(charge.exact.to_string(), "59.72374");
//! assert_eq!(charge.basis.evaluate()?, charge.exact);
//!
//! let without_tiers = PriceTerm::new(Price::Volume { tiers: vec![], per: Rational::ONE });
//! assert!(!rate(number("1"), &without_tiers)?.is_priced());
//! # Ok::<(), money::NumberError>(())
//! ```
//!
//! # Owns
//! The price models, what makes a price sound, included quantities, proration of a fee by days, the basis.
//!
//! # Does not own
//! Counting (`metering`), which price holds when and what a line is (`invoicing`), rounding (`money`): a charge
//! is exact and has no currency.
//!
//! # Invariants
//! * The basis of a charge evaluates to its exact amount.
//! * A tier's lower bound is outside, its upper bound inside, without gaps: 100 is in "up to 100", 100 and a hair
//!   is in the next.
//! * Nothing is defaulted: usage that cannot be priced says so in its problems and has no amount.
//! * The same quantity and term give the same charge; there is no state.
//!
//! # Times
//! None. A term is what holds for the whole service period.
//!
//! # Entry points
//! [`rate`] for usage, [`fee`] for a recurring fee, [`Price::check`] and [`PriceTerm::check`] before either.
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

mod basis;
mod charge;
mod demand;
mod fee;
mod flat;
mod graduated;
mod package;
mod price;
mod problem;
mod tier;
mod traced;
mod unit;
mod volume;

pub use basis::{Basis, Field, Part};
pub use charge::{Charge, rate};
pub use fee::fee;
pub use price::{Price, PriceTerm};
pub use problem::{ChargeProblem, PriceProblem};
pub use tier::Tier;

#[cfg(test)]
mod check;
