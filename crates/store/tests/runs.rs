//! Runs come back as they were written; a flipped bit is found wherever it is.

use metering::{CELL_NS, Cell, CellKey, Digest, Identity, Instant, PayloadHash};
use money::{Quantity, Sum};
use store::disk::RealDisk;
use store::runs::{CellRun, CellTable, IndexEntry, RunFact, read_index, write_cells, write_index};

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

fn written(count: u64) -> (tempfile::TempDir, RealDisk, RunFact) {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::create(folder.path()).expect("a disk");
    let fact = write_cells(&disk, "cells/a.run", 5, 9, &table(count)).expect("a run");
    (folder, disk, fact)
}

#[test]
fn cells_come_back_in_order() {
    for count in [0, 1, 5_000] {
        let (_folder, disk, fact) = written(count);
        assert_eq!(fact.entries, count);
        let run = CellRun::open(&disk, &fact).expect("it opens");
        let (mut back, mut last) = (CellTable::default(), None);
        run.all(&mut |key, cell| {
            assert!(last.as_ref().is_none_or(|last| last < key), "{last:?} before {key:?}");
            last = Some(key.clone());
            back.add(key, cell);
        })
        .expect("it reads");
        assert_eq!(table(count).difference(&back), None);
    }
}

#[test]
fn a_scan_finds_what_a_filter_finds() {
    let (_folder, disk, fact) = written(5_000);
    let run = CellRun::open(&disk, &fact).expect("it opens");
    let whole = table(5_000);
    for meter in [None, Some(("meter-1".to_owned(), 1)), Some(("meter-9".to_owned(), 1))] {
        for account in [None, Some("org-3"), Some("org-99")] {
            let (mut scanned, mut filtered, mut in_memory) =
                (CellTable::default(), CellTable::default(), CellTable::default());
            run.scan(meter.as_ref(), account, &mut |key, cell| scanned.add(key, cell)).expect("it reads");
            whole.scan(meter.as_ref(), account, &mut |key, cell| in_memory.add(key, cell));
            whole.all(&mut |key, cell| {
                if key.meter == meter && account.is_none_or(|account| key.account == account) {
                    filtered.add(key, cell);
                }
            });
            assert_eq!(scanned.difference(&filtered), None);
            assert_eq!(in_memory.difference(&filtered), None);
        }
    }
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

#[test]
fn identities_come_back_sorted() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::create(folder.path()).expect("a disk");
    let entry = |n: u64| IndexEntry {
        identity: Identity(u128::from(n).wrapping_mul(0xda94_2042_e4dd_58b5_9e37_79b9_7f4a_7c15)),
        payload: PayloadHash(n),
        position: n,
    };
    let mut entries: Vec<IndexEntry> = (0..40_000).map(entry).collect();
    let fact = write_index(&disk, 0, 40_000, &mut entries.clone()).expect("a run");
    let mut back = Vec::new();
    read_index(&disk, &fact, &mut |entry| back.push(entry)).expect("it reads");
    entries.sort_unstable();
    assert_eq!(back, entries);
    let short = RunFact { entries: 39_999, ..fact };
    assert!(read_index(&disk, &short, &mut |_| {}).is_err());
}
