//! One amount for the period.
//!
//! Rule: owed once where anything beyond the included quantity was used, or where the term charges without
//! usage. How much was used does not matter.

use crate::demand::{Demand, nothing};
use crate::traced::Traced;
use money::{NumberError, Rational};

pub(crate) fn charge(demand: Demand, amount: Rational) -> Result<Traced, NumberError> {
    if demand.is_entered {
        Ok(Traced::constant(amount, "flat"))
    } else {
        nothing(demand.net, "nothing beyond the included quantity was used: the flat amount is not owed")
    }
}

#[cfg(test)]
mod tests {
    use crate::Price;
    use crate::check::{check, check_unused, number};

    #[test]
    fn flat() {
        let price = || Price::Flat { amount: number("5") };
        check(price(), "0", "0", "0");
        check(price(), "0", "0.000000000001", "5");
        check(price(), "0", "1", "5");
        check(price(), "0", "100000000000000000000", "5");
        check(price(), "0", "-1", "0");
        check(price(), "10", "10", "0");
        check(price(), "10", "10.000000000001", "5");
        check_unused(price(), "0", "0", "5");
        check_unused(price(), "10", "3", "5");
        check_unused(price(), "0", "7", "5");
    }
}
