//! `cargo xtask instructions`: how many instructions each stage needs an event, beside how many it needed before.
//!
//! Time differs from run to run and machine to machine, instructions hardly do: a stage that needs a tenth more than
//! `instructions.json` says has become slower by what was changed. They are counted by valgrind, which knows no AVX-512:
//! the stages run there as they do on a processor without it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::stages::{Line, Program, lines};
use crate::tree::Tree;

/// What they were counted on.
const OF: &str = "xtask/instructions.of";
/// The file with the counts.
const FILE: &str = "xtask/instructions.json";
/// Enough for several thousand cells and identities, few enough for half a minute.
const EVENTS: u64 = 8_192;
/// How much more a stage may need before it fails.
const MORE_PERCENT: u64 = 10;
/// The function whose instructions are counted.
const COUNTED: &str = "*counted_stage*";
/// The function within it after which the count is told.
const TOLD: &str = "*told_stage*";

/// Tenths of instructions an event, by stage.
type Counts = BTreeMap<String, u64>;

/// Counts and compares; `accept` writes what was counted.
pub fn run(tree: &Tree, accept: bool) -> Result<()> {
    if process::output("valgrind", &["--version"], tree.root()).is_err() {
        println!("skipped: instructions are counted by `valgrind`, which is not installed");
        return Ok(());
    }
    let program = Program::build(tree, EVENTS)?;
    let counts = count(tree, &program)?;
    let path = tree.root().join(FILE);
    if accept {
        fs::write(&path, written(&counts))?;
        fs::write(tree.root().join(OF), counted_on(tree))?;
        println!("{FILE} has the counts of {} stages", counts.len());
        return Ok(());
    }
    let before = read(&path)?;
    for (name, count) in &counts {
        let before = before.get(name).map_or_else(|| "new".to_owned(), |before| tenths(*before));
        println!("{name:<33} {:>9}  before {before:>9}", tenths(*count));
    }
    let problems = problems(&before, &counts);
    let (here, there) = (counted_on(tree), fs::read_to_string(tree.root().join(OF)).unwrap_or_default());
    if here != there {
        // Another processor, compiler or C library needs other instructions for the same source.
        problems.iter().for_each(|problem| println!("note: {problem}"));
        println!(
            "skipped: {FILE} was counted elsewhere\n  there: {}\n  here:  {}",
            there.trim(),
            here.trim()
        );
        return Ok(());
    }
    ensure!(
        problems.is_empty(),
        "{}\nif it must be so, accept the new counts: cargo xtask instructions --accept",
        problems.join("\n")
    );
    Ok(())
}

/// What decides the instructions beside the source: processor, compiler, C library.
fn counted_on(tree: &Tree) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |name: &str| {
        let found = cpu.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        found.map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let said = |program: &str| {
        let words = process::output(program, &["--version"], tree.root()).unwrap_or_default();
        words.lines().next().unwrap_or("unknown").to_owned()
    };
    let cpu = ["model name", "cpu family", "model\t"].map(of).join("/");
    format!("{cpu}; {}; {}\n", said("rustc"), said("ldd"))
}

/// Runs the program under valgrind, which writes a file each time that the counted function returns.
fn count(tree: &Tree, program: &Program) -> Result<Counts> {
    let folder = program.file.with_extension("counts");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let words = [
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", folder.join("out").display()),
        format!("--toggle-collect={COUNTED}"),
        format!("--dump-after={TOLD}"),
        program.binary.display().to_string(),
        program.file.display().to_string(),
        "count".to_owned(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let printed = lines(&process::output("valgrind", &words, tree.root())?)?;
    let mut counts = Counts::new();
    for (number, Line { name, figure, .. }) in (1..).zip(printed) {
        let units: u64 = figure.parse().with_context(|| format!("expected a number, found `{figure}`"))?;
        let file = folder.join(format!("out.{number}"));
        let text =
            fs::read_to_string(&file).with_context(|| format!("could not read `{}`", file.display()))?;
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("summary: "))
            .and_then(|n| n.trim().parse::<u64>().ok());
        let total = total.filter(|total| *total > 0).with_context(|| format!("`{name}` was not counted"))?;
        counts.insert(name, total * 10 / units.max(1));
    }
    ensure!(!counts.is_empty(), "no stage was counted");
    Ok(counts)
}

/// What is to be said of counts beside those before.
fn problems(before: &Counts, counts: &Counts) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, count) in counts {
        match before.get(name) {
            None => problems.push(format!("`{name}` is not in {FILE}")),
            Some(before) if count * 100 > before * (100 + MORE_PERCENT) => problems.push(format!(
                "`{name}` needs {} instructions, over {MORE_PERCENT} % more than the {} before",
                tenths(*count),
                tenths(*before)
            )),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| !counts.contains_key(*name));
    problems.extend(gone.map(|name| format!("`{name}` of {FILE} was not counted")));
    problems
}

fn tenths(count: u64) -> String {
    format!("{}.{}", count / 10, count % 10)
}

/// The file: an object with a stage a line.
fn written(counts: &Counts) -> String {
    let lines: Vec<String> =
        counts.iter().map(|(name, count)| format!("  \"{name}\": {}", tenths(*count))).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn read(path: &Path) -> Result<Counts> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read `{}`", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in text.lines().map(|line| line.trim().trim_end_matches(',')) {
        if matches!(line, "{" | "}" | "") {
            continue;
        }
        let parts = line.strip_prefix('"').and_then(|line| line.split_once("\": "));
        let count = parts.and_then(|(name, count)| {
            let (whole, tenth) = count.split_once('.').unwrap_or((count, "0"));
            let count =
                whole.parse::<u64>().ok()? * 10 + tenth.parse::<u64>().ok().filter(|tenth| *tenth < 10)?;
            Some((name.to_owned(), count))
        });
        match count {
            Some((name, count)) => counts.insert(name, count),
            None => bail!("expected a stage and a number with one decimal in {FILE}, found `{line}`"),
        };
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Counts {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn counts_come_back_from_the_file() {
        let all = counts(&[("cut lines", 123), ("hash a batch", 45_670), ("nothing", 0)]);
        assert_eq!(parse(&written(&all)).unwrap(), all);
        assert!(parse("{\n  \"cut lines\": many\n}\n").is_err());
        assert!(parse("{\n  \"cut lines\": 1.23\n}\n").is_err());
    }

    #[test]
    fn a_tenth_more_is_borne_and_no_more() {
        let before = counts(&[("cut", 1_000), ("hash", 1_000)]);
        assert_eq!(problems(&before, &counts(&[("cut", 1_100), ("hash", 10)])), Vec::<String>::new());
        let told = problems(&before, &counts(&[("cut", 1_101), ("hash", 1_000)]));
        assert_eq!(told, ["`cut` needs 110.1 instructions, over 10 % more than the 100.0 before"]);
        let told = problems(&before, &counts(&[("cut", 1_000), ("sort", 1)]));
        assert_eq!(told.len(), 2, "{told:?}: one is new, one is gone");
    }
}
