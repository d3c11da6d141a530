//! Every price model once more, from the rules of `spec/prices.md`, in fractions without bounds.
//!
//! It shares no code with `rating` and goes other ways where there are some: a graduated price is summed by the
//! steps between unit prices, a volume tier is looked up from the top, a package is the least count that holds
//! the quantity.

use crate::oracle_number::Fraction;

/// A tier: the upper bound (none in the last), the price of `per` units, the amount owed once.
#[derive(Debug, Clone)]
pub struct OracleTier {
    /// The greatest quantity inside.
    pub up_to: Option<Fraction>,
    /// The price of `per` units.
    pub unit: Fraction,
    /// Owed once the tier is reached.
    pub flat: Fraction,
}

/// A price model.
#[derive(Debug, Clone)]
pub enum OraclePrice {
    /// One amount.
    Flat(Fraction),
    /// A rate for `per` units.
    Unit(Fraction, Fraction),
    /// Tiers and `per`; each unit in its own tier.
    Graduated(Vec<OracleTier>, Fraction),
    /// Tiers and `per`; all units in one tier.
    Volume(Vec<OracleTier>, Fraction),
    /// A size and the price of a package.
    Package(Fraction, Fraction),
}

/// What stands around a price.
#[derive(Debug, Clone)]
pub struct OracleTerm {
    /// The price.
    pub price: OraclePrice,
    /// The quantity that costs nothing.
    pub included: Fraction,
    /// Whether tier 1 counts as reached without usage.
    pub charge_when_unused: bool,
    /// Whether a unit price gives money back below zero.
    pub allow_negative: bool,
}

/// The exact charge of a period's net quantity.
pub fn charge(quantity: &Fraction, term: &OracleTerm) -> Fraction {
    if let (OraclePrice::Unit(rate, per), true) = (&term.price, term.allow_negative && quantity.is_negative())
    {
        return &(quantity * rate) / per;
    }
    let gross = quantity.clone().not_below_zero();
    let paid = (&gross - &term.included).not_below_zero();
    let is_due = !paid.is_zero() || term.charge_when_unused;
    match &term.price {
        OraclePrice::Flat(amount) if is_due => amount.clone(),
        OraclePrice::Graduated(tiers, per) if is_due => graduated(&paid, tiers, per),
        OraclePrice::Volume(tiers, per) if is_due => {
            let tier = tier_of(&gross, tiers);
            &(&(&paid * &tier.unit) / per) + &tier.flat
        }
        OraclePrice::Flat(_) | OraclePrice::Graduated(..) | OraclePrice::Volume(..) => Fraction::zero(),
        OraclePrice::Unit(rate, per) => &(rate / per) * &paid,
        OraclePrice::Package(size, price) => &package_count(&paid, size) * price,
    }
}

/// A fee for some days of a period.
pub fn fee(amount: &Fraction, part_days: i64, whole_days: i64) -> Fraction {
    amount * &Fraction::new(part_days.into(), whole_days.into())
}

/// All of the quantity at the price of the tier it ends in, and for every tier below what its units cost more
/// than that: up to each bound passed, the step from its unit price to the next.
fn graduated(quantity: &Fraction, tiers: &[OracleTier], per: &Fraction) -> Fraction {
    let last = tier_of(quantity, tiers);
    let mut sum = &(quantity * &last.unit) / per;
    for (tier, next) in tiers.iter().zip(tiers.iter().skip(1)) {
        match &tier.up_to {
            Some(bound) if quantity > bound => {
                let step = &(&tier.unit - &next.unit) / per;
                sum = &sum + &(&step * bound);
                sum = &sum + &tier.flat;
            }
            _ => break,
        }
    }
    &sum + &last.flat
}

/// The tier that contains a quantity: from the top, the first whose lower bound is below it, else the first one.
fn tier_of<'a>(quantity: &Fraction, tiers: &'a [OracleTier]) -> &'a OracleTier {
    let mut index = tiers.len() - 1;
    while index > 0 {
        match &tiers[index - 1].up_to {
            Some(lower) if lower < quantity => break,
            _ => index -= 1,
        }
    }
    &tiers[index]
}

/// The least number of packages that holds a quantity.
fn package_count(quantity: &Fraction, size: &Fraction) -> Fraction {
    let mut count = Fraction::whole((quantity / size).floor());
    while &(&count * size) < quantity {
        count = &count + &Fraction::whole(1);
    }
    count
}
