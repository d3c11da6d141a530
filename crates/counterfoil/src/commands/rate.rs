//! `rate`: price file + usage file in, charges with their basis out; no store.

use std::io::Read;
use std::path::Path;

use connectors::config::{Term, load_path, parse_term};
use invoicing::terms::{NamedPrice, Version};
use metering::Instant;
use money::{Currency, Quantity, Rounding};
use rating::PriceTerm;
use serde_json::{Value, json};

use crate::args::{Format, Global, RateArgs};
use crate::output::{self, Failure, Outcome, grouped, table};

pub fn run(global: &Global, args: &RateArgs) -> Result<Outcome, Failure> {
    let price = read_price(&args.price)?;
    let currency = currency(args, &price)?;
    let mode = Rounding::parse(&args.rounding).map_err(|error| {
        Failure::usage("bad_rounding", error.to_string(), "half_away_from_zero, half_even, up or down")
    })?;
    let included = Quantity::parse(&args.included).map_err(|error| {
        Failure::usage("bad_quantity", error.to_string(), "write a decimal such as 1000 or 0.5")
    })?;
    let term = PriceTerm {
        price: price.currencies[&currency].clone(),
        included: included.to_rational(),
        charge_when_unused: false,
        allow_negative: false,
    };
    let mut rows = Vec::new();
    let mut problems = 0;
    for (line, key, quantity) in read_usage(&args.usage)? {
        let rated = Quantity::parse(&quantity).map_err(|error| error.to_string()).and_then(|quantity| {
            let charge = rating::rate(quantity.to_rational(), &term).map_err(|error| error.to_string())?;
            let rounded = money::round(charge.exact, currency, mode).map_err(|error| error.to_string())?;
            Ok((quantity, charge, rounded))
        });
        match rated {
            Ok((quantity, charge, rounded)) => {
                for problem in &charge.problems {
                    problems += 1;
                    output::note(&format!("problem: line {line}, `{key}`: {problem}"));
                }
                rows.push((key, quantity, charge, rounded));
            }
            Err(error) => {
                problems += 1;
                output::note(&format!("problem: line {line}, `{key}`: {error}"));
            }
        }
    }
    print(global, currency, &rows)?;
    Ok(Outcome::of(problems > 0))
}

type Row = (String, Quantity, rating::Charge, money::Rounded);

fn print(global: &Global, currency: Currency, rows: &[Row]) -> Result<(), Failure> {
    if global.format == Format::Json {
        let charges: Vec<Value> = rows
            .iter()
            .map(|(key, quantity, charge, rounded)| {
                json!({
                    "key": key,
                    "quantity": quantity.to_string(),
                    "amount": rounded.amount.to_string(),
                    "currency": currency.code(),
                    "exact": charge.exact.to_string(),
                    "residue": rounded.residue.to_string(),
                    "basis": invoicing::basis_value(&charge.basis, None),
                })
            })
            .collect();
        return output::json_data(&Value::Array(charges));
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(key, quantity, charge, rounded)| {
            vec![
                key.clone(),
                grouped(&quantity.to_string()),
                charge.exact.to_string(),
                grouped(&rounded.amount.to_string()),
            ]
        })
        .collect();
    output::data(&table(&["key", "quantity", "exact", currency.code()], &[1, 2, 3], &cells))
}

fn read_price(path: &Path) -> Result<NamedPrice, Failure> {
    let documents = load_path(path).map_err(|problems| crate::commands::apply::refused(&problems))?;
    let [document] = documents.as_slice() else {
        return Err(Failure::usage(
            "one_price_wanted",
            format!("expected one document of `kind: price`, found {} documents", documents.len()),
            "give a file with a single price",
        ));
    };
    let version = Version { version: 1, effective_at: Instant(0), recorded_at: 0 };
    match parse_term(&document.kind, &document.body, version) {
        Ok(Term::Price(price)) => Ok(price),
        _ => Err(Failure::usage(
            "one_price_wanted",
            format!("expected one document of `kind: price`, found `kind: {}`", document.kind),
            "give a file with a single price",
        )),
    }
}

fn currency(args: &RateArgs, price: &NamedPrice) -> Result<Currency, Failure> {
    let known: Vec<&str> = price.currencies.keys().map(|currency| currency.code()).collect();
    let hint = format!("the price is stated in {}", known.join(", "));
    match &args.currency {
        None if price.currencies.len() == 1 => {
            Ok(*price.currencies.keys().next().unwrap_or_else(|| unreachable!()))
        }
        None => Err(Failure::usage(
            "currency_missing",
            "the price has several currencies",
            format!("{hint}; name one with --currency"),
        )),
        Some(code) => {
            let currency = Currency::parse(code)
                .map_err(|error| Failure::usage("unknown_currency", error.to_string(), &hint))?;
            if price.currencies.contains_key(&currency) {
                Ok(currency)
            } else {
                Err(Failure::usage(
                    "price_currency_missing",
                    format!("the price has no currency `{code}`"),
                    hint,
                ))
            }
        }
    }
}

/// Rows of a CSV with the columns `key,quantity`: line, key, quantity as text.
fn read_usage(path: &Path) -> Result<Vec<(u64, String, String)>, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::could_not(
            "input_unreadable",
            format!("could not read `{}`: {error}", path.display()),
            "give a CSV file with the columns key,quantity",
        )
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    } else {
        text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    }
    connectors::read_columns(&text, ["key", "quantity"])
        .map(|rows| rows.into_iter().map(|(line, [key, quantity])| (line, key, quantity)).collect())
        .map_err(|error| unreadable(&error))
}
