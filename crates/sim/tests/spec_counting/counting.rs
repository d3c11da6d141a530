//! `spec/counting.md`.

use std::collections::{BTreeMap, HashMap};

use metering::{
    Aggregation, Code, Condition, Draft, Event, Fate, Identity, Instant, Keys, Meter, PayloadHash, Probe,
    Rules, TimeFormat, Value, aggregate, cell_start, check_form, fingerprint, probe,
};
use money::Sum;
use sim::spec_table::{Row, Table};

use crate::json::value;
use crate::{check, given, run};

pub fn keys() -> Keys {
    let bytes = |first: u8| std::array::from_fn(|at| first + u8::try_from(at).unwrap());
    Keys { identity: bytes(0), digest: bytes(16), personal: [0; 32], shard: [0; 16] }
}

pub fn instant(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

/// The meter of the page: all time, sums `quantity` of `request`.
fn meter() -> Meter {
    Meter {
        name: "units".to_owned(),
        version: 1,
        effective_at: Instant::MIN,
        recorded_at: 1,
        event_types: vec!["request".to_owned()],
        aggregation: Aggregation::Sum { property: "quantity".to_owned() },
        filter: Vec::new(),
        dimensions: Vec::new(),
        unit: "unit".to_owned(),
        allow_negative: false,
    }
}

fn draft() -> Draft {
    Draft {
        source: Some("api".to_owned()),
        id: Some("1".to_owned()),
        event_type: Some("request".to_owned()),
        account: Some("acme".to_owned()),
        occurred_at: Some("2026-08-01T00:00:00Z".to_owned()),
        time_format: TimeFormat::Rfc3339,
        properties: value(r#"{"quantity":1}"#).unwrap(),
    }
}

fn event(properties: &str) -> Event {
    check_form(Draft { properties: value(properties).unwrap(), ..draft() }).unwrap()
}

/// The path of an event in short: form, identity, rules, cells.
#[derive(Default)]
struct Feed {
    index: HashMap<Identity, PayloadHash>,
    fates: Vec<Fate>,
    /// Records and units of the base cells, by source.
    sources: BTreeMap<String, (u64, Sum)>,
}

impl Feed {
    fn take(&mut self, draft: Draft) -> Fate {
        let fate = self.fate(draft).unwrap_or_else(Fate::Rejected);
        self.fates.push(fate);
        fate
    }

    fn fate(&mut self, draft: Draft) -> Result<Fate, Code> {
        let event = check_form(draft).map_err(|rejection| rejection.code)?;
        let print = fingerprint(&keys(), "default", &event);
        match probe(self.index.get(&print.identity).copied(), print.payload()) {
            Probe::Duplicate => return Ok(Fate::Duplicate),
            Probe::Conflict => return Ok(Fate::Conflict),
            Probe::New => rules(&event, &[meter()])?,
        }
        self.index.insert(print.identity, print.payload());
        aggregate(&event, print.digest, &[meter()], &mut |key, cell| {
            if key.meter.is_none() {
                let (records, units) = self.sources.entry(key.source.clone()).or_insert((0, Sum::ZERO));
                *records += cell.records;
                *units = units.merge(cell.units);
            }
        });
        Ok(Fate::Accepted)
    }
}

fn rules(event: &Event, meters: &[Meter]) -> Result<(), Code> {
    let known_account = |account: &str| ["acme", "zenith"].contains(&account);
    let rules =
        Rules { meters, first_sight: false, known_account: &known_account, future_limit_ns: 300_000_000_000 };
    rules.check(event, instant("2026-08-10T00:00:00Z")).map_err(|rejection| rejection.code)
}

fn feed_row(feed: &mut Feed, row: &Row) {
    let members =
        given(row, "quantity").map_or_else(|| "{}".to_owned(), |text| format!("{{\"quantity\":{text}}}"));
    let fate = feed.take(Draft {
        source: given(row, "source"),
        id: given(row, "id"),
        event_type: given(row, "type"),
        account: given(row, "account"),
        occurred_at: given(row, "occurred_at"),
        properties: value(&members).unwrap(),
        ..draft()
    });
    let code = fate.code().map_or_else(String::new, |code| format!(": {code}"));
    check(row, "fate", &format!("{fate}{code}"));
}

fn check_sums(feed: &Feed, table: &Table) {
    for row in &table.rows {
        let count = feed.fates.iter().filter(|fate| fate.as_str() == row.cell("fate")).count();
        check(row, "records", &count.to_string());
    }
    let total: usize = table.rows.iter().map(|row| row.cell("records").parse::<usize>().unwrap()).sum();
    assert_eq!(total, feed.fates.len(), "received is the sum of the fates");
}

fn check_sources(feed: &Feed, table: &Table) {
    assert_eq!(feed.sources.len(), table.rows.len());
    for row in &table.rows {
        let (records, units) = &feed.sources[row.cell("source")];
        check(row, "records", &records.to_string());
        check(row, "units", &units.to_string());
    }
    let accepted = feed.fates.iter().filter(|fate| **fate == Fate::Accepted).count();
    let held: u64 = feed.sources.values().map(|(records, _)| records).sum();
    assert_eq!(held, u64::try_from(accepted).unwrap(), "accepted is the sum of the base cells");
}

fn first_problem(row: &Row) {
    let mut draft = draft();
    for wrong in row.cell("wrong at once").split(',').map(str::trim) {
        match wrong {
            "id" => draft.id = None,
            "source" => draft.source = None,
            "type" => draft.event_type = None,
            "account" => draft.account = None,
            "time" => draft.occurred_at = None,
            "properties" => draft.properties = Value::Null,
            "future" => draft.occurred_at = Some("2026-08-11T00:00:00Z".to_owned()),
            "unknown type" => draft.event_type = Some("other".to_owned()),
            "unknown account" => draft.account = Some("other".to_owned()),
            "quantity" => draft.properties = value("{}").unwrap(),
            other => panic!("line {}: nothing is made wrong by `{other}`", row.line),
        }
    }
    let found = Feed::default().take(draft).code().expect("a rejection");
    check(row, "code", found.as_str());
}

fn summed(row: &Row) {
    let meter = Meter { allow_negative: row.cell("negative allowed") == "yes", ..meter() };
    let found = match meter.measure(&event(row.cell("properties"))) {
        Ok(measure) => measure.expect("counted").value.to_string(),
        Err(rejection) => rejection.code.to_string(),
    };
    check(row, "value", &found);
}

fn filtered(row: &Row) {
    let (property, values) = row.cell("condition").split_once(": ").unwrap();
    let one_of = values.split(", ").map(str::to_owned).collect();
    let filter = vec![Condition { property: property.to_owned(), one_of }];
    let meter = Meter { aggregation: Aggregation::Count, filter, ..meter() };
    check(row, "counts", if meter.counts(&event(row.cell("properties"))) { "yes" } else { "no" });
}

fn dimension(row: &Row) {
    let meter = Meter { dimensions: vec![row.cell("dimension").to_owned()], ..meter() };
    let found = meter.dimensions_of(&event(row.cell("properties")));
    check(row, "value", found[0].as_deref().unwrap_or("(none)"));
}

fn version_of(row: &Row) -> Meter {
    Meter {
        version: row.cell("version").parse().unwrap(),
        effective_at: instant(row.cell("effective_at")),
        recorded_at: row.cell("recorded by row").parse().unwrap(),
        event_types: vec![row.cell("types").to_owned()],
        ..meter()
    }
}

fn version_at(row: &Row, versions: &[Meter]) {
    let known: u64 = row.cell("known to row").parse().unwrap();
    let meters: Vec<Meter> = versions.iter().filter(|meter| meter.recorded_at <= known).cloned().collect();
    let event = Event { occurred_at: instant(row.cell("occurred_at")), ..event(r#"{"quantity":1}"#) };
    let all = |_: &str| true;
    let rules = Rules { meters: &meters, first_sight: false, known_account: &all, future_limit_ns: i64::MAX };
    let found: Vec<String> = rules
        .meters_of(&event.event_type, event.occurred_at)
        .map(|meter| meter.version.to_string())
        .collect();
    let refused = rules.check(&event, instant("2026-08-10T00:00:00Z")).err().map(|rejection| rejection.code);
    match refused {
        None => check(row, "version", &found.join(", ")),
        Some(code) => check(row, "version", code.as_str()),
    }
}

fn limit(row: &Row) {
    let size: usize = row.cell("bytes").parse().unwrap();
    let name = Some("n".repeat(size));
    let mut draft = draft();
    match row.cell("field") {
        "id" => draft.id = name,
        "source" => draft.source = name,
        "type" => draft.event_type = name,
        "account" => draft.account = name,
        "properties" => draft.properties = value(&format!("{{\"p\":\"{}\"}}", "x".repeat(size - 8))).unwrap(),
        "levels" => {
            let list = (1..size).fold(Value::Null, |inner, _| Value::List(vec![inner]));
            draft.properties = Value::object(vec![("p".to_owned(), list)]).unwrap();
        }
        other => panic!("line {}: no field `{other}`", row.line),
    }
    check(row, "code", check_form(draft).map_or_else(|rejection| rejection.code.as_str(), |_| "accepted"));
}

fn check_codes(table: &Table) {
    let listed: Vec<(&str, &str)> =
        table.rows.iter().map(|row| (row.cell("code"), row.cell("what the sender can do"))).collect();
    let all: Vec<(&str, &str)> = Code::ALL.iter().map(|code| (code.as_str(), code.hint())).collect();
    assert_eq!(listed, all, "line {}", table.line);
}

#[test]
fn counting_page() {
    let mut feed = Feed::default();
    let mut versions = Vec::new();
    run("counting.md", 120, |table, columns| match columns {
        ["source", "id", "type", "account", "occurred_at", "quantity", "fate"] => {
            table.rows.iter().for_each(|row| feed_row(&mut feed, row));
        }
        ["fate", "records"] => check_sums(&feed, table),
        ["source", "records", "units"] => check_sources(&feed, table),
        ["wrong at once", "code"] => table.rows.iter().for_each(first_problem),
        ["properties", "negative allowed", "value"] => table.rows.iter().for_each(summed),
        ["condition", "properties", "counts"] => table.rows.iter().for_each(filtered),
        ["dimension", "properties", "value"] => table.rows.iter().for_each(dimension),
        ["version", "effective_at", "recorded by row", "types"] => {
            versions = table.rows.iter().map(version_of).collect();
        }
        ["occurred_at", "known to row", "version"] => {
            table.rows.iter().for_each(|row| version_at(row, &versions));
        }
        ["occurred_at", "cell"] => table.rows.iter().for_each(|row| {
            check(row, "cell", &cell_start(instant(row.cell("occurred_at"))).to_string());
        }),
        ["field", "bytes", "code"] => table.rows.iter().for_each(limit),
        ["code", "what the sender can do"] => check_codes(table),
        other => panic!("line {}: no test runs a table of {other:?}", table.line),
    });
}
