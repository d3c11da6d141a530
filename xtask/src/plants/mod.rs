//! Planted bugs: each patch, applied to a copy of the tree, must turn the test that it names red.

mod copy;
mod patch;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::copy::TreeCopy;
use self::patch::{Patch, Red};
use crate::process::Cargo;
use crate::tree::Tree;

const TARGET: &str = "target/plants-target";

/// Names the plants and what each breaks.
pub fn list(tree: &Tree) -> Result<()> {
    for patch in patches(tree)? {
        println!("{:<28} {}", patch.name, patch.breaks);
    }
    Ok(())
}

/// Tries one plant, or all of them.
pub fn run(tree: &Tree, name: &str) -> Result<()> {
    let all = patches(tree)?;
    let chosen: Vec<Patch> = all.into_iter().filter(|patch| name == "all" || patch.name == name).collect();
    if chosen.is_empty() {
        bail!("there is no plant `{name}`; `cargo xtask plant --list` names them");
    }
    let copy = TreeCopy::read(tree)?;
    copy.refresh()?;
    untouched_is_green(&copy, &chosen)?;
    let mut failed = Vec::new();
    for patch in &chosen {
        let start = Instant::now();
        let verdict = try_one(&copy, patch);
        let seconds = start.elapsed().as_secs();
        match &verdict {
            Ok(()) => println!("red     {:<28} {seconds:>4} s  {}", patch.name, patch.breaks),
            Err(why) => println!("FAILED  {:<28} {seconds:>4} s  {why:#}", patch.name),
        }
        if verdict.is_err() {
            failed.push(patch.name.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} plants failed: {}", failed.len(), chosen.len(), failed.join(", "));
    }
    println!("{} plants, each turned its test red", chosen.len());
    Ok(())
}

fn patches(tree: &Tree) -> Result<Vec<Patch>> {
    tree.under("plants/", ".patch").map(|path| Patch::read(path, &tree.text(path)?)).collect()
}

/// Without a bug every named command must pass, or a red one would prove nothing.
fn untouched_is_green(copy: &TreeCopy, patches: &[Patch]) -> Result<()> {
    let commands: BTreeSet<&Red> = patches.iter().flat_map(|patch| &patch.reds).collect();
    for red in commands {
        let start = Instant::now();
        let finished = cargo(&red.words, copy).finish(copy.root())?;
        if !finished.success {
            bail!("`{red}` fails without a planted bug:\n{}", last_lines(&finished.text));
        }
        println!("green   {red} ({} s, nothing planted)", start.elapsed().as_secs());
    }
    Ok(())
}

fn try_one(copy: &TreeCopy, patch: &Patch) -> Result<()> {
    copy.refresh()?;
    copy.apply(&patch.path)?;
    let outcome = must_turn_red(copy, patch);
    copy.refresh()?;
    outcome
}

fn must_turn_red(copy: &TreeCopy, patch: &Patch) -> Result<()> {
    let mut seen = String::new();
    for red in &patch.reds {
        let compiled = cargo(&red.compile(), copy).finish(copy.root())?;
        if !compiled.success {
            bail!("the patched tree does not compile (`{}`):\n{}", red.compile(), last_lines(&compiled.text));
        }
        let finished = cargo(&red.words, copy).finish(copy.root())?;
        if finished.success {
            bail!("`{red}` stays green");
        }
        if red.is_test() && !finished.text.contains("test result: FAILED") {
            bail!("`{red}` fails, but not by a failing test:\n{}", last_lines(&finished.text));
        }
        seen.push_str(&finished.text);
    }
    if let Some(text) = patch.shows.iter().find(|text| !shows(&seen, text)) {
        bail!("it fails without showing `{text}`:\n{}", last_lines(&seen));
    }
    Ok(())
}

/// Whether one line of the output holds all parts of a text, `…` standing for anything.
fn shows(output: &str, text: &str) -> bool {
    output.lines().any(|line| {
        let mut rest = Some(line);
        for part in text.split('…').map(str::trim) {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, after)| after);
        }
        rest.is_some()
    })
}

fn cargo(words: &str, copy: &TreeCopy) -> Cargo {
    Cargo::new(words)
        .env("CARGO_TARGET_DIR", copy.tree_root().join(TARGET).display().to_string())
        .env("PROPTEST_FAILURE_PERSISTENCE", "off")
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

impl Patch {
    fn read(path: &str, text: &str) -> Result<Self> {
        Self::parse(path, text).with_context(|| format!("the header of {path} is off"))
    }
}

#[cfg(test)]
mod tests {
    use super::shows;

    #[test]
    fn parts_of_a_text_stand_in_one_line_in_order() {
        let check = |text: &str, found: bool| {
            assert_eq!(shows("running\ntest a::edge ... FAILED\ntest b ... ok\n", text), found, "{text}");
        };
        check("a::edge … FAILED", true);
        check("edge", true);
        check("FAILED … edge", false);
        check("b … FAILED", false);
    }
}
