//! Where others counted wrong. Each test names the public reference, says what went wrong there, and what must
//! hold here; `docs/reference/regressions.md` lists them all.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Answer, Caller, Engine, EngineError, FixedClock, Options, UsageQuery};
use metering::{Fate, Instant, Keys};
use serde_json::{Value, json};
use sim::faulty_disk::{FaultyDisk, PowerCut};
use store::SegmentSizes;
use support::{Desk, call, transfer};

const TIME: &str = "2026-10-03T10:00:00Z";

/// What `usage` says of one meter.
fn usage(desk: &Desk, meter: &str, more: &[&str]) -> Vec<Value> {
    let args = [&["--format", "json", "usage", "--meter", meter], more].concat();
    desk.run(&args).status(0).json()["meters"].as_array().expect("rows").clone()
}

fn count(desk: &Desk, meter: &str) -> String {
    usage(desk, meter, &[])[0]["count"].as_str().expect("a count").to_owned()
}

fn sum(desk: &Desk, meter: &str) -> String {
    usage(desk, meter, &[])[0]["sum"].as_str().expect("a sum").to_owned()
}

/// The single events of a meter and an account.
fn listed(desk: &Desk, meter: &str, account: &str, more: &[&str]) -> Vec<Value> {
    let args =
        [&["--format", "json", "usage", "--events", "--meter", meter, "--account", account], more].concat();
    let lines = desk.run(&args).status(0).stdout;
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Bills a month with the clock standing in December.
fn bill(desk: &Desk, period: &str) {
    desk.run(&["--now", "2026-12-20T00:00:00Z", "invoice", "run", "--period", period]).status(0);
}

/// The lines of an account's invoice of a month, from its body.
fn lines(desk: &Desk, account: &str, month: &str) -> Vec<Value> {
    let bodies = desk.bodies();
    let bodies = bodies.iter().map(|(_, body)| serde_json::from_str::<Value>(body).expect("JSON"));
    let mut found: Vec<Value> = bodies
        .filter(|body| body["account"] == account)
        .filter(|body| body["period"]["first"].as_str().is_some_and(|first| first.starts_with(month)))
        .collect();
    assert_eq!(found.len(), 1, "one invoice of {account} for {month}");
    found.remove(0)["lines"].as_array().expect("lines").clone()
}

/// The quantity that an item was billed for.
fn billed(desk: &Desk, account: &str, month: &str, item: &str) -> String {
    let lines = lines(desk, account, month);
    let line = lines.iter().find(|line| line["item"] == item).expect("a line of the item");
    line["quantity"].as_str().expect("a quantity").to_owned()
}

const SENTRY: &str = r#"
{kind: meter, meter: errors, events: [error], aggregate: sum, property: quantity, where: {outcome: [accepted]}, unit: error}
---
{kind: meter, meter: error_messages, events: [error], aggregate: count, unit: message}
---
{kind: meter, meter: log_bytes, events: [log_byte], aggregate: sum, property: quantity, unit: byte}
---
{kind: policy, policy: accounts, first_sight: create}
"#;

/// A store that counts Sentry outcomes.
fn sentry_desk() -> Desk {
    let desk = Desk::new();
    desk.write("sentry.yaml", SENTRY);
    desk.run(&["apply", "-f", "sentry.yaml"]).status(0);
    desk
}

fn ingest_outcomes(desk: &Desk, name: &str, outcomes: &[Value]) -> support::Ran {
    let lines: Vec<String> = outcomes.iter().map(Value::to_string).collect();
    desk.write(name, lines.join("\n"));
    desk.run(&["ingest", "--input", "sentry-outcomes", name])
}

fn outcome(category: u32, quantity: u64) -> Value {
    json!({ "timestamp": TIME, "org_id": 1, "outcome": 0, "category": category, "quantity": quantity })
}

/// relay#857: one item was counted by each of two services that it passed through.
///
/// Here the identity is what the first sender gave. A hop that passes an event on adds nothing, also where it
/// decorates the event: that is a conflict, kept aside, and the first stands.
#[test]
fn regress_two_hops() {
    let desk = Desk::configured();
    let event = call("x", "a-1", TIME);
    desk.ingest("edge.ndjson", &[&event]).status(0);
    desk.ingest("core.ndjson", &[&event]).status(0);
    desk.ingest("last.ndjson", &[&event.replacen("\"eu\"", "\"us\"", 1)]).status(1);
    assert_eq!((desk.fate("accepted"), desk.fate("duplicate"), desk.fate("conflict")), (1, 1, 1));
    assert_eq!(count(&desk, "calls"), "1");

    let desk = sentry_desk();
    let mut item = outcome(1, 1);
    item["event_id"] = json!("0123456789abcdef0123456789abcdef");
    for hop in ["edge.ndjson", "core.ndjson"] {
        ingest_outcomes(&desk, hop, std::slice::from_ref(&item)).status(0);
    }
    assert_eq!((desk.fate("accepted"), sum(&desk, "errors")), (1, "1".to_owned()));
}

/// relay#3696: one item was reported as accepted and as dropped.
///
/// A record has one fate, whole: where one of two meters cannot read it, the other does not count it either. The
/// repaired record is a record of its own with its own fate.
#[test]
fn regress_accepted_and_dropped() {
    let desk = Desk::configured();
    desk.write("m.yaml", "{kind: meter, meter: transfers, events: [transfer], aggregate: count, unit: call}");
    desk.run(&["apply", "-f", "m.yaml"]).status(0);
    desk.ingest("a.ndjson", &[&transfer("x", "a-1", TIME, "\"many\"")]).status(1);
    assert_eq!((desk.fate("accepted"), desk.fate("rejected")), (0, 1));
    assert_eq!((count(&desk, "transfers"), count(&desk, "bytes")), ("0".to_owned(), "0".to_owned()));
    let position = desk.quarantine()[0]["position"].to_string();
    desk.run(&["quarantine", "replay", &position, "--set", "data.quantity=7"]).status(0);
    assert_eq!((desk.fate("accepted"), desk.fate("rejected")), (1, 1));
    assert_eq!((count(&desk, "transfers"), sum(&desk, "bytes")), ("1".to_owned(), "7".to_owned()));
    let fates = desk.run(&["--format", "json", "usage", "--fates"]).status(0).json();
    assert_eq!(fates["received"], "2", "what was received is the sum of the fates");
}

/// sentry#41798: one path went by the time of use, another by the time of receipt, and their totals disagreed.
///
/// Cells, lists and invoices go by the time of use: what is received in November and was used in October is
/// October's everywhere.
#[test]
fn regress_one_time_for_all() {
    let desk = Desk::configured();
    let events: Vec<String> = (0..7)
        .map(|n| {
            let time =
                if n < 4 { "2026-10-31T23:59:59.999999999Z" } else { "2026-11-01T00:00:00.000000001Z" };
            call(&format!("c-{n}"), "a-1", time)
        })
        .collect();
    desk.ingest("a.ndjson", &events.iter().map(String::as_str).collect::<Vec<_>>()).status(0);
    let months = usage(&desk, "calls", &["--by", "month"]);
    let months: Vec<(&str, &str)> = months
        .iter()
        .map(|row| {
            (row["group"]["month"].as_str().expect("a month"), row["count"].as_str().expect("a count"))
        })
        .collect();
    assert_eq!(months, [("2026-10", "4"), ("2026-11", "3")]);
    let (october, november) = (["--to", "2026-11-01"], ["--from", "2026-11-01"]);
    assert_eq!(listed(&desk, "calls", "a-1", &october).len(), 4);
    assert_eq!(listed(&desk, "calls", "a-1", &november).len(), 3);
    bill(&desk, "2026-10");
    bill(&desk, "2026-11");
    assert_eq!(billed(&desk, "a-1", "2026-10", "calls"), "4");
    assert_eq!(billed(&desk, "a-1", "2026-11", "calls"), "3");
}

/// sentry#47904: a customer was billed for more events than could be found in the store.
///
/// Every unit on an invoice is an event that can be listed: count, quantity and digest of a line are those of the
/// list, whatever else was sent.
#[test]
fn regress_billed_more_than_stored() {
    let desk = Desk::configured();
    let mut sent = Vec::new();
    for n in 0..20 {
        let event = transfer(&format!("t-{n}"), "a-1", TIME, &(n * 100).to_string());
        sent.push(event.clone());
        if n % 4 == 0 {
            sent.push(event);
            sent.push(transfer(&format!("t-{n}"), "a-1", TIME, "999999"));
            sent.push(transfer(&format!("bad-{n}"), "a-1", TIME, "\"999999\""));
        }
    }
    desk.ingest("a.ndjson", &sent.iter().map(String::as_str).collect::<Vec<_>>()).status(1);
    bill(&desk, "2026-10");
    let line =
        lines(&desk, "a-1", "2026-10").into_iter().find(|line| line["item"] == "bytes").expect("a line");
    let stored = listed(&desk, "bytes", "a-1", &[]);
    let values = stored.iter().map(|event| event["value"].as_str().expect("a value"));
    let quantity: u64 = values.map(|value| value.parse::<u64>().expect("a whole number")).sum();
    assert_eq!((stored.len(), quantity), (20, 19_000));
    assert_eq!((&line["records"], &line["quantity"]), (&json!(20), &json!("19000")));
    assert_eq!(desk.fate("accepted"), 20);
    desk.run(&["verify"]).status(0);
}

/// snuba#7896, snuba#7915: the key by which duplicates were found left out a part, and distinct items became one.
///
/// What differs in source or id, in case only even, is two events; equal content is no reason to merge. Of one
/// Sentry event, each category and each outcome counts.
#[test]
fn regress_distinct_items_stay_distinct() {
    let desk = Desk::configured();
    let first = call("x", "a-1", TIME);
    let other_source = first.replacen("\"gate\"", "\"door\"", 1);
    let (other_id, other_case) = (call("y", "a-1", TIME), call("X", "a-1", TIME));
    desk.ingest("a.ndjson", &[&first, &other_source, &other_id, &other_case]).status(0);
    assert_eq!((desk.fate("accepted"), count(&desk, "calls")), (4, "4".to_owned()));

    let desk = sentry_desk();
    let mut items = vec![outcome(1, 1), outcome(24, 900), outcome(1, 1)];
    items[2]["outcome"] = json!(1);
    for item in &mut items {
        item["event_id"] = json!("0123456789abcdef0123456789abcdef");
    }
    ingest_outcomes(&desk, "o.ndjson", &items).status(0);
    assert_eq!(desk.fate("accepted"), 3);
    assert_eq!((sum(&desk, "errors"), sum(&desk, "log_bytes")), ("1".to_owned(), "900".to_owned()));
    assert_eq!(count(&desk, "error_messages"), "2");
}

/// snuba#8014: a quantity that does not fit 32 bits was stored as 0.
///
/// Quantities past 2^32, past 2^53 and up to 10^20 are exact in events, cells and sums.
#[test]
fn regress_quantity_past_32_bits() {
    let desk = sentry_desk();
    let items = [4_294_967_296, 4_294_967_297, 9_007_199_254_740_993].map(|quantity| outcome(24, quantity));
    ingest_outcomes(&desk, "o.ndjson", &items).status(0);
    assert_eq!(sum(&desk, "log_bytes"), "9007207844675586");
    let values: Vec<Value> =
        listed(&desk, "log_bytes", "org-1", &[]).into_iter().map(|event| event["value"].clone()).collect();
    assert!(values.contains(&json!("9007199254740993")), "{values:?}");

    let desk = Desk::configured();
    let (huge, hair) = ("100000000000000000000", "0.000000000001");
    desk.ingest("a.ndjson", &[&transfer("h", "a-1", TIME, huge), &transfer("i", "a-1", TIME, hair)])
        .status(0);
    assert_eq!(sum(&desk, "bytes"), "100000000000000000000.000000000001");
}

/// Snuba's processors: a time that could not be read became the present, an absent category became error, an
/// absent quantity became 1.
///
/// Each is refused with its code, kept, and counts nothing.
#[test]
fn regress_nothing_is_made_up() {
    let mut broken = [outcome(1, 5), outcome(1, 5), outcome(1, 5), outcome(1, 5), outcome(1, 5)];
    broken[0]["timestamp"] = json!("soon");
    broken[1]["category"] = Value::Null;
    broken[2]["category"] = json!(9_999);
    broken[3]["quantity"] = Value::Null;
    broken[4]["outcome"] = Value::Null;
    let desk = sentry_desk();
    ingest_outcomes(&desk, "o.ndjson", &broken).status(1);
    let kept = desk.quarantine();
    let codes: Vec<&str> = kept.iter().map(|row| row["code"].as_str().expect("a code")).collect();
    let expected =
        ["time_unparseable", "category_unknown", "category_unknown", "quantity_missing", "outcome_unknown"];
    assert_eq!(codes, expected);
    assert_eq!((desk.fate("accepted"), desk.fate("rejected")), (0, 5));
    assert_eq!((sum(&desk, "errors"), count(&desk, "error_messages")), ("0".to_owned(), "0".to_owned()));
}

/// snuba#7809: times without a fraction of a second were refused, because the parser wanted one.
///
/// No fraction, and one of 1 to 9 digits, are all read, and to the digit; a tenth digit is refused, not cut off.
#[test]
fn regress_fraction_digits() {
    let desk = sentry_desk();
    let timed = |fraction: &str| {
        let mut item = outcome(1, 1);
        item["timestamp"] = json!(format!("2026-10-03T10:00:00{fraction}Z"));
        item
    };
    let digits = "123456789";
    let mut items = vec![timed("")];
    items.extend((1..=9).map(|length| timed(&format!(".{}", &digits[..length]))));
    ingest_outcomes(&desk, "o.ndjson", &items).status(0);
    let events = listed(&desk, "errors", "org-1", &[]);
    let times: BTreeSet<&str> = events.iter().filter_map(|event| event["occurred_at"].as_str()).collect();
    assert_eq!((times.len(), sum(&desk, "errors")), (10, "10".to_owned()));
    assert!(times.contains("2026-10-03T10:00:00Z") && times.contains("2026-10-03T10:00:00.123456789Z"));
    ingest_outcomes(&desk, "p.ndjson", &[timed(".1234567890")]).status(1);
    assert_eq!(desk.quarantine()[0]["code"], "time_unparseable");
}

/// sentry#117186: counting moved from one service to another, and needed a mark to keep the switch from billing
/// twice.
///
/// A feed is no part of an event's identity: two feeds may overlap for as long as a switch takes.
#[test]
fn regress_switch_of_feeds() {
    let desk = Desk::configured();
    let part = |from: usize, to: usize| -> Vec<String> {
        (from..to).map(|n| call(&format!("c-{n}"), "a-1", TIME)).collect()
    };
    let steps = [("old", part(0, 30)), ("new", part(20, 50)), ("old", part(30, 45)), ("new", part(50, 60))];
    for (feed, events) in steps {
        desk.write("events.ndjson", events.join("\n"));
        desk.run(&["ingest", "--feed", feed, "events.ndjson"]).status(0);
    }
    assert_eq!((desk.fate("accepted"), desk.fate("duplicate")), (60, 25));
    assert_eq!(count(&desk, "calls"), "60");
}

/// sentry#67849: a stream moved to a name that nobody read, and all it carried stayed uncounted, unnoticed.
///
/// What no meter names is refused aloud, kept, and counts once a meter names it.
#[test]
fn regress_stream_nobody_reads() {
    let desk = Desk::configured();
    let moved = |n: usize| call(&format!("c-{n}"), "a-1", TIME).replacen("\"call\"", "\"call.v2\"", 1);
    let lines: Vec<String> = (0..5).map(moved).collect();
    desk.ingest("a.ndjson", &lines.iter().map(String::as_str).collect::<Vec<_>>()).status(1);
    assert_eq!((desk.fate("accepted"), desk.fate("rejected")), (0, 5));
    assert!(desk.quarantine().iter().all(|row| row["code"] == "unknown_type"));
    desk.write(
        "m.yaml",
        "{kind: meter, meter: calls, events: [call, call.v2], aggregate: count, dimensions: [region], unit: call, effective_at: 2026-01-01}",
    );
    desk.run(&["apply", "-f", "m.yaml"]).status(0);
    desk.run(&["quarantine", "replay", "--code", "unknown_type"]).status(0);
    assert_eq!((count(&desk, "calls"), desk.quarantine().len()), ("5".to_owned(), 0));
}

/// sentry#121288: each record of summed outcomes was counted as 1, not as the quantity it carried.
///
/// A meter that sums takes the quantity, one that counts takes the records, and both are told.
#[test]
fn regress_aggregate_counts_its_quantity() {
    let desk = sentry_desk();
    ingest_outcomes(&desk, "o.ndjson", &[outcome(1, 250_000), outcome(1, 7)]).status(0);
    let errors = usage(&desk, "errors", &[]);
    assert_eq!((&errors[0]["sum"], &errors[0]["count"]), (&json!("250007"), &json!("2")));
    assert_eq!(sum(&desk, "error_messages"), "2");
}

/// openmeter#5005: the broker was given the time of use as the time of record, so retention deleted what came late.
///
/// `received_at` is the clock's alone, whatever an event says of its time, and both are kept.
#[test]
fn regress_receipt_is_not_use() {
    let desk = Desk::configured();
    desk.ingest("a.ndjson", &[&call("old", "a-1", "2019-02-03T04:05:06Z")]).status(0);
    let events = listed(&desk, "calls", "a-1", &[]);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["occurred_at"], &events[0]["received_at"]),
        (&json!("2019-02-03T04:05:06Z"), &json!("2026-11-05T00:00:00Z"))
    );
}

/// lago#4163, lago#4586: two stores of one product told events apart by different keys; one of them by time too.
///
/// There is one identity, without the time, and the same answer from all that holds it: the batch itself, the index
/// in memory, the run on disk, the index made anew from the log.
#[test]
fn regress_one_identity() {
    let desk = Desk::configured();
    let (first, later) = (call("x", "a-1", TIME), call("x", "a-1", "2026-10-03T10:00:01Z"));
    desk.ingest("a.ndjson", &[&first, &first, &later]).status(1);
    assert_eq!((desk.fate("duplicate"), desk.fate("conflict")), (1, 1), "in one batch");
    desk.write("b.ndjson", [first.as_str(), later.as_str()].join("\n"));
    desk.run(&["ingest", "--batch", "1", "b.ndjson"]).status(1);
    assert_eq!((desk.fate("duplicate"), desk.fate("conflict")), (2, 2), "from the run on disk");
    for derived in ["index", "cells", "checkpoint"] {
        let path = desk.data().join(derived);
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    std::fs::remove_file(desk.data().join("tables.db")).expect("a file of the store");
    desk.run(&["ingest", "b.ndjson"]).status(1);
    assert_eq!((desk.fate("duplicate"), desk.fate("conflict")), (3, 3), "made anew from the log");
    assert_eq!((desk.fate("accepted"), count(&desk, "calls")), (1, "1".to_owned()));
    let mut memory = Bench::new(&FaultyDisk::new());
    memory.send(0..3);
    let answer = memory.append(0..3).expect("no fault");
    assert_eq!(answer.fates, vec![Fate::Duplicate; 3], "from the index in memory");
}

/// Lago's events processor: where a part of a batch failed, the next commit went past what had failed.
///
/// Refused records hold their place: the batch is answered whole, the next begins behind it, and what failed waits
/// in quarantine over restarts until it is repaired.
#[test]
fn regress_failed_records_are_not_passed_over() {
    let desk = Desk::configured();
    let events: Vec<String> = (0..12)
        .map(|n| if n % 3 == 1 { "{\"broken".to_owned() } else { call(&format!("c-{n}"), "a-1", TIME) })
        .collect();
    desk.write("a.ndjson", events.join("\n"));
    desk.run(&["ingest", "--batch", "5", "a.ndjson"]).status(1);
    let rows = desk.quarantine();
    let lines: Vec<u64> = rows.iter().map(|row| row["line"].as_u64().expect("a line")).collect();
    assert_eq!(lines, [2, 5, 8, 11]);
    let positions: Vec<u64> = rows.iter().map(|row| row["position"].as_u64().expect("a place")).collect();
    assert_eq!(positions, [1, 4, 7, 10]);
    assert_eq!((desk.fate("accepted"), desk.fate("rejected")), (8, 4));
    for (n, position) in (0..).zip(positions) {
        desk.write("fixed.json", call(&format!("fixed-{n}"), "a-1", TIME));
        desk.run(&["quarantine", "replay", &position.to_string(), "--with", "fixed.json"]).status(0);
    }
    assert_eq!((count(&desk, "calls"), desk.quarantine().len()), ("12".to_owned(), 0));
}

/// lago#5916: an event that fitted two filters of one charge was billed under both.
///
/// Items that could take one event both are refused: equal filters, a part of the other's values, or none at all.
/// Items that share no value take each event once.
#[test]
fn regress_overlapping_filters() {
    let with = |one: &str, other: &str| {
        let items = format!(
            "  one: {{usage: calls, {one}price: {{unit: \"1\"}}}}\n  other: {{usage: calls, {other}price: {{unit: \"2\"}}}}"
        );
        support::CONFIG.replacen(
            "  calls: {usage: calls, included: \"2\", price: {unit: \"0.013\"}}",
            &items,
            1,
        )
    };
    let wide = "only: {region: [eu, us]}, ";
    for (one, other) in [(wide, "only: {region: [us]}, "), (wide, wide), (wide, "")] {
        let desk = Desk::new();
        desk.write("config.yaml", with(one, other));
        desk.run(&["apply", "-f", "config.yaml"]).fails(3, "configuration_refused").says("[items_overlap]");
    }
    let desk = Desk::new();
    desk.write("config.yaml", with(wide, "only: {region: [asia]}, "));
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    let events: Vec<String> = ["eu", "us", "asia", "us"]
        .iter()
        .enumerate()
        .map(|(n, region)| {
            call(&format!("c-{n}"), "a-1", TIME).replacen("\"eu\"", &format!("\"{region}\""), 1)
        })
        .collect();
    desk.ingest("a.ndjson", &events.iter().map(String::as_str).collect::<Vec<_>>()).status(0);
    bill(&desk, "2026-10");
    assert_eq!(billed(&desk, "a-1", "2026-10", "one"), "3");
    assert_eq!(billed(&desk, "a-1", "2026-10", "other"), "1");
}

/// flexprice#2763: the server made up id and time where they were absent, so each retry was another event.
///
/// Both are the sender's: without them nothing is counted however often it is sent, with them once.
#[test]
fn regress_id_and_time_are_the_senders() {
    let desk = Desk::configured();
    let whole = call("x", "a-1", TIME);
    let without_id = whole.replacen("\"id\":\"x\",", "", 1);
    let without_time = whole.replacen(&format!("\"time\":\"{TIME}\","), "", 1);
    for _ in 0..2 {
        desk.ingest("a.ndjson", &[&without_id, &without_time]).status(1);
    }
    let kept = desk.quarantine();
    let codes: Vec<&str> = kept.iter().filter_map(|row| row["code"].as_str()).collect();
    assert_eq!(codes, ["missing_id", "missing_time", "missing_id", "missing_time"]);
    assert_eq!((desk.fate("accepted"), count(&desk, "calls")), (0, "0".to_owned()));
    for _ in 0..2 {
        desk.ingest("a.ndjson", &[&whole]).status(0);
    }
    assert_eq!((desk.fate("accepted"), desk.fate("duplicate")), (1, 1));
}

/// flexprice: dashboards and invoices removed duplicates in different ways, and showed different numbers.
///
/// A line of an invoice is what `usage` answers for its window, to the digest, and what days add up to.
#[test]
fn regress_dashboard_and_invoice() {
    let desk = Desk::configured();
    let mut events: Vec<String> = (0..9)
        .map(|n| transfer(&format!("t-{n}"), "a-1", &format!("2026-10-{:02}T12:00:00Z", n * 3 + 1), "40.5"))
        .collect();
    events.extend(events.clone());
    events.push(transfer("t-0", "a-1", TIME, "1"));
    desk.ingest("a.ndjson", &events.iter().map(String::as_str).collect::<Vec<_>>()).status(1);
    bill(&desk, "2026-10");
    let explained = desk.run(&["--format", "json", "explain", "ACME-000001"]).status(0).json();
    let explained = explained.as_array().expect("lines");
    let line = explained.iter().find(|line| line["usage"]["meter"] == "bytes").expect("a line");
    let window = ["--account", "a-1", "--from", "2026-10-01", "--to", "2026-11-01"];
    let shown = usage(&desk, "bytes", &window);
    assert_eq!((&shown[0]["count"], &shown[0]["sum"]), (&json!("9"), &json!("364.5")));
    assert_eq!(line["usage"]["quantity"], shown[0]["sum"]);
    assert_eq!(line["usage"]["records"], 9);
    assert_eq!(line["usage"]["digest"], shown[0]["digest"]);
    let days = usage(&desk, "bytes", &[&window[..], &["--by", "day"]].concat());
    assert_eq!(days.len(), 9);
    assert!(days.iter().all(|day| day["sum"] == "40.5"), "{days:?}");
}

/// Meteroid: a period included its end, so an event exactly on the boundary stood on two invoices.
///
/// Periods are half-open: the event on the boundary is of the later one alone, a nanosecond before of the earlier.
#[test]
fn regress_event_on_the_boundary() {
    let desk = Desk::configured();
    let times = ["2026-10-01T00:00:00Z", "2026-10-31T23:59:59.999999999Z", "2026-11-01T00:00:00Z"];
    let quantities = ["1", "10", "100"];
    for (n, (time, quantity)) in times.iter().zip(quantities).enumerate() {
        desk.ingest(&format!("{n}.ndjson"), &[&transfer(&format!("t-{n}"), "a-1", time, quantity)]).status(0);
    }
    bill(&desk, "2026-10");
    bill(&desk, "2026-11");
    assert_eq!(billed(&desk, "a-1", "2026-10", "bytes"), "11");
    assert_eq!(billed(&desk, "a-1", "2026-11", "bytes"), "100");
}

/// Meteroid: an event sent again with its id and a time in another period was billed in both.
///
/// The second is a conflict, before and after the first period is billed.
#[test]
fn regress_same_id_in_another_period() {
    let desk = Desk::configured();
    let (october, november) =
        (transfer("x", "a-1", TIME, "5"), transfer("x", "a-1", "2026-11-03T10:00:00Z", "5"));
    desk.ingest("a.ndjson", &[&october, &november]).status(1);
    bill(&desk, "2026-10");
    desk.write("b.ndjson", &november);
    desk.run(&["--now", "2026-12-20T00:00:00Z", "ingest", "b.ndjson"]).status(1);
    bill(&desk, "2026-11");
    assert_eq!((desk.fate("accepted"), desk.fate("conflict")), (1, 2));
    assert_eq!(billed(&desk, "a-1", "2026-10", "bytes"), "5");
    assert_eq!(billed(&desk, "a-1", "2026-11", "bytes"), "0");
}

/// killbill#876: usage more than two periods old was dropped without a word.
///
/// Old usage is accepted. Where its period is not billed it is billed there; where it is, it is listed as late.
#[test]
fn regress_old_usage() {
    let desk = Desk::new();
    desk.write("config.yaml", support::CONFIG.replace("start: 2026-10-01", "start: 2026-01-01"));
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    desk.ingest("a.ndjson", &[&transfer("old", "a-1", "2026-02-10T00:00:00Z", "3")]).status(0);
    bill(&desk, "2026-02");
    assert_eq!(billed(&desk, "a-1", "2026-02", "bytes"), "3");
    let before = desk.bodies();
    desk.write("b.ndjson", transfer("older", "a-1", "2026-02-11T00:00:00Z", "4"));
    desk.run(&["--now", "2026-12-20T00:00:00Z", "ingest", "b.ndjson"]).status(0);
    let late = desk.run(&["--format", "json", "usage", "--late"]).status(0).json();
    let late = late["late"].as_array().expect("rows");
    assert_eq!(late.len(), 1, "{late:?}");
    assert_eq!((&late[0]["period"], &late[0]["units"]), (&json!("2026-02"), &json!("4")));
    assert_eq!((desk.bodies(), sum(&desk, "bytes")), (before, "7".to_owned()));
}

/// killbill#1918: the last day of usage was left out in UTC and taken in a zone behind it.
///
/// A period's last day is in it, whole, in the contract's zone, and what follows is of the next: an event every
/// half hour over three days around the boundary is billed once, on the side its zone says.
#[test]
fn regress_last_day() {
    for (zone, boundary_half_hours) in [("UTC", 48), ("America/Los_Angeles", 62), ("Asia/Kathmandu", 37)] {
        let desk = Desk::new();
        let zoned = support::CONFIG.replace("start: 2026-10-01", &format!("start: 2026-10-01\nzone: {zone}"));
        desk.write("config.yaml", zoned);
        desk.run(&["apply", "-f", "config.yaml"]).status(0);
        // Half hours from 2026-10-31T00:00:00Z; Los Angeles is 7 hours behind, Kathmandu 5:45 ahead.
        let events: Vec<String> = (0..144)
            .map(|n| {
                let (day, hour, minute) = (n / 48, n / 2 % 24, n % 2 * 30);
                let day = ["2026-10-31", "2026-11-01", "2026-11-02"][day];
                call(&format!("c-{n}"), "a-1", &format!("{day}T{hour:02}:{minute:02}:00Z"))
            })
            .collect();
        desk.ingest("a.ndjson", &events.iter().map(String::as_str).collect::<Vec<_>>()).status(0);
        bill(&desk, "2026-10");
        bill(&desk, "2026-11");
        assert_eq!(billed(&desk, "a-1", "2026-10", "calls"), boundary_half_hours.to_string(), "{zone}");
        assert_eq!(
            billed(&desk, "a-1", "2026-11", "calls"),
            (144 - boundary_half_hours).to_string(),
            "{zone}"
        );
    }
}

const EVENTS: usize = 12;
const BATCH: usize = 3;

/// An engine over a disk with faults, and what it was answered.
struct Bench {
    engine: Engine,
    acknowledged: usize,
}

impl Bench {
    /// Opens the folder on a disk and configures it.
    fn open(disk: &FaultyDisk) -> Result<Self, EngineError> {
        let options = Options {
            clock: Arc::new(FixedClock::at(Instant::parse_rfc3339("2026-11-03T00:00:00Z").expect("a time"))),
            random: Box::new(|bytes| bytes.fill(7)),
            keys: Some(Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }),
            actor: "test".to_owned(),
            sizes: SegmentSizes { log_bytes: 16 << 10, journal_bytes: 16 << 10 },
            memory_bytes: engine::MEMORY_BYTES,
            in_background: true,
        };
        let mut engine = Engine::open(Arc::new(disk.clone()), options)?;
        let config = "{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: quantity, unit: byte}\n---\n{kind: account, account: a-1}";
        let documents = read_documents("config.yaml", config).expect("the configuration is right");
        let plan = engine.plan(&documents)?.expect("the plan is right");
        let caller = Caller { actor: "test".to_owned(), reason: None, idempotency_key: None };
        engine.apply(&caller, &plan)?;
        Ok(Self { engine, acknowledged: 0 })
    }

    /// Opens it where nothing can go wrong.
    fn new(disk: &FaultyDisk) -> Self {
        Self::open(disk).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Appends numbered events as one batch.
    fn append(&mut self, numbers: std::ops::Range<usize>) -> Result<Answer, EngineError> {
        let feed = Feed { name: "f".to_owned(), source: "f".to_owned() };
        let decoder = Decoder::cloud_events();
        let event = |n: usize| transfer(&format!("n-{n}"), "a-1", TIME, &(1u64 << n).to_string());
        let lines: Vec<String> = numbers.map(event).collect();
        self.engine.append_bytes(&decoder, &feed, lines.join("\n").into_bytes())
    }

    /// Sends events in batches and checkpoints after every second; stops at the first error.
    fn run(&mut self, numbers: std::ops::Range<usize>) -> Result<(), EngineError> {
        for from in numbers.clone().step_by(BATCH) {
            let to = (from + BATCH).min(numbers.end);
            self.append(from..to)?;
            self.acknowledged = to;
            if from / BATCH % 2 == 1 {
                self.engine.checkpoint_now(false)?;
            }
        }
        Ok(())
    }

    /// Sends events; all is well.
    fn send(&mut self, numbers: std::ops::Range<usize>) {
        self.run(numbers).unwrap_or_else(|error| panic!("{error}"));
    }

    fn query(&self) -> UsageQuery<'static> {
        let (start, end) = (Instant(i64::MIN), Instant(i64::MAX));
        UsageQuery { meter: "bytes", account: None, only: &[], start, end, as_of: self.engine.end() }
    }

    /// The ids that the log holds, as usage lists them.
    fn stored(&self) -> BTreeSet<String> {
        let events = self.engine.events(&self.query()).expect("the log");
        let ids: BTreeSet<String> = events.iter().map(|listed| listed.event.id.clone()).collect();
        assert_eq!(ids.len(), events.len(), "no event is stored twice");
        ids
    }

    /// Every event is there once: each is its own bit of the sum.
    fn assert_all_once(&self, at: &str) {
        let totals = self.engine.usage(&self.query()).expect("cells");
        assert_eq!((totals.records, totals.quantity.to_string()), (EVENTS as u64, "4095".to_owned()), "{at}");
        assert_eq!(self.stored().len(), EVENTS, "{at}");
        assert_eq!(self.engine.check_sums().expect("sums"), Vec::<String>::new(), "{at}");
    }
}

/// Crashes a run at every operation of its disk, and hands over what is left and how much had been acknowledged.
fn every_crash(then: impl Fn(&FaultyDisk, usize, &str)) {
    let whole = FaultyDisk::new();
    let mut bench = Bench::new(&whole);
    let first = whole.operations();
    bench.send(0..EVENTS);
    bench.engine.close().expect("no fault");
    let operations = whole.operations();
    assert!(operations - first > 20, "{operations} operations from {first} on");
    let mut reached = BTreeSet::new();
    for operation in first..operations {
        let crashed = FaultyDisk::new();
        crashed.crash_at(operation, operation);
        let mut bench = Bench::new(&crashed);
        let ended = bench.run(0..EVENTS);
        let acknowledged = bench.acknowledged;
        reached.insert(acknowledged);
        let ended = ended.and_then(|()| bench.engine.close());
        assert!(ended.is_err() || crashed.has_crashed(), "operation {operation}");
        let images = [
            ("kill", crashed.after_kill()),
            ("all lost", crashed.after_power_cut(operation, PowerCut::LoseAll)),
            ("torn", crashed.after_power_cut(operation, PowerCut::Torn)),
        ];
        for (image, left) in images {
            then(&left, acknowledged, &format!("operation {operation}, {image}"));
        }
    }
    assert!(
        reached.iter().eq(&[0, 3, 6, 9, 12]),
        "crashes before, between and behind all batches: {reached:?}"
    );
}

/// Snuba's commit step, snuba#7813: a place in the queue was recorded when a send was accepted, not when it was
/// acknowledged; a crash then lost records, or counted them twice.
///
/// What was acknowledged is never sent again, and all is there: after a crash at any operation a source that goes
/// on exactly where it was acknowledged ends at every event once.
#[test]
fn regress_go_on_from_the_acknowledged() {
    every_crash(|left, acknowledged, at| {
        let mut bench = Bench::new(left);
        bench.send(acknowledged..EVENTS);
        bench.assert_all_once(at);
    });
}

/// OpenMeter's sink: it stored the batch, then the place in the queue, then the marks of duplicates; a crash between
/// two of them counted the batch twice for good.
///
/// There is one step, the synced block; all else is derived from it. After a crash at any operation everything may
/// be sent again.
#[test]
fn regress_crash_between_flush_steps() {
    every_crash(|left, _, at| {
        let mut bench = Bench::new(left);
        bench.send(0..EVENTS);
        bench.assert_all_once(at);
    });
}

/// openmeter#4902: the store of marks had seen events of which the store of events had no row; 77 seconds of usage
/// were lost.
///
/// What is answered as a duplicate has a row, after a crash at any operation.
#[test]
fn regress_seen_means_stored() {
    every_crash(|left, _, at| {
        let mut bench = Bench::new(left);
        let stored = bench.stored();
        let answer = bench.append(0..EVENTS).unwrap_or_else(|error| panic!("{error} ({at})"));
        for (n, fate) in answer.fates.iter().enumerate() {
            let is_stored = stored.contains(&format!("n-{n}"));
            let expected = if is_stored { Fate::Duplicate } else { Fate::Accepted };
            assert_eq!(*fate, expected, "n-{n}, {at}");
        }
        bench.assert_all_once(at);
    });
}

/// openmeter#5118: the mark of a duplicate was set before the write; where the write failed, the retry was refused as
/// a duplicate and never counted.
///
/// A batch whose write or sync fails leaves no mark: sent again, it counts. Where only what is derived from the block
/// could not be written, the block is there, and so the retry is a duplicate that counted.
#[test]
fn regress_failed_write_leaves_no_mark() {
    let whole = FaultyDisk::new();
    let mut bench = Bench::new(&whole);
    bench.send(0..6);
    let (first, first_sync) = (whole.operations(), whole.syncs());
    bench.append(6..EVENTS).expect("no fault");
    let writes = (first..whole.operations()).map(|operation| (operation, u64::MAX));
    let syncs = (first_sync..whole.syncs()).map(|sync| (u64::MAX, sync));
    let (mut lost, mut stored) = (0, 0);
    for (operation, sync) in writes.chain(syncs) {
        let disk = FaultyDisk::new();
        let mut bench = Bench::new(&disk);
        bench.send(0..6);
        disk.fail_write(operation);
        disk.fail_sync(sync);
        if bench.append(6..EVENTS).is_ok() {
            continue;
        }
        // The same engine may refuse the retry; where it answers, the events are there.
        let is_answered = bench.append(6..EVENTS).is_ok();
        let mut bench = Bench::new(&disk.after_power_cut(operation, PowerCut::LoseAll));
        let is_stored = bench.stored().len() == EVENTS;
        assert!(is_stored || !is_answered, "operation {operation}, sync {sync}");
        let fate = if is_stored { Fate::Duplicate } else { Fate::Accepted };
        let answer = bench.append(6..EVENTS).expect("no fault");
        assert_eq!(answer.fates, vec![fate; EVENTS - 6], "operation {operation}, sync {sync}");
        bench.assert_all_once(&format!("operation {operation}, sync {sync}"));
        if is_stored { stored += 1 } else { lost += 1 }
    }
    println!("{lost} failures lost the block, {stored} failed behind it");
    assert!(lost >= 2, "a write and a sync of the block failed, found {lost}");
}

/// OpenMeter's ingest: it answered that all was well before the broker had the events.
///
/// An answer means synced: the power may be cut right behind it, all that was answered is there.
#[test]
fn regress_answered_means_durable() {
    let disk = FaultyDisk::new();
    let mut bench = Bench::new(&disk);
    for from in (0..EVENTS).step_by(BATCH) {
        bench.append(from..from + BATCH).expect("no fault");
        let left = Bench::new(&disk.after_power_cut(from as u64, PowerCut::LoseAll));
        assert_eq!(left.stored().len(), from + BATCH, "after the answer to {from}");
    }
}
