//! Usage cells: the runs of the checkpoint and what the log holds after it.

use metering::{CELL_NS, Cell, CellKey, Digest, Event, Instant, Meter, cell_start};
use money::Sum;
use store::Disk;
use store::runs::{CellRun, CellTable, Checkpoint};

use crate::error::EngineError;

/// What is asked of the cells: one meter version, one account or all, a half-open window.
#[derive(Clone, Debug)]
pub struct CellQuery<'a> {
    /// The meter version; `None` asks the base cells.
    pub meter: Option<(String, u32)>,
    /// One account, or all.
    pub account: Option<&'a str>,
    /// From when, included.
    pub start: Instant,
    /// Until when, excluded.
    pub end: Instant,
    /// Only records below this position.
    pub as_of: u64,
}

impl CellQuery<'_> {
    /// Whether a whole cell lies inside the window.
    fn holds(&self, cell: Instant) -> bool {
        cell >= self.start && cell.0.saturating_add(CELL_NS) <= self.end.0
    }

    /// The cells that the window cuts: their events must be read from the log.
    pub fn cut_cells(&self) -> Vec<Instant> {
        let mut cut = Vec::new();
        if self.start >= self.end {
            return cut;
        }
        for edge in [self.start, self.end] {
            let cell = cell_start(edge);
            if cell != edge && !cut.contains(&cell) {
                cut.push(cell);
            }
        }
        cut
    }
}

/// All cells that the log below `end` makes.
pub struct Cells {
    runs: Vec<CellRun>,
    /// Cells that no run holds yet, in log order; a seal's pin ends one and begins the next.
    pending: Vec<Pending>,
}

/// The cells of a stretch of the log that no run holds yet.
struct Pending {
    from: u64,
    to: u64,
    cells: CellTable,
}

impl Pending {
    fn at(position: u64) -> Self {
        Self { from: position, to: position, cells: CellTable::default() }
    }
}

/// A stretch of the log that no run answers for a query, to be read event by event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From this position on.
    pub from: u64,
    /// Below this one.
    pub to: u64,
}

impl Cells {
    /// Opens the runs of a checkpoint.
    ///
    /// **Errors**: a run that cannot be opened.
    pub fn open(disk: &dyn Disk, checkpoint: &Checkpoint) -> Result<Self, EngineError> {
        let runs = checkpoint.cells.iter().map(|fact| CellRun::open(disk, fact)).collect::<Result<_, _>>()?;
        Ok(Self { runs, pending: vec![Pending::at(checkpoint.position)] })
    }

    /// Adds an accepted event of the block that ends at `end`.
    pub fn add(&mut self, event: &Event, digest: Digest, meters: &[Meter], end: u64) {
        let Some(pending) = self.pending.last_mut() else { return };
        metering::aggregate(event, digest, meters, &mut |key, cell| pending.cells.add(key, cell));
        pending.to = end;
    }

    /// Notes that the log reaches to a position, also where nothing was accepted.
    pub fn reach(&mut self, end: u64) {
        if let Some(pending) = self.pending.last_mut() {
            pending.to = pending.to.max(end);
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

    /// The newest cells that no run holds yet.
    ///
    /// # Panics
    /// Never: there is always a stretch that grows.
    pub fn pending(&self) -> &CellTable {
        match self.pending.last() {
            Some(pending) => &pending.cells,
            None => unreachable!("there is always a stretch that grows"),
        }
    }

    /// Visits whole cells inside the window; answers the stretches of the log that must be read instead.
    ///
    /// **Errors**: a run that cannot be read.
    pub fn visit(
        &self,
        query: &CellQuery<'_>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) -> Result<Vec<Stretch>, EngineError> {
        let mut left = Vec::new();
        for run in &self.runs {
            let (from, to) = (run.fact().from, run.fact().to);
            if to <= query.as_of {
                run.scan(query.meter.as_ref(), query.account, &mut |key, cell| {
                    if query.holds(key.start) {
                        visit(key, cell);
                    }
                })?;
            } else if from < query.as_of {
                left.push(Stretch { from, to: query.as_of });
            }
        }
        for pending in &self.pending {
            if pending.to <= query.as_of {
                pending.cells.scan(query.meter.as_ref(), query.account, &mut |key, cell| {
                    if query.holds(key.start) {
                        visit(key, cell);
                    }
                });
            } else if pending.from < query.as_of {
                left.push(Stretch { from: pending.from, to: query.as_of });
            }
        }
        left.dedup();
        Ok(left)
    }

    /// Every cell that the runs hold, merged.
    ///
    /// **Errors**: a run that cannot be read.
    pub fn all_in_runs(&self) -> Result<CellTable, EngineError> {
        let mut all = CellTable::default();
        for run in &self.runs {
            run.all(&mut |key, cell| all.add(key, cell))?;
        }
        Ok(all)
    }
}

/// What a window holds of a meter: records, quantity, digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many events.
    pub records: u64,
    /// Σ of the meter's values.
    pub quantity: Sum,
    /// Events that match the meter but carry no value it can read.
    pub unmeasured: u64,
    /// The multiset digest of the events.
    pub digest: Digest,
}

impl Totals {
    /// Nothing.
    pub const ZERO: Self = Self { records: 0, quantity: Sum::ZERO, unmeasured: 0, digest: Digest(0) };

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
