//! From the accepted rows of a batch to updates of cells.
//!
//! Most meters are derived from the base cells, so that an event is one update of one cell: its type and source are
//! numbers of the batch, and what they are in the table is looked up once a batch; accounts are numbered by the terms.

use metering::{Batch, Derivation, Digest, EventView, Found, Mark, Meter, Row, cell_start};
use money::Quantity;
use store::runs::{CellTable, CellUpdate, cell_number};

use super::{Counted, KnownAccounts};
use crate::terms::AccountNumbers;

const UNKNOWN: u32 = u32::MAX;
/// How many rows are added together: what is made of them stays in a near cache.
const ROWS: usize = 1024;

/// A meter that counts a type, and its number in the table.
struct Counting<'m> {
    meter: &'m Meter,
    number: u32,
}

/// What the events of a type make beside their base cells.
struct Type<'m> {
    number: u32,
    /// The series of the base cells by source.
    series: Vec<u32>,
    /// Meters that are not derived: each event may have a cell of its own.
    explicit: Vec<Counting<'m>>,
    /// Meters whose units are those of the base cell, where an event has units of 0 or more.
    of_units: Vec<Counting<'m>>,
}

/// One batch on its way into a table.
pub(super) struct Intake<'a, 'm> {
    cells: &'a mut CellTable,
    known: &'a mut KnownAccounts,
    batch: &'a Batch,
    meters: &'m [Meter],
    /// By number of the batch's strings: their number in the table, where it was asked for.
    strings: Vec<u32>,
    /// By number of the batch's strings: their place among the types.
    type_places: Vec<u32>,
    /// The same among the sources.
    source_places: Vec<u32>,
    types: Vec<Type<'m>>,
    sources: Vec<u32>,
}

impl<'a, 'm> Intake<'a, 'm> {
    pub(super) fn new(
        cells: &'a mut CellTable,
        known: &'a mut KnownAccounts,
        batch: &'a Batch,
        meters: &'m [Meter],
    ) -> Self {
        let unknown = || vec![UNKNOWN; batch.string_count()];
        let (strings, type_places, source_places) = (unknown(), unknown(), unknown());
        Self {
            cells,
            known,
            batch,
            meters,
            strings,
            type_places,
            source_places,
            types: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// Adds what [`metering::aggregate`] says of the rows.
    pub(super) fn add(mut self, counted: &Counted<'_>) {
        let mut updates = Vec::with_capacity(ROWS + self.meters.len());
        for rows in counted.accepted.rows.chunks(ROWS) {
            for accepted in rows {
                let at = accepted.row as usize;
                let row = &self.batch.rows()[at];
                let account = self.account(row.account, counted.accounts);
                self.add_row(row, account, counted.prints[at].digest, counted.units[at], &mut updates);
            }
            self.cells.add_batch(&updates);
            updates.clear();
        }
    }

    /// The number of an account in the table, looked up once a batch.
    fn account(&mut self, account: u32, numbers: &AccountNumbers) -> u32 {
        let known = self.strings[account as usize];
        if known != UNKNOWN {
            return known;
        }
        match numbers.get(account) {
            Some(number) => {
                let number = self.known.get(number, || self.cells.string(self.batch.string(account)));
                self.strings[account as usize] = number;
                number
            }
            None => self.string(account),
        }
    }

    fn add_row(
        &mut self,
        row: &Row,
        account: u32,
        digest: Digest,
        units: Option<Quantity>,
        updates: &mut Vec<CellUpdate>,
    ) {
        let of_type = self.of_type(row.event_type);
        let source = self.source(row.source);
        let series = self.series(of_type, source);
        updates.push(CellUpdate {
            account,
            series,
            start: cell_number(row.occurred_at),
            records: 1,
            units: units.map_or(0, Quantity::pico),
            digest,
        });
        let named = &self.types[of_type as usize];
        let as_units = units.is_some_and(|units| !units.is_negative());
        if !named.explicit.is_empty() || !(as_units || named.of_units.is_empty()) {
            self.add_stored(row, account, of_type, source, digest, updates);
        }
    }

    /// The cells of an event that its base cell does not say.
    fn add_stored(
        &mut self,
        row: &Row,
        account: u32,
        of_type: u32,
        source: u32,
        digest: Digest,
        updates: &mut Vec<CellUpdate>,
    ) {
        let event = self.batch.view(row);
        let start = cell_number(cell_start(row.occurred_at));
        let named = &self.types[of_type as usize];
        for Counting { meter, number } in named.explicit.iter().chain(&named.of_units) {
            let Some(cell) = meter.stored_cell(event, digest) else { continue };
            let tuple = tuple(self.cells, meter, *number, event);
            let series = self.cells.series(*number, named.number, self.sources[source as usize], tuple);
            match CellUpdate::of(account, series, start, &cell) {
                Some(update) => updates.push(update),
                None => self.cells.add_to(account, series, start, &cell),
            }
        }
    }

    fn string(&mut self, string: u32) -> u32 {
        let known = &mut self.strings[string as usize];
        if *known == UNKNOWN {
            *known = self.cells.string(self.batch.string(string));
        }
        *known
    }

    fn of_type(&mut self, string: u32) -> u32 {
        let known = self.type_places[string as usize];
        if known != UNKNOWN {
            return known;
        }
        let event_type = self.batch.string(string);
        let (mut explicit, mut of_units) = (Vec::new(), Vec::new());
        for meter in self.meters.iter().filter(|meter| meter.names(event_type)) {
            let number = self.cells.meter(&(meter.name.clone(), meter.version));
            match meter.derivation() {
                None => explicit.push(Counting { meter, number }),
                Some(Derivation::Units) => of_units.push(Counting { meter, number }),
                Some(Derivation::Records) => {}
            }
        }
        let number = self.string(string);
        let place = self.types.len() as u32;
        self.types.push(Type { number, series: Vec::new(), explicit, of_units });
        self.type_places[string as usize] = place;
        place
    }

    fn source(&mut self, string: u32) -> u32 {
        let known = self.source_places[string as usize];
        if known != UNKNOWN {
            return known;
        }
        let number = self.string(string);
        let place = self.sources.len() as u32;
        self.sources.push(number);
        self.source_places[string as usize] = place;
        place
    }

    fn series(&mut self, of_type: u32, source: u32) -> u32 {
        let named = &mut self.types[of_type as usize];
        match named.series.get(source as usize) {
            Some(series) if *series != UNKNOWN => *series,
            _ => {
                named.series.resize(named.series.len().max(source as usize + 1), UNKNOWN);
                let series = self.cells.pair(named.number, self.sources[source as usize]);
                named.series[source as usize] = series;
                series
            }
        }
    }
}

/// The number of what [`Meter::tuple_of`] says of an event.
fn tuple(cells: &mut CellTable, meter: &Meter, number: u32, event: EventView<'_>) -> u32 {
    let is_marked = meter.aggregation.mark() != Mark::None;
    // Values that are not kept are not numbered either.
    if (meter.dimensions.is_empty() && !is_marked) || cells.is_overflowed(number) {
        return 0;
    }
    let mut values = Vec::with_capacity(meter.dimensions.len() + 1);
    for path in &meter.dimensions {
        let value = event.properties.get(path).and_then(Found::as_text);
        values.push(value.map_or(0, |value| 1 + cells.string(&value)));
    }
    if is_marked {
        values.push(meter.mark_of(event).map_or(0, |mark| 1 + cells.string(&mark)));
    }
    cells.tuple(number, &values)
}
