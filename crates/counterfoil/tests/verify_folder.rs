//! `verify` names what differs; what is derived can be lost.

mod support;

use std::path::{Path, PathBuf};

use support::{Desk, copy_folder};

/// A folder with a sealed and billed month, something in quarantine, and late usage.
fn billed() -> Desk {
    let desk = Desk::new();
    desk.run(&["--format", "json", "demo", "--events", "6000", "--seed", "3"]).status(0);
    desk
}

/// Every file of a folder, relative, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).expect("inside").to_path_buf());
            }
        }
    }
    found.sort();
    found
}

fn chance(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Acceptance 5: any flipped bit of any file is found, and file and place are named.
#[test]
fn a_hundred_random_bits() {
    let desk = billed();
    desk.run(&["verify"]).status(0);
    let data = desk.data();
    let files: Vec<PathBuf> = files(&data)
        .into_iter()
        .filter(|file| std::fs::metadata(data.join(file)).expect("a file").len() > 0)
        .collect();
    assert!(files.len() >= 8, "{files:?}");
    let seed = 0x9e37_79b9_7f4a_7c15u64;
    println!("seed {seed:#x}");
    let mut state = seed;
    for round in 0..100 {
        // Every file gets its turn, small or large.
        let file = &files[round % files.len()];
        let path = data.join(file);
        let bytes = std::fs::read(&path).expect("the file");
        let bit = chance(&mut state) % (bytes.len() as u64 * 8);
        let mut flipped = bytes.clone();
        flipped[(bit / 8) as usize] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).expect("the file is writable");
        let ran = desk.run(&["verify"]);
        assert_eq!(ran.status, 1, "bit {bit} of {}: {}{}", file.display(), ran.stdout, ran.stderr);
        let name = file.to_str().expect("a name");
        assert!(
            ran.stdout
                .lines()
                .any(|line| line.starts_with("differs: ") && line.contains(name) && line.contains(" at ")),
            "bit {bit} of {name}: {}",
            ran.stdout
        );
        std::fs::write(&path, &bytes).expect("the file is writable");
    }
    desk.run(&["verify"]).status(0);
}

#[test]
fn all_but_log_journal_and_keys_is_made_anew() {
    let desk = billed();
    let (bodies, total) = (desk.bodies(), desk.run(&["usage", "--total"]).stdout);
    let fates = desk.run(&["usage", "--fates"]).stdout;
    let data = desk.data();
    for file in files(&data) {
        let root = file.components().next().expect("a name").as_os_str().to_owned();
        if root != "log" && root != "journal" && root != "keys" {
            std::fs::remove_file(data.join(file)).expect("a file");
        }
    }
    assert_eq!(desk.bodies(), bodies);
    assert_eq!(desk.run(&["usage", "--total"]).stdout, total);
    assert_eq!(desk.run(&["usage", "--fates"]).stdout, fates);
    desk.run(&["verify"]).status(0);
}

#[test]
fn tables_of_an_earlier_moment_catch_up() {
    let desk = Desk::configured();
    let early = desk.path("early.db");
    std::fs::copy(desk.data().join("tables.db"), &early).expect("a copy");
    desk.ingest("events.ndjson", &[&support::call("x", "a-1", "2026-10-03T10:00:00Z"), "{broken"]).status(1);
    desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    let (bodies, quarantine) = (desk.bodies(), desk.quarantine());
    std::fs::copy(&early, desk.data().join("tables.db")).expect("a copy");
    assert_eq!(desk.bodies(), bodies);
    assert_eq!(desk.quarantine(), quarantine);
    desk.run(&["verify"]).status(0);
}

#[test]
fn an_exported_head_finds_a_history_that_was_rewritten() {
    let desk = Desk::configured();
    desk.run(&["verify", "--export-head", "head.json"]).status(0);
    desk.run(&["verify", "--head", "head.json"]).status(0);
    let other = Desk::configured();
    copy_folder(&desk.path(""), &other.path("elsewhere"));
    let path = other.path("elsewhere/head.json");
    let ran = other.run(&["verify", "--head", path.to_str().expect("a path")]).status(1);
    assert!(ran.stdout.contains("journal"), "{}", ran.stdout);
}
