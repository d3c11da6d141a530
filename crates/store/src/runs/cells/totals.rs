//! The sums of a run by meter, type and source: questions that ask for no account and no time inside the run need no cell.

use std::collections::BTreeMap;

use metering::{Cell, Digest};
use money::Sum;

use super::dictionary::{Dictionary, RowKey};
use crate::coding::{BadCoding, Reader, put_i64, put_u64};

/// A run with more types and sources than this keeps no totals.
const NAMES_MAX: usize = 256;
const NONE: u32 = u32::MAX;

/// The sums of all cells of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTotals {
    /// When the earliest cell starts, in cell widths since 1970.
    pub first: i32,
    /// When the latest does.
    pub last: i32,
    /// By meter, type and source, as the run numbers them.
    pub sums: BTreeMap<(u32, u32, u32), Cell>,
}

/// No sum of a run comes near it: the top six bytes of one say nothing but its sign.
const SIGN_BYTES: usize = 6;

impl RunTotals {
    /// Whether they can be those of a run with so many records, names and meter versions.
    pub fn fit(&self, records: u64, names: u64, meters: usize) -> bool {
        let fits = |((meter, event_type, source), cell): (&(u32, u32, u32), &Cell)| {
            let units = cell.units.to_le_bytes();
            let sign = if cell.units.is_negative() { 0xff } else { 0 };
            cell.records <= records
                && cell.unmeasured <= records
                && u64::from(*event_type) < names
                && u64::from(*source) < names
                && *meter as usize <= meters
                && units.iter().rev().take(SIGN_BYTES).all(|byte| *byte == sign)
        };
        self.sums.iter().all(fits)
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        put_i64(out, i64::from(self.first));
        put_i64(out, i64::from(self.last));
        put_u64(out, self.sums.len() as u64);
        for ((meter, event_type, source), cell) in &self.sums {
            for number in [*meter, *event_type, *source] {
                put_u64(out, u64::from(number));
            }
            put_u64(out, cell.records);
            put_u64(out, cell.unmeasured);
            out.extend_from_slice(&cell.units.to_le_bytes());
            out.extend_from_slice(&cell.digest.0.to_le_bytes());
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, BadCoding> {
        let mut start = || i32::try_from(reader.i64()?).map_err(|_| BadCoding("a time is out of range"));
        let (first, last) = (start()?, start()?);
        let mut sums = BTreeMap::new();
        for _ in 0..reader.count(53)? {
            let key = (reader.u32()?, reader.u32()?, reader.u32()?);
            let (records, unmeasured) = (reader.u64()?, reader.u64()?);
            let mut units = [0; 32];
            units.copy_from_slice(reader.take(32)?);
            let mut digest = [0; 16];
            digest.copy_from_slice(reader.take(16)?);
            let (units, digest) = (Sum::from_le_bytes(units), Digest(u128::from_le_bytes(digest)));
            if sums.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(BadCoding("totals are out of order"));
            }
            sums.insert(key, Cell { records, units, unmeasured, digest });
        }
        Ok(Self { first, last, sums })
    }
}

/// Sums the cells of a run as they pass.
pub struct Totalling {
    names: usize,
    first: i32,
    last: i32,
    /// Of each meter its place in `sums` by type and source.
    places: Vec<Vec<u32>>,
    sums: Vec<((u32, u32, u32), Cell)>,
}

impl Totalling {
    /// For a run with a dictionary.
    pub fn new(dictionary: &Dictionary) -> Self {
        let (names, meters) = (dictionary.names.len(), dictionary.meters.len());
        let places = if names <= NAMES_MAX { vec![Vec::new(); meters + 1] } else { Vec::new() };
        Self { names, first: i32::MAX, last: i32::MIN, places, sums: Vec::new() }
    }

    pub fn add(&mut self, key: &RowKey, cell: &Cell) {
        // Without places there are no totals; numbers that the dictionary lacks are found out elsewhere.
        let Some(places) = self.places.get_mut(key.meter as usize) else { return };
        (self.first, self.last) = (self.first.min(key.start), self.last.max(key.start));
        if places.is_empty() {
            places.resize(self.names * self.names, NONE);
        }
        let at = key.event_type as usize * self.names + key.source as usize;
        let Some(place) = places.get_mut(at) else { return };
        if *place == NONE {
            *place = self.sums.len() as u32;
            self.sums.push(((key.meter, key.event_type, key.source), Cell::ZERO));
        }
        self.sums[*place as usize].1.merge(cell);
    }

    /// None where there are too many types and sources.
    pub fn end(self) -> Option<RunTotals> {
        let Self { names, first, last, sums, .. } = self;
        (names <= NAMES_MAX).then(|| RunTotals { first, last, sums: sums.into_iter().collect() })
    }
}
