//! What can be wrong with a price, and with a charge.

use money::Rational;

/// Why a price is not sound. Tiers are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceProblem {
    /// No tiers at all.
    #[error("expected at least one tier, found `0`")]
    NoTiers,
    /// A tier that could contain no quantity, because its bound is not above zero.
    #[error("expected the bound of tier {tier} to be above 0, found `{bound}`")]
    BoundNotPositive {
        /// The tier.
        tier: usize,
        /// Its upper bound.
        bound: Rational,
    },
    /// A tier that overlaps the one before it or is empty.
    #[error("expected the bound of tier {tier} to be above {before}, found `{bound}`")]
    BoundsNotIncreasing {
        /// The tier.
        tier: usize,
        /// The upper bound of the tier before it.
        before: Rational,
        /// Its upper bound.
        bound: Rational,
    },
    /// A tier without an upper bound that is not the last.
    #[error("expected an upper bound in every tier but the last, found none in tier `{tier}`")]
    BoundMissing {
        /// The tier.
        tier: usize,
    },
    /// A last tier that ends: usage above it would have no price.
    #[error("expected no upper bound in the last tier, found `{bound}`")]
    LastTierBounded {
        /// Its upper bound.
        bound: Rational,
    },
    /// A package of nothing.
    #[error("expected a package size above 0, found `{size}`")]
    SizeNotPositive {
        /// The size.
        size: Rational,
    },
    /// A unit price for nothing.
    #[error("expected `per` to be above 0, found `{per}`")]
    PerNotPositive {
        /// The units that one unit price covers.
        per: Rational,
    },
    /// An included quantity below zero.
    #[error("expected an included quantity of at least 0, found `{included}`")]
    IncludedNegative {
        /// The included quantity.
        included: Rational,
    },
}

/// What a reader of a charge must be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChargeProblem {
    /// The net quantity is below zero and was charged as 0.
    #[error("expected a quantity of at least 0, charged 0 for `{quantity}`")]
    NetNegative {
        /// The quantity.
        quantity: Rational,
    },
    /// The price allows a quantity below zero, but its model has nothing below zero: charged as 0.
    #[error("expected a unit price for usage below 0, charged 0 for `{quantity}`")]
    NothingBelowZero {
        /// The quantity.
        quantity: Rational,
    },
    /// The price is not sound: the charge has no amount, its line is held.
    #[error("{problem}: no price for `{quantity}`")]
    Unpriced {
        /// The quantity.
        quantity: Rational,
        /// What is wrong with the price.
        problem: PriceProblem,
    },
    /// Days of a fee that no period has: the charge has no amount, its line is held.
    #[error("expected from 0 to {whole_days} days of a period of at least 1 day, found `{part_days}`")]
    ImpossibleDays {
        /// Days of service.
        part_days: i64,
        /// Days of the whole period.
        whole_days: i64,
    },
}

impl ChargeProblem {
    /// Whether the charge has no amount, so that its line must be held and not billed as 0.
    pub fn is_unpriced(&self) -> bool {
        matches!(self, ChargeProblem::Unpriced { .. } | ChargeProblem::ImpossibleDays { .. })
    }

    /// A stable name for reports.
    pub fn code(&self) -> &'static str {
        match self {
            ChargeProblem::NetNegative { .. } => "net_negative",
            ChargeProblem::NothingBelowZero { .. } => "nothing_below_zero",
            ChargeProblem::Unpriced { .. } => "unpriced",
            ChargeProblem::ImpossibleDays { .. } => "impossible_days",
        }
    }
}
