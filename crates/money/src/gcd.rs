//! Greatest common divisor, dropping to the narrowest machine integer that holds both numbers.

use ethnum::U256;

/// The greatest common divisor; `gcd(0, n) = n`.
pub(crate) fn gcd(mut a: U256, mut b: U256) -> U256 {
    loop {
        if let (Ok(small_a), Ok(small_b)) = (u128::try_from(a), u128::try_from(b)) {
            return U256::new(gcd_128(small_a, small_b));
        }
        if b == U256::ZERO {
            return a;
        }
        (a, b) = (b, a % b);
    }
}

fn gcd_128(mut a: u128, mut b: u128) -> u128 {
    loop {
        if let (Ok(small_a), Ok(small_b)) = (u64::try_from(a), u64::try_from(b)) {
            return u128::from(gcd_64(small_a, small_b));
        }
        if b == 0 {
            return a;
        }
        (a, b) = (b, a % b);
    }
}

fn gcd_64(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::gcd;
    use ethnum::U256;

    fn check(a: U256, b: U256, expect: U256) {
        assert_eq!(gcd(a, b), expect, "gcd({a}, {b})");
        assert_eq!(gcd(b, a), expect, "gcd({b}, {a})");
    }

    #[test]
    fn in_every_width() {
        let two_to = |bits: u32| U256::ONE << bits;
        check(U256::ZERO, U256::ZERO, U256::ZERO);
        check(U256::ZERO, U256::new(7), U256::new(7));
        check(U256::new(12), U256::new(18), U256::new(6));
        check(two_to(100) * 9, two_to(70) * 15, two_to(70) * 3);
        check(two_to(200) * 9, two_to(150) * 15, two_to(150) * 3);
        check(two_to(200), U256::new(3), U256::ONE);
    }
}
