//! Documents of configuration: what they become, and every mistake with its code, line, path and hint.
#![allow(missing_docs)]

use connectors::config::{Document, Problem, Term, check_references, load_path, parse_term, read_documents};
use invoicing::terms::{Charging, Pay, PriceSource, Prorate, Terms, Version};
use metering::{Aggregation, Instant};
use money::{Rational, Rounding};
use rating::Price;
use serde_json::json;

const GOOD: &str = r#"kind: seller
seller: acme
series: ACME
zone: Europe/Berlin
currency: EUR
grace_days: 2
---
kind: meter
meter: tokens
events: [inference, embedding]
aggregate: sum
property: usage.tokens
where: {outcome: [accepted], cached: [false]}
dimensions: [model, region]
unit: token
---
kind: price
price: tokens
currencies:
  EUR: {per: "1000000", graduated: [{up_to: "10", unit: "3.00"}, {unit: "2", flat: "1"}]}
  JPY: {package: {size: "1000", price: "2"}}
---
kind: plan
plan: team
currency: EUR
items:
  base: {fee: "29", quantity: "2", every: month, pay: after, prorate: none, description: Base fee}
  small: {usage: tokens, included: "50.5", only: {model: [s]}, price: {unit: "0.00000001"}}
  large: {usage: tokens, only: {model: [l, xl]}, price: tokens, charge_when_unused: true}
---
kind: account
account: org-1
personal: {name: Ada Example, email: ada@example.org}
---
kind: contract
contract: org-1-2026
account: org-1
seller: acme
plan: team
currency: EUR
zone: Europe/Berlin
start: 2026-08-31
end: 2027-08-31
rounding: half_even
effective_at: 2026-08-31
---
kind: policy
policy: accounts
first_sight: create
"#;

const FIRST: Version = Version { version: 3, effective_at: Instant(7), recorded_at: 11 };

fn good() -> Vec<Document> {
    read_documents("good.yaml", GOOD).unwrap()
}

fn term(at: usize) -> Term {
    let document = &good()[at];
    parse_term(&document.kind, &document.body, FIRST).unwrap()
}

fn number(text: &str) -> Rational {
    Rational::parse(text).unwrap()
}

#[test]
fn documents_in_order() {
    let found: Vec<(String, String, u64)> =
        good().into_iter().map(|document| (document.kind, document.name, document.line)).collect();
    let expect = [
        ("seller", "acme", 1),
        ("meter", "tokens", 8),
        ("price", "tokens", 17),
        ("plan", "team", 23),
        ("account", "org-1", 31),
        ("contract", "org-1-2026", 35),
        ("policy", "accounts", 47),
    ];
    assert_eq!(found, expect.map(|(kind, name, line)| (kind.to_owned(), name.to_owned(), line)));
    assert_eq!(check_references(&good(), &Terms::default()), []);
}

#[test]
fn a_seller_and_a_policy() {
    let Term::Seller(seller) = term(0) else { panic!("no seller") };
    assert_eq!((seller.name.as_str(), seller.series.as_str(), seller.grace_days), ("acme", "ACME", 2));
    assert_eq!((seller.zone.name(), seller.currency.code(), seller.version), ("Europe/Berlin", "EUR", FIRST));
    let Term::Policy(policy) = term(6) else { panic!("no policy") };
    assert!(policy.first_sight);
}

#[test]
fn a_meter() {
    let Term::Meter(meter) = term(1) else { panic!("no meter") };
    assert_eq!(meter.event_types, ["inference", "embedding"]);
    assert_eq!(meter.aggregation, Aggregation::Sum { property: "usage.tokens".to_owned() });
    let filter: Vec<(&str, &[String])> = meter
        .filter
        .iter()
        .map(|condition| (condition.property.as_str(), condition.one_of.as_slice()))
        .collect();
    assert_eq!(filter, [("cached", ["false".to_owned()].as_slice()), ("outcome", &["accepted".to_owned()])]);
    assert_eq!(
        (meter.dimensions.as_slice(), meter.unit.as_str()),
        (["model", "region"].map(str::to_owned).as_slice(), "token")
    );
    assert_eq!((meter.version, meter.effective_at, meter.recorded_at), (3, Instant(7), 11));
    assert!(!meter.allow_negative);
}

#[test]
fn a_price() {
    let Term::Price(price) = term(2) else { panic!("no price") };
    let found: Vec<(&str, &Price)> =
        price.currencies.iter().map(|(currency, price)| (currency.code(), price)).collect();
    let [("EUR", Price::Graduated { tiers, per }), ("JPY", package)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(*per, number("1000000"));
    assert_eq!(
        (tiers[0].up_to, tiers[0].unit, tiers[0].flat),
        (Some(number("10")), number("3"), Rational::ZERO)
    );
    assert_eq!((tiers[1].up_to, tiers[1].unit, tiers[1].flat), (None, number("2"), Rational::ONE));
    assert_eq!(**package, Price::Package { size: number("1000"), price: number("2") });
}

#[test]
fn a_plan_with_its_items() {
    let Term::Plan(plan) = term(3) else { panic!("no plan") };
    assert_eq!(plan.items.keys().collect::<Vec<_>>(), ["base", "large", "small"]);
    assert_eq!(plan.items["base"].description.as_deref(), Some("Base fee"));
    assert_eq!(
        plan.items["base"].charging,
        Charging::Fee {
            amount: number("29"),
            quantity: number("2"),
            pay: Pay::After,
            prorate: Prorate::None
        }
    );
    assert_eq!(
        plan.items["large"].charging,
        Charging::Usage {
            meter: "tokens".to_owned(),
            only: vec![("model".to_owned(), vec!["l".to_owned(), "xl".to_owned()])],
            included: Rational::ZERO,
            price: PriceSource::Named("tokens".to_owned()),
            charge_when_unused: true,
            allow_negative: false,
        }
    );
    let Charging::Usage { included, price, .. } = &plan.items["small"].charging else { panic!("no usage") };
    assert_eq!(*included, number("50.5"));
    assert_eq!(*price, PriceSource::Inline(Price::Unit { rate: number("0.00000001"), per: Rational::ONE }));
}

#[test]
fn personal_fields_are_split_off() {
    let account = &good()[4];
    assert_eq!(account.body, json!({"kind": "account", "account": "org-1"}));
    let expect = [("email", "ada@example.org"), ("name", "Ada Example")];
    assert_eq!(account.personal, expect.map(|(field, value)| (field.to_owned(), value.to_owned())));
}

#[test]
fn a_contract_and_what_it_leaves_out() {
    let Term::Contract(contract) = term(5) else { panic!("no contract") };
    assert_eq!(
        (contract.payer.as_str(), contract.anchor),
        ("org-1", 31),
        "the account, the day of the start"
    );
    assert_eq!(
        (contract.start.to_string(), contract.end.unwrap().to_string()),
        ("2026-08-31".to_owned(), "2027-08-31".to_owned())
    );
    assert_eq!(contract.rounding, Rounding::HalfEven);
    let document = &good()[5];
    let start = document.effective_at.unwrap().to_string();
    assert_eq!(start, "2026-08-30T22:00:00Z", "the day begins in the contract's zone");
    assert_eq!(document.body.get("effective_at"), None);
}

#[test]
fn defaults() {
    let text = "kind: seller\nseller: a\nseries: A\nzone: UTC\ncurrency: USD\n---\n\
        kind: contract\ncontract: c\naccount: a\nseller: a\ncurrency: USD\nstart: 2026-08-15\nitems: {b: {fee: \"1\"}}\n\
        effective_at: 2026-08-15\n";
    let documents = read_documents("f.yaml", text).unwrap();
    let Ok(Term::Seller(seller)) = parse_term("seller", &documents[0].body, FIRST) else {
        panic!("no seller")
    };
    assert_eq!((seller.grace_days, documents[0].effective_at), (1, None));
    let Ok(Term::Contract(contract)) = parse_term("contract", &documents[1].body, FIRST) else {
        panic!("none")
    };
    assert_eq!((contract.zone.name(), contract.anchor, contract.end), ("UTC", 15, None));
    assert_eq!((contract.plan, contract.rounding), (None, Rounding::HalfAwayFromZero));
    let fee = Charging::Fee {
        amount: Rational::ONE,
        quantity: Rational::ONE,
        pay: Pay::Ahead,
        prorate: Prorate::Day,
    };
    assert_eq!(contract.items["b"].charging, fee);
    assert_eq!(documents[1].effective_at.unwrap().to_string(), "2026-08-15T00:00:00Z");
}

/// Line, path and code of every problem.
#[track_caller]
fn expect_problems(problems: &[Problem], expect: &[(u64, &str, &str)]) {
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.path.as_str(), p.code)).collect();
    assert_eq!(found, expect, "{problems:#?}");
    for problem in problems {
        assert_eq!(problem.file, "f.yaml");
        assert!(!problem.hint.is_empty() && !problem.hint.ends_with('.'), "{problem:?}");
        let first = problem.message.chars().next().unwrap();
        assert!(first.is_lowercase() && !problem.message.ends_with('.'), "{problem:?}");
    }
}

/// Changes the good documents once and reads them.
#[track_caller]
fn refused(from: &str, to: &str, expect: &[(u64, &str, &str)]) -> Vec<Problem> {
    assert!(GOOD.contains(from), "{from}");
    let problems = read_documents("f.yaml", &GOOD.replacen(from, to, 1)).unwrap_err();
    expect_problems(&problems, expect);
    problems
}

#[test]
fn kinds_and_fields() {
    let told = refused("kind: seller", "kind: sellr", &[(1, "kind", "unknown_kind")]);
    assert_eq!(told[0].hint, "did you mean `seller`?");
    assert_eq!(told[0].message, "expected a known kind of document, found `sellr`");
    refused("kind: policy", "kind: csv_mapping", &[(47, "kind", "unknown_kind")]);
    refused("kind: seller\n", "", &[(1, "", "missing_field")]);
    let told = refused(
        "aggregate: sum",
        "agregate: sum",
        &[(8, "", "missing_field"), (11, "agregate", "unknown_field")],
    );
    assert_eq!(told[1].hint, "did you mean `aggregate`?");
    assert_eq!(told[0].hint, "add `aggregate: count`");
    refused("series: ACME\n", "", &[(1, "", "missing_field")]);
    refused(
        "account: org-1\npersonal",
        "account: org-1\nemail: x\npersonal",
        &[(33, "email", "unknown_field")],
    );
    let told = refused("personal: {", "personnel: {", &[(33, "personnel", "unknown_field")]);
    assert_eq!(told[0].hint, "did you mean `personal`?");
    let told = refused("personal: {", "owner: {", &[(33, "owner", "unknown_field")]);
    assert_eq!(told[0].hint, "known are `kind`, `account`, `effective_at`, `personal`");
    let told = refused(
        "effective_at: 2026-08-31",
        "efective_at: 2026-08-31",
        &[(45, "efective_at", "unknown_field")],
    );
    assert_eq!(told[0].hint, "did you mean `effective_at`?");
    refused(
        "seller: acme\nseries",
        "personal: {}\nseller: acme\nseries",
        &[(2, "personal", "unknown_field")],
    );
    refused("kind: policy", "- kind: policy", &[(48, "[1]", "yaml_syntax")]);
    let problems = read_documents("f.yaml", "[a]\n").unwrap_err();
    expect_problems(&problems, &[(1, "", "wrong_type")]);
}

#[test]
fn numbers() {
    let told = refused("\"3.00\"", "3.00", &[(20, "currencies.EUR.graduated[0].unit", "number_not_quoted")]);
    assert_eq!(told[0].hint, "write \"3.00\"");
    refused("\"3.00\"", "3", &[(20, "currencies.EUR.graduated[0].unit", "number_not_quoted")]);
    refused("\"29\"", "29", &[(27, "items.base.fee", "number_not_quoted")]);
    for bad in ["1e3", "+1", "1,000", " 1", "1.", ".5", "1/3", "007", "", "NaN", "0x1", "-"] {
        refused("\"3.00\"", &format!("\"{bad}\""), &[(20, "currencies.EUR.graduated[0].unit", "bad_number")]);
    }
    for bad in ["100000000000000000001", "1000000000000000000000", "0.1234567890123456789"] {
        let expect = [(20, "currencies.EUR.graduated[0].unit", "number_out_of_range")];
        refused("\"3.00\"", &format!("\"{bad}\""), &expect);
    }
    refused("\"3.00\"", "[]", &[(20, "currencies.EUR.graduated[0].unit", "wrong_type")]);
    refused("grace_days: 2", "grace_days: \"2\"", &[(6, "grace_days", "wrong_type")]);
    refused("grace_days: 2", "grace_days: 400", &[(6, "grace_days", "out_of_range")]);
    refused("grace_days: 2", "grace_days: -1", &[(6, "grace_days", "out_of_range")]);
    refused("rounding: half_even", "anchor: 32", &[(44, "anchor", "out_of_range")]);
    refused("\"50.5\"", "\"-1\"", &[(28, "items.small.included", "number_negative")]);
    refused("account: org-1\npersonal", "account: 17\npersonal", &[(32, "account", "number_not_quoted")]);
    refused("Ada Example", "17", &[(33, "personal.name", "number_not_quoted")]);
}

#[test]
fn currencies() {
    let told = refused("  EUR: {per", "  EUX: {per", &[(20, "currencies.EUX", "unknown_currency")]);
    assert_eq!(told[0].message, "expected an active ISO 4217 code such as USD, found `EUX`");
    let told =
        refused("currency: EUR\ngrace", "currency: eur\ngrace", &[(5, "currency", "unknown_currency")]);
    assert_eq!(told[0].hint, "did you mean `EUR`?");
    refused(
        "currency: EUR\ngrace",
        "currency: XAU\ngrace",
        &[(5, "currency", "currency_without_minor_unit")],
    );
    refused(
        "  JPY: {package: {size: \"1000\", price: \"2\"}}\n",
        "  JPY: {unit: \"1\"}\n  JPY: {unit: \"2\"}\n",
        &[(22, "currencies.JPY", "duplicate_key")],
    );
}

#[test]
fn price_shapes() {
    let tiers = "[{up_to: \"10\", unit: \"3.00\"}, {unit: \"2\", flat: \"1\"}]";
    let at = "currencies.EUR.graduated";
    refused(tiers, "[]", &[(20, at, "tiers_empty")]);
    refused(tiers, "{}", &[(20, at, "wrong_type")]);
    let told = refused(
        tiers,
        "[{up_to: \"10\", unit: \"3\"}, {up_to: \"9\", unit: \"2\"}, {unit: \"1\"}]",
        &[(20, "currencies.EUR.graduated[1].up_to", "tiers_overlap")],
    );
    assert_eq!(told[0].message, "expected the bound of tier 2 to be above 10, found `9`");
    refused(
        tiers,
        "[{up_to: \"10\", unit: \"3\"}, {up_to: \"10\", unit: \"2\"}, {unit: \"1\"}]",
        &[(20, "currencies.EUR.graduated[1].up_to", "tiers_overlap")],
    );
    refused(
        tiers,
        "[{up_to: \"10\", unit: \"3\"}]",
        &[(20, "currencies.EUR.graduated[0].up_to", "tier_last_bounded")],
    );
    refused(
        tiers,
        "[{unit: \"3\"}, {unit: \"2\"}]",
        &[(20, "currencies.EUR.graduated[0]", "tier_bound_missing")],
    );
    refused(
        tiers,
        "[{up_to: \"0\", unit: \"3\"}, {unit: \"2\"}]",
        &[(20, "currencies.EUR.graduated[0].up_to", "tier_bound_not_positive")],
    );
    refused(
        tiers,
        "[{up_to: \"5\"}, {unit: \"2\"}]",
        &[(20, "currencies.EUR.graduated[0]", "missing_field")],
    );
    refused(
        tiers,
        "[{upto: \"5\", unit: \"1\"}]",
        &[(20, "currencies.EUR.graduated[0].upto", "unknown_field")],
    );
    refused("per: \"1000000\", graduated", "graduated: [], volume", &[(20, "currencies.EUR", "price_shape")]);
    refused("{package: {size: \"1000\", price: \"2\"}}", "{}", &[(21, "currencies.JPY", "price_shape")]);
    refused("{package: {size", "{per: \"2\", package: {size", &[(21, "currencies.JPY.per", "price_shape")]);
    refused("size: \"1000\"", "size: \"0\"", &[(21, "currencies.JPY.package.size", "number_not_positive")]);
    refused("per: \"1000000\"", "per: \"-1\"", &[(20, "currencies.EUR.per", "number_not_positive")]);
    refused(
        "price: {unit: \"0.00000001\"}",
        "price: {unit: \"0.1\", flat: \"1\"}",
        &[(28, "items.small.price", "price_shape")],
    );
    let problems = read_documents("f.yaml", "kind: price\nprice: p\ncurrencies: {}\n").unwrap_err();
    expect_problems(&problems, &[(3, "currencies", "empty_mapping")]);
}

#[test]
fn items() {
    refused("{fee: \"29\"", "{usage: tokens, fee: \"29\"", &[(27, "items.base", "usage_and_fee")]);
    refused("{fee: \"29\", ", "{", &[(27, "items.base", "missing_field")]);
    refused("price: tokens, charge_when", "charge_when", &[(29, "items.large", "missing_field")]);
    refused("every: month", "every: year", &[(27, "items.base.every", "unknown_value")]);
    let told = refused("pay: after", "pay: afterwards", &[(27, "items.base.pay", "unknown_value")]);
    assert_eq!(told[0].message, "expected ahead or after, found `afterwards`");
    refused(
        "charge_when_unused: true",
        "charge_when_unused: yes",
        &[(29, "items.large.charge_when_unused", "wrong_type")],
    );
    refused("{model: [l, xl]}", "{model: l}", &[(29, "items.large.only.model", "wrong_type")]);
    refused("{model: [l, xl]}", "{model: []}", &[(29, "items.large.only.model", "empty_list")]);
    refused("{model: [l, xl]}", "{model: [l, l]}", &[(29, "items.large.only.model[1]", "duplicate_value")]);
    refused("{model: [l, xl]}", "{model: [s, xl]}", &[(28, "items.small", "items_overlap")]);
    refused("  base: {fee", "  \" base\": {fee", &[(27, "items. base", "bad_name")]);
}

#[test]
fn meters_sellers_and_policies() {
    refused("property: usage.tokens\n", "", &[(8, "", "missing_field")]);
    refused("aggregate: sum", "aggregate: count", &[(12, "property", "property_not_summed")]);
    refused("aggregate: sum", "aggregate: median", &[(11, "aggregate", "unknown_value")]);
    refused("events: [inference, embedding]", "events: []", &[(10, "events", "empty_list")]);
    refused("[accepted]", "[0]", &[(13, "where.outcome[0]", "number_not_quoted")]);
    refused("series: ACME", "series: A/B", &[(3, "series", "bad_name")]);
    refused("zone: Europe/Berlin\ncurrency", "zone: Mars/Olympus\ncurrency", &[(4, "zone", "unknown_zone")]);
    let told = refused(
        "zone: Europe/Berlin\ncurrency",
        "zone: europe/berlin\ncurrency",
        &[(4, "zone", "unknown_zone")],
    );
    assert!(told[0].message.contains("Europe/Berlin"));
    refused("first_sight: create", "first_sight: true", &[(49, "first_sight", "wrong_type")]);
    refused("policy: accounts", "policy: account", &[(48, "policy", "unknown_value")]);
}

#[test]
fn contracts_and_times() {
    refused("start: 2026-08-31", "start: 31.08.2026", &[(42, "start", "bad_date")]);
    refused("start: 2026-08-31", "start: 2026-02-30", &[(42, "start", "bad_date")]);
    refused("end: 2027-08-31", "end: 2026-08-31", &[(43, "end", "end_not_after_start")]);
    refused("effective_at: 2026-08-31", "effective_at: soon", &[(45, "effective_at", "bad_time")]);
    refused(
        "effective_at: 2026-08-31",
        "effective_at: 2026-08-31T00:00:00",
        &[(45, "effective_at", "bad_time")],
    );
    refused("plan: team\ncurrency: EUR\nzone", "currency: EUR\nzone", &[(35, "", "missing_field")]);
    refused("rounding: half_even", "rounding: half_up", &[(44, "rounding", "unknown_value")]);
}

#[test]
fn all_mistakes_at_once_in_the_order_of_lines() {
    let broken = GOOD
        .replacen("series: ACME", "series: ''", 1)
        .replacen("unit: token\n", "unit: token\ncolour: red\n", 1)
        .replacen("\"29\"", "29.00", 1)
        .replacen("first_sight: create", "first_sight: perhaps", 1);
    let problems = read_documents("f.yaml", &broken).unwrap_err();
    expect_problems(
        &problems,
        &[
            (3, "series", "bad_name"),
            (16, "colour", "unknown_field"),
            (28, "items.base.fee", "number_not_quoted"),
            (50, "first_sight", "unknown_value"),
        ],
    );
}

/// Changes the good documents once; they are good by themselves, but not together.
#[track_caller]
fn unfit(from: &str, to: &str, expect: &[(u64, &str, &str)]) -> Vec<Problem> {
    assert!(GOOD.contains(from), "{from}");
    let documents = read_documents("f.yaml", &GOOD.replacen(from, to, 1)).unwrap();
    let problems = check_references(&documents, &Terms::default());
    expect_problems(&problems, expect);
    problems
}

#[test]
fn references() {
    let told = unfit("seller: acme\nplan", "seller: acne\nplan", &[(38, "seller", "unknown_seller")]);
    assert_eq!(told[0].hint, "did you mean `acme`?");
    assert_eq!(told[0].message, "expected the name of a seller that is known, found `acne`");
    unfit("account: org-1\nseller", "account: org-2\nseller", &[(37, "account", "unknown_account")]);
    unfit(
        "account: org-1\nseller",
        "account: org-1\npayer: boss\nseller",
        &[(38, "payer", "unknown_account")],
    );
    unfit(
        "plan: team\ncurrency: EUR\nzone",
        "plan: zzz\ncurrency: EUR\nzone",
        &[(39, "plan", "unknown_plan")],
    );
    unfit("{usage: tokens, only", "{usage: token, only", &[(29, "items.large.usage", "unknown_meter")]);
    unfit("price: tokens, charge", "price: tokenz, charge", &[(29, "items.large.price", "unknown_price")]);
    let told = unfit(
        "only: {model: [l, xl]}",
        "only: {model: [l], modell: [x]}",
        &[(29, "items.large.only.modell", "unknown_dimension")],
    );
    assert_eq!(told[0].hint, "did you mean `model`?");
    let told = unfit(
        "kind: policy",
        "kind: account\naccount: org-1\n---\nkind: policy",
        &[(48, "account", "duplicate_document")],
    );
    assert!(told[0].message.contains("f.yaml:31"), "{}", told[0].message);
}

#[test]
fn a_price_in_no_currency_of_the_account() {
    let told = unfit("  EUR: {per", "  USD: {per", &[(29, "items.large.price", "price_currency_missing")]);
    assert_eq!(told[0].message, "expected the price tokens to be stated in EUR, found `JPY USD`");
    let told = unfit(
        "currency: EUR\nzone: Europe/Berlin\nstart",
        "currency: CHF\nzone: Europe/Berlin\nstart",
        &[(40, "currency", "price_currency_missing"), (40, "currency", "price_currency_missing")],
    );
    assert!(told[0].message.starts_with("expected prices in CHF for base, small,"), "{}", told[0].message);
}

#[test]
fn an_item_of_a_contract_beside_its_plan() {
    let own = |item: &str| {
        GOOD.replacen("rounding: half_even\n", &format!("rounding: half_even\nitems: {{{item}}}\n"), 1)
    };
    let check = |item: &str| {
        let documents = read_documents("f.yaml", &own(item)).unwrap();
        check_references(&documents, &Terms::default())
    };
    let price = "usage: tokens, price: {unit: \"1\"}";
    expect_problems(
        &check(&format!("more: {{{price}}}")),
        &[(45, "items.more", "items_overlap"), (45, "items.more", "items_overlap")],
    );
    expect_problems(&check(&format!("small: {{{price}, only: {{model: [s, m]}}}}")), &[]);
    expect_problems(&check(&format!("medium: {{{price}, only: {{model: [m]}}}}")), &[]);
}

/// The good documents, and contracts of `org-1` (or of the account that `rest` names) beside the one there.
fn with_contracts(contracts: &[(&str, &str, &str)]) -> Vec<Document> {
    let mut text = GOOD.to_owned();
    for (name, start, rest) in contracts {
        let account = if rest.contains("account:") { "" } else { "account: org-1\n" };
        text.push_str(&format!(
            "---\nkind: contract\ncontract: {name}\n{account}seller: acme\ncurrency: EUR\nzone: Europe/Berlin\nstart: {start}\n{rest}\n"
        ));
    }
    read_documents("f.yaml", &text).unwrap()
}

/// Kind, name, path and code of each problem.
fn places(documents: &[Document], terms: &Terms) -> Vec<(String, String, &'static str)> {
    let place = |problem: Problem| {
        let at = documents.iter().rev().find(|document| document.line <= problem.line).unwrap();
        (at.name.clone(), problem.path, problem.code)
    };
    check_references(documents, terms).into_iter().map(place).collect()
}

#[test]
fn contracts_of_an_account_do_not_take_the_same_usage() {
    #[track_caller]
    fn check(contracts: &[(&str, &str, &str)], expect: &[(&str, &str)]) {
        let found = places(&with_contracts(contracts), &Terms::default());
        let expect: Vec<_> = expect
            .iter()
            .map(|(name, path)| ((*name).to_owned(), (*path).to_owned(), "items_overlap"))
            .collect();
        assert_eq!(found, expect);
    }
    // The contract of the good documents: org-1-2026, 2026-08-31 to 2027-08-31, tokens of models s, l, xl.
    check(&[("b", "2027-08-30", "plan: team")], &[("b", "plan"), ("b", "plan")]);
    check(&[("b", "2027-08-31", "plan: team")], &[]);
    check(&[("b", "2026-08-01", "end: 2026-08-31\nplan: team")], &[]);
    check(&[("b", "2026-08-01", "end: 2026-09-01\nplan: team")], &[("org-1-2026", "plan"); 2]);
    let price = "price: {unit: \"1\"}";
    check(
        &[("b", "2026-09-01", &format!("items: {{more: {{usage: tokens, {price}}}}}"))],
        &[("b", "items.more")],
    );
    let of_model =
        |model: &str| format!("items: {{more: {{usage: tokens, only: {{model: [{model}]}}, {price}}}}}");
    check(&[("b", "2026-09-01", &of_model("xl"))], &[("b", "items.more")]);
    check(&[("b", "2026-09-01", &of_model("m"))], &[]);
    check(
        &[
            ("b", "2026-09-01", &of_model("m")),
            ("c", "2026-10-01", &of_model("n")),
            ("d", "2026-11-01", &of_model("m")),
        ],
        &[("d", "items.more")],
    );
    check(&[("b", "2026-09-01", "items: {seat: {fee: \"1\", every: month, pay: after}}")], &[]);
}

#[test]
fn contracts_of_other_accounts_may_take_the_same_usage() {
    let mut documents = with_contracts(&[("b", "2026-09-01", "account: org-2\nplan: team")]);
    documents.extend(read_documents("g.yaml", "kind: account\naccount: org-2\n").unwrap());
    assert_eq!(check_references(&documents, &Terms::default()), []);
}

#[test]
fn the_days_of_two_zones_are_compared_as_times() {
    let ends = GOOD.replacen("end: 2027-08-31", "end: 2026-09-30", 1);
    let check = |zone: &str| {
        let other = format!(
            "---\nkind: contract\ncontract: b\naccount: org-1\nseller: acme\nplan: team\ncurrency: EUR\nzone: {zone}\nstart: 2026-09-30\n"
        );
        let documents = read_documents("f.yaml", &format!("{ends}{other}")).unwrap();
        check_references(&documents, &Terms::default()).len()
    };
    assert_eq!((check("Europe/Berlin"), check("UTC"), check("Europe/Athens")), (0, 0, 2));
}

/// The good documents as stored terms.
fn stored() -> Terms {
    let mut terms = Terms::default();
    for at in 0..6 {
        match term(at) {
            Term::Seller(seller) => terms.sellers.add(seller),
            Term::Meter(meter) => terms.meters.add(meter),
            Term::Price(price) => terms.prices.add(price),
            Term::Plan(plan) => terms.plans.add(plan),
            Term::Contract(contract) => terms.contracts.add(contract),
            Term::Account(account) => assert!(terms.accounts.insert(account.name)),
            other => panic!("{other:?}"),
        }
    }
    terms
}

#[test]
fn contracts_are_compared_with_stored_ones() {
    let terms = stored();
    let other = &with_contracts(&[("b", "2026-10-01", "plan: team")])[7..];
    assert_eq!(places(other, &terms).len(), 2);
    let told = &check_references(other, &terms)[0];
    assert_eq!(
        told.message,
        "expected usage of org-1 that no other contract takes meanwhile, found large of b on what large takes of `org-1-2026`"
    );
    assert!(told.hint.contains("end on the day the other starts"), "{}", told.hint);
    // The same name again takes the stored one's place, and may make room for another.
    assert_eq!(check_references(&good()[5..6], &terms), []);
    let shorter = GOOD.replacen("end: 2027-08-31", "end: 2026-10-01", 1);
    let mut both = vec![read_documents("f.yaml", &shorter).unwrap()[5].clone()];
    both.extend_from_slice(other);
    assert_eq!(check_references(&both, &terms), []);
    // What is stored side by side already is no mistake of a document about something else.
    let Ok(Term::Contract(contract)) = parse_term("contract", &other[0].body, FIRST) else {
        panic!("no contract")
    };
    let mut beside = terms.clone();
    beside.contracts.add(contract);
    assert_eq!(check_references(&good()[..3], &beside), []);
    assert_eq!(check_references(&good()[3..4], &beside).len(), 2);
    // A stored one that starts later: the document is told, not what is stored.
    let earlier = &with_contracts(&[("b", "2026-08-01", "plan: team")])[7..];
    let expect = ("b".to_owned(), "plan".to_owned(), "items_overlap");
    assert_eq!(places(earlier, &terms), [expect.clone(), expect]);
}

/// A contract of `org-1` with one item on the tokens of some models.
fn on_models(name: &str, start: &str, models: &str) -> Document {
    let item =
        format!("items: {{more: {{usage: tokens, only: {{model: [{models}]}}, price: {{unit: \"1\"}}}}}}");
    with_contracts(&[(name, start, item.as_str())]).remove(7)
}

#[test]
fn two_stored_contracts_do_not_hide_a_third() {
    let mut terms = stored();
    for document in [on_models("c", "2026-10-03", "n"), on_models("a", "2026-10-01", "m, n")] {
        let Ok(Term::Contract(contract)) = parse_term("contract", &document.body, FIRST) else {
            panic!("no contract")
        };
        terms.contracts.add(contract);
    }
    assert_eq!(check_references(&[on_models("b", "2026-10-02", "o")], &terms), []);
    // It takes nothing of `a`, and of `c` what `a` takes not.
    let c = on_models("c", "2026-10-03", "n, o");
    let Ok(Term::Contract(contract)) = parse_term("contract", &c.body, Version { version: 4, ..FIRST })
    else {
        panic!("no contract")
    };
    terms.contracts.add(contract);
    let told = check_references(&[on_models("b", "2026-10-02", "o")], &terms);
    expect_problems(&told, &[(told[0].line, "items.more", "items_overlap")]);
    assert!(told[0].message.ends_with("of `c`"), "{}", told[0].message);
}

#[test]
fn a_plan_may_not_bring_stored_contracts_together() {
    let mut terms = stored();
    let medium = "items: {medium: {usage: tokens, only: {model: [m]}, price: {unit: \"1\"}}}";
    let document = &with_contracts(&[("b", "2026-10-01", medium)])[7];
    let Ok(Term::Contract(contract)) = parse_term(&document.kind, &document.body, FIRST) else {
        panic!("no contract")
    };
    terms.contracts.add(contract);
    let plan = |models: &str| {
        read_documents("p.yaml", &GOOD.replacen("model: [l, xl]", &format!("model: [{models}]"), 1)).unwrap()
            [3..4]
            .to_vec()
    };
    assert_eq!(check_references(&plan("l, xl, xxl"), &terms), []);
    let expect = ("team".to_owned(), "items.large".to_owned(), "items_overlap");
    assert_eq!(places(&plan("l, m"), &terms), [expect]);
}

#[test]
fn many_contracts_are_compared_within_their_account() {
    let mut text = GOOD.to_owned();
    for account in 0..2_000 {
        text.push_str(&format!("---\nkind: account\naccount: a-{account}\n"));
        for year in 2026..2028 {
            text.push_str(&format!(
                "---\n{{kind: contract, contract: a-{account}-{year}, account: a-{account}, seller: acme, plan: team, currency: EUR, start: {year}-01-01, end: {}-01-01}}\n",
                year + 1
            ));
        }
    }
    let documents = read_documents("f.yaml", &text).unwrap();
    assert_eq!(documents.len(), 6_007);
    assert_eq!(check_references(&documents, &Terms::default()), []);
}

#[test]
fn stored_terms_are_known_too() {
    let mut terms = Terms::default();
    for at in 0..4 {
        match term(at) {
            Term::Seller(seller) => terms.sellers.add(seller),
            Term::Meter(meter) => terms.meters.add(meter),
            Term::Price(price) => terms.prices.add(price),
            Term::Plan(plan) => terms.plans.add(plan),
            other => panic!("{other:?}"),
        }
    }
    terms.accounts.insert("org-1".to_owned());
    assert_eq!(check_references(&good()[5..6], &terms), []);
    let codes: Vec<&str> =
        check_references(&good()[5..6], &Terms::default()).iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["unknown_seller", "unknown_account", "unknown_plan"]);
}

#[test]
fn files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let codes = |problems: Vec<Problem>| problems.iter().map(|problem| problem.code).collect::<Vec<_>>();
    assert_eq!(codes(load_path(folder.path()).unwrap_err()), ["no_documents"]);
    write("b.yaml", "kind: account\naccount: two\n---\nkind: account\naccount: three\n");
    write("a.yml", "kind: account\naccount: one\n");
    write("c.txt", "not: read");
    let names: Vec<String> =
        load_path(folder.path()).unwrap().into_iter().map(|document| document.name).collect();
    assert_eq!(names, ["one", "two", "three"]);
    write("c.yaml", "kind: acount\n");
    write("d.yaml", "kind: account\n");
    let problems = load_path(folder.path()).unwrap_err();
    assert!(problems[0].file.ends_with("c.yaml") && problems[1].file.ends_with("d.yaml"));
    assert_eq!(codes(problems), ["unknown_kind", "missing_field"]);
    assert_eq!(codes(load_path(&folder.path().join("none.yaml")).unwrap_err()), ["file_unreadable"]);
    write("e.yaml", "a: \u{0}b");
    std::fs::write(folder.path().join("f.yaml"), b"\xff\xfe").unwrap();
    assert_eq!(codes(load_path(&folder.path().join("f.yaml")).unwrap_err()), ["file_unreadable"]);
}
