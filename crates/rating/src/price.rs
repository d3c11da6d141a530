//! Prices and their terms, and what makes them sound.

use crate::problem::PriceProblem;
use crate::tier::{Tier, check_tiers};
use money::Rational;

/// How a quantity becomes money. All numbers are in major units of one currency.
///
/// **Examples**
/// ```
/// use money::Rational;
/// use rating::{Price, PriceProblem};
/// let package = Price::Package { size: Rational::ZERO, price: Rational::ONE };
/// assert_eq!(package.check(), Err(vec![PriceProblem::SizeNotPositive { size: Rational::ZERO }]));
/// assert_eq!(Price::Flat { amount: Rational::ONE }.check(), Ok(()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Price {
    /// One amount for the period, whatever the quantity.
    Flat {
        /// The amount.
        amount: Rational,
    },
    /// Every unit costs the same.
    Unit {
        /// The price of `per` units.
        rate: Rational,
        /// How many units one `rate` covers, usually 1.
        per: Rational,
    },
    /// Every unit costs what its own tier says.
    Graduated {
        /// The tiers, the last one unbounded.
        tiers: Vec<Tier>,
        /// How many units one unit price covers, usually 1.
        per: Rational,
    },
    /// Every unit costs what the tier of the whole quantity says.
    Volume {
        /// The tiers, the last one unbounded.
        tiers: Vec<Tier>,
        /// How many units one unit price covers, usually 1.
        per: Rational,
    },
    /// Units are sold in packages; one that is begun is owed.
    Package {
        /// Units in a package.
        size: Rational,
        /// The price of a package.
        price: Rational,
    },
}

impl Price {
    /// Finds everything that is wrong with the price.
    ///
    /// **Errors**: all problems at once, in the order of the price's fields.
    pub fn check(&self) -> Result<(), Vec<PriceProblem>> {
        let mut problems = Vec::new();
        match self {
            Price::Flat { .. } => {}
            Price::Unit { per, .. } => check_per(*per, &mut problems),
            Price::Graduated { tiers, per } | Price::Volume { tiers, per } => {
                check_tiers(tiers, &mut problems);
                check_per(*per, &mut problems);
            }
            Price::Package { size, .. } => {
                if *size <= Rational::ZERO {
                    problems.push(PriceProblem::SizeNotPositive { size: *size });
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

fn check_per(per: Rational, problems: &mut Vec<PriceProblem>) {
    if per <= Rational::ZERO {
        problems.push(PriceProblem::PerNotPositive { per });
    }
}

/// A price with what the contract says around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceTerm {
    /// The price.
    pub price: Price,
    /// The quantity that costs nothing, for the whole period.
    pub included: Rational,
    /// Whether tier 1 and a flat amount are owed without usage.
    pub charge_when_unused: bool,
    /// Whether a net quantity below zero gives money back, where the price has a price for it.
    pub allow_negative: bool,
}

impl PriceTerm {
    /// A price with nothing included and the usual answers: unused costs nothing, negative gives nothing back.
    pub fn new(price: Price) -> Self {
        PriceTerm { price, included: Rational::ZERO, charge_when_unused: false, allow_negative: false }
    }

    /// Finds everything that is wrong with the price and with what stands around it.
    ///
    /// **Errors**: all problems at once.
    pub fn check(&self) -> Result<(), Vec<PriceProblem>> {
        let mut problems = match self.price.check() {
            Ok(()) => Vec::new(),
            Err(problems) => problems,
        };
        if self.included.is_negative() {
            problems.push(PriceProblem::IncludedNegative { included: self.included });
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}
