//! Every line of the demo and of the examples: its explanation, read by an evaluator that shares no code with
//! the engine, gives the line's amount, and the events it lists give its count, quantity and digest.

mod support;

use std::path::Path;
use std::sync::Arc;

use engine::{Engine, FixedClock, Options, UsageQuery};
use metering::{Digest, Instant};
use money::Sum;
use serde_json::Value;
use store::tables::InvoiceFilter;
use support::Desk;

fn open(data: &Path) -> Engine {
    let disk = store::RealDisk::open_existing(data).expect("a folder");
    let options = Options {
        clock: Arc::new(FixedClock::at(Instant(0))),
        random: Box::new(|_| panic!("a store that is there draws no keys")),
        keys: None,
        actor: "test".to_owned(),
        sizes: store::SegmentSizes::DEFAULT,
        memory_bytes: engine::MEMORY_BYTES,
        in_background: true,
    };
    Engine::open_to_read(Arc::new(disk), options).expect("it opens")
}

/// Checks every line of every invoice; answers how many there were, and how many had usage.
fn check(data: &Path) -> (usize, usize) {
    let engine = open(data);
    let (mut lines, mut with_usage) = (0, 0);
    for invoice in engine.tables().invoices(&InvoiceFilter::default()).expect("tables") {
        for line in invoice.body["lines"].as_array().expect("lines") {
            let number = line["line"].as_u64().and_then(|n| u32::try_from(n).ok()).expect("a number");
            let explained = engine.explain(&invoice.invoice, number).expect("an explanation");
            let found = sim::evaluator::evaluate(&explained)
                .unwrap_or_else(|difference| panic!("{difference:?} in\n{explained:#}"));
            for (what, value) in
                [("exact", &found.exact), ("amount", &found.amount), ("residue", &found.residue)]
            {
                assert_eq!(
                    rational(text(line, what)),
                    rational(&value.to_string()),
                    "{what} of {explained:#}"
                );
            }
            lines += 1;
            if explained["usage"].is_object() && explained["usage"]["records"] != 0 {
                check_events(&engine, &explained["usage"]);
                with_usage += 1;
            }
        }
    }
    (lines, with_usage)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` in {value:#}"))
}

fn rational(text: &str) -> money::Rational {
    money::Rational::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The events of the window, counted, summed and hashed one by one.
fn check_events(engine: &Engine, usage: &Value) {
    let time = |name: &str| Instant::parse_rfc3339(text(&usage["window"], name)).expect("a time");
    let only: Vec<(String, Vec<String>)> = usage["only"]
        .as_object()
        .map(|only| {
            only.iter()
                .map(|(dimension, values)| {
                    let values = values.as_array().expect("values").iter();
                    (dimension.clone(), values.map(|v| v.as_str().expect("a value").to_owned()).collect())
                })
                .collect()
        })
        .unwrap_or_default();
    let query = UsageQuery {
        meter: text(usage, "meter"),
        account: Some(text(usage, "account")),
        only: &only,
        start: time("start"),
        end: time("end"),
        as_of: usage["as_of"]["position"].as_u64().expect("a position"),
    };
    let events = engine.events(&query).expect("events");
    let mut sum = Sum::ZERO;
    let mut digest = Digest::ZERO;
    for listed in &events {
        sum = sum.add(listed.value.expect("a measured event"));
        digest = digest.add(engine.digest(&listed.event));
    }
    assert_eq!(usage["records"], events.len(), "{usage:#}");
    assert_eq!(text(usage, "quantity"), sum.to_string(), "{usage:#}");
    assert_eq!(text(usage, "digest"), digest.to_string(), "{usage:#}");
}

#[test]
fn of_the_demo() {
    let desk = Desk::new();
    desk.run(&["--format", "json", "demo", "--events", "4000", "--seed", "9"]).status(0);
    let (lines, with_usage) = check(&desk.data());
    assert!(lines > 2_000 && with_usage > 800, "{lines} lines, {with_usage} with usage");
}

#[test]
fn of_the_examples() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for name in ["api-calls", "sentry-outcomes", "llm-tokens"] {
        let desk = Desk::new();
        let output = std::process::Command::new(examples.join(name).join("run"))
            .env("COUNTERFOIL_BIN", env!("CARGO_BIN_EXE_counterfoil"))
            .env("COUNTERFOIL_EXAMPLE_STORE", desk.data())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("bash runs");
        assert!(output.status.success(), "{name}:\n{}", String::from_utf8_lossy(&output.stderr));
        let expected = std::fs::read(examples.join(name).join("expected.json")).expect("expected.json");
        assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&expected), "{name}");
        let (lines, with_usage) = check(&desk.data());
        println!("{name}: {lines} lines, {with_usage} with usage");
        assert!(lines >= 3 || name == "llm-tokens" && lines == 4, "{name}: {lines} lines");
        assert!(with_usage >= 2, "{name}: {with_usage} with usage");
    }
}
