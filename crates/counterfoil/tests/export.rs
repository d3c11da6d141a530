//! What `export` writes is what the store answers: read back by the reader of another hand, and by DuckDB where a
//! Python has it (`COUNTERFOIL_PYTHON` names one; `python3` else).

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use metering::{Digest, Instant};
use money::Sum;
use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use support::Desk;

const KEYS: &str = "identity = 000102030405060708090a0b0c0d0e0f\n\
    digest = 101112131415161718191a1b1c1d1e1f\n\
    personal = 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n\
    shard = 404142434445464748494a4b4c4d4e4f\n";

const TERMS: &str = r#"{kind: meter, meter: bytes,
  effective_at: 1900-01-01, events: [transfer], aggregate: sum, property: quantity,
  unit: byte, allow_negative: true, dimensions: [region, "net.zone"]}
---
{kind: meter, meter: calls, effective_at: 1900-01-01, events: [call, transfer], aggregate: count, unit: call}
---
{kind: account, account: a-1}
---
{kind: account, account: köln ü}
"#;

/// Over what is there: not every call has a weight.
const WEIGHT: &str = "{kind: meter, meter: weight, events: [call], aggregate: sum, property: weight, unit: gram, \
    allow_negative: true}";

/// Type, id, account, time, data.
const EVENTS: [(&str, &str, &str, &str, &str); 11] = [
    (
        "transfer",
        "t-1",
        "a-1",
        "2026-10-03T10:00:00.123456789Z",
        r#"{"quantity":12345678901234567890.123456789012,"region":"eu"}"#,
    ),
    (
        "transfer",
        "t-2",
        "a-1",
        "2026-10-03T10:59:59.999999999Z",
        r#"{"quantity":99999999999999999999.999999999999,"region":"eu"}"#,
    ),
    (
        "transfer",
        "t-3",
        "a-1",
        "2026-10-03T11:00:00Z",
        r#"{"quantity":-0.000000000001,"region":"us","net":{"zone":"n \"1\""}}"#,
    ),
    ("transfer", "t-4", "köln ü", "1969-12-31T23:59:59.999999999Z", r#"{"quantity":-100000000000000000000}"#),
    ("transfer", "t-5", "köln ü", "1970-01-01T00:00:00Z", r#"{"quantity":1e2}"#),
    ("transfer", "t-6", "köln ü", "2026-10-25T00:30:00Z", r#"{"quantity":3,"region":""}"#),
    ("transfer", "t-7", "köln ü", "2026-10-25T01:30:00Z", r#"{"quantity":4,"region":""}"#),
    (
        "call",
        "ü-€-𝄞",
        "a-1",
        "2026-10-03T10:07:00.000000001Z",
        r#"{"quantity":"many","list":[1,null,{"b":1.0,"a":true}]}"#,
    ),
    ("call", "c-2", "a-1", "2026-10-03T09:59:59Z", "{}"),
    ("call", "c-3", "köln ü", "2026-10-03T10:00:00Z", r#"{"quantity":0.0000000000001,"weight":-2.50}"#),
    ("call", "c-4", "a-1", "2026-10-03T10:00:00Z", r#"{"quantity":null,"weight":"none"}"#),
];

fn line(kind: &str, id: &str, account: &str, time: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"gäte","type":"{kind}","subject":"{account}","time":"{time}","data":{data}}}"#
    )
}

/// A store of the events above, with a duplicate and a refused line among them.
fn odd() -> Desk {
    let desk = Desk::new();
    desk.write("keys.txt", KEYS);
    desk.write("terms.yaml", TERMS);
    desk.run(&["--keys", "keys.txt", "apply", "-f", "terms.yaml"]).status(0);
    let mut lines: Vec<String> = EVENTS.map(|(k, id, a, t, data)| line(k, id, a, t, data)).into();
    lines.insert(1, lines[0].clone());
    lines.insert(4, "{\"broken".to_owned());
    desk.write("events.ndjson", lines.join("\n"));
    desk.run(&["ingest", "events.ndjson"]).status(1);
    assert_eq!(desk.fate("accepted"), EVENTS.len() as u64, "{:#?}", desk.quarantine());
    desk.write("weight.yaml", WEIGHT);
    desk.run(&["apply", "-f", "weight.yaml"]).status(0);
    desk
}

/// A file read back: its columns by name, each value as text or absent, and what its footer says.
struct Table {
    columns: BTreeMap<String, Vec<Option<String>>>,
    names: Vec<String>,
    about: BTreeMap<String, String>,
    rows: usize,
}

impl Table {
    fn read(path: &Path) -> Self {
        let reader = SerializedFileReader::new(std::fs::File::open(path).expect("a file")).expect("Parquet");
        let footer = reader.metadata().file_metadata();
        let about = footer.key_value_metadata().expect("key-value metadata").iter();
        let about = about.map(|pair| (pair.key.clone(), pair.value.clone().expect("a value"))).collect();
        let schema = footer.schema_descr_ptr();
        let names: Vec<String> = schema.columns().iter().map(|column| column.name().to_owned()).collect();
        let mut columns: BTreeMap<String, Vec<Option<String>>> =
            names.iter().map(|name| (name.clone(), Vec::new())).collect();
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).expect("a group");
            let rows = usize::try_from(group.metadata().num_rows()).expect("a count");
            for (at, name) in names.iter().enumerate() {
                let values = column(group.get_column_reader(at).expect("a column"), rows);
                columns.get_mut(name).expect("a column").extend(values);
            }
        }
        let rows = usize::try_from(footer.num_rows()).expect("a count");
        columns.values().for_each(|values| assert_eq!(values.len(), rows));
        Self { columns, names, about, rows }
    }

    fn of(&self, name: &str) -> Vec<&str> {
        let values = self.columns[name].iter();
        values.map(|value| value.as_deref().unwrap_or_else(|| panic!("`{name}` has a null"))).collect()
    }

    fn maybe(&self, name: &str) -> Vec<Option<&str>> {
        self.columns[name].iter().map(Option::as_deref).collect()
    }

    fn times(&self, name: &str) -> Vec<String> {
        let instant = |nanoseconds: &str| Instant(nanoseconds.parse().expect("a number")).to_string();
        self.of(name).into_iter().map(instant).collect()
    }

    fn sum(&self, name: &str) -> Sum {
        let values = self.columns[name].iter().flatten();
        values.fold(Sum::ZERO, |sum, value| sum.merge(Sum::parse(value).expect("a decimal")))
    }

    fn digest(&self) -> Digest {
        self.of("digest").iter().fold(Digest::ZERO, |sum, text| sum.add(Digest::parse(text).expect("hex")))
    }
}

fn column(reader: ColumnReader, rows: usize) -> Vec<Option<String>> {
    let mut levels: Vec<i16> = Vec::new();
    let texts: Vec<String> = match reader {
        ColumnReader::Int64ColumnReader(mut reader) => {
            let mut values = Vec::new();
            reader.read_records(rows, Some(&mut levels), None, &mut values).expect("values");
            values.iter().map(i64::to_string).collect()
        }
        ColumnReader::ByteArrayColumnReader(mut reader) => {
            let mut values = Vec::new();
            reader.read_records(rows, Some(&mut levels), None, &mut values).expect("values");
            values.iter().map(|value| value.as_utf8().expect("UTF-8").to_owned()).collect()
        }
        ColumnReader::FixedLenByteArrayColumnReader(mut reader) => {
            let mut values = Vec::new();
            reader.read_records(rows, Some(&mut levels), None, &mut values).expect("values");
            let number = |bytes: &[u8]| i128::from_be_bytes(bytes.try_into().expect("16 bytes"));
            values.iter().map(|value| decimal(number(value.data()))).collect()
        }
        _ => panic!("a column of another type"),
    };
    if levels.is_empty() {
        return texts.into_iter().map(Some).collect();
    }
    let mut texts = texts.into_iter();
    levels.iter().map(|level| (*level == 1).then(|| texts.next().expect("a value"))).collect()
}

/// Units of 10^-12 as a plain decimal.
fn decimal(unscaled: i128) -> String {
    let digits = format!("{:013}", unscaled.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - 12);
    let text = format!("{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A line of `usage --events`.
#[derive(Deserialize)]
struct Listed {
    account: String,
    digest: String,
    id: String,
    occurred_at: String,
    position: u64,
    properties: Box<RawValue>,
    received_at: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    value: Option<String>,
}

/// The events of the meters, by position.
fn listed(desk: &Desk, meters: &[&str], args: &[&str]) -> BTreeMap<u64, Listed> {
    let mut all = BTreeMap::new();
    for meter in meters {
        let base = ["--format", "json", "usage", "--events", "--meter", meter];
        let lines = desk.run(&[base.as_slice(), args].concat()).status(0).stdout;
        for line in lines.lines() {
            let event: Listed = serde_json::from_str(line).expect("JSON");
            all.insert(event.position, event);
        }
    }
    all
}

#[track_caller]
fn export(desk: &Desk, what: &str, file: &str, args: &[&str]) -> (Value, Table) {
    let base = ["--format", "json", "export", what, "--output", file];
    let told = desk.run(&[base.as_slice(), args].concat()).status(0).json();
    let table = Table::read(&desk.path(file));
    assert!(!desk.path(&format!("{file}.partial")).exists());
    let bytes = std::fs::metadata(desk.path(file)).expect("a file").len();
    assert_eq!(told["bytes"], bytes.to_string());
    assert_eq!(told["rows"], table.rows.to_string());
    assert_eq!(told["digest"], table.digest().to_string());
    for (key, value) in [("rows", &told["rows"]), ("digest", &told["digest"]), ("export", &told["export"])] {
        assert_eq!(*value, table.about[&format!("counterfoil.{key}")]);
    }
    for key in ["position", "known_at"] {
        assert_eq!(told[key].to_string(), table.about[&format!("counterfoil.{key}")]);
    }
    (told, table)
}

#[test]
fn events_are_those_of_the_log() {
    let desk = odd();
    let (told, table) = export(&desk, "events", "events.parquet", &[]);
    assert_eq!((told["position"].as_u64(), table.rows), (Some(13), EVENTS.len()));
    assert_eq!(
        table.names,
        [
            "position",
            "received_at",
            "occurred_at",
            "source",
            "id",
            "type",
            "account",
            "quantity",
            "properties",
            "digest"
        ]
    );
    assert_eq!(table.of("position"), ["0", "2", "3", "5", "6", "7", "8", "9", "10", "11", "12"]);
    let events = listed(&desk, &["bytes", "calls"], &[]);
    let texts = |of: &dyn Fn(&Listed) -> String| -> Vec<String> { events.values().map(of).collect() };
    assert_eq!(table.of("position"), texts(&|event| event.position.to_string()));
    assert_eq!(table.of("source"), texts(&|event| event.source.clone()));
    assert_eq!(table.of("id"), texts(&|event| event.id.clone()));
    assert_eq!(table.of("id"), EVENTS.map(|(_, id, ..)| id));
    assert_eq!(table.of("type"), texts(&|event| event.event_type.clone()));
    assert_eq!(table.of("account"), texts(&|event| event.account.clone()));
    assert_eq!(table.of("properties"), texts(&|event| event.properties.get().to_owned()));
    assert_eq!(table.of("digest"), texts(&|event| event.digest.clone()));
    assert_eq!(table.times("occurred_at"), texts(&|event| event.occurred_at.clone()));
    assert_eq!(table.times("received_at"), texts(&|event| event.received_at.clone()));
    let quantities = [
        Some("12345678901234567890.123456789012"),
        Some("99999999999999999999.999999999999"),
        Some("-0.000000000001"),
        Some("-100000000000000000000"),
        Some("100"),
        Some("3"),
        Some("4"),
        None,
        None,
        None,
        None,
    ];
    assert_eq!(table.maybe("quantity"), quantities);
    let values = listed(&desk, &["bytes"], &[]).into_values().map(|event| event.value);
    assert_eq!(
        values.collect::<Vec<_>>(),
        quantities[..7].iter().map(|q| q.map(str::to_owned)).collect::<Vec<_>>()
    );
    let usage = desk.run(&["--format", "json", "usage", "--meter", "bytes"]).status(0).json();
    assert_eq!(usage["meters"][0]["sum"], table.sum("quantity").to_string());
}

#[test]
fn events_of_a_window_an_account_and_a_position() {
    let desk = odd();
    let ids = |name: &str, args: &[&str]| -> Vec<String> {
        let (_, table) = export(&desk, "events", name, args);
        table.of("id").into_iter().map(str::to_owned).collect()
    };
    assert_eq!(ids("account.parquet", &["--account", "köln ü"]), ["t-4", "t-5", "t-6", "t-7", "c-3"]);
    let hour = ["--from", "2026-10-03T10:00:00Z", "--to", "2026-10-03T11:00:00Z"];
    assert_eq!(ids("hour.parquet", &hour), ["t-1", "t-2", "ü-€-𝄞", "c-3", "c-4"]);
    let old = ["--to", "1970-01-01"];
    assert_eq!(ids("old.parquet", &old), ["t-4"]);
    let day = ["--from", "2026-10-25", "--zone", "Europe/Berlin", "--account", "köln ü"];
    assert_eq!(ids("day.parquet", &day), ["t-6", "t-7"]);
    assert_eq!(ids("below.parquet", &["--as-of", "3"]), ["t-1", "t-2"]);
    assert_eq!(ids("none.parquet", &["--as-of", "0"]), [""; 0]);
    assert_eq!(ids("empty.parquet", &["--from", "2026-10-03", "--to", "2026-10-03"]), [""; 0]);
    let (told, _) = export(&desk, "events", "beyond.parquet", &["--as-of", "1000"]);
    assert_eq!(told["position"], 13, "the log ends there");
}

/// The rows of `usage --by` as they are exported.
fn usage_rows(desk: &Desk, meter: &str, dimensions: &[&str], args: &[&str]) -> Vec<Vec<Option<String>>> {
    let by: Vec<&str> =
        ["account", "source", "type"].iter().chain(dimensions).chain(&["hour"]).copied().collect();
    let mut all = vec!["--format", "json", "usage", "--meter", meter];
    by.iter().for_each(|group| all.extend(["--by", group]));
    let usage = desk.run(&[all.as_slice(), args].concat()).status(0).json();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let rows = usage["meters"].as_array().expect("rows").iter().map(|row| {
        let groups = by.iter().map(|group| text(&row["group"][group]));
        groups.chain(["count", "unmeasured", "sum", "digest"].map(|member| text(&row[member]))).collect()
    });
    rows.collect()
}

fn exported_rows(table: &Table, dimensions: &[&str]) -> Vec<Vec<Option<String>>> {
    let mut names: Vec<String> = ["account", "source", "type"].map(str::to_owned).into();
    names.extend(dimensions.iter().map(|name| format!("dimension.{name}")));
    names.extend(["hour", "events", "unmeasured", "sum", "digest"].map(str::to_owned));
    (0..table.rows).map(|row| names.iter().map(|name| table.columns[name][row].clone()).collect()).collect()
}

#[test]
fn usage_is_what_usage_answers() {
    let desk = odd();
    let bytes = ["region", "net.zone"];
    let zones = [
        (&["--zone", "Europe/Berlin"][..], 7),
        (&["--zone", "Asia/Kathmandu"], 7),
        (&["--zone", "Africa/Monrovia"], 7),
        (&["--from", "2026-10-03T10:00:00.5Z", "--to", "2026-10-25T00:30:00.000000001Z"], 3),
        (&["--as-of", "3"], 2),
        (&["--account", "a-1"], 3),
    ];
    for (at, (args, events)) in zones.into_iter().enumerate() {
        let file = format!("bytes-{at}.parquet");
        let (_, table) = export(&desk, "usage", &file, &[&["--meter", "bytes"], args].concat());
        let rows = exported_rows(&table, &bytes);
        assert_eq!(rows, usage_rows(&desk, "bytes", &bytes, args), "{args:?}");
        let counted: u64 =
            table.of("events").iter().map(|count| count.parse::<u64>().expect("a count")).sum();
        assert_eq!(counted, events, "{args:?}");
        assert_eq!(table.of("meter").into_iter().collect::<BTreeSet<_>>(), ["bytes"].into());
    }
    let berlin = Table::read(&desk.path("bytes-0.parquet"));
    let twice: Vec<(&str, String)> = berlin.of("hour").into_iter().zip(berlin.times("hour_start")).collect();
    for expected in [
        ("2026-10-25T02:00+02:00", "2026-10-25T00:00:00Z".to_owned()),
        ("2026-10-25T02:00+01:00", "2026-10-25T01:00:00Z".to_owned()),
        ("1970-01-01T00:00+01:00", "1969-12-31T23:00:00Z".to_owned()),
    ] {
        assert!(twice.contains(&expected), "{expected:?} in {twice:?}");
    }
    assert_eq!(berlin.about["counterfoil.zone"], "Europe/Berlin");
    assert_eq!(berlin.about["counterfoil.tz_database"], metering::tz_database_version());
    assert!(
        berlin.maybe("dimension.region").contains(&None)
            && berlin.maybe("dimension.region").contains(&Some(""))
    );

    let (_, weight) = export(&desk, "usage", "weight.parquet", &["--meter", "weight"]);
    assert_eq!(exported_rows(&weight, &[]), usage_rows(&desk, "weight", &[], &[]));
    let unmeasured: u64 =
        weight.of("unmeasured").iter().map(|count| count.parse::<u64>().expect("a count")).sum();
    assert_eq!((unmeasured, weight.sum("sum").to_string()), (3, "-2.5".to_owned()));
}

#[test]
fn usage_by_the_meters_of_an_earlier_row() {
    let desk = odd();
    let (told, before) = export(&desk, "usage", "before.parquet", &["--meter", "bytes"]);
    let row = told["known_at"].to_string();
    desk.write("more.yaml", "{kind: meter, meter: late, events: [call], aggregate: count, unit: call}");
    desk.run(&["apply", "-f", "more.yaml"]).status(0);
    let (told, after) = export(&desk, "usage", "after.parquet", &["--meter", "bytes", "--known-at", &row]);
    assert_eq!(told["known_at"].to_string(), row);
    assert_eq!(after.columns, before.columns);
    let args = ["export", "usage", "--output", "late.parquet", "--meter", "late"];
    desk.run(&args).status(0);
    std::fs::remove_file(desk.path("late.parquet")).expect("a file");
    desk.run(&[args.as_slice(), &["--known-at", &row]].concat()).fails(2, "unknown_meter");
    desk.run(&[args.as_slice(), &["--known-at", "999"]].concat()).fails(2, "unknown_row");
    assert!(!desk.path("late.parquet").exists());
}

#[test]
fn the_demo_adds_up() {
    let desk = Desk::new();
    desk.run(&["--format", "json", "demo", "--events", "6000", "--seed", "3"]).status(0);
    let (_, events) = export(&desk, "events", "events.parquet", &[]);
    assert_eq!(events.rows as u64, desk.fate("accepted"));
    let total = desk.run(&["--format", "json", "usage", "--total"]).status(0).json();
    let meters = total["meters"].as_array().expect("rows");
    assert!(meters.len() > 1);
    for row in meters {
        let meter = row["meter"].as_str().expect("a name");
        let (told, usage) = export(&desk, "usage", &format!("{meter}.parquet"), &["--meter", meter]);
        assert!(usage.rows > 1);
        let counted: u64 =
            usage.of("events").iter().map(|count| count.parse::<u64>().expect("a count")).sum();
        assert_eq!(
            (row["count"].clone(), row["digest"].clone()),
            (counted.to_string().into(), told["digest"].clone())
        );
        assert_eq!(row["sum"], usage.sum("sum").to_string());
    }
}

/// Takes events into a fresh store with the same keys: what is exported of it is the same, but for when it came.
fn assert_taken_anew_the_same(before: &Table, lines: &str) {
    let other = Desk::new();
    other.write("keys.txt", KEYS);
    other.write("terms.yaml", TERMS);
    other.write("again.ndjson", lines);
    other.run(&["--keys", "keys.txt", "apply", "-f", "terms.yaml"]).status(0);
    other.run(&["ingest", "again.ndjson"]).status(0);
    let (_, after) = export(&other, "events", "events.parquet", &[]);
    for name in before.names.iter().filter(|name| !matches!(name.as_str(), "position" | "received_at")) {
        assert_eq!(after.columns[name], before.columns[name], "{name}");
    }
}

#[test]
fn exported_events_taken_anew_are_the_same_events() {
    let desk = odd();
    let (_, table) = export(&desk, "events", "events.parquet", &[]);
    let (ids, kinds, accounts) = (table.of("id"), table.of("type"), table.of("account"));
    let (times, properties) = (table.times("occurred_at"), table.of("properties"));
    let lines: Vec<String> = (0..table.rows)
        .map(|row| line(kinds[row], ids[row], accounts[row], &times[row], properties[row]))
        .collect();
    assert_taken_anew_the_same(&table, &lines.join("\n"));
    // Under its own names it is no file of events to take: nothing is guessed.
    let refused = desk.run(&["ingest", "events.parquet"]).fails(3, "input_unreadable");
    assert!(refused.stderr.contains("column"), "{}", refused.stderr);
}

/// The SQL of the page that makes CloudEvents of exported events.
fn way_back() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/export.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, behind) = page.split_once("## The way back").expect("the chapter");
    let (_, sql) = behind.split_once("```sql").expect("a statement");
    sql.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_documented_way_back_is_one() {
    let Some(python) = python() else {
        eprintln!("skipped: no Python with duckdb; COUNTERFOIL_PYTHON names one");
        return;
    };
    let desk = odd();
    let (_, table) = export(&desk, "events", "events.parquet", &[]);
    let script = "import sys, duckdb; duckdb.execute(\"set timezone = 'UTC'\"); duckdb.execute(sys.argv[1])";
    let mut command = Command::new(python);
    command.args(["-I", "-c", script, &way_back()]).current_dir(desk.path(""));
    let ran = command.output().expect("Python runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let lines = std::fs::read_to_string(desk.path("events.ndjson")).expect("a file");
    assert_eq!(lines.lines().count(), table.rows);
    assert_taken_anew_the_same(&table, &lines);
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let desk = odd();
    desk.write("taken.parquet", "mine");
    let args = ["export", "events", "--output", "taken.parquet"];
    desk.run(&args).fails(3, "output_exists");
    assert_eq!(std::fs::read(desk.path("taken.parquet")).expect("a file"), b"mine");
    desk.write("taken.parquet.partial", "left by a run that was killed");
    desk.run(&[args.as_slice(), &["--overwrite"]].concat()).status(0);
    assert_eq!(Table::read(&desk.path("taken.parquet")).rows, EVENTS.len());
    assert!(!desk.path("taken.parquet.partial").exists());
    std::fs::create_dir(desk.path("folder")).expect("a folder");
    desk.run(&["export", "events", "--output", "folder", "--overwrite"]).fails(3, "output_exists");
    desk.run(&["export", "events", "--output", "gone/e.parquet"]).fails(3, "output_failed");
    let usage = ["export", "usage", "--output", "usage.parquet", "--meter"];
    desk.run(&[usage.as_slice(), &["lengths"]].concat()).fails(2, "unknown_meter");
    desk.run(&[usage.as_slice(), &["bytes", "--account", "a-9"]].concat()).fails(3, "unknown_account");
    desk.run(&["export", "events", "--output", "data/events.parquet"]).fails(2, "output_in_store");
    desk.run(&["export", "events", "--output", "data/log/../tables.db", "--overwrite"])
        .fails(2, "output_in_store");
    let reversed = ["bytes", "--from", "2026-10-04", "--to", "2026-10-03"];
    desk.run(&[usage.as_slice(), &reversed].concat()).fails(2, "window_reversed");
    assert!(!desk.path("usage.parquet").exists() && !desk.path("usage.parquet.partial").exists());

    let path = support::newest(&desk.data().join("log"));
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[700] ^= 1;
    std::fs::write(&path, bytes).expect("it is writable");
    let ran = desk.run(&["export", "events", "--output", "damaged.parquet"]).status(3);
    assert!(ran.stdout.is_empty());
    assert!(!desk.path("damaged.parquet").exists() && !desk.path("damaged.parquet.partial").exists());
}

/// A Python that has DuckDB.
fn python() -> Option<String> {
    let python = std::env::var("COUNTERFOIL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let ran = Command::new(&python).args(["-I", "-c", "import duckdb"]).output();
    ran.is_ok_and(|ran| ran.status.success()).then_some(python)
}

const DUCKDB: &str = r#"
import sys, duckdb
duckdb.execute("set timezone = 'UTC'")
events, usage = sys.argv[1:]
def show(question, file):
    for row in duckdb.execute(question, [file]).fetchall():
        print("|".join("(null)" if value is None else str(value) for value in row))
show("select count(*), count(quantity), sum(quantity)::varchar, min(quantity)::varchar from read_parquet(?)", events)
show("select id, epoch_ns(occurred_at), digest, properties->>'quantity' from read_parquet(?) order by position", events)
show("select sum(events), sum(unmeasured), sum(sum)::varchar from read_parquet(?)", usage)
show('select hour, "dimension.region", events, sum::varchar from read_parquet(?) order by hour_start, hour', usage)
show("select distinct typeof(quantity), typeof(position), typeof(occurred_at) from read_parquet(?)", events)
"#;

#[test]
fn duckdb_reads_the_same() {
    let Some(python) = python() else {
        eprintln!("skipped: no Python with duckdb; COUNTERFOIL_PYTHON names one");
        return;
    };
    let desk = odd();
    let (_, events) = export(&desk, "events", "events.parquet", &[]);
    let (_, usage) =
        export(&desk, "usage", "usage.parquet", &["--meter", "bytes", "--zone", "Europe/Berlin"]);
    let ran = Command::new(python)
        .args(["-I", "-c", DUCKDB])
        .args([desk.path("events.parquet"), desk.path("usage.parquet")])
        .output()
        .expect("Python runs");
    let text = String::from_utf8(ran.stdout).expect("text");
    assert!(ran.status.success(), "{text}\n{}", String::from_utf8_lossy(&ran.stderr));
    println!("{text}");
    let mut lines = text.lines();
    let mut next = || lines.next().expect("a line").to_owned();
    let plain = |text: &str| Sum::parse(text.trim_end_matches('0').trim_end_matches('.')).expect("a decimal");
    let first = next();
    let first: Vec<&str> = first.split('|').collect();
    assert_eq!(first[..2], ["11", "7"]);
    assert_eq!(plain(first[2]), events.sum("quantity"));
    assert_eq!(first[3], "-100000000000000000000.000000000000");
    for row in 0..events.rows {
        let line = next();
        let fields: Vec<&str> = line.split('|').collect();
        let expected = [events.of("id")[row], events.of("occurred_at")[row], events.of("digest")[row]];
        assert_eq!(fields[..3], expected);
    }
    let sums = next();
    let sums: Vec<&str> = sums.split('|').collect();
    assert_eq!(sums[..2], ["7", "0"]);
    assert_eq!(plain(sums[2]), usage.sum("sum"));
    let hours: BTreeMap<String, String> = (0..usage.rows)
        .map(|_| next())
        .map(|line| line.split_once('|').map(|(h, r)| (h.to_owned(), r.to_owned())).expect("fields"))
        .collect();
    assert_eq!(hours["2026-10-25T02:00+01:00"], "|1|4.000000000000");
    assert_eq!(hours["1970-01-01T00:00+01:00"], "(null)|1|-100000000000000000000.000000000000");
    assert!(next().starts_with("DECIMAL(38,12)|BIGINT|TIMESTAMP"));
}
