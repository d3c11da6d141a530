//! Arrows: a crate depends only on what its row in `ARCHITECTURE.md` names.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::{CORE, Checked};
use crate::manifest::Manifest;
use crate::tree::Tree;

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Crates and arrows";

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    kind: String,
    /// Crates of the workspace it may depend on.
    ours: BTreeSet<String>,
    /// Libraries it may depend on; `None`: any.
    libraries: Option<BTreeSet<String>>,
}

/// Compares every manifest with its row.
pub fn check(tree: &Tree) -> Result<Checked> {
    let rows = rows(&tree.text(PAGE)?);
    if rows.is_empty() {
        bail!("{PAGE} has no table under `{HEADING}`");
    }
    let mut names: Vec<String> = tree.crates();
    names.push("xtask".to_owned());
    let ours: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut checked = Checked::default();
    for gone in rows.keys().filter(|name| !ours.contains(name.as_str())) {
        checked.look(Some(format!("{PAGE} has a row for `{gone}`, which is not there")));
    }
    for name in &names {
        let path =
            if name == "xtask" { "xtask/Cargo.toml".to_owned() } else { format!("crates/{name}/Cargo.toml") };
        let Some(row) = rows.get(name) else {
            checked.look(Some(format!("{PAGE} has no row for `{name}`")));
            continue;
        };
        if (row.kind == "pure") != CORE.contains(&name.as_str()) {
            checked.look(Some(format!("{PAGE} calls `{name}` {}, the guards do not", row.kind)));
        }
        let manifest = Manifest::read(&tree.text(&path)?);
        for dependency in manifest.dependencies.iter().chain(&manifest.build_dependencies) {
            checked.look(refusal(&path, row, &ours, dependency));
        }
        let turned = manifest.dev_dependencies.iter().filter(|dependency| {
            rows.get(*dependency).is_some_and(|of| CORE.contains(&name.as_str()) && of.kind == "shell")
        });
        turned.for_each(|dependency| {
            checked.look(Some(format!("{path}: the core's tests use `{dependency}`, which is shell")))
        });
    }
    Ok(checked)
}

fn refusal(path: &str, row: &Row, ours: &BTreeSet<&str>, dependency: &str) -> Option<String> {
    let allowed = if ours.contains(dependency) {
        row.ours.contains(dependency)
    } else {
        row.libraries.as_ref().is_none_or(|libraries| libraries.contains(dependency))
    };
    (!allowed).then(|| format!("{path} depends on `{dependency}`, its row in {PAGE} does not allow it"))
}

fn rows(page: &str) -> BTreeMap<String, Row> {
    let section = page.split(HEADING).nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or("");
    let table = section.lines().filter(|line| line.starts_with("| `"));
    table
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, kind, ours, libraries] = cells.as_slice() else { return None };
            let libraries = if *libraries == "any" { None } else { Some(quoted(libraries)) };
            Some((
                name.trim_matches('`').to_owned(),
                Row { kind: (*kind).to_owned(), ours: quoted(ours), libraries },
            ))
        })
        .collect()
}

/// The words between backticks.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_binds() {
        let page = "# A\n## Crates and arrows\n| crate | kind |\n|---|---|\n| `a` | pure | – | `x`, `y` |\n\
                    | `b` | shell | `a` | any |\n\n## Next\n| `c` | pure | – | – |\n";
        let rows = rows(page);
        assert_eq!(rows.keys().collect::<Vec<_>>(), ["a", "b"]);
        let ours = BTreeSet::from(["a", "b"]);
        let check = |name: &str, dependency: &str, allowed: bool| {
            assert_eq!(
                refusal("p", &rows[name], &ours, dependency).is_none(),
                allowed,
                "{name} {dependency}"
            );
        };
        check("a", "x", true);
        check("a", "z", false);
        check("a", "b", false);
        check("b", "a", true);
        check("b", "z", true);
        check("b", "b", false);
    }
}
