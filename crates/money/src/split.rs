//! Splitting an exact charge in time.

use crate::currency::Currency;
use crate::rational::{NumberError, Rational};
use crate::rounding::{Rounded, Rounding, round};

/// Rounds the parts of one charge in their order in time, each as the rounded running total less what the
/// parts before it were given.
///
/// So the amounts add up to the rounded total, and cutting one part in two moves nothing that comes after it.
///
/// **Rounding**: `round(cumulative) − already rounded`; each residue is that part's amount − its exact charge.
///
/// **Errors**: [`NumberError::Overflow`].
///
/// **Examples**
/// ```
/// use money::{Currency, NumberError, Rational, Rounding, split_cumulative};
/// let usd = Currency::parse("USD").unwrap();
/// let third = Rational::new(100, 3)?;
/// let parts = split_cumulative(&[third; 3], usd, Rounding::HalfAwayFromZero)?;
/// let amounts: Vec<String> = parts.iter().map(|part| part.amount.to_string()).collect();
/// assert_eq!(amounts, ["33.33", "33.34", "33.33"]);
/// # Ok::<(), NumberError>(())
/// ```
pub fn split_cumulative(
    parts: &[Rational],
    currency: Currency,
    mode: Rounding,
) -> Result<Vec<Rounded>, NumberError> {
    let mut exact_total = Rational::ZERO;
    let mut rounded_before = crate::Amount::zero(currency);
    let mut rounded = Vec::with_capacity(parts.len());
    for exact in parts.iter().copied() {
        exact_total = exact_total.checked_add(exact)?;
        let rounded_total = round(exact_total, currency, mode)?.amount;
        let amount = rounded_total.checked_add(rounded_before.neg()).map_err(|_| NumberError::Overflow)?;
        rounded.push(Rounded { amount, residue: amount.to_rational().checked_sub(exact)? });
        rounded_before = rounded_total;
    }
    Ok(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(currency: &str, mode: Rounding, parts: &[&str], expect: &[&str]) {
        let exact: Vec<Rational> = parts.iter().map(|text| Rational::parse(text).unwrap()).collect();
        let rounded = split_cumulative(&exact, Currency::parse(currency).unwrap(), mode).unwrap();
        let amounts: Vec<String> = rounded.iter().map(|part| part.amount.to_string()).collect();
        assert_eq!(amounts, expect, "{parts:?}");
    }

    #[test]
    fn running_totals() {
        let mode = Rounding::HalfAwayFromZero;
        check("USD", mode, &["100/3", "100/3", "100/3"], &["33.33", "33.34", "33.33"]);
        check("USD", mode, &["50/3", "50/3", "100/3", "100/3"], &["16.67", "16.66", "33.34", "33.33"]);
        check("USD", mode, &["0.004", "0.004", "0.004"], &["0.00", "0.01", "0.00"]);
        check("JPY", mode, &["0.5", "-0.5", "-0.5"], &["1", "-1", "-1"]);
        check("USD", Rounding::Down, &["0.009", "0.009"], &["0.00", "0.01"]);
        check("USD", Rounding::Up, &["0.001", "0.001"], &["0.01", "0.00"]);
        check("USD", mode, &[], &[]);
    }
}
