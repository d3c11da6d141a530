//! What holds for every price, not only for those in a table.

use money::{Currency, Rational, Rounding, round, split_cumulative};
use proptest::prelude::*;
use rating::{Price, PriceTerm, Tier, fee, rate};

fn integer(value: i128) -> Rational {
    Rational::from_integer(value)
}

fn add(a: Rational, b: Rational) -> Rational {
    a.checked_add(b).unwrap()
}

fn sub(a: Rational, b: Rational) -> Rational {
    a.checked_sub(b).unwrap()
}

fn mul(a: Rational, b: Rational) -> Rational {
    a.checked_mul(b).unwrap()
}

/// 10^-12, the least quantity.
fn ulp() -> Rational {
    Rational::new(1, 1_000_000_000_000).unwrap()
}

fn quantity() -> impl Strategy<Value = Rational> {
    prop_oneof![
        (0_i128..3_000).prop_map(integer),
        (0_i128..3_000_000_000_000_000).prop_map(|pico| mul(integer(pico), ulp())),
    ]
}

fn signed() -> impl Strategy<Value = Rational> {
    (quantity(), any::<bool>()).prop_map(|(number, turn)| if turn { number.neg() } else { number })
}

fn money() -> impl Strategy<Value = Rational> {
    (0_i128..1_000_000, 0_u32..7)
        .prop_map(|(digits, decimals)| Rational::new(digits, 10_i128.pow(decimals)).unwrap())
}

fn per() -> impl Strategy<Value = Rational> {
    prop::sample::select(vec![integer(1), integer(3), integer(1000), integer(1_000_000)])
}

fn tiers(with_flats: bool) -> impl Strategy<Value = Vec<Tier>> {
    let row = (1_i128..2_000, money(), money());
    prop::collection::vec(row, 1..6).prop_map(move |rows| {
        let last = rows.len() - 1;
        let mut bound = Rational::ZERO;
        rows.into_iter()
            .enumerate()
            .map(|(index, (width, unit, flat))| {
                bound = add(bound, Rational::new(width, 2).unwrap());
                let flat = if with_flats { flat } else { Rational::ZERO };
                Tier { up_to: (index < last).then_some(bound), unit, flat }
            })
            .collect()
    })
}

fn price() -> impl Strategy<Value = Price> {
    prop_oneof![
        money().prop_map(|amount| Price::Flat { amount }),
        (money(), per()).prop_map(|(rate, per)| Price::Unit { rate, per }),
        (tiers(true), per()).prop_map(|(tiers, per)| Price::Graduated { tiers, per }),
        (tiers(true), per()).prop_map(|(tiers, per)| Price::Volume { tiers, per }),
        (1_i128..500, money()).prop_map(|(size, price)| Price::Package { size: integer(size), price }),
    ]
}

fn term() -> impl Strategy<Value = PriceTerm> {
    let included = prop_oneof![Just(Rational::ZERO), quantity()];
    (price(), included, any::<bool>(), any::<bool>()).prop_map(
        |(price, included, charge_when_unused, allow_negative)| PriceTerm {
            price,
            included,
            charge_when_unused,
            allow_negative,
        },
    )
}

fn exact(quantity: Rational, price: &Price) -> Rational {
    rate(quantity, &PriceTerm::new(price.clone())).unwrap().exact
}

proptest! {
    #[test]
    fn the_basis_evaluates_to_the_exact_amount(quantity in signed(), term in term()) {
        let charge = rate(quantity, &term).unwrap();
        prop_assert_eq!(charge.basis.evaluate(), Ok(charge.exact));
        prop_assert!(charge.is_priced());
        prop_assert_eq!(rate(quantity, &term).unwrap(), charge);
    }

    #[test]
    fn nothing_used_costs_nothing(price in price(), included in quantity()) {
        prop_assert_eq!(exact(Rational::ZERO, &price), Rational::ZERO);
        let term = PriceTerm { included, ..PriceTerm::new(price) };
        prop_assert_eq!(rate(included, &term).unwrap().exact, Rational::ZERO);
    }

    #[test]
    fn below_zero_costs_as_much_as_nothing_and_says_so(quantity in quantity(), term in term()) {
        prop_assume!(!quantity.is_zero());
        let term = PriceTerm { allow_negative: false, ..term };
        let below = rate(quantity.neg(), &term).unwrap();
        prop_assert_eq!(below.exact, rate(Rational::ZERO, &term).unwrap().exact);
        prop_assert_eq!(below.problems.len(), 1);
    }

    #[test]
    fn unit_is_additive(a in signed(), b in signed(), rate_ in money(), per in per()) {
        let price = Price::Unit { rate: rate_, per };
        let term = PriceTerm { allow_negative: true, ..PriceTerm::new(price) };
        let exact = |quantity| rate(quantity, &term).unwrap().exact;
        prop_assert_eq!(exact(add(a, b)), add(exact(a), exact(b)));
    }

    #[test]
    fn graduated_without_flats_is_continuous(tiers in tiers(false), per in per()) {
        let price = Price::Graduated { tiers: tiers.clone(), per };
        for (tier, next) in tiers.iter().zip(tiers.iter().skip(1)) {
            let bound = tier.up_to.unwrap();
            let step = |unit: Rational| mul(unit, ulp()).checked_div(per).unwrap();
            let at = exact(bound, &price);
            prop_assert_eq!(exact(add(bound, ulp()), &price), add(at, step(next.unit)));
            prop_assert_eq!(exact(sub(bound, ulp()), &price), sub(at, step(tier.unit)));
        }
    }

    #[test]
    fn graduated_never_falls(a in quantity(), b in quantity(), tiers in tiers(true), per in per()) {
        let price = Price::Graduated { tiers, per };
        prop_assert!(exact(a.min(b), &price) <= exact(a.max(b), &price));
    }

    #[test]
    fn graduated_is_the_sum_of_its_clamped_parts(quantity in quantity(), tiers in tiers(false)) {
        let mut lower = Rational::ZERO;
        let mut sum = Rational::ZERO;
        for tier in &tiers {
            let upper = tier.up_to.unwrap_or(quantity.max(lower));
            let clamped = quantity.max(lower).min(upper);
            sum = add(sum, mul(tier.unit, sub(clamped, lower)));
            lower = upper;
        }
        prop_assert_eq!(exact(quantity, &Price::Graduated { tiers, per: Rational::ONE }), sum);
    }

    #[test]
    fn a_bound_between_equal_prices_changes_nothing(quantity in quantity(), tiers in tiers(false), unit in money()) {
        let equal: Vec<Tier> = tiers.into_iter().map(|tier| Tier { unit, ..tier }).collect();
        let per = Rational::ONE;
        let expect = exact(quantity, &Price::Unit { rate: unit, per });
        prop_assert_eq!(exact(quantity, &Price::Graduated { tiers: equal.clone(), per }), expect);
        prop_assert_eq!(exact(quantity, &Price::Volume { tiers: equal, per }), expect);
    }

    #[test]
    fn volume_jumps_only_above_its_bound(tiers in tiers(true), per in per()) {
        let price = Price::Volume { tiers: tiers.clone(), per };
        for (tier, next) in tiers.iter().zip(tiers.iter().skip(1)) {
            let bound = tier.up_to.unwrap();
            let at = |unit: Rational, quantity| mul(unit, quantity).checked_div(per).unwrap();
            prop_assert_eq!(exact(bound, &price), add(at(tier.unit, bound), tier.flat));
            let above = add(bound, ulp());
            prop_assert_eq!(exact(above, &price), add(at(next.unit, above), next.flat));
        }
    }

    #[test]
    fn package_count_is_the_least_that_holds_all(quantity in quantity(), size in 1_i128..500) {
        let count = exact(quantity, &Price::Package { size: integer(size), price: Rational::ONE });
        prop_assert!(count.is_integer() && !count.is_negative());
        prop_assert!(mul(count, integer(size)) >= quantity);
        prop_assert!(count.is_zero() || mul(sub(count, Rational::ONE), integer(size)) < quantity);
    }

    #[test]
    fn included_units_shift_the_quantity(quantity in quantity(), included in quantity(), price in price()) {
        prop_assume!(!matches!(price, Price::Volume { .. }));
        let term = PriceTerm { included, ..PriceTerm::new(price.clone()) };
        prop_assert_eq!(rate(add(quantity, included), &term).unwrap().exact, exact(quantity, &price));
    }

    #[test]
    fn included_units_never_raise_a_bill(quantity in quantity(), included in quantity(), price in price()) {
        let term = PriceTerm { included, ..PriceTerm::new(price.clone()) };
        prop_assert!(rate(quantity, &term).unwrap().exact <= exact(quantity, &price));
    }

    #[test]
    fn charging_without_usage_never_lowers_a_bill(quantity in quantity(), term in term()) {
        let [with, without] = [true, false].map(|charge_when_unused| {
            rate(quantity, &PriceTerm { charge_when_unused, ..term.clone() }).unwrap().exact
        });
        prop_assert!(without <= with);
    }

    #[test]
    fn per_only_changes_the_unit_of_the_rate(quantity in quantity(), rate_ in money(), per in per()) {
        let scaled = Price::Unit { rate: mul(rate_, per), per };
        let plain = Price::Unit { rate: rate_, per: Rational::ONE };
        prop_assert_eq!(exact(quantity, &scaled), exact(quantity, &plain));
    }

    #[test]
    fn a_fee_cut_by_days_stays_whole(amount in money(), whole in 1_i64..366, cut in 0_i64..366) {
        let cut = cut % (whole + 1);
        let [first, rest] = [cut, whole - cut].map(|days| fee(amount, days, whole).unwrap());
        prop_assert_eq!(add(first.exact, rest.exact), amount);
        prop_assert_eq!(first.basis.evaluate(), Ok(first.exact));
        let usd = Currency::parse("USD").unwrap();
        let parts = split_cumulative(&[first.exact, rest.exact], usd, Rounding::default()).unwrap();
        let sum: i128 = parts.iter().map(|part| part.amount.minor()).sum();
        prop_assert_eq!(sum, round(amount, usd, Rounding::default()).unwrap().amount.minor());
    }

    #[test]
    fn a_price_that_is_not_sound_never_has_an_amount(quantity in signed(), tiers in tiers(true), last in 1_i128..9) {
        let mut bounded = tiers.clone();
        bounded.last_mut().unwrap().up_to = Some(integer(last * 1_000_000));
        let mut doubled = tiers.clone();
        doubled.push(tiers[0]);
        let per = Rational::ONE;
        let prices = [
            Price::Graduated { tiers: bounded.clone(), per },
            Price::Volume { tiers: bounded, per },
            Price::Volume { tiers: doubled, per },
            Price::Graduated { tiers: tiers.clone(), per: Rational::ZERO },
            Price::Package { size: integer(-last), price: Rational::ONE },
        ];
        for price in prices {
            prop_assert!(price.check().is_err());
            prop_assert!(!rate(quantity, &PriceTerm::new(price)).unwrap().is_priced());
        }
    }
}
