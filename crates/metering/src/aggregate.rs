//! From an accepted event to its cells.
//!
//! Most meters only say again what the base cells hold. They are *derived*: no cell of theirs is stored, but
//! where an event makes one of theirs differ from what the base cell says.

use money::{Quantity, Sum};

use crate::aggregation::{Mark, Reads};
use crate::batch::{Batch, Kind, Row};
use crate::cell::{Cell, CellKey, cell_start};
use crate::hash::Digest;
use crate::meter::Meter;
use crate::view::{EventView, Found};

/// The property whose sum the base cells hold.
const QUANTITY: &str = "quantity";

/// How the cells of a derived meter follow from base cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivation {
    /// Its units are the number of records.
    Records,
    /// Its units are those of the base cell.
    Units,
}

impl Derivation {
    /// What a base cell says of the meter. The meter's cell is this plus the difference cell of the same account,
    /// type, source and time, where one is stored.
    pub fn cell(self, base: &Cell) -> Cell {
        let units = match self {
            Self::Records => whole_units(base.records),
            Self::Units => base.units,
        };
        Cell { units, ..base.clone() }
    }
}

fn whole_units(records: u64) -> Sum {
    match Quantity::from_pico(i128::from(records) * Quantity::ONE.pico()) {
        Ok(units) => Sum::ZERO.add(units),
        Err(_) => unreachable!("2^64 units are fewer than 10^20"),
    }
}

impl Meter {
    /// How its cells follow from base cells; none for a meter with a filter, dimensions or marks, or that reads another
    /// property than `quantity`.
    pub fn derivation(&self) -> Option<Derivation> {
        if !self.filter.is_empty() || !self.dimensions.is_empty() {
            return None;
        }
        if self.aggregation.mark() != Mark::None {
            return None;
        }
        match self.aggregation.reads() {
            Reads::Nothing => Some(Derivation::Records),
            Reads::Number(property) if property == QUANTITY => Some(Derivation::Units),
            Reads::Number(_) | Reads::Text(_) => None,
        }
    }

    /// What an event adds to the stored cells of the meter: its whole cell, of a derived meter what its base cell
    /// gets wrong (no records, no digest); none where that is nothing.
    pub fn stored_cell<'e>(&self, event: impl Into<EventView<'e>>, digest: Digest) -> Option<Cell> {
        let event = event.into();
        let whole = self.whole_cell(event, digest)?;
        let Some(derivation) = self.derivation() else { return Some(whole) };
        let derived = derivation.cell(&base_cell(event, digest));
        let units = whole.units.merge(derived.units.neg());
        let is_right = units.is_zero() && whole.unmeasured == 0;
        (!is_right).then_some(Cell { records: 0, units, unmeasured: whole.unmeasured, digest: Digest::ZERO })
    }

    /// The cell of one event, whether the meter is derived or not; none where the meter does not count it. An event
    /// that is counted but whose value cannot be read is in it as unmeasured, with no units.
    fn whole_cell(&self, event: EventView<'_>, digest: Digest) -> Option<Cell> {
        if !self.counts(event) {
            return None;
        }
        let (units, unmeasured) = match self.value_of(event) {
            Ok(value) => (Sum::ZERO.add(value), 0),
            Err(_) => (Sum::ZERO, 1),
        };
        Some(Cell { records: 1, units, unmeasured, digest })
    }
}

/// Emits the cells that are stored for an accepted event: its base cell, and of each given version of a meter what
/// [`Meter::stored_cell`] says.
///
/// Every version counts over all time. Who reads usage picks the version by `effective_at`, as known at their
/// K, so that a version recorded later needs no other cells. The value of a meter is what its stored cells hold
/// and, where it is derived, what [`Derivation::cell`] makes of the base cells of the types that it names.
pub fn aggregate<'e>(
    event: impl Into<EventView<'e>>,
    digest: Digest,
    meters: &[Meter],
    emit: &mut dyn FnMut(&CellKey, &Cell),
) {
    let event = event.into();
    // The cells of an event share all of their key but meter and dimensions: it is made once.
    let mut key = base_key(event);
    emit(&key, &base_cell(event, digest));
    for meter in meters {
        if let Some(cell) = meter.stored_cell(event, digest) {
            key.meter = Some((meter.name.clone(), meter.version));
            key.dimensions = meter.tuple_of(event);
            emit(&key, &cell);
        }
    }
}

/// The cell of one event under one meter, derived or not; none where the meter does not count it.
pub fn meter_cell<'e>(
    event: impl Into<EventView<'e>>,
    digest: Digest,
    meter: &Meter,
) -> Option<(CellKey, Cell)> {
    let event = event.into();
    let cell = meter.whole_cell(event, digest)?;
    let meter_version = Some((meter.name.clone(), meter.version));
    Some((CellKey { meter: meter_version, dimensions: meter.tuple_of(event), ..base_key(event) }, cell))
}

/// The property `quantity`, where it is a number that a quantity can hold.
pub fn base_quantity<'e>(event: impl Into<EventView<'e>>) -> Option<Quantity> {
    match event.into().properties.get(QUANTITY) {
        Some(Found::Number(text)) => Quantity::parse(text).ok(),
        _ => None,
    }
}

/// [`base_quantity`] of each row of a batch.
pub fn base_quantities(batch: &Batch) -> Vec<Option<Quantity>> {
    let places: Vec<Option<usize>> = batch
        .shapes()
        .iter()
        .map(|shape| match shape.find(QUANTITY) {
            Some((place, Kind::Number)) => usize::try_from(place).ok(),
            _ => None,
        })
        .collect();
    let quantity = |row: &Row| {
        let place = usize::try_from(row.shape).ok().and_then(|shape| *places.get(shape)?)?;
        Quantity::parse(batch.text(*batch.values_of(row).get(place)?)).ok()
    };
    batch.rows().iter().map(quantity).collect()
}

/// [`base_quantity`]; where there is none, zero.
///
/// A control total of fates and base cells. An amount is charged by it only where a derived meter makes good what
/// it gets wrong.
pub fn base_units<'e>(event: impl Into<EventView<'e>>) -> Sum {
    base_quantity(event).map_or(Sum::ZERO, |quantity| Sum::ZERO.add(quantity))
}

fn base_cell(event: EventView<'_>, digest: Digest) -> Cell {
    Cell { records: 1, units: base_units(event), unmeasured: 0, digest }
}

fn base_key(event: EventView<'_>) -> CellKey {
    CellKey {
        meter: None,
        account: event.account.to_owned(),
        event_type: event.event_type.to_owned(),
        source: event.source.to_owned(),
        dimensions: Vec::new(),
        start: cell_start(event.occurred_at),
    }
}
