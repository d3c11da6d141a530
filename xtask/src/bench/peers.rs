//! The others: which are there, and how each does the work. The scripts lie in `xtask/src/bench/peers/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::files::Subject;
use super::measure::Program;
use super::numbers::fields;
use super::options::Options;
use crate::tree::Tree;

const ROWS: &str = include_str!("peers/rows.py");

/// A program that can do the work.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What `--peers` calls it.
    pub key: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What pip calls it; nothing where it is no library.
    package: Option<&'static str>,
    /// Prints its version, or fails.
    version: &'static str,
    script: &'static str,
    /// Ways to ask for the same; the fastest counts.
    pub formulations: &'static [&'static str],
    /// Whether it reads Parquet.
    pub parquet: bool,
    /// How often it is run; nothing: as often as ours.
    pub runs: Option<usize>,
}

const KINDS: [Kind; 4] = [
    Kind {
        key: "duckdb",
        name: "DuckDB",
        package: Some("duckdb"),
        version: "import duckdb; print(duckdb.__version__)",
        script: include_str!("peers/duckdb.py"),
        formulations: &["on", "first"],
        parquet: true,
        runs: None,
    },
    Kind {
        key: "clickhouse",
        name: "ClickHouse (chDB)",
        package: Some("chdb"),
        version: "import chdb; print(str(chdb.query('SELECT version()')).strip().strip('\"'), '(chDB ' + chdb.__version__ + ')')",
        script: include_str!("peers/clickhouse.py"),
        formulations: &["any", "limit"],
        parquet: true,
        runs: Some(3),
    },
    Kind {
        key: "polars",
        name: "Polars",
        package: Some("polars"),
        version: "import polars; print(polars.__version__)",
        script: include_str!("peers/polars.py"),
        formulations: &["streaming", "memory"],
        parquet: true,
        runs: Some(3),
    },
    Kind {
        key: "postgres",
        name: "PostgreSQL, durable",
        package: None,
        version: concat!("import sys; sys.argv[1:] = ['--version']\n", include_str!("peers/postgres.py")),
        script: include_str!("peers/postgres.py"),
        formulations: &["durable"],
        parquet: false,
        runs: Some(1),
    },
];

/// A peer that is there.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What it is.
    pub kind: Kind,
    /// Its version.
    pub version: String,
}

/// The peers that are there, with the Python that runs them.
#[derive(Debug)]
pub struct Peers {
    python: PathBuf,
    folder: PathBuf,
    pyarrow: bool,
    /// DuckDB first if it is there.
    pub found: Vec<Peer>,
    /// Why others are missing.
    pub missing: Vec<String>,
}

/// What a peer answered, and at which cost.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// From start to end.
    pub wall_ms: u64,
    /// The most resident memory.
    pub peak_kb: u64,
    /// Events after dedup.
    pub count: i128,
    /// Of their quantities.
    pub sum: i128,
    /// Account × type × hour.
    pub groups: i128,
}

impl Peers {
    /// Looks for them, and installs what is missing unless a Python was named.
    pub fn find(tree: &Tree, options: &Options) -> Result<Self> {
        let wished: Vec<&Kind> = KINDS
            .iter()
            .filter(|kind| options.peers.is_empty() || options.peers.iter().any(|key| key == kind.key))
            .collect();
        if let Some(key) = options.peers.iter().find(|key| !KINDS.iter().any(|kind| kind.key == **key)) {
            let keys = KINDS.map(|kind| kind.key).join(", ");
            bail!("expected a peer of {keys}, found `{key}`");
        }
        let mut packages: Vec<&str> = wished.iter().filter_map(|kind| kind.package).collect();
        // Rows are counted by DuckDB, and Parquet is made by both.
        packages.extend(["duckdb", "pyarrow"]);
        let python = python_with(tree, options.python.as_deref(), &packages)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for kind in wished {
            let run = Program::new(&python, ["-I", "-c", kind.version]).run()?;
            match run.status {
                Some(0) => found.push(Peer { kind: *kind, version: run.stdout.trim().to_owned() }),
                _ => missing.push(format!("{}: {}", kind.name, run.complaint())),
            }
        }
        for reason in &missing {
            eprintln!("skipped {reason}");
        }
        let pyarrow = imports(&python, "duckdb") && imports(&python, "pyarrow");
        Ok(Self { python, folder: folder(tree)?, pyarrow, found, missing })
    }

    /// A Python that can make Parquet.
    pub fn python_with_pyarrow(&self) -> Option<&Path> {
        self.pyarrow.then_some(self.python.as_path())
    }

    /// The rows of a file, copies included; nothing where nobody can count them.
    pub fn rows(&self, subject: &Subject) -> Result<Option<u64>> {
        let path = subject.path.display().to_string();
        let run = Program::new(&self.python, ["-I", "-c", ROWS, &path]).run()?;
        Ok(fields(&run.stdout, "rows").first().and_then(|rows| u64::try_from(*rows).ok()))
    }

    /// One run of a peer.
    pub fn ask(&self, peer: &Peer, formulation: &str, subject: &Subject) -> Result<Answer> {
        let path = fs::canonicalize(&subject.path)?.display().to_string();
        let arguments = ["-I", "-c", peer.kind.script, &path, formulation];
        let run = Program::new(&self.python, arguments).env("BENCH_FOLDER", &self.folder).run()?;
        ensure!(run.status == Some(0), "{} failed: {}", peer.kind.name, run.complaint());
        let field = |name| fields(&run.stdout, name).first().copied();
        let told = |name| field(name).with_context(|| format!("{} told no `{name}`", peer.kind.name));
        // A peer that is a server says itself what it cost.
        let own = |name, measured| field(name).and_then(|own| u64::try_from(own).ok()).unwrap_or(measured);
        Ok(Answer {
            wall_ms: own("milliseconds", run.wall_ms),
            peak_kb: own("peak_kb", run.peak_kb),
            count: told("count")?,
            sum: told("sum")?,
            groups: told("groups")?,
        })
    }
}

/// Where files and stores of the benchmarks lie.
pub fn folder(tree: &Tree) -> Result<PathBuf> {
    let folder = tree.root().join("target/bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A Python that imports these: the named one as it is, else the system's if it has all, else one of our own in
/// `target/bench-peers/` into which they are installed as far as possible.
pub fn python_with(tree: &Tree, named: Option<&Path>, packages: &[&str]) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_path_buf());
    }
    let system = PathBuf::from("python3");
    if packages.iter().all(|package| imports(&system, package)) {
        return Ok(system);
    }
    let folder = tree.root().join("target/bench-peers");
    let own = folder.join("bin/python");
    if !own.exists() {
        eprintln!("making a Python in target/bench-peers");
        let run = Program::new(&system, ["-m", "venv", &folder.display().to_string()]).run()?;
        ensure!(run.status == Some(0), "no Python of our own: {}", run.complaint());
    }
    for package in packages.iter().filter(|package| !imports(&own, package)) {
        eprintln!("installing {package}");
        let run = Program::new(&own, ["-m", "pip", "install", "--quiet", package]).run()?;
        if run.status != Some(0) {
            eprintln!("could not install {package}: {}", run.complaint());
        }
    }
    Ok(own)
}

fn imports(python: &Path, package: &str) -> bool {
    let run = Program::new(python, ["-I", "-c", &format!("import {package}")]).run();
    run.is_ok_and(|run| run.status == Some(0))
}
