//! Tiers: continuous, lower bound outside, upper bound inside.

use crate::problem::PriceProblem;
use money::Rational;

/// One tier of a graduated or volume price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// The greatest quantity in it; nothing in the last one.
    pub up_to: Option<Rational>,
    /// The price of `per` units.
    pub unit: Rational,
    /// Owed once, when the tier is reached.
    pub flat: Rational,
}

/// A tier with its place: it contains q where `lower < q ≤ up_to`.
#[derive(Clone, Copy)]
pub(crate) struct Band {
    pub(crate) number: usize,
    pub(crate) lower: Rational,
    pub(crate) tier: Tier,
}

impl Band {
    /// Whether a quantity goes beyond the tier.
    pub(crate) fn is_passed_by(&self, quantity: Rational) -> bool {
        self.tier.up_to.is_some_and(|upper| quantity > upper)
    }

    /// Whether a quantity reaches into the tier.
    pub(crate) fn is_reached_by(&self, quantity: Rational) -> bool {
        quantity > self.lower
    }

    /// `tier 2: 100 < q ≤ 200`.
    pub(crate) fn note(&self) -> String {
        match self.tier.up_to {
            Some(upper) => format!("tier {}: {} < q ≤ {upper}", self.number, self.lower),
            None => format!("tier {}: {} < q", self.number, self.lower),
        }
    }
}

/// The tiers with their lower bounds, the first from 0.
pub(crate) fn bands(tiers: &[Tier]) -> impl Iterator<Item = Band> {
    let lowers = std::iter::once(Rational::ZERO).chain(tiers.iter().filter_map(|tier| tier.up_to));
    tiers.iter().zip(lowers).enumerate().map(|(index, (tier, lower))| Band {
        number: index.saturating_add(1),
        lower,
        tier: *tier,
    })
}

/// Finds everything that is wrong with the bounds of a list of tiers.
pub(crate) fn check_tiers(tiers: &[Tier], problems: &mut Vec<PriceProblem>) {
    let Some(last) = tiers.last() else {
        problems.push(PriceProblem::NoTiers);
        return;
    };
    let mut before: Option<Rational> = None;
    for (index, tier) in tiers.iter().enumerate() {
        let number = index.saturating_add(1);
        match (tier.up_to, before) {
            (None, _) if number < tiers.len() => problems.push(PriceProblem::BoundMissing { tier: number }),
            (Some(bound), Some(before)) if bound <= before => {
                problems.push(PriceProblem::BoundsNotIncreasing { tier: number, before, bound });
            }
            (Some(bound), None) if bound <= Rational::ZERO => {
                problems.push(PriceProblem::BoundNotPositive { tier: number, bound });
            }
            _ => {}
        }
        before = tier.up_to.or(before);
    }
    if let Some(bound) = last.up_to {
        problems.push(PriceProblem::LastTierBounded { bound });
    }
}
