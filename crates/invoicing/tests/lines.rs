//! Which lines a period has, and what keeps an item from having one.
#![allow(missing_docs)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use invoicing::terms::{
    Charging, Contract, Item, NamedPrice, Pay, Plan, PriceSource, Prorate, Terms, Version,
};
use invoicing::{BillingError, LineSpec, Usage, bill, billing_period_list, line_specs};
use metering::{Digest, Instant, Period};
use money::{Currency, Rational};
use rating::Price;
use world::{contract, date, fee_item, items, meter, number, usage_item, version};

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn unit(rate: &str) -> Price {
    Price::Unit { rate: number(rate), per: Rational::ONE }
}

fn terms() -> Terms {
    let mut terms = Terms::default();
    terms.meters.add(meter("errors"));
    terms.meters.add(meter("replays"));
    terms
}

fn period(contract: &Contract, month: (i16, i8)) -> Period {
    billing_period_list(contract, &Terms::default(), month)[0]
}

fn lines(
    terms: &Terms,
    contract: &Contract,
    month: (i16, i8),
    billed: &[&str],
) -> (Vec<String>, Vec<String>) {
    let billed: BTreeSet<_> = billed.iter().map(|text| text.parse().unwrap()).collect();
    let (specs, problems) = line_specs(terms, contract, &period(contract, month), &billed);
    let line = |spec: &LineSpec| {
        format!("{} {} {}/{}", spec.item.name, spec.service.first, spec.part_days, spec.whole_days)
    };
    (specs.iter().map(line).collect(), problems.iter().map(ToString::to_string).collect())
}

fn usage(quantity: &str) -> Option<Usage> {
    Some(Usage { records: 1, quantity: Rational::parse(quantity).unwrap(), unmeasured: 0, digest: Digest(1) })
}

#[test]
fn a_first_invoice_has_the_ahead_fee_of_its_own_period_and_of_the_next() {
    let items = vec![
        fee_item("ahead", "29", Pay::Ahead),
        fee_item("after", "5", Pay::After),
        usage_item("errors", "errors", PriceSource::Inline(unit("0.1"))),
    ];
    let contract = Contract { start: date("2026-08-15"), ..contract(usd(), items) };
    let (found, problems) = lines(&terms(), &contract, (2026, 8), &[]);
    assert_eq!(
        found,
        [
            "after 2026-08-15 17/31",
            "ahead 2026-08-15 17/31",
            "ahead 2026-09-01 30/30",
            "errors 2026-08-15 17/31"
        ]
    );
    assert!(problems.is_empty());

    let billed = ["acme/acme/acme-2026/ahead/2026-08-15", "acme/acme/acme-2026/ahead/2026-09-01"];
    let (found, _) = lines(&terms(), &contract, (2026, 9), &billed);
    assert_eq!(found, ["after 2026-09-01 30/30", "ahead 2026-10-01 31/31", "errors 2026-09-01 30/30"]);
}

#[test]
fn an_end_cuts_the_last_period_and_nothing_is_due_after_it() {
    let items = vec![fee_item("ahead", "29", Pay::Ahead), fee_item("after", "5", Pay::After)];
    let contract = Contract { end: Some(date("2026-09-11")), ..contract(usd(), items) };
    let billed = ["acme/acme/acme-2026/ahead/2026-08-01", "acme/acme/acme-2026/ahead/2026-09-01"];
    let (found, _) = lines(&terms(), &contract, (2026, 9), &billed);
    assert_eq!(found, ["after 2026-09-01 10/30"]);
    assert!(billing_period_list(&contract, &Terms::default(), (2026, 10)).is_empty());
}

#[test]
fn fees_and_allowances_shrink_with_a_stub_and_prices_do_not() {
    let mut errors = usage_item("errors", "errors", PriceSource::Inline(unit("0.1")));
    if let Charging::Usage { included, .. } = &mut errors.charging {
        *included = number("3100");
    }
    let mut whole = fee_item("setup", "40", Pay::After);
    if let Charging::Fee { prorate, quantity, .. } = &mut whole.charging {
        (*prorate, *quantity) = (Prorate::None, number("2"));
    }
    let list = vec![fee_item("fee", "31", Pay::After), errors, whole];
    let contract = Contract { start: date("2026-08-15"), ..contract(usd(), list) };
    let period = period(&contract, (2026, 8));
    let (specs, _) = line_specs(&terms(), &contract, &period, &BTreeSet::new());
    let bill = bill(&contract, &period, &specs, &[usage("2000"), None, None]).unwrap();
    let amounts: Vec<String> =
        bill.lines.iter().map(|line| format!("{} {}", line.spec.item.name, line.amount)).collect();
    assert_eq!(amounts, ["errors 30.00", "fee 17.00", "setup 80.00"]);
    assert_eq!(bill.total.to_string(), "127.00");
}

#[test]
fn a_contract_s_item_lies_above_the_plan_s_and_keeps_the_key() {
    let mut terms = terms();
    let planned = vec![fee_item("base", "29", Pay::After), fee_item("support", "9", Pay::After)];
    terms.plans.add(Plan {
        name: "team".into(),
        version: version(3),
        currency: usd(),
        items: items(planned),
    });
    let contract =
        Contract { plan: Some("team".into()), ..contract(usd(), vec![fee_item("base", "19", Pay::After)]) };
    let (specs, problems) = line_specs(&terms, &contract, &period(&contract, (2026, 8)), &BTreeSet::new());
    assert!(problems.is_empty());
    let found: Vec<String> = specs
        .iter()
        .map(|s| {
            format!(
                "{} {} v{} {:?}",
                s.key,
                s.price.name,
                s.price.stated_in.version.version,
                s.plan.is_some()
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "acme/acme/acme-2026/base/2026-08-01 acme-2026/base v1 false",
            "acme/acme/acme-2026/support/2026-08-01 team/support v3 true",
        ]
    );
}

#[test]
fn terms_are_those_that_hold_at_the_start_of_the_service_period() {
    let mut terms = terms();
    for (number, effective_at) in
        [(1, "1970-01-01T00:00:00Z"), (2, "2026-08-01T00:00:00Z"), (3, "2026-08-01T00:00:01Z")]
    {
        let version = Version {
            version: number,
            effective_at: Instant::parse_rfc3339(effective_at).unwrap(),
            recorded_at: u64::from(number),
        };
        let price = unit(&number.to_string());
        terms.prices.add(NamedPrice {
            name: "p".into(),
            version,
            currencies: BTreeMap::from([(usd(), price)]),
        });
    }
    let contract = Contract {
        start: date("2026-07-01"),
        ..contract(usd(), vec![usage_item("errors", "errors", PriceSource::Named("p".into()))])
    };
    for (month, expect) in [(7, 1), (8, 2), (9, 3)] {
        let (specs, _) = line_specs(&terms, &contract, &period(&contract, (2026, month)), &BTreeSet::new());
        assert_eq!(specs[0].price.stated_in.version.version, expect, "month {month}");
    }
}

/// One item that cannot be billed beside one that can: the first is a problem, the second a line.
fn check_problem(terms: &Terms, item: Item, expect: &str, is_unpriced: bool) {
    let contract = contract(usd(), vec![fee_item("base", "29", Pay::After), item]);
    let (specs, problems) = line_specs(terms, &contract, &period(&contract, (2026, 8)), &BTreeSet::new());
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found, [expect]);
    assert_eq!(problems[0].unpriced.is_some(), is_unpriced);
    assert!(!problems[0].code.hint().is_empty());
    let lines: Vec<&str> = specs.iter().map(|spec| spec.item.name.as_str()).collect();
    assert_eq!(lines, ["base"]);
}

#[test]
fn an_item_that_cannot_be_billed_is_a_problem_and_never_zero() {
    let named = |name: &str| usage_item("errors", "errors", PriceSource::Named(name.into()));
    let mut terms = terms();
    let eur = Currency::parse("EUR").unwrap();
    terms.prices.add(NamedPrice {
        name: "euro".into(),
        version: version(1),
        currencies: BTreeMap::from([(eur, unit("1"))]),
    });
    let check = |item, expect| check_problem(&terms, item, expect, true);
    check(
        named("euro"),
        "price_currency_missing: contract acme-2026, item errors: the price euro is not stated in the contract's currency `USD`",
    );
    check(
        named("none"),
        "price_unknown: contract acme-2026, item errors: no price of this name holds at the start of the period `none`",
    );
    check(
        usage_item("x", "nothing", PriceSource::Inline(unit("1"))),
        "meter_unknown: contract acme-2026, item x: no meter of this name holds at the start of the period `nothing`",
    );
    let tiers = Price::Volume { tiers: Vec::new(), per: Rational::ONE };
    check(
        usage_item("errors", "errors", PriceSource::Inline(tiers)),
        "price_invalid: contract acme-2026, item errors: expected at least one tier, found `0`",
    );
    let mut filtered = named("euro");
    if let Charging::Usage { only, .. } = &mut filtered.charging {
        only.push(("region".into(), vec!["eu".into()]));
    }
    check(
        filtered,
        "dimension_unknown: contract acme-2026, item errors: expected a dimension of the meter errors, found `region`",
    );
}

#[test]
fn a_plan_in_another_currency_prices_nothing() {
    let mut terms = terms();
    let planned = vec![
        fee_item("base", "29", Pay::After),
        usage_item("errors", "errors", PriceSource::Inline(unit("1"))),
    ];
    let eur = Currency::parse("EUR").unwrap();
    terms.plans.add(Plan { name: "team".into(), version: version(1), currency: eur, items: items(planned) });
    let contract = Contract { plan: Some("team".into()), ..contract(usd(), Vec::new()) };
    let (found, problems) = lines(&terms, &contract, (2026, 8), &[]);
    assert!(found.is_empty());
    assert_eq!(
        problems,
        [
            "price_currency_missing: contract acme-2026, item base: the plan is in EUR, expected the contract's currency `USD`",
            "price_currency_missing: contract acme-2026, item errors: the plan is in EUR, expected the contract's currency `USD`",
        ]
    );
    let contract = Contract { plan: Some("gone".into()), ..contract };
    let (_, problems) = lines(&terms, &contract, (2026, 8), &[]);
    assert_eq!(
        problems,
        ["plan_unknown: contract acme-2026: no plan of this name holds at the start of the period `gone`"]
    );
}

#[test]
fn items_that_take_the_same_usage_are_refused_and_the_rest_is_billed() {
    let price = || PriceSource::Inline(unit("1"));
    let list = vec![
        usage_item("all", "errors", price()),
        usage_item("some", "errors", price()),
        usage_item("other", "replays", price()),
    ];
    let (found, problems) = lines(&terms(), &contract(usd(), list), (2026, 8), &[]);
    assert_eq!(found, ["other 2026-08-01 31/31"]);
    assert_eq!(
        problems,
        [
            "items_overlap: contract acme-2026, item all: a unit of usage belongs to one item, but also to `some`",
            "items_overlap: contract acme-2026, item some: a unit of usage belongs to one item, but also to `all`",
        ]
    );
}

#[test]
fn usage_stands_beside_exactly_the_lines_that_have_a_meter() {
    let list = vec![
        fee_item("base", "29", Pay::After),
        usage_item("errors", "errors", PriceSource::Inline(unit("1"))),
    ];
    let contract = contract(usd(), list);
    let period = period(&contract, (2026, 8));
    let (specs, _) = line_specs(&terms(), &contract, &period, &BTreeSet::new());
    let check = |specs: &[LineSpec], usages: &[Option<Usage>], expect: BillingError| {
        assert_eq!(bill(&contract, &period, specs, usages), Err(expect));
    };
    check(&specs, &[None], BillingError::UsageCount { lines: 2, usages: 1 });
    check(&specs, &[None, None], BillingError::UsageMismatch { key: Box::new(specs[1].key.clone()) });
    check(
        &specs,
        &[usage("1"), usage("1")],
        BillingError::UsageMismatch { key: Box::new(specs[0].key.clone()) },
    );
    let twice = [specs[0].clone(), specs[0].clone()];
    check(&twice, &[None, None], BillingError::DuplicateKey { key: Box::new(specs[0].key.clone()) });
}

#[test]
fn usage_that_cannot_be_charged_as_it_is_says_so() {
    let list = vec![usage_item("errors", "errors", PriceSource::Inline(unit("1")))];
    let contract = contract(usd(), list);
    let period = period(&contract, (2026, 8));
    let (specs, _) = line_specs(&terms(), &contract, &period, &BTreeSet::new());
    let mut read = usage("-5").unwrap();
    read.unmeasured = 3;
    let bill = bill(&contract, &period, &specs, &[Some(read)]).unwrap();
    assert_eq!(bill.total.to_string(), "0.00");
    let found: Vec<&str> = bill.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(found, ["net_negative", "usage_unmeasured"]);
}
