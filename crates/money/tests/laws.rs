//! What holds for all numbers, not only for those in a table.

use money::{
    Amount, Currency, Quantity, Rational, Rounding, Sum, allocate, round, round_decimals, split_cumulative,
};
use proptest::prelude::*;

fn rational() -> impl Strategy<Value = Rational> {
    let decimal = (-10_i128.pow(20)..10_i128.pow(20), 0_u32..13)
        .prop_map(|(digits, decimals)| (digits, 10_i128.pow(decimals)));
    let fraction = (-1_000_000_i128..1_000_000, 1_i128..10_000);
    let wide = (any::<i128>(), 1..i128::MAX);
    prop_oneof![decimal, fraction, wide].prop_map(|(top, bottom)| Rational::new(top, bottom).unwrap())
}

/// Numbers of which sums and products of a few still fit.
fn modest() -> impl Strategy<Value = Rational> {
    (-1_000_000_000_000_i128..1_000_000_000_000, 1_i128..1_000)
        .prop_map(|(a, b)| Rational::new(a, b).unwrap())
}

fn quantity() -> impl Strategy<Value = Quantity> {
    (-10_i128.pow(32)..=10_i128.pow(32)).prop_map(|pico| Quantity::from_pico(pico).unwrap())
}

fn currency() -> impl Strategy<Value = Currency> {
    let all: Vec<Currency> = Currency::all().collect();
    prop::sample::select(all)
}

fn mode() -> impl Strategy<Value = Rounding> {
    prop::sample::select(Rounding::ALL.to_vec())
}

fn weights() -> impl Strategy<Value = Vec<Rational>> {
    let weight = (0_i128..50, 1_i128..12).prop_map(|(a, b)| Rational::new(a, b).unwrap());
    prop::collection::vec(weight, 1..9)
        .prop_filter("a weight above zero", |weights| weights.iter().any(|weight| !weight.is_zero()))
}

fn total(numbers: impl IntoIterator<Item = Rational>) -> Rational {
    numbers.into_iter().fold(Rational::ZERO, |sum, next| sum.checked_add(next).unwrap())
}

/// One minor unit.
fn minor_unit(currency: Currency) -> Rational {
    Amount::from_minor(1, currency).to_rational()
}

proptest! {
    #[test]
    fn text_and_back_is_the_same_number(number in rational()) {
        prop_assert_eq!(Rational::parse(&number.to_string()), Ok(number));
    }

    #[test]
    fn quantity_text_and_back(number in quantity()) {
        prop_assert_eq!(Quantity::parse(&number.to_string()), Ok(number));
        prop_assert_eq!(number.to_rational().to_string(), number.to_string());
        prop_assert_eq!(Sum::parse(&number.to_string()), Ok(Sum::ZERO.add(number)));
    }

    #[test]
    fn an_exponent_only_moves_the_point(digits in -10_i128.pow(8)..10_i128.pow(8), exponent in -12_i32..12) {
        let found = Quantity::parse(&format!("{digits}e{exponent}")).unwrap().to_rational();
        let scale = Rational::from_integer(10_i128.pow(exponent.unsigned_abs()));
        let number = Rational::from_integer(digits);
        let expect = if exponent < 0 { number.checked_div(scale) } else { number.checked_mul(scale) };
        prop_assert_eq!(Ok(found), expect);
    }

    #[test]
    fn amount_text_and_back(minor in -i128::MAX..=i128::MAX, currency in currency()) {
        let amount = Amount::from_minor(minor, currency);
        prop_assert_eq!(Amount::parse(&amount.to_string(), currency), Ok(amount));
        prop_assert_eq!(Rational::parse(&amount.to_string()), Ok(amount.to_rational()));
        prop_assert_eq!(amount.checked_add(amount.neg()), Ok(Amount::zero(currency)));
    }

    #[test]
    fn text_of_any_kind_is_read_or_refused_but_never_misread(text in "-?[0-9]{0,4}[.eE/+]?[0-9 ]{0,3}") {
        if let Ok(number) = Quantity::parse(&text) {
            prop_assert_eq!(Quantity::parse(&number.to_string()), Ok(number));
            if let Ok(same) = Rational::parse(&text) {
                prop_assert_eq!(same, number.to_rational());
            }
        }
    }

    #[test]
    fn sums_do_not_depend_on_order_or_batches(numbers in prop::collection::vec(quantity(), 0..30), cut in 0_usize..30) {
        let add = |numbers: &[Quantity]| numbers.iter().fold(Sum::ZERO, |sum, next| sum.add(*next));
        let forward = add(&numbers);
        let mut sorted = numbers.clone();
        sorted.sort();
        prop_assert_eq!(add(&sorted), forward);
        let (left, right) = numbers.split_at(cut.min(numbers.len()));
        prop_assert_eq!(add(right).merge(add(left)), forward);
        prop_assert_eq!(Sum::from_le_bytes(forward.to_le_bytes()), forward);
        prop_assert_eq!(Sum::parse(&forward.to_string()), Ok(forward));
        prop_assert_eq!(total(numbers.iter().map(|number| number.to_rational())), forward.to_rational());
    }

    #[test]
    fn arithmetic_keeps_its_laws(a in modest(), b in modest(), c in modest()) {
        let sum = a.checked_add(b).unwrap();
        prop_assert_eq!(b.checked_add(a), Ok(sum));
        prop_assert_eq!(sum.checked_sub(b), Ok(a));
        prop_assert_eq!(sum.checked_add(c), a.checked_add(b.checked_add(c).unwrap()));
        let left = sum.checked_mul(c).unwrap();
        prop_assert_eq!(a.checked_mul(c).unwrap().checked_add(b.checked_mul(c).unwrap()), Ok(left));
        if !c.is_zero() {
            prop_assert_eq!(a.checked_div(c).unwrap().checked_mul(c), Ok(a));
        }
    }

    #[test]
    fn order_is_that_of_the_difference(a in modest(), b in modest()) {
        let gap = a.checked_sub(b).unwrap();
        prop_assert_eq!(a.cmp(&b), gap.cmp(&Rational::ZERO));
        prop_assert_eq!(b.cmp(&a), a.cmp(&b).reverse());
    }

    #[test]
    fn wide_numbers_have_an_order_too(a in rational(), b in rational(), c in rational()) {
        prop_assert_eq!(b.cmp(&a), a.cmp(&b).reverse());
        prop_assert_eq!(a.neg().cmp(&b.neg()), b.cmp(&a));
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn floor_and_ceil_enclose(number in rational()) {
        let (floor, ceil) = (number.floor(), number.ceil());
        prop_assert!(floor.is_integer() && ceil.is_integer() && floor <= number && number <= ceil);
        let gap = if number.is_integer() { Rational::ZERO } else { Rational::ONE };
        prop_assert_eq!(ceil.checked_sub(floor), Ok(gap));
    }

    #[test]
    fn rounding_moves_less_than_a_minor_unit(exact in modest(), currency in currency(), mode in mode()) {
        let rounded = round(exact, currency, mode).unwrap();
        prop_assert_eq!(exact.checked_add(rounded.residue), Ok(rounded.amount.to_rational()));
        let twice = rounded.residue.abs().checked_mul(Rational::from_integer(2)).unwrap();
        match mode {
            Rounding::HalfAwayFromZero | Rounding::HalfEven => prop_assert!(twice <= minor_unit(currency)),
            Rounding::Up => prop_assert!(rounded.amount.to_rational().abs() >= exact.abs()),
            Rounding::Down => prop_assert!(rounded.amount.to_rational().abs() <= exact.abs()),
        }
        prop_assert!(rounded.residue.abs() < minor_unit(currency));
        prop_assert_eq!(round(exact.neg(), currency, mode).unwrap().amount, rounded.amount.neg());
    }

    #[test]
    fn rounding_twice_is_rounding_once(exact in modest(), decimals in 0_u32..9, mode in mode()) {
        let once = round_decimals(exact, decimals, mode).unwrap();
        prop_assert_eq!(round_decimals(once, decimals, mode), Ok(once));
    }

    #[test]
    fn rounding_keeps_order(a in modest(), b in modest(), currency in currency(), mode in mode()) {
        let (low, high) = (a.min(b), a.max(b));
        let minor = |exact| round(exact, currency, mode).unwrap().amount.minor();
        prop_assert!(minor(low) <= minor(high));
    }

    #[test]
    fn allocation_is_exact_and_fair(minor in -1_000_000_i128..1_000_000, weights in weights(), currency in currency()) {
        let whole = Amount::from_minor(minor, currency);
        let parts = allocate(whole, &weights).unwrap();
        prop_assert_eq!(parts.len(), weights.len());
        prop_assert_eq!(parts.iter().map(|part| part.minor()).sum::<i128>(), minor);
        let sum = total(weights.iter().copied());
        for (part, weight) in parts.iter().zip(&weights) {
            let share = Rational::from_integer(minor).checked_mul(*weight).unwrap().checked_div(sum).unwrap();
            let gap = share.checked_sub(Rational::from_integer(part.minor())).unwrap();
            prop_assert!(gap.abs() < Rational::ONE, "{share} became {part}");
        }
        let mirrored = allocate(whole.neg(), &weights).unwrap();
        prop_assert!(mirrored.iter().zip(&parts).all(|(a, b)| a.minor() == -b.minor()));
    }

    #[test]
    fn allocation_is_stable(minor in 0_i128..1_000_000, weights in weights(), currency in currency()) {
        let whole = Amount::from_minor(minor, currency);
        let parts = allocate(whole, &weights).unwrap();
        for later in 1..weights.len() {
            for earlier in 0..later {
                if weights[earlier] == weights[later] {
                    prop_assert!(parts[earlier].minor() >= parts[later].minor());
                }
                if weights[earlier] > weights[later] {
                    prop_assert!(parts[earlier].minor() >= parts[later].minor());
                }
            }
        }
        let mut with_zero = weights.clone();
        with_zero.push(Rational::ZERO);
        let longer = allocate(whole, &with_zero).unwrap();
        prop_assert_eq!(&longer[..parts.len()], &parts[..]);
        let scaled: Vec<Rational> =
            weights.iter().map(|weight| weight.checked_mul(Rational::new(3, 7).unwrap()).unwrap()).collect();
        prop_assert_eq!(allocate(whole, &scaled).unwrap(), parts);
    }

    #[test]
    fn a_split_in_time_adds_up(parts in prop::collection::vec(modest(), 1..8), currency in currency(), mode in mode()) {
        let split = split_cumulative(&parts, currency, mode).unwrap();
        let whole = round(total(parts.iter().copied()), currency, mode).unwrap().amount;
        prop_assert_eq!(split.iter().map(|part| part.amount.minor()).sum::<i128>(), whole.minor());
        for (part, exact) in split.iter().zip(&parts) {
            prop_assert_eq!(exact.checked_add(part.residue), Ok(part.amount.to_rational()));
        }
    }

    #[test]
    fn cutting_a_part_in_two_changes_nothing_else(
        parts in prop::collection::vec(modest(), 1..8), at in 0_usize..8, days in 1_i128..31,
        currency in currency(), mode in mode(),
    ) {
        let at = at % parts.len();
        let first = parts[at].checked_mul(Rational::new(days, 31).unwrap()).unwrap();
        let mut cut = parts.clone();
        cut[at] = first;
        cut.insert(at + 1, parts[at].checked_sub(first).unwrap());
        let minor = |parts: &[Rational]| -> Vec<i128> {
            split_cumulative(parts, currency, mode).unwrap().iter().map(|part| part.amount.minor()).collect()
        };
        let (before, mut after) = (minor(&parts), minor(&cut));
        let second = after.remove(at + 1);
        after[at] += second;
        prop_assert_eq!(before, after);
    }
}
