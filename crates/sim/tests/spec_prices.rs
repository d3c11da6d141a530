//! Runs the tables of `spec/prices.md`.

use money::Rational;
use rating::{Charge, ChargeProblem, Price, PriceTerm, Tier, fee, rate};
use sim::spec_table::{Row, tables};

fn number(text: &str) -> Rational {
    Rational::parse(text.trim()).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads the page's short form of a price.
fn price(text: &str) -> Price {
    let (model, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (rest, per) = match rest.split_once(" per ") {
        Some((rest, per)) => (rest, number(per)),
        None => (rest, Rational::ONE),
    };
    match model {
        "flat" => Price::Flat { amount: number(rest) },
        "unit" => Price::Unit { rate: number(rest), per },
        "graduated" => Price::Graduated { tiers: tiers(rest), per },
        "volume" => Price::Volume { tiers: tiers(rest), per },
        "package" => {
            let (price, size) = rest.split_once(" of ").unwrap();
            Price::Package { size: number(size), price: number(price) }
        }
        other => panic!("no price model `{other}`"),
    }
}

/// `3 + 20 to 100, 2`: unit price 3 and flat amount 20 up to 100, then unit price 2.
fn tiers(text: &str) -> Vec<Tier> {
    let tier = |row: &str| {
        let (prices, up_to) = match row.split_once(" to ") {
            Some((prices, bound)) => (prices, Some(number(bound))),
            None => (row, None),
        };
        let (unit, flat) = prices.split_once(" + ").unwrap_or((prices, "0"));
        Tier { up_to, unit: number(unit), flat: number(flat) }
    };
    text.split(',').filter(|row| !row.trim().is_empty()).map(tier).collect()
}

fn term(row: &Row) -> PriceTerm {
    let included = row.get("included").map_or(Rational::ZERO, number);
    PriceTerm { included, ..PriceTerm::new(price(row.cell("price"))) }
}

fn charge(row: &Row, term: &PriceTerm) -> Charge {
    let charge = rate(number(row.cell("quantity")), term).unwrap();
    assert_eq!(charge.basis.evaluate(), Ok(charge.exact), "line {}", row.line);
    charge
}

fn check(row: &Row, column: &str, found: &str) {
    assert_eq!(found, row.cell(column), "line {}, `{column}`", row.line);
}

fn problems(charge: &Charge) -> String {
    let codes: Vec<&str> = charge.problems.iter().map(ChargeProblem::code).collect();
    codes.join(", ")
}

fn check_below_zero(row: &Row) {
    let refused = charge(row, &term(row));
    check(row, "charge", &refused.exact.to_string());
    check(row, "reported", &problems(&refused));
    let allowed = charge(row, &PriceTerm { allow_negative: true, ..term(row) });
    check(row, "charge if allowed", &allowed.exact.to_string());
    check(row, "reported if allowed", &problems(&allowed));
}

fn check_sound(row: &Row) {
    let price = price(row.cell("price"));
    let problems = price.check().err().into_iter().flatten();
    let texts: Vec<String> = problems.map(|problem| problem.to_string()).collect();
    check(row, "problems", &texts.join("; "));
    let is_priced = rate(Rational::ONE, &PriceTerm::new(price)).unwrap().is_priced();
    assert_eq!(is_priced, texts.is_empty(), "line {}", row.line);
}

fn check_fee(row: &Row) {
    let days = |column: &str| row.cell(column).parse().unwrap();
    let charge = fee(number(row.cell("fee")), days("days"), days("of")).unwrap();
    let found = if charge.is_priced() { charge.exact.to_string() } else { "no amount".to_owned() };
    check(row, "charge", &found);
}

fn check_row(columns: &[&str], row: &Row) {
    match columns {
        ["price", "quantity", "charge"] | ["price", "included", "quantity", "charge"] => {
            let charge = charge(row, &term(row));
            assert!(charge.problems.is_empty(), "line {}", row.line);
            check(row, "charge", &charge.exact.to_string());
        }
        ["price", "quantity", "tier"] => {
            let charge = charge(row, &term(row));
            check(row, "tier", charge.basis.describe().note.unwrap());
        }
        ["price", "included", "quantity", "charge", "charge when unused"] => {
            check(row, "charge", &charge(row, &term(row)).exact.to_string());
            let unused = charge(row, &PriceTerm { charge_when_unused: true, ..term(row) });
            check(row, "charge when unused", &unused.exact.to_string());
        }
        ["price", "included", "quantity", "charge", "basis"] => {
            let charge = charge(row, &term(row));
            check(row, "charge", &charge.exact.to_string());
            check(row, "basis", &charge.basis.to_string());
        }
        ["price", "included", "quantity", "charge", "reported", ..] => check_below_zero(row),
        ["price", "problems"] => check_sound(row),
        ["fee", "days", "of", "charge"] => check_fee(row),
        other => panic!("line {}: no test runs a table of {other:?}", row.line),
    }
}

#[test]
fn prices_page() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/prices.md");
    let mut rows = 0;
    for table in tables(&std::fs::read_to_string(path).unwrap()) {
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        table.rows.iter().for_each(|row| check_row(&columns, row));
        rows += table.rows.len();
    }
    println!("prices.md: {rows} rows");
    assert!(rows >= 120, "expected at least 120 rows, found `{rows}`");
}
