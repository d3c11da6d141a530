//! The same events give the same bill, byte for byte, however they come in.

mod support;

use std::path::Path;

use support::Desk;

const KEYS: &str = "identity = 000102030405060708090a0b0c0d0e0f\n\
    digest = 101112131415161718191a1b1c1d1e1f\n\
    personal = 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n\
    shard = 404142434445464748494a4b4c4d4e4f\n";

/// The lines of a seeded month without conflicts and broken records, and its configuration.
fn world() -> (String, Vec<String>) {
    let desk = Desk::new();
    desk.run(&["gen", "--events", "12000", "--seed", "11", "--out", "world"]).status(0);
    let config = std::fs::read_to_string(desk.path("world/config.yaml")).expect("a file");
    let month = std::fs::read_to_string(desk.path("world/month.ndjson")).expect("a file");
    // Records that are broken or altered are left out: which of two conflicting events stands depends on order.
    let id = |line: &str| line.split("\"id\":\"").nth(1).and_then(|rest| rest.get(..32)).map(str::to_owned);
    let mut bodies = std::collections::HashMap::new();
    let mut altered = std::collections::HashSet::new();
    for line in month.lines() {
        if let Some(id) = id(line)
            && *bodies.entry(id.clone()).or_insert(line) != line
        {
            altered.insert(id);
        }
    }
    let lines: Vec<String> = month
        .lines()
        .filter(|line| id(line).is_some_and(|id| !altered.contains(&id)))
        .map(str::to_owned)
        .collect();
    assert!(lines.len() > 11_000);
    (config, lines)
}

fn desk(config: &str) -> Desk {
    let desk = Desk::new();
    desk.write("keys.txt", KEYS);
    desk.write("config.yaml", config);
    desk.run(&["--keys", "keys.txt", "apply", "-f", "config.yaml"]).status(0);
    desk
}

fn bill(desk: &Desk) -> (Vec<(String, String)>, serde_json::Value) {
    desk.run(&["invoice", "run", "--period", "2026-08"]).status(0);
    let digests = desk.run(&["--format", "json", "usage", "--total"]).status(0).json();
    desk.run(&["verify"]).status(0);
    (desk.bodies(), digests)
}

fn ingest(desk: &Desk, name: &str, lines: &[String], batch: &str) {
    desk.write(name, lines.join("\n"));
    let ran = desk.run(&["ingest", "--batch", batch, name]);
    assert!(ran.status == 0 || ran.status == 1, "{}", ran.stderr);
}

/// A shuffle that is the same everywhere.
fn shuffled(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    let mut state = 0x2545_f491_4f6c_dd1du64;
    for at in (1..lines.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        lines.swap(at, (state % (at as u64 + 1)) as usize);
    }
    lines
}

#[test]
fn again_shuffled_split_batched_killed() {
    let (config, lines) = world();
    let plain = desk(&config);
    ingest(&plain, "month.ndjson", &lines, "16384");
    let accepted = plain.fate("accepted");
    ingest(&plain, "month.ndjson", &lines, "16384");
    assert_eq!(plain.fate("accepted"), accepted, "a second time all are duplicates");
    let expected = bill(&plain);
    assert!(expected.0.len() > 100);

    let other = desk(&config);
    ingest(&other, "shuffled.ndjson", &shuffled(&lines), "777");
    assert_eq!(bill(&other), expected, "shuffled, in batches of 777");

    let other = desk(&config);
    for (number, part) in lines.chunks(lines.len().div_ceil(7)).enumerate().rev() {
        ingest(&other, &format!("part-{number}.ndjson"), part, "1000");
    }
    assert_eq!(bill(&other), expected, "in seven files, the last first");

    let other = desk(&config);
    kill_in_between(&other, &lines);
    ingest(&other, "month.ndjson", &lines, "500");
    assert_eq!(bill(&other), expected, "killed in between, then sent again");
}

/// Starts an ingest and kills it once some blocks are on disk.
fn kill_in_between(desk: &Desk, lines: &[String]) {
    desk.write("month.ndjson", lines.join("\n"));
    let log = desk.data().join("log");
    let before = size(&log);
    let mut child = desk
        .command(&["ingest", "--batch", "100", "month.ndjson"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary runs");
    while size(&log) < before + 40_000 {
        if child.try_wait().expect("a status").is_some() {
            panic!("the ingest ended before it could be killed");
        }
        std::thread::yield_now();
    }
    child.kill().expect("the child is ours");
    child.wait().expect("the child ends");
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}
