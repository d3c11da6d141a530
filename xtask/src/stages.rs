//! `cargo xtask stages`: what each stage of the path of an event costs, alone.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::bench::{Wish, write_events};
use crate::process::{self, Cargo};
use crate::tree::Tree;

const HELP: &str = "\
cargo xtask stages [--events N] [--rounds N]

  --events N   events of the file that goes through each stage, default 131_072
  --rounds N   of which the median is told, default 9";

/// The program and a file for it.
#[derive(Debug)]
pub struct Program {
    /// The built program.
    pub binary: PathBuf,
    /// Events, one a line.
    pub file: PathBuf,
}

/// A line of what the program prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The stage.
    pub name: String,
    /// What is counted: events, cells, identities.
    pub of: String,
    /// The figure.
    pub figure: String,
}

/// Runs it with the words after `stages`.
pub fn run(tree: &Tree, words: &[&str]) -> Result<()> {
    let (mut events, mut rounds) = (131_072, 9);
    for pair in words.chunks(2) {
        let number = |text: &str| -> Result<u64> {
            text.replace('_', "").parse().with_context(|| format!("expected a number, found `{text}`"))
        };
        match pair {
            ["--events", count] => events = number(count)?,
            ["--rounds", count] => rounds = number(count)?,
            ["--help"] => {
                println!("{HELP}");
                return Ok(());
            }
            _ => bail!("unknown word `{}`\n\n{HELP}", pair[0]),
        }
    }
    let program = Program::build(tree, events)?;
    let lines = program.print(tree, &rounds.to_string())?;
    println!("{:<33} {:>8}  nanoseconds", "stage", "of");
    for Line { name, of, figure } in lines {
        println!("{name:<33} {of:>8}  {figure:>11}");
    }
    Ok(())
}

impl Program {
    /// Builds it and makes a file of so many events, shaped as those of `cargo xtask bench`.
    pub fn build(tree: &Tree, events: u64) -> Result<Self> {
        let built =
            Cargo::new("build --release --locked --package sim --example stages").stream(tree.root())?;
        ensure!(built, "the program was not built");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(tree.root().join("target"), PathBuf::from);
        let folder = target.join("bench");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("stages-{events}.ndjson"));
        write_events(&Wish { events, seed: 1, odd_percent: 0 }, &mut File::create(&file)?)?;
        Ok(Self { binary: target.join("release/examples/stages"), file })
    }

    /// What it prints with a last word.
    fn print(&self, tree: &Tree, word: &str) -> Result<Vec<Line>> {
        let words = [&*self.file.to_string_lossy(), word];
        lines(&process::output(&self.binary.to_string_lossy(), &words, tree.root())?)
    }
}

/// The lines that the program printed.
pub fn lines(text: &str) -> Result<Vec<Line>> {
    let line = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [name, of, figure] => {
            Ok(Line { name: name.to_owned(), of: of.to_owned(), figure: figure.to_owned() })
        }
        _ => bail!("expected a stage, what is counted and a figure, found `{line}`"),
    };
    text.lines().map(line).collect()
}
