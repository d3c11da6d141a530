//! The published examples are what the code makes, and both follow the published schemas.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use invoicing::terms::{Charging, Contract, Pay, Plan, PriceSource, Terms};
use invoicing::{
    Bill, CellFact, EnvelopeFacts, ExplainFacts, IssueFacts, Usage, bill, body, entries_json, envelope,
    explain, explanation_text, line_specs, posting,
};
use metering::{Digest, Instant, Meter};
use money::{Currency, Rational};
use rating::Price;
use serde_json::{Value, json};
use world::{World, contract, date, fee_item, items, meter, number, seller, tier, usage_item, version};

const DAY_NS: i64 = 86_400_000_000_000;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

fn schema(name: &str) -> jsonschema::Validator {
    let text = std::fs::read_to_string(reference().join("schemas").join(name)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

/// Compares with a published example; `UPDATE_GOLDEN=1` writes it anew.
fn golden(name: &str, text: &str) {
    let path = reference().join("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let published =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, published, "{name}");
}

fn golden_json(name: &str, schema_name: &str, value: &Value) {
    if let Err(error) = schema(schema_name).validate(value) {
        panic!("{name}: {error} at {}", error.instance_path());
    }
    golden(name, &format!("{value:#}\n"));
}

/// A month of two token meters and half a month of a team plan.
fn bills() -> [Bill; 2] {
    let usd = Currency::parse("USD").unwrap();
    let mut terms = Terms::default();
    for name in ["context", "generated"] {
        terms.meters.add(Meter { unit: "token".into(), ..meter(name) });
    }
    for name in ["errors", "replays"] {
        terms.meters.add(meter(name));
    }
    let tiers =
        vec![tier(Some("10000000"), "3", "0"), tier(Some("20000000"), "2.5", "0"), tier(None, "2", "0")];
    let million = number("1000000");
    let context =
        usage_item("context", "context", PriceSource::Inline(Price::Graduated { tiers, per: million }));
    let rate = Price::Unit { rate: number("15"), per: million };
    let mut generated = usage_item("generated", "generated", PriceSource::Inline(rate));
    generated.description = Some("Generated tokens".into());
    let tokens = Contract {
        account: "conv".into(),
        payer: "conv".into(),
        name: "conv".into(),
        ..contract(usd, vec![context, generated])
    };

    let mut errors = usage_item(
        "errors",
        "errors",
        PriceSource::Inline(Price::Unit { rate: number("0.00036"), per: number("1") }),
    );
    if let Charging::Usage { included, .. } = &mut errors.charging {
        *included = number("50000");
    }
    let replays = usage_item(
        "replays",
        "replays",
        PriceSource::Inline(Price::Package { size: number("1000"), price: number("2") }),
    );
    let planned = items(vec![fee_item("base", "29", Pay::Ahead), errors, replays]);
    terms.plans.add(Plan { name: "team".into(), version: version(2), currency: usd, items: planned });
    let team = Contract { plan: Some("team".into()), start: date("2026-08-15"), ..contract(usd, Vec::new()) };

    let read = |records, quantity: &str, digest: u128| {
        Some(Usage {
            records,
            quantity: Rational::parse(quantity).unwrap(),
            unmeasured: 0,
            digest: Digest(digest),
        })
    };
    [
        made(&terms, &tokens, vec![read(19_366, "22361870", 0xA1), read(19_366, "4088665", 0xA2)]),
        made(&terms, &team, vec![None, None, read(12, "29000", 0xB1), read(2, "2700", 0xB2)]),
    ]
}

fn made(terms: &Terms, contract: &Contract, usages: Vec<Option<Usage>>) -> Bill {
    let period = invoicing::billing_period_list(contract, terms, (2026, 8))[0];
    let (specs, problems) = line_specs(terms, contract, &period, &BTreeSet::new());
    assert_eq!(problems, []);
    bill(contract, &period, &specs, &usages).unwrap()
}

fn facts(line: &invoicing::Line) -> ExplainFacts {
    let service = line.spec.service;
    let cells = line.usage.as_ref().map_or_else(Vec::new, |usage| {
        vec![CellFact {
            start: service.start,
            end: Instant(service.start.0 + DAY_NS),
            records: usage.records,
            quantity: usage.quantity,
            digest: usage.digest,
        }]
    });
    let command = format!(
        "counterfoil usage --events --account {} --meter {}",
        line.spec.key.account, line.spec.item.name
    );
    ExplainFacts {
        invoice: "DEMO-000001".into(),
        position: 38_732,
        known_at: 12,
        aggregate: None,
        cells,
        events: line.usage.as_ref().map(|_| command),
    }
}

fn envelope_facts(bill: &Bill) -> EnvelopeFacts {
    let digests =
        bill.lines.iter().filter_map(|line| Some((line.spec.key.clone(), line.usage.as_ref()?.digest)));
    EnvelopeFacts {
        store_id: "00000000000000000000000000000001".into(),
        known_at: 12,
        journal_hash: "11".repeat(32),
        shard: 0,
        incarnation: 1,
        position: 38_732,
        block_hash: "22".repeat(32),
        digest_key_version: 0,
        tz_database: "2026a".into(),
        issued_at: Some(Instant::parse_rfc3339("2026-09-02T00:00:00Z").unwrap()),
        digests: digests.collect(),
    }
}

#[test]
fn published_examples_are_what_is_made() {
    let [tokens, team] = bills();
    let usd = seller(tokens.contract.currency);
    let sum = |bill: &Bill| bill.lines.iter().map(|line| line.amount.minor()).sum::<i128>();
    assert_eq!((sum(&tokens), tokens.total.minor()), (12_105, 12_105));
    assert_eq!((sum(&team), team.total.minor()), (1590 + 2900 + 57 + 600, 5147));

    let token_body = body(&tokens, &usd, Some("DEMO-000001"));
    golden_json("invoice-graduated.json", "invoice.json", &token_body);
    golden_json("invoice-draft-stub.json", "invoice.json", &body(&team, &usd, None));
    golden_json("envelope.json", "envelope.json", &envelope(&envelope_facts(&tokens), &token_body));
    for (name, bill, line) in [
        ("graduated", &tokens, 0),
        ("unit", &tokens, 1),
        ("fee-stub", &team, 0),
        ("allowance-stub", &team, 2),
        ("package", &team, 3),
    ] {
        let line = &bill.lines[line];
        let explanation = explain(bill, line, &facts(line));
        golden_json(&format!("explanation-{name}.json"), "explanation.json", &explanation);
        golden(&format!("explanation-{name}.txt"), &explanation_text(&explanation));
    }
    let facts = IssueFacts {
        number: "DEMO-000001".into(),
        accounting_date: date("2026-09-02"),
        recorded_position: 13,
    };
    let entries = entries_json(&posting(&token_body, &facts).unwrap().unwrap());
    for entry in &entries {
        schema("entry.json").validate(entry).unwrap();
    }
    golden("entries.json", &format!("{:#}\n", Value::Array(entries)));
}

#[test]
fn whatever_is_made_follows_the_schemas() {
    let schemas = ["invoice.json", "explanation.json", "envelope.json", "entry.json"].map(schema);
    let [invoice, explanation, provenance, entry] = &schemas;
    let facts = IssueFacts {
        number: "DEMO-000001".into(),
        accounting_date: date("2026-09-02"),
        recorded_position: 13,
    };
    let check = |schema: &jsonschema::Validator, value: &Value, seed: u64| {
        if let Err(error) = schema.validate(value) {
            panic!("seed {seed}: {error} at {} in {value:#}", error.instance_path());
        }
    };
    for seed in 0..300 {
        let bill = World::random(seed).bill();
        if bill.lines.is_empty() {
            continue;
        }
        let body = body(&bill, &seller(bill.contract.currency), Some("DEMO-000001"));
        check(invoice, &body, seed);
        check(provenance, &envelope(&envelope_facts(&bill), &body), seed);
        for line in &bill.lines {
            check(explanation, &explain(&bill, line, &world::facts(seed, line)), seed);
        }
        for value in posting(&body, &facts).iter().flatten().flat_map(entries_json) {
            check(entry, &value, seed);
        }
    }
}

#[test]
fn the_schemas_refuse_what_is_not_meant() {
    let [tokens, _] = bills();
    let body = body(&tokens, &seller(tokens.contract.currency), Some("DEMO-000001"));
    let invoice = schema("invoice.json");
    assert!(invoice.is_valid(&body));
    for (pointer, value) in [
        ("/total", json!(121.05)),
        ("/total", json!("1e2")),
        ("/lines", json!([])),
        ("/lines/0/exact", json!("59.723740")),
        ("/lines/0/rounding", json!("nearest")),
        ("/period/first", json!("2026-8-1")),
    ] {
        let mut wrong = body.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(!invoice.is_valid(&wrong), "{pointer}");
    }
    let mut more = body;
    more["digest"] = json!("ff");
    assert!(!invoice.is_valid(&more));
}
