//! The working tree: its root and the files that belong to the project.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;

/// The working tree.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    files: Vec<String>,
}

impl Tree {
    /// The tree that this program was built from: tracked files and new ones that are not ignored.
    pub fn here() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies in the workspace's root")?
            .to_path_buf();
        let listed =
            process::output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"], &root)?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|name| !name.is_empty() && root.join(name).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        if files.is_empty() {
            bail!("git lists no file in `{}`", root.display());
        }
        Ok(Self { root, files })
    }

    /// The folder that holds the workspace's `Cargo.toml`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All files of the project, relative to the root, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Files under a folder with an ending.
    pub fn under<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = &'a str> {
        self.files().filter(move |name| name.starts_with(folder) && name.ends_with(ending))
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.root.join(name)).with_context(|| format!("could not read `{name}`"))
    }

    /// The text of a file, or nothing where it is not UTF-8.
    pub fn text_if_any(&self, name: &str) -> Result<Option<String>> {
        let bytes = fs::read(self.root.join(name)).with_context(|| format!("could not read `{name}`"))?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// The names of the crates under `crates/`, sorted.
    pub fn crates(&self) -> Vec<String> {
        self.files()
            .filter_map(|name| name.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }
}
