//! The oracle and `money` agree on arithmetic, order, rounding, allocation, splits in time and fees.

use money::{Amount, Currency, NumberError, Rational, Rounding, allocate, round_decimals, split_cumulative};
use num_bigint::BigInt;
use num_traits::Signed;
use sim::oracle_number::{
    Fraction, allocate as oracle_allocate, round as oracle_round, split as oracle_split,
};
use sim::oracle_price::fee as oracle_fee;
use sim::oracle_random::Random;

const SEED: u64 = 4217;

fn fraction(value: Rational) -> Fraction {
    Fraction::parse(&value.to_string())
}

/// A fraction of up to 127 bits over 127 bits, small ones as often as wide ones.
fn draw(random: &mut Random) -> Rational {
    let mut part = || {
        let bits = u32::try_from(random.below(127)).unwrap();
        i128::try_from(random.below_wide(1_u128 << bits)).unwrap()
    };
    let (top, bottom) = (part(), part() + 1);
    Rational::new(if random.one_in(2) { top } else { -top }, bottom).unwrap()
}

/// A product of several draws, so that 256 bits are reached and left.
fn draw_wide(random: &mut Random) -> Rational {
    let (a, b) = (draw(random), draw(random));
    a.checked_mul(b).unwrap_or(a)
}

/// Whether a number leaves ±(2^255 − 1).
fn is_wide(value: &BigInt) -> bool {
    value.abs().bits() > 255
}

fn is_wide_fraction(value: &Fraction) -> bool {
    is_wide(value.top()) || is_wide(value.bottom())
}

#[test]
fn arithmetic_is_exact_or_an_overflow() {
    let mut random = Random::new(SEED);
    let (mut exact, mut overflows) = (0_u32, 0_u32);
    for case in 0..30_000 {
        let (a, b) = (draw_wide(&mut random), draw_wide(&mut random));
        let (x, y) = (fraction(a), fraction(b));
        let mut check = |result: Result<Rational, NumberError>, expect: Fraction, is_near: bool| match result
        {
            Ok(value) => {
                exact += 1;
                assert_eq!(fraction(value), expect, "seed {SEED}, case {case}: {a} and {b}");
            }
            Err(error) => {
                overflows += 1;
                assert_eq!(error, NumberError::Overflow);
                assert!(is_near, "seed {SEED}, case {case}: {a} and {b} do not overflow");
            }
        };
        // A sum may be refused for the width of what is added; a product only for its own.
        let left_or_right = is_wide(&(x.top() * y.bottom())) || is_wide(&(y.top() * x.bottom()));
        let is_near_sum = left_or_right || is_wide(&(x.bottom() * y.bottom()));
        check(a.checked_add(b), &x + &y, is_near_sum || is_wide_fraction(&(&x + &y)));
        check(a.checked_sub(b), &x - &y, is_near_sum || is_wide_fraction(&(&x - &y)));
        check(a.checked_mul(b), &x * &y, is_wide_fraction(&(&x * &y)));
        if !b.is_zero() {
            check(a.checked_div(b), &x / &y, is_wide_fraction(&(&x / &y)));
        }
        assert_eq!(a.cmp(&b), x.cmp(&y), "seed {SEED}, case {case}: {a} against {b}");
        assert_eq!(fraction(a.floor()), Fraction::whole(x.floor()));
        assert_eq!(fraction(a.ceil()), Fraction::whole(x.ceil()));
    }
    println!("{exact} exact, {overflows} overflows");
    assert!(exact > 20_000 && overflows > 2_000, "{exact} exact, {overflows} overflows");
}

#[test]
fn rounding_agrees_and_meets_halves() {
    let mut random = Random::new(SEED);
    let mut halves = 0;
    for case in 0..30_000 {
        let decimals = u32::try_from(random.below(7)).unwrap();
        let mode = random.pick(&Rounding::ALL);
        let exact = if random.one_in(2) {
            halves += 1;
            let odd = 2 * i128::from(random.below(2_000_000)) - 2_000_001;
            Rational::new(odd, 2 * 10_i128.pow(decimals)).unwrap()
        } else {
            let small = i128::from(random.below(1 << 40));
            Rational::new(small - (1 << 39), i128::from(random.below(1 << 20)) + 1).unwrap()
        };
        let scale = Fraction::whole(BigInt::from(10).pow(decimals));
        let expect = &Fraction::whole(oracle_round(&fraction(exact), decimals, mode.as_str())) / &scale;
        let found = round_decimals(exact, decimals, mode).unwrap();
        assert_eq!(fraction(found), expect, "seed {SEED}, case {case}: {exact} {mode} {decimals}");
    }
    assert!(halves > 10_000, "expected many halves, found `{halves}`");
}

#[test]
fn allocation_agrees() {
    let mut random = Random::new(SEED);
    for case in 0..5_000 {
        let currency = Currency::parse(random.pick(&["USD", "JPY", "CLF"])).unwrap();
        let total = i128::from(random.below(20_001)) - 10_000;
        let count = random.below(8) + 1;
        let mut weights: Vec<Rational> = (0..count)
            .map(|_| Rational::new(i128::from(random.below(6)), i128::from(random.below(4)) + 1).unwrap())
            .collect();
        weights.push(Rational::ONE);
        let parts = allocate(Amount::from_minor(total, currency), &weights).unwrap();
        let found: Vec<BigInt> = parts.iter().map(|part| part.minor().into()).collect();
        let weights: Vec<Fraction> = weights.into_iter().map(fraction).collect();
        let expect = oracle_allocate(&total.into(), &weights);
        assert_eq!(found, expect, "seed {SEED}, case {case}: {total} over {weights:?}");
    }
}

#[test]
fn splits_in_time_agree() {
    let mut random = Random::new(SEED);
    for case in 0..5_000 {
        let currency = Currency::parse(random.pick(&["USD", "JPY", "BHD"])).unwrap();
        let mode = random.pick(&Rounding::ALL);
        let parts: Vec<Rational> = (0..random.below(7))
            .map(|_| {
                Rational::new(i128::from(random.below(20_000)) - 5_000, random.pick(&[3, 7, 1000])).unwrap()
            })
            .collect();
        let split = split_cumulative(&parts, currency, mode).unwrap();
        let found: Vec<BigInt> = split.iter().map(|part| part.amount.minor().into()).collect();
        let exact: Vec<Fraction> = parts.into_iter().map(fraction).collect();
        let expect = oracle_split(&exact, currency.exponent(), mode.as_str());
        assert_eq!(found, expect, "seed {SEED}, case {case}: {exact:?} {mode}");
    }
}

#[test]
fn fees_agree() {
    let mut random = Random::new(SEED);
    for _ in 0..5_000 {
        let whole = i64::try_from(random.below(366)).unwrap() + 1;
        let part = i64::try_from(random.below(u64::try_from(whole).unwrap() + 1)).unwrap();
        let amount = Rational::new(i128::from(random.below(10_000_000)) - 1_000_000, 100).unwrap();
        let charge = rating::fee(amount, part, whole).unwrap();
        assert!(charge.is_priced());
        assert_eq!(fraction(charge.exact), oracle_fee(&fraction(amount), part, whole));
        assert_eq!(charge.basis.evaluate(), Ok(charge.exact));
    }
}
