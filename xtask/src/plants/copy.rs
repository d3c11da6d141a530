//! The copy of the working tree that bugs are planted in.
//!
//! There is one, brought up to date before each plant: only files that differ are written, so that cargo builds
//! again only what a patch touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tree::Tree;

const FOLDER: &str = "target/plants/tree";

/// The copy.
#[derive(Debug)]
pub struct TreeCopy<'a> {
    tree: &'a Tree,
    root: PathBuf,
}

impl<'a> TreeCopy<'a> {
    /// The copy of a tree, which may not be there yet.
    pub fn new(tree: &'a Tree) -> Self {
        Self { tree, root: tree.root().join(FOLDER) }
    }

    /// Where the copy is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the tree is that it is a copy of.
    pub fn tree_root(&self) -> &Path {
        self.tree.root()
    }

    /// Makes it equal to the working tree.
    pub fn refresh(&self) -> Result<()> {
        fs::create_dir_all(&self.root).context("could not make the copy's folder")?;
        let wanted: BTreeSet<PathBuf> = self.tree.files().map(PathBuf::from).collect();
        for path in files_below(&self.root)? {
            if !path.strip_prefix(&self.root).is_ok_and(|relative| wanted.contains(relative)) {
                fs::remove_file(&path)?;
            }
        }
        for relative in &wanted {
            let content = fs::read(self.tree.root().join(relative))?;
            let target = self.root.join(relative);
            if fs::read(&target).ok().as_ref() == Some(&content) {
                continue;
            }
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&target, &content)?;
            fs::set_permissions(&target, fs::metadata(self.tree.root().join(relative))?.permissions())?;
        }
        Ok(())
    }

    /// Applies a patch of the tree to the copy, exactly: no fuzz, nothing skipped.
    pub fn apply(&self, patch: &str) -> Result<()> {
        let output = Command::new("git")
            .args(["apply", "--verbose", "--whitespace=nowarn"])
            .arg(self.tree.root().join(patch))
            .current_dir(&self.root)
            // The copy lies in an ignored folder of the repository: without this git would skip its files.
            .env("GIT_CEILING_DIRECTORIES", self.root.parent().unwrap_or(&self.root))
            .output()
            .context("could not run git")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || said.contains("Skipped patch") || !said.contains("cleanly") {
            bail!("{patch} no longer applies: {}", said.trim());
        }
        Ok(())
    }
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}
