//! Worked examples published by other billing products, against our own code.
//!
//! The examples lie beside the repository where they are at hand; without them the test says so and only reads
//! `docs/reference/differences.md`. Every example of the models below passes, or stands on that page.

mod vectors {
    pub mod outcome;
    pub mod period;
    pub mod price;
}

use serde_json::Value;
use sim::spec_table::{Row, tables};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use vectors::outcome::{Outcome, expected, ours, parse_outcome};

/// The models that this build has.
const MODELS: [&str; 9] = [
    "unit",
    "flat",
    "graduated",
    "volume",
    "package",
    "rounding",
    "allocation/largest_remainder",
    "period_boundary",
    "period_boundary_end",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table with these columns on the page of differences, by id.
fn listed(columns: &[&str]) -> BTreeMap<String, Row> {
    let page = std::fs::read_to_string(root().join("docs/reference/differences.md")).unwrap();
    let table = tables(&page).into_iter().find(|table| table.has_columns(columns)).unwrap();
    let rows: Vec<(String, Row)> =
        table.rows.into_iter().map(|row| (row.cell("vector").to_owned(), row)).collect();
    let count = rows.len();
    let by_id: BTreeMap<String, Row> = rows.into_iter().collect();
    assert_eq!(by_id.len(), count, "an id is listed twice in the table of {columns:?}");
    by_id
}

fn differing() -> BTreeMap<String, Row> {
    listed(&["vector", "model", "theirs", "ours", "rule"])
}

fn waiting() -> BTreeMap<String, Row> {
    listed(&["vector", "model", "needs"])
}

/// The examples of our models, or nothing where they are not at hand.
fn examples() -> Option<Vec<Value>> {
    let folder = root().join("../shared/vectors");
    if !folder.is_dir() {
        println!("skipped: no published examples beside the repository; they are not part of it");
        return None;
    }
    let mut found = Vec::new();
    for name in ["commercial.json", "open_source.json"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let all: Vec<Value> = serde_json::from_str(&text).unwrap();
        found.extend(all.into_iter().filter(|one| MODELS.contains(&one["model"].as_str().unwrap())));
    }
    Some(found)
}

fn id(example: &Value) -> String {
    example["id"].as_str().unwrap().to_owned()
}

/// Whether an example bills a line in several invoices of one period.
fn is_progressive(example: &Value) -> bool {
    example["input"]["line"].as_str().is_some_and(|line| line.ends_with("_split"))
}

/// Compares an example with its row on the page; says what is wrong with the page.
fn check_listed(example: &Value, row: &Row, found: &Outcome) -> Result<(), String> {
    let theirs = expected(example);
    if *found == theirs {
        return Err("agrees, and must not be listed".to_owned());
    }
    if row.cell("model") != example["model"] || row.cell("rule").is_empty() {
        return Err("its row has another model or no rule".to_owned());
    }
    if parse_outcome(row.cell("theirs")) != theirs || parse_outcome(row.cell("ours")) != *found {
        return Err(format!("its row has other numbers: theirs {theirs:?}, ours {found:?}"));
    }
    Ok(())
}

#[test]
fn every_published_example_passes_or_is_explained() {
    let (differing, waiting) = (differing(), waiting());
    let Some(examples) = examples() else { return };
    let (mut passed, mut differ, mut wait) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for example in &examples {
        let id = id(example);
        let model = example["model"].as_str().unwrap();
        if is_progressive(example) {
            let row =
                waiting.get(&id).filter(|row| row.cell("model") == model && !row.cell("needs").is_empty());
            if row.is_none() {
                wrong.push(format!("{id}: bills within a period, and is not listed as waiting"));
            }
            wait.insert(id);
            continue;
        }
        let found = ours(example);
        match differing.get(&id) {
            Some(row) => {
                let problem = check_listed(example, row, &found).err();
                wrong.extend(problem.map(|problem| format!("{id}: {problem}")));
                differ.insert(id);
            }
            None if found == expected(example) => *passed.entry(model).or_insert(0_usize) += 1,
            None => wrong.push(format!("{id} ({model}): theirs {:?}, ours {found:?}", expected(example))),
        }
    }
    let unknown = |listed: &BTreeMap<String, Row>, met: &BTreeSet<String>| -> Vec<String> {
        listed.keys().filter(|id| !met.contains(*id)).map(|id| format!("{id}: listed, and unknown")).collect()
    };
    wrong.extend(unknown(&differing, &differ));
    wrong.extend(unknown(&waiting, &wait));
    let passes: usize = passed.values().sum();
    println!(
        "{passes} pass / {} differ / {} wait, of {} published examples",
        differ.len(),
        wait.len(),
        examples.len()
    );
    println!("passing by model: {passed:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(passes + differ.len() + wait.len(), examples.len());
    for model in MODELS {
        assert!(passed.contains_key(model), "no example of `{model}` was checked");
    }
}

#[test]
fn the_page_of_differences_is_whole() {
    for row in differing().values() {
        assert_ne!(parse_outcome(row.cell("theirs")), parse_outcome(row.cell("ours")), "line {}", row.line);
        assert!(MODELS.contains(&row.cell("model")) && row.cell("rule").len() > 20, "line {}", row.line);
    }
    for (id, row) in waiting() {
        assert!(!differing().contains_key(&id), "line {}: listed in both tables", row.line);
    }
}
