//! Runs the tables of `spec/aggregations.md` on an engine: in memory, written as runs, opened again, and with a cut inside
//! what one run holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Caller, Engine, FixedClock, Options, UsageQuery};
use metering::{Instant, Keys};
use sim::faulty_disk::FaultyDisk;
use sim::spec_table::{Row, Table, tables};
use store::SegmentSizes;

const DAY: &str = "2026-08-01";

fn open(disk: &FaultyDisk) -> Engine {
    Engine::open(
        Arc::new(disk.clone()),
        Options {
            clock: Arc::new(FixedClock::at(instant("2026-08-02T00:00:00Z"))),
            random: Box::new(|bytes| bytes.fill(7)),
            keys: Some(Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }),
            actor: "test".to_owned(),
            sizes: SegmentSizes::default(),
            memory_bytes: 1 << 30,
            in_background: false,
        },
    )
    .unwrap()
}

fn instant(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn is_question(table: &Table) -> bool {
    table.columns == ["meter", "from", "to", "value"]
}

/// Each text of the column `meter` is a meter of its own.
fn names(page: &[Table]) -> BTreeMap<String, String> {
    let rows = page.iter().filter(|table| is_question(table)).flat_map(|table| &table.rows);
    let mut names = BTreeMap::new();
    for row in rows {
        let next = format!("m{}", names.len());
        names.entry(row.cell("meter").to_owned()).or_insert(next);
    }
    names
}

fn line(row: &Row) -> String {
    format!(
        r#"{{"specversion":"1.0","source":"{}","id":"{}","type":"request","subject":"acme","time":"{}","data":{{"team":"{}","n":{}}}}}"#,
        row.cell("source"),
        row.cell("id"),
        row.cell("occurred_at"),
        row.cell("team"),
        row.cell("n"),
    )
}

fn ask(engine: &Engine, names: &BTreeMap<String, String>, row: &Row, when: &str) {
    let at = |column: &str| instant(&format!("{DAY}T{}:00Z", row.cell(column)));
    let query = UsageQuery {
        meter: &names[row.cell("meter")],
        account: Some("acme"),
        only: &[],
        start: at("from"),
        end: at("to"),
        as_of: engine.end(),
    };
    let totals = engine.usage(&query).unwrap();
    let found = totals.value().map_or_else(|| "none".to_owned(), |value| value.to_string());
    assert_eq!(found, row.cell("value"), "line {} {when}: {totals:?}", row.line);
}

#[test]
fn aggregations_page() {
    let path = format!("{}/../../spec/aggregations.md", env!("CARGO_MANIFEST_DIR"));
    let page = tables(&std::fs::read_to_string(path).unwrap());
    let names = names(&page);
    let mut config = "{kind: policy, policy: accounts, first_sight: create}".to_owned();
    for (text, name) in &names {
        config += &format!("\n---\n{{kind: meter, meter: {name}, events: [request], unit: n, {text}}}");
    }
    let disk = FaultyDisk::new();
    let mut engine = open(&disk);
    let documents = read_documents("config.yaml", &config).unwrap_or_else(|problems| panic!("{problems:?}"));
    let plan = engine.plan(&documents).unwrap().unwrap_or_else(|problems| panic!("{problems:?}"));
    let caller = Caller { actor: "test".to_owned(), reason: None, idempotency_key: None };
    engine.apply(&caller, &plan).unwrap();
    let (mut rows, mut lines) = (0, Vec::new());
    for table in &page {
        if is_question(table) {
            rows += table.rows.len();
        } else {
            lines.extend(table.rows.iter().map(line));
        }
    }
    assert!(rows >= 44 && lines.len() == 7, "{rows} questions about {} events", lines.len());
    let (feed, decoder) = (Feed { name: "f".to_owned(), source: "f".to_owned() }, Decoder::cloud_events());
    let all = |engine: &Engine, when: &str| {
        let questions = page.iter().filter(|table| is_question(table)).flat_map(|table| &table.rows);
        questions.for_each(|row| ask(engine, &names, row, when));
    };
    for (number, line) in lines.iter().enumerate() {
        let answer = engine.append_bytes(&decoder, &feed, line.clone().into_bytes()).unwrap();
        assert_eq!(answer.fates, [metering::Fate::Accepted], "{:?}", answer.messages);
        if number == 3 {
            engine.checkpoint_now(false).unwrap();
        }
    }
    all(&engine, "half in a run");
    engine.checkpoint_now(false).unwrap();
    all(&engine, "in runs");
    let later = line_of("later");
    engine.append_bytes(&decoder, &feed, later.into_bytes()).unwrap();
    engine.close().unwrap();
    let engine = open(&disk);
    all(&engine, "opened again");
    println!("aggregations.md: {rows} rows");
}

/// An event behind all windows of the page.
fn line_of(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","source":"api","id":"{id}","type":"request","subject":"acme","time":"{DAY}T07:00:00Z","data":{{"team":"red","n":99}}}}"#
    )
}
