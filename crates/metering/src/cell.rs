//! Usage cells: what a quarter of an hour holds.

use money::Sum;

use crate::hash::Digest;
use crate::instant::Instant;

/// The length of a cell: 15 minutes, so that every boundary at an offset of whole quarters lies between cells.
pub const CELL_NS: i64 = 900_000_000_000;

/// What a cell is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    /// Name and version of the meter; none for a base cell, which holds every accepted record once.
    pub meter: Option<(String, u32)>,
    /// Whose usage.
    pub account: String,
    /// The type of the events.
    pub event_type: String,
    /// Where they came from.
    pub source: String,
    /// What [`crate::Meter::tuple_of`] says: the values of the meter's dimensions in its order, none where an event has
    /// no such value, and its mark. Empty for a base cell.
    pub dimensions: Vec<Option<String>>,
    /// When the cell starts; it is half-open and [`CELL_NS`] long.
    pub start: Instant,
}

/// What a cell holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How many events, the unmeasured included.
    pub records: u64,
    /// Σ of the meter's values; in a base cell Σ of [`crate::base_units`].
    pub units: Sum,
    /// Events that the meter counts but whose value it cannot read: accepted before this version was known.
    pub unmeasured: u64,
    /// The digest of all its events.
    pub digest: Digest,
}

impl Cell {
    /// A cell without events.
    pub const ZERO: Self = Self { records: 0, units: Sum::ZERO, unmeasured: 0, digest: Digest::ZERO };

    /// Adds the events of another cell.
    ///
    /// # Panics
    /// Beyond 2^64 events.
    pub fn merge(&mut self, other: &Self) {
        self.records = add(self.records, other.records);
        self.units = self.units.merge(other.units);
        self.unmeasured = add(self.unmeasured, other.unmeasured);
        self.digest = self.digest.add(other.digest);
    }
}

/// The number of both.
///
/// # Panics
/// Beyond 2^64.
pub(crate) fn add(left: u64, right: u64) -> u64 {
    match left.checked_add(right) {
        Some(sum) => sum,
        None => panic!("expected fewer than 2^64 events, found more"),
    }
}

/// The start of the cell that a moment lies in.
///
/// A bound before the time line, where 64 bits hold no whole cell, is answered with [`Instant::MIN`], the start
/// of the first one.
pub fn cell_start(instant: Instant) -> Instant {
    match instant.0.checked_sub(instant.0.rem_euclid(CELL_NS)) {
        Some(start) => Instant(start),
        None => Instant::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_half_open_on_both_sides_of_1970() {
        let check = |at: i64, expect: i64| assert_eq!(cell_start(Instant(at)), Instant(expect), "{at}");
        check(0, 0);
        check(1, 0);
        check(CELL_NS - 1, 0);
        check(CELL_NS, CELL_NS);
        check(-1, -CELL_NS);
        check(-CELL_NS, -CELL_NS);
        check(-CELL_NS - 1, -2 * CELL_NS);
        check(Instant::MIN.0, Instant::MIN.0);
        check(Instant::MAX.0 - 1, Instant::MAX.0 - CELL_NS);
        check(i64::MIN, Instant::MIN.0);
        check(i64::MAX, Instant::MAX.0);
    }
}
