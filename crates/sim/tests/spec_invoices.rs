//! Runs the pages of the manual on contracts, invoices and postings.
#![allow(missing_docs)]

#[path = "../../invoicing/tests/world/mod.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};

use invoicing::terms::{
    Charging, Contract, Item, NamedPrice, Pay, Plan, PriceSource, Prorate, Terms, Version,
};
use invoicing::{
    Bill, IssueFacts, Line, LineKey, LineTerm, Usage, bill, billing_period_list, body, line_specs, overlap,
    posting,
};
use ledger::{Applied, Filter, Ledger, LedgerAccount, Transaction};
use metering::{Digest, Instant, Period, Zone};
use money::{Currency, Rational, Rounding};
use rating::Price;
use sim::spec_table::{Row, Table, tables};
use world::{contract, date, fee_item, items, meter, number, seller, tier, usage_item, version};

fn page(name: &str) -> Vec<Table> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec").join(name);
    tables(&std::fs::read_to_string(path).unwrap())
}

/// A table's heading, and what must hold of each of its rows.
type Check = (&'static str, fn(&Row));

/// Runs one check per table of a page; a table that nobody runs, or one that is gone, is an error.
fn run(name: &str, checks: &[Check]) {
    let found = page(name);
    let headings: Vec<&str> = found.iter().map(|table| table.heading.as_str()).collect();
    let expected: Vec<&str> = checks.iter().map(|(heading, _)| *heading).collect();
    assert_eq!(headings, expected, "{name}");
    for (table, (_, check)) in found.iter().zip(checks) {
        assert!(!table.rows.is_empty(), "{name}, line {}: no rows", table.line);
        for row in &table.rows {
            let outcome = std::panic::catch_unwind(|| check(row));
            assert!(outcome.is_ok(), "{name}, line {} does not hold", row.line);
        }
    }
}

#[test]
fn contracts() {
    run(
        "contracts.md",
        &[
            ("Billing periods", periods),
            ("A day begins where its zone says", zones),
            ("A fee for a part of a period", parts_of_fees),
            ("An allowance for a part of a period", allowances),
            ("When a fee is due", due),
            ("A contract's item lies above the plan's", overlay),
            ("A unit of usage belongs to one item", overlaps),
            ("Which version holds", versions),
        ],
    );
}

#[test]
fn invoices() {
    run(
        "invoices.md",
        &[
            ("A line is rounded once", rounded),
            ("The tiers of a line are the line", tiers_shown),
            ("Lines sum to the total", totals),
            ("What has no price is not zero", unpriced),
            ("Keys", keys),
        ],
    );
}

#[test]
fn postings() {
    assert_eq!(
        page("postings.md")[0].rows.iter().map(entry_row).collect::<Vec<_>>(),
        entry_list(&transaction("DEMO-000001", &["59.72", "61.33"]).unwrap().unwrap())
    );
    run(
        "postings.md",
        &[("One balanced transaction", |_| {}), ("Balances after issuing", balances), ("Posted once", once)],
    );
}

// Reading cells

fn list(cell: &str) -> Vec<&str> {
    if cell == "none" { Vec::new() } else { cell.split(", ").collect() }
}

fn joined<T: ToString>(list: impl IntoIterator<Item = T>) -> String {
    let list: Vec<String> = list.into_iter().map(|item| item.to_string()).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

fn month(cell: &str) -> (i16, i8) {
    let (year, month) = cell.split_once('-').unwrap();
    (year.parse().unwrap(), month.parse().unwrap())
}

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn unit(rate: &str) -> Price {
    Price::Unit { rate: number(rate), per: Rational::ONE }
}

/// A contract with the columns start, end and anchor of a row.
fn contract_of(row: &Row, own: Vec<Item>) -> Contract {
    Contract {
        start: date(row.cell("start")),
        end: row.get("end").filter(|text| !text.is_empty()).map(date),
        anchor: row.get("anchor").unwrap_or("1").parse().unwrap(),
        zone: Zone::parse(row.get("zone").unwrap_or("UTC")).unwrap(),
        ..contract(usd(), own)
    }
}

fn only_period(contract: &Contract, row: &Row) -> Period {
    let found = billing_period_list(contract, &Terms::default(), month(row.cell("month")));
    assert_eq!(found.len(), 1);
    found[0]
}

fn used(quantity: &str) -> Usage {
    Usage { records: 1, quantity: Rational::parse(quantity).unwrap(), unmeasured: 0, digest: Digest(1) }
}

fn terms() -> Terms {
    let mut terms = Terms::default();
    terms.meters.add(meter("errors"));
    terms
}

/// One bill in which every usage line has the given quantity.
fn made(terms: &Terms, contract: &Contract, period: &Period, quantity: &str) -> Bill {
    let (specs, _) = line_specs(terms, contract, period, &BTreeSet::new());
    let usages: Vec<Option<Usage>> = specs.iter().map(|s| s.meter.as_ref().map(|_| used(quantity))).collect();
    bill(contract, period, &specs, &usages).unwrap()
}

fn line_of(row: &Row, item: Item, quantity: &str) -> Line {
    let contract = contract_of(row, vec![item]);
    let period = only_period(&contract, row);
    made(&terms(), &contract, &period, quantity).lines[0].clone()
}

// Contracts

fn periods(row: &Row) {
    let contract = contract_of(row, Vec::new());
    let found = billing_period_list(&contract, &Terms::default(), month(row.cell("month")));
    assert_eq!(joined(found.iter().map(|p| format!("{}..{}", p.first, p.next))), row.cell("periods"));
}

fn zones(row: &Row) {
    let period = only_period(&contract_of(row, Vec::new()), row);
    assert_eq!(period.start.to_string(), row.cell("from"));
    assert_eq!(period.end.to_string(), row.cell("to"));
    assert_eq!(period.days().to_string(), row.cell("days"));
}

fn parts_of_fees(row: &Row) {
    let mut item = fee_item("base", row.cell("fee"), Pay::After);
    if let Charging::Fee { prorate, .. } = &mut item.charging {
        *prorate = if row.cell("prorate") == "none" { Prorate::None } else { Prorate::Day };
    }
    let line = line_of(row, item, "0");
    assert_eq!(line.spec.part_days.to_string(), row.cell("days"));
    assert_eq!(line.spec.whole_days.to_string(), row.cell("of"));
    assert_eq!(line.exact.to_string(), row.cell("exact"));
    assert_eq!(line.amount.to_string(), row.cell("amount"));
}

fn allowances(row: &Row) {
    let mut item = usage_item("errors", "errors", PriceSource::Inline(unit("0.10")));
    if let Charging::Usage { included, .. } = &mut item.charging {
        *included = number(row.cell("included"));
    }
    let line = line_of(row, item, row.cell("quantity"));
    let LineTerm::Usage { price, .. } = &line.spec.term else { panic!("a fee") };
    assert_eq!(price.included.to_string(), row.cell("allowance"));
    assert_eq!(line.exact.to_string(), row.cell("exact"));
    assert_eq!(line.amount.to_string(), row.cell("amount"));
}

fn due(row: &Row) {
    let pay = if row.cell("pay") == "ahead" { Pay::Ahead } else { Pay::After };
    let contract = contract_of(row, vec![fee_item("base", "29", pay)]);
    let before = list(row.cell("billed before"));
    let before =
        before.iter().map(|first| format!("acme/acme/acme-2026/base/{first}").parse().unwrap()).collect();
    let (specs, _) = line_specs(&terms(), &contract, &only_period(&contract, row), &before);
    assert_eq!(joined(specs.iter().map(|spec| spec.service.first)), row.cell("periods on the invoice"));
}

fn fees(cell: &str) -> Vec<Item> {
    let fee = |text: &&str| {
        let (name, amount) = text.split_once(' ').unwrap();
        fee_item(name, amount, Pay::After)
    };
    list(cell).iter().map(fee).collect()
}

fn overlay(row: &Row) {
    let mut terms = Terms::default();
    let planned = items(fees(row.cell("plan")));
    terms.plans.add(Plan { name: "team".into(), version: version(1), currency: usd(), items: planned });
    let contract = Contract { plan: Some("team".into()), ..contract(usd(), fees(row.cell("contract"))) };
    let period = billing_period_list(&contract, &terms, (2026, 8))[0];
    let lines = made(&terms, &contract, &period, "0").lines;
    assert_eq!(
        joined(lines.iter().map(|line| format!("{} {}", line.spec.item.name, line.amount))),
        row.cell("lines")
    );
    assert!(lines.iter().all(|line| line.spec.key.contract == "acme-2026"));
}

fn overlaps(row: &Row) {
    let filtered = |cell: &str| {
        let mut item = usage_item("errors", "errors", PriceSource::Inline(unit("1")));
        if let Charging::Usage { only, .. } = &mut item.charging {
            for filter in cell.split(' ').filter(|_| cell != "anything") {
                let (dimension, values) = filter.split_once('=').unwrap();
                only.push((dimension.to_owned(), values.split(',').map(str::to_owned).collect()));
            }
        }
        item.charging
    };
    let found = overlap(&filtered(row.cell("first item only")), &filtered(row.cell("second item only")));
    assert_eq!(if found { "yes" } else { "no" }, row.cell("overlap"));
}

fn versions(row: &Row) {
    let mut terms = terms();
    for text in list(row.cell("versions")) {
        let (number, effective_at) = text.split_once(" from ").unwrap();
        let number: u32 = number.parse().unwrap();
        terms.prices.add(NamedPrice {
            name: "p".into(),
            version: Version {
                version: number,
                effective_at: Instant::parse_rfc3339(effective_at).unwrap(),
                recorded_at: u64::from(number),
            },
            currencies: BTreeMap::from([(usd(), unit("1"))]),
        });
    }
    let contract = contract(usd(), vec![usage_item("errors", "errors", PriceSource::Named("p".into()))]);
    let (specs, _) = line_specs(&terms, &contract, &only_period(&contract, row), &BTreeSet::new());
    assert_eq!(specs[0].price.stated_in.version.version.to_string(), row.cell("holds"));
}

// Invoices

/// A bill of one usage line per price, each of `quantity`, in the order given.
fn bill_of(currency: Currency, rounding: Rounding, prices: Vec<Price>, quantity: &str) -> Bill {
    let mut terms = Terms::default();
    let mut own = Vec::new();
    for (index, price) in prices.into_iter().enumerate() {
        let name = format!("item-{index:03}");
        terms.meters.add(meter(&name));
        let mut item = usage_item(&name, &name, PriceSource::Inline(price));
        if let Charging::Usage { allow_negative, .. } = &mut item.charging {
            *allow_negative = true;
        }
        own.push(item);
    }
    let contract = Contract { rounding, ..contract(currency, own) };
    let period = billing_period_list(&contract, &terms, (2026, 8))[0];
    made(&terms, &contract, &period, quantity)
}

fn rounded(row: &Row) {
    let currency = Currency::parse(row.cell("currency")).unwrap();
    let rounding = Rounding::parse(row.cell("rounding")).unwrap();
    let bill = bill_of(currency, rounding, vec![unit(row.cell("rate"))], row.cell("quantity"));
    let line = &bill.lines[0];
    assert_eq!(line.exact.to_string(), row.cell("exact"));
    assert_eq!(line.amount.to_string(), row.cell("amount"));
    assert_eq!(line.residue.to_string(), row.cell("residue"));
}

fn tiers_shown(row: &Row) {
    let read = |text: &&str| {
        let (up_to, rest) = text.split_once(':').map_or((None, *text), |(up_to, rest)| (Some(up_to), rest));
        let (unit, flat) = rest.split_once('+').unwrap_or((rest, "0"));
        tier(up_to, unit, flat)
    };
    let tiers = list(row.cell("tiers")).iter().map(read).collect();
    let price = Price::Graduated { tiers, per: Rational::ONE };
    let bill = bill_of(usd(), Rounding::HalfAwayFromZero, vec![price], row.cell("quantity"));
    let line = &bill.lines[0];
    assert_eq!(joined(line.sublines.iter().map(|part| part.exact)), row.cell("exact by tier"));
    assert_eq!(joined(line.sublines.iter().map(|part| part.amount)), row.cell("amount by tier"));
    assert_eq!(line.amount.to_string(), row.cell("line"));
}

fn totals(row: &Row) {
    let prices = list(row.cell("rates")).into_iter().map(unit).collect();
    let bill = bill_of(usd(), Rounding::HalfAwayFromZero, prices, "1");
    assert_eq!(joined(bill.lines.iter().map(|line| line.amount)), row.cell("lines"));
    assert_eq!(bill.total.to_string(), row.cell("total"));
}

fn unpriced(row: &Row) {
    let mut terms = terms();
    let eur = Currency::parse("EUR").unwrap();
    terms.prices.add(NamedPrice {
        name: "euro".into(),
        version: version(1),
        currencies: BTreeMap::from([(eur, unit("1"))]),
    });
    let inline = |meter| usage_item("errors", meter, PriceSource::Inline(unit("1")));
    let named = |name: &str| usage_item("errors", "errors", PriceSource::Named(name.into()));
    let (mut quantity, mut own) = ("5", vec![fee_item("base", "29", Pay::After)]);
    match row.cell("item") {
        "price in EUR only" => own.push(named("euro")),
        "price that is not there" => own.push(named("gone")),
        "price without tiers" => {
            let price = Price::Graduated { tiers: Vec::new(), per: Rational::ONE };
            own.push(usage_item("errors", "errors", PriceSource::Inline(price)));
        }
        "meter that is not there" => own.push(inline("gone")),
        "filter on a dimension that the meter does not keep" => {
            let mut item = inline("errors");
            if let Charging::Usage { only, .. } = &mut item.charging {
                only.push(("planet".into(), vec!["mars".into()]));
            }
            own.push(item);
        }
        "two items on the same usage" => {
            own.push(inline("errors"));
            own.push(Item { name: "again".into(), ..inline("errors") });
        }
        "net usage below zero" => {
            own.push(inline("errors"));
            quantity = "-5";
        }
        other => panic!("no case `{other}`"),
    }
    let contract = contract(usd(), own);
    let period = billing_period_list(&contract, &terms, (2026, 8))[0];
    let (_, mut problems) = line_specs(&terms, &contract, &period, &BTreeSet::new());
    let bill = made(&terms, &contract, &period, quantity);
    problems.extend(bill.problems);
    assert!(!problems.is_empty() && problems.iter().all(|problem| problem.code.as_str() == row.cell("code")));
    assert_eq!(bill.total.to_string(), row.cell("total"));
}

fn keys(row: &Row) {
    let key = LineKey {
        payer: row.cell("payer").into(),
        account: row.cell("account").into(),
        contract: row.cell("contract").into(),
        item: row.cell("item").into(),
        service_start: date(row.cell("service start")),
        group: String::new(),
    };
    assert_eq!(key.to_string(), row.cell("key"));
    assert_eq!(row.cell("key").parse(), Ok(key));
}

// Postings

/// What issuing an invoice with these lines posts; a line below zero is negative usage.
fn transaction(number: &str, lines: &[&str]) -> Result<Option<Transaction>, invoicing::PostingError> {
    let prices = lines.iter().map(|amount| unit(amount)).collect();
    let bill = bill_of(usd(), Rounding::HalfAwayFromZero, prices, "1");
    let facts =
        IssueFacts { number: number.into(), accounting_date: date("2026-09-02"), recorded_position: 9 };
    posting(&body(&bill, &seller(usd()), Some(number)), &facts)
}

fn entry_row(row: &Row) -> Vec<String> {
    ["index", "ledger account", "type", "side", "amount", "line"]
        .map(|name| row.cell(name).to_owned())
        .to_vec()
}

fn entry_list(transaction: &Transaction) -> Vec<Vec<String>> {
    let entry = |entry: &ledger::Entry| {
        vec![
            entry.id.index.to_string(),
            entry.ledger_account.to_string(),
            entry.posting_type.to_string(),
            entry.side.to_string(),
            entry.amount.to_string(),
            joined(entry.document_line),
        ]
    };
    transaction.entries().iter().map(entry).collect()
}

fn balances(row: &Row) {
    let outcome = transaction("DEMO-000001", &list(row.cell("lines")));
    if row.cell("entries") == "refused" {
        assert!(outcome.is_err());
        return;
    }
    let transaction = outcome.unwrap();
    let entries = transaction.as_ref().map_or(0, |t| t.entries().len());
    assert_eq!(entries.to_string(), row.cell("entries"));
    let mut books = Ledger::default();
    if let Some(transaction) = transaction {
        books.apply(transaction).unwrap();
    }
    for (column, account) in [
        ("receivable", LedgerAccount::Receivable),
        ("contract position", LedgerAccount::ContractPosition),
        ("revenue", LedgerAccount::Revenue),
    ] {
        let found = books.balance(account, &Filter::default()).unwrap();
        let found = found.get(&usd()).map_or("0.00".to_owned(), ToString::to_string);
        assert_eq!(found, row.cell(column), "{column}");
    }
}

fn once(row: &Row) {
    let issue = |cell: &str| {
        let (number, amount) = cell.split_once(" of ").unwrap();
        transaction(number, &[amount]).unwrap().unwrap()
    };
    let mut books = Ledger::default();
    books.apply(issue(row.cell("first"))).unwrap();
    let outcome = match books.apply(issue(row.cell("then"))) {
        Ok(Applied::Posted) => "posted",
        Ok(Applied::Already) => "already posted",
        Err(_) => "refused",
    };
    assert_eq!(outcome, row.cell("outcome"));
}
