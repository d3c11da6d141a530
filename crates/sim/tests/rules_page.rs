//! `docs/reference/engine-rules.md` names tests and plants that exist, and leaves no test of a rule out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// What stands between backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of the tests of a file.
fn tests_of(source: &str) -> BTreeSet<String> {
    let mut lines = source.lines();
    let mut found = BTreeSet::new();
    while lines.any(|line| line.trim() == "#[test]") {
        let function = lines.find_map(|line| line.trim().strip_prefix("fn ")).expect("a function");
        found.insert(function.split('(').next().expect("a name").to_owned());
    }
    found
}

/// (file, test) of a cell of the page.
fn named(cell: &str) -> Vec<(String, String)> {
    let mut file = None;
    let mut named = Vec::new();
    for span in spans(cell) {
        if span.starts_with("crates/") {
            file = Some(span.to_owned());
        } else {
            named.push((file.clone().expect("a file before its tests"), span.to_owned()));
        }
    }
    named
}

#[test]
fn the_page_of_rules_names_what_exists() {
    let page = read("docs/reference/engine-rules.md");
    let mut numbers = BTreeSet::new();
    let mut all = BTreeSet::new();
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("`crates/"));
    for row in rows {
        // The texts have no `|` of their own.
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let (tests, plants) = match &cells[..] {
            [_, tests] => (*tests, ""),
            [.., tests, plants] => (*tests, *plants),
            _ => panic!("not a row: {row}"),
        };
        let (tests, plants) = if tests.contains("crates/") { (tests, plants) } else { (plants, "") };
        let tests = named(tests);
        assert!(!tests.is_empty(), "no test: {row}");
        for (file, test) in &tests {
            assert!(tests_of(&read(file)).contains(test), "`{file}` has no test `{test}`");
            if let Some(number) = test.strip_prefix("rule_") {
                let number = number.split('_').next().expect("a number");
                assert!(row.starts_with(&format!("| {number} |")), "`{test}` stands in: {row}");
                numbers.insert(number.to_owned());
            }
            all.insert(test.clone());
        }
        for plant in spans(plants) {
            let patch = read(&format!("plants/{plant}.patch"));
            let header: String = patch.lines().take_while(|line| line.starts_with('#')).collect();
            let fits = tests.iter().any(|(file, test)| {
                let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).expect("a name");
                let named =
                    if file.contains("/src/") { "--lib".to_owned() } else { format!("--test {stem}") };
                header.contains(test.as_str()) || header.contains(&named)
            });
            assert!(fits, "the plant `{plant}` turns no test of its row red: {header}");
        }
    }
    // Rule 11 is shown by tests with names of their own.
    let expected = ["1", "10", "17", "2", "20", "22", "23", "3", "4", "5", "6", "7", "8", "9"];
    assert!(numbers.iter().eq(&expected), "{numbers:?}");
    for file in ["rules_durable", "rules_counting", "engine_stops"] {
        let missing: Vec<String> =
            tests_of(&read(&format!("crates/sim/tests/{file}.rs"))).difference(&all).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "tests of `{file}` that the page does not name");
    }
}

#[test]
fn the_page_of_regressions_names_what_exists() {
    let page = read("docs/reference/regressions.md");
    let files = [
        "crates/counterfoil/tests/regress_counting.rs",
        "crates/counterfoil/tests/regress_money.rs",
        "crates/sim/tests/regress_writers.rs",
    ];
    let mut tests = BTreeSet::new();
    for file in files {
        assert!(
            page.contains(&format!("`{file}`")) || page.contains(file.rsplit('/').next().expect("a name")),
            "{file}"
        );
        tests.extend(tests_of(&read(file)).into_iter().filter(|test| test.starts_with("regress_")));
    }
    let named: BTreeSet<String> = spans(&page)
        .filter(|span| span.starts_with("regress_") && !span.ends_with(".rs"))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, tests, "left: the page, right: the sources");
    assert!(tests.len() > 42, "{}", tests.len());
}
