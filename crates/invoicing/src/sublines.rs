//! A line by tiers: read out of its basis, split so that the parts are the line.

use money::{Amount, NumberError, Rational, Rounding};
use rating::{Basis, Price, Tier};

use crate::bill::BillingError;
use crate::spec::{LineSpec, LineTerm};

/// One tier of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubLine {
    /// The tier, counted from 1.
    pub tier: usize,
    /// Its lower bound, excluded.
    pub above: Rational,
    /// Its upper bound, included; none for the last tier.
    pub up_to: Option<Rational>,
    /// How much it prices.
    pub quantity: Rational,
    /// The price of `per` units.
    pub unit: Rational,
    /// How many units one unit price covers.
    pub per: Rational,
    /// The flat amount owed once.
    pub flat: Rational,
    /// quantity × unit ÷ per + flat.
    pub exact: Rational,
    /// Its share of the line. **Rounding**: by largest remainder, so that the shares sum to the line.
    pub amount: Amount,
}

/// The tiers that a line's charge is made of; none where its price has no tiers or none was entered.
pub(crate) fn sublines(
    spec: &LineSpec,
    quantity: Rational,
    basis: &Basis,
    amount: Amount,
) -> Result<Vec<SubLine>, BillingError> {
    let wrong = |error: NumberError| BillingError::Number { key: Box::new(spec.key.clone()), error };
    let parts = parts(spec, quantity, basis).map_err(wrong)?;
    if parts.is_empty() {
        return Ok(parts);
    }
    let exact: Vec<Rational> = parts.iter().map(|part| part.exact).collect();
    let shares = split(amount, &exact)
        .map_err(|message| BillingError::Split { key: Box::new(spec.key.clone()), message })?;
    Ok(parts.into_iter().zip(shares).map(|(part, amount)| SubLine { amount, ..part }).collect())
}

fn parts(spec: &LineSpec, quantity: Rational, basis: &Basis) -> Result<Vec<SubLine>, NumberError> {
    let LineTerm::Usage { price, .. } = &spec.term else { return Ok(Vec::new()) };
    let (tiers, first) = match &price.price {
        Price::Graduated { tiers, .. } => (tiers, 0),
        Price::Volume { tiers, .. } => (tiers, tier_of(tiers, quantity)),
        Price::Flat { .. } | Price::Unit { .. } | Price::Package { .. } => return Ok(Vec::new()),
    };
    let nodes = match basis {
        Basis::Sum { of } => of.as_slice(),
        one => std::slice::from_ref(one),
    };
    let lower = |index: usize| index.checked_sub(1).and_then(|before| tiers.get(before)?.up_to);
    let mut parts = Vec::new();
    for ((index, tier), node) in tiers.iter().enumerate().skip(first).zip(nodes) {
        let Some(band) = Band::read(node) else { return Ok(Vec::new()) };
        parts.push(SubLine {
            tier: index.saturating_add(1),
            above: lower(index).unwrap_or(Rational::ZERO),
            up_to: tier.up_to,
            quantity: band.inside.evaluate()?,
            unit: band.unit,
            per: band.per,
            flat: band.flat,
            exact: node.evaluate()?,
            amount: Amount::zero(spec.currency),
        });
    }
    Ok(parts)
}

/// The place of the tier that contains all of a quantity; its upper bound is inside.
fn tier_of(tiers: &[Tier], quantity: Rational) -> usize {
    tiers.iter().take_while(|tier| tier.up_to.is_some_and(|bound| quantity > bound)).count()
}

/// The numbers of one tier in a basis: `inside × unit ÷ per + flat`, with words around it.
struct Band<'a> {
    inside: &'a Basis,
    unit: Rational,
    per: Rational,
    flat: Rational,
}

impl<'a> Band<'a> {
    fn read(node: &'a Basis) -> Option<Self> {
        let Basis::Noted { of, .. } = node else { return None };
        let (rate, flat) = match of.as_ref() {
            Basis::Sum { of } => match of.as_slice() {
                [rate, Basis::Constant { value, is: "tier flat" }] => (rate, *value),
                _ => return None,
            },
            rate => (rate, Rational::ZERO),
        };
        let (product, per) = match rate {
            Basis::Divide { of, by } => match by.as_ref() {
                Basis::Constant { value, is: "per" } => (of.as_ref(), *value),
                _ => return None,
            },
            product => (product, Rational::ONE),
        };
        match product {
            Basis::Multiply { of } => match of.as_slice() {
                [inside, Basis::Constant { value, is: "unit price" }] => {
                    Some(Self { inside, unit: *value, per, flat })
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Splits an amount over the exact parts that it rounds the sum of.
///
/// Every part is cut down to minor units; what is left goes to the largest remainders. Parts may have
/// either sign. A negative amount is the mirror image.
fn split(amount: Amount, exact: &[Rational]) -> Result<Vec<Amount>, String> {
    if amount.is_negative() {
        let mirrored: Vec<Rational> = exact.iter().map(|part| part.neg()).collect();
        return Ok(split(amount.neg(), &mirrored)?.into_iter().map(Amount::neg).collect());
    }
    let mut cut = Vec::with_capacity(exact.len());
    let mut remainders = Vec::with_capacity(exact.len());
    let mut left = amount;
    for part in exact {
        let mode = if part.is_negative() { Rounding::Up } else { Rounding::Down };
        let rounded = money::round(*part, amount.currency(), mode).map_err(|error| error.to_string())?;
        left = left.checked_add(rounded.amount.neg()).map_err(|error| error.to_string())?;
        cut.push(rounded.amount);
        remainders.push(rounded.residue.neg());
    }
    if left.is_zero() {
        return Ok(cut);
    }
    let extra = money::allocate(left, &remainders).map_err(|error| error.to_string())?;
    cut.into_iter().zip(extra).map(|(a, b)| a.checked_add(b).map_err(|error| error.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Currency;

    #[test]
    fn parts_are_cut_and_the_rest_goes_to_the_largest_remainders() {
        let usd = Currency::parse("USD").unwrap();
        let check = |total: i128, parts: &[&str], expect: &[i128]| {
            let exact: Vec<Rational> = parts.iter().map(|text| Rational::parse(text).unwrap()).collect();
            let shares = split(Amount::from_minor(total, usd), &exact).unwrap();
            let shares: Vec<i128> = shares.into_iter().map(Amount::minor).collect();
            assert_eq!(shares, expect, "{total} over {parts:?}");
        };
        check(5972, &["30", "25", "4.72374"], &[3000, 2500, 472]);
        check(1, &["0.004", "0.004"], &[1, 0]);
        check(100, &["1/3", "1/3", "1/3"], &[34, 33, 33]);
        check(-100, &["-1/3", "-1/3", "-1/3"], &[-34, -33, -33]);
        check(50, &["1", "-0.501"], &[100, -50]);
        check(51, &["1.009", "-0.501"], &[101, -50]);
        check(0, &["0.001", "0.002"], &[0, 0]);
        check(0, &["0"], &[0]);
        check(0, &[], &[]);
    }
}
