//! A program run as a whole: how long it took and how much memory it had at most.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// GNU time, which is told the peak by the kernel when the program has ended.
const TIME: &str = "/usr/bin/time";

/// A program and what it is given.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it lies.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables set for it.
    pub environment: Vec<(String, String)>,
}

/// What a program did, and at which cost.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From its start to its end, at least 1.
    pub wall_ms: u64,
    /// The most resident memory of the process, in KiB.
    pub peak_kb: u64,
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it told.
    pub stderr: String,
}

impl Program {
    /// With arguments.
    pub fn new(path: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { path: path.into(), arguments, environment: Vec::new() }
    }

    /// Sets a variable for it.
    pub fn env(mut self, name: &str, value: &Path) -> Self {
        self.environment.push((name.to_owned(), value.display().to_string()));
        self
    }

    /// Runs it to its end, its output kept.
    pub fn run(&self) -> Result<Measured> {
        if Path::new(TIME).exists() { self.with_time() } else { self.with_proc() }
    }

    fn with_time(&self) -> Result<Measured> {
        let note = std::env::temp_dir().join(format!("counterfoil-bench-peak-{}", std::process::id()));
        let mut command = Command::new(TIME);
        command.args(["--quiet", "--format", "%M", "--output"]).arg(&note).arg("--").arg(&self.path);
        let started = Instant::now();
        let output = self.prepared(command).output();
        let took = started.elapsed();
        let output = output.with_context(|| format!("could not run `{}`", self.path.display()))?;
        let told = fs::read_to_string(&note).context("GNU time told no peak")?;
        fs::remove_file(&note)?;
        let peak_kb = told.lines().last().and_then(|line| line.trim().parse().ok());
        Ok(measured(took, peak_kb.context("GNU time told no peak")?, output))
    }

    /// Where there is no GNU time: the peak is read from the kernel every few milliseconds; what is reached after the
    /// last look is missed.
    fn with_proc(&self) -> Result<Measured> {
        let started = Instant::now();
        let child = self
            .prepared(Command::new(&self.path))
            .spawn()
            .with_context(|| format!("could not run `{}`", self.path.display()))?;
        let status = format!("/proc/{}/status", child.id());
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut peak_kb = 0;
                while !ended.load(Ordering::Relaxed) {
                    peak_kb = peak_kb.max(high_water_kb(&status).unwrap_or(0));
                    std::thread::sleep(Duration::from_millis(2));
                }
                peak_kb
            });
            let output = child.wait_with_output();
            let took = started.elapsed();
            ended.store(true, Ordering::Relaxed);
            let peak_kb = watcher.join().unwrap_or(0);
            Ok(measured(took, peak_kb, output?))
        })
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Measured {
    /// The last line of what it told, for messages.
    pub fn complaint(&self) -> String {
        let told =
            self.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it told nothing");
        told.trim().chars().take(200).collect()
    }
}

fn measured(took: Duration, peak_kb: u64, output: Output) -> Measured {
    Measured {
        wall_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1),
        peak_kb,
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn high_water_kb(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Waits until what was written so far is on disk, so that no run pays for the one before.
pub fn settle() {
    // Without it the figures are only less steady.
    let _ = Command::new("sync").status();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds 64 MiB for a while, then fails.
    fn heavy() -> Program {
        Program::new(
            "/bin/sh",
            ["-c", "x=$(head -c 67108864 /dev/zero | tr '\\0' x); sleep 0.2; echo out; exit 3"],
        )
    }

    #[test]
    fn both_ways_find_the_peak_and_the_status() {
        for measured in [heavy().run().unwrap(), heavy().with_proc().unwrap()] {
            assert_eq!((measured.status, measured.stdout.as_str()), (Some(3), "out\n"));
            assert!(measured.peak_kb > 64 * 1024, "{} kB", measured.peak_kb);
            assert!(measured.wall_ms >= 200, "{} ms", measured.wall_ms);
        }
    }
}
