//! Recurring fees, prorated by days.

use crate::charge::Charge;
use crate::problem::ChargeProblem;
use crate::traced::Traced;
use money::{NumberError, Rational};

/// A recurring fee for `part_days` of a period that has `whole_days`.
///
/// The fee of a whole period is the fee itself; a part costs its exact share, 17 days of 31 cost 17/31. No days
/// cost nothing.
///
/// **Rounding**: none.
///
/// **Errors**: [`NumberError::Overflow`]. Days that no period has (below 0, more than the whole, a whole of
/// none) are no error here: the charge has no amount and says why ([`Charge::is_priced`]).
///
/// **Examples**
/// ```
/// use money::Rational;
/// use rating::fee;
/// let ten = Rational::from_integer(10);
/// assert_eq!(fee(ten, 31, 31).unwrap().exact, ten);
/// assert_eq!(fee(ten, 17, 31).unwrap().exact.to_string(), "170/31");
/// assert!(!fee(ten, 32, 31).unwrap().is_priced());
/// ```
pub fn fee(amount: Rational, part_days: i64, whole_days: i64) -> Result<Charge, NumberError> {
    if whole_days < 1 || !(0..=whole_days).contains(&part_days) {
        return Ok(Charge::held(vec![ChargeProblem::ImpossibleDays { part_days, whole_days }]));
    }
    let fee = Traced::constant(amount, "fee");
    if part_days == whole_days {
        return Ok(Charge::priced(fee, Vec::new()));
    }
    let days = |days: i64, is| Traced::constant(Rational::from_integer(i128::from(days)), is);
    let part = fee.times(days(part_days, "days of service"))?.over(days(whole_days, "days of the period"))?;
    Ok(Charge::priced(part.noted(format!("{part_days} of {whole_days} days")), Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::fee;
    use crate::check::number;

    #[test]
    fn by_days() {
        let check = |amount: &str, part: i64, whole: i64, exact: &str, basis: &str| {
            let charge = fee(number(amount), part, whole).unwrap();
            assert!(charge.is_priced());
            assert_eq!((charge.exact, charge.basis.to_string().as_str()), (number(exact), basis));
            assert_eq!(charge.basis.evaluate(), Ok(charge.exact));
        };
        check("29", 31, 31, "29", "29");
        check("10", 17, 31, "170/31", "(10 × 17) ÷ 31");
        check("29", 0, 31, "0", "(29 × 0) ÷ 31");
        check("0", 1, 28, "0", "(0 × 1) ÷ 28");
        check("-30", 1, 30, "-1", "((-30) × 1) ÷ 30");
    }

    #[test]
    fn days_that_no_period_has() {
        for (part, whole) in [(1, 0), (0, 0), (-1, 31), (32, 31), (1, -31), (-1, -31), (i64::MIN, i64::MAX)] {
            let charge = fee(number("10"), part, whole).unwrap();
            assert!(!charge.is_priced(), "{part} of {whole}");
            assert_eq!(charge.problems.first().map(crate::ChargeProblem::code), Some("impossible_days"));
        }
    }
}
