//! Chores of the repository: `cargo xtask COMMAND`.

#![forbid(unsafe_code)]

mod bench;
mod guards;
mod instructions;
mod manifest;
mod plants;
mod process;
mod source;
mod stages;
mod tree;

use anyhow::{Result, bail};

use crate::process::Cargo;
use crate::tree::Tree;

const HELP: &str = "\
cargo xtask COMMAND

  guards            breaks every ban on purpose; checks headers, arrows, sizes, floats, paths
  plant NAME|all    applies a planted bug to a copy of the tree; its test must turn red
  plant --list      names the planted bugs
  bench             the same work by ours and by others on the same file; `bench --help`
  stages            nanoseconds an event of each stage of its path, alone; `stages --help`
  instructions      instructions of each stage, counted by valgrind; a tenth more than before fails
                    --accept takes them as the new counts
  docs              builds the documentation, warnings are errors
  ci [JOB]          what the build server runs: .ci/run
  compat            reserved: data folders of released versions";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = run(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn run(words: &[&str]) -> Result<()> {
    let tree = Tree::here()?;
    match words {
        ["guards"] => guards::run(&tree),
        ["plant", "--list"] => plants::list(&tree),
        ["plant", name] => plants::run(&tree, name),
        ["bench", rest @ ..] => bench::run(&tree, rest),
        ["stages", rest @ ..] => stages::run(&tree, rest),
        ["instructions"] => instructions::run(&tree, false),
        ["instructions", "--accept"] => instructions::run(&tree, true),
        ["docs"] => docs(&tree),
        ["ci", job @ ..] => ci(&tree, job),
        ["compat"] => bail!("no version is released yet, so there is no folder of an older one to open"),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => bail!("unknown command `{}`\n\n{HELP}", words.join(" ")),
    }
}

fn docs(tree: &Tree) -> Result<()> {
    let done = Cargo::new("doc --workspace --no-deps --locked")
        .env("RUSTDOCFLAGS", "-D warnings")
        .stream(tree.root())?;
    if done { Ok(()) } else { bail!("the documentation has warnings") }
}

fn ci(tree: &Tree, job: &[&str]) -> Result<()> {
    let status = std::process::Command::new(tree.root().join(".ci/run"))
        .args(job)
        .current_dir(tree.root())
        .status()?;
    if status.success() { Ok(()) } else { bail!(".ci/run failed") }
}
