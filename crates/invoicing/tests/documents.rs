//! What issuing adds to a draft, what is refused, and what a line shows of its tiers.
#![allow(missing_docs)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use invoicing::terms::{Contract, History, NamedPrice, Pay, PriceSource, Terms, Version};
use invoicing::{
    Bill, BillingCode, EnvelopeFacts, IssueFacts, LineSpec, PostingError, Usage, bill, billing_period_list,
    body, body_hash, canonical_bytes, envelope, issued, line_keys, line_specs, numbered, posting,
};
use metering::{Digest, Instant, Period};
use money::{Currency, Rational};
use rating::Price;
use serde_json::{Value, json};
use world::{contract, date, fee_item, meter, number, seller, tier, usage_item};

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn fee_contract() -> (Contract, Period, Vec<LineSpec>) {
    let contract = contract(usd(), vec![fee_item("base", "29", Pay::After)]);
    let period = billing_period_list(&contract, &Terms::default(), (2026, 8))[0];
    let (specs, _) = line_specs(&Terms::default(), &contract, &period, &BTreeSet::new());
    (contract, period, specs)
}

fn draft() -> Value {
    let (contract, period, specs) = fee_contract();
    body(&bill(&contract, &period, &specs, &[None]).unwrap(), &seller(usd()), None)
}

fn facts() -> IssueFacts {
    IssueFacts { number: "DEMO-000001".into(), accounting_date: date("2026-09-02"), recorded_position: 9 }
}

#[test]
fn issuing_an_envelope_adds_the_time_and_the_hash_of_the_numbered_body() {
    let draft = draft();
    let facts = EnvelopeFacts {
        store_id: "s".into(),
        known_at: 3,
        journal_hash: "0".repeat(64),
        shard: 0,
        incarnation: 0,
        position: 7,
        block_hash: "0".repeat(64),
        digest_key_version: 0,
        tz_database: "2026a".into(),
        issued_at: None,
        digests: Vec::new(),
    };
    let drafted = envelope(&facts, &draft);
    assert_eq!((&drafted["body_hash"], drafted.get("issued_at")), (&json!(body_hash(&draft)), None));

    let (body, at) = (numbered(&draft, "DEMO-000001"), Instant(0));
    let mut expect = drafted.clone();
    expect["body_hash"] = json!(blake3::hash(&canonical_bytes(&body)).to_hex().to_string());
    expect["issued_at"] = json!("1970-01-01T00:00:00Z");
    assert_eq!(issued(&drafted, &body, at), expect);
    assert_ne!(expect["body_hash"], drafted["body_hash"]);
    assert_eq!(envelope(&EnvelopeFacts { issued_at: Some(at), ..facts }, &body), expect);
}

#[test]
fn a_body_that_is_not_its_lines_is_never_posted() {
    fn check(pointer: &str, value: Value, expect: &str) {
        let mut body = numbered(&draft(), "DEMO-000001");
        *body.pointer_mut(pointer).unwrap() = value;
        let error = posting(&body, &facts()).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    }
    check("/total", json!("29.01"), "expected lines that sum to the total 29.01, found `29.00`");
    check("/lines/0/amount", json!("28.99"), "expected lines that sum to the total 29.00, found `28.99`");
    check(
        "/lines/0/amount",
        json!("29.001"),
        "invoice body: expected an amount in the body's currency, found `",
    );
    check("/lines/0/line", json!("1"), "invoice body: expected a line number, found `");
    check("/currency", json!("XXX"), "invoice body: expected a known currency, found `");
    check("/lines", json!(1), "invoice body: expected a list of lines, found `");
    let mut negative = draft();
    for pointer in ["/total", "/lines/0/amount"] {
        *negative.pointer_mut(pointer).unwrap() = json!("-29.00");
    }
    assert!(matches!(posting(&negative, &facts()), Err(PostingError::TotalNegative { .. })));
    negative["lines"][0]["key"] = json!("not a key");
    assert!(line_keys(&negative).is_err());
}

#[test]
fn a_charge_without_an_amount_has_no_line() {
    let (contract, period, mut specs) = fee_contract();
    specs[0].part_days = 32;
    let bill = bill(&contract, &period, &specs, &[None]).unwrap();
    assert!(bill.lines.is_empty());
    let found: Vec<BillingCode> = bill.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(found, [BillingCode::DaysImpossible]);
}

fn priced(price: Price, quantity: &str) -> Bill {
    let mut terms = Terms::default();
    terms.meters.add(meter("errors"));
    let contract = contract(usd(), vec![usage_item("errors", "errors", PriceSource::Inline(price))]);
    let period = billing_period_list(&contract, &terms, (2026, 8))[0];
    let (specs, _) = line_specs(&terms, &contract, &period, &BTreeSet::new());
    let usage =
        Usage { records: 1, quantity: Rational::parse(quantity).unwrap(), unmeasured: 0, digest: Digest(0) };
    bill(&contract, &period, &specs, &[Some(usage)]).unwrap()
}

#[test]
fn a_line_names_the_tiers_it_is_made_of() {
    let tiers = || vec![tier(Some("10"), "3", "0"), tier(Some("20"), "2", "1"), tier(None, "1", "0")];
    let check = |price: Price, quantity: &str, expect: &[&str]| {
        let bill = priced(price, quantity);
        let shown: Vec<String> = bill.lines[0]
            .sublines
            .iter()
            .map(|part| {
                let up_to = part.up_to.map_or("".to_owned(), |bound| bound.to_string());
                format!(
                    "{}: {}..{up_to} {} × {} + {} = {}",
                    part.tier, part.above, part.quantity, part.unit, part.flat, part.amount
                )
            })
            .collect();
        assert_eq!(shown, expect, "{quantity}");
    };
    let volume = || Price::Volume { tiers: tiers(), per: number("1") };
    check(volume(), "10", &["1: 0..10 10 × 3 + 0 = 30.00"]);
    check(volume(), "10.5", &["2: 10..20 10.5 × 2 + 1 = 22.00"]);
    check(volume(), "20", &["2: 10..20 20 × 2 + 1 = 41.00"]);
    check(volume(), "21", &["3: 20.. 21 × 1 + 0 = 21.00"]);
    let graduated = || Price::Graduated { tiers: tiers(), per: number("1") };
    check(graduated(), "10", &["1: 0..10 10 × 3 + 0 = 30.00"]);
    check(
        graduated(),
        "21",
        &["1: 0..10 10 × 3 + 0 = 30.00", "2: 10..20 10 × 2 + 1 = 21.00", "3: 20.. 1 × 1 + 0 = 1.00"],
    );
    check(graduated(), "0", &[]);
}

#[test]
fn the_latest_effective_version_holds_and_of_these_the_last_recorded() {
    let version = |version, effective_at, recorded_at| NamedPrice {
        name: "p".into(),
        version: Version { version, effective_at: Instant(effective_at), recorded_at },
        currencies: BTreeMap::new(),
    };
    let check = |order: &[usize]| {
        let known =
            [version(1, 0, 5), version(2, 10, 6), version(3, 10, 8), version(4, 7, 9), version(5, 10, 7)];
        let mut history = History::default();
        for index in order {
            history.add(known[*index].clone());
        }
        let held = |at| history.pick("p", Instant(at)).map(|price| price.version.version);
        assert_eq!(
            [-1, 0, 6, 7, 9, 10, 99].map(held),
            [None, Some(1), Some(1), Some(4), Some(4), Some(3), Some(3)]
        );
        assert_eq!(history.latest("p").map(|price| price.version.version), Some(5));
        assert_eq!(history.numbered("p", 2).map(|price| price.version.recorded_at), Some(6));
        assert_eq!(history.pick("q", Instant(99)), None);
    };
    check(&[0, 1, 2, 3, 4]);
    check(&[4, 3, 2, 1, 0]);
    check(&[2, 0, 4, 1, 3]);
}
