//! Runs of a period: what is billed once, what waits, what is reported.

mod support;

use serde_json::Value;
use support::{Desk, call};

const SELLER: &str = r#"
{kind: seller, seller: acme, series: A, zone: UTC, currency: USD, grace_days: 1}
---
{kind: meter, meter: calls, events: [call], aggregate: count, dimensions: [region], unit: call}
---
{kind: policy, policy: accounts, first_sight: create}
"#;

/// A store with the seller and some contracts of accounts a-1, a-2 …
fn desk(contracts: &[&str]) -> Desk {
    let desk = Desk::new();
    desk.write("config.yaml", SELLER);
    desk.run(&["--now", "2025-01-01T00:00:00Z", "apply", "-f", "config.yaml"]).status(0);
    contracts.iter().for_each(|contract| apply(&desk, contract));
    desk
}

fn apply(desk: &Desk, document: &str) {
    desk.write("more.yaml", document);
    desk.run(&["--now", "2026-01-01T00:00:00Z", "apply", "-f", "more.yaml"]).status(0);
}

fn contract(name: &str, account: &str, rest: &str) -> String {
    format!(
        "{{kind: account, account: {account}}}\n---\n{{kind: contract, contract: {name}, account: {account}, seller: acme, currency: USD, {rest}}}"
    )
}

fn run(desk: &Desk, now: &str, period: &str, status: i32) -> Value {
    desk.run(&["--now", now, "--format", "json", "invoice", "run", "--period", period]).status(status).json()
}

/// Keys and amounts of all lines of all invoices, sorted.
fn lines(desk: &Desk) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (_, body) in desk.bodies() {
        let body: Value = serde_json::from_str(&body).expect("JSON");
        for line in body["lines"].as_array().expect("lines") {
            let text = |name: &str| line[name].as_str().expect("a text").to_owned();
            lines.push((text("key"), text("amount")));
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_fee_ahead_is_billed_once_in_a_month_with_two_periods() {
    let terms =
        contract("c", "a-1", "start: 2026-01-10, anchor: 15, items: {base: {fee: \"100\", every: month}}");
    let desk = desk(&[&terms]);
    run(&desk, "2026-02-20T00:00:00Z", "2026-01", 0);
    let expected = [
        ("a-1/a-1/c/base/2026-01-10", "16.13"),
        ("a-1/a-1/c/base/2026-01-15", "100.00"),
        ("a-1/a-1/c/base/2026-02-15", "100.00"),
    ];
    assert_eq!(lines(&desk), expected.map(|(key, amount)| (key.to_owned(), amount.to_owned())));
    run(&desk, "2026-03-20T00:00:00Z", "2026-02", 0);
    assert_eq!(lines(&desk).len(), 4, "February adds March's fee alone");
    desk.run(&["verify"]).status(0);
}

#[test]
fn no_period_is_billed_through_the_seal_of_one_that_ended_before_it() {
    let first =
        contract("c-1", "a-1", "start: 2026-08-01, items: {calls: {usage: calls, price: {unit: \"1\"}}}");
    let desk = desk(&[&first]);
    run(&desk, "2026-09-02T00:00:00Z", "2026-08", 0);
    let second = contract(
        "c-2",
        "a-2",
        "start: 2026-08-20, anchor: 20, items: {calls: {usage: calls, price: {unit: \"1\"}}}",
    );
    apply(&desk, &second);
    desk.run(&["--now", "2026-09-02T00:00:00Z", "invoice", "run", "--period", "2026-08"])
        .fails(3, "period_already_billed");
    assert_eq!(desk.bodies().len(), 1);
    desk.write("september.ndjson", call("x", "a-2", "2026-09-15T00:00:00Z"));
    desk.run(&["--now", "2026-09-16T00:00:00Z", "ingest", "september.ndjson"]).status(0);
    run(&desk, "2026-09-22T00:00:00Z", "2026-08", 0);
    assert_eq!(lines(&desk)[1], ("a-2/a-2/c-2/calls/2026-08-20".to_owned(), "1.00".to_owned()));
    assert_eq!(desk.run(&["--format", "json", "usage", "--late"]).json()["late"], Value::Array(Vec::new()));
    desk.run(&["verify"]).status(0);
}

#[test]
fn contracts_that_are_still_open_hold_up_no_other() {
    let item = "items: {calls: {usage: calls, price: {unit: \"1\"}}}";
    let desk = desk(&[
        &contract("c-1", "a-1", &format!("start: 2026-08-01, {item}")),
        &contract("c-2", "a-2", &format!("start: 2026-08-20, anchor: 20, {item}")),
    ]);
    let ran = run(&desk, "2026-09-02T00:00:00Z", "2026-08", 0);
    assert_eq!(ran["issued"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&ran["open"][0]["contract"], &ran["open"][0]["due"]),
        (&"c-2".into(), &"2026-09-21T00:00:00Z".into())
    );
}

#[test]
fn usage_that_nothing_prices_is_reported_with_its_quantity() {
    let terms = contract(
        "c-1",
        "a-1",
        "start: 2026-08-10, anchor: 1, items: {eu: {usage: calls, only: {region: [eu]}, price: {unit: \"1\"}}}",
    );
    let desk = desk(&[&terms]);
    let other = call("us", "a-1", "2026-08-20T00:00:00Z").replace("\"eu\"", "\"us\"");
    let lines = [
        call("eu", "a-1", "2026-08-20T00:00:00Z"),
        other,
        call("before", "a-1", "2026-08-02T00:00:00Z"),
        call("nobody", "zz", "2026-08-20T00:00:00Z"),
    ];
    desk.write("a.ndjson", lines.join("\n"));
    desk.run(&["--now", "2026-08-21T00:00:00Z", "ingest", "a.ndjson"]).status(0);
    let ran = run(&desk, "2026-09-02T00:00:00Z", "2026-08", 1);
    let told: Vec<(&Value, &Value)> = ran["problems"]
        .as_array()
        .expect("problems")
        .iter()
        .map(|p| (&p["contract"], &p["unpriced"]["records"]))
        .collect();
    // The run's window begins with the contract: usage before any contract began is not of this run.
    assert_eq!(told, [(&"c-1".into(), &1.into()), (&"-".into(), &1.into())], "{ran:#}");
    assert_eq!(lines_total(&desk), ["1.00"]);
}

fn lines_total(desk: &Desk) -> Vec<String> {
    lines(desk).into_iter().map(|(_, amount)| amount).collect()
}

#[test]
fn a_draft_is_made_anew_under_what_is_known_now() {
    let terms = |price: &str, since: &str| {
        format!(
            "{{kind: account, account: a-1}}\n---\n{{kind: contract, contract: c, account: a-1, seller: acme, currency: USD, start: 2026-08-01, {since}items: {{calls: {{usage: calls, price: {{unit: \"{price}\"}}}}}}}}"
        )
    };
    let desk = desk(&[&terms("2", "")]);
    desk.write("a.ndjson", call("x", "a-1", "2026-08-20T00:00:00Z"));
    desk.run(&["--now", "2026-08-21T00:00:00Z", "ingest", "a.ndjson"]).status(0);
    desk.run(&["--now", "2026-09-02T00:00:00Z", "invoice", "run", "--period", "2026-08", "--draft"])
        .status(0);
    // Usage that comes behind the seal stays out of the draft, a price that is corrected goes in.
    desk.write("late.ndjson", call("late", "a-1", "2026-08-21T00:00:00Z"));
    desk.run(&["--now", "2026-09-02T00:00:00Z", "ingest", "late.ndjson"]).status(0);
    apply(&desk, &terms("3", "effective_at: 2026-08-01, "));
    let ran = run(&desk, "2026-09-03T00:00:00Z", "2026-08", 0);
    assert_eq!((&ran["remade"], &ran["issued"][0]), (&1.into(), &"A-000001".into()));
    assert_eq!(lines_total(&desk), ["3.00"]);
    desk.run(&["verify"]).status(0);
}

#[test]
fn one_contract_that_cannot_be_rated_stops_no_other() {
    let items = |amount: &str| {
        format!(
            "start: 2026-08-01, items: {{base: {{fee: \"{amount}\", every: month, pay: after, quantity: \"{amount}\"}}}}"
        )
    };
    let huge = "99999999999999999999";
    let desk = desk(&[&contract("c-1", "a-1", &items(huge)), &contract("c-2", "a-2", &items("2"))]);
    let ran = desk.run(&[
        "--now",
        "2026-09-02T00:00:00Z",
        "--format",
        "json",
        "invoice",
        "run",
        "--period",
        "2026-08",
    ]);
    let ran = ran.json();
    assert!(ran["issued"].as_array().is_some_and(|issued| !issued.is_empty()), "{ran:#}");
    assert!(lines(&desk).contains(&("a-2/a-2/c-2/base/2026-08-01".to_owned(), "4.00".to_owned())));
    desk.run(&["verify"]).status(0);
}

#[test]
fn fees_that_earlier_runs_left_out_are_reported_not_billed() {
    let terms = contract("c", "a-1", "start: 2021-01-01, items: {base: {fee: \"100\", every: month}}");
    let desk = desk(&[&terms]);
    let ran = run(&desk, "2026-02-02T00:00:00Z", "2026-01", 1);
    assert_eq!(ran["problems"][0]["code"], "fee_unbilled");
    assert_eq!(lines_total(&desk), ["100.00", "100.00"], "January's own and February's");
}

#[test]
fn two_contracts_of_an_account_do_not_bill_the_same_usage() {
    let one = |name: &str| {
        contract(name, "a-1", "start: 2026-08-01, items: {calls: {usage: calls, price: {unit: \"1\"}}}")
    };
    let desk = desk(&[&one("c-1")]);
    desk.write("more.yaml", one("c-2"));
    let ran = desk.run(&["apply", "-f", "more.yaml"]).fails(3, "configuration_refused");
    assert!(ran.stderr.contains("[items_overlap]"), "{}", ran.stderr);
}

/// A contract of a-1 on calls, billed for August with one call.
fn billed_august() -> Desk {
    let terms =
        contract("c", "a-1", "start: 2026-08-01, items: {calls: {usage: calls, price: {unit: \"1\"}}}");
    let desk = desk(&[&terms]);
    desk.write("a.ndjson", call("x", "a-1", "2026-08-20T00:00:00Z"));
    desk.run(&["--now", "2026-08-21T00:00:00Z", "ingest", "a.ndjson"]).status(0);
    desk
}

#[test]
fn another_payer_back_in_time_is_not_billed_again() {
    let desk = billed_august();
    run(&desk, "2026-09-02T00:00:00Z", "2026-08", 0);
    apply(&desk, "{kind: account, account: a-2}");
    apply(
        &desk,
        "{kind: contract, contract: c, account: a-1, payer: a-2, seller: acme, currency: USD, start: 2026-08-01, effective_at: 2026-01-01, items: {calls: {usage: calls, price: {unit: \"1\"}}}}",
    );
    let ran = run(&desk, "2026-09-03T00:00:00Z", "2026-08", 1);
    assert_eq!(ran["problems"][0]["code"], "items_overlap", "{ran:#}");
    assert_eq!(lines_total(&desk), ["1.00"]);
    desk.run(&["verify"]).status(0);
}

#[test]
fn a_contract_in_place_of_one_ended_back_in_time_does_not_bill_again() {
    let desk = billed_august();
    run(&desk, "2026-09-02T00:00:00Z", "2026-08", 0);
    let end = "{kind: contract, contract: c, account: a-1, seller: acme, currency: USD, start: 2026-07-01, end: 2026-08-01, effective_at: 2026-01-01, items: {calls: {usage: calls, price: {unit: \"1\"}}}}";
    apply(&desk, end);
    apply(
        &desk,
        &contract("d", "a-1", "start: 2026-08-01, items: {calls: {usage: calls, price: {unit: \"1\"}}}"),
    );
    let ran = run(&desk, "2026-09-03T00:00:00Z", "2026-08", 1);
    assert_eq!(ran["problems"][0]["code"], "items_overlap", "{ran:#}");
    assert_eq!(lines_total(&desk), ["1.00"]);
}

#[test]
fn a_draft_that_no_contract_makes_any_more_is_not_issued() {
    let desk = billed_august();
    apply(
        &desk,
        &contract("e", "a-2", "start: 2026-08-01, items: {base: {fee: \"5\", every: month, pay: after}}"),
    );
    desk.run(&["--now", "2026-09-02T00:00:00Z", "invoice", "run", "--period", "2026-08", "--draft"])
        .status(0);
    apply(
        &desk,
        "{kind: contract, contract: c, account: a-1, seller: acme, currency: USD, start: 2026-07-01, end: 2026-08-01, effective_at: 2026-01-01, items: {calls: {usage: calls, price: {unit: \"1\"}}}}",
    );
    let ran = desk
        .run(&["--now", "2026-09-03T00:00:00Z", "--format", "json", "invoice", "run", "--period", "2026-08"])
        .json();
    assert_eq!(ran["issued"].as_array().map(Vec::len), Some(1), "{ran:#}");
    let issued: Vec<&Value> =
        ran["invoices"].as_array().expect("rows").iter().filter(|row| row["status"] == "issued").collect();
    assert_eq!(issued[0]["account"], "a-2");
}
