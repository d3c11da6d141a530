//! Folders written by every released version still open, answer the same, and go on.

mod support;

use std::path::{Path, PathBuf};

use support::{Desk, copy_folder};

fn compat() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compat")
}

fn versions() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(compat())
        .expect("the folder compat")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

#[test]
fn folders_of_old_versions_open() {
    let versions = versions();
    assert!(!versions.is_empty(), "compat holds at least v1");
    for version in versions {
        let name = version.display();
        let desk = Desk::new();
        copy_folder(&version.join("data"), &desk.data());
        desk.run(&["verify"]).status(0);
        let stored: serde_json::Value =
            serde_json::from_slice(&std::fs::read(version.join("bodies.json")).expect("bodies.json"))
                .expect("JSON");
        let bodies: Vec<serde_json::Value> =
            desk.bodies().iter().map(|(_, body)| serde_json::from_str(body).expect("JSON")).collect();
        assert!(!bodies.is_empty(), "{name}");
        assert_eq!(serde_json::Value::Array(bodies), stored, "{name}");
        let usage = std::fs::read_to_string(version.join("usage.json")).expect("usage.json");
        assert_eq!(desk.run(&["--format", "json", "usage", "--total"]).status(0).stdout, usage, "{name}");
        let accepted = desk.fate("accepted");
        let events = compat().join("events.ndjson");
        let path = events.to_str().expect("a path");
        desk.run(&["--now", "2026-11-25T00:00:00Z", "ingest", path]).status(1);
        assert_eq!(desk.fate("accepted"), accepted, "{name}: every event is known");
        desk.run(&["verify"]).status(0);
    }
}
