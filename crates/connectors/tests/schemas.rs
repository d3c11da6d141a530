//! The schemas published for editors accept what the parser accepts, and refuse what a schema can refuse.
#![allow(missing_docs)]

use std::path::PathBuf;

use connectors::config::read_documents;
use connectors::parse_mapping;
use serde_json::{Value, json};

fn schema(kind: &str) -> jsonschema::Validator {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas/config");
    let text = std::fs::read_to_string(folder.join(format!("{kind}.json"))).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "{kind}");
    jsonschema::validator_for(&schema).unwrap()
}

/// The schema and the parser give the same answer.
#[track_caller]
fn check(value: &Value, is_good: bool) {
    let kind = value["kind"].as_str().unwrap();
    // JSON is YAML.
    let parsed = if kind == "csv_mapping" {
        parse_mapping("m.yaml", &value.to_string()).map(|_| ()).map_err(|problems| format!("{problems:?}"))
    } else {
        read_documents("f.yaml", &value.to_string()).map(|_| ()).map_err(|problems| format!("{problems:?}"))
    };
    assert_eq!(parsed.is_ok(), is_good, "{value}: {parsed:?}");
    let schema = schema(&kind.replace('_', "-"));
    let told: Vec<String> = schema.iter_errors(value).map(|error| error.to_string()).collect();
    assert_eq!(told.is_empty(), is_good, "{value}: {told:?}");
}

fn full() -> Vec<Value> {
    let tiers = json!([{"up_to": "10", "unit": "3", "flat": "1"}, {"unit": "-2.5"}]);
    let items = json!({
        "fee": {"fee": "29", "quantity": "2", "every": "month", "pay": "after", "prorate": "none", "description": "x"},
        "a": {"usage": "m", "included": "5", "price": "p", "only": {"d": ["x", true]}, "charge_when_unused": true,
            "allow_negative": false, "description": "y"},
        "b": {"usage": "n", "price": {"per": "1000", "volume": tiers}},
    });
    vec![
        json!({"kind": "seller", "seller": "s", "series": "A-1_b", "zone": "UTC", "currency": "USD", "grace_days": 0,
            "effective_at": "2026-08-01T00:00:00Z"}),
        json!({"kind": "meter", "meter": "m", "events": ["e"], "aggregate": "sum", "property": "a.b",
            "where": {"p": ["x", false]}, "dimensions": ["d"], "unit": "u", "allow_negative": true,
            "effective_at": "2026-08-01"}),
        json!({"kind": "meter", "meter": "m", "events": ["e"], "aggregate": "count", "unit": "u"}),
        json!({"kind": "price", "price": "p", "currencies": {"USD": {"flat": "5"}, "EUR": {"unit": "0.1", "per": "3"},
            "JPY": {"graduated": tiers}, "KWD": {"package": {"size": "10", "price": "1.005"}}}}),
        json!({"kind": "plan", "plan": "t", "currency": "USD", "items": items}),
        json!({"kind": "account", "account": "a", "personal": {"name": "N", "email": "e"}}),
        json!({"kind": "contract", "contract": "c", "account": "a", "payer": "b", "seller": "s", "plan": "t",
            "items": items, "currency": "USD", "zone": "Asia/Kathmandu", "start": "2026-08-01", "end": "2027-08-01",
            "anchor": 31, "rounding": "up", "effective_at": "2026-08-01"}),
        json!({"kind": "policy", "policy": "accounts", "first_sight": "refuse"}),
        json!({"kind": "csv_mapping", "source": {"constant": "s"}, "id": {"column": "ID"}, "type": {"constant": "t"},
            "account": {"column": "A"}, "time": {"column": "T", "format": "%Y-%m-%d %H:%M", "zone": "UTC"},
            "properties": {"q": {"column": "Q", "as": "number"}, "r": {"constant": "x"}}, "delimiter": ";"}),
        json!({"kind": "csv_mapping", "id": "line", "type": {"constant": "t"}, "account": {"column": "A"},
            "time": {"constant": "2026-08-01T00:00:00Z"}}),
    ]
}

#[test]
fn full_documents_are_good() {
    full().iter().for_each(|document| check(document, true));
}

#[test]
fn a_field_that_is_not_known_is_refused() {
    for mut document in full() {
        document["colour"] = json!("red");
        check(&document, false);
    }
}

#[test]
fn no_document_does_without_its_name() {
    for mut document in full() {
        let kind = document["kind"].as_str().unwrap().to_owned();
        if kind != "csv_mapping" {
            document.as_object_mut().unwrap().remove(&kind);
            check(&document, false);
        }
    }
}

#[test]
fn changes_that_both_refuse() {
    let documents = full();
    let changes: [(usize, &str, Value); 32] = [
        (0, "/series", json!("A/B")),
        (0, "/grace_days", json!("1")),
        (0, "/grace_days", json!(367)),
        (0, "/effective_at", json!("soon")),
        (1, "/events", json!([])),
        (1, "/events", json!("e")),
        (1, "/aggregate", json!("median")),
        (1, "/aggregate", json!("level")),
        (1, "/aggregate", json!("high_water")),
        (1, "/where/p", json!([1])),
        (1, "/allow_negative", json!("yes")),
        (2, "/aggregate", json!("sum")),
        (3, "/currencies", json!({})),
        (3, "/currencies/USD", json!({})),
        (3, "/currencies/USD", json!({"flat": 5})),
        (3, "/currencies/USD", json!({"flat": "5", "unit": "1"})),
        (3, "/currencies/USD", json!({"flat": "5", "per": "2"})),
        (3, "/currencies/JPY/graduated", json!([])),
        (3, "/currencies/JPY/graduated", json!([{}])),
        (3, "/currencies/EUR/unit", json!("1e3")),
        (4, "/items/fee/fee", json!(29)),
        (4, "/items/fee/every", json!("year")),
        (4, "/items/fee", json!({"quantity": "1"})),
        (4, "/items/a", json!({"usage": "m"})),
        (4, "/items/a/included", json!("-1")),
        (5, "/personal/name", json!(7)),
        (6, "/anchor", json!(0)),
        (6, "/start", json!("1 August")),
        (6, "/rounding", json!("half_up")),
        (7, "/first_sight", json!("perhaps")),
        (8, "/id", json!({"constant": "x"})),
        (8, "/account", json!({"constant": "x", "column": "y"})),
    ];
    for (at, pointer, value) in changes {
        let mut document = documents[at].clone();
        *document.pointer_mut(pointer).unwrap() = value;
        check(&document, false);
    }
}

#[test]
fn the_example_of_every_kind_names_its_schema() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas/config");
    let text = std::fs::read_to_string(folder.join("document.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    for rule in document["allOf"].as_array().unwrap() {
        let file = rule["then"]["$ref"].as_str().unwrap();
        assert!(folder.join(file).is_file(), "{file}");
    }
}
