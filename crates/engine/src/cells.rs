//! Usage cells: the runs of the checkpoint and what the log holds after it.

use std::sync::Arc;

use metering::{Aggregation, CELL_NS, Cell, CellKey, Digest, Fingerprint, Instant, Mark, Meter};
use money::{Quantity, Rational, Sum};
use store::runs::{CellRun, CellScan, CellTable, Checkpoint};
use store::{Accepted, Disk};

use crate::error::EngineError;
use crate::terms::AccountNumbers;

mod batch;
#[cfg(test)]
mod tests;

/// What is asked of the cells: one meter version, one account or all, a half-open window.
#[derive(Clone, Debug)]
pub struct CellQuery<'a> {
    /// The meter version; `None` asks the base cells.
    pub meter: Option<&'a Meter>,
    /// One account, or all.
    pub account: Option<&'a str>,
    /// From when, included.
    pub start: Instant,
    /// Until when, excluded.
    pub end: Instant,
    /// Only records below this position.
    pub as_of: u64,
    /// Only sums by type and source are asked for: cells may come together that differ in all else.
    pub totals: bool,
}

impl CellQuery<'_> {
    /// Whether a whole cell lies inside the window.
    pub fn holds(&self, cell: Instant) -> bool {
        cell >= self.start && cell.0.saturating_add(CELL_NS) <= self.end.0
    }

    /// Whether some of a cell lies inside the window.
    fn meets(&self, cell: Instant) -> bool {
        cell < self.end && cell.0.saturating_add(CELL_NS) > self.start.0
    }
}

/// The accepted rows of a block, with what was made of all rows of its batch.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'b> {
    /// The batch, and which of its rows are accepted.
    pub accepted: &'b Accepted,
    /// The hashes of each row of the batch.
    pub prints: &'b [Fingerprint],
    /// [`metering::base_quantity`] of each row of the batch.
    pub units: &'b [Option<Quantity>],
    /// The accounts of the accepted rows.
    pub accounts: &'b AccountNumbers,
}

/// All cells that the log below `reached` makes.
pub struct Cells {
    runs: Vec<Arc<CellRun>>,
    /// Stretches that are being written as runs, in log order.
    frozen: Vec<Frozen>,
    /// Cells that no run holds yet, in log order; a seal's pin ends one and begins the next.
    pending: Vec<Pending>,
}

/// The cells of a stretch of the log that is being written as a run.
#[derive(Clone)]
pub struct Frozen {
    /// From this position on.
    pub from: u64,
    /// Below this one.
    pub to: u64,
    /// Its cells.
    pub cells: Arc<CellTable>,
}

/// The cells of a stretch of the log that no run holds yet.
struct Pending {
    from: u64,
    to: u64,
    cells: CellTable,
    known: KnownAccounts,
}

impl Pending {
    fn at(position: u64) -> Self {
        Self { from: position, to: position, cells: CellTable::default(), known: KnownAccounts::default() }
    }
}

/// The numbers that accounts have in a table of cells, by the numbers that the terms give them: an account's text
/// is looked at once a table.
#[derive(Default)]
struct KnownAccounts {
    numbering: u64,
    /// The number in the table and 1; 0 where it is not known.
    numbers: Vec<u32>,
}

impl KnownAccounts {
    /// Forgets what another numbering said.
    fn numbered_by(&mut self, numbering: u64) {
        if self.numbering != numbering {
            *self = Self { numbering, numbers: Vec::new() };
        }
    }

    /// The number in the table of an account; `number` finds it where it is not known.
    fn get(&mut self, account: u32, number: impl FnOnce() -> u32) -> u32 {
        let account = account as usize;
        if account >= self.numbers.len() {
            self.numbers.resize(account + 1, 0);
        }
        let known = &mut self.numbers[account];
        if *known == 0 {
            *known = number() + 1;
        }
        *known - 1
    }
}

/// A stretch of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// From this position on.
    pub from: u64,
    /// Below this one.
    pub to: u64,
}

/// What a visit of cells leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visited {
    /// What must be read from the log.
    pub left: Vec<Stretch>,
    /// Whether the dimensions of the meter were not kept in what was visited, because they have too many values.
    pub overflow: bool,
}

impl Cells {
    /// Opens the runs of a checkpoint.
    ///
    /// **Errors**: a run that cannot be opened.
    pub fn open(disk: &dyn Disk, checkpoint: &Checkpoint) -> Result<Self, EngineError> {
        let runs: Result<Vec<_>, _> =
            checkpoint.cells.iter().map(|fact| CellRun::open(disk, fact).map(Arc::new)).collect();
        let pending = vec![Pending::at(checkpoint.position)];
        Ok(Self { runs: runs?, frozen: Vec::new(), pending })
    }

    /// Adds the accepted rows, if any, of the block that ends at `end`: for each what [`metering::aggregate`] says.
    pub fn add_block(&mut self, rows: &Counted<'_>, meters: &[Meter], end: u64) {
        let pending = self.growing();
        pending.to = pending.to.max(end);
        pending.known.numbered_by(rows.accounts.numbering);
        batch::Intake::new(&mut pending.cells, &mut pending.known, &rows.accepted.batch, meters).add(rows);
    }

    fn growing(&mut self) -> &mut Pending {
        match self.pending.last_mut() {
            Some(pending) => pending,
            None => unreachable!("there is always a stretch that grows"),
        }
    }

    /// Begins a stretch of its own at the end of the last: usage as of a pin must not look behind it.
    pub fn split(&mut self) {
        self.pending.push(Pending::at(self.reached()));
    }

    /// The position below which all cells are here.
    pub fn reached(&self) -> u64 {
        self.pending.last().map_or(0, |pending| pending.to)
    }

    /// The bytes of memory of the cells that are not frozen.
    pub fn pending_bytes(&self) -> usize {
        self.pending
            .iter()
            .map(|pending| pending.cells.memory_bytes() + pending.known.numbers.capacity() * 4)
            .sum()
    }

    /// How many records of the log the cells that are not frozen are of.
    pub fn pending_records(&self) -> u64 {
        self.reached() - self.pending.first().map_or(0, |pending| pending.from)
    }

    /// The bytes of memory of the frozen cells.
    pub fn frozen_bytes(&self) -> usize {
        self.frozen.iter().map(|frozen| frozen.cells.memory_bytes()).sum()
    }

    /// The runs, in log order.
    pub fn runs(&self) -> &[Arc<CellRun>] {
        &self.runs
    }

    /// Freezes every stretch that no run holds, so that another thread can write it; the older frozen ones are
    /// answered too. Queries go on seeing them until [`Cells::publish`].
    pub fn freeze(&mut self) -> Vec<Frozen> {
        let next = Pending::at(self.reached());
        for Pending { from, to, cells, .. } in std::mem::replace(&mut self.pending, vec![next]) {
            if to > from {
                self.frozen.push(Frozen { from, to, cells: Arc::new(cells) });
            }
        }
        self.frozen.clone()
    }

    /// Takes a list of runs that hold what those before held.
    pub fn replace_runs(&mut self, runs: Vec<Arc<CellRun>>) {
        self.runs = runs;
    }

    /// Takes the full list of runs, which hold everything below a position.
    pub fn publish(&mut self, runs: Vec<Arc<CellRun>>, reached: u64) {
        self.runs = runs;
        self.frozen.retain(|frozen| frozen.to > reached);
    }

    /// Whether the dimensions of a meter version were not kept in some stretch that no run holds.
    pub fn overflows_in_memory(&self, version: &(String, u32)) -> bool {
        self.frozen.iter().any(|frozen| frozen.cells.overflows(version))
            || self.pending.iter().any(|pending| pending.cells.overflows(version))
    }

    /// Visits every cell that no run holds, stretch by stretch.
    pub fn in_memory(&self, visit: &mut dyn FnMut(&CellKey, &Cell)) {
        self.frozen.iter().for_each(|frozen| frozen.cells.all(visit));
        self.pending.iter().for_each(|pending| pending.cells.all(visit));
    }

    /// Visits whole cells inside the window.
    ///
    /// **Errors**: a run that cannot be read.
    pub fn visit(
        &self,
        query: &CellQuery<'_>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) -> Result<Visited, EngineError> {
        self.visit_stretches(query, &mut |_, key, cell| {
            if query.holds(key.start) {
                visit(key, cell);
            }
        })
    }

    /// Visits the cells that lie in the window or are cut by it, each with the stretch of the log that it is of.
    ///
    /// **Errors**: a run that cannot be read.
    pub fn visit_stretches(
        &self,
        query: &CellQuery<'_>,
        visit: &mut dyn FnMut(Stretch, &CellKey, &Cell),
    ) -> Result<Visited, EngineError> {
        let version = query.meter.map(|meter| (meter.name.clone(), meter.version));
        let types = query.meter.map(|meter| meter.event_types.as_slice());
        let totals_of = query.totals.then_some((query.start, query.end));
        let stored =
            CellScan { meter: version.as_ref(), derive: None, account: query.account, types, totals_of };
        let derive = query.meter.and_then(Meter::derivation);
        let derived = derive.map(|derive| CellScan { derive: Some(derive), ..stored });
        let mut inside = |stretch, key: &CellKey, cell: &Cell| {
            if query.meets(key.start) {
                visit(stretch, key, cell);
            }
        };
        let mut visited = Visited::default();
        // Without the marks of events their cells say nothing: where these are not kept, the log does.
        let needs_marks = query.meter.is_some_and(|meter| meter.aggregation.mark() != Mark::None);
        for run in &self.runs {
            let stretch = Stretch { from: run.fact().from, to: run.fact().to };
            let overflowed = version.as_ref().is_some_and(|version| run.is_overflowed(version));
            if needs_marks && overflowed {
                visited.leaves(query, stretch);
            } else if visited.takes(query, stretch) {
                for scan in derived.iter().chain([&stored]) {
                    run.scan(scan, &mut |key, cell| inside(stretch, key, cell))?;
                }
                visited.overflow |= overflowed;
            }
        }
        let frozen = self.frozen.iter().map(|frozen| (frozen.from, frozen.to, frozen.cells.as_ref()));
        let pending = self.pending.iter().map(|pending| (pending.from, pending.to, &pending.cells));
        for (from, to, cells) in frozen.chain(pending) {
            let stretch = Stretch { from, to };
            let overflowed = version.as_ref().is_some_and(|version| cells.overflows(version));
            if needs_marks && overflowed {
                visited.leaves(query, stretch);
            } else if visited.takes(query, stretch) {
                for scan in derived.iter().chain([&stored]) {
                    cells.scan(scan, &mut |key, cell| inside(stretch, key, cell));
                }
                visited.overflow |= overflowed;
            }
        }
        visited.left.dedup();
        Ok(visited)
    }
}

impl Visited {
    /// Whether the cells of a stretch answer a query; one that its cut divides is left to be read.
    fn takes(&mut self, query: &CellQuery<'_>, stretch: Stretch) -> bool {
        let is_whole = stretch.to <= query.as_of;
        if !is_whole {
            self.leaves(query, stretch);
        }
        is_whole
    }

    /// Leaves a stretch to be read as far as the cut reaches into it.
    fn leaves(&mut self, query: &CellQuery<'_>, stretch: Stretch) {
        if stretch.from < query.as_of && stretch.from < stretch.to {
            self.left.push(Stretch { to: stretch.to.min(query.as_of), ..stretch });
        }
    }
}

/// What a window holds of a meter: records, quantity, digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many events.
    pub records: u64,
    /// Σ of the values of the events.
    pub quantity: Sum,
    /// Events that match the meter but carry no value it can read.
    pub unmeasured: u64,
    /// The multiset digest of the events.
    pub digest: Digest,
    /// The value of the meter.
    pub measured: Measured,
}

/// The value of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// It counts or sums: [`Totals::quantity`].
    Quantity,
    /// Another aggregation; none where no event has a value, or a value over time has no bounds.
    Value(Option<Rational>),
}

impl Totals {
    /// Nothing.
    pub const ZERO: Self = Self {
        records: 0,
        quantity: Sum::ZERO,
        unmeasured: 0,
        digest: Digest(0),
        measured: Measured::Quantity,
    };

    /// Nothing, of a meter that aggregates so: no events add up to zero, and have no greatest value.
    pub fn nothing(aggregation: &Aggregation) -> Self {
        match aggregation.adds_up() {
            true => Self::ZERO,
            false => Self { measured: Measured::Value(None), ..Self::ZERO },
        }
    }

    /// The value of the meter, exact; none where no event has one, or a value over time has no bounds.
    pub fn value(&self) -> Option<Rational> {
        match self.measured {
            Measured::Quantity => Some(self.quantity.to_rational()),
            Measured::Value(value) => value,
        }
    }

    /// Takes out a part that was counted elsewhere.
    ///
    /// # Panics
    /// The part holds more events than the whole.
    pub fn take(&mut self, records: u64, quantity: Sum) {
        assert!(records <= self.records, "a part holds no more than the whole");
        self.records -= records;
        self.quantity = self.quantity.merge(quantity.neg());
    }

    /// Adds a cell.
    pub fn add(&mut self, cell: &Cell) {
        self.records += cell.records;
        self.quantity = self.quantity.merge(cell.units);
        self.unmeasured += cell.unmeasured;
        self.digest = self.digest.add(cell.digest);
    }
}
