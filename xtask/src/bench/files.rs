//! The files that are measured: given ones, or generated ones in `target/bench/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::events::{self, Made, Wish};
use super::measure::Program;
use super::options::{Options, Wanted};
use super::peers::{Peers, folder};
use crate::tree::Tree;

const PARQUET: &str = include_str!("peers/parquet.py");

/// A file to measure.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The section's title.
    pub title: String,
    /// Where it lies.
    pub path: PathBuf,
    /// How it is made again; nothing of a file that was given.
    pub command: Option<String>,
}

impl Subject {
    /// Whether it is Parquet, by its name.
    pub fn is_parquet(&self) -> bool {
        is_parquet(&self.path)
    }

    /// Its length.
    pub fn bytes(&self) -> Result<u64> {
        let read = fs::metadata(&self.path);
        Ok(read.with_context(|| format!("could not read `{}`", self.path.display()))?.len())
    }
}

/// Makes a file.
pub fn generate(tree: &Tree, wanted: &Wanted) -> Result<Made> {
    if !is_parquet(&wanted.out) {
        return write_lines(&wanted.wish, &wanted.out);
    }
    let python = super::peers::python_with(tree, wanted.python.as_deref(), &["duckdb", "pyarrow"])?;
    write_parquet(&python, wanted)
}

/// The files of a run, each made unless it is there already.
pub fn wanted(tree: &Tree, options: &Options, peers: &Peers) -> Result<Vec<Subject>> {
    if !options.files.is_empty() {
        return options.files.iter().map(|path| given(path)).collect();
    }
    let folder = folder(tree)?;
    let Options { events, parquet_events, seed, .. } = *options;
    let wishes = [
        ("NDJSON", Wish { events, seed, odd_percent: 0 }, "ndjson"),
        ("NDJSON, 5 % of the lines in another form", Wish { events, seed, odd_percent: 5 }, "ndjson"),
        ("Parquet", Wish { events: parquet_events, seed, odd_percent: 0 }, "parquet"),
    ];
    let mut subjects = Vec::new();
    for (title, wish, ending) in wishes {
        let name = format!("events-{}-seed{}-odd{}.{ending}", wish.events, wish.seed, wish.odd_percent);
        let mut command = format!("cargo xtask bench gen --events {} --seed {}", wish.events, wish.seed);
        if wish.odd_percent > 0 {
            command.push_str(&format!(" --odd {}", wish.odd_percent));
        }
        command.push_str(&format!(" --out {name}"));
        let path = folder.join(&name);
        if !path.exists() {
            eprintln!("making {name}");
            let wanted = Wanted { wish, out: path.clone(), pages: "1.0", unit: "ms", python: None };
            if ending == "parquet" {
                let Some(python) = peers.python_with_pyarrow() else {
                    eprintln!("skipped {title}: no Python with duckdb and pyarrow to make it");
                    continue;
                };
                write_parquet(python, &wanted)?;
            } else {
                write_lines(&wanted.wish, &wanted.out)?;
            }
        }
        subjects.push(Subject { title: title.to_owned(), path, command: Some(command) });
    }
    Ok(subjects)
}

fn given(path: &Path) -> Result<Subject> {
    let name = path.file_name().context("expected the name of a file")?.to_string_lossy().into_owned();
    let subject = Subject { title: name, path: path.to_path_buf(), command: None };
    subject.bytes()?;
    Ok(subject)
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "parquet")
}

/// Under another name first: a file that is there is whole.
fn write_lines(wish: &Wish, out: &Path) -> Result<Made> {
    let part = out.with_extension("part");
    let mut file = File::create(&part).with_context(|| format!("could not create `{}`", part.display()))?;
    let made = events::write(wish, &mut file)?;
    drop(file);
    fs::rename(&part, out)?;
    Ok(made)
}

fn write_parquet(python: &Path, wanted: &Wanted) -> Result<Made> {
    let lines = wanted.out.with_extension("lines");
    let mut made = write_lines(&wanted.wish, &lines)?;
    let part = wanted.out.with_extension("part");
    let (from, to) = (lines.display().to_string(), part.display().to_string());
    let run = Program::new(python, ["-I", "-c", PARQUET, &from, &to, wanted.pages, wanted.unit]).run()?;
    fs::remove_file(&lines)?;
    if run.status != Some(0) {
        bail!("no Parquet was made: {}", run.complaint());
    }
    fs::rename(&part, &wanted.out)?;
    made.bytes = fs::metadata(&wanted.out)?.len();
    Ok(made)
}
