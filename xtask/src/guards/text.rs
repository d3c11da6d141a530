//! Words that must not stand in the project's files.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{CORE, Checked};
use crate::source::{code_only, float_literals, words};
use crate::tree::Tree;

/// First folders of absolute paths that only make sense on somebody's machine.
const MACHINE_FOLDERS: [&str; 4] = ["home", "root", "work", "Users"];

/// Where a path between backticks begins that must be there.
const NAMED_FOLDERS: [&str; 7] = ["crates/", "docs/", "spec/", "xtask/", "examples/", "plants/", "compat/"];

/// No float type in any crate, tests included, and no float literal in the core's code. (Its tests may show that a
/// JSON number is refused.)
pub fn floats(tree: &Tree) -> Result<Checked> {
    let mut checked = Checked::default();
    for file in tree.under("crates/", ".rs") {
        let core = CORE.iter().any(|name| file.starts_with(&format!("crates/{name}/src/")));
        for (number, line) in code_only(&tree.text(file)?).lines().enumerate() {
            let place = format!("{file}:{}", number + 1);
            if let Some(word) = words(line).find(|word| matches!(*word, "f32" | "f64")) {
                checked.look(Some(format!("{place}: `{word}`")));
            }
            if let Some(literal) = float_literals(line).first().filter(|_| core) {
                checked.look(Some(format!("{place}: `{literal}` is a float")));
            }
        }
        checked.look(None);
    }
    Ok(checked)
}

/// No test is switched off.
pub fn ignored_tests(tree: &Tree) -> Result<Checked> {
    let mut checked = Checked::default();
    for file in tree.files().filter(|file| file.ends_with(".rs")) {
        let code: String = code_only(&tree.text(file)?).split_whitespace().collect();
        let ignored = code.contains("#[ignore") || code.contains(",ignore)]") || code.contains(",ignore=");
        checked.look(ignored.then(|| format!("{file} has an ignored test")));
    }
    Ok(checked)
}

/// No path that exists on one machine only.
pub fn machine_paths(tree: &Tree) -> Result<Checked> {
    let mut checked = Checked::default();
    for file in tree.files() {
        let Some(text) = tree.text_if_any(file)? else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = machine_path(line);
            checked.findings.extend(found.map(|path| format!("{file}:{}: `{path}`", number + 1)));
        }
        checked.look(None);
    }
    Ok(checked)
}

/// No relative link of a page leads nowhere, and no path between backticks.
pub fn links(tree: &Tree) -> Result<Checked> {
    let mut checked = Checked::default();
    for file in tree.files().filter(|file| file.ends_with(".md")) {
        let page = tree.text(file)?;
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        let linked = link_targets(&page).into_iter().map(|target| (folder.join(&target), target));
        let named = named_paths(&page).into_iter().map(|path| (PathBuf::from(&path), path));
        for (path, target) in linked.chain(named) {
            let missing = !tree.root().join(path).exists();
            checked.look(missing.then(|| format!("{file}: there is no `{target}`")));
        }
    }
    Ok(checked)
}

/// What stands between backticks and begins with a folder of the project; patterns and placeholders are none.
fn named_paths(page: &str) -> Vec<String> {
    let spans = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    spans
        .filter(|span| NAMED_FOLDERS.iter().any(|folder| span.starts_with(folder)))
        .filter(|span| {
            !span.contains(['*', ' ', '<', '…', '{']) && !span.chars().any(|c| c.is_ascii_uppercase())
        })
        .map(str::to_owned)
        .collect()
}

/// The files that the links of a page name, without anchors; links to other sites and inside the page are none.
fn link_targets(page: &str) -> Vec<String> {
    let linked = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    linked
        .filter(|target| !target.contains("://") && !target.starts_with(['#', '<']) && !target.contains(' '))
        .filter_map(|target| target.split('#').next())
        .map(str::to_owned)
        .collect()
}

fn machine_path(line: &str) -> Option<String> {
    MACHINE_FOLDERS.into_iter().map(|folder| format!("/{folder}/")).find(|path| {
        line.match_indices(path.as_str()).any(|(at, _)| {
            !line[..at].ends_with(|before: char| {
                before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '}' | ')')
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_other_sites_are_not_followed() {
        let page = "[a](b/c.md#d) ![e](f.png) [g](https://h.example/i) [j](#k)";
        assert_eq!(link_targets(page), ["b/c.md", "f.png"]);
    }

    #[test]
    fn paths_between_backticks_are_named() {
        let page = "`crates/a/src/b.rs` `crates/*/x` `a/b` and `docs/format.md` §11\n```sh\nspec/no.md\n```";
        assert_eq!(named_paths(page), ["crates/a/src/b.rs", "docs/format.md"]);
    }

    #[test]
    fn only_absolute_paths_are_found() {
        let check = |line: String, found: bool| assert_eq!(machine_path(&line).is_some(), found, "{line}");
        for folder in MACHINE_FOLDERS {
            check(format!("see /{folder}/somebody/x"), true);
            check(format!("`/{folder}/x`"), true);
            check(format!("https://example.com/{folder}/x"), false);
            check(format!("target/{folder}/x"), false);
        }
    }
}
