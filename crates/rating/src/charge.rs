//! From a quantity to its charge.

use crate::basis::Basis;
use crate::demand::Demand;
use crate::price::{Price, PriceTerm};
use crate::problem::{ChargeProblem, PriceProblem};
use crate::traced::Traced;
use crate::{flat, graduated, package, unit, volume};
use money::{NumberError, Rational};

/// What a line costs, before rounding.
///
/// **Units**: major units of the currency of the price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The exact amount; without meaning unless [`Charge::is_priced`].
    pub exact: Rational,
    /// How it came about; evaluates to `exact`.
    pub basis: Basis,
    /// What a reader must be told.
    pub problems: Vec<ChargeProblem>,
}

impl Charge {
    /// Whether there is an amount. A charge without one is held, never billed as 0.
    pub fn is_priced(&self) -> bool {
        !self.problems.iter().any(ChargeProblem::is_unpriced)
    }

    pub(crate) fn priced(traced: Traced, problems: Vec<ChargeProblem>) -> Self {
        Charge { exact: traced.exact, basis: traced.basis, problems }
    }

    pub(crate) fn held(problems: Vec<ChargeProblem>) -> Self {
        Charge::priced(Traced::constant(Rational::ZERO, "no price"), problems)
    }
}

/// Rates the net quantity of a service period.
///
/// A quantity below zero is charged as 0 and reported, unless the term allows it: a unit price then gives money
/// back, the other models have no price below zero, charge 0 and report that. Below zero nothing is drawn from
/// the included quantity.
///
/// **Rounding**: none.
///
/// **Errors**: [`NumberError::Overflow`] where the exact amount needs more than 256 bits. A price that is not
/// sound is no error here: the charge has no amount and says why ([`Charge::is_priced`]).
///
/// **Examples**
/// ```
/// use money::Rational;
/// use rating::{Price, PriceTerm, rate};
/// let number = |text: &str| Rational::parse(text).unwrap();
/// let term = PriceTerm {
///     included: number("50000"),
///     ..PriceTerm::new(Price::Unit { rate: number("0.00036"), per: Rational::ONE })
/// };
/// assert_eq!(rate(number("50000"), &term).unwrap().exact, Rational::ZERO);
/// assert_eq!(rate(number("60000"), &term).unwrap().exact.to_string(), "3.6");
/// let below = rate(number("-1"), &term).unwrap();
/// assert_eq!((below.exact, below.problems.len()), (Rational::ZERO, 1));
/// ```
pub fn rate(quantity: Rational, term: &PriceTerm) -> Result<Charge, NumberError> {
    if let Err(problems) = term.check() {
        let unpriced = |problem: PriceProblem| ChargeProblem::Unpriced { quantity, problem };
        return Ok(Charge::held(problems.into_iter().map(unpriced).collect()));
    }
    let mut problems = Vec::new();
    if quantity.is_negative() {
        match (&term.price, term.allow_negative) {
            (Price::Unit { rate, per }, true) => {
                return Ok(Charge::priced(unit::charge(Traced::usage(quantity), *rate, *per)?, problems));
            }
            (_, true) => problems.push(ChargeProblem::NothingBelowZero { quantity }),
            (_, false) => problems.push(ChargeProblem::NetNegative { quantity }),
        }
    }
    let demand = Demand::new(quantity, term)?;
    let traced = match &term.price {
        Price::Flat { amount } => flat::charge(demand, *amount)?,
        Price::Unit { rate, per } => unit::charge(demand.net, *rate, *per)?,
        Price::Graduated { tiers, per } => graduated::charge(demand, tiers, *per)?,
        Price::Volume { tiers, per } => volume::charge(demand, tiers, *per)?,
        Price::Package { size, price } => package::charge(demand.net, *size, *price)?,
    };
    Ok(Charge::priced(traced, problems))
}

#[cfg(test)]
mod tests {
    use crate::check::{number, problems_of, tiers};
    use crate::{ChargeProblem, Price, PriceProblem, PriceTerm, rate};
    use money::Rational;

    fn signed(price: Price, quantity: &str) -> (String, Vec<&'static str>) {
        let term = PriceTerm { allow_negative: true, included: number("10"), ..PriceTerm::new(price) };
        let charge = rate(number(quantity), &term).unwrap();
        assert_eq!(charge.basis.evaluate(), Ok(charge.exact));
        (charge.exact.to_string(), problems_of(&charge))
    }

    #[test]
    fn below_zero_where_allowed() {
        let unit = Price::Unit { rate: number("2"), per: Rational::ONE };
        assert_eq!(signed(unit.clone(), "-3"), ("-6".to_owned(), vec![]));
        assert_eq!(signed(unit.clone(), "3"), ("0".to_owned(), vec![]));
        assert_eq!(signed(unit, "13"), ("6".to_owned(), vec![]));
        let graduated = Price::Graduated { tiers: tiers(&[("", "2", "5")]), per: Rational::ONE };
        assert_eq!(signed(graduated, "-3"), ("0".to_owned(), vec!["nothing_below_zero"]));
        let flat = Price::Flat { amount: number("7") };
        assert_eq!(signed(flat, "-3"), ("0".to_owned(), vec!["nothing_below_zero"]));
    }

    #[test]
    fn a_price_that_is_not_sound_has_no_amount() {
        let term = PriceTerm {
            included: number("-1"),
            ..PriceTerm::new(Price::Volume { tiers: vec![], per: Rational::ZERO })
        };
        let charge = rate(number("5"), &term).unwrap();
        assert!(!charge.is_priced());
        let found: Vec<PriceProblem> = charge
            .problems
            .into_iter()
            .map(|problem| match problem {
                ChargeProblem::Unpriced { problem, .. } => problem,
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(
            found,
            [
                PriceProblem::NoTiers,
                PriceProblem::PerNotPositive { per: Rational::ZERO },
                PriceProblem::IncludedNegative { included: number("-1") },
            ]
        );
    }

    #[test]
    fn too_wide_is_an_error() {
        let wide = Rational::from_integer(i128::MAX);
        let term = PriceTerm::new(Price::Unit { rate: wide, per: Rational::ONE });
        assert!(rate(wide, &term).is_ok());
        assert_eq!(rate(wide.checked_mul(wide).unwrap(), &term), Err(money::NumberError::Overflow));
    }
}
