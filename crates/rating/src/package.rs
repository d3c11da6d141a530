//! Units are sold in packages.
//!
//! Rule: ceil((q − included, at least 0) ÷ size) × price, once for the whole period: a package that is begun is
//! owed, and what two events leave over shares one. No usage is no package, whatever the term says.

use crate::traced::Traced;
use money::{NumberError, Rational};

pub(crate) fn charge(net: Traced, size: Rational, price: Rational) -> Result<Traced, NumberError> {
    let packages = net.over(Traced::constant(size, "package size"))?.ceil();
    packages.times(Traced::constant(price, "package price"))
}

#[cfg(test)]
mod tests {
    use crate::Price;
    use crate::check::{basis_of, check, check_unused, number};

    #[test]
    fn package() {
        let price = |size: &str, price: &str| Price::Package { size: number(size), price: number(price) };
        check(price("10", "15"), "0", "0", "0");
        check(price("10", "15"), "0", "0.000000000001", "15");
        check(price("10", "15"), "0", "5", "15");
        check(price("10", "15"), "0", "10", "15");
        check(price("10", "15"), "0", "10.000000000001", "30");
        check(price("1000", "1"), "0", "2700", "3");
        check(price("10", "100"), "10", "121", "1200");
        check(price("10", "100"), "200", "121", "0");
        check(price("0.1", "1"), "0", "0.3", "3");
        check(price("1/3", "1"), "0", "1", "3");
        check(price("10", "15"), "0", "-25", "0");
        check_unused(price("10", "15"), "0", "0", "0");
        assert_eq!(basis_of(price("10", "15"), "22"), "ceil(22 ÷ 10) × 15");
    }
}
