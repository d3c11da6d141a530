//! What the table tests of the price models share.

use crate::{Charge, ChargeProblem, Price, PriceTerm, Tier, rate};
use money::Rational;

pub(crate) fn number(text: &str) -> Rational {
    Rational::parse(text).unwrap()
}

/// Tiers of (up to, unit price, flat); an empty bound is none.
pub(crate) fn tiers(rows: &[(&str, &str, &str)]) -> Vec<Tier> {
    let bound = |text: &str| (!text.is_empty()).then(|| number(text));
    rows.iter()
        .map(|(up_to, unit, flat)| Tier { up_to: bound(up_to), unit: number(unit), flat: number(flat) })
        .collect()
}

pub(crate) fn problems_of(charge: &Charge) -> Vec<&'static str> {
    charge.problems.iter().map(ChargeProblem::code).collect()
}

/// Rates a quantity beyond an included one and compares the exact amount.
#[track_caller]
pub(crate) fn check(price: Price, included: &str, quantity: &str, expect: &str) {
    let term = PriceTerm { included: number(included), ..PriceTerm::new(price) };
    check_term(&term, quantity, expect);
}

/// The same under a term that charges without usage.
#[track_caller]
pub(crate) fn check_unused(price: Price, included: &str, quantity: &str, expect: &str) {
    let term = PriceTerm { included: number(included), charge_when_unused: true, ..PriceTerm::new(price) };
    check_term(&term, quantity, expect);
}

#[track_caller]
fn check_term(term: &PriceTerm, quantity: &str, expect: &str) {
    let charge = rate(number(quantity), term).unwrap();
    assert_eq!(charge.exact, number(expect), "{quantity} under {term:?}: {}", charge.basis);
    assert_eq!(charge.basis.evaluate(), Ok(charge.exact), "{}", charge.basis);
    let expect_problems: &[&str] = if quantity.starts_with('-') { &["net_negative"] } else { &[] };
    assert_eq!(problems_of(&charge), expect_problems);
}

pub(crate) fn basis_of(price: Price, quantity: &str) -> String {
    rate(number(quantity), &PriceTerm::new(price)).unwrap().basis.to_string()
}
