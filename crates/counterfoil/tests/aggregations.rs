//! Meters that do not add up, from the file that defines them to the line that bills them.

mod support;

use serde_json::Value;
use sim::evaluator::evaluate;
use support::Desk;

const CONFIG: &str = r#"kind: seller
seller: acme
series: ACME
zone: America/New_York
currency: USD
grace_days: 1
---
kind: meter
meter: seats
events: [seats]
aggregate: level
property: held
per: day
dimensions: [team]
unit: seat-day
---
kind: meter
meter: users
events: [login]
aggregate: unique
property: user
unit: user
---
kind: meter
meter: peak
events: [login]
aggregate: high_water
hourly: count
percentile: "0.999"
unit: login
---
kind: plan
plan: team
currency: USD
items:
  seats: {usage: seats, price: {unit: "0.50"}}
  users: {usage: users, included: "1", price: {unit: "3"}}
  peak: {usage: peak, price: {unit: "0.01"}}
---
kind: policy
policy: accounts
first_sight: create
---
kind: account
account: a-1
---
kind: contract
contract: a-1-2026
account: a-1
seller: acme
plan: team
currency: USD
zone: America/New_York
start: 2026-09-01
"#;

fn event(id: u32, kind: &str, time: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"app","type":"{kind}","subject":"a-1","time":"{time}","data":{data}}}"#
    )
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("config.yaml", CONFIG);
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    let lines = [
        // Ten seats since July, of which the team that has no name gives up four at noon of 11 October.
        event(1, "seats", "2026-07-04T00:00:00Z", r#"{"held":10}"#),
        event(2, "seats", "2026-10-11T12:00:00-04:00", r#"{"held":6}"#),
        event(3, "seats", "2026-10-21T00:00:00-04:00", r#"{"held":2,"team":"blue"}"#),
        // Three logins of two users in one hour, one in another.
        event(4, "login", "2026-10-05T09:10:00Z", r#"{"user":"ada"}"#),
        event(5, "login", "2026-10-05T09:20:00Z", r#"{"user":"grace"}"#),
        event(6, "login", "2026-10-05T09:30:00Z", r#"{"user":"ada"}"#),
        event(7, "login", "2026-10-20T09:30:00Z", r#"{"user":"edsger"}"#),
    ];
    desk.write("events.ndjson", lines.join("\n"));
    desk.run(&["ingest", "events.ndjson"]).status(0);
    desk
}

fn october(desk: &Desk, more: &[&str]) -> Value {
    let window = ["--format", "json", "usage", "--from", "2026-10-01", "--to", "2026-11-01"];
    let args = [&window[..], &["--zone", "America/New_York"], more].concat();
    desk.run(&args).status(0).json()
}

fn value<'v>(usage: &'v Value, meter: &str) -> &'v Value {
    let rows = usage["meters"].as_array().expect("rows");
    &rows.iter().find(|row| row["meter"] == meter).expect("the meter")["value"]
}

#[test]
fn usage_says_the_value() {
    let desk = desk();
    let usage = october(&desk, &[]);
    // 10.5 days of ten, 20.5 of six, 11 of two.
    assert_eq!(value(&usage, "seats"), "250");
    assert_eq!(value(&usage, "users"), "3");
    // 744 hours: ⌊0.744⌋ = 0 are forgiven.
    assert_eq!(value(&usage, "peak"), "3");
    let by_team = october(&desk, &["--meter", "seats", "--by", "team"]);
    let found: Vec<(&Value, &Value)> = by_team["meters"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (&row["group"]["team"], &row["value"]))
        .collect();
    assert_eq!(found, [(&Value::Null, &Value::from("228")), (&Value::from("blue"), &Value::from("22"))]);
    // September has no event, and usage all the same.
    let args =
        ["--format", "json", "usage", "--meter", "seats", "--from", "2026-09-01", "--to", "2026-10-01"];
    assert_eq!(value(&desk.run(&args).status(0).json(), "seats"), "300");
    // Without an end there is no value.
    assert!(desk.run(&["usage", "--meter", "seats"]).status(0).stdout.contains("(none)"));
    let days = october(&desk, &["--meter", "seats", "--by", "day"]);
    let days = days["meters"].as_array().expect("rows");
    assert_eq!(days.len(), 31);
    assert_eq!(
        (&days[0]["value"], &days[10]["value"], &days[30]["value"]),
        (&"10".into(), &"8".into(), &"8".into())
    );
    desk.run(&["verify"]).status(0);
}

#[test]
fn a_line_bills_it_and_its_explanation_evaluates() {
    let desk = desk();
    desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    let bodies = desk.bodies();
    let [(_, body)] = bodies.as_slice() else { panic!("{bodies:?}") };
    let body: Value = serde_json::from_str(body).expect("a body");
    let lines: Vec<(String, String)> = body["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().expect("a text").to_owned();
            (text("quantity"), text("amount"))
        })
        .collect();
    let line = |quantity: &str, amount: &str| (quantity.to_owned(), amount.to_owned());
    assert_eq!(lines, [line("3", "0.03"), line("250", "125.00"), line("3", "6.00")]);
    let invoice = body["invoice"].as_str().or(body["number"].as_str()).expect("a name").to_owned();
    for number in ["1", "2", "3"] {
        let explained = desk.run(&["--format", "json", "explain", &invoice, number]).status(0).json();
        evaluate(&explained).unwrap_or_else(|error| panic!("line {number}: {error:?}"));
        assert!(explained["usage"]["aggregate"].is_string());
    }
    desk.run(&["verify"]).status(0);
}

#[test]
fn versions_that_aggregate_otherwise_are_told_apart() {
    let desk = desk();
    let (_, meters) = CONFIG.split_once("---\nkind: meter\nmeter: users").expect("the meter");
    let meter = format!("kind: meter\nmeter: users{}", meters.split("---").next().expect("a document"));
    let changed = meter.replace("aggregate: unique\nproperty: user", "aggregate: count");
    desk.write("change.yaml", format!("{}\neffective_at: 2026-10-10", changed.trim_end()));
    desk.run(&["apply", "-f", "change.yaml"]).status(0);
    let window =
        |from: &'static str, to: &'static str| ["usage", "--meter", "users", "--from", from, "--to", to];
    desk.run(&window("2026-10-01", "2026-11-01")).fails(3, "aggregations_differ");
    let told = |from, to| {
        let args = [&["--format", "json"][..], &window(from, to)].concat();
        desk.run(&args).status(0).json()["meters"][0].clone()
    };
    assert_eq!(told("2026-10-01", "2026-10-10")["value"], "2");
    assert_eq!(told("2026-10-10", "2026-11-01")["sum"], "1");
    // A run says so of the contract that sells it, and goes on with the others.
    let ran = desk.run(&["--format", "json", "invoice", "run", "--period", "2026-10"]).status(1);
    assert!(
        ran.stdout.contains("rating_failed") && ran.stdout.contains("aggregates otherwise"),
        "{}",
        ran.stdout
    );
    desk.run(&["verify"]).status(0);
}

/// A change of dimensions is another level: nothing carries over it, and what is behind it can be asked for.
#[test]
fn a_level_does_not_carry_over_a_change_of_what_it_is() {
    let desk = desk();
    let (_, meters) = CONFIG.split_once("---\n").expect("the meter");
    let meter = meters.split("---").next().expect("a document").replace("[team]", "[team, region]");
    desk.write("change.yaml", format!("{}\neffective_at: 2026-10-15", meter.trim_end()));
    desk.run(&["apply", "-f", "change.yaml"]).status(0);
    let window = |from: &'static str, to: &'static str| {
        ["--format", "json", "usage", "--meter", "seats", "--from", from, "--to", to]
    };
    desk.run(&window("2026-10-01", "2026-11-01")[2..]).fails(3, "aggregations_differ");
    let before = desk.run(&window("2026-10-01", "2026-10-05")).status(0).json();
    assert_eq!(value(&before, "seats"), "40");
    // Blue's two from 21 October 04:00 UTC on; the six of the nameless team are of the level before.
    let after = desk.run(&window("2026-10-20", "2026-11-01")).status(0).json();
    assert_eq!(value(&after, "seats"), "65/3");
}

#[test]
fn a_level_without_a_contract_is_seen_though_nothing_happened() {
    let desk = desk();
    let seats = event(20, "seats", "2026-07-04T00:00:00Z", r#"{"held":5}"#).replace("a-1", "a-2");
    desk.ingest("others.ndjson", &[&seats]).status(0);
    let ran = desk.run(&["--format", "json", "invoice", "run", "--period", "2026-10"]).status(1);
    assert!(ran.stdout.contains("no contract covers usage of seats by `a-2`"), "{}", ran.stdout);
}

#[test]
fn what_is_not_unique_is_refused_without_a_value() {
    let desk = desk();
    desk.ingest("bad.ndjson", &[&event(9, "login", "2026-10-05T09:10:00Z", "{}")]).status(1);
    let kept = desk.quarantine();
    assert_eq!((kept.len(), kept[0]["code"].as_str()), (1, Some("quantity_missing")));
}

/// More text than a run keeps of a meter: then the log answers, and it is no estimate.
#[test]
fn what_is_too_much_to_keep_is_counted_from_the_log() {
    let desk = desk();
    let long = "x".repeat(60_000);
    // 650 different users of 60 kB each are 39 MB; every second one comes twice.
    let lines: Vec<String> = (0..975)
        .map(|number: u32| {
            let user = if number < 650 { number } else { (number - 650) * 2 };
            event(100 + number, "login", "2026-10-06T09:10:00Z", &format!(r#"{{"user":"{user} {long}"}}"#))
        })
        .collect();
    desk.write("long.ndjson", lines.join("\n"));
    desk.run(&["ingest", "long.ndjson"]).status(0);
    let usage = october(&desk, &["--meter", "users"]);
    assert_eq!((value(&usage, "users"), &usage["meters"][0]["count"]), (&"653".into(), &"979".into()));
    let days = october(&desk, &["--meter", "users", "--by", "day"]);
    let found: Vec<&Value> =
        days["meters"].as_array().expect("rows").iter().map(|row| &row["value"]).collect();
    assert_eq!(found, ["2", "650", "1"]);
    desk.run(&["verify"]).status(0);
}
