//! Reading a table of cells.

use metering::{Cell, CellKey, Derivation, Instant};

use super::slab::CellUpdate;
use super::{CellTable, Series, WideKey, cell_number, cell_of, start_of};

/// Which cells are visited.
#[derive(Clone, Copy, Debug, Default)]
pub struct CellScan<'a> {
    /// Those of a meter version; without one the base cells.
    pub meter: Option<&'a (String, u32)>,
    /// What follows for the meter from the base cells is visited instead of its stored cells.
    pub derive: Option<Derivation>,
    /// Those of one account, or of all.
    pub account: Option<&'a str>,
    /// Those of some types, or of all.
    pub types: Option<&'a [String]>,
}

impl<'a> CellScan<'a> {
    /// The meter whose stored cells are read.
    pub(in super::super) fn stored(&self) -> Option<&'a (String, u32)> {
        self.meter.filter(|_| self.derive.is_none())
    }

    /// A key that says the meter, the rest to be filled in.
    pub(in super::super) fn key(&self) -> CellKey {
        CellKey {
            meter: self.meter.cloned(),
            account: String::new(),
            event_type: String::new(),
            source: String::new(),
            dimensions: Vec::new(),
            start: Instant(0),
        }
    }

    /// A stored cell as it is visited.
    pub(in super::super) fn show(&self, key: &CellKey, cell: &Cell, visit: &mut dyn FnMut(&CellKey, &Cell)) {
        match self.derive {
            None => visit(key, cell),
            Some(derivation) => visit(key, &derivation.cell(cell)),
        }
    }
}

/// A key and the numbers that it was made of, so that only what changes is made anew.
struct Shown {
    key: CellKey,
    account: Option<u32>,
    series: Option<u32>,
    /// Whether the meter is that of the series, and not the one asked for.
    with_meter: bool,
}

impl CellTable {
    /// Visits some cells, in no order.
    pub fn scan(&self, scan: &CellScan<'_>, visit: &mut dyn FnMut(&CellKey, &Cell)) {
        let Some(meter) = scan.stored().map_or(Some(0), |meter| self.meter_numbers.get(meter).map(|n| n + 1))
        else {
            return;
        };
        let types: Option<Vec<u32>> =
            scan.types.map(|types| types.iter().filter_map(|text| self.strings.known(text)).collect());
        let is_in = |series: Series| {
            series.meter == meter && types.as_ref().is_none_or(|types| types.contains(&series.event_type))
        };
        let mut shown = Shown { key: scan.key(), account: None, series: None, with_meter: false };
        match scan.account {
            Some(account) => {
                let Some(account) = self.strings.known(account) else { return };
                for entry in self.slab.of_account(account) {
                    if is_in(self.series_of(entry.series)) {
                        let key = self.show(&mut shown, entry.account, entry.series, entry.start);
                        scan.show(key, &self.whole(entry), visit);
                    }
                }
                self.only_wide(|key, series| key.0 == account && is_in(series), &mut shown, scan, visit);
            }
            None => {
                let wanted: Vec<bool> =
                    (0..self.series.len()).map(|n| n > 0 && is_in(self.series_of(n as u32))).collect();
                for entry in self.slab.iter().filter(|entry| wanted[entry.series as usize]) {
                    let key = self.show(&mut shown, entry.account, entry.series, entry.start);
                    scan.show(key, &self.whole(entry), visit);
                }
                self.only_wide(|_, series| is_in(series), &mut shown, scan, visit);
            }
        }
    }

    /// Visits all cells, in no order.
    pub fn all(&self, visit: &mut dyn FnMut(&CellKey, &Cell)) {
        let scan = CellScan::default();
        let mut shown = Shown { key: scan.key(), account: None, series: None, with_meter: true };
        for entry in self.slab.iter() {
            visit(self.show(&mut shown, entry.account, entry.series, entry.start), &self.whole(entry));
        }
        self.only_wide(|_, _| true, &mut shown, &scan, visit);
    }

    /// A key at which two tables differ, with this table's cell and the other's.
    pub fn difference(&self, other: &Self) -> Option<(CellKey, Option<Cell>, Option<Cell>)> {
        let differs = |mine: &Self, theirs: &Self| {
            let mut found = None;
            mine.all(&mut |key, cell| {
                if found.is_none() && theirs.get(key).as_ref() != Some(cell) {
                    found = Some(key.clone());
                }
            });
            found
        };
        let key = differs(self, other).or_else(|| differs(other, self))?;
        let (mine, theirs) = (self.get(&key), other.get(&key));
        Some((key, mine, theirs))
    }

    /// The cell of a key.
    pub fn get(&self, key: &CellKey) -> Option<Cell> {
        let meter = match &key.meter {
            None => 0,
            Some(meter) => 1 + self.meter_numbers.get(meter)?,
        };
        let mut tuple = vec![meter];
        for value in &key.dimensions {
            tuple.push(match value {
                None => 0,
                Some(value) => 1 + self.strings.known(value)?,
            });
        }
        let tuple = if key.dimensions.is_empty() { 0 } else { self.tuples.known(&tuple)? };
        let (event_type, source) = (self.strings.known(&key.event_type)?, self.strings.known(&key.source)?);
        let series = self.series.known(&[meter, event_type, source, tuple])?;
        let at = (self.strings.known(&key.account)?, series, cell_number(key.start));
        match (self.in_slab(&at), self.wide.get(&at)) {
            (Some(entry), _) => Some(self.whole(entry)),
            (None, wide) => wide.cloned(),
        }
    }

    /// A cell with what is summed beside the slab.
    fn whole(&self, entry: &CellUpdate) -> Cell {
        let mut cell = cell_of(entry);
        if !self.wide.is_empty()
            && let Some(wide) = self.wide.get(&(entry.account, entry.series, entry.start))
        {
            cell.merge(wide);
        }
        cell
    }

    /// Visits the cells that the slab knows nothing of.
    fn only_wide(
        &self,
        is_in: impl Fn(&WideKey, Series) -> bool,
        shown: &mut Shown,
        scan: &CellScan<'_>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) {
        for (at, cell) in &self.wide {
            if is_in(at, self.series_of(at.1)) && self.in_slab(at).is_none() {
                scan.show(self.show(shown, at.0, at.1, at.2), cell, visit);
            }
        }
    }

    fn show<'a>(&self, shown: &'a mut Shown, account: u32, series: u32, start: i32) -> &'a CellKey {
        let key = &mut shown.key;
        if shown.account != Some(account) {
            shown.account = Some(account);
            replace(&mut key.account, self.strings.get(account));
        }
        if shown.series != Some(series) {
            shown.series = Some(series);
            let series = self.series_of(series);
            replace(&mut key.event_type, self.strings.get(series.event_type));
            replace(&mut key.source, self.strings.get(series.source));
            let values = self.tuples.get(series.tuple).iter().skip(1);
            let text = |value: &u32| value.checked_sub(1).map(|value| self.strings.get(value).to_owned());
            key.dimensions = values.map(text).collect();
            if shown.with_meter {
                let meter = series.meter.checked_sub(1);
                key.meter = meter.map(|number| self.meters[number as usize].name.clone());
            }
        }
        key.start = start_of(start);
        key
    }
}

/// Replaces a text and keeps its memory.
pub(in super::super) fn replace(held: &mut String, text: &str) {
    held.clear();
    held.push_str(text);
}
