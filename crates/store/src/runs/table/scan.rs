//! Reading a table of cells.

use std::collections::HashSet;

use metering::{Cell, CellKey, Derivation, Instant};

use super::slab::{CellPlace, CellUpdate};
use super::{CellTable, Series, cell_number, cell_of, start_of};

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
    /// Neither accounts, nor dimensions, nor times matter to whoever asks, but that all lies in this window: a run inside
    /// of it visits its totals by type and source, as if they were cells at its beginning.
    pub totals_of: Option<(Instant, Instant)>,
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
    /// The cells of the slab to which something wide belongs.
    also_wide: HashSet<CellPlace>,
    account: Option<u32>,
    series: Option<u32>,
    /// Whether the meter is that of the series, and not the one asked for.
    with_meter: bool,
}

impl Shown {
    fn new(scan: &CellScan<'_>, with_meter: bool) -> Self {
        Self { key: scan.key(), also_wide: HashSet::new(), account: None, series: None, with_meter }
    }
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
        let wanted: Vec<bool> =
            (0..self.series.len()).map(|n| n > 0 && is_in(self.series_of(n as u32))).collect();
        let mut shown = Shown::new(scan, false);
        let mut visit = |key: &CellKey, cell: &Cell| scan.show(key, cell, visit);
        match scan.account.map(|account| self.strings.known(account)) {
            Some(None) => {}
            Some(Some(account)) => {
                self.each(&self.slab.of_account(account), &wanted, &mut shown, &mut visit);
                self.only_wide(|place| place.0 == account, &wanted, &mut shown, &mut visit);
            }
            None => self.each_of_all(&wanted, &mut shown, &mut visit),
        }
    }

    /// Visits all cells, in no order.
    pub fn all(&self, visit: &mut dyn FnMut(&CellKey, &Cell)) {
        let mut shown = Shown::new(&CellScan::default(), true);
        self.each_of_all(&vec![true; self.series.len()], &mut shown, visit);
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
        match (&*self.slab.of_cell(at), self.wide.get(&at)) {
            ([], wide) => wide.cloned(),
            (entries, wide) => Some(whole(entries, wide)),
        }
    }

    /// Visits each cell of the wanted series once.
    fn each_of_all(&self, wanted: &[bool], shown: &mut Shown, visit: &mut dyn FnMut(&CellKey, &Cell)) {
        for entries in self.slab.parts() {
            self.each(&entries, wanted, shown, visit);
        }
        self.only_wide(|_| true, wanted, shown, visit);
    }

    /// Visits each cell of some entries, with what is summed beside the slab.
    fn each(
        &self,
        entries: &[CellUpdate],
        wanted: &[bool],
        shown: &mut Shown,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) {
        for entries in entries.chunk_by(CellUpdate::is_same_cell) {
            let place = entries[0].place();
            if wanted[place.1 as usize] {
                let wide = self.wide.get(&place).filter(|_| !self.wide.is_empty());
                if wide.is_some() {
                    shown.also_wide.insert(place);
                }
                visit(self.show(shown, place), &whole(entries, wide));
            }
        }
    }

    /// Visits the cells that the slab knows nothing of.
    fn only_wide(
        &self,
        is_in: impl Fn(&CellPlace) -> bool,
        wanted: &[bool],
        shown: &mut Shown,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) {
        for (place, cell) in &self.wide {
            if is_in(place) && wanted[place.1 as usize] && !shown.also_wide.contains(place) {
                visit(self.show(shown, *place), cell);
            }
        }
    }

    fn show<'a>(&self, shown: &'a mut Shown, (account, series, start): CellPlace) -> &'a CellKey {
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

/// The sum of a cell's entries and of what is summed beside the slab.
fn whole(entries: &[CellUpdate], wide: Option<&Cell>) -> Cell {
    let mut sum = wide.cloned().unwrap_or(Cell::ZERO);
    entries.iter().for_each(|entry| sum.merge(&cell_of(entry)));
    sum
}

/// Replaces a text and keeps its memory.
pub(in super::super) fn replace(held: &mut String, text: &str) {
    held.clear();
    held.push_str(text);
}
