//! Merging of cell runs, cell by cell: in memory are their dictionaries and a record of each.

use std::collections::BTreeMap;

use metering::Cell;

use super::super::manifest::RunFact;
use super::super::table::CellLimits;
use super::dictionary::{Dictionary, Renumbering, RowKey};
use super::run::{CellRun, OrderCheck};
use super::writer::CellRunWriter;
use crate::coding::BadCoding;
use crate::disk::Disk;
use crate::error::StoreError;

/// A run that is being merged.
struct Source<'a> {
    run: &'a CellRun,
    numbers: Renumbering,
    order: OrderCheck,
    next_record: usize,
    rows: Vec<(RowKey, Cell)>,
    at: usize,
}

impl Source<'_> {
    /// The next cell, in numbers of the merged run.
    fn head(&mut self) -> Result<Option<RowKey>, StoreError> {
        while self.at == self.rows.len() {
            if self.next_record == self.run.record_count() {
                self.run.check_count(self.order.seen)?;
                return Ok(None);
            }
            self.rows.clear();
            self.at = 0;
            let Self { run, numbers, order, rows, next_record, .. } = self;
            run.read_record(*next_record, &mut |key, cell| {
                order.check(&key)?;
                rows.push((numbers.key(key)?, cell));
                Ok::<(), BadCoding>(())
            })?;
            *next_record += 1;
        }
        Ok(self.rows.get(self.at).map(|(key, _)| *key))
    }
}

/// Puts cells of equal keys together on their way into a run.
struct Merger<'a, 'b> {
    writer: CellRunWriter<'a>,
    dictionary: &'b Dictionary,
    held: Option<(RowKey, Cell)>,
    /// Cells of one series of a meter without its dimensions: they come once for each tuple that was dropped, and so
    /// not in the order of their times.
    dropped: BTreeMap<i32, Cell>,
}

impl Merger<'_, '_> {
    fn take(&mut self, key: RowKey, cell: &Cell) -> Result<(), StoreError> {
        if let Some((held, sum)) = &mut self.held {
            if *held == key {
                sum.merge(cell);
                return Ok(());
            }
            let is_dropping = self.dictionary.is_overflowed(key.meter);
            if is_dropping && held.is_same_series(&key) {
                self.dropped.entry(key.start).or_insert(Cell::ZERO).merge(cell);
                return Ok(());
            }
        }
        self.put_held()?;
        self.held = Some((key, cell.clone()));
        Ok(())
    }

    fn put_held(&mut self) -> Result<(), StoreError> {
        let Some((key, cell)) = self.held.take() else { return Ok(()) };
        if self.dropped.is_empty() {
            return self.writer.put(&key, &cell);
        }
        self.dropped.entry(key.start).or_insert(Cell::ZERO).merge(&cell);
        for (start, cell) in std::mem::take(&mut self.dropped) {
            self.writer.put(&RowKey { start, ..key }, &cell)?;
        }
        Ok(())
    }
}

/// Merges runs into one over [from, to); the caller sees to it that none reaches across a pin.
///
/// **Errors**: a run that cannot be read, those of the file layer.
pub fn merge_cells(
    disk: &dyn Disk,
    facts: &[RunFact],
    name: &str,
    from: u64,
    to: u64,
) -> Result<RunFact, StoreError> {
    merge_within(disk, facts, name, (from, to), CellLimits::default())
}

pub(super) fn merge_within(
    disk: &dyn Disk,
    facts: &[RunFact],
    name: &str,
    (from, to): (u64, u64),
    limits: CellLimits,
) -> Result<RunFact, StoreError> {
    // One dictionary after the other: what only a meter that overflows needs is soon let go.
    let (mut dictionary, mut renumberings) = (Dictionary::default(), Vec::<Renumbering>::new());
    let mut runs = Vec::with_capacity(facts.len());
    for fact in facts {
        let mut run = CellRun::open(disk, fact)?;
        let (union, of_others, of_run) = dictionary.union(&run.take_dictionary(), limits)?;
        renumberings.iter_mut().for_each(|numbers| numbers.then(&of_others));
        renumberings.push(of_run);
        dictionary = union;
        runs.push(run);
    }
    let source = |(run, numbers)| Source {
        run,
        numbers,
        order: OrderCheck::default(),
        next_record: 0,
        rows: Vec::new(),
        at: 0,
    };
    let mut sources: Vec<Source<'_>> = runs.iter().zip(renumberings).map(source).collect();
    let writer = CellRunWriter::create(disk, name, (from, to), &dictionary)?;
    let mut merger = Merger { writer, dictionary: &dictionary, held: None, dropped: BTreeMap::new() };
    let mut heads = sources.iter_mut().map(Source::head).collect::<Result<Vec<_>, _>>()?;
    while let Some((number, first)) = least(&heads) {
        // The cells of an account stand together: the run that is ahead is mostly ahead for some more.
        let source = &mut sources[number];
        heads[number] = None;
        let bound = least(&heads).map(|(_, key)| key);
        let mut head = Some(first);
        while let Some(key) = head.filter(|key| *key == first || bound.is_none_or(|bound| *key < bound)) {
            merger.take(key, &source.rows[source.at].1)?;
            source.at += 1;
            head = source.head()?;
        }
        heads[number] = head;
    }
    merger.put_held()?;
    merger.writer.finish(&dictionary)
}

/// The first of the runs whose next cell comes first: there are few of them.
fn least(heads: &[Option<RowKey>]) -> Option<(usize, RowKey)> {
    let keys = heads.iter().enumerate().filter_map(|(number, key)| key.map(|key| (number, key)));
    keys.min_by_key(|(_, key)| *key)
}
