//! Runs the tables of `spec/numbers.md` and `spec/rounding.md`.

use money::{
    AllocationError, Amount, AmountError, Currency, CurrencyError, NumberError, Quantity, QuantityError,
    Rational, Rounding, Sum, allocate, round, round_decimals, split_cumulative,
};
use sim::spec_table::{Row, Table, tables};

fn page(name: &str) -> Vec<Table> {
    let path = format!("{}/../../spec/{name}", env!("CARGO_MANIFEST_DIR"));
    tables(&std::fs::read_to_string(path).unwrap())
}

fn number(text: &str) -> Rational {
    Rational::parse(text).unwrap()
}

/// Comma-separated cells; none in an empty cell.
fn list(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn numbers(text: &str) -> Vec<Rational> {
    list(text).into_iter().map(number).collect()
}

fn currency(row: &Row) -> Currency {
    Currency::parse(row.cell("currency")).unwrap()
}

fn joined(amounts: impl IntoIterator<Item = Amount>) -> String {
    let texts: Vec<String> = amounts.into_iter().map(|amount| amount.to_string()).collect();
    texts.join(", ")
}

fn number_text(result: Result<Rational, NumberError>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(NumberError::Overflow) => "overflow".to_owned(),
        Err(NumberError::DivisionByZero) => "division by zero".to_owned(),
        Err(NumberError::Syntax { .. }) => "syntax".to_owned(),
    }
}

fn quantity(row: &Row) -> String {
    match Quantity::parse(row.cell("text")) {
        Ok(value) => value.to_string(),
        Err(QuantityError::NotANumber { .. }) => "not a number".to_owned(),
        Err(QuantityError::TooLarge) => "too large".to_owned(),
        Err(QuantityError::TooPrecise { .. }) => "too precise".to_owned(),
    }
}

fn sum(row: &Row) -> String {
    let quantities = list(row.cell("quantities")).into_iter().map(|text| Quantity::parse(text).unwrap());
    quantities.fold(Sum::ZERO, Sum::add).to_string()
}

fn arithmetic(row: &Row) -> String {
    let (left, right) = (number(row.cell("left")), number(row.cell("right")));
    number_text(match row.cell("operator") {
        "+" => left.checked_add(right),
        "−" => left.checked_sub(right),
        "×" => left.checked_mul(right),
        "÷" => left.checked_div(right),
        other => panic!("line {}: no operator `{other}`", row.line),
    })
}

fn order(row: &Row) -> String {
    let order = number(row.cell("left")).cmp(&number(row.cell("right")));
    ["<", "=", ">"][usize::try_from(order as i8 + 1).unwrap()].to_owned()
}

fn known_currency(row: &Row) -> (String, String) {
    match Currency::parse(row.cell("currency")) {
        Ok(known) => (known.exponent().to_string(), number_of(Amount::from_minor(1, known))),
        Err(CurrencyError::Unknown { .. }) => ("unknown".to_owned(), String::new()),
        Err(CurrencyError::NoMinorUnit { .. }) => ("no minor unit".to_owned(), String::new()),
    }
}

fn number_of(amount: Amount) -> String {
    amount.to_rational().to_string()
}

fn amount(row: &Row) -> (String, String) {
    match Amount::parse(row.cell("text"), currency(row)) {
        Ok(amount) => (amount.minor().to_string(), amount.to_string()),
        Err(AmountError::TooPrecise { .. }) => ("too precise".to_owned(), String::new()),
        Err(AmountError::Syntax { .. }) => ("syntax".to_owned(), String::new()),
        Err(AmountError::Overflow) => ("overflow".to_owned(), String::new()),
        Err(other) => panic!("line {}: {other}", row.line),
    }
}

fn check(row: &Row, column: &str, found: &str) {
    assert_eq!(found, row.cell(column), "line {}, `{column}`", row.line);
}

fn check_number_row(columns: &[&str], row: &Row) {
    match columns {
        ["text", "quantity"] => check(row, "quantity", &quantity(row)),
        ["quantities", "sum"] => check(row, "sum", &sum(row)),
        ["left", "operator", "right", "result"] => check(row, "result", &arithmetic(row)),
        ["left", "order", "right"] => check(row, "order", &order(row)),
        ["fraction", "read as"] => check(row, "read as", &number_text(Rational::parse(row.cell("fraction")))),
        ["currency", "decimals", "smallest amount"] => {
            let (decimals, smallest) = known_currency(row);
            check(row, "decimals", &decimals);
            check(row, "smallest amount", &smallest);
        }
        ["text", "currency", "minor units", "shown as"] => {
            let (minor, shown) = amount(row);
            check(row, "minor units", &minor);
            check(row, "shown as", &shown);
        }
        other => panic!("line {}: no test runs a table of {other:?}", row.line),
    }
}

fn rounded(row: &Row, mode: Rounding) -> money::Rounded {
    round(number(row.cell("exact")), currency(row), mode).unwrap()
}

fn mode(row: &Row) -> Rounding {
    Rounding::parse(row.cell("mode")).unwrap()
}

fn line_amount(row: &Row) -> String {
    let parts = numbers(row.cell("exact parts of a line"));
    let exact = parts.into_iter().try_fold(Rational::ZERO, Rational::checked_add).unwrap();
    round(exact, currency(row), Rounding::default()).unwrap().amount.to_string()
}

fn split(row: &Row) -> String {
    let parts = numbers(row.cell("exact parts"));
    let split = split_cumulative(&parts, currency(row), Rounding::default()).unwrap();
    joined(split.into_iter().map(|part| part.amount))
}

fn shared(row: &Row) -> String {
    let total = Amount::parse(row.cell("total"), currency(row)).unwrap();
    match allocate(total, &numbers(row.cell("weights"))) {
        Ok(parts) => joined(parts),
        Err(AllocationError::NoWeights) => "no weights".to_owned(),
        Err(AllocationError::AllZero { .. }) => "all zero".to_owned(),
        Err(AllocationError::Negative { .. }) => "negative".to_owned(),
        Err(other) => panic!("line {}: {other}", row.line),
    }
}

fn check_rounding_row(columns: &[&str], row: &Row) {
    match columns {
        ["exact parts of a line", "currency", "amount"] => check(row, "amount", &line_amount(row)),
        ["exact", "currency", modes @ ..] if modes.len() == 4 => {
            for name in modes {
                let amount = rounded(row, Rounding::parse(name).unwrap()).amount;
                check(row, name, &amount.to_string());
            }
        }
        ["exact", "currency", "mode", "amount", "residue"] => {
            check(row, "amount", &rounded(row, mode(row)).amount.to_string());
            check(row, "residue", &rounded(row, mode(row)).residue.to_string());
        }
        ["exact", "decimals", "mode", "price"] => {
            let decimals = row.cell("decimals").parse().unwrap();
            let price = round_decimals(number(row.cell("exact")), decimals, mode(row)).unwrap();
            check(row, "price", &price.to_string());
        }
        ["exact parts", "currency", "amounts"] => check(row, "amounts", &split(row)),
        ["total", "currency", "weights", "parts"] => check(row, "parts", &shared(row)),
        other => panic!("line {}: no test runs a table of {other:?}", row.line),
    }
}

fn run(name: &str, rows_min: usize, check_row: fn(&[&str], &Row)) {
    let mut rows = 0;
    for table in page(name) {
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        table.rows.iter().for_each(|row| check_row(&columns, row));
        rows += table.rows.len();
    }
    println!("{name}: {rows} rows");
    assert!(rows >= rows_min, "expected at least {rows_min} rows in {name}, found `{rows}`");
}

#[test]
fn numbers_page() {
    run("numbers.md", 100, check_number_row);
}

#[test]
fn rounding_page() {
    run("rounding.md", 50, check_rounding_row);
}
