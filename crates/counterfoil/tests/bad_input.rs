//! Everything that comes in wrong has a code, a message with a hint, and loses nothing.

mod support;

use support::{Desk, call, transfer};

const GOOD_TIME: &str = "2026-10-03T10:00:00Z";

/// Ingests one bad line between two good ones: it is rejected with its code, kept, and the rest is taken.
#[track_caller]
fn rejected(bad: &str, code: &str, message: &str) -> Desk {
    let desk = Desk::configured();
    let (first, last) = (call("ok-1", "a-1", GOOD_TIME), call("ok-2", "a-1", GOOD_TIME));
    desk.ingest("events.ndjson", &[&first, bad, &last]).status(1);
    assert_eq!((desk.fate("accepted"), desk.fate("rejected")), (2, 1));
    let kept = desk.quarantine();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["code"], code, "{kept:?}");
    let told = kept[0]["message"].as_str().expect("a message");
    assert!(told.contains(message), "expected `{message}` in `{told}`");
    assert_eq!(kept[0]["line"], 2);
    let position = kept[0]["position"].to_string();
    let shown = desk.run(&["quarantine", "show", &position]).status(0);
    assert!(shown.stdout.contains("hint: "), "{}", shown.stdout);
    assert!(shown.stdout.contains(bad.trim_end()), "kept as it came: {}", shown.stdout);
    desk.run(&["verify"]).status(0);
    desk
}

#[test]
fn broken_json_in_the_middle_of_a_file() {
    rejected(r#"{"specversion":"1.0","id":"x","#, "json_syntax", "");
}

#[test]
fn missing_id() {
    rejected(&call("x", "a-1", GOOD_TIME).replacen("\"id\":\"x\",", "", 1), "missing_id", "");
}

#[test]
fn missing_time() {
    rejected(&call("x", "a-1", GOOD_TIME).replacen("\"time\"", "\"at\"", 1), "missing_time", "");
}

#[test]
fn missing_account() {
    rejected(&call("x", "a-1", GOOD_TIME).replacen("\"subject\"", "\"about\"", 1), "missing_account", "");
}

#[test]
fn missing_quantity() {
    rejected(
        &transfer("x", "a-1", GOOD_TIME, "1").replacen("\"quantity\":1", "", 1),
        "quantity_missing",
        "quantity",
    );
}

#[test]
fn unparseable_time() {
    rejected(&call("x", "a-1", "yesterday"), "time_unparseable", "yesterday");
}

#[test]
fn far_future_time() {
    rejected(&call("x", "a-1", "2026-12-24T00:00:00Z"), "time_in_future", "2026-12-24");
}

#[test]
fn unknown_event_type() {
    rejected(
        &call("x", "a-1", GOOD_TIME).replacen("\"type\":\"call\"", "\"type\":\"cal\"", 1),
        "unknown_type",
        "cal",
    );
}

#[test]
fn unknown_account() {
    rejected(&call("x", "a-9", GOOD_TIME), "unknown_account", "a-9");
}

#[test]
fn quantity_as_text() {
    rejected(&transfer("x", "a-1", GOOD_TIME, "\"many\""), "quantity_not_a_number", "many");
}

#[test]
fn quantity_nan() {
    rejected(&transfer("x", "a-1", GOOD_TIME, "NaN"), "json_syntax", "");
}

#[test]
fn quantity_1e400() {
    rejected(&transfer("x", "a-1", GOOD_TIME, "1e400"), "quantity_out_of_range", "1e400");
}

#[test]
fn quantity_negative() {
    rejected(&transfer("x", "a-1", GOOD_TIME, "-5"), "quantity_negative", "-5");
}

#[test]
fn quantity_too_precise() {
    rejected(&transfer("x", "a-1", GOOD_TIME, "0.0000000000001"), "quantity_too_precise", "");
}

#[test]
fn duplicate_json_keys() {
    rejected(&transfer("x", "a-1", GOOD_TIME, "5,\"quantity\":6"), "duplicate_key", "quantity");
}

#[test]
fn same_id_with_other_content() {
    let desk = Desk::configured();
    let (first, second) = (transfer("x", "a-1", GOOD_TIME, "5"), transfer("x", "a-1", GOOD_TIME, "6"));
    desk.ingest("events.ndjson", &[&first, &second, &first]).status(1);
    assert_eq!((desk.fate("accepted"), desk.fate("conflict"), desk.fate("duplicate")), (1, 1, 1));
    let kept = desk.quarantine();
    assert_eq!(kept[0]["code"], "conflict");
    assert!(kept[0]["message"].as_str().expect("a message").contains('x'));
    let usage = desk.run(&["--format", "json", "usage", "--meter", "bytes"]).status(0).json();
    assert_eq!(usage["meters"][0]["sum"], "5", "the first stands");
    desk.run(&["verify"]).status(0);
}

#[test]
fn ids_that_differ_only_in_case_or_dashes_are_different() {
    let desk = Desk::configured();
    let ids = [
        "4FF942D6-2F3F-4D5D-B9F5-3B5A015B5FD9",
        "4ff942d6-2f3f-4d5d-b9f5-3b5a015b5fd9",
        "4ff942d62f3f4d5db9f53b5a015b5fd9",
        "4FF942D62F3F4D5DB9F53B5A015B5FD9",
    ];
    let lines: Vec<String> = ids.iter().map(|id| call(id, "a-1", GOOD_TIME)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    desk.ingest("events.ndjson", &lines).status(0);
    assert_eq!((desk.fate("accepted"), desk.fate("duplicate")), (4, 0));
    let listed = desk
        .run(&["--format", "json", "usage", "--events", "--meter", "calls", "--account", "a-1"])
        .status(0)
        .stdout;
    for id in ids {
        assert!(listed.contains(id), "`{id}` keeps its spelling");
    }
}

/// Applies a changed configuration: refused with a code, a line and a hint; nothing is applied.
#[track_caller]
fn refused(from: &str, to: &str, code: &str, line: usize) {
    let desk = Desk::new();
    assert!(support::CONFIG.contains(from));
    desk.write("config.yaml", support::CONFIG.replacen(from, to, 1));
    let ran = desk.run(&["apply", "-f", "config.yaml"]).fails(3, "configuration_refused");
    assert!(ran.stderr.contains(&format!("[{code}]")), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("config.yaml:{line}:")), "{}", ran.stderr);
    desk.write("config.yaml", support::CONFIG);
    let plan = desk.run(&["--format", "json", "apply", "-f", "config.yaml"]).status(0).json();
    assert!(plan["changes"].as_array().expect("rows").iter().all(|row| row["action"] == "create"));
}

#[test]
fn unknown_currency() {
    refused("  EUR: {unit", "  EUX: {unit", "unknown_currency", 26);
}

#[test]
fn empty_tiers() {
    refused("[{up_to: \"1000\", unit: \"0.50\"}, {unit: \"0.25\"}]", "[]", "tiers_empty", 25);
}

#[test]
fn overlapping_tiers() {
    refused(
        "{up_to: \"1000\", unit: \"0.50\"},",
        "{up_to: \"1000\", unit: \"0.50\"}, {up_to: \"900\", unit: \"0.40\"},",
        "tiers_overlap",
        25,
    );
}

#[test]
fn a_price_in_no_currency_of_the_account() {
    refused(
        "plan: basic\ncurrency: USD\nstart",
        "plan: basic\ncurrency: CHF\nstart",
        "price_currency_missing",
        47,
    );
}

#[test]
fn mistakes_are_reported_all_at_once() {
    let desk = Desk::new();
    let broken = support::CONFIG
        .replacen("zone: UTC", "zone: Mars/Olympus", 1)
        .replacen("aggregate: count", "agregate: count", 1)
        .replacen("unit: \"0.013\"", "unit: 0.013", 1);
    desk.write("config.yaml", broken);
    let ran = desk.run(&["apply", "-f", "config.yaml"]).fails(3, "configuration_refused");
    for code in ["unknown_zone", "unknown_field", "number_not_quoted"] {
        assert!(ran.stderr.contains(&format!("[{code}]")), "{code} in\n{}", ran.stderr);
    }
}

#[test]
fn an_invoice_for_an_open_period() {
    let desk = Desk::configured();
    let during = ["--now", "2026-11-01T23:59:59Z", "invoice", "run", "--period", "2026-10"];
    desk.run(&during).fails(3, "period_open").says("2026-11-02T00:00:00Z");
    assert_eq!(desk.bodies().len(), 0);
    let early =
        ["--now", "2026-11-01T23:59:59Z", "invoice", "run", "--period", "2026-10", "--seal-early", "audit"];
    desk.run(&early).status(0);
    assert_eq!(desk.bodies().len(), 2);
}

#[test]
fn a_seal_before_time_needs_a_reason() {
    let desk = Desk::configured();
    for blank in ["", "  ", "\t"] {
        let early =
            ["--now", "2026-10-20T00:00:00Z", "invoice", "run", "--period", "2026-10", "--seal-early", blank];
        desk.run(&early).fails(2, "reason_missing");
    }
    assert_eq!(desk.run(&["--format", "json", "invoice", "list"]).status(0).json(), serde_json::json!([]));
}

#[test]
fn names_that_nothing_has() {
    let desk = Desk::configured();
    desk.run(&["invoice", "list", "--period", "august"]).fails(2, "bad_period").says("august");
    desk.run(&["invoice", "list", "--period", "2026-13"]).fails(2, "bad_period");
    for args in [
        &["usage", "--account", "a-9"][..],
        &["usage", "--total", "--account", "a-9"],
        &["usage", "--events", "--meter", "calls", "--account", "a-9"],
        &["invoice", "list", "--account", "a-9"],
        &["personal", "show", "a-9"],
    ] {
        desk.run(args).fails(3, "unknown_account").says("`a-9`").says("counterfoil usage --by account");
    }
    for (code, near) in [("unknown_typ", "`unknown_type`"), ("typo", "`json_syntax`")] {
        desk.run(&["quarantine", "list", "--code", code]).fails(2, "unknown_code").says(near);
        desk.run(&["quarantine", "replay", "--code", code]).fails(2, "unknown_code").says(near);
    }
    // Known, but without anything: no mistake.
    desk.run(&["usage", "--account", "a-1"]).status(0);
    desk.run(&["personal", "show", "a-1"]).status(0);
    desk.run(&["invoice", "list", "--account", "a-1", "--period", "2026-10"]).status(0);
    desk.run(&["quarantine", "list", "--code", "unknown_type"]).status(0);
}

#[test]
fn a_total_has_no_window() {
    let desk = Desk::configured();
    let ran = desk.run(&["usage", "--total", "--from", "2026-10-01"]).status(2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
}

#[test]
fn a_pipe_whose_lines_are_the_identity_needs_a_name() {
    let desk = Desk::configured();
    let by_line = "{kind: csv_mapping, id: line, type: {constant: call}, account: {column: account}, time: {column: time}}";
    desk.write("by-line.yaml", by_line);
    desk.write("by-id.yaml", by_line.replacen("id: line", "id: {column: id}", 1));
    let rows = |id: &str| format!("id,account,time\n{id},a-1,{GOOD_TIME}\n");
    let csv = |mapping: &str, more: &[&str], id: &str| {
        let args = [&["ingest", "--input", "csv", "--mapping", mapping], more, &["-"]].concat();
        desk.run_with_stdin(&args, rows(id).as_bytes())
    };
    csv("by-line.yaml", &[], "1").fails(2, "source_missing").says("--source");
    let outcome = r#"{"timestamp":"2026-10-03T10:00:00Z","org_id":1,"outcome":0,"category":1,"quantity":1}"#;
    desk.run_with_stdin(&["ingest", "--input", "sentry-outcomes", "-"], outcome.as_bytes())
        .fails(2, "source_missing");
    assert_eq!(desk.fate("accepted") + desk.fate("rejected"), 0, "nothing was taken");
    csv("by-line.yaml", &["--source", "one"], "1").status(0);
    csv("by-line.yaml", &["--feed", "two"], "1").status(0);
    assert_eq!(desk.fate("accepted"), 2, "two pipes by two names are different lines");
    csv("by-id.yaml", &[], "1").status(0);
    csv("by-id.yaml", &[], "2").status(0);
    let line = call("x", "a-1", GOOD_TIME);
    desk.run_with_stdin(&["ingest", "-"], line.as_bytes()).status(0);
    assert_eq!((desk.fate("accepted"), desk.fate("duplicate")), (5, 0));
    desk.run_with_stdin(
        &["ingest", "--input", "sentry-outcomes", "--source", "relay", "-"],
        outcome.as_bytes(),
    )
    .status(1);
}

#[test]
fn two_contracts_on_the_same_usage() {
    let second = |start: &str| {
        format!(
            "---\nkind: contract\ncontract: a-1-2027\naccount: a-1\nseller: acme\nplan: basic\ncurrency: USD\nstart: {start}\n"
        )
    };
    let desk = Desk::new();
    desk.write("config.yaml", format!("{}{}", support::CONFIG, second("2027-01-01")));
    let ran = desk.run(&["apply", "-f", "config.yaml"]).fails(3, "configuration_refused");
    assert!(ran.stderr.contains("[items_overlap]") && ran.stderr.contains("config.yaml:"), "{}", ran.stderr);
    // Also against a contract that is stored, until that one ends in time.
    desk.write("config.yaml", support::CONFIG);
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    desk.write("second.yaml", second("2027-01-01"));
    desk.run(&["apply", "-f", "second.yaml"]).fails(3, "configuration_refused").says("[items_overlap]");
    let ends = support::CONFIG.replacen(
        "contract: a-1-2026\n",
        "contract: a-1-2026\nend: 2027-01-01\neffective_at: 2026-11-01\n",
        1,
    );
    desk.write("config.yaml", ends);
    desk.run(&["apply", "-f", "config.yaml", "-f", "second.yaml"]).status(0);
}

#[test]
fn a_second_run_of_the_same_billing_period() {
    let desk = Desk::configured();
    desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    let before = desk.bodies();
    desk.run(&["invoice", "run", "--period", "2026-10"]).fails(3, "period_already_billed");
    assert_eq!(desk.bodies(), before);
    desk.run(&["verify"]).status(0);
}

#[test]
fn an_unwritable_folder() {
    let desk = Desk::new();
    desk.write("config.yaml", support::CONFIG);
    desk.write("data", "a file is in the way");
    let commands: &[&[&str]] = &[
        &["apply", "-f", "config.yaml"],
        &["apply", "--dry-run", "-f", "config.yaml"],
        &["usage"],
        &["verify"],
    ];
    for args in commands {
        desk.run(args).fails(3, "folder_unwritable").says("this is a file: `").says("/data`");
    }
    let below = std::process::Command::new(env!("CARGO_BIN_EXE_counterfoil"))
        .current_dir(desk.path(""))
        .args(["--data", "data/store", "apply", "-f", "config.yaml"])
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&below.stderr);
    assert!(told.contains("this is a file: `data`") && told.contains("[folder_unwritable]"), "{told}");
    assert_eq!(std::fs::read(desk.path("data")).expect("a file"), b"a file is in the way");
}

#[test]
fn a_folder_of_a_newer_version() {
    let desk = Desk::configured();
    support::make_newer(&desk.data());
    let ran = desk.run(&["usage"]).fails(3, "folder_newer");
    assert!(ran.stderr.contains("newer"), "{}", ran.stderr);
    desk.run(&["ingest", "config.yaml"]).fails(3, "folder_newer");
}

#[test]
fn two_processes_on_one_folder() {
    // This process is the first: it holds the folder as an open store does.
    let desk = Desk::configured();
    desk.write("a.ndjson", call("x", "a-1", GOOD_TIME));
    let held = std::fs::File::open(desk.data().join("lock")).expect("the lock file");
    held.try_lock().expect("nobody else has it");
    for command in [&["ingest", "a.ndjson"][..], &["apply", "-f", "config.yaml"], &["usage"], &["verify"]] {
        desk.run(command).fails(3, "folder_locked");
    }
    drop(held);
    desk.run(&["ingest", "a.ndjson"]).status(0);
    assert_eq!(desk.fate("accepted"), 1);
    desk.run(&["verify"]).status(0);
}

/// Flips one bit of a file; `verify` names it, and exits 1.
#[track_caller]
fn flipped(folder: &str) {
    let desk = Desk::configured();
    desk.ingest("events.ndjson", &[&call("x", "a-1", GOOD_TIME)]).status(0);
    desk.run(&["invoice", "run", "--period", "2026-10"]).status(0);
    let path = support::newest(&desk.data().join(folder));
    let mut bytes = std::fs::read(&path).expect("the file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).expect("the file is writable");
    let ran = desk.run(&["verify"]).status(1);
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(ran.stdout.contains(name), "`{name}` in\n{}", ran.stdout);
}

#[test]
fn a_flipped_byte_in_the_log() {
    flipped("log");
}

#[test]
fn a_flipped_byte_in_cells() {
    flipped("cells");
}

#[test]
fn a_flipped_byte_in_tables() {
    flipped("tables.db");
}

#[test]
fn a_flipped_byte_in_the_journal() {
    flipped("journal");
}

#[test]
fn a_flipped_byte_in_the_keys() {
    flipped("keys");
}

#[test]
fn a_full_disk() {
    // The command line cannot fill a disk without root; the library face is driven over a full one in
    // crates/sim/tests. Here: the file size limit of the process stands for the full disk.
    let desk = Desk::configured();
    let lines: Vec<String> = (0..4_000).map(|n| call(&format!("n-{n}"), "a-1", GOOD_TIME)).collect();
    desk.write("events.ndjson", lines.join("\n"));
    let binary = env!("CARGO_BIN_EXE_counterfoil");
    let script = format!(
        "trap '' XFSZ; ulimit -f 96; exec {binary} --data data --now 2026-11-05T00:00:00Z ingest --batch 200 events.ndjson"
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(desk.path(""))
        .output()
        .expect("bash runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("hint: "), "{stderr}");
    let again = desk.run(&["--format", "json", "ingest", "events.ndjson"]).status(0).json();
    let fates = again[0]["fates"].as_array().expect("rows");
    let count = |fate: &str| -> u64 {
        fates
            .iter()
            .filter(|row| row["fate"] == fate)
            .map(|row| row["records"].as_u64().expect("a count"))
            .sum()
    };
    assert_eq!(count("accepted") + count("duplicate"), 4_000);
    assert!(count("duplicate") > 0, "what was acknowledged before the disk was full is there");
    let usage = desk.run(&["--format", "json", "usage", "--meter", "calls"]).status(0).json();
    assert_eq!(usage["meters"][0]["count"], "4000");
    desk.run(&["verify"]).status(0);
}
