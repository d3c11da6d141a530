//! Files made to hurt: each costs at most 1 GiB of memory and 60 seconds, is refused with a code, and everything
//! that is good before and after it is taken.
//!
//! `COUNTERFOIL_HOSTILE=full`, best with `--release`, makes them as large as the names say.

mod support;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use support::{Desk, Ran, call, transfer};

const TIME: &str = "2026-10-03T10:00:00Z";
const MEMORY_KB_MAX: u64 = 1 << 20;
const SECONDS_MAX: u64 = 60;

/// One case at a time, so that each is measured alone.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_full() -> bool {
    std::env::var("COUNTERFOIL_HOSTILE").is_ok_and(|value| value == "full")
}

/// What a command left, and what it took.
struct Measured {
    ran: Ran,
    took: Duration,
}

/// The most memory that a process has had so far, where the system tells.
fn peak_kb(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

type Feed = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// Runs a command, perhaps with something on stdin; neither memory nor time may pass the bounds.
#[track_caller]
fn measured(desk: &Desk, args: &[&str], stdin: Option<Feed>) -> Measured {
    let mut command = desk.command(args);
    if stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let writer = stdin.map(|feed| {
        let pipe: ChildStdin = child.stdin.take().expect("stdin is piped");
        std::thread::spawn(move || {
            let mut pipe = BufWriter::with_capacity(1 << 20, pipe);
            // A reader that goes away early is seen by its exit status.
            let _ = feed(&mut pipe).and_then(|()| pipe.flush());
        })
    });
    let process = child.id();
    let ended = Arc::new(Mutex::new(false));
    let watch = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            let mut peak = None;
            while !*ended.lock().unwrap_or_else(PoisonError::into_inner) {
                // The mark only rises, so that the last one read is the highest of all but the last moment.
                peak = peak_kb(process).max(peak);
                std::thread::sleep(Duration::from_millis(5));
            }
            peak
        }
    });
    let output = child.wait_with_output().expect("the binary ends");
    let took = begun.elapsed();
    *ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
    // What ended before it was seen has no mark, or that of a process that is not yet the binary.
    let peak = watch.join().expect("the watch ends").filter(|peak| *peak > 1024);
    if let Some(writer) = writer {
        writer.join().expect("stdin was written");
    }
    let ran = Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    match peak {
        None => eprintln!("{name}: {} in {took:.2?}; skipped: the peak of memory was not seen", args[0]),
        Some(peak) => {
            eprintln!("{name}: {args:?}: {} MB, {took:.2?}", peak / 1024);
            assert!(peak <= MEMORY_KB_MAX, "{peak} kB of memory, the most allowed is {MEMORY_KB_MAX}");
        }
    }
    assert!(took.as_secs() < SECONDS_MAX, "{took:?}\n{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    Measured { ran, took }
}

/// Writes a file piece by piece.
fn write(desk: &Desk, name: &str, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> PathBuf {
    let path = desk.path(name);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).expect("a file"));
    content(&mut file).and_then(|()| file.flush()).expect("the test's folder is writable");
    path
}

fn good(number: u32) -> String {
    call(&format!("good-{number}"), "a-1", TIME)
}

/// Writes `length` times the same byte. The length that a long line is told to have counts its line end.
fn many(out: &mut dyn Write, byte: u8, length: u64) -> io::Result<()> {
    let block = vec![byte; 1 << 20];
    let mut left = length;
    while left > 0 {
        let now = left.min(block.len() as u64);
        out.write_all(&block[..now as usize])?;
        left -= now;
    }
    Ok(())
}

/// What one ingest reported of its only file.
fn fates(ran: &Ran) -> (u64, u64) {
    let report = ran.json();
    let rows = report[0]["fates"].as_array().expect("rows").clone();
    let count = |fate: &str| {
        let of = rows.iter().filter(|row| row["fate"] == fate);
        of.map(|row| row["records"].as_u64().expect("a count")).sum()
    };
    (count("accepted"), count("rejected"))
}

/// Ingests hostile lines, each between two good ones: each is refused with its code and kept, the good are taken.
#[track_caller]
fn lines_refused(bad: &[(Vec<u8>, &str)]) {
    let _alone = alone();
    let desk = Desk::configured();
    write(&desk, "events.ndjson", |out| {
        for (at, (line, _)) in bad.iter().enumerate() {
            writeln!(out, "{}", good(at as u32))?;
            out.write_all(line)?;
            writeln!(out)?;
        }
        writeln!(out, "{}", good(bad.len() as u32))
    });
    let ran = measured(&desk, &["--format", "json", "ingest", "events.ndjson"], None).ran.status(1);
    assert_eq!(fates(&ran), (bad.len() as u64 + 1, bad.len() as u64));
    check_kept(&desk, &bad.iter().map(|(_, code)| *code).collect::<Vec<_>>());
    assert_eq!(calls(&desk), bad.len() as u64 + 1);
    desk.run(&["verify"]).status(0);
}

/// What is in quarantine: these codes, on every second line from the second on.
#[track_caller]
fn check_kept(desk: &Desk, codes: &[&str]) {
    let kept = desk.quarantine();
    let expected: Vec<(Value, Value)> =
        codes.iter().enumerate().map(|(at, code)| ((2 * at + 2).into(), (*code).into())).collect();
    let found: Vec<(Value, Value)> =
        kept.iter().map(|row| (row["line"].clone(), row["code"].clone())).collect();
    assert_eq!(found, expected, "{kept:#?}");
    assert!(kept.iter().all(|row| row["message"].as_str().is_some_and(|text| text.len() < 1_000)));
}

/// How many calls are counted.
fn calls(desk: &Desk) -> u64 {
    let usage = desk.run(&["--format", "json", "usage", "--meter", "calls"]).status(0).json();
    usage["meters"][0]["count"].as_str().expect("a count").parse().expect("a number")
}

#[test]
fn a_line_of_a_gigabyte() {
    let _alone = alone();
    let desk = Desk::configured();
    let length = if is_full() { 1 << 30 } else { 200 << 20 };
    let feed: Feed = Box::new(move |out| {
        writeln!(out, "{}", good(1))?;
        out.write_all(br#"{"specversion":"1.0","id":""#)?;
        many(out, b'x', length)?;
        writeln!(out, "\"}}\n{}", good(2))
    });
    let ran = measured(&desk, &["--format", "json", "ingest", "-"], Some(feed)).ran.status(1);
    assert_eq!(fates(&ran), (2, 1));
    check_kept(&desk, &["line_too_long"]);
    let told = desk.quarantine()[0]["message"].to_string();
    assert!(told.contains(&format!("found `{}`", length + 30)), "all of it was read: {told}");
    assert_eq!(calls(&desk), 2);
    // The head alone is kept of it.
    let bytes: u64 =
        walk(&desk.data()).iter().map(|path| path.metadata().map_or(0, |found| found.len())).sum();
    assert!(bytes < 4 << 20, "{bytes} bytes in the folder");
    desk.run(&["verify"]).status(0);
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// A transfer whose data has properties of so many names.
fn names(id: &str, from: u32, count: u32) -> String {
    let data: String = (from..from + count).map(|n| format!(r#","p{n:07}":{n}"#)).collect();
    transfer(id, "a-1", TIME, &format!("1{data}"))
}

#[test]
fn a_million_property_names() {
    lines_refused(&[
        (names("all", 0, 1_000_000).into_bytes(), "line_too_long"),
        (names("many", 0, 50_000).into_bytes(), "field_too_long"),
    ]);
}

#[test]
fn a_million_property_names_over_many_events() {
    let _alone = alone();
    let desk = Desk::configured();
    write(&desk, "events.ndjson", |out| {
        (0..50_000).try_for_each(|event| writeln!(out, "{}", names(&format!("e-{event}"), event * 20, 20)))
    });
    let ran = measured(&desk, &["--format", "json", "ingest", "events.ndjson"], None).ran.status(0);
    assert_eq!(fates(&ran), (50_000, 0));
    let usage = desk.run(&["--format", "json", "usage", "--meter", "bytes"]).status(0).json();
    assert_eq!(usage["meters"][0]["sum"], "50000");
    measured(&desk, &["verify"], None).ran.status(0);
}

#[test]
fn deep_nesting() {
    let nested = |open: &str, close: &str, levels| {
        transfer("deep", "a-1", TIME, &format!("1,\"p\":{}1{}", open.repeat(levels), close.repeat(levels)))
    };
    let unclosed = |open: &str| format!(r#"{{"data":{}"#, open.repeat(100_000)).into_bytes();
    lines_refused(&[
        (nested("[", "]", 100_000).into_bytes(), "too_deep"),
        (nested("{\"p\":", "}", 100_000).into_bytes(), "too_deep"),
        (nested("[", "]", 500_000).into_bytes(), "too_deep"),
        // Not even whole.
        (unclosed("["), "json_syntax"),
        (unclosed("{\"p\":"), "json_syntax"),
        ("[".repeat(100_000).into_bytes(), "json_syntax"),
    ]);
}

#[test]
fn invalid_utf8() {
    let with = |bytes: &[u8]| {
        let line = call("bad-?", "a-1", TIME).into_bytes();
        let at = line.iter().position(|byte| *byte == b'?').expect("a mark");
        [&line[..at], bytes, &line[at + 1..]].concat()
    };
    lines_refused(&[
        // No beginning, cut off, too long a form, half of a pair, beyond the last character.
        (with(b"\x80"), "invalid_utf8"),
        (with(b"\xc3"), "invalid_utf8"),
        (with(b"\xe2\x82"), "invalid_utf8"),
        (with(b"\xc0\xaf"), "invalid_utf8"),
        (with(b"\xed\xa0\x80"), "invalid_utf8"),
        (with(b"\xf4\x90\x80\x80"), "invalid_utf8"),
        (with(&[0xff; 100_000]), "invalid_utf8"),
        (vec![0xfe; 1_000], "invalid_utf8"),
    ]);
}

#[test]
fn duplicate_keys() {
    let with = |data: &str| (transfer("twice", "a-1", TIME, data).into_bytes(), "duplicate_key");
    let many: String = (0..50_000).map(|n| format!(r#","p":{n}"#)).collect();
    lines_refused(&[
        with(r#"5,"quantity":5"#),
        with(r#"5,"quantit\u0079":6"#),
        with(r#"5,"in":{"a":[{"b":1,"b":1}]}"#),
        with(&format!("5{many}")),
        (call("twice", "a-1", TIME).replacen("{", r#"{"id":"once","#, 1).into_bytes(), "duplicate_key"),
    ]);
}

#[test]
fn a_number_of_100000_digits() {
    let with = |number: String, code| (transfer("digits", "a-1", TIME, &number).into_bytes(), code);
    let digits = |count: usize| "7".repeat(count);
    lines_refused(&[
        with(digits(100_000), "field_too_long"),
        with(format!("0.{}", digits(100_000)), "field_too_long"),
        with(digits(60_000), "quantity_out_of_range"),
        with(format!("0.{}", digits(60_000)), "quantity_too_precise"),
        with(format!("1e{}", digits(100_000)), "quantity_out_of_range"),
        with(format!("1e-{}", digits(100_000)), "quantity_out_of_range"),
        with("1e999999999999999".to_owned(), "quantity_out_of_range"),
    ]);
}

#[test]
fn a_truncated_gzip() {
    let _alone = alone();
    let desk = Desk::configured();
    let lines: String = (0..2_000).map(|n| good(n) + "\n").collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(lines.as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    desk.write("cut.ndjson.gz", &packed[..packed.len() / 2]);
    let ran = measured(&desk, &["--format", "json", "ingest", "cut.ndjson.gz"], None).ran.status(1);
    let ran = ran.says("problem: `cut.ndjson.gz` breaks off").says("the gzip stream ends early");
    let (taken, refused) = fates(&ran);
    assert!(taken > 500 && taken < 1_500, "{taken} of 2000");
    assert_eq!(refused, 0, "half a line is no record");
    assert!(
        ran.json()[0]["broken"].as_str().is_some_and(|text| text.contains(&format!("line {}", taken + 1)))
    );
    // Cut within the header, and within the last checksum.
    desk.write("head.ndjson.gz", &packed[..5]);
    desk.write("tail.ndjson.gz", &packed[..packed.len() - 3]);
    desk.write("last.ndjson", good(5_000));
    let files = ["head.ndjson.gz", "tail.ndjson.gz", "last.ndjson"];
    let ran = measured(&desk, &[&["--format", "json", "ingest"], &files[..]].concat(), None).ran.status(1);
    let report = ran.json();
    for (at, is_broken) in [true, true, false].into_iter().enumerate() {
        assert_eq!(report[at]["broken"].is_string(), is_broken, "{}", report[at]);
    }
    assert_eq!(calls(&desk), 2_001, "every whole line counts, once");
    // The whole file brings what was missing.
    desk.write("whole.ndjson.gz", &packed);
    desk.run(&["ingest", "whole.ndjson.gz"]).status(0);
    assert_eq!(calls(&desk), 2_001);
    desk.run(&["verify"]).status(0);
}

#[test]
fn a_damaged_gzip() {
    let _alone = alone();
    let desk = Desk::configured();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    (0..2_000).try_for_each(|n| writeln!(packed, "{}", good(n))).expect("memory");
    let mut packed = packed.finish().expect("memory");
    let middle = packed.len() / 2;
    packed[middle..][..64].fill(0xff);
    desk.write("damaged.ndjson.gz", &packed);
    desk.write("last.ndjson", good(5_000));
    let args = ["--format", "json", "ingest", "damaged.ndjson.gz", "last.ndjson"];
    let ran = measured(&desk, &args, None).ran.status(1).says("problem: `damaged.ndjson.gz` breaks off");
    let (taken, refused) = fates(&ran);
    assert!((500..1_500).contains(&taken), "{taken} and {refused} of 2000");
    assert!(ran.json()[1]["broken"].is_null(), "the next file is taken");
    assert_eq!(calls(&desk), taken + 1);
    desk.run(&["verify"]).status(0);
}

#[test]
fn a_zip_bomb() {
    let _alone = alone();
    let desk = Desk::configured();
    let packed = |fill: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
        let mut member = GzEncoder::new(Vec::new(), Compression::default());
        fill(&mut member).expect("memory");
        member.finish().expect("memory")
    };
    // One member after another is one stream: 1 GiB without a line end, packed a thousand to one.
    let zeros = packed(&|out| many(out, 0, 16 << 20));
    let path = write(&desk, "bomb.ndjson.gz", |out| {
        out.write_all(&packed(&|out| writeln!(out, "{}", good(1))))?;
        (0..64).try_for_each(|_| out.write_all(&zeros))?;
        out.write_all(&packed(&|out| writeln!(out, "\n{}", good(2))))
    });
    assert!(path.metadata().expect("a file").len() < 2 << 20);
    let ran = measured(&desk, &["--format", "json", "ingest", "bomb.ndjson.gz"], None).ran.status(1);
    assert_eq!(fates(&ran), (2, 1));
    check_kept(&desk, &["line_too_long"]);
    let told = desk.quarantine()[0]["message"].to_string();
    assert!(told.contains("found `1073741825`"), "all of it was unpacked: {told}");
    assert_eq!(calls(&desk), 2);
    desk.run(&["verify"]).status(0);
}

/// A Parquet file of events in groups; the quantity has the type that is given.
fn parquet_file(groups: u32, rows: u32, quantity: &str) -> Vec<u8> {
    let texts = ["id", "source", "type", "subject", "time"];
    let fields: String = texts.iter().map(|name| format!("required byte_array {name} (STRING); ")).collect();
    let schema = format!("message events {{ {fields}required {quantity}; }}");
    let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).expect("a writer");
    for group in 0..groups {
        let mut group_writer = writer.next_row_group().expect("a group");
        let mut column = 0;
        while let Some(mut next) = group_writer.next_column().expect("a column") {
            match next.untyped() {
                ColumnWriter::ByteArrayColumnWriter(writer) => {
                    let text = |row: u32| match texts.get(column) {
                        Some(&"id") => format!("row-{}", group * rows + row),
                        Some(&"source") => "gate".to_owned(),
                        Some(&"type") => "transfer".to_owned(),
                        Some(&"subject") => "a-1".to_owned(),
                        Some(&"time") => TIME.to_owned(),
                        _ => "2".to_owned(),
                    };
                    let values: Vec<ByteArray> =
                        (0..rows).map(|row| ByteArray::from(text(row).into_bytes())).collect();
                    writer.write_batch(&values, None, None).expect("memory");
                }
                ColumnWriter::Int64ColumnWriter(writer) => {
                    writer.write_batch(&vec![2; rows as usize], None, None).expect("memory");
                }
                ColumnWriter::Int32ColumnWriter(writer) => {
                    writer.write_batch(&vec![2; rows as usize], None, None).expect("memory");
                }
                ColumnWriter::BoolColumnWriter(writer) => {
                    writer.write_batch(&vec![true; rows as usize], None, None).expect("memory");
                }
                ColumnWriter::DoubleColumnWriter(writer) => {
                    writer.write_batch(&vec![2.5; rows as usize], None, None).expect("memory");
                }
                ColumnWriter::FloatColumnWriter(writer) => {
                    writer.write_batch(&vec![2.5; rows as usize], None, None).expect("memory");
                }
                _ => panic!("a writer of another type"),
            }
            next.close().expect("memory");
            column += 1;
        }
        group_writer.close().expect("memory");
    }
    writer.into_inner().expect("memory")
}

fn sum_of_bytes(desk: &Desk) -> String {
    let usage = desk.run(&["--format", "json", "usage", "--meter", "bytes"]).status(0).json();
    usage["meters"][0]["sum"].as_str().expect("a sum").to_owned()
}

#[test]
fn parquet_with_wrong_types() {
    let _alone = alone();
    let desk = Desk::configured();
    desk.ingest("before.ndjson", &[&good(1)]).status(0);
    // Types that are no exact number, or another word for it than the events have, refuse the file.
    for wrong in [
        "double quantity",
        "float quantity",
        "int64 quantity (DECIMAL(18,2))",
        "int32 quantity (DATE)",
        "int64 data",
    ] {
        desk.write("wrong.parquet", parquet_file(2, 50, wrong));
        let ran = measured(&desk, &["ingest", "wrong.parquet"], None).ran.fails(3, "input_unreadable");
        assert!(ran.stderr.contains(wrong.split(' ').nth(1).expect("a name")), "{}", ran.stderr);
    }
    assert_eq!(desk.fate("accepted"), 1, "of a file that is refused no row is taken");
    // A value of another type is the row's problem, not the file's.
    for other in ["boolean quantity", "byte_array quantity (STRING)"] {
        let desk = Desk::configured();
        desk.write("rows.parquet", parquet_file(2, 50, other));
        let ran = measured(&desk, &["--format", "json", "ingest", "rows.parquet"], None).ran.status(1);
        assert_eq!(fates(&ran), (0, 100), "{}", ran.stderr);
        assert!(desk.quarantine().iter().all(|row| row["code"] == "quantity_not_a_number"));
    }
    desk.write("right.parquet", parquet_file(2, 50, "int64 quantity"));
    desk.run(&["ingest", "right.parquet"]).status(0);
    assert_eq!((sum_of_bytes(&desk).as_str(), calls(&desk)), ("200", 1));
    desk.run(&["verify"]).status(0);
}

#[test]
fn parquet_with_corrupt_pages() {
    let _alone = alone();
    let desk = Desk::configured();
    let whole = parquet_file(3, 200, "int64 quantity");
    // The id of the first row of the second group: the page that holds it begins a little before it.
    let at = whole.windows(7).position(|bytes| bytes == b"row-200").expect("a row of the second group");
    let mut damaged = whole.clone();
    damaged[at - 12..at].fill(0xff);
    desk.write("damaged.parquet", &damaged);
    desk.write("last.ndjson", good(1));
    let args = ["--format", "json", "ingest", "damaged.parquet", "last.ndjson"];
    let ran = measured(&desk, &args, None).ran.status(1).says("problem: `damaged.parquet` breaks off");
    let broken = ran.json()[0]["broken"].as_str().expect("a reason").to_owned();
    for part in ["row 201", "row group 1", "id"] {
        assert!(broken.contains(part), "expected `{part}` in `{broken}`");
    }
    assert_eq!(fates(&ran), (200, 0), "what stands before is taken");
    assert_eq!(calls(&desk), 1, "and the next file");
    desk.write("whole.parquet", &whole);
    desk.run(&["ingest", "whole.parquet"]).status(0);
    assert_eq!(sum_of_bytes(&desk), "1200");
    desk.run(&["verify"]).status(0);
    // Damage anywhere: refused, broken off, or not to be seen, as pages have no checksum; never a crash.
    let desk = Desk::configured();
    let mut statuses = [0; 4];
    for damage in 0..40 {
        let at = damage * whole.len() / 40 + damage;
        let mut damaged = whole.clone();
        damaged[at] ^= 0x81;
        let end = (at + 5).min(damaged.len());
        damaged[at..end].iter_mut().for_each(|byte| *byte = byte.wrapping_add(damage as u8));
        desk.write("any.parquet", &damaged);
        let ran = desk.run(&["ingest", "any.parquet"]);
        assert!(matches!(ran.status, 0 | 1 | 3) && !ran.stderr.contains("panicked"), "{at}: {}", ran.stderr);
        assert!(ran.status != 3 || ran.stderr.contains("[input_unreadable]"), "{at}: {}", ran.stderr);
        statuses[ran.status as usize] += 1;
    }
    assert!(statuses[1] > 0 && statuses[3] > 0, "{statuses:?}");
    desk.run(&["verify"]).status(0);
}

/// Ids of one length that weak hashes take for each other.
fn colliding(number: u32) -> String {
    let bits: String = match number % 3 {
        // `Aa` and `BB` have one polynomial hash to the base 31; so has every row of them.
        0 => (0..17).map(|bit| if (number / 3) >> bit & 1 == 1 { "Aa" } else { "BB" }).collect(),
        // Zero bytes all but the last.
        1 => format!("{}{:04x}", r"\u0000".repeat(5), number / 3),
        // The same words in another order cancel out in sums and XORs.
        _ => (0..17).map(|bit| if (number / 3) >> bit & 1 == 1 { "xy" } else { "yx" }).collect(),
    };
    format!("{}{bits}", "p".repeat(180))
}

#[test]
fn ids_chosen_to_collide() {
    let _alone = alone();
    let events = if is_full() { 390_000 } else { 60_000 };
    let random = |number: u32| {
        let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let mixed = mixed ^ (mixed >> 59);
        let tail: String = (0..6).map(|n| format!("{:032x}", mixed.rotate_left(n * 21))).collect();
        format!("{tail}{number:020}")
    };
    let time = |name: &str, id: &dyn Fn(u32) -> String| {
        let desk = Desk::configured();
        write(&desk, name, |out| {
            (0..events).try_for_each(|n| writeln!(out, "{}", call(&id(n), "a-1", TIME)))
        });
        let first = measured(&desk, &["--format", "json", "ingest", name], None);
        assert_eq!(fates(&first.ran.status(0)), (u64::from(events), 0), "each is an event of its own");
        // Once more, so that each is looked up and found.
        let again = measured(&desk, &["--format", "json", "ingest", name], None);
        assert_eq!(fates(&again.ran.status(0)), (0, 0));
        assert_eq!(calls(&desk), u64::from(events));
        desk.run(&["verify"]).status(0);
        first.took + again.took
    };
    let (random, chosen) = (time("random.ndjson", &random), time("chosen.ndjson", &colliding));
    assert!(chosen < 5 * random, "chosen {chosen:?}, random {random:?}");
}

#[test]
fn a_dimension_with_many_values() {
    let _alone = alone();
    let desk = Desk::configured();
    let events: u64 = if is_full() { 10_000_000 } else { 1_200_000 };
    let feed: Feed = Box::new(move |out| {
        (0..events).try_for_each(|n| {
            writeln!(
                out,
                r#"{{"specversion":"1.0","id":"{n}","source":"gate","type":"call","subject":"a-1","time":"{TIME}","data":{{"region":"r-{n}"}}}}"#
            )
        })
    });
    let ran = measured(&desk, &["--format", "json", "ingest", "-"], Some(feed)).ran.status(0);
    assert_eq!(fates(&ran), (events, 0));
    let usage = ["--format", "json", "usage", "--meter", "calls"];
    let total = measured(&desk, &usage, None).ran.status(0).json();
    assert_eq!(total["meters"][0]["count"], events.to_string(), "totals stay exact");
    let ask = |more: &[&str]| measured(&desk, &[&["usage", "--meter", "calls"], more].concat(), None).ran;
    ask(&["--by", "region"]).fails(3, "cardinality_exceeded").says("`calls`");
    ask(&["--only", "region=r-7"]).fails(3, "cardinality_exceeded");
    let by_account = ask(&["--format", "json", "--by", "account"]).status(0);
    assert!(by_account.stdout.contains(&format!("\"{events}\"")), "{}", by_account.stdout);
}
