//! Every unit costs the same.
//!
//! Rule: (q − included, at least 0) × rate ÷ per.

use crate::traced::Traced;
use money::{NumberError, Rational};

pub(crate) fn charge(net: Traced, rate: Rational, per: Rational) -> Result<Traced, NumberError> {
    net.at_rate(rate, per)
}

#[cfg(test)]
mod tests {
    use crate::Price;
    use crate::check::{check, check_unused, number};

    #[test]
    fn unit() {
        let price = |rate: &str, per: &str| Price::Unit { rate: number(rate), per: number(per) };
        check(price("10", "1"), "0", "0", "0");
        check(price("10", "1"), "0", "1400", "14000");
        check(price("0.00036", "1"), "50000", "50000.5", "0.00018");
        check(price("15", "1000000"), "0", "4088665", "61.329975");
        check(price("1", "3"), "0", "1", "1/3");
        check(price("0.000000000001", "1"), "0", "0.000000000001", "0.000000000000000000000001");
        check(price("2", "1"), "0", "-3", "0");
        check(price("2", "1"), "10", "9.999999999999", "0");
        check_unused(price("2", "1"), "0", "0", "0");
    }
}
