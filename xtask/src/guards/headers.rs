//! Headers: what every crate says about lints, and that nothing takes it back quietly.

use anyhow::Result;

use super::{CORE, Checked};
use crate::manifest::Manifest;
use crate::source::{code_only, words};
use crate::tree::Tree;

/// What the core denies.
pub const CORE_LINTS: [&str; 7] = [
    "clippy::disallowed_methods",
    "clippy::disallowed_types",
    "clippy::float_arithmetic",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::as_conversions",
    "clippy::indexing_slicing",
];
/// The crate that may have unsafe code, and the one file of it.
const UNSAFE: (&str, &str) = ("store", "crates/store/src/tables/vfs.rs");

/// Checks every crate's root, and every file for what would undo it.
pub fn check(tree: &Tree) -> Result<Checked> {
    let mut checked = Checked::default();
    let crates = tree.crates().into_iter().map(|name| format!("crates/{name}"));
    for folder in crates.chain(["xtask".to_owned()]) {
        let manifest = Manifest::read(&tree.text(&format!("{folder}/Cargo.toml"))?);
        let finding = (!manifest.workspace_lints)
            .then(|| format!("{folder}/Cargo.toml lacks `[lints] workspace = true`"));
        checked.look(finding);
        for root in ["lib.rs", "main.rs"].map(|file| format!("{folder}/src/{file}")) {
            if tree.files().any(|file| file == root) {
                let name = folder.trim_start_matches("crates/");
                root_findings(name, &root, &code_only(&tree.text(&root)?), &mut checked);
            }
        }
    }
    for file in tree.files().filter(|file| file.ends_with(".rs")) {
        let code = code_only(&tree.text(file)?);
        let unsafe_here = file != UNSAFE.1 && words(&code).any(|word| word == "unsafe");
        checked.look(unsafe_here.then(|| format!("{file}: unsafe code belongs only into {}", UNSAFE.1)));
        if CORE.iter().any(|name| file.starts_with(&format!("crates/{name}/src/"))) {
            taken_back(file, &code).into_iter().for_each(|finding| checked.look(Some(finding)));
        }
    }
    Ok(checked)
}

fn root_findings(name: &str, root: &str, code: &str, checked: &mut Checked) {
    let all = attributes(code);
    let unsafe_level = if name == UNSAFE.0 { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
    let missing = !all.iter().any(|attribute| attribute == unsafe_level);
    checked.look(missing.then(|| format!("{root} lacks `{unsafe_level}`")));
    if !CORE.contains(&name) {
        return;
    }
    for lint in CORE_LINTS {
        let denied = all.iter().any(|attribute| attribute.starts_with("#![deny(") && lists(attribute, lint));
        checked.look((!denied).then(|| format!("{root} does not deny `{lint}`")));
    }
}

/// Attributes of a core file that allow what the core denies, outside of tests, or expect it without a reason.
fn taken_back(file: &str, code: &str) -> Vec<String> {
    attributes(code)
        .into_iter()
        .filter(|attribute| CORE_LINTS.iter().any(|lint| lists(attribute, lint)))
        .filter(|attribute| {
            let in_tests = attribute.contains("cfg_attr(test,");
            let allows = attribute.contains("allow(") && !in_tests;
            let expects = attribute.contains("expect(") && !in_tests && !attribute.contains("reason=");
            allows || expects
        })
        .map(|attribute| format!("{file}: `{attribute}`: say `expect` with a reason"))
        .collect()
}

fn lists(attribute: &str, lint: &str) -> bool {
    attribute.split(['(', ')', ',']).any(|part| part == lint)
}

/// All attributes of code, without blanks.
fn attributes(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find("#[").into_iter().chain(rest.find("#![")).min() {
        let mut depth = 0_u32;
        let end = rest[start..].char_indices().find_map(|(at, character)| {
            match character {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => return None,
            }
            (depth == 0).then_some(start + at + 1)
        });
        let end = end.unwrap_or(rest.len());
        found.push(rest[start..end].split_whitespace().collect());
        rest = &rest[end..];
    }
    found
}

/// The header of a core crate as it stands in its file, from `forbid` to the end of the list of denied lints.
pub fn core_header(source: &str) -> String {
    let mut header = String::new();
    let mut inside = false;
    for line in source.lines() {
        inside |= line.starts_with("#![forbid(") || line.starts_with("#![deny(");
        if inside {
            header.push_str(line);
            header.push('\n');
            inside = !line.ends_with(")]");
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_a_lint_back_is_found() {
        let check =
            |code: &str, findings: usize| assert_eq!(taken_back("a.rs", code).len(), findings, "{code}");
        check("#![cfg_attr(test, allow(clippy::unwrap_used))]", 0);
        check("#[expect(clippy::as_conversions, reason =    )]", 0);
        check("#[expect(clippy::as_conversions)]", 1);
        check("#[allow(clippy::indexing_slicing)]\nfn a() {}", 1);
        check("#[allow(dead_code)]", 0);
    }

    #[test]
    fn attributes_may_span_lines() {
        assert_eq!(
            attributes("#![deny(\n  a::b,\n  c\n)]\nfn x() {}\n#[test]"),
            ["#![deny(a::b,c)]", "#[test]"]
        );
        assert!(lists("#![deny(a::b,c)]", "a::b") && !lists("#![deny(a::bc)]", "a::b"));
    }
}
