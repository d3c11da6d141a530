//! Files that are taken in pieces: killed, broken off, grown. `--resume` takes the rest and nothing twice.

mod support;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use support::{CONFIG, Desk, Ran, call, transfer};

const RECORDS: u64 = 12_000;

/// Under the same keys the digests of the same events are the same.
const KEYS: &str = "identity = 000102030405060708090a0b0c0d0e0f\n\
    digest = 101112131415161718191a1b1c1d1e1f\n\
    personal = 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n\
    shard = 404142434445464748494a4b4c4d4e4f\n";

fn configured() -> Desk {
    let desk = Desk::new();
    desk.write("keys.txt", KEYS);
    desk.write("config.yaml", CONFIG);
    desk.run(&["--keys", "keys.txt", "apply", "-f", "config.yaml"]).status(0);
    desk
}

/// A file with records of every fate, blank lines, and lines that are no UTF-8.
fn lines(records: u64) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for n in 0..records {
        let (account, time) = (format!("a-{}", n % 2 + 1), format!("2026-10-{:02}T10:00:00Z", n % 28 + 1));
        let id = format!("n-{n}");
        lines.push(match n % 50 {
            7 => {
                transfer(&format!("n-{}", n - 1), &format!("a-{}", (n - 1) % 2 + 1), &time, "9").into_bytes()
            }
            11 => b"{ no JSON at all".to_vec(),
            13 => b"{\"specversion\":\"1.0\",\"id\":\"\xff\"}".to_vec(),
            17 => transfer(&id, &account, "2036-01-01T00:00:00Z", "1").into_bytes(),
            19 => lines.last().cloned().unwrap_or_default(),
            _ => transfer(&id, &account, &time, &format!("{}.25", n % 1_000)).into_bytes(),
        });
        if n % 333 == 0 {
            lines.push(Vec::new());
        }
    }
    lines
}

fn ndjson(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.join(&b'\n')
}

/// The fates as they are stored, whatever the runs that made them.
fn fates(desk: &Desk) -> Value {
    desk.run(&["--format", "json", "usage", "--fates"]).status(0).json()["fates"].clone()
}

fn usage(desk: &Desk) -> Value {
    desk.run(&["--format", "json", "usage", "--total"]).status(0).json()
}

/// What a desk has that took the files in one run each.
fn whole(names: &[&str], content: &[Vec<u8>]) -> Desk {
    let desk = configured();
    for (name, content) in names.iter().zip(content) {
        desk.write(name, content);
        let ran = desk.run(&["ingest", "--batch", "1000", name]);
        assert!(ran.status == 0 || ran.status == 1, "{}", ran.stderr);
    }
    desk
}

#[track_caller]
fn assert_same(desk: &Desk, expected: &Desk) {
    assert_eq!(fates(desk), fates(expected));
    assert_eq!(usage(desk)["meters"], usage(expected)["meters"]);
    desk.run(&["verify"]).status(0);
}

fn reports(ran: &Ran) -> Vec<(String, u64, u64)> {
    let field = |report: &Value, name: &str| report[name].as_u64().expect("a number");
    let rows = ran.json();
    let row = |row: &Value| {
        (row["feed"].as_str().expect("a name").to_owned(), field(row, "skipped"), field(row, "received"))
    };
    rows.as_array().expect("a list").iter().map(row).collect()
}

fn resume(desk: &Desk, names: &[&str]) -> Ran {
    let mut words = vec!["--format", "json", "ingest", "--resume"];
    words.extend(names);
    let ran = desk.run(&words);
    assert!(ran.status == 0 || ran.status == 1, "{}", ran.stderr);
    ran
}

/// Starts an ingest and kills it once the log has grown by some bytes.
fn kill_after(desk: &Desk, words: &[&str], bytes: u64) {
    let log = desk.data().join("log");
    let before = size(&log);
    let mut child = desk.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    while size(&log) < before + bytes {
        assert!(child.try_wait().expect("a status").is_none(), "it ended before it could be killed");
        std::thread::yield_now();
    }
    child.kill().expect("the child is ours");
    child.wait().expect("the child ends");
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}

#[test]
fn killed_twice_then_resumed_the_fates_are_those_of_the_file() {
    let content = ndjson(&lines(RECORDS));
    let expected = whole(&["month.ndjson"], std::slice::from_ref(&content));
    let desk = configured();
    desk.write("month.ndjson", &content);
    kill_after(&desk, &["ingest", "--batch", "50", "month.ndjson"], 30_000);
    kill_after(&desk, &["ingest", "--batch", "70", "--resume", "month.ndjson"], 30_000);
    let ran = resume(&desk, &["month.ndjson"]);
    let [(_, skipped, received)] = reports(&ran)[..] else { panic!("one report") };
    assert!(skipped > 0 && received > 0, "killed in the middle: {skipped} and {received}");
    assert_eq!(skipped + received, RECORDS);
    assert!(ran.stderr.contains("went on behind the"), "{}", ran.stderr);
    assert_same(&desk, &expected);
    let ran = resume(&desk, &["month.ndjson"]);
    assert_eq!(reports(&ran), [("month.ndjson".to_owned(), RECORDS, 0)]);
    assert!(ran.stderr.contains("`month.ndjson` was already taken whole: 12,000 records"), "{}", ran.stderr);
    assert_same(&desk, &expected);
    // Without the flag nothing changes: all of it comes again.
    desk.run(&["ingest", "month.ndjson"]);
    assert_eq!(usage(&desk)["meters"], usage(&expected)["meters"]);
    assert_ne!(fates(&desk), fates(&expected));
}

#[test]
fn of_several_files_the_first_are_done() {
    let of = |file: u64| -> Vec<u8> {
        let line = |n: u64| call(&format!("{file}-{n}"), "a-1", "2026-10-03T10:00:00Z").into_bytes();
        ndjson(&(0..4_000).map(line).collect::<Vec<_>>())
    };
    let names = ["a.ndjson", "b.ndjson", "c.ndjson"];
    let content: Vec<Vec<u8>> = (0..3).map(of).collect();
    let expected = whole(&names, &content);
    let desk = configured();
    for (name, content) in names.iter().zip(&content) {
        desk.write(name, content);
    }
    desk.run(&["ingest", "a.ndjson"]).status(0);
    kill_after(&desk, &["ingest", "--batch", "50", "--resume", "a.ndjson", "b.ndjson", "c.ndjson"], 30_000);
    let ran = resume(&desk, &names);
    let reports = reports(&ran);
    assert_eq!(reports[0], ("a.ndjson".to_owned(), 4_000, 0));
    assert!(reports[1].1 > 0 && reports.iter().all(|report| report.1 + report.2 == 4_000), "{reports:?}");
    assert_same(&desk, &expected);
    // Files of one feed are told apart by their names; those of one name are not.
    let desk = configured();
    for (name, content) in names.iter().zip(&content) {
        desk.write(name, content);
    }
    std::fs::create_dir(desk.path("more")).expect("a folder");
    desk.write("more/a.ndjson", &content[2]);
    desk.run(&["ingest", "--feed", "gate", "a.ndjson", "b.ndjson"]).status(0);
    let ran = desk.run(&["--format", "json", "ingest", "--resume", "--feed", "gate", "b.ndjson", "a.ndjson"]);
    assert_eq!(self::reports(&ran.status(0)).iter().map(|report| report.1).sum::<u64>(), 8_000);
    let twice = ["ingest", "--resume", "--feed", "gate", "a.ndjson", "more/a.ndjson"];
    desk.run(&twice).fails(2, "resume_ambiguous");
}

#[test]
fn another_file_by_the_same_name_is_refused() {
    let first = lines(300);
    let desk = configured();
    desk.write("day.ndjson", ndjson(&first));
    desk.run(&["ingest", "--batch", "64", "day.ndjson"]).status(1);
    let before = fates(&desk);
    let changed = |at: usize, line: &str| {
        let mut lines = first.clone();
        lines[at] = line.as_bytes().to_vec();
        lines
    };
    let new = transfer("new", "a-1", "2026-10-03T10:00:00Z", "1");
    let others = [
        ("one record in the middle is another", changed(150, &new)),
        ("one has other content", changed(150, &transfer("n-149", "a-2", "2026-10-02T10:00:00Z", "7"))),
        ("a broken one is mended", changed(12, &new)),
        ("a good one is broken", changed(150, "{")),
        ("it is shorter", first[..200].to_vec()),
        ("it is empty", Vec::new()),
    ];
    for (what, lines) in others {
        assert_ne!(lines, first, "{what}");
        desk.write("day.ndjson", ndjson(&lines));
        let ran = desk.run(&["ingest", "--resume", "day.ndjson"]).fails(3, "resume_other_file");
        assert!(ran.stderr.contains("`day.ndjson`"), "{what}: {}", ran.stderr);
        assert_eq!(fates(&desk), before, "{what}: nothing was taken");
    }
    // One that has grown is the same file: what is new is taken.
    let grown: Vec<_> = first.iter().cloned().chain([new.into_bytes()]).collect();
    desk.write("day.ndjson", ndjson(&grown));
    assert_eq!(reports(&resume(&desk, &["day.ndjson"])), [("day.ndjson".to_owned(), 300, 1)]);
    desk.run(&["verify"]).status(0);
}

#[test]
fn what_broke_off_goes_on_and_what_was_replayed_stays() {
    let content = ndjson(&lines(2_000));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &content).expect("memory");
    let packed = packed.finish().expect("memory");
    let desk = configured();
    desk.write("day.ndjson.gz", &packed[..packed.len() / 2]);
    let ran = desk.run(&["ingest", "--batch", "64", "day.ndjson.gz"]).status(1);
    assert!(ran.stderr.contains("breaks off"), "{}", ran.stderr);
    let records = |desk: &Desk| -> u64 {
        ["accepted", "duplicate", "conflict", "rejected"].map(|fate| desk.fate(fate)).iter().sum()
    };
    let taken = records(&desk);
    assert!(taken > 0 && taken < 2_000, "{taken}");
    // A record that was mended and replayed is known by now; the file still has it as it was.
    let kept = desk.quarantine();
    let future = kept.iter().find(|row| row["code"] == "time_in_future").expect("one in the future");
    let position = future["position"].to_string();
    desk.run(&["quarantine", "replay", &position, "--set", "time=\"2026-10-01T00:00:00Z\""]).status(0);
    desk.write("day.ndjson.gz", &packed);
    assert_eq!(
        reports(&resume(&desk, &["day.ndjson.gz"])),
        [("day.ndjson.gz".to_owned(), taken, 2_000 - taken)]
    );
    assert_eq!(records(&desk), 2_000 + 1);
    desk.run(&["verify"]).status(0);
}

#[test]
fn parquet_too() {
    let expected = whole(&["calls.parquet"], &[parquet_file(8, 1_000, "row")]);
    let desk = configured();
    desk.write("calls.parquet", parquet_file(8, 1_000, "row"));
    kill_after(&desk, &["ingest", "--batch", "40", "calls.parquet"], 30_000);
    desk.write("calls.parquet", parquet_file(8, 1_000, "other"));
    desk.run(&["ingest", "--resume", "calls.parquet"]).fails(3, "resume_other_file");
    desk.write("calls.parquet", parquet_file(8, 1_000, "row"));
    let ran = resume(&desk, &["calls.parquet"]);
    let [(_, skipped, received)] = reports(&ran)[..] else { panic!("one report") };
    assert!(skipped > 0 && received > 0 && skipped + received == 8_000, "{skipped} and {received}");
    assert_same(&desk, &expected);
}

#[test]
fn what_only_its_line_identifies_keeps_its_line() {
    let outcome = |n: u64| {
        format!(
            "{{\"timestamp\":\"2026-10-03T10:00:{:02}.000000Z\",\"org_id\":1,\"project_id\":2,\"outcome\":0,\"category\":1,\"quantity\":{}}}\n",
            n % 60,
            n % 7 + 1
        )
    };
    let config = "kind: meter\nmeter: errors\nevents: [error]\naggregate: sum\nproperty: quantity\nunit: event\n\
        ---\nkind: policy\npolicy: accounts\nfirst_sight: create\n";
    let part: String = (0..500).map(outcome).collect();
    let all: String = (0..900).map(outcome).collect();
    let desk = Desk::new();
    desk.write("config.yaml", config);
    desk.run(&["apply", "-f", "config.yaml"]).status(0);
    let words = ["--format", "json", "ingest", "--input", "sentry-outcomes", "--resume", "outcomes.ndjson"];
    desk.write("outcomes.ndjson", &part);
    assert_eq!(reports(&desk.run(&words)), [("outcomes.ndjson".to_owned(), 0, 500)]);
    desk.write("outcomes.ndjson", &all);
    assert_eq!(reports(&desk.run(&words)), [("outcomes.ndjson".to_owned(), 500, 400)]);
    assert_eq!(desk.fate("accepted"), 900, "no line is taken for another");
}

/// Calls in columns, with ids that begin with a word.
fn parquet_file(groups: u32, rows: u32, word: &str) -> Vec<u8> {
    let texts = ["id", "source", "type", "subject", "time"];
    let fields: String = texts.iter().map(|name| format!("required byte_array {name} (STRING); ")).collect();
    let schema = Arc::new(parse_message_type(&format!("message events {{ {fields} }}")).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).expect("a writer");
    for group in 0..groups {
        let mut group_writer = writer.next_row_group().expect("a group");
        for name in texts {
            let text = |row: u32| match name {
                "id" => format!("{word}-{}", group * rows + row),
                "source" => "gate".to_owned(),
                "type" => "call".to_owned(),
                "subject" => format!("a-{}", row % 2 + 1),
                _ => format!("2026-10-{:02}T10:00:00Z", row % 28 + 1),
            };
            let values: Vec<ByteArray> =
                (0..rows).map(|row| ByteArray::from(text(row).into_bytes())).collect();
            let mut column = group_writer.next_column().expect("a column").expect("one a name");
            let ColumnWriter::ByteArrayColumnWriter(writer) = column.untyped() else { panic!("text") };
            writer.write_batch(&values, None, None).expect("memory");
            column.close().expect("memory");
        }
        group_writer.close().expect("memory");
    }
    writer.into_inner().expect("memory")
}
