//! Cells come back from runs as they were written and merged; a flipped bit is found wherever it is.

use std::collections::BTreeMap;

use metering::{CELL_NS, Cell, CellKey, Derivation, Digest, Instant};
use money::{Quantity, Sum};
use proptest::prelude::*;
use store::disk::RealDisk;
use store::runs::{CellLimits, CellRun, CellScan, CellTable, RunFact, merge_cells, write_cells};

fn key(n: u64) -> CellKey {
    let text = |name: &str, of: u64| format!("{name}-{}", n % of);
    CellKey {
        meter: (!n.is_multiple_of(3)).then(|| (text("meter", 4), (n % 2) as u32 + 1)),
        account: text("org", 17),
        event_type: text("type", 5),
        source: text("relay", 3),
        dimensions: match n % 3 {
            0 => Vec::new(),
            1 => vec![None, Some(text("p", 7))],
            _ => vec![Some(text("q", 2)), None],
        },
        start: Instant((n as i64 - 2_000) * CELL_NS),
    }
}

fn cell(n: u64) -> Cell {
    let quantity = Quantity::parse(&format!("{}.{:03}", n as i64 - 50, n % 1_000)).expect("a quantity");
    Cell {
        records: n + 1,
        units: Sum::ZERO.add(quantity),
        unmeasured: n % 2,
        digest: Digest(u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
    }
}

fn table(count: u64) -> CellTable {
    let mut table = CellTable::default();
    (0..count).for_each(|n| table.add(&key(n), &cell(n)));
    table
}

fn disk() -> (tempfile::TempDir, RealDisk) {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::create(folder.path()).expect("a disk");
    (folder, disk)
}

const TO: u64 = 1 << 40;

fn written(count: u64) -> (tempfile::TempDir, RealDisk, RunFact) {
    let (folder, disk) = disk();
    let fact = write_cells(&disk, "cells/a.run", 0, TO, &table(count)).expect("a run");
    (folder, disk, fact)
}

/// All cells of a run, which must come in order.
fn read(disk: &RealDisk, fact: &RunFact) -> CellTable {
    let run = CellRun::open(disk, fact).expect("it opens");
    let (mut back, mut last) = (CellTable::default(), None);
    run.all(&mut |key, cell| {
        assert!(last.as_ref().is_none_or(|last| last < key), "{last:?} before {key:?}");
        last = Some(key.clone());
        back.add(key, cell);
    })
    .expect("it reads");
    back
}

#[test]
fn cells_come_back_in_order() {
    for count in [0, 1, 20_000] {
        let (_folder, disk, fact) = written(count);
        assert_eq!(fact.entries, count);
        let back = read(&disk, &fact);
        assert_eq!(back.len() as u64, count);
        assert_eq!(table(count).difference(&back), None);
    }
}

#[test]
fn a_scan_finds_what_a_filter_finds() {
    let (_folder, disk, fact) = written(20_000);
    let run = CellRun::open(&disk, &fact).expect("it opens");
    let whole = table(20_000);
    let types = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for meter in [None, Some(("meter-1".to_owned(), 2)), Some(("meter-9".to_owned(), 1))] {
        for account in [None, Some("org-3"), Some("org-99")] {
            for types in
                [None, Some(types(&["type-3", "type-1", "type-3"])), Some(types(&[])), Some(types(&["x"]))]
            {
                let scan = CellScan {
                    meter: meter.as_ref(),
                    derive: None,
                    account,
                    types: types.as_deref(),
                    totals_of: None,
                };
                let (mut scanned, mut filtered, mut in_memory) =
                    (CellTable::default(), CellTable::default(), CellTable::default());
                run.scan(&scan, &mut |key, cell| scanned.add(key, cell)).expect("it reads");
                whole.scan(&scan, &mut |key, cell| in_memory.add(key, cell));
                whole.all(&mut |key, cell| {
                    if key.meter == meter
                        && account.is_none_or(|account| key.account == account)
                        && types.as_ref().is_none_or(|types| types.contains(&key.event_type))
                    {
                        filtered.add(key, cell);
                    }
                });
                assert_eq!(scanned.difference(&filtered), None);
                assert_eq!(in_memory.difference(&filtered), None);
            }
        }
    }
}

#[test]
fn totals_are_the_sums_of_cells() {
    let (_folder, disk, fact) = written(20_000);
    let run = CellRun::open(&disk, &fact).expect("it opens");
    let (mut first, mut last) = (Instant(i64::MAX), Instant(i64::MIN));
    run.all(&mut |key, _| (first, last) = (first.min(key.start), last.max(key.start))).expect("it reads");
    let end = Instant(last.0 + CELL_NS);
    let sums = |scan: &CellScan<'_>| {
        let (mut sums, mut cells) = (BTreeMap::new(), 0);
        run.scan(scan, &mut |key, cell| {
            let of = (key.event_type.clone(), key.source.clone());
            sums.entry(of).or_insert(Cell::ZERO).merge(cell);
            cells += 1;
        })
        .expect("it reads");
        (sums, cells)
    };
    let types = ["type-1".to_owned(), "type-3".to_owned()];
    for meter in [None, Some(("meter-1".to_owned(), 2)), Some(("meter-9".to_owned(), 1))] {
        for types in [None, Some(&types[..])] {
            for derive in [None, Some(Derivation::Records)] {
                let scan = CellScan { meter: meter.as_ref(), derive, types, ..CellScan::default() };
                let (by_cells, cells) = sums(&scan);
                let (by_totals, few) = sums(&CellScan { totals_of: Some((first, end)), ..scan });
                assert_eq!(by_totals, by_cells);
                assert!(few < cells / 10 || cells == 0, "{few} of {cells}");
                // Where a cell lies outside, or an account is asked for, cells are read.
                for window in [(first, Instant(end.0 - 1)), (Instant(first.0 + 1), end)] {
                    assert_eq!(sums(&CellScan { totals_of: Some(window), ..scan }).1, cells);
                }
                let of_account = CellScan { account: Some("org-3"), ..scan };
                let asked = CellScan { totals_of: Some((first, end)), ..of_account };
                assert_eq!(sums(&asked), sums(&of_account));
            }
        }
    }
}

#[test]
fn a_derived_meter_is_read_from_the_base_cells() {
    let (_folder, disk, fact) = written(3_000);
    let run = CellRun::open(&disk, &fact).expect("it opens");
    let meter = ("of".to_owned(), 3);
    let scan = |derive| CellScan { meter: Some(&meter), derive: Some(derive), ..CellScan::default() };
    let mut counted = 0;
    run.scan(&scan(Derivation::Records), &mut |key, cell| {
        assert_eq!(key.meter.as_ref(), Some(&meter));
        let units = Quantity::parse(&cell.records.to_string()).expect("a quantity");
        assert_eq!(cell.units, Sum::ZERO.add(units));
        counted += 1;
    })
    .expect("it reads");
    assert_eq!(counted, 1_000);
    let mut base = CellTable::default();
    run.scan(&CellScan::default(), &mut |key, cell| base.add(key, cell)).expect("it reads");
    let mut derived = CellTable::default();
    table(3_000).scan(&scan(Derivation::Units), &mut |key, cell| {
        derived.add(&CellKey { meter: None, ..key.clone() }, cell);
    });
    assert_eq!(base.difference(&derived), None);
}

#[test]
fn tables_differ_where_a_cell_differs() {
    let (mut one, other) = (table(100), table(100));
    assert_eq!(one.difference(&other), None);
    one.add(&key(7), &cell(7));
    assert_eq!(one.difference(&other).map(|(key, ..)| key), Some(key(7)));
    assert_eq!(other.difference(&one).map(|(key, ..)| key), Some(key(7)));
    assert_eq!(table(99).difference(&other), Some((key(99), None, Some(cell(99)))));
}

#[test]
fn extreme_sums_are_held() {
    let most = Quantity::parse("99999999999999999999").expect("a quantity");
    let large = (0..30).fold(Sum::ZERO.add(most), |sum, _| sum.merge(sum));
    let cells = [
        Cell { records: u64::from(u32::MAX), units: large, unmeasured: 0, digest: Digest(1) },
        Cell {
            records: u64::from(u32::MAX),
            units: Sum::ZERO.add(most),
            unmeasured: 0,
            digest: Digest(u128::MAX),
        },
        Cell { records: 5, units: large.neg(), unmeasured: 3, digest: Digest(3) },
        Cell { records: 0, units: Sum::ZERO.add(most).neg(), unmeasured: 1, digest: Digest(0) },
    ];
    let (mut table, mut expected) = (CellTable::default(), Cell::ZERO);
    for cell in &cells {
        table.add(&key(0), cell);
        table.add(&key(1), cell);
        expected.merge(cell);
    }
    for _ in 0..1_000_000 {
        // In the slab a sum of 127 bits is full sooner or later.
        table.add(
            &key(3),
            &Cell { records: 5_000, units: Sum::ZERO.add(most), unmeasured: 0, digest: Digest(0) },
        );
        table
            .add(&key(3), &Cell { records: 0, units: Sum::ZERO.add(most), unmeasured: 0, digest: Digest(0) });
    }
    assert_eq!(
        (table.len(), table.get(&key(0)), table.get(&key(1))),
        (3, Some(expected.clone()), Some(expected))
    );
    assert_eq!(table.get(&key(3)).map(|cell| cell.records), Some(5_000_000_000));
    let (_folder, disk) = disk();
    let fact = write_cells(&disk, "cells/a.run", 0, TO, &table).expect("a run");
    assert_eq!(fact.entries, 3);
    assert_eq!(read(&disk, &fact).difference(&table), None);
}

/// A meter whose dimension has many values.
fn many(from: u64, to: u64, limits: CellLimits) -> CellTable {
    let mut table = CellTable::with_limits(limits);
    for n in from..to {
        let key = CellKey {
            meter: Some(("wide".to_owned(), 1)),
            dimensions: vec![Some(format!("v-{n}"))],
            ..key(n % 99)
        };
        table.add(&key, &cell(n));
        table.add(&CellKey { meter: Some(("small".to_owned(), 1)), ..key.clone() }, &cell(n % 5));
        table.add(&self::key(n), &cell(n));
    }
    table
}

fn total(table: &CellTable, meter: &str) -> Cell {
    let (meter, mut sum) = ((meter.to_owned(), 1), Cell::ZERO);
    table.scan(&CellScan { meter: Some(&meter), ..CellScan::default() }, &mut |_, cell| sum.merge(cell));
    sum
}

#[test]
fn a_meter_of_too_many_tuples_keeps_its_totals() {
    let limits = CellLimits { tuples: 150, tuple_bytes: 1 << 20 };
    let wide = ("wide".to_owned(), 1);
    let exact = many(0, 400, CellLimits::default());
    let mut table = many(0, 400, limits);
    assert!(exact.overflowed().is_empty());
    assert!(table.overflowed().contains(&wide));
    assert_eq!(total(&table, "wide"), total(&exact, "wide"));
    let (_folder, disk) = disk();
    let fact = write_cells(&disk, "cells/a.run", 0, TO, &table).expect("a run");
    let run = CellRun::open(&disk, &fact).expect("it opens");
    assert_eq!(run.overflowed(), table.overflowed());
    assert!(run.is_overflowed(&wide));
    let back = read(&disk, &fact);
    assert_eq!(total(&back, "wide"), total(&exact, "wide"));
    back.scan(&CellScan { meter: Some(&wide), ..CellScan::default() }, &mut |key, _| {
        assert!(key.dimensions.is_empty())
    });
    // Another table that is told of it holds the same.
    let mut told = CellTable::default();
    table.overflowed().iter().for_each(|meter| told.overflow(meter));
    exact.all(&mut |key, cell| told.add(key, cell));
    assert_eq!(told.difference(&back), None);
    table = many(0, 100, CellLimits { tuple_bytes: 300, ..limits });
    assert!(table.overflowed().contains(&wide));
}

fn merged(disk: &RealDisk, tables: &[CellTable]) -> RunFact {
    let facts: Vec<RunFact> = tables
        .iter()
        .enumerate()
        .map(|(n, table)| write_cells(disk, &format!("cells/{n}.run"), n as u64, TO, table).expect("a run"))
        .collect();
    merge_cells(disk, &facts, "cells/all.run", 0, TO).expect("a run")
}

#[test]
fn a_merged_run_holds_what_its_parts_hold() {
    let (_folder, disk) = disk();
    let tables = [
        table(9_000),
        many(0, 300, CellLimits::default()),
        CellTable::default(),
        many(200, 900, CellLimits::default()),
    ];
    let mut whole = CellTable::default();
    tables.iter().for_each(|table| table.all(&mut |key, cell| whole.add(key, cell)));
    let fact = merged(&disk, &tables);
    assert_eq!(fact.entries as usize, whole.len());
    assert_eq!(read(&disk, &fact).difference(&whole), None);
    // It is the same file as if all had been written at once.
    let at_once = write_cells(&disk, "cells/once.run", 0, TO, &whole).expect("a run");
    assert_eq!(RunFact { name: String::new(), ..at_once }, RunFact { name: String::new(), ..fact });
}

#[test]
fn an_overflow_goes_on_in_merged_runs() {
    let (_folder, disk) = disk();
    let few = CellLimits { tuples: 50, tuple_bytes: 1 << 20 };
    let tables = [many(0, 40, few), many(0, 300, few), many(20, 200, CellLimits::default())];
    let mut whole = CellTable::default();
    whole.overflow(&("wide".to_owned(), 1));
    tables[1].overflowed().iter().for_each(|meter| whole.overflow(meter));
    tables.iter().for_each(|table| table.all(&mut |key, cell| whole.add(key, cell)));
    let fact = merged(&disk, &tables);
    assert_eq!(read(&disk, &fact).difference(&whole), None);
    assert_eq!(CellRun::open(&disk, &fact).expect("it opens").overflowed(), whole.overflowed());
}

#[test]
fn a_flipped_bit_is_found() {
    let (folder, disk, fact) = written(300);
    let path = folder.path().join("cells/a.run");
    let bytes = std::fs::read(&path).expect("a file");
    for at in (0..bytes.len()).step_by(13) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&path, &flipped).expect("a file");
        let read = CellRun::open(&disk, &fact).and_then(|run| run.all(&mut |_, _| {}));
        let error = read.expect_err("a flipped bit is found");
        assert_eq!(error.kind, store::ErrorKind::Corrupt, "{error}");
        assert!(error.message.contains("cells/a.run") && error.message.contains("sector"), "{error}");
    }
}

/// Puts other payload bytes into a run and makes its checksums right.
fn tampered(bytes: &[u8], change: &dyn Fn(&mut [u8])) -> Vec<u8> {
    let mut payload = store::framed::decode(0, bytes).expect("a sound file");
    change(&mut payload);
    store::framed::encode(0, &payload)
}

#[test]
fn hostile_bytes_with_right_checksums_never_panic() {
    let (folder, disk, fact) = written(300);
    let path = folder.path().join("cells/a.run");
    let bytes = std::fs::read(&path).expect("a file");
    let length = store::framed::decode(0, &bytes).expect("a sound file").len();
    let mut refused = 0;
    for at in (0..length).step_by(7) {
        let forged = tampered(&bytes, &|payload| payload[at] ^= 1 << (at % 8));
        std::fs::write(&path, &forged).expect("a file");
        let read = CellRun::open(&disk, &fact).and_then(|run| {
            run.all(&mut |_, _| {})?;
            merge_cells(&disk, std::slice::from_ref(&fact), "cells/b.run", 0, TO)
        });
        if let Err(error) = read {
            assert_eq!(error.kind, store::ErrorKind::Corrupt, "{error}");
            refused += 1;
        }
    }
    assert!(refused > length / 7 / 10, "{refused} of {length}");
}

fn keys() -> impl Strategy<Value = CellKey> {
    let value = || prop_oneof![Just(None), "[ab]{0,2}".prop_map(Some)];
    let meter = prop_oneof![Just(None), ("[mn]", 1..3_u32).prop_map(Some)];
    (meter, "[a-d]{1,2}", "[tu]", "[a-c]", proptest::collection::vec(value(), 0..3), -40..40_i64).prop_map(
        |(meter, account, event_type, source, dimensions, quarter)| CellKey {
            dimensions: if meter.is_some() { dimensions } else { Vec::new() },
            meter,
            account,
            event_type,
            source,
            start: Instant(quarter * CELL_NS),
        },
    )
}

fn cells() -> impl Strategy<Value = Cell> {
    (0..4_u64, -1_000_000_000_000_000_i128..1_000_000_000_000_000, 0..20_u64, any::<u128>()).prop_map(
        |(records, pico, unmeasured, digest)| Cell {
            records,
            units: Sum::ZERO.add(Quantity::from_pico(pico).expect("a quantity")),
            unmeasured: unmeasured / 15,
            digest: Digest(digest),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn tables_and_merged_runs_say_what_a_map_says(
        cells in proptest::collection::vec((keys(), cells()), 0..200), parts in 1..4_usize,
    ) {
        let mut map: BTreeMap<CellKey, Cell> = BTreeMap::new();
        let mut tables: Vec<CellTable> = (0..parts).map(|_| CellTable::default()).collect();
        for (n, (key, cell)) in cells.iter().enumerate() {
            map.entry(key.clone()).or_insert(Cell::ZERO).merge(cell);
            tables[n % parts].add(key, cell);
        }
        let (_folder, disk) = disk();
        let fact = merged(&disk, &tables);
        let run = CellRun::open(&disk, &fact).expect("it opens");
        let mut back = Vec::new();
        run.all(&mut |key, cell| back.push((key.clone(), cell.clone()))).expect("it reads");
        prop_assert_eq!(back, map.into_iter().collect::<Vec<_>>());
    }
}
