//! The copy of the working tree that bugs are planted in.
//!
//! There is one, brought back to the tree before each plant: only files that differ are written, so that cargo builds
//! again only what a patch touched. The tree is read once, so that who edits it meanwhile disturbs nothing.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
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
    wanted: BTreeMap<PathBuf, (Vec<u8>, Permissions)>,
}

impl<'a> TreeCopy<'a> {
    /// Reads a tree; its copy may not be there yet.
    pub fn read(tree: &'a Tree) -> Result<Self> {
        let mut wanted = BTreeMap::new();
        for relative in tree.files() {
            let path = tree.root().join(relative);
            let content = fs::read(&path).with_context(|| format!("could not read `{relative}`"))?;
            wanted.insert(PathBuf::from(relative), (content, fs::metadata(&path)?.permissions()));
        }
        Ok(Self { tree, root: tree.root().join(FOLDER), wanted })
    }

    /// Where the copy is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the tree is that it is a copy of.
    pub fn tree_root(&self) -> &Path {
        self.tree.root()
    }

    /// Makes it equal to the tree as it was read.
    pub fn refresh(&self) -> Result<()> {
        fs::create_dir_all(&self.root).context("could not make the copy's folder")?;
        for path in files_below(&self.root)? {
            if !path.strip_prefix(&self.root).is_ok_and(|relative| self.wanted.contains_key(relative)) {
                fs::remove_file(&path)?;
            }
        }
        for (relative, (content, permissions)) in &self.wanted {
            let target = self.root.join(relative);
            if fs::read(&target).ok().as_ref() == Some(content) {
                continue;
            }
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&target, content)?;
            fs::set_permissions(&target, permissions.clone())?;
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
