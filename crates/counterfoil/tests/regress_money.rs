//! Where others charged wrong. Each test names the public reference, says what went wrong there, and what must
//! hold here; `docs/reference/regressions.md` lists them all.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use engine::{Engine, FixedClock, Options};
use metering::Instant;
use money::{Amount, Currency, NumberError, Rational, Rounding};
use rating::{Price, PriceTerm, Tier};
use serde_json::{Value, json};
use store::SegmentSizes;
use store::tables::EntryFilter;
use support::{Desk, call, transfer};

const TIME: &str = "2026-10-03T10:00:00Z";

/// A seller, two meters, and an account with one contract of the given items.
fn config(currency: &str, items: &str) -> String {
    format!(
        "{{kind: seller, seller: acme, series: ACME, zone: UTC, currency: {currency}}}
---
{{kind: meter, meter: calls, events: [call], aggregate: count, dimensions: [region], unit: call}}
---
{{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: quantity, dimensions: [region], unit: byte}}
---
{{kind: account, account: a-1}}
---
kind: contract
contract: a-1-2026
account: a-1
seller: acme
currency: {currency}
start: 2026-10-01
items: {{{items}}}
"
    )
}

/// A store with one contract of the given items.
fn desk(currency: &str, items: &str) -> Desk {
    let desk = Desk::new();
    desk.write("config.yaml", config(currency, items));
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    desk
}

/// A configuration that is refused with a code.
#[track_caller]
fn refused(configuration: &str, code: &str) {
    let desk = Desk::new();
    desk.write("config.yaml", configuration);
    let ran = desk.run(&["apply", "-f", "config.yaml"]).fails(3, "configuration_refused");
    ran.says(&format!("[{code}]"));
}

fn ingest(desk: &Desk, name: &str, events: &[String]) {
    desk.ingest(name, &events.iter().map(String::as_str).collect::<Vec<_>>()).status(0);
}

/// That many calls, each in an hour of its own.
fn calls(number: usize) -> Vec<String> {
    let time = |n: usize| format!("2026-10-{:02}T{:02}:00:00Z", n / 24 + 1, n % 24);
    (0..number).map(|n| call(&format!("c-{n}"), "a-1", &time(n))).collect()
}

/// Bills a month with the clock standing in the new year.
fn bill(desk: &Desk, period: &str) -> support::Ran {
    desk.run(&["--now", "2027-01-20T00:00:00Z", "--format", "json", "invoice", "run", "--period", period])
}

/// The only invoice of a store.
fn only_body(desk: &Desk) -> Value {
    let bodies = desk.bodies();
    assert_eq!(bodies.len(), 1);
    serde_json::from_str(&bodies[0].1).expect("JSON")
}

fn number(text: &str) -> Rational {
    Rational::parse(text).expect("a number")
}

/// What `rate` makes of a price in one currency and quantities: amount, exact, residue.
fn rated(price: &str, quantities: &[&str]) -> Vec<[String; 3]> {
    let desk = Desk::new();
    desk.write("price.yaml", format!("{{kind: price, price: p, currencies: {{{price}}}}}"));
    let rows: Vec<String> = quantities.iter().map(|quantity| format!("q,{quantity}\n")).collect();
    desk.write("usage.csv", format!("key,quantity\n{}", rows.concat()));
    let args = ["--format", "json", "rate", "--price", "price.yaml", "--usage", "usage.csv"];
    let charges = desk.run(&args).status(0).json();
    let field = |charge: &Value, name: &str| charge[name].as_str().expect("text").to_owned();
    let charge = |charge: &Value| ["amount", "exact", "residue"].map(|name| field(charge, name));
    charges.as_array().expect("charges").iter().map(charge).collect()
}

/// The engine over a desk's folder, for reading.
fn engine(desk: &Desk) -> Engine {
    let disk = store::RealDisk::open_existing(desk.data()).expect("a store");
    let options = Options {
        clock: Arc::new(FixedClock::at(Instant(0))),
        random: Box::new(|_| unreachable!("a store that is there draws no keys")),
        keys: None,
        actor: "test".to_owned(),
        sizes: SegmentSizes::default(),
        memory_bytes: engine::MEMORY_BYTES,
        in_background: true,
    };
    Engine::open_to_read(Arc::new(disk), options).unwrap_or_else(|error| panic!("{error}"))
}

/// Debits less credits of an account of the books.
fn balance(desk: &Desk, ledger_account: &str) -> String {
    let balances = engine(desk).tables().balances().expect("the ledger");
    let found = balances.iter().find(|balance| balance.ledger_account == ledger_account);
    found.unwrap_or_else(|| panic!("no `{ledger_account}` in {balances:?}")).balance.to_string()
}

/// Meteroid, Lago and tables of Zuora: tiers of whole numbers left gaps, and 99.5 or 100.5 units were in none and
/// cost nothing.
///
/// Tiers are continuous: each quantity is in one of them, and a list with lower bounds is refused.
#[test]
fn regress_gaps_between_tiers() {
    let tier = |up_to: Option<&str>, unit: &str| Tier {
        up_to: up_to.map(number),
        unit: number(unit),
        flat: Rational::ZERO,
    };
    let tiers = vec![tier(Some("100"), "1"), tier(Some("200"), "0.5"), tier(None, "0.25")];
    let graduated = PriceTerm::new(Price::Graduated { tiers: tiers.clone(), per: Rational::ONE });
    let volume = PriceTerm::new(Price::Volume { tiers, per: Rational::ONE });
    let rows = [
        ("99.5", "99.5", "99.5"),
        ("100", "100", "100"),
        ("100.000000000001", "100.0000000000005", "50.0000000000005"),
        ("100.5", "100.25", "50.25"),
        ("200.5", "150.125", "50.125"),
    ];
    for (quantity, in_tiers, in_one_tier) in rows {
        for (term, expected) in [(&graduated, in_tiers), (&volume, in_one_tier)] {
            let charge = rating::rate(number(quantity), term).expect("a charge");
            assert!(charge.is_priced(), "{quantity}");
            assert_eq!(charge.exact, number(expected), "{quantity} by {:?}", term.price);
        }
    }
    let listed = "u: {usage: bytes, price: {graduated: [{up_to: \"100\", unit: \"1\"}, {from: \"101\", unit: \"0.5\"}]}}";
    refused(&config("USD", listed), "unknown_field");
}

/// Meteroid: the price of overage was rounded to cents before it was multiplied, so a tenth of a cent cost nothing
/// however often.
///
/// A unit price is never rounded; the line is, once, and tells what that did.
#[test]
fn regress_price_below_a_cent() {
    let rows = rated("USD: {unit: \"0.001\"}", &["3", "10000", "1000000"]);
    assert_eq!(rows[0], ["0.00", "0.003", "-0.003"]);
    assert_eq!(rows[1], ["10.00", "10", "0"]);
    assert_eq!(rows[2], ["1000.00", "1000", "0"]);
    let desk = desk("USD", "u: {usage: bytes, included: \"1000\", price: {unit: \"0.001\"}}");
    ingest(&desk, "a.ndjson", &[transfer("x", "a-1", TIME, "26000")]);
    bill(&desk, "2026-10").status(0);
    assert_eq!(only_body(&desk)["total"], "25.00");
}

/// Meteroid: usage in a cell of a matrix that had no rate was not billed, and nobody was told.
///
/// The run ends with a problem that names the usage, how many events and what quantity; what has a price is billed.
#[test]
fn regress_matrix_without_a_rate() {
    let desk = desk("USD", "eu: {usage: bytes, only: {region: [eu]}, price: {unit: \"0.01\"}}");
    let cell = |n: usize, quantity: &str, region: &str| {
        transfer(&format!("{region}-{n}"), "a-1", TIME, &format!("{quantity},\"region\":\"{region}\""))
    };
    let mut events: Vec<String> = (0..7).map(|n| cell(n, "600.5", "us")).collect();
    events.extend((0..3).map(|n| cell(n, "100", "eu")));
    ingest(&desk, "a.ndjson", &events);
    let ran = bill(&desk, "2026-10").status(1);
    let problems = ran.json()["problems"].clone();
    assert_eq!(problems.as_array().map(Vec::len), Some(1), "{problems}");
    assert_eq!(problems[0]["code"], "usage_unpriced");
    assert_eq!(problems[0]["unpriced"], json!({ "records": 7, "quantity": "4203.5" }));
    let told = problems[0]["message"].as_str().expect("a message");
    assert!(told.contains("a-1") && told.contains("bytes"), "{told}");
    assert!(ran.stderr.contains("7 events, quantity 4203.5"), "{}", ran.stderr);
    let body = only_body(&desk);
    assert_eq!((&body["total"], body["lines"].as_array().map(Vec::len)), (&json!("3.00"), Some(1)));
}

/// Meteroid: dollars became yen without regard to the decimals of either, 100 times too much.
///
/// Nothing is converted: a price is stated in each currency it is sold in, a yen has no hundredths, and amounts of
/// two currencies do not add.
#[test]
fn regress_yen_are_not_cents() {
    let priced = |currencies: &str| {
        let items = "u: {usage: bytes, price: p}";
        format!("{}---\n{{kind: price, price: p, currencies: {{{currencies}}}}}\n", config("JPY", items))
    };
    refused(&priced("USD: {unit: \"0.10\"}"), "price_currency_missing");
    let desk = Desk::new();
    desk.write("config.yaml", priced("USD: {unit: \"0.10\"}, JPY: {unit: \"15.5\"}"));
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    ingest(&desk, "a.ndjson", &[transfer("x", "a-1", TIME, "7")]);
    bill(&desk, "2026-10").status(0);
    let body = only_body(&desk);
    assert_eq!((&body["total"], &body["currency"]), (&json!("109"), &json!("JPY")));
    assert_eq!(body["lines"][0]["exact"], "108.5");
    let [yen, dollars] = ["JPY", "USD"].map(|code| Currency::parse(code).expect("a currency"));
    assert_eq!(Amount::parse("109", yen).expect("yen").minor(), 109);
    assert!(Amount::parse("109.00", yen).and_then(|yen| yen.checked_add(Amount::zero(dollars))).is_err());
}

/// Meteroid: rates were 32-bit floats.
///
/// A rate has all the digits it was written with, and one that may have been through binary floating point is
/// refused.
#[test]
fn regress_rates_are_exact() {
    let rows = rated("USD: {unit: \"0.100000000000000001\"}", &["3", "16777217"]);
    assert_eq!(rows[0][1], "0.300000000000000003");
    assert_eq!(rows[1][1], "1677721.700000000016777217");
    refused(&config("USD", "u: {usage: bytes, price: {unit: 0.1}}"), "number_not_quoted");
}

/// Meteroid, and flexprice, whose list left out BHD, OMR and TND: an unknown currency was taken to have 2 decimals.
///
/// There is no default: what is not known is refused, and each currency has the decimals of the standard.
#[test]
fn regress_unknown_currency() {
    for code in ["XYZ", "usd", "BGN", "BTC"] {
        assert!(Currency::parse(code).is_err(), "{code}");
    }
    refused(&config("XYZ", "fee: {fee: \"5\", every: month, pay: after}"), "unknown_currency");
    let decimals =
        [("BHD", 3), ("OMR", 3), ("TND", 3), ("KWD", 3), ("JPY", 0), ("KRW", 0), ("CLF", 4), ("USD", 2)];
    for (code, exponent) in decimals {
        assert_eq!(Currency::parse(code).map(Currency::exponent), Ok(exponent), "{code}");
    }
    for code in ["BHD", "OMR", "TND"] {
        let desk = desk(code, "fee: {fee: \"1.2345\", every: month, pay: after}");
        bill(&desk, "2026-10").status(0);
        let body = only_body(&desk);
        assert_eq!((&body["total"], &body["currency"]), (&json!("1.235"), &json!(code)));
    }
}

/// killbill#1896: amounts in won did not fit a column of 15 digits, 9 of them decimals.
///
/// Amounts have 127 bits of minor units in every currency; beyond them stands an error, not another number.
#[test]
fn regress_won_fit() {
    let desk = desk("KRW", "u: {usage: bytes, price: {unit: \"1300\"}}");
    ingest(&desk, "a.ndjson", &[transfer("x", "a-1", TIME, "2500000000000")]);
    bill(&desk, "2026-10").status(0);
    assert_eq!(only_body(&desk)["total"], "3250000000000000");
    assert_eq!(balance(&desk, "receivable"), "3250000000000000");
    let won = Currency::parse("KRW").expect("a currency");
    let most = number("100000000000000000000");
    let beyond = most.checked_mul(most).expect("256 bits hold it");
    assert_eq!(money::round(beyond, won, Rounding::default()), Err(NumberError::Overflow));
}

/// killbill#1124: 55 × 0.067 is 3.685; it was compared unrounded with what had been rounded, and the account parked.
///
/// Rounding and its residue stand on the line, the books take the rounded amount on both sides, and the next month
/// is billed like any other.
#[test]
fn regress_exact_against_rounded() {
    let desk = desk("USD", "u: {usage: calls, price: {unit: \"0.067\"}}");
    ingest(&desk, "a.ndjson", &calls(55));
    bill(&desk, "2026-10").status(0);
    let body = only_body(&desk);
    let line = &body["lines"][0];
    assert_eq!(
        (&line["exact"], &line["amount"], &line["residue"]),
        (&json!("3.685"), &json!("3.69"), &json!("0.005"))
    );
    assert_eq!(body["total"], "3.69");
    assert_eq!(
        (balance(&desk, "receivable"), balance(&desk, "contract_position")),
        ("3.69".into(), "0.00".into())
    );
    bill(&desk, "2026-10").status(3).says("period_already_billed");
    bill(&desk, "2026-11").status(0);
    desk.run(&["verify"]).status(0);
}

/// lago#5569: a customer who owed nothing was charged about 300 dollars.
///
/// Nothing used, all of it included, or less than nothing: none reaches a tier, so no flat amount of one is owed. One
/// unit more than is included does.
#[test]
fn regress_nothing_is_owed() {
    let items = "u: {usage: bytes, included: \"1000\", price: {graduated: [{up_to: \"10\", flat: \"300\"}, {unit: \"1\"}]}}";
    for (quantity, total) in
        [(None, "0.00"), (Some("0"), "0.00"), (Some("1000"), "0.00"), (Some("1001"), "300.00")]
    {
        let desk = desk("USD", items);
        if let Some(quantity) = quantity {
            ingest(&desk, "a.ndjson", &[transfer("x", "a-1", TIME, quantity)]);
        }
        bill(&desk, "2026-10").status(0);
        assert_eq!(only_body(&desk)["total"], total, "{quantity:?}");
        bill(&desk, "2026-09").status(3).says("no_contracts");
    }
    let tiers = vec![Tier { up_to: None, unit: Rational::ONE, flat: number("300") }];
    let volume = PriceTerm::new(Price::Volume { tiers, per: Rational::ONE });
    for quantity in ["0", "-5"] {
        assert_eq!(rating::rate(number(quantity), &volume).expect("a charge").exact, Rational::ZERO);
    }
}

/// Several: each event was rounded before they were added, so 100 at 0.011 came to 1.00.
///
/// Quantities are added, then priced, then rounded once.
#[test]
fn regress_round_then_sum() {
    let desk = desk("USD", "u: {usage: calls, price: {unit: \"0.011\"}}");
    ingest(&desk, "a.ndjson", &calls(100));
    bill(&desk, "2026-10").status(0);
    let body = only_body(&desk);
    assert_eq!((&body["total"], &body["lines"][0]["residue"]), (&json!("1.10"), &json!("0")));
}

/// OpenMeter's conversion of units: 1,400 and 1,300 units were rounded up apart, 4 packages, where 2,700 units are 3.
///
/// Packages are counted once, over the quantity of the whole period.
#[test]
fn regress_packages_of_the_period() {
    let desk = desk("USD", "u: {usage: bytes, price: {package: {size: \"1000\", price: \"5\"}}}");
    let second = transfer("y", "a-1", "2026-10-20T00:00:00Z", "1300");
    ingest(&desk, "a.ndjson", &[transfer("x", "a-1", TIME, "1400"), second]);
    bill(&desk, "2026-10").status(0);
    let body = only_body(&desk);
    assert_eq!((&body["lines"][0]["quantity"], &body["total"]), (&json!("2700"), &json!("15.00")));
}

/// lago#1988: a job that stood in the queue for over an hour ran again beside itself, and invoices were made twice.
///
/// A contract has one invoice a period whoever asks, how often, and at the same time; and it is posted once.
#[test]
fn regress_run_twice() {
    let desk = Desk::configured();
    desk.run(&["invoice", "run", "--period", "2026-10", "--draft"]).status(0);
    let command = || desk.command(&["invoice", "run", "--period", "2026-10"]);
    let runs: Vec<_> = (0..6)
        .map(|_| command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs"))
        .collect();
    let ended = runs.into_iter().map(|mut run| run.wait().expect("it ends").code());
    let done = ended.filter(|code| *code == Some(0)).count();
    // Where all found the folder taken by one another at once, one more does it.
    if done == 0 {
        desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    }
    assert!(done <= 1, "{done} runs say that they issued");
    desk.run(&["invoice", "run", "--period", "2026-10"]).fails(3, "period_already_billed");
    let numbers: Vec<String> = desk.bodies().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, ["ACME-000001", "ACME-000002"]);
    let entries = engine(&desk).tables().entries(&EntryFilter::default()).expect("the ledger");
    let ids: BTreeSet<&String> = entries.iter().map(|entry| &entry.id).collect();
    assert_eq!(ids.len(), entries.len());
    assert_eq!(balance(&desk, "receivable"), "58.00");
    desk.run(&["verify"]).status(0);
}

/// Documentation of Metronome: usage that came after an invoice was issued changed its breakdown and not its total.
///
/// An issued invoice and its explanation are read as of its cut: body, quantities, tiers and the list of events stay,
/// and add up, whatever comes later.
#[test]
fn regress_breakdown_after_late_usage() {
    let desk = Desk::configured();
    ingest(&desk, "a.ndjson", &[transfer("x", "a-1", TIME, "1500")]);
    bill(&desk, "2026-10").status(0);
    let told = || {
        let lines = desk.run(&["--format", "json", "explain", "ACME-000001"]).status(0).json();
        let lines = lines.as_array().expect("lines").clone();
        let line = lines.into_iter().find(|line| line["usage"]["meter"] == "bytes").expect("a line");
        let listed = line["usage"]["events"].as_str().expect("a command").to_owned();
        let args: Vec<&str> = listed.split(' ').skip(1).chain(["--format", "json"]).collect();
        (
            ["amount", "tiers", "rounding", "basis", "usage"].map(|name| line[name].clone()),
            desk.run(&args).stdout,
        )
    };
    let (before, bodies) = (told(), desk.bodies());
    desk.write("late.ndjson", transfer("late", "a-1", "2026-10-04T00:00:00Z", "2000"));
    desk.run(&["--now", "2027-01-21T00:00:00Z", "ingest", "late.ndjson"]).status(0);
    let usage = desk.run(&["--format", "json", "usage", "--meter", "bytes"]).status(0).json();
    assert_eq!(usage["meters"][0]["sum"], "3500", "the late usage is counted");
    assert_eq!((told(), desk.bodies()), (before.clone(), bodies));
    let [amount, tiers, ..] = before.0;
    let cents =
        |value: &Value| value.as_str().expect("an amount").replace('.', "").parse::<u64>().expect("cents");
    let parts: u64 = tiers.as_array().expect("tiers").iter().map(|tier| cents(&tier["amount"])).sum();
    assert_eq!((parts, cents(&amount)), (63, 63));
}

/// Documentation of Orb: undoing a cancellation that was planned lost the end that the contract had before.
///
/// No version is overwritten: the contract goes back to its own end by its own document, and every version can
/// still be read.
#[test]
fn regress_undone_cancellation() {
    let desk = Desk::new();
    let fee = "fee: {fee: \"31\", every: month, pay: after}";
    let contract = |from: &str, end: &str| {
        let dates = format!("{from}start: 2026-10-01\nend: {end}");
        config("USD", fee).replacen("start: 2026-10-01", &dates, 1)
    };
    let effective = "effective_at: 2026-11-01\n";
    for (from, end) in [("", "2026-12-16"), (effective, "2026-11-16"), (effective, "2026-12-16")] {
        desk.write("config.yaml", contract(from, end));
        desk.run(&["apply", "-f", "config.yaml"]).status(0);
    }
    let stored = engine(&desk);
    let versions = stored.terms().stored.iter().filter(|term| term.kind == "contract");
    let ends: Vec<&str> = versions.filter_map(|term| term.body["end"].as_str()).collect();
    assert_eq!(ends, ["2026-12-16", "2026-11-16", "2026-12-16"]);
    drop(stored);
    let mut totals = Vec::new();
    for period in ["2026-10", "2026-11", "2026-12"] {
        let ran = bill(&desk, period).status(0).json();
        totals.push(ran["invoices"][0]["total"].as_str().expect("a total").to_owned());
    }
    assert_eq!(totals, ["31.00", "31.00", "15.00"], "December ends on the 16th, as it was agreed");
    let bodies = desk.bodies();
    let bodies = bodies.iter().map(|(_, body)| serde_json::from_str::<Value>(body).expect("JSON"));
    let ends: Vec<String> =
        bodies.map(|body| body["period"]["next"].as_str().expect("a day").to_owned()).collect();
    assert_eq!(ends, ["2026-11-01", "2026-12-01", "2026-12-16"]);
    bill(&desk, "2027-01").status(3).says("no_contracts");
}

/// The names of the tests that a text names or defines, after a prefix.
fn tests_after(prefix: &str, text: &str) -> BTreeSet<String> {
    let names = text.split(prefix).skip(1);
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    names.map(name).map(|rest: String| format!("regress_{rest}")).collect()
}

#[test]
fn every_row_of_the_page_has_its_test() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(here.join(path)).expect("a file of the repository");
    let page = read("../../docs/reference/regressions.md");
    let mut defined = BTreeSet::new();
    for file in ["counting", "money"] {
        let mut source = read(&format!("tests/regress_{file}.rs"));
        if file == "counting" {
            source.push_str(&read("../sim/tests/regress_writers.rs"));
        }
        let tests = tests_after("#[test]\nfn regress_", &source);
        let section =
            page.split("\n## ").find(|part| part.to_lowercase().starts_with(file)).expect("a section");
        assert_eq!(tests_after("`regress_", section), tests, "left: the page, right: regress_{file}.rs");
        defined.extend(tests);
    }
    assert!(defined.len() >= 40, "{defined:?}");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    for row in rows.iter().filter(|row| !row.starts_with("| what went wrong")) {
        assert!(row.contains("`regress_") || row.contains("waits for "), "neither tested nor waiting: {row}");
    }
}
