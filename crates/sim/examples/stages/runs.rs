//! Cells and identities: in memory, as runs, merged.

use std::sync::Arc;

use metering::Cell;
use money::Sum;
use store::RealDisk;
use store::runs::{
    CellTable, CellUpdate, IndexEntry, IndexRun, PageBuffer, RunFact, cell_number, cell_run_name,
    merge_cells, merge_index, write_cells, write_index,
};
use tempfile::TempDir;

use crate::input::Input;
use crate::measure::Stages;

/// How many updates are added together, as the engine does.
const TOGETHER: usize = 1024;

pub fn measure(stages: &mut Stages, input: &Input) {
    let records = input.records;
    let updates = || updates(input);
    stages.stage("add to cells", "event", updates, |(mut table, updates)| {
        add(&mut table, &updates);
        (records, (table, updates))
    });
    let filled = || {
        let (mut table, updates) = updates();
        add(&mut table, &updates);
        (disk(), table)
    };
    stages.stage("sort and write cells", "cell", filled, |((disk, folder), table)| {
        let fact = write(&disk, (0, records), &table);
        (fact.entries as usize, (table, folder))
    });
    let halves = || {
        let (disk, folder) = disk();
        let (table, updates) = updates();
        drop(table);
        let middle = records.div_ceil(2);
        let facts: Vec<RunFact> = [(0, middle), (middle, records)]
            .into_iter()
            .enumerate()
            .map(|(half, range)| {
                let (mut table, _) = self::updates(input);
                let of_half: Vec<_> = updates.iter().skip(half).step_by(2).copied().collect();
                add(&mut table, &of_half);
                write(&disk, range, &table)
            })
            .collect();
        (disk, folder, facts)
    };
    stages.stage("merge cells", "cell", halves, |(disk, folder, facts)| {
        let to = records as u64;
        merge_cells(&disk, &facts, &cell_run_name(0, to), 0, to).expect("the disk works");
        (facts.iter().map(|fact| fact.entries as usize).sum(), folder)
    });
    index(stages, input);
}

fn index(stages: &mut Stages, input: &Input) {
    let entries = entries(input);
    let mut sorted = entries.clone();
    sorted.sort_unstable_by_key(|entry| entry.identity);
    sorted.dedup_by_key(|entry| entry.identity);
    stages.stage("write identities", "identity", disk, |(disk, folder)| {
        write_index(&disk, 0, sorted.len() as u64, sorted.iter().copied()).expect("the disk works");
        (sorted.len(), folder)
    });
    let run = |disk: &RealDisk, from: usize, entries: Vec<IndexEntry>| {
        let to = (from + entries.len()) as u64;
        let fact = write_index(disk, from as u64, to, entries).expect("the disk works");
        Arc::new(IndexRun::open(disk, &fact).expect("a run"))
    };
    let halves = || {
        let (disk, folder) = disk();
        let half = |half: usize| sorted.iter().skip(half).step_by(2).copied().collect();
        let runs = [run(&disk, 0, half(0)), run(&disk, sorted.len().div_ceil(2), half(1))];
        (disk, folder, runs)
    };
    stages.stage("merge identities", "identity", halves, |(disk, folder, runs)| {
        let fact = merge_index(&disk, &runs, 0, sorted.len() as u64).expect("the disk works");
        (fact.entries as usize, (folder, runs))
    });
    let whole = || {
        let (disk, folder) = disk();
        (run(&disk, 0, sorted.clone()), folder)
    };
    stages.stage("look up in a run", "identity", whole, |(run, folder)| {
        let mut buffer = PageBuffer::default();
        let find = |entry: &&IndexEntry| {
            run.probe_with(entry.identity, &mut buffer).is_ok_and(|payload| payload.is_some())
        };
        let found = entries.iter().filter(find).count();
        assert_eq!(found, entries.len());
        (found, (run, folder))
    });
}

fn disk() -> (RealDisk, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (RealDisk::create(folder.path()).expect("a folder"), folder)
}

fn write(disk: &RealDisk, (from, to): (usize, usize), table: &CellTable) -> RunFact {
    let (from, to) = (from as u64, to as u64);
    write_cells(disk, &cell_run_name(from, to), from, to, table).expect("the disk works")
}

fn add(table: &mut CellTable, updates: &[CellUpdate]) {
    updates.chunks(TOGETHER).for_each(|together| table.add_batch(together));
}

/// The base cells of the events, and an empty table that knows their names.
fn updates(input: &Input) -> (CellTable, Vec<CellUpdate>) {
    let mut table = CellTable::default();
    let mut updates = Vec::with_capacity(input.records);
    for chunk in input.decoded() {
        let units = metering::base_quantities(&chunk.batch);
        for ((row, print), units) in chunk.batch.rows().iter().zip(input.prints(&chunk)).zip(units) {
            let event = chunk.batch.view(row);
            let account = table.string(event.account);
            let (event_type, source) = (table.string(event.event_type), table.string(event.source));
            let units = units.map_or(Sum::ZERO, |units| Sum::ZERO.add(units));
            let cell = Cell { records: 1, units, unmeasured: 0, digest: print.digest };
            let series = table.pair(event_type, source);
            updates.extend(CellUpdate::of(account, series, cell_number(row.occurred_at), &cell));
        }
    }
    assert_eq!(updates.len(), input.records);
    (table, updates)
}

/// What the index keeps of the events, in their order.
fn entries(input: &Input) -> Vec<IndexEntry> {
    let of = |chunk| {
        input.prints(&chunk).into_iter().map(|print| IndexEntry::new(print.identity, print.payload()))
    };
    input.decoded().into_iter().flat_map(of).collect()
}
