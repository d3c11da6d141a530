//! The evaluator says what differs: one lie at a time, planted in a true explanation.
#![allow(missing_docs)]

#[path = "../../invoicing/tests/world/mod.rs"]
mod world;

use std::collections::BTreeSet;

use invoicing::terms::{Charging, Contract, PriceSource, Terms};
use invoicing::{CellFact, ExplainFacts, Usage, bill, billing_period_list, explain, line_specs};
use metering::{Digest, Instant};
use money::{Currency, Rational};
use rating::Price;
use serde_json::{Value, json};
use sim::evaluator::evaluate;
use world::{contract, date, meter, number, tier, usage_item};

/// A line of 22,361,870 tokens in three tiers, 17 of 31 days, with an allowance, in two cells.
fn explanation() -> Value {
    let tiers =
        vec![tier(Some("10000000"), "3", "0"), tier(Some("20000000"), "2.5", "0"), tier(None, "2", "1.005")];
    let price = Price::Graduated { tiers, per: number("1000000") };
    let mut item = usage_item("context", "tokens", PriceSource::Inline(price));
    if let Charging::Usage { included, .. } = &mut item.charging {
        *included = number("31");
    }
    let mut terms = Terms::default();
    terms.meters.add(meter("tokens"));
    let contract =
        Contract { start: date("2026-08-15"), ..contract(Currency::parse("USD").unwrap(), vec![item]) };
    let period = billing_period_list(&contract, &terms, (2026, 8))[0];
    let (specs, _) = line_specs(&terms, &contract, &period, &BTreeSet::new());
    let sum = |text: &str| Rational::parse(text).unwrap();
    let usage =
        Usage { records: 19_366, quantity: sum("22361870"), unmeasured: 0, digest: Digest(u128::MAX) };
    let bill = bill(&contract, &period, &specs, &[Some(usage)]).unwrap();
    let middle = Instant(period.start.0 + 86_400_000_000_000);
    let cell = |start, end, records, quantity, digest| CellFact {
        start,
        end,
        records,
        quantity: sum(quantity),
        digest: Digest(digest),
    };
    let facts = ExplainFacts {
        invoice: "DEMO-000001".into(),
        position: 20_000,
        known_at: 9,
        aggregate: None,
        cells: vec![
            cell(period.start, middle, 366, "361870", 5),
            cell(middle, period.end, 19_000, "22000000", u128::MAX - 5),
        ],
        events: Some("counterfoil usage --events".into()),
    };
    explain(&bill, &bill.lines[0], &facts)
}

#[test]
fn the_truth_evaluates() {
    let found = evaluate(&explanation()).unwrap();
    assert_eq!(
        (found.exact.to_string(), found.amount.to_string()),
        ("30364353/500000".into(), "6073/100".into())
    );
    assert_eq!(found.residue.to_string(), "647/500000");
}

fn check(pointer: &str, lie: Value, expect: &str) {
    let mut told = explanation();
    *told.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = lie;
    let difference = evaluate(&told).expect_err(pointer);
    assert_eq!(difference.to_string(), expect, "{pointer}");
}

#[test]
fn a_lie_about_the_amount_is_found() {
    check("/amount", json!("60.74"), "amount: expected 6073/100, found `60.74`");
    check("/amount", json!("60.730"), "amount: expected 2 decimals, found `60.730`");
    check(
        "/rounding/exact",
        json!("60.7"),
        "rounding.exact: expected the basis, 30364353/500000, found `607/10`",
    );
    check("/rounding/residue", json!("0.001"), "rounding.residue: expected 647/500000, found `1/1000`");
    check("/rounding/mode", json!("down"), "amount: expected 1518/25, found `60.73`");
    check("/rounding/mode", json!("nearest"), "rounding.mode: expected a rounding mode, found `nearest`");
    check("/rounding/decimals", json!(3), "amount: expected 60729/1000, found `60.73`");
    check("/rounding", json!({}), "rounding.exact: expected a value, found `nothing`");
}

#[test]
fn a_lie_about_the_arithmetic_is_found() {
    check(
        "/basis/op",
        json!("multiply"),
        "rounding.exact: expected the basis, 8593059/2000, found `30364353/500000`",
    );
    check("/basis/op", json!("power"), "basis.op: expected a known operation, found `power`");
    check(
        "/basis/of/0/of/of/1/value",
        json!("3.1"),
        "rounding.exact: expected the basis, 30864353/500000, found `30364353/500000`",
    );
    check(
        "/basis/of/0/of/of/1/value",
        json!("three"),
        "basis.of[0].of.of[1].value: expected a decimal or fraction, found `three`",
    );
    check("/basis/of/0/by/value", json!("0"), "basis.of[0].by: expected a divisor other than 0, found `0`");
}

#[test]
fn a_lie_about_tiers_is_found() {
    check("/tiers/0/exact", json!("30.01"), "tiers[0].exact: expected 30, found `3001/100`");
    check("/tiers/0/amount", json!("30.01"), "tiers: expected amounts that sum to 6073/100, found `3037/50`");
    check(
        "/tiers/0/amount",
        json!("31.00"),
        "tiers[0].amount: expected less than a unit and the residue from 30, found `31`",
    );
    check("/tiers/1/quantity", json!("1"), "tiers[1].exact: expected 1/400000, found `25`");
    check("/tiers/2/per", json!("0"), "tiers[2].per: expected a divisor other than 0, found `0`");
}

#[test]
fn a_lie_about_the_allowance_is_found() {
    check("/allowance/part", json!("18"), "allowance.part: expected 17, found `18`");
    check("/proration/days", json!(18), "allowance.part: expected 18, found `17`");
}

#[test]
fn a_lie_about_usage_is_found() {
    check(
        "/usage/records",
        json!(19_367),
        "usage.records: expected the sum of the cells, 19366, found `19367`",
    );
    check(
        "/usage/cells/0/records",
        json!(367),
        "usage.records: expected the sum of the cells, 19367, found `19366`",
    );
    check(
        "/usage/cells/0/quantity",
        json!("361871"),
        "usage.quantity: expected the sum of the cells, 22361871, found `22361870`",
    );
    check(
        "/usage/digest",
        json!("fffffffffffffffffffffffffffffffe"),
        "usage.digest: expected the sum of the cells, ffffffffffffffffffffffffffffffff, found `\"fffffffffffffffffffffffffffffffe\"`",
    );
    check("/usage/digest", json!("ff"), "usage.digest: expected 32 hex digits, found `ff`");
    check(
        "/usage/quantity",
        json!("22361871"),
        "basis.of[0].of.of[0].of.of.from.value: expected the usage 22361871, found `22361870`",
    );
    let mut told = explanation();
    told["usage"]["window"]["end"] = json!("2026-08-31T00:00:00Z");
    let difference = evaluate(&told).unwrap_err();
    assert_eq!(difference.place, "usage.cells[1]");
    assert_eq!(difference.expected, "a cell after the last one and inside the window");
}
