//! Runs the built binary in a folder of its own.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder with a store and files, gone when it is dropped.
pub struct Desk {
    folder: tempfile::TempDir,
}

/// What a command left.
pub struct Ran {
    /// The exit status.
    pub status: i32,
    /// Data.
    pub stdout: String,
    /// Notes and errors.
    pub stderr: String,
}

impl Ran {
    /// Asserts the exit status.
    #[track_caller]
    pub fn status(self, expected: i32) -> Self {
        assert_eq!(self.status, expected, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts a text on stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected `{text}` on stderr:\n{}", self.stderr);
        self
    }

    /// Asserts an error line with a code, and a hint.
    #[track_caller]
    pub fn fails(self, status: i32, code: &str) -> Self {
        let ran = self.status(status).says(&format!("[{code}]")).says("hint: ");
        assert!(ran.stdout.is_empty(), "an error prints no data:\n{}", ran.stdout);
        ran
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }
}

impl Desk {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for the test") }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store's folder.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("the test's folder is writable");
        path
    }

    /// The command with the store and a clock that stands in November 2026.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command
            .current_dir(self.folder.path())
            .env_remove("COUNTERFOIL_DATA")
            .env_remove("COUNTERFOIL_ACTOR")
            .arg("--data")
            .arg(self.data())
            .args(args)
            .stdin(Stdio::null());
        if !args.contains(&"--now") {
            command.args(["--now", "2026-11-05T00:00:00Z"]);
        }
        command
    }

    /// Runs a command.
    pub fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().expect("the binary runs"))
    }

    /// Runs a command with bytes on stdin.
    pub fn run_with_stdin(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = std::io::Write::write_all(&mut stdin, &input);
        });
        let output = child.wait_with_output().expect("the binary ends");
        writer.join().expect("stdin was written");
        ran(output)
    }

    /// A store with the small configuration of these tests.
    pub fn configured() -> Self {
        let desk = Self::new();
        desk.write("config.yaml", CONFIG);
        desk.run(&["apply", "-f", "config.yaml"]).status(0);
        desk
    }

    /// Ingests lines as a file of CloudEvents.
    pub fn ingest(&self, name: &str, lines: &[&str]) -> Ran {
        self.write(name, lines.join("\n"));
        self.run(&["--format", "json", "ingest", name])
    }

    /// How many records met a fate, over all feeds.
    pub fn fate(&self, fate: &str) -> u64 {
        let fates = self.run(&["--format", "json", "usage", "--fates"]).status(0).json();
        let rows = fates["fates"].as_array().expect("rows").clone();
        rows.iter()
            .filter(|row| row["fate"] == fate)
            .map(|row| row["records"].as_str().expect("a string").parse::<u64>().expect("a count"))
            .sum()
    }

    /// The open records in quarantine.
    pub fn quarantine(&self) -> Vec<Value> {
        self.run(&["--format", "json", "quarantine", "list"])
            .status(0)
            .json()
            .as_array()
            .expect("rows")
            .clone()
    }

    /// Invoice bodies by number, byte for byte.
    pub fn bodies(&self) -> Vec<(String, String)> {
        let bodies = self.run(&["invoice", "list", "--bodies"]).status(0).stdout;
        bodies
            .lines()
            .map(|body| {
                let value: Value = serde_json::from_str(body).expect("JSON");
                (value["number"].as_str().expect("issued").to_owned(), body.to_owned())
            })
            .collect()
    }
}

fn ran(output: Output) -> Ran {
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A seller, two meters, a plan and two accounts.
pub const CONFIG: &str = r#"kind: seller
seller: acme
series: ACME
zone: UTC
currency: USD
grace_days: 1
---
kind: meter
meter: calls
events: [call]
aggregate: count
dimensions: [region]
unit: call
---
kind: meter
meter: bytes
events: [transfer]
aggregate: sum
property: quantity
unit: byte
---
kind: price
price: bytes
currencies:
  USD: {per: "1000", graduated: [{up_to: "1000", unit: "0.50"}, {unit: "0.25"}]}
  EUR: {unit: "0.0004"}
---
kind: plan
plan: basic
currency: USD
items:
  base: {fee: "29", every: month, pay: after}
  calls: {usage: calls, included: "2", price: {unit: "0.013"}}
  bytes: {usage: bytes, price: bytes}
---
kind: account
account: a-1
---
kind: account
account: a-2
---
kind: contract
contract: a-1-2026
account: a-1
seller: acme
plan: basic
currency: USD
start: 2026-10-01
---
kind: contract
contract: a-2-2026
account: a-2
seller: acme
plan: basic
currency: USD
start: 2026-10-01
"#;

/// A CloudEvent of a call.
pub fn call(id: &str, account: &str, time: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"gate","type":"call","subject":"{account}","time":"{time}","data":{{"region":"eu"}}}}"#
    )
}

/// A CloudEvent of a transfer; the quantity is written as it is given.
pub fn transfer(id: &str, account: &str, time: &str, quantity: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"gate","type":"transfer","subject":"{account}","time":"{time}","data":{{"quantity":{quantity}}}}}"#
    )
}

/// Copies a folder and what is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// The file itself, or the last of the files in a folder.
pub fn newest(path: &Path) -> PathBuf {
    if path.is_file() {
        return path.to_path_buf();
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files.pop().expect("a file")
}

/// Makes the folder look as if a newer version had written it.
pub fn make_newer(data: &Path) {
    let disk = store::RealDisk::open_existing(data).expect("a store");
    let keys = store::framed::read_file(&disk, store::KEYS).expect("the key file");
    let text = String::from_utf8(keys).expect("JSON");
    let newer = text.replacen(&format!("\"format\":{}", store::FOLDER_FORMAT), "\"format\":99", 1);
    assert_ne!(text, newer);
    store::framed::write_file(&disk, store::KEYS, newer.as_bytes()).expect("it is written");
}
