//! `cargo xtask bench`: the same work by ours and by others on the same file, and a page with the figures.

mod chance;
mod contest;
mod events;
mod files;
mod measure;
mod numbers;
mod options;
mod ours;
mod page;
mod peers;

use anyhow::{Result, bail};

use self::contest::Contest;
pub use self::events::{Wish, write as write_events};
use self::options::{Command, Options};
use self::ours::Ours;
use self::peers::Peers;
use crate::tree::Tree;

/// Runs it with the words after `bench`.
pub fn run(tree: &Tree, words: &[&str]) -> Result<()> {
    match options::parse(words)? {
        Command::Help => {
            println!("{}", options::HELP);
            Ok(())
        }
        Command::Generate(wanted) => {
            let made = files::generate(tree, &wanted)?;
            println!("{} events, {} copies, {} bytes", made.events, made.copies, made.bytes);
            Ok(())
        }
        Command::Contest(options) => contest(tree, &options),
    }
}

fn contest(tree: &Tree, options: &Options) -> Result<()> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    if !load.starts_with("0.") {
        eprintln!(
            "warning: others are at work on this machine (load {}), so the figures will be poor",
            load.trim()
        );
    }
    let ours = Ours::build(tree)?;
    let peers = Peers::find(tree, options)?;
    let mut sections = Vec::new();
    for file in files::wanted(tree, options, &peers)? {
        let section = Contest { ours: &ours, peers: &peers, pairs: options.pairs }.hold(&file)?;
        println!("{}\n", page::section(&section));
        sections.push(section);
    }
    if options.page {
        page::write(tree, &page::generated(tree, options, &peers, &sections)?)?;
    }
    let disagreed: Vec<&str> =
        sections.iter().filter(|section| !section.agreed()).map(|s| s.title()).collect();
    if disagreed.is_empty() { Ok(()) } else { bail!("the answers differ on {}", disagreed.join(", ")) }
}
