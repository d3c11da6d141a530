//! Ours: the release binary, run as a user runs it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::files::Subject;
use super::measure::{Measured, Program, settle};
use super::numbers::fields;
use super::peers::folder;
use crate::process::Cargo;
use crate::tree::Tree;

/// The binary and its world.
#[derive(Debug)]
pub struct Ours {
    binary: PathBuf,
    world: PathBuf,
    store: PathBuf,
    parquet: bool,
}

/// What a run of ours answered, and at which cost.
#[derive(Clone, Debug)]
pub struct Run {
    /// Of `ingest`, from start to end.
    pub wall_ms: u64,
    /// The most resident memory of `ingest`.
    pub peak_kb: u64,
    /// Over all meters.
    pub count: i128,
    /// Over all meters.
    pub sum: i128,
    /// As `ingest` printed them.
    pub fates: Fates,
    /// When `ingest` had ended.
    pub disk: Disk,
}

/// Records by what became of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fates {
    /// All.
    pub received: u64,
    /// Counted.
    pub accepted: u64,
    /// Known already, with the same content.
    pub duplicate: u64,
    /// Known already, with other content.
    pub conflict: u64,
    /// Not to be counted.
    pub rejected: u64,
}

/// Bytes of a store by part.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Disk {
    /// The folder `log`.
    pub log: u64,
    /// The folder `index`.
    pub index: u64,
    /// The folder `cells`.
    pub cells: u64,
    /// The tables with their journals.
    pub tables: u64,
    /// All else.
    pub rest: u64,
}

impl Ours {
    /// Builds the binary, unless one is named by `COUNTERFOIL_BIN`.
    pub fn build(tree: &Tree) -> Result<Self> {
        let binary = match std::env::var_os("COUNTERFOIL_BIN") {
            Some(named) => PathBuf::from(named),
            None => {
                let built =
                    Cargo::new("build --release --locked --package counterfoil").stream(tree.root())?;
                ensure!(built, "the binary was not built");
                tree.root().join("target/release/counterfoil")
            }
        };
        let help = Program::new(&binary, ["ingest", "--help"]).run()?;
        ensure!(help.status == Some(0), "`{}` does not run: {}", binary.display(), help.complaint());
        Ok(Self {
            binary,
            world: tree.root().join("examples/bench-world"),
            store: folder(tree)?.join(format!("store-{}", std::process::id())),
            parquet: help.stdout.to_lowercase().contains("parquet"),
        })
    }

    /// Whether this build reads the file.
    pub fn reads(&self, subject: &Subject) -> bool {
        self.parquet || !subject.is_parquet()
    }

    /// Counts a file in a fresh store, which is removed again; only `ingest` is timed.
    pub fn count(&self, subject: &Subject) -> Result<Run> {
        self.in_fresh_store(|| self.ingest(subject))
    }

    /// Counts a file and has the store verified; what lies on disk then.
    pub fn verify(&self, subject: &Subject) -> Result<Disk> {
        self.in_fresh_store(|| {
            self.ingest(subject)?;
            self.done("verify", &["verify"])?;
            Disk::of(&self.store)
        })
    }

    fn ingest(&self, subject: &Subject) -> Result<Run> {
        self.done("apply", &["apply", "-f", &self.world.display().to_string()])?;
        settle();
        let ingested = self.run(&["ingest", &subject.path.display().to_string()])?;
        // 1 says that some lines were refused, which the fates tell.
        let ended = matches!(ingested.status, Some(0 | 1));
        ensure!(ended, "ingest failed: {}", ingested.complaint());
        let disk = Disk::of(&self.store)?;
        let used = self.done("usage", &["usage", "--total", "--format", "json"])?;
        Ok(Run {
            wall_ms: ingested.wall_ms,
            peak_kb: ingested.peak_kb,
            count: fields(&used.stdout, "count").iter().sum(),
            sum: fields(&used.stdout, "sum").iter().sum(),
            fates: Fates::printed(&ingested.stdout)?,
            disk,
        })
    }

    fn in_fresh_store<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.store.exists() {
            fs::remove_dir_all(&self.store)?;
        }
        let done = work();
        if self.store.exists() {
            fs::remove_dir_all(&self.store)?;
        }
        settle();
        done
    }

    fn done(&self, name: &str, arguments: &[&str]) -> Result<Measured> {
        let run = self.run(arguments)?;
        ensure!(run.status == Some(0), "{name} failed: {}", run.complaint());
        Ok(run)
    }

    fn run(&self, arguments: &[&str]) -> Result<Measured> {
        let store = self.store.display().to_string();
        Program::new(&self.binary, ["--data", &store].iter().chain(arguments).copied()).run()
    }
}

impl Fates {
    /// From the table of `ingest`: the last line ends with five numbers.
    fn printed(table: &str) -> Result<Self> {
        let line =
            table.lines().rev().find(|line| !line.trim().is_empty()).context("ingest printed nothing")?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers: Vec<u64> =
            words.iter().rev().map_while(|word| word.replace(',', "").parse().ok()).take(5).collect();
        let [rejected, conflict, duplicate, accepted, received] = numbers[..] else {
            anyhow::bail!("expected five fates, found `{line}`");
        };
        Ok(Self { received, accepted, duplicate, conflict, rejected })
    }
}

impl Disk {
    /// All parts.
    pub fn total(&self) -> u64 {
        self.log + self.index + self.cells + self.tables + self.rest
    }

    /// Of a store that nobody writes to.
    fn of(store: &Path) -> Result<Self> {
        let mut disk = Self::default();
        for entry in fs::read_dir(store)? {
            let entry = entry?;
            let bytes = bytes_under(&entry.path())?;
            let name = entry.file_name();
            match name.to_string_lossy().as_ref() {
                "log" => disk.log += bytes,
                "index" => disk.index += bytes,
                "cells" => disk.cells += bytes,
                name if name.starts_with("tables.db") => disk.tables += bytes,
                _ => disk.rest += bytes,
            }
        }
        Ok(disk)
    }
}

/// Lengths of files, or the blocks they occupy where these are more: space that was only reserved counts.
fn bytes_under(path: &Path) -> Result<u64> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Ok(about.len().max(about.blocks() * 512));
    }
    fs::read_dir(path)?.map(|entry| bytes_under(&entry?.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_the_numbers_at_the_end() {
        let table = "feed          received  accepted  duplicate  conflict  rejected\n\
                     ------------  --------  --------  ---------  --------  --------\n\
                     my 7 e.ndjson  100,000    98,025      1,974         1         0\n\n";
        let fates = Fates { received: 100_000, accepted: 98_025, duplicate: 1_974, conflict: 1, rejected: 0 };
        assert_eq!(Fates::printed(table).unwrap(), fates);
        assert!(Fates::printed("all agrees").is_err());
    }
}
