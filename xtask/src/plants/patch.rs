//! A planted bug as a file: a header of comments, then a unified diff.

use std::fmt;

use anyhow::{Result, bail};

/// A planted bug.
#[derive(Debug)]
pub struct Patch {
    /// Its name: that of the file without ending.
    pub name: String,
    /// The file, relative to the root.
    pub path: String,
    /// The rule it breaks.
    pub breaks: String,
    /// The commands that must fail.
    pub reds: Vec<Red>,
    /// What their output must show, so that they fail for the right reason.
    pub shows: Vec<String>,
}

/// A cargo command that a bug must turn red.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Red {
    /// The words after `cargo`.
    pub words: String,
}

impl Red {
    /// Whether it runs tests, so that the failure must be a failing test.
    pub fn is_test(&self) -> bool {
        self.words.starts_with("test ")
    }

    /// The command that only compiles what it needs. A lint may be the red thing, a compiler's error may not.
    pub fn compile(&self) -> String {
        let before_arguments = self.words.split(" -- ").next().unwrap_or(&self.words);
        match before_arguments.split_once(' ') {
            Some(("test", rest)) => format!("test {rest} --no-run"),
            Some(("clippy", rest)) => format!("check {rest}"),
            _ => "check -p xtask".to_owned(),
        }
    }
}

impl fmt::Display for Red {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cargo {}", self.words)
    }
}

impl Patch {
    /// Reads the header of a patch.
    ///
    /// **Errors**: an unknown field, or one of the three is missing.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        let name = path.trim_start_matches("plants/").trim_end_matches(".patch").to_owned();
        let mut patch =
            Self { name, path: path.to_owned(), breaks: String::new(), reds: Vec::new(), shows: Vec::new() };
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            match line.split_once(": ") {
                Some(("breaks", rule)) => patch.breaks = rule.to_owned(),
                Some(("red", command)) => match command.strip_prefix("cargo ") {
                    Some(words) => patch.reds.push(Red { words: words.to_owned() }),
                    None => bail!("`red` names a cargo command, found `{command}`"),
                },
                Some(("shows", shown)) => patch.shows.push(shown.to_owned()),
                _ => bail!("expected `breaks`, `red` or `shows`, found `{line}`"),
            }
        }
        if patch.breaks.is_empty() || patch.reds.is_empty() || patch.shows.is_empty() {
            bail!("it must have `# breaks:`, `# red:` and `# shows:` before the diff");
        }
        Ok(patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_needs_all_three() {
        let text = "# breaks: a rule\n# red: cargo test -p a --test b -- c\n# shows: c … FAILED\n\n--- a/x\n";
        let patch = Patch::parse("plants/edge.patch", text).unwrap();
        assert_eq!((patch.name.as_str(), patch.breaks.as_str()), ("edge", "a rule"));
        assert_eq!(patch.reds[0].compile(), "test -p a --test b --no-run");
        assert!(patch.reds[0].is_test());
        assert!(Patch::parse("plants/a.patch", "# breaks: a rule\n--- a/x\n").is_err());
        assert!(Patch::parse("plants/a.patch", &text.replace("cargo ", "make ")).is_err());
    }

    #[test]
    fn a_lint_may_be_the_red_thing() {
        let red = Red { words: "clippy -p rating --all-targets -- -D warnings".to_owned() };
        assert_eq!((red.compile().as_str(), red.is_test()), ("check -p rating --all-targets", false));
    }
}
