//! The guards: what a reader would have to check by hand, checked by reading files and by running clippy.

mod arrows;
mod bans;
mod headers;
mod probes;
mod sizes;
mod text;

use anyhow::{Result, bail};

use crate::tree::Tree;

/// The crates that are pure; see `STYLE.md`.
pub const CORE: [&str; 5] = ["money", "metering", "rating", "ledger", "invoicing"];

/// What a guard looked at and what it found.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many things it looked at; none is a failure too.
    pub looked_at: usize,
    /// What is wrong, each with its place.
    pub findings: Vec<String>,
}

impl Checked {
    /// Counts one thing, and notes what is wrong with it.
    pub fn look(&mut self, finding: Option<String>) {
        self.looked_at += 1;
        self.findings.extend(finding);
    }
}

type Guard = (&'static str, fn(&Tree) -> Result<Checked>);

const GUARDS: [Guard; 9] = [
    ("every ban fires", bans::check),
    ("core and shell have their headers", headers::check),
    ("dependencies follow ARCHITECTURE.md", arrows::check),
    ("no float in any crate", text::floats),
    ("no ignored test", text::ignored_tests),
    ("no path of a machine", text::machine_paths),
    ("no link to nowhere", text::links),
    ("no file over 800 lines", sizes::files),
    ("at most 300 locked packages", sizes::packages),
];

/// Runs all guards and prints what they found.
pub fn run(tree: &Tree) -> Result<()> {
    let mut broken = 0;
    for (name, guard) in GUARDS {
        let mut checked = guard(tree)?;
        if checked.looked_at == 0 {
            checked.findings.push("the guard found nothing to look at".to_owned());
        }
        let verdict = if checked.findings.is_empty() { "ok" } else { "FAILED" };
        println!("{verdict:<6}  {name} ({} looked at)", checked.looked_at);
        checked.findings.iter().for_each(|finding| println!("        {finding}"));
        broken += usize::from(!checked.findings.is_empty());
    }
    if broken > 0 { bail!("{broken} of {} guards failed", GUARDS.len()) } else { Ok(()) }
}
