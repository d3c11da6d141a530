//! The words after `cargo xtask bench`.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use super::events::Wish;

/// What `--help` prints.
pub const HELP: &str = "\
cargo xtask bench [--file FILE]... [--events N] [--pairs N] [--seed N] [--peers NAME,NAME] [--quick] [--no-page]
cargo xtask bench gen --out FILE [--events N] [--seed N] [--odd PERCENT] [--pages 1.0|2.0] [--unit ms|us]

  --file FILE     NDJSON or .parquet instead of generated files; may be repeated
  --events N      events of a generated NDJSON file, default 5_000_000; Parquet files have four times as many
  --pairs N       runs of ours and of DuckDB each, alternating, default 7
  --peers NAMES   of duckdb, clickhouse, polars, postgres; default all that are found or can be installed
  --python FILE   a Python with the peers' libraries [COUNTERFOIL_BENCH_PYTHON]; default: one in target/bench-peers
  --quick         small files, 3 pairs, no page: whether it works, not how fast it is
  --no-page       prints the figures and leaves docs/reference/benchmarks.md as it is
  gen             makes a file alone; one that ends in .parquet is Parquet

COUNTERFOIL_BIN names the binary to measure; default: target/release, built first.";

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print the help.
    Help,
    /// Make a file.
    Generate(Wanted),
    /// Measure.
    Contest(Options),
}

/// A file to make.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it holds.
    pub wish: Wish,
    /// Where it is put; Parquet if it ends so.
    pub out: PathBuf,
    /// Version of Parquet's data pages.
    pub pages: &'static str,
    /// Unit of Parquet's timestamps.
    pub unit: &'static str,
    /// A Python with pyarrow.
    pub python: Option<PathBuf>,
}

/// A measurement.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files; generated where empty.
    pub files: Vec<PathBuf>,
    /// Events of a generated NDJSON file.
    pub events: u64,
    /// Events of a generated Parquet file.
    pub parquet_events: u64,
    /// Of generated files.
    pub seed: u64,
    /// Runs of ours and of the opponent each.
    pub pairs: usize,
    /// Peers by key; all where empty.
    pub peers: Vec<String>,
    /// Whether the page is written.
    pub page: bool,
    /// Small files.
    pub quick: bool,
    /// A Python with the peers' libraries.
    pub python: Option<PathBuf>,
}

/// Reads the words.
///
/// **Errors**: an unknown option, a value that is missing or none.
pub fn parse(words: &[&str]) -> Result<Command> {
    match words {
        ["help" | "--help" | "-h", ..] => Ok(Command::Help),
        ["gen", rest @ ..] => generate(rest).map(Command::Generate),
        rest => measure(rest).map(Command::Contest),
    }
}

fn generate(words: &[&str]) -> Result<Wanted> {
    let mut out = None;
    let mut wanted = Wanted {
        wish: Wish { events: 5_000_000, seed: 1, odd_percent: 0 },
        out: PathBuf::new(),
        pages: "1.0",
        unit: "ms",
        python: python_of_environment(),
    };
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--events" => wanted.wish.events = number(word, words.next())?,
            "--seed" => wanted.wish.seed = number(word, words.next())?,
            "--odd" => wanted.wish.odd_percent = number(word, words.next())?,
            "--out" => out = Some(value(word, words.next())?),
            "--pages" => wanted.pages = one_of(word, words.next(), &["1.0", "2.0"])?,
            "--unit" => wanted.unit = one_of(word, words.next(), &["ms", "us"])?,
            "--python" => wanted.python = Some(value(word, words.next())?.into()),
            _ => bail!("unknown option `{word}`\n\n{HELP}"),
        }
    }
    wanted.out = out.context("`--out FILE` is needed")?.into();
    Ok(wanted)
}

fn measure(words: &[&str]) -> Result<Options> {
    let (mut events, mut pairs, mut page) = (None, None, true);
    let mut options = Options {
        files: Vec::new(),
        events: 0,
        parquet_events: 0,
        seed: 1,
        pairs: 0,
        peers: Vec::new(),
        page: true,
        quick: false,
        python: python_of_environment(),
    };
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--file" => options.files.push(value(word, words.next())?.into()),
            "--events" => events = Some(number(word, words.next())?),
            "--pairs" => pairs = Some(number(word, words.next())?),
            "--seed" => options.seed = number(word, words.next())?,
            "--peers" => {
                options
                    .peers
                    .extend(value(word, words.next())?.split(',').map(|name| name.trim().to_owned()));
            }
            "--python" => options.python = Some(value(word, words.next())?.into()),
            "--quick" => options.quick = true,
            "--no-page" => page = false,
            _ => bail!("unknown option `{word}`\n\n{HELP}"),
        }
    }
    let quick = options.quick;
    options.events = events.unwrap_or(if quick { 200_000 } else { 5_000_000 });
    options.parquet_events = options.events * if quick { 1 } else { 4 };
    options.pairs = pairs.unwrap_or(if quick { 3 } else { 7 });
    options.page = page && !quick;
    ensure!(options.pairs > 0, "at least one pair is needed, found `0`");
    Ok(options)
}

fn python_of_environment() -> Option<PathBuf> {
    std::env::var_os("COUNTERFOIL_BENCH_PYTHON").map(PathBuf::from)
}

fn value<'a>(option: &str, word: Option<&'a str>) -> Result<&'a str> {
    word.with_context(|| format!("expected a value after `{option}`"))
}

fn number<T: FromStr>(option: &str, word: Option<&str>) -> Result<T> {
    let word = value(option, word)?;
    let digits = word.replace('_', "");
    digits.parse().ok().with_context(|| format!("expected a number after `{option}`, found `{word}`"))
}

fn one_of(option: &str, word: Option<&str>, values: &[&'static str]) -> Result<&'static str> {
    let word = value(option, word)?;
    let found = values.iter().find(|value| **value == word).copied();
    found.with_context(|| format!("expected one of {} after `{option}`, found `{word}`", values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_words_it_measures_five_million_seven_times() {
        let Command::Contest(options) = parse(&[]).unwrap() else { panic!("no contest") };
        assert_eq!((options.events, options.parquet_events, options.pairs), (5_000_000, 20_000_000, 7));
        assert!(options.page);
    }

    #[test]
    fn a_quick_run_writes_no_page() {
        let Command::Contest(options) = parse(&["--quick", "--pairs", "2"]).unwrap() else {
            panic!("no contest")
        };
        assert_eq!((options.pairs, options.page), (2, false));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let check = |words: &[&str], message: &str| {
            let error = parse(words).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        };
        check(&["--evens", "3"], "unknown option `--evens`");
        check(&["--events", "many"], "expected a number after `--events`, found `many`");
        check(&["--events"], "expected a value after `--events`");
        check(&["gen", "--events", "3"], "`--out FILE` is needed");
        check(&["gen", "--pages", "3.0"], "expected one of 1.0, 2.0 after `--pages`, found `3.0`");
    }
}
