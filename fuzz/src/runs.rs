//! Runs of cells and of identities behind checksums that are right, under facts that are not.

use std::sync::LazyLock;

use metering::{CELL_NS, Cell, CellKey, Digest, Instant};
use money::{Quantity, Sum};
use sim::faulty_disk::FaultyDisk;
use store::framed;
use store::runs::{
    CellRun, CellScan, CellTable, IndexEntry, IndexRun, KeptIdentity, KeptPayload, RunFact, cell_run_name,
    write_cells, write_index,
};

use crate::edits::{Edit, edits};

struct Base {
    disk: FaultyDisk,
    index: RunFact,
    cells: RunFact,
}

const TO: u64 = 10_000;

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let disk = FaultyDisk::new();
    let entry = |n: u64| IndexEntry {
        identity: KeptIdentity::from_bits(u128::from(n + 1) << 100 | 0x7777_0000),
        payload: KeptPayload(n as u32),
    };
    let index = write_index(&disk, 0, TO, (0..700).map(entry)).expect("a run");
    let mut table = CellTable::default();
    for n in 0..400u64 {
        let key = CellKey {
            meter: (n % 3 > 0).then(|| (format!("meter-{}", n % 4), (n % 2) as u32 + 1)),
            account: format!("org-{}", n % 17),
            event_type: format!("type-{}", n % 5),
            source: "relay".to_owned(),
            dimensions: if n % 3 == 0 { Vec::new() } else { vec![None, Some(format!("p-{}", n % 7))] },
            start: Instant((n as i64 - 200) * CELL_NS),
        };
        let quantity = Quantity::parse(&format!("{}.5", n as i64 - 50)).expect("a quantity");
        let units = Sum::ZERO.add(quantity);
        table.add(
            &key,
            &Cell { records: n + 1, units, unmeasured: n % 2, digest: Digest(u128::from(n) << 90) },
        );
    }
    let cells = write_cells(&disk, &cell_run_name(0, TO), 0, TO, &table).expect("a run");
    Base { disk, index, cells }
});

/// The first byte chooses the run and whether the checksums are right; the rest is damage to the fact and the file.
pub fn run(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let disk = BASE.disk.after_kill();
    let is_index = first & 1 == 0;
    let mut fact = if is_index { BASE.index.clone() } else { BASE.cells.clone() };
    let (of_fact, of_file): (Vec<Edit>, Vec<Edit>) = edits(data).partition(|edit| edit.file(8) == 0);
    let mut bytes = disk.content(&fact.name);
    if first & 2 == 0 {
        let mut payload = framed::decode(0, &bytes).expect("it is whole");
        of_file.iter().for_each(|edit| edit.apply_inside(&mut payload));
        bytes = framed::encode(0, &payload);
    } else {
        of_file.iter().for_each(|edit| edit.apply(&mut bytes));
    }
    disk.put(&fact.name, &bytes);
    for edit in of_fact {
        let mut numbers =
            [fact.footer, fact.entries, fact.length, fact.from, fact.to].map(u64::to_le_bytes).concat();
        edit.apply_inside(&mut numbers);
        let number =
            |at: usize| numbers[at * 8..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        (fact.footer, fact.entries, fact.length) = (number(0), number(1), number(2));
        (fact.from, fact.to) = (number(3), number(4));
    }

    if is_index {
        read_index(&disk, &fact);
    } else {
        read_cells(&disk, &fact);
    }
}

fn read_index(disk: &FaultyDisk, fact: &RunFact) {
    let Ok(run) = IndexRun::open(disk, fact) else { return };
    let mut seen = 0u64;
    let scanned = run.scan(&mut |_| seen += 1);
    assert!(scanned.is_err() || seen == fact.entries);
    for n in [0, 1, 350, 700, u128::MAX >> 100] {
        drop(run.probe(KeptIdentity::from_bits(n << 100 | 0x7777_0000)));
    }
    let mut range = run.range(1 << 40..=u64::MAX >> 3);
    while let Ok(Some(_)) = range.next_entry() {}
    let _ = run.range_about(&(0..=u64::MAX));
}

fn read_cells(disk: &FaultyDisk, fact: &RunFact) {
    let Ok(run) = CellRun::open(disk, fact) else { return };
    let mut seen = 0u64;
    let read = run.all(&mut |_, _| seen += 1);
    assert!(read.is_err() || seen == fact.entries, "{seen} cells of {}", fact.entries);
    let meter = ("meter-1".to_owned(), 2);
    let types = ["type-1".to_owned(), "type-3".to_owned()];
    let scan = CellScan {
        meter: Some(&meter),
        derive: None,
        account: Some("org-3"),
        types: Some(&types),
        totals_of: None,
    };
    drop(run.scan(&scan, &mut |_, _| ()));
    drop(run.scan(&CellScan::default(), &mut |_, _| ()));
    let _ = run.overflowed();
}
