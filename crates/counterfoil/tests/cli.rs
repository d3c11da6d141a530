//! The binary as a user meets it.

mod support;

use support::{Desk, call, transfer};

#[test]
fn every_command_has_an_example() {
    let desk = Desk::new();
    let commands: &[&[&str]] = &[
        &["demo"],
        &["gen"],
        &["apply"],
        &["ingest"],
        &["usage"],
        &["rate"],
        &["invoice", "run"],
        &["invoice", "list"],
        &["invoice", "show"],
        &["explain"],
        &["quarantine", "list"],
        &["quarantine", "show"],
        &["quarantine", "replay"],
        &["personal", "show"],
        &["personal", "erase"],
        &["verify"],
    ];
    for command in commands {
        let mut args = command.to_vec();
        args.push("--help");
        let ran = desk.run(&args).status(0);
        assert!(ran.stdout.contains("Example"), "{command:?} shows no example:\n{}", ran.stdout);
    }
}

#[test]
fn a_wrong_word_is_a_usage_error() {
    let desk = Desk::new();
    desk.run(&["ingst"]).status(2);
    desk.run(&["invoice", "run", "--period", "August"]).fails(2, "bad_period");
    desk.run(&["--now", "noon", "apply", "-f", "x"]).status(3);
}

#[test]
fn a_store_that_is_not_there_is_said_so() {
    let desk = Desk::new();
    for args in
        [&["usage"][..], &["verify"], &["invoice", "list"], &["explain", "X", "1"], &["quarantine", "list"]]
    {
        desk.run(args).fails(3, "no_store");
    }
    assert!(!desk.data().exists(), "reading makes no folder");
}

#[test]
fn duplicates_are_no_problem() {
    let desk = Desk::configured();
    let line = call("x", "a-1", "2026-10-03T10:00:00Z");
    desk.ingest("a.ndjson", &[&line]).status(0);
    let again = desk.ingest("a.ndjson", &[&line, &line]).status(0).json();
    assert_eq!(again[0]["received"], 2);
    assert_eq!(again[0]["fates"][0]["fate"], "duplicate");
    assert_eq!(again[0]["fates"][0]["records"], 2);
}

#[test]
fn a_retry_after_a_change_of_rules_is_a_duplicate() {
    let desk = Desk::configured();
    let line = transfer("x", "a-1", "2026-10-03T10:00:00Z", "-5");
    desk.ingest("a.ndjson", &[&line]).status(1);
    let line = transfer("y", "a-1", "2026-10-03T10:00:00Z", "5");
    desk.ingest("a.ndjson", &[&line]).status(0);
    desk.write(
        "meter.yaml",
        "{kind: meter, meter: bytes, events: [other], aggregate: sum, property: quantity, unit: byte, effective_at: 2026-01-01}",
    );
    desk.run(&["apply", "-f", "meter.yaml"]).status(0);
    desk.ingest("a.ndjson", &[&line]).status(0);
    assert_eq!(desk.fate("duplicate"), 1, "the identity is probed before the rules");
    desk.run(&["verify"]).status(0);
}

#[test]
fn apply_shows_its_plan_and_is_idempotent() {
    let desk = Desk::configured();
    let again = desk.run(&["--format", "json", "apply", "-f", "config.yaml"]).status(0).json();
    assert!(again["changes"].as_array().expect("rows").iter().all(|row| row["action"] == "unchanged"));
    let changed = support::CONFIG.replacen("unit: \"0.013\"", "unit: \"0.014\"", 1);
    desk.write("config.yaml", &changed);
    let ran = desk.run(&["apply", "-f", "config.yaml"]).fails(3, "configuration_refused");
    assert!(ran.stderr.contains("[effective_at_missing]"), "{}", ran.stderr);
    let dated = changed.replacen("kind: plan\n", "kind: plan\neffective_at: 2026-11-01\n", 1);
    desk.write("config.yaml", &dated);
    let plan = desk.run(&["--format", "json", "apply", "--dry-run", "-f", "config.yaml"]).status(0).json();
    assert_eq!(plan["applied"], false);
    let change = plan["changes"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["action"] == "change")
        .expect("the plan changed")
        .clone();
    assert_eq!((change["name"].clone(), change["version"].clone()), ("basic".into(), 2.into()));
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    let explained = desk.run(&["--format", "json", "explain", "ACME-000001", "2"]).status(0).json();
    assert_eq!(explained["price"]["version"], 1, "October has the old price: {explained}");
}

#[test]
fn an_idempotency_key_answers_the_first_result() {
    let desk = Desk::configured();
    let extra = "{kind: account, account: a-3}";
    desk.write("extra.yaml", extra);
    let args = ["--format", "json", "--idempotency-key", "k-1", "apply", "-f", "extra.yaml"];
    desk.run(&args).status(0);
    desk.run(&args).status(0);
    desk.write("extra.yaml", "{kind: account, account: a-4}");
    desk.run(&args).status(0);
    desk.ingest("a.ndjson", &[&call("x", "a-4", "2026-10-03T10:00:00Z")]).status(1);
    assert_eq!(desk.quarantine()[0]["code"], "unknown_account", "a used key does nothing anew");
}

#[test]
fn quarantine_is_repaired_and_replayed() {
    let desk = Desk::configured();
    let bad = transfer("x", "a-1", "2026-10-03T10:00:00Z", "\"many\"");
    desk.ingest("a.ndjson", &[&bad, "{\"broken"]).status(1);
    let rows = desk.quarantine();
    let (first, second) = (rows[0]["position"].to_string(), rows[1]["position"].to_string());
    desk.run(&["quarantine", "replay", &first]).status(1);
    desk.run(&["quarantine", "replay", &first, "--set", "data.quantity=7"]).status(0);
    desk.run(&["quarantine", "replay", &first]).fails(3, "already_replayed");
    desk.write("fixed.json", call("y", "a-1", "2026-10-03T10:00:00Z"));
    desk.run(&["quarantine", "replay", &second, "--with", "fixed.json"]).status(0);
    let usage = desk.run(&["--format", "json", "usage", "--meter", "bytes"]).status(0).json();
    assert_eq!(usage["meters"][0]["sum"], "7");
    let usage = desk.run(&["--format", "json", "usage", "--meter", "calls"]).status(0).json();
    assert_eq!(usage["meters"][0]["count"], "1");
    desk.run(&["quarantine", "show", "999"]).fails(3, "not_in_quarantine");
    desk.run(&["verify"]).status(0);
}

#[test]
fn a_bill_is_shown_and_explained() {
    let desk = Desk::configured();
    let lines: Vec<String> = (0..5).map(|n| call(&format!("c-{n}"), "a-1", "2026-10-03T10:00:00Z")).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let big = transfer("t", "a-1", "2026-10-31T23:59:59.999999999Z", "1500");
    let next = transfer("n", "a-1", "2026-11-01T00:00:00Z", "4000");
    lines.extend([big.as_str(), next.as_str()]);
    desk.ingest("a.ndjson", &lines).status(0);
    desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    let list = desk.run(&["--format", "json", "invoice", "list", "--account", "a-1"]).status(0).json();
    // 29 + 3 × 0.013 = 0.039 → 0.04; 1 × 0.50 + 0.5 × 0.25 = 0.625 → 0.63
    assert_eq!(list[0]["total"], "29.67");
    let shown = desk.run(&["invoice", "show", "ACME-000001"]).status(0).stdout;
    assert!(shown.contains("29.67") && shown.contains("0.63"), "{shown}");
    let explained = desk.run(&["--format", "json", "explain", "ACME-000001"]).status(0).json();
    let bytes = explained
        .as_array()
        .expect("lines")
        .iter()
        .find(|line| line["usage"]["meter"] == "bytes")
        .expect("a line")
        .clone();
    assert_eq!(bytes["rounding"]["exact"], "0.625");
    let events = bytes["usage"]["events"].as_str().expect("a command").to_owned();
    let args: Vec<&str> = events.split(' ').skip(1).chain(["--format", "json"]).collect();
    let listed = desk.run(&args).status(0).stdout;
    assert_eq!(listed.lines().count(), 1, "the event on the boundary is of the next period: {listed}");
    let event: serde_json::Value = serde_json::from_str(listed.trim()).expect("JSON");
    assert_eq!(event["digest"], bytes["usage"]["digest"]);
}

#[test]
fn personal_fields_are_erased_and_the_chain_holds() {
    let desk = Desk::configured();
    desk.write(
        "who.yaml",
        "{kind: account, account: a-7, personal: {name: \"Q. Zzyzx\", email: \"q@example.org\"}}",
    );
    desk.run(&["apply", "-f", "who.yaml"]).status(0);
    assert!(desk.run(&["personal", "show", "a-7"]).status(0).stdout.contains("Zzyzx"));
    for file in ["journal", "log"] {
        for entry in std::fs::read_dir(desk.data().join(file)).expect("a folder") {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
            assert!(!bytes.windows(5).any(|w| w == b"Zzyzx"), "{file} holds no personal value");
        }
    }
    desk.run(&["--reason", "asked", "personal", "erase", "a-7"]).status(0);
    assert!(!desk.run(&["personal", "show", "a-7"]).status(0).stdout.contains("Zzyzx"));
    let bytes = std::fs::read(desk.data().join("tables.db")).expect("a file");
    assert!(!bytes.windows(5).any(|w| w == b"Zzyzx"), "erased from the file too");
    desk.run(&["personal", "erase", "a-7"]).fails(3, "nothing_personal");
    desk.run(&["verify"]).status(0);
}

#[test]
fn rate_needs_no_store() {
    let desk = Desk::new();
    desk.write(
        "price.yaml",
        "{kind: price, price: tokens, currencies: {USD: {per: \"1000000\", graduated: [{up_to: \"10000000\", unit: \"3.00\"}, {up_to: \"20000000\", unit: \"2.50\"}, {unit: \"2.00\"}]}}}",
    );
    desk.write("usage.csv", "key,quantity\nconv,22361870\ncode,18059974\nbad,many\n");
    let ran =
        desk.run(&["--format", "json", "rate", "--price", "price.yaml", "--usage", "usage.csv"]).status(1);
    let charges = ran.json();
    assert_eq!(
        (charges[0]["amount"].clone(), charges[0]["exact"].clone()),
        ("59.72".into(), "59.72374".into())
    );
    assert_eq!(charges[1]["amount"], "50.15");
    assert!(ran.stderr.contains("line 4"), "{}", ran.stderr);
    assert!(!desk.data().exists());
}

#[test]
fn events_come_from_stdin_gzip_and_many_files() {
    let desk = Desk::configured();
    let line = |id: &str| format!("{}\n", call(id, "a-1", "2026-10-03T10:00:00Z"));
    desk.run_with_stdin(&["ingest", "--feed", "pipe", "-"], line("one").as_bytes()).status(0);
    desk.write("two.ndjson", line("two"));
    desk.write("three.ndjson", line("three"));
    let ran = desk.run(&["--format", "json", "ingest", "two.ndjson", "three.ndjson"]).status(0).json();
    assert_eq!(ran.as_array().map(Vec::len), Some(2));
    assert_eq!(desk.fate("accepted"), 3);
    desk.run(&["ingest", "missing.ndjson"]).fails(3, "input_unreadable");
}

#[test]
fn late_usage_is_counted_and_not_billed() {
    let desk = Desk::configured();
    desk.ingest("a.ndjson", &[&call("x", "a-1", "2026-10-03T10:00:00Z")]).status(0);
    desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    let before = desk.bodies();
    desk.ingest(
        "late.ndjson",
        &[&call("l", "a-1", "2026-10-04T10:00:00Z"), &call("n", "a-1", "2026-11-04T10:00:00Z")],
    )
    .status(0);
    let late = desk.run(&["--format", "json", "usage", "--late"]).status(0).json();
    assert_eq!(late["late"].as_array().map(Vec::len), Some(1), "{late}");
    assert_eq!(
        (late["late"][0]["records"].clone(), late["late"][0]["period"].clone()),
        ("1".into(), "2026-10".into())
    );
    assert_eq!(desk.bodies(), before);
    let usage = desk.run(&["--format", "json", "usage", "--meter", "calls"]).status(0).json();
    assert_eq!(usage["meters"][0]["count"], "3");
    desk.run(&["verify"]).status(0);
}
