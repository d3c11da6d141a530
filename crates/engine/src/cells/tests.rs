//! Batches, freezing and scans against the plain function of one event.

use std::collections::BTreeMap;

use metering::{Aggregation, Batch, Condition, Event, Identity, Value, base_quantity, meter_cell};
use store::runs::{CellLimits, cell_run_name, merge_cells, write_cells};
use store::{AcceptedRow, RealDisk};

use super::*;
use crate::terms::TermSet;

const AUGUST: i64 = 1_785_542_400_000_000_000;

/// Numbers in no order that anybody sees.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn is(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

fn number(text: &str) -> Value {
    Value::number(text).expect("a number")
}

fn object(members: Vec<(&str, Value)>) -> Value {
    Value::object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        .expect("an object")
}

fn event(chance: &mut Chance, id: usize) -> Event {
    let mut members = Vec::new();
    match chance.below(9) {
        0 => {}
        1 => members.push(("quantity", Value::Text("7".to_owned()))),
        2 => members.push(("quantity", Value::Null)),
        3 => members.push(("quantity", number("1e400"))),
        4 => members.push(("quantity", number("-2.5"))),
        5 => members.push(("quantity", number("0"))),
        _ => members.push(("quantity", number(chance.of(&["1", "2.25", "99999999999999999999"])))),
    }
    if !chance.is(3) {
        members.push(("region", Value::Text(chance.of(&["eu", "us", ""]).to_owned())));
    }
    if chance.is(2) {
        let inner = vec![("size", number(chance.of(&["1", "2.0"]))), ("in", number("3"))];
        members.push(("box", object(inner)));
    }
    Event {
        source: chance.of(&["gate", "relay"]).to_owned(),
        id: id.to_string(),
        event_type: chance.of(&["call", "mail", "none"]).to_owned(),
        account: format!("org-{}", chance.below(4)),
        occurred_at: Instant(AUGUST + (chance.below(5) as i64 - 2) * CELL_NS + chance.below(1_000) as i64),
        properties: object(members),
    }
}

fn meter(chance: &mut Chance, name: &str) -> Meter {
    let aggregation = match chance.below(5) {
        0 | 1 => Aggregation::Count,
        2 => Aggregation::Sum { property: "box.in".to_owned() },
        _ => Aggregation::Sum { property: "quantity".to_owned() },
    };
    let mut types: Vec<String> = vec![chance.of(&["call", "mail"]).to_owned()];
    if chance.is(2) {
        types.push(chance.of(&["call", "mail"]).to_owned());
    }
    let condition = Condition {
        property: chance.of(&["region", "box.size"]).to_owned(),
        one_of: vec!["eu".to_owned(), "2".to_owned()],
    };
    let dimensions = ["region", "box.size", "box"].map(str::to_owned);
    Meter {
        name: name.to_owned(),
        version: 1 + chance.below(3) as u32,
        effective_at: Instant(AUGUST),
        recorded_at: 0,
        event_types: types,
        aggregation,
        filter: if chance.is(3) { vec![condition] } else { Vec::new() },
        dimensions: dimensions[..chance.below(8).saturating_sub(4) as usize].to_vec(),
        unit: "x".to_owned(),
        allow_negative: chance.is(2),
    }
}

fn digest_of(event: &Event) -> Digest {
    Digest(
        u128::from(event.id.parse::<u64>().expect("a number"))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
    )
}

type Map = BTreeMap<CellKey, Cell>;

fn sum_up(map: &mut Map, key: &CellKey, cell: &Cell) {
    map.entry(key.clone()).or_insert(Cell::ZERO).merge(cell);
}

/// What the cells say of a meter, without those that say nothing.
fn visited(cells: &Cells, meter: Option<&Meter>, account: Option<&str>) -> Map {
    let mut map = Map::new();
    let as_of = cells.reached();
    let query =
        CellQuery { meter, account, start: Instant(i64::MIN), end: Instant(i64::MAX), as_of, totals: false };
    let visited =
        cells.visit(&query, &mut |key, cell| sum_up(&mut map, key, cell)).expect("they can be read");
    assert_eq!(visited, Visited::default());
    map
}

/// What single events say of a meter.
fn expected(events: &[Event], meter: Option<&Meter>, account: Option<&str>) -> Map {
    let mut map = Map::new();
    for event in events.iter().filter(|event| account.is_none_or(|account| event.account == account)) {
        match meter {
            Some(meter) => {
                if let Some((key, cell)) = meter_cell(event, digest_of(event), meter) {
                    sum_up(&mut map, &key, &cell);
                }
            }
            None => metering::aggregate(event, digest_of(event), &[], &mut |key, cell| {
                sum_up(&mut map, key, cell)
            }),
        }
    }
    map
}

fn add(cells: &mut Cells, events: &[Event], meters: &[Meter], end: u64) {
    let mut accepted = Accepted { batch: Batch::new(end), rows: Vec::new() };
    let (mut prints, mut units) = (Vec::new(), Vec::new());
    // Rows that were refused stand between the others.
    for event in events {
        for event_type in ["refused", &event.event_type] {
            accepted.batch.push_event(&Event { event_type: event_type.to_owned(), ..event.clone() });
            prints.push(Fingerprint { identity: Identity(0), digest: digest_of(event) });
            units.push(base_quantity(event));
        }
        let row = accepted.batch.len() as u32 - 1;
        accepted.rows.push(AcceptedRow { index: row, row });
    }
    // Some accounts have numbers, others each time; and each time the numbers are others.
    let mut terms = TermSet::empty();
    for event in events.iter().step_by(2) {
        terms.see_account(&event.account);
    }
    let accounts = terms.number_accounts(&accepted.batch);
    let counted = Counted { accepted: &accepted, prints: &prints, units: &units, accounts: &accounts };
    cells.add_block(&counted, meters, end);
}

fn at_zero() -> Cells {
    Cells { runs: Vec::new(), frozen: Vec::new(), pending: vec![Pending::at(0)] }
}

fn write(disk: &RealDisk, frozen: &Frozen) -> store::runs::RunFact {
    let Frozen { from, to, cells } = frozen;
    write_cells(disk, &cell_run_name(*from, *to), *from, *to, cells).expect("it is written")
}

#[test]
fn batches_say_what_single_events_say() {
    for seed in 0..150 {
        let mut chance = Chance(seed);
        let mut meters: Vec<Meter> =
            ["a", "b", "c", "d", "e", "f"].map(|name| meter(&mut chance, name)).to_vec();
        meters.push(Meter { version: 9, ..meters[0].clone() });
        let events: Vec<Event> = (0..60).map(|id| event(&mut chance, id)).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let disk = RealDisk::create(folder.path()).expect("a disk");
        let mut cells = at_zero();
        let mut facts = Vec::new();
        for (part, events) in events.chunks(15).enumerate() {
            add(&mut cells, events, &meters, (part as u64 + 1) * 15);
            match part {
                // A run, a merged run, frozen cells and pending ones stand beside each other.
                0 | 1 => {
                    let frozen = cells.freeze();
                    facts.extend(frozen.iter().map(|frozen| write(&disk, frozen)));
                    drop(frozen);
                    let open = |fact| Arc::new(CellRun::open(&disk, fact).expect("it opens"));
                    cells.publish(facts.iter().map(open).collect(), cells.reached());
                }
                2 => {
                    let merged =
                        merge_cells(&disk, &facts, "cells/merged.run", 0, 30).expect("it is written");
                    let merged = CellRun::open(&disk, &merged).expect("it opens");
                    cells.publish(vec![Arc::new(merged)], 30);
                    cells.split();
                    assert_eq!(cells.freeze().len(), 1);
                }
                _ => {}
            }
        }
        for account in [None, Some("org-1"), Some("nobody")] {
            for meter in meters.iter().map(Some).chain([None]) {
                assert_eq!(
                    visited(&cells, meter, account),
                    expected(&events, meter, account),
                    "{seed} {meter:?}"
                );
            }
        }
        // And the stored cells themselves are those of the plain function.
        let mut stored = at_zero();
        add(&mut stored, &events, &meters, 60);
        let mut plain = CellTable::default();
        for event in &events {
            metering::aggregate(event, digest_of(event), &meters, &mut |key, cell| plain.add(key, cell));
        }
        assert_eq!(stored.pending[0].cells.difference(&plain), None, "{seed}");
    }
}

#[test]
fn a_cut_inside_a_stretch_leaves_it_to_be_read() {
    let mut chance = Chance(3);
    let meter = meter(&mut chance, "a");
    let events: Vec<Event> = (0..20).map(|id| event(&mut chance, id)).collect();
    let mut cells = at_zero();
    add(&mut cells, &events[..10], std::slice::from_ref(&meter), 10);
    cells.split();
    add(&mut cells, &events[10..], std::slice::from_ref(&meter), 20);
    let frozen = cells.freeze();
    assert_eq!(frozen.iter().map(|frozen| (frozen.from, frozen.to)).collect::<Vec<_>>(), [(0, 10), (10, 20)]);
    let visit = |as_of| {
        let (start, end) = (Instant(i64::MIN), Instant(i64::MAX));
        let query = CellQuery { meter: None, account: None, start, end, as_of, totals: false };
        let mut map = Map::new();
        let visited =
            cells.visit(&query, &mut |key, cell| sum_up(&mut map, key, cell)).expect("they can be read");
        (map, visited.left)
    };
    assert_eq!(visit(10), (expected(&events[..10], None, None), Vec::new()));
    assert_eq!(visit(15), (expected(&events[..10], None, None), vec![Stretch { from: 10, to: 15 }]));
    assert_eq!(visit(20), (expected(&events, None, None), Vec::new()));
    assert_eq!(cells.freeze().len(), 2, "nothing new came");
}

#[test]
fn a_recycled_table_holds_nothing_of_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::create(folder.path()).expect("a disk");
    let mut chance = Chance(8);
    let meters = [meter(&mut chance, "a"), meter(&mut chance, "b")];
    let mut cells = at_zero();
    for round in 0..4_u64 {
        let events: Vec<Event> = (0..50).map(|id| event(&mut chance, id)).collect();
        assert_eq!(cells.pending_bytes(), at_zero().pending_bytes());
        add(&mut cells, &events, &meters, (round + 1) * 50);
        let mut plain = CellTable::default();
        for event in &events {
            metering::aggregate(event, digest_of(event), &meters, &mut |key, cell| plain.add(key, cell));
        }
        assert_eq!(cells.pending[0].cells.difference(&plain), None, "{round}");
        let facts: Vec<_> = cells.freeze().iter().map(|frozen| write(&disk, frozen)).collect();
        assert_eq!(facts.len(), 1);
        cells.publish(Vec::new(), cells.reached());
    }
}

#[test]
fn too_many_dimension_values_are_told() {
    let mut chance = Chance(1);
    let meter = Meter {
        aggregation: Aggregation::Count,
        filter: Vec::new(),
        dimensions: vec!["region".to_owned()],
        event_types: vec!["call".to_owned(), "mail".to_owned(), "none".to_owned()],
        ..meter(&mut chance, "a")
    };
    let events: Vec<Event> = (0..30).map(|id| event(&mut chance, id)).collect();
    let mut cells = at_zero();
    cells.pending[0].cells = CellTable::with_limits(CellLimits { tuples: 2, tuple_bytes: 100 });
    add(&mut cells, &events, std::slice::from_ref(&meter), 30);
    let (start, end) = (Instant(i64::MIN), Instant(i64::MAX));
    let query = CellQuery { meter: Some(&meter), account: None, start, end, as_of: 30, totals: false };
    let mut total = Totals::ZERO;
    let visited = cells.visit(&query, &mut |_, cell| total.add(cell)).expect("they can be read");
    assert_eq!((visited.overflow, total.records), (true, 30));
    let base = cells.visit(&CellQuery { meter: None, ..query }, &mut |_, _| {}).expect("they can be read");
    assert!(!base.overflow);
}
