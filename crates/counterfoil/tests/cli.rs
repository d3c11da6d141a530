//! The binary as a user meets it.

mod support;

use support::{Desk, call, transfer};

/// Every command, in an order in which the files that one needs are there.
const COMMANDS: &[&[&str]] = &[
    &[],
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

/// The lines that the help of a command gives as examples.
fn examples(desk: &Desk, command: &[&str]) -> Vec<String> {
    let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
    let help = desk.run(&args).status(0).stdout;
    let (_, examples) = help.split_once("Example").unwrap_or_else(|| panic!("{command:?}:\n{help}"));
    let lines: Vec<String> = examples.lines().skip(1).map(|line| line.trim().to_owned()).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("counterfoil ")), "{lines:?}");
    lines
}

/// Runs a line in a shell, in the folder of the test and with its default store.
fn run_line(desk: &Desk, line: &str) -> (i32, String) {
    let binary = env!("CARGO_BIN_EXE_counterfoil");
    let script = format!("counterfoil() {{ {binary} --now 2026-10-05T00:00:00Z \"$@\"; }}; set -e; {line}");
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(desk.path(""))
        .env_remove("COUNTERFOIL_DATA")
        .env_remove("COUNTERFOIL_ACTOR")
        .output()
        .expect("bash runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), told)
}

#[track_caller]
fn works(desk: &Desk, line: &str, statuses: &[i32]) {
    let (status, told) = run_line(desk, line);
    assert!(statuses.contains(&status), "`{line}` ended with {status}:\n{told}");
}

/// The world of `demo`, ingested but not billed, and the files that the examples name.
fn world() -> Desk {
    let desk = Desk::new();
    works(
        &desk,
        "counterfoil gen --events 1500 --seed 7 --out first; mkdir config; cp first/config.yaml config",
        &[0],
    );
    let month = std::fs::read_to_string(desk.path("first/month.ndjson")).expect("a file");
    // The record at position 1234 has no quantity.
    let broken = r#"{"specversion":"1.0","id":"x","source":"gate","type":"error","subject":"org-1","time":"2026-08-01T10:00:00Z","data":{}}"#;
    let lines: Vec<&str> = month.lines().take(1234).chain([broken]).collect();
    assert_eq!(lines.len(), 1235);
    desk.write("events.ndjson", lines.join("\n"));
    desk.write("fixed.json", broken.replace("{}", r#"{"quantity":1}"#));
    desk.write(
        "calls.yaml",
        "{kind: csv_mapping, id: line, type: {constant: error}, account: {column: account}, time: {column: time}, properties: {quantity: {column: errors, as: number}}}",
    );
    desk.write("calls.csv", "account,time,errors\norg-1,2026-08-02T00:00:00Z,7\n");
    desk.write("price.yaml", "{kind: price, price: seats, currencies: {USD: {unit: \"0.5\"}}}");
    desk.write("usage.csv", "key,quantity\none,5.5\n");
    desk.write("who.yaml", "{kind: account, account: org-1, personal: {name: Ada Example}}");
    works(&desk, "gzip -k events.ndjson; counterfoil apply -f config -f who.yaml", &[3]);
    works(&desk, "counterfoil apply -f config; counterfoil apply -f who.yaml", &[0]);
    works(&desk, "counterfoil ingest events.ndjson.gz", &[1]);
    works(&desk, "cp -r counterfoil-data open; counterfoil invoice run --period 2026-08", &[0]);
    works(&desk, "mv counterfoil-data billed", &[0]);
    desk
}

#[test]
fn every_command_has_examples_that_are_true() {
    let desk = world();
    let mut tried = 0;
    for command in COMMANDS {
        let is_of_invoices = matches!(command, ["invoice", "list" | "show"] | ["explain"]);
        let store = if is_of_invoices { "billed" } else { "open" };
        for example in examples(&desk, command) {
            works(&desk, &format!("rm -rf counterfoil-data; cp -r {store} counterfoil-data"), &[0]);
            // The same world, but smaller.
            let line = match example.as_str() {
                "counterfoil demo" => "counterfoil demo --events 6000".to_owned(),
                other => other.replace("demo --events 100000", "demo --events 6000"),
            };
            let has_refused = matches!(command, ["ingest"]) || example.contains("--code");
            works(&desk, &line, if has_refused { &[0, 1] } else { &[0] });
            tried += 1;
        }
    }
    assert!(tried >= 25, "{tried}");
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
    let commands: &[&[&str]] = &[
        &["usage"],
        &["verify"],
        &["invoice", "list"],
        &["explain", "X", "1"],
        &["quarantine", "list"],
        &["personal", "show", "a-1"],
        &["invoice", "run", "--period", "2026-10"],
        &["quarantine", "replay", "1"],
        &["quarantine", "replay", "--code", "unknown_type"],
        &["personal", "erase", "a-1"],
    ];
    for args in commands {
        desk.run(args).fails(3, "no_store");
    }
    assert!(!desk.data().exists(), "none of them makes a folder");
    std::fs::create_dir(desk.data()).expect("a folder");
    desk.write("data/other.txt", "of somebody else");
    for args in commands {
        desk.run(args).fails(3, "no_store").says("in the folder");
    }
    let left: Vec<_> = std::fs::read_dir(desk.data()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "none of them writes into the folder: {left:?}");
}

#[test]
fn a_store_that_lost_its_keys_is_no_empty_folder() {
    let desk = Desk::configured();
    std::fs::remove_file(desk.data().join("keys")).expect("a file");
    let ran = desk.run(&["verify"]).status(1);
    assert!(ran.stdout.contains("differs: keys"), "{}", ran.stdout);
    desk.run(&["invoice", "run", "--period", "2026-10"]).fails(3, "keys_missing");
    desk.run(&["apply", "-f", "config.yaml"]).fails(3, "keys_missing");
}

#[test]
fn a_dry_run_makes_nothing() {
    let desk = Desk::new();
    let config =
        support::CONFIG.replacen("account: a-2\n", "account: a-2\npersonal: {name: Ada Example}\n", 1);
    desk.write("config.yaml", &config);
    let dry = ["--format", "json", "apply", "--dry-run", "-f", "config.yaml"];
    let planned = desk.run(&dry).status(0).json();
    assert!(!desk.data().exists(), "no folder");
    let mistaken =
        config.replacen("plan: basic\ncurrency: USD\nstart", "plan: basik\ncurrency: USD\nstart", 1);
    desk.write("config.yaml", &mistaken);
    desk.run(&dry).status(3).says("[unknown_plan]").says("configuration_refused");
    assert!(!desk.data().exists(), "no folder");
    desk.run(&["--now", "noon", "apply", "--dry-run", "-f", "config.yaml"]).fails(2, "bad_time");

    desk.write("config.yaml", &config);
    let text = desk.run(&["apply", "--dry-run", "-f", "config.yaml"]).status(0).stdout;
    assert!(text.contains("9 documents: 9 would change, 0 unchanged"), "{text}");
    let applied = desk.run(&["--format", "json", "apply", "-f", "config.yaml"]).status(0).json();
    assert_eq!(applied["changes"], planned["changes"], "what is planned is what is done");
    assert_eq!(
        (planned["applied"].clone(), applied["applied"].clone()),
        (serde_json::Value::Bool(false), serde_json::Value::Bool(true))
    );

    let head = |name: &str| {
        desk.run(&["verify", "--export-head", name]).status(0);
        std::fs::read_to_string(desk.path(name)).expect("a file")
    };
    let before = head("before.json");
    desk.run(&dry).status(0);
    desk.write("config.yaml", &mistaken);
    desk.run(&dry).status(3).says("[unknown_plan]");
    assert_eq!(head("after.json"), before, "no row, not even of a refusal");
}

const KEYS: &str = "identity = 000102030405060708090a0b0c0d0e0f\n\
    digest = 101112131415161718191a1b1c1d1e1f\n\
    personal = 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n\
    shard = 404142434445464748494a4b4c4d4e4f\n";

#[test]
fn keys_that_differ_are_refused() {
    let desk = Desk::new();
    desk.write("config.yaml", support::CONFIG);
    desk.write("keys.txt", KEYS);
    desk.write("other.txt", KEYS.replacen("shard = 40", "shard = 41", 1));
    let with = |keys: &str, args: &[&str]| desk.run(&[&["--keys", keys], args].concat());
    with("keys.txt", &["apply", "-f", "config.yaml"]).status(0);
    let files = || {
        support::newest(&desk.data().join("journal")).metadata().expect("a file").modified().expect("a time")
    };
    let before = files();
    let commands: &[&[&str]] = &[
        &["apply", "-f", "config.yaml"],
        &["apply", "--dry-run", "-f", "config.yaml"],
        &["ingest", "config.yaml"],
        &["usage"],
        &["invoice", "run", "--period", "2026-10"],
        &["verify"],
    ];
    for args in commands {
        with("other.txt", args).fails(3, "keys_differ");
    }
    assert_eq!(files(), before, "nothing is written");
    for args in [&["apply", "-f", "config.yaml"][..], &["usage"], &["verify"]] {
        with("keys.txt", args).status(0);
        desk.run(args).status(0);
    }
    with("none.txt", &["usage"]).fails(3, "keys_unreadable");
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
    desk.write("extra.yaml", "{kind: account, account: a-3}");
    let args = ["--format", "json", "--idempotency-key", "k-1", "apply", "-f", "extra.yaml"];
    let first = desk.run(&args).status(0);
    assert_eq!(first.json()["changes"][0]["action"], "create");
    assert!(!first.stderr.contains("used before"), "{}", first.stderr);
    let again = desk.run(&args).status(0).says("note: ").says("used before").says("`k-1`");
    assert_eq!(again.stdout, first.stdout, "what was done then, not what would be done now");
    let text = ["--idempotency-key", "k-1", "apply", "-f", "extra.yaml"];
    let told = desk.run(&text).status(0).says("used before").stdout;
    assert!(told.contains("create") && told.contains("1 documents: 1 changed, 0 unchanged"), "{told}");
    // A retry that comes late: by now the file alone would be refused.
    let priced = |price: &str, at: &str| {
        format!("{{kind: price, price: seats, {at} currencies: {{USD: {{unit: \"{price}\"}}}}}}")
    };
    let key = ["--format", "json", "--idempotency-key", "k-2", "apply", "-f", "seats.yaml"];
    desk.write("seats.yaml", priced("1", ""));
    let first = desk.run(&key).status(0).stdout;
    desk.write("later.yaml", priced("2", "effective_at: 2026-12-01,"));
    desk.run(&["apply", "-f", "later.yaml"]).status(0);
    desk.run(&["apply", "-f", "seats.yaml"]).fails(3, "configuration_refused");
    assert_eq!(desk.run(&key).status(0).says("used before").stdout, first);
}

#[test]
fn an_idempotency_key_is_of_one_request() {
    let desk = Desk::configured();
    desk.write("extra.yaml", "{kind: account, account: a-3}");
    let args = ["--format", "json", "--idempotency-key", "k-1", "apply", "-f", "extra.yaml"];
    desk.run(&args).status(0);
    desk.write("extra.yaml", "{kind: account, account: a-4}");
    let ran = desk.run(&args).status(3);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("\"idempotency_conflict\""), "{}", ran.stderr);
    desk.ingest("a.ndjson", &[&call("x", "a-4", "2026-10-03T10:00:00Z")]).status(1);
    assert_eq!(desk.quarantine()[0]["code"], "unknown_account", "a used key does nothing anew");
}

#[test]
fn quarantine_is_listed_and_replayed_by_what_is_wanted() {
    let desk = Desk::configured();
    let of = |source: &str, id: &str| call(id, "nobody", "2026-10-01T00:00:00Z").replace("gate", source);
    let lines = [
        of("gate", "1"),
        of("door", "1"),
        of("door", "2"),
        transfer("3", "a-1", "2026-10-01T00:00:00Z", "null"),
    ];
    desk.ingest("bad.ndjson", &lines.each_ref().map(String::as_str)).status(1);
    let listed = |args: &[&str]| {
        let args = [&["--format", "json", "quarantine", "list"][..], args].concat();
        desk.run(&args).status(0).json().as_array().expect("rows").len()
    };
    assert_eq!((listed(&[]), listed(&["--source", "door"]), listed(&["--source", "window"])), (4, 2, 0));
    assert_eq!(listed(&["--source", "gate", "--code", "unknown_account"]), 1);
    let rows = desk.quarantine();
    let received = rows[0]["received_at"].as_str().expect("a time");
    assert_eq!((listed(&["--from", received]), listed(&["--to", received])), (4, 0));
    assert_eq!((listed(&["--from", "2020-01-01"]), listed(&["--to", "2020-01-01"])), (4, 0));
    desk.run(&["quarantine", "list", "--from", "yesterday"]).fails(2, "bad_time");
    let reversed = ["quarantine", "replay", "--from", "2026-02-01", "--to", "2026-01-01"];
    desk.run(&reversed).fails(2, "window_reversed");
    // Nothing is sent again unless somebody says what.
    assert_eq!(desk.run(&["quarantine", "replay"]).status, 2);
    assert_eq!(desk.run(&["quarantine", "replay", "0", "--source", "door"]).status, 2);
    desk.write("account.yaml", "{kind: account, account: nobody}");
    desk.run(&["apply", "-f", "account.yaml"]).status(0);
    desk.run(&["quarantine", "replay", "--source", "door", "--code", "unknown_account"]).status(0);
    assert_eq!(
        (listed(&[]), listed(&["--source", "door"]), listed(&["--source", "door", "--all"])),
        (2, 0, 2)
    );
    desk.run(&["verify"]).status(0);
}

#[test]
fn quarantine_is_repaired_and_replayed() {
    let desk = Desk::configured();
    let bad = transfer("x", "a-1", "2026-10-03T10:00:00Z", "\"many\"");
    desk.ingest("a.ndjson", &[&bad, "{\"broken"]).status(1);
    let rows = desk.quarantine();
    let (first, second) = (rows[0]["position"].to_string(), rows[1]["position"].to_string());
    desk.run(&["quarantine", "replay", &first]).status(1);
    desk.run(&["quarantine", "replay", &first]).fails(3, "already_replayed");
    // What is refused again is kept under a position of its own.
    let again = desk.quarantine().iter().map(|row| row["position"].to_string()).max().expect("a row");
    assert_ne!(again, first);
    desk.run(&["quarantine", "replay", &again, "--set", "data.quantity=7"]).status(0);
    desk.run(&["quarantine", "replay", &again]).fails(3, "already_replayed");
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
fn an_hour_that_comes_twice_is_two_rows_in_order() {
    let desk = Desk::configured();
    let times = ["2025-10-26T00:59:59.999Z", "2025-10-26T01:00:00Z", "2025-10-26T02:00:00Z"];
    let events: Vec<String> =
        times.iter().enumerate().map(|(n, time)| call(&format!("e-{n}"), "a-1", time)).collect();
    let lines: Vec<&str> = events.iter().map(String::as_str).collect();
    desk.ingest("a.ndjson", &lines).status(0);
    let ask = |args: &[&str]| {
        let args =
            [&["--format", "json", "usage", "--meter", "calls", "--zone", "Europe/Berlin"], args].concat();
        desk.run(&args).status(0).json()["meters"].clone()
    };
    let rows = ask(&["--from", "2025-10-26", "--to", "2025-10-27", "--by", "hour"]);
    let hours: Vec<&str> =
        rows.as_array().expect("rows").iter().filter_map(|row| row["group"]["hour"].as_str()).collect();
    assert_eq!(hours, ["2025-10-26T02:00+02:00", "2025-10-26T02:00+01:00", "2025-10-26T03:00+01:00"]);
    // An edge inside a cell, and one at an event.
    let rows = ask(&["--from", "2025-10-26T00:59:59.999Z", "--to", "2025-10-26T02:00:00Z"]);
    assert_eq!(rows[0]["count"], "2");
    let rows =
        ask(&["--from", "2025-10-26T00:59:59.9990001Z", "--to", "2025-10-26T02:00:00.1Z", "--by", "day"]);
    assert_eq!((&rows[0]["count"], &rows[0]["group"]["day"]), (&"2".into(), &"2025-10-26".into()));
    // By the terms of a row before there was a meter, and of one that is not there.
    desk.run(&["usage", "--meter", "calls", "--known-at", "1"]).fails(2, "unknown_meter");
    desk.run(&["usage", "--meter", "calls", "--known-at", "99999"]).fails(2, "unknown_row");
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
