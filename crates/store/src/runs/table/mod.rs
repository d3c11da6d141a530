//! Cells in memory: every text once, a cell in 48 bytes, or up to twice that where it is added to again and again.
//!
//! A cell is found by its account, its *series* (meter, type, source, dimensions) and its time. Cells are summed in
//! a slab of fixed-size entries; an update that no such entry can hold (unmeasured events, sums of more than 127
//! bits, more than 2^32 records) is summed in a map beside it, and a cell's value is what both say.
//!
//! **Cardinality**: a meter may have [`CellLimits`] many tuples of dimension values here. Beyond them its dimensions
//! are not kept any more: its cells have none, its totals stay exact, and [`CellTable::overflowed`] names it.

mod numbered;
mod scan;
mod slab;
mod sorted;

use std::collections::{BTreeSet, HashMap};

use metering::{CELL_NS, Cell, CellKey, Instant};
use money::Sum;

pub use numbered::Names;
pub use scan::CellScan;
pub use slab::CellUpdate;

pub(super) use scan::replace;

use numbered::{Lists, Strings, random_seed};
use slab::{CellPlace, Slab};

/// How many different tuples of dimension values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellLimits {
    /// Tuples of a meter version.
    pub tuples: u32,
    /// Bytes of the values of a meter version's tuples, each tuple counted for itself.
    pub tuple_bytes: u64,
}

impl Default for CellLimits {
    fn default() -> Self {
        Self { tuples: 1_000_000, tuple_bytes: 32 << 20 }
    }
}

/// A meter version, and how many tuples it has.
struct MeterState {
    name: (String, u32),
    tuples: u32,
    tuple_bytes: u64,
    overflowed: bool,
}

/// What a series is made of: all numbers of this table.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Series {
    /// 0 is the base cell, n the meter n − 1.
    meter: u32,
    event_type: u32,
    source: u32,
    tuple: u32,
}

impl Series {
    fn of(list: &[u32]) -> Self {
        match list {
            [meter, event_type, source, tuple] => {
                Self { meter: *meter, event_type: *event_type, source: *source, tuple: *tuple }
            }
            _ => unreachable!("a series is four numbers"),
        }
    }
}

/// A set of cells; adding a key twice merges.
pub struct CellTable {
    strings: Strings,
    meters: Vec<MeterState>,
    meter_numbers: HashMap<(String, u32), u32>,
    /// Tuples of dimension values: the meter (n + 1), then for each dimension 0 for none or a string's number + 1.
    /// Tuple 0 is the empty one, of every meter.
    tuples: Lists,
    /// Lists of four; number 0 is the empty list and no series.
    series: Lists,
    slab: Slab,
    wide: HashMap<CellPlace, Cell>,
    limits: CellLimits,
}

impl Default for CellTable {
    fn default() -> Self {
        Self::with_limits(CellLimits::default())
    }
}

impl CellTable {
    /// An empty table.
    pub fn with_limits(limits: CellLimits) -> Self {
        let seed = random_seed();
        Self {
            strings: Strings::new(seed),
            meters: Vec::new(),
            meter_numbers: HashMap::new(),
            tuples: Lists::new(seed),
            series: Lists::new(seed),
            slab: Slab::new(),
            wide: HashMap::new(),
            limits,
        }
    }

    /// The number of a text.
    pub fn string(&mut self, text: &str) -> u32 {
        self.strings.number(text)
    }

    /// The numbers of many texts, behind those that are there.
    pub fn strings(&mut self, texts: &[&str], numbers: &mut Vec<u32>) {
        self.strings.number_all(texts, numbers);
    }

    /// The number of a meter version; 0 is the base cell.
    pub fn meter(&mut self, meter: &(String, u32)) -> u32 {
        if let Some(known) = self.meter_numbers.get(meter) {
            return known + 1;
        }
        let number = self.meters.len() as u32;
        self.meters.push(MeterState { name: meter.clone(), tuples: 0, tuple_bytes: 0, overflowed: false });
        self.meter_numbers.insert(meter.clone(), number);
        number + 1
    }

    /// Whether the dimensions of a meter are not kept any more: [`CellTable::tuple`] then answers 0 to all.
    pub fn is_overflowed(&self, meter: u32) -> bool {
        meter.checked_sub(1).is_some_and(|number| self.meters[number as usize].overflowed)
    }

    /// Stops keeping the dimensions of a meter version, as another table did.
    pub fn overflow(&mut self, meter: &(String, u32)) {
        let number = self.meter(meter);
        self.meters[number as usize - 1].overflowed = true;
    }

    /// Whether the dimensions of a meter version are not kept.
    pub fn overflows(&self, meter: &(String, u32)) -> bool {
        self.meter_numbers.get(meter).is_some_and(|number| self.meters[*number as usize].overflowed)
    }

    /// The meter versions whose dimensions are not kept.
    pub fn overflowed(&self) -> BTreeSet<(String, u32)> {
        self.meters.iter().filter(|meter| meter.overflowed).map(|meter| meter.name.clone()).collect()
    }

    /// The number of a tuple of dimension values: for each 0 for none or a string's number + 1.
    pub fn tuple(&mut self, meter: u32, values: &[u32]) -> u32 {
        if values.is_empty() || self.is_overflowed(meter) {
            return 0;
        }
        let mut list = [0; 17];
        let whole;
        let list = match list.get_mut(..=values.len()) {
            Some(list) => {
                list[0] = meter;
                list[1..].copy_from_slice(values);
                &*list
            }
            None => {
                whole = [&[meter], values].concat();
                &whole
            }
        };
        if let Some(known) = self.tuples.known(list) {
            return known;
        }
        let state = &mut self.meters[meter as usize - 1];
        let texts = values.iter().filter_map(|value| value.checked_sub(1));
        let bytes: usize = texts.map(|value| self.strings.get(value).len()).sum();
        state.tuples += 1;
        state.tuple_bytes += bytes as u64;
        state.overflowed = state.tuples > self.limits.tuples || state.tuple_bytes > self.limits.tuple_bytes;
        if state.overflowed { 0 } else { self.tuples.number(list) }
    }

    /// The number of the base cells' series of a type and a source.
    pub fn pair(&mut self, event_type: u32, source: u32) -> u32 {
        self.series(0, event_type, source, 0)
    }

    /// The number of a series.
    pub fn series(&mut self, meter: u32, event_type: u32, source: u32, tuple: u32) -> u32 {
        self.series.number(&[meter, event_type, source, tuple])
    }

    /// Adds to many cells.
    pub fn add_batch(&mut self, updates: &[CellUpdate]) {
        self.slab.add(updates);
    }

    /// Adds to one cell what need not fit an update.
    pub fn add_to(&mut self, account: u32, series: u32, start: i32, cell: &Cell) {
        match CellUpdate::of(account, series, start, cell) {
            Some(update) => self.add_batch(&[update]),
            None => self.wide.entry((account, series, start)).or_insert(Cell::ZERO).merge(cell),
        }
    }

    /// Adds a cell, merging it with the one of the same key.
    pub fn add(&mut self, key: &CellKey, cell: &Cell) {
        let meter = key.meter.as_ref().map_or(0, |meter| self.meter(meter));
        let account = self.string(&key.account);
        let (event_type, source) = (self.string(&key.event_type), self.string(&key.source));
        let tuple = if self.is_overflowed(meter) {
            0
        } else {
            let strings = &mut self.strings;
            let number = |value: &Option<String>| value.as_ref().map_or(0, |value| 1 + strings.number(value));
            let values: Vec<u32> = key.dimensions.iter().map(number).collect();
            self.tuple(meter, &values)
        };
        let series = self.series(meter, event_type, source, tuple);
        self.add_to(account, series, cell_number(key.start), cell);
    }

    /// Sums up what came, for many questions about single cells or accounts; each sums up for itself otherwise.
    pub fn settle(&mut self) {
        self.slab.settle();
    }

    /// How many cells it holds.
    pub fn len(&self) -> usize {
        let mut cells = 0;
        self.all(&mut |_, _| cells += 1);
        cells
    }

    /// About [`CellTable::len`], at no cost: a cell may be counted once for each time that it was added to.
    pub fn parts(&self) -> usize {
        self.slab.entries() + self.wide.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.parts() == 0
    }

    /// About how much memory what it holds takes.
    pub fn memory_bytes(&self) -> usize {
        self.strings.memory_bytes()
            + self.tuples.memory_bytes()
            + self.series.memory_bytes()
            + self.slab.memory_bytes()
            + self.wide.capacity() * (size_of::<(CellPlace, Cell)>() + 1)
    }

    fn series_of(&self, number: u32) -> Series {
        Series::of(self.series.get(number))
    }
}

/// The number of the cell that a moment lies in.
pub fn cell_number(instant: Instant) -> i32 {
    // 64 bits of nanoseconds are 25 bits of quarters of an hour.
    instant.0.div_euclid(CELL_NS) as i32
}

/// When a cell starts.
pub(super) fn start_of(number: i32) -> Instant {
    Instant(i64::from(number).saturating_mul(CELL_NS))
}

/// A sum of units of 10^-12.
pub(super) fn sum_of(pico: i128) -> Sum {
    let mut bytes = [if pico < 0 { 0xff } else { 0 }; 32];
    bytes[..16].copy_from_slice(&pico.to_le_bytes());
    Sum::from_le_bytes(bytes)
}

/// The units of a sum; none where they have more than 128 bits.
pub(super) fn pico_of(sum: Sum) -> Option<i128> {
    let bytes = sum.to_le_bytes();
    let (low, high) = bytes.split_first_chunk::<16>()?;
    let pico = i128::from_le_bytes(*low);
    let sign = if pico < 0 { 0xff } else { 0 };
    high.iter().all(|byte| *byte == sign).then_some(pico)
}

fn cell_of(update: &CellUpdate) -> Cell {
    Cell {
        records: u64::from(update.records),
        units: sum_of(update.units),
        unmeasured: 0,
        digest: update.digest,
    }
}

impl CellUpdate {
    /// A cell as an update, where it fits one.
    pub fn of(account: u32, series: u32, start: i32, cell: &Cell) -> Option<Self> {
        let records = u32::try_from(cell.records).ok().filter(|_| cell.unmeasured == 0)?;
        Some(Self { account, series, start, records, units: pico_of(cell.units)?, digest: cell.digest })
    }
}
