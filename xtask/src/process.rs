//! Other programs: run, with their output kept or passed on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What a program did.
#[derive(Debug)]
pub struct Finished {
    /// Whether it ended with status 0.
    pub success: bool,
    /// What it printed on stdout, then on stderr.
    pub text: String,
}

/// A cargo command with its environment.
#[derive(Debug)]
pub struct Cargo {
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Cargo {
    /// From words separated by blanks.
    pub fn new(words: &str) -> Self {
        Self { arguments: words.split_whitespace().map(str::to_owned).collect(), environment: Vec::new() }
    }

    /// Sets a variable for it.
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Runs it in a folder and keeps what it prints.
    pub fn finish(&self, folder: &Path) -> Result<Finished> {
        let output = self.command(folder).output().context("could not run cargo")?;
        let text = [output.stdout, output.stderr].concat();
        Ok(Finished { success: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() })
    }

    /// Runs it in a folder, its output passed on; whether it ended with status 0.
    pub fn stream(&self, folder: &Path) -> Result<bool> {
        Ok(self.command(folder).status().context("could not run cargo")?.success())
    }

    fn command(&self, folder: &Path) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(&self.arguments).current_dir(folder).env("CARGO_TERM_COLOR", "never");
        // What cargo sets for the program it runs must not reach the cargo it runs in turn.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }
}

/// What a program prints on stdout.
///
/// **Errors**: it can't be run, or ends with another status than 0.
pub fn output(program: &str, arguments: &[&str], folder: &Path) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("could not run `{program}`"))?;
    if !output.status.success() {
        bail!(
            "`{program} {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{program}` printed no UTF-8"))
}
