//! Every ban fires: clippy runs over tiny crates that have the core's header and one offending line each.

use std::fs;

use anyhow::{Context, Result, bail};

use super::headers::{self, CORE_LINTS};
use super::probes::{PROBES, Probe};
use super::{CORE, Checked};
use crate::manifest;
use crate::process::{Cargo, Finished};
use crate::tree::Tree;

const FOLDER: &str = "target/guards";
/// The crate without an offending line, which must be clean.
const CONTROL: &str = "control";

/// Writes the crates, runs clippy once over all of them, and looks for the error of each.
pub fn check(tree: &Tree) -> Result<Checked> {
    let mut checked = Checked::default();
    for missing in without_probe(tree)? {
        checked.look(Some(format!(
            "`{missing}` is banned, and no probe in xtask/src/guards/probes.rs breaks the ban"
        )));
    }
    let finished = lint(tree)?;
    if errors(&finished, CONTROL).next().is_some() || !finished.text.contains(CONTROL) {
        bail!("clippy does not pass the crate without an offending line:\n{}", finished.text);
    }
    for (number, probe) in PROBES.iter().enumerate() {
        let fired = errors(&finished, &name(number)).any(|error| {
            error.contains(&format!("\"code\":\"{}\"", probe.lint))
                && probe.ban.is_none_or(|ban| error.contains(&format!("`{ban}`")))
        });
        let what = probe.ban.unwrap_or(probe.lint);
        checked.look((!fired).then(|| format!("`{what}` does not fire on: {}", probe.code)));
    }
    Ok(checked)
}

/// Bans and denied lints that no probe breaks.
fn without_probe(tree: &Tree) -> Result<Vec<String>> {
    let settings = tree.text("clippy.toml")?;
    let bans = settings.lines().filter_map(|line| line.split_once("path = \"")?.1.split('"').next());
    let root = tree.text("Cargo.toml")?;
    let levels = manifest::tables(&root, "workspace.lints.rust");
    let denied =
        levels.lines().filter_map(|line| line.split_once(" = \"deny\"")).map(|(lint, _)| lint.trim());
    let lints = CORE_LINTS.into_iter().filter(|lint| !lint.contains("disallowed"));
    let has_ban = |ban: &str| PROBES.iter().any(|probe| probe.ban == Some(ban));
    let has_lint = |lint: &str| PROBES.iter().any(|probe| probe.ban.is_none() && probe.lint == lint);
    let missing: Vec<String> = bans
        .filter(|ban| !has_ban(ban))
        .chain(denied.chain(lints).filter(|lint| !has_lint(lint)))
        .map(str::to_owned)
        .collect();
    Ok(missing)
}

fn lint(tree: &Tree) -> Result<Finished> {
    let folder = tree.root().join(FOLDER).join("probes");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("could not remove the probes of an earlier run")?;
    }
    let header = headers::core_header(&tree.text(&format!("crates/{}/src/lib.rs", CORE[0]))?);
    let levels = manifest::tables(&tree.text("Cargo.toml")?, "workspace.");
    let mut members = vec![(CONTROL.to_owned(), String::new())];
    members.extend(PROBES.iter().enumerate().map(|(number, probe)| (name(number), documented(probe))));
    for (member, code) in &members {
        let source = folder.join(member).join("src");
        fs::create_dir_all(&source)?;
        fs::write(source.join("lib.rs"), format!("//! A probe.\n{header}\n{code}\n"))?;
        fs::write(
            folder.join(member).join("Cargo.toml"),
            format!(
                "[package]\nname = \"{member}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lints]\nworkspace = true\n"
            ),
        )?;
    }
    let lints = lint_levels(&levels);
    fs::write(
        folder.join("Cargo.toml"),
        format!("[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n\n{lints}"),
    )?;
    Cargo::new("clippy --workspace --offline --keep-going --quiet --message-format json")
        .env("CLIPPY_CONF_DIR", tree.root().display().to_string())
        .env("CARGO_TARGET_DIR", tree.root().join(FOLDER).join("target").display().to_string())
        .finish(&folder)
}

/// Of the root's `[workspace.…]` tables, those that set lint levels.
fn lint_levels(tables: &str) -> String {
    manifest::tables(tables, "lints.")
        .lines()
        .map(|line| match line.strip_prefix('[') {
            Some(name) => format!("[workspace.lints.{name}\n"),
            None => format!("{line}\n"),
        })
        .collect()
}

fn documented(probe: &Probe) -> String {
    let doc = if probe.lint == "missing_docs" { "" } else { "/// A probe.\n" };
    format!("{doc}{}", probe.code)
}

fn name(number: usize) -> String {
    format!("probe{number:02}")
}

/// The errors that clippy reports about one crate, a JSON object each.
fn errors<'a>(finished: &'a Finished, member: &str) -> impl Iterator<Item = &'a str> {
    let target = format!("\"name\":\"{member}\"");
    finished.text.lines().filter(move |line| {
        line.contains("\"reason\":\"compiler-message\"")
            && line.contains(&target)
            && line.contains("\"level\":\"error\"")
    })
}
