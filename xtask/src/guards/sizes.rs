//! Sizes: lines a file, packages in the lock file.

use anyhow::Result;

use super::Checked;
use crate::tree::Tree;

const LINES_MAX: usize = 800;
const PACKAGES_MAX: usize = 300;

/// No Rust file is over the limit.
pub fn files(tree: &Tree) -> Result<Checked> {
    let mut checked = Checked::default();
    for file in tree.files().filter(|file| file.ends_with(".rs")) {
        let lines = tree.text(file)?.lines().count();
        checked.look((lines > LINES_MAX).then(|| format!("{file} has {lines} lines")));
    }
    Ok(checked)
}

/// The lock file has at most so many packages.
pub fn packages(tree: &Tree) -> Result<Checked> {
    let packages = tree.text("Cargo.lock")?.lines().filter(|line| *line == "[[package]]").count();
    let findings = if packages > PACKAGES_MAX {
        vec![format!("Cargo.lock has {packages} packages")]
    } else {
        Vec::new()
    };
    Ok(Checked { looked_at: packages, findings })
}
