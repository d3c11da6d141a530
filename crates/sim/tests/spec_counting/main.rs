//! Runs the tables of `spec/counting.md`, `spec/identity.md` and `spec/time.md`.

mod counting;
mod identity;
mod json;
mod time;

use sim::spec_table::{Row, Table, tables};

fn page(name: &str) -> Vec<Table> {
    let path = format!("{}/../../spec/{name}", env!("CARGO_MANIFEST_DIR"));
    tables(&std::fs::read_to_string(path).unwrap())
}

/// Compares what was found with a cell, naming the line of the manual.
fn check(row: &Row, column: &str, found: &str) {
    assert_eq!(found, row.cell(column), "line {}, `{column}`", row.line);
}

/// Runs every table of a page; a page that lost its tables is no passed test.
fn run(name: &str, rows_min: usize, mut check_table: impl FnMut(&Table, &[&str])) {
    let mut rows = 0;
    for table in page(name) {
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        check_table(&table, &columns);
        rows += table.rows.len();
    }
    println!("{name}: {rows} rows");
    assert!(rows >= rows_min, "expected at least {rows_min} rows in {name}, found `{rows}`");
}

/// A name of a cell; nothing in an empty one.
fn given(row: &Row, column: &str) -> Option<String> {
    Some(row.cell(column)).filter(|text| !text.is_empty()).map(str::to_owned)
}
