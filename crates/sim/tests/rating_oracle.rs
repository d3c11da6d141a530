//! The oracle and the product agree on every price model, exactly and to the cent, above all where tiers and
//! packages begin and end.

use money::{Currency, Quantity, Rational, Rounding, round};
use rating::{Price, PriceTerm, Tier, rate};
use sim::oracle_number::{Fraction, round as oracle_round};
use sim::oracle_price::{OraclePrice, OracleTerm, OracleTier, charge};
use sim::oracle_random::Random;
use std::collections::BTreeMap;

const SEED: u64 = 20_260_801;
const CASES: u64 = 100_000;
const PICO_PER_UNIT: i128 = 1_000_000_000_000;
const MODELS: [&str; 5] = ["flat", "unit", "graduated", "volume", "package"];

/// A price as integers in units of 10^-12, from which both sides are built through text.
#[derive(Debug, Clone)]
struct Drawn {
    model: &'static str,
    /// (upper bound, unit price, flat); the last bound is ignored.
    tiers: Vec<(i128, i128, i128)>,
    per: i128,
    size: i128,
    included: i128,
    charge_when_unused: bool,
    allow_negative: bool,
}

/// Where a drawn quantity lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    OnBound,
    UlpBelow,
    UlpAbove,
    Anywhere,
}

fn decimal(pico: i128) -> String {
    let sign = if pico < 0 { "-" } else { "" };
    let size = pico.unsigned_abs();
    let unit = PICO_PER_UNIT.unsigned_abs();
    format!("{sign}{}.{:012}", size / unit, size % unit)
}

fn number(pico: i128) -> Rational {
    Rational::parse(&decimal(pico)).unwrap()
}

fn fraction(pico: i128) -> Fraction {
    Fraction::parse(&decimal(pico))
}

fn draw_size(random: &mut Random) -> i128 {
    let digits = 10_u128.pow(u32::try_from(random.below(20)).unwrap() + 1);
    let value = i128::try_from(random.below_wide(digits)).unwrap() + 1;
    if random.one_in(2) { value * PICO_PER_UNIT / 1000 } else { value }
}

fn draw_price(random: &mut Random, model: &'static str) -> Drawn {
    let mut bound = 0;
    let mut tiers = Vec::new();
    for _ in 0..=random.below(5) {
        bound += draw_size(random);
        let unit =
            i128::from(random.below(3_000_000)) * 10_i128.pow(u32::try_from(random.below(10)).unwrap());
        let flat = if random.one_in(2) { 0 } else { i128::from(random.below(1_000_000)) * 10_000_000_000 };
        tiers.push((bound, unit, flat));
    }
    Drawn {
        model,
        tiers,
        per: random.pick(&[1, 1, 3, 7, 1000, 1_000_000]),
        size: draw_size(random),
        included: if random.one_in(2) { 0 } else { draw_size(random) },
        charge_when_unused: random.one_in(4),
        allow_negative: random.one_in(4),
    }
}

/// A quantity on an edge of the price: a tier's bound, a full package, the included quantity, nothing.
fn draw_edge(random: &mut Random, drawn: &Drawn) -> i128 {
    let bounds: Vec<i128> = drawn.tiers[..drawn.tiers.len() - 1].iter().map(|tier| tier.0).collect();
    if random.one_in(8) {
        return random.pick(&[0, drawn.included]);
    }
    match drawn.model {
        "graduated" if !bounds.is_empty() => drawn.included + random.pick(&bounds),
        "volume" if !bounds.is_empty() => random.pick(&bounds),
        "package" => drawn.included + drawn.size * i128::from(random.below(20)),
        _ => drawn.included,
    }
}

fn draw_quantity(random: &mut Random, drawn: &Drawn, is_edge: bool) -> (i128, Place) {
    if is_edge {
        let edge = draw_edge(random, drawn);
        return match random.below(3) {
            0 => (edge, Place::OnBound),
            1 => (edge - 1, Place::UlpBelow),
            _ => (edge + 1, Place::UlpAbove),
        };
    }
    let size = draw_size(random);
    (if random.one_in(10) { -size } else { size }, Place::Anywhere)
}

fn product_term(drawn: &Drawn) -> PriceTerm {
    let last = drawn.tiers.len() - 1;
    let tier = |(index, row): (usize, &(i128, i128, i128))| Tier {
        up_to: (index < last).then(|| number(row.0)),
        unit: number(row.1),
        flat: number(row.2),
    };
    let tiers = || drawn.tiers.iter().enumerate().map(tier).collect();
    let per = Rational::from_integer(drawn.per);
    let price = match drawn.model {
        "flat" => Price::Flat { amount: number(drawn.tiers[0].1) },
        "unit" => Price::Unit { rate: number(drawn.tiers[0].1), per },
        "graduated" => Price::Graduated { tiers: tiers(), per },
        "volume" => Price::Volume { tiers: tiers(), per },
        _ => Price::Package { size: number(drawn.size), price: number(drawn.tiers[0].1) },
    };
    PriceTerm {
        price,
        included: number(drawn.included),
        charge_when_unused: drawn.charge_when_unused,
        allow_negative: drawn.allow_negative,
    }
}

fn oracle_term(drawn: &Drawn) -> OracleTerm {
    let last = drawn.tiers.len() - 1;
    let tier = |(index, row): (usize, &(i128, i128, i128))| OracleTier {
        up_to: (index < last).then(|| fraction(row.0)),
        unit: fraction(row.1),
        flat: fraction(row.2),
    };
    let tiers = || drawn.tiers.iter().enumerate().map(tier).collect();
    let per = Fraction::whole(drawn.per);
    let price = match drawn.model {
        "flat" => OraclePrice::Flat(fraction(drawn.tiers[0].1)),
        "unit" => OraclePrice::Unit(fraction(drawn.tiers[0].1), per),
        "graduated" => OraclePrice::Graduated(tiers(), per),
        "volume" => OraclePrice::Volume(tiers(), per),
        _ => OraclePrice::Package(fraction(drawn.size), fraction(drawn.tiers[0].1)),
    };
    OracleTerm {
        price,
        included: fraction(drawn.included),
        charge_when_unused: drawn.charge_when_unused,
        allow_negative: drawn.allow_negative,
    }
}

/// Compares one charge, its basis, its rounded amount and its residue; returns the exact charge.
fn compare(random: &mut Random, drawn: &Drawn, quantity: i128, case: u64) -> Fraction {
    let place = || format!("seed {SEED}, case {case}: {} of {drawn:?}", decimal(quantity));
    let rated = rate(Quantity::from_pico(quantity).unwrap().to_rational(), &product_term(drawn)).unwrap();
    let expected = charge(&fraction(quantity), &oracle_term(drawn));
    assert_eq!(Fraction::parse(&rated.exact.to_string()), expected, "{}", place());
    assert_eq!(rated.basis.evaluate(), Ok(rated.exact), "{}", place());
    let currency = Currency::parse(random.pick(&["USD", "JPY", "BHD", "CLF"])).unwrap();
    let mode = random.pick(&Rounding::ALL);
    let rounded = round(rated.exact, currency, mode).unwrap();
    let minor = oracle_round(&expected, currency.exponent(), mode.as_str());
    assert_eq!(rounded.amount.minor().to_string(), minor.to_string(), "{mode} {currency}, {}", place());
    let amount = Fraction::parse(&rounded.amount.to_string());
    assert_eq!(Fraction::parse(&rounded.residue.to_string()), &amount - &expected, "{}", place());
    expected
}

#[test]
fn agrees_on_a_hundred_thousand_charges_half_of_them_on_an_edge() {
    let mut random = Random::new(SEED);
    let mut seen: BTreeMap<(&str, Place), u64> = BTreeMap::new();
    let mut steps = 0;
    for case in 0..CASES {
        let model = random.pick(&MODELS);
        let drawn = draw_price(&mut random, model);
        let is_edge = case % 2 == 0;
        let (quantity, place) = draw_quantity(&mut random, &drawn, is_edge);
        let amount = compare(&mut random, &drawn, quantity, case);
        *seen.entry((model, place)).or_insert(0) += 1;
        if place == Place::OnBound {
            // One ulp more: a step where a tier's flat, another volume price or a package begins.
            let gap = &charge(&fraction(quantity + 1), &oracle_term(&drawn)) - &amount;
            steps += u64::from(gap > fraction(PICO_PER_UNIT / 1000));
        }
    }
    println!("{CASES} charges of seed {SEED}: {seen:?}; {steps} steps right above a bound");
    let edges: u64 = seen.iter().filter(|((_, place), _)| *place != Place::Anywhere).map(|(_, n)| n).sum();
    assert_eq!(edges, CASES / 2);
    for model in MODELS {
        for place in [Place::OnBound, Place::UlpBelow, Place::UlpAbove, Place::Anywhere] {
            let count = seen.get(&(model, place)).copied().unwrap_or(0);
            assert!(count > 2_000, "expected thousands of {model} {place:?}, found `{count}`");
        }
    }
    assert!(steps > 3_000, "expected thousands of steps right above a bound, found `{steps}`");
}
