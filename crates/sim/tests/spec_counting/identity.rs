//! `spec/identity.md`.

use metering::{
    Digest, Draft, Event, Instant, Probe, TimeFormat, Value, check_form, event_digest, fingerprint, identity,
    probe,
};
use sim::spec_table::Row;

use crate::counting::keys;
use crate::json::value;
use crate::{check, run};

fn same_identity(row: &Row) {
    let of = |tenant: &str, source: &str, id: &str| {
        identity(&keys(), row.cell(tenant), row.cell(source), row.cell(id))
    };
    let same = of("tenant", "source", "id") == of("other tenant", "other source", "other id");
    check(row, "same", if same { "yes" } else { "no" });
}

/// An event of one identity; the members `type`, `account` and `time` are its own, the others its properties.
fn event(text: &str) -> Event {
    let Value::Object(members) = value(text).unwrap() else { panic!("no object") };
    let own = |name: &str| match members.iter().find(|(key, _)| key == name) {
        Some((_, Value::Text(text))) => Some(text.clone()),
        _ => None,
    };
    let draft = Draft {
        source: Some("api".to_owned()),
        id: Some("1".to_owned()),
        event_type: own("type"),
        account: own("account"),
        occurred_at: own("time"),
        time_format: TimeFormat::Rfc3339,
        properties: Value::Null,
    };
    let is_own = |key: &str| ["type", "account", "time"].contains(&key);
    let properties = members.into_iter().filter(|(key, _)| !is_own(key)).collect();
    check_form(Draft { properties: Value::object(properties).unwrap(), ..draft }).unwrap()
}

fn second_fate(row: &Row) {
    let print = |column: &str| fingerprint(&keys(), "default", &event(row.cell(column)));
    let (first, second) = (print("first"), print("second"));
    assert_eq!(first.identity, second.identity, "line {}", row.line);
    check(
        row,
        "fate of the second",
        match probe(Some(first.payload()), second.payload()) {
            Probe::Duplicate => "duplicate",
            Probe::Conflict => "conflict",
            Probe::New => "accepted",
        },
    );
}

fn canonical(row: &Row, column: &str) {
    let found = match value(row.cell(column)) {
        Ok(value) => value.to_canonical_json(),
        Err(error) => error.code().to_string(),
    };
    check(row, "canonical", &found);
}

/// The event of the page, with another id where one is asked for.
fn page_event(id: &str) -> Event {
    Event {
        source: "api/eu".to_owned(),
        id: id.to_owned(),
        event_type: "request".to_owned(),
        account: "org-1".to_owned(),
        occurred_at: Instant::parse_rfc3339("2026-08-01T00:00:00.5Z").unwrap(),
        properties: value(r#"{"region":"eu\n","quantity":1.50}"#).unwrap(),
    }
}

fn hash(row: &Row) {
    let print = fingerprint(&keys(), "acme", &page_event("ID-ä"));
    let found = match row.cell("hash") {
        "identity" => print.identity.to_string(),
        "payload" => print.payload().to_string(),
        "digest" => print.digest.to_string(),
        other => panic!("line {}: no hash `{other}`", row.line),
    };
    check(row, "value", &found);
}

fn digest(row: &Row) {
    let (mut sum, mut takes) = (Digest::ZERO, false);
    for word in row.cell("events").split_whitespace() {
        let one = match word {
            "x" => event_digest(&keys(), "acme", &page_event("ID-ä")),
            "y" => event_digest(&keys(), "acme", &page_event("2")),
            sign => {
                takes = sign == "−";
                continue;
            }
        };
        sum = if takes { sum.subtract(one) } else { sum.add(one) };
    }
    check(row, "digest", &sum.to_string());
}

#[test]
fn identity_page() {
    run("identity.md", 55, |table, columns| {
        let check_row: &dyn Fn(&Row) = match columns {
            ["tenant", "source", "id", "other tenant", "other source", "other id", "same"] => &same_identity,
            ["first", "second", "fate of the second"] => &second_fate,
            ["number", "canonical"] => &|row| canonical(row, "number"),
            ["value", "canonical"] => &|row| canonical(row, "value"),
            ["hash", "value"] => &hash,
            ["events", "digest"] => &digest,
            other => panic!("line {}: no test runs a table of {other:?}", table.line),
        };
        table.rows.iter().for_each(check_row);
    });
}
