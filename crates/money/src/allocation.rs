//! Splitting an amount over keys.

use crate::amount::Amount;
use crate::rational::{NumberError, Rational};
use std::cmp::Reverse;

/// Why an amount cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// Nothing to split over: no weights at all.
    #[error("expected at least one weight, found `0`")]
    NoWeights,
    /// All weights are zero.
    #[error("expected a weight above zero among `{count}`")]
    AllZero {
        /// How many weights there are.
        count: usize,
    },
    /// A weight below zero.
    #[error("expected no weight below zero, weight {index} is `{weight}`")]
    Negative {
        /// Which weight, from 0.
        index: usize,
        /// The weight.
        weight: Rational,
    },
    /// An exact share needs too many bits.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// Splits an amount in proportion to weights, by largest remainder.
///
/// Every part gets its exact share cut to minor units; what is left goes, one minor unit each, to the parts
/// with the largest remainders, of equal ones to the earlier. A negative total is the mirror image.
///
/// **Rounding**: none is lost; the parts add up to the total.
///
/// **Errors**: [`AllocationError`].
///
/// **Examples**
/// ```
/// use money::{Amount, Currency, Rational, allocate};
/// let usd = Currency::parse("USD").unwrap();
/// let thirds = [Rational::ONE; 3];
/// let minor = |total: i128| {
///     let parts = allocate(Amount::from_minor(total, usd), &thirds).unwrap();
///     parts.iter().map(|part| part.minor()).collect::<Vec<_>>()
/// };
/// assert_eq!(minor(5), [2, 2, 1]);
/// assert_eq!(minor(-5), [-2, -2, -1]);
/// assert!(allocate(Amount::zero(usd), &[]).is_err());
/// ```
pub fn allocate(total: Amount, weights: &[Rational]) -> Result<Vec<Amount>, AllocationError> {
    if total.is_negative() {
        let mirrored = allocate(total.neg(), weights)?;
        return Ok(mirrored.into_iter().map(Amount::neg).collect());
    }
    let sum = sum_of_weights(weights)?;
    let total_minor = Rational::from_integer(total.minor());
    let mut left = total_minor;
    let mut shares = Vec::with_capacity(weights.len());
    for weight in weights {
        let exact = total_minor.checked_mul(weight.checked_div(sum)?)?;
        let whole = exact.floor();
        left = left.checked_sub(whole)?;
        shares.push(Share { whole, remainder: exact.checked_sub(whole)? });
    }
    give_out(&mut shares, left)?;
    shares.into_iter().map(|share| share.to_amount(total)).collect()
}

struct Share {
    whole: Rational,
    remainder: Rational,
}

impl Share {
    fn to_amount(&self, total: Amount) -> Result<Amount, AllocationError> {
        let amount = Amount::from_wide(self.whole.numerator, total.currency());
        Ok(amount.ok_or(NumberError::Overflow)?)
    }
}

/// Adds one minor unit to the shares with the largest remainders until nothing is left.
///
/// What is left is the sum of the remainders, each below one: fewer units than shares with a remainder.
fn give_out(shares: &mut [Share], mut left: Rational) -> Result<(), NumberError> {
    let mut order: Vec<&mut Share> = shares.iter_mut().collect();
    order.sort_by_key(|share| Reverse(share.remainder));
    for share in order {
        if left.is_zero() {
            break;
        }
        share.whole = share.whole.checked_add(Rational::ONE)?;
        left = left.checked_sub(Rational::ONE)?;
    }
    Ok(())
}

fn sum_of_weights(weights: &[Rational]) -> Result<Rational, AllocationError> {
    if weights.is_empty() {
        return Err(AllocationError::NoWeights);
    }
    let mut sum = Rational::ZERO;
    for (index, weight) in weights.iter().copied().enumerate() {
        if weight.is_negative() {
            return Err(AllocationError::Negative { index, weight });
        }
        sum = sum.checked_add(weight)?;
    }
    if sum.is_zero() { Err(AllocationError::AllZero { count: weights.len() }) } else { Ok(sum) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currency;

    fn usd(minor: i128) -> Amount {
        Amount::from_minor(minor, Currency::parse("USD").unwrap())
    }

    fn weights(texts: &[&str]) -> Vec<Rational> {
        texts.iter().map(|text| Rational::parse(text).unwrap()).collect()
    }

    #[test]
    fn largest_remainder() {
        let check = |total: i128, texts: &[&str], expect: &[i128]| {
            let parts = allocate(usd(total), &weights(texts)).unwrap();
            let parts: Vec<i128> = parts.into_iter().map(Amount::minor).collect();
            assert_eq!(parts, expect, "{total} over {texts:?}");
        };
        check(600, &["10", "5"], &[400, 200]);
        check(5, &["1", "1", "1"], &[2, 2, 1]);
        check(-5, &["1", "1", "1"], &[-2, -2, -1]);
        check(100, &["0.001", "0.002"], &[33, 67]);
        check(10, &["1", "0", "2"], &[3, 0, 7]);
        check(1, &["0", "1/3", "0"], &[0, 1, 0]);
        check(0, &["1", "2"], &[0, 0]);
        check(7, &["1"], &[7]);
        check(i128::MAX, &["1", "1"], &[i128::MAX / 2 + 1, i128::MAX / 2]);
        check(-i128::MAX, &["1"], &[-i128::MAX]);
    }

    #[test]
    fn refused() {
        let check = |texts: &[&str], expect: AllocationError| {
            assert_eq!(allocate(usd(5), &weights(texts)), Err(expect));
        };
        check(&[], AllocationError::NoWeights);
        check(&["0", "0"], AllocationError::AllZero { count: 2 });
        check(&["2", "-1"], AllocationError::Negative { index: 1, weight: Rational::from_integer(-1) });
        let error = allocate(usd(-5), &weights(&["-0.5"])).unwrap_err();
        assert_eq!(error.to_string(), "expected no weight below zero, weight 0 is `-0.5`");
    }
}
