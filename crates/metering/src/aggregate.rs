//! From an accepted event to its cells.

use money::{Quantity, Sum};

use crate::cell::{Cell, CellKey, cell_start};
use crate::event::Event;
use crate::hash::Digest;
use crate::meter::Meter;
use crate::value::Value;

/// Emits the cells of an accepted event: its base cell, and one for each given version of a meter that counts
/// it.
///
/// Every version counts over all time. Who reads usage picks the version by `effective_at`, as known at their
/// K, so that a version recorded later needs no other cells. An event that a version counts without being able
/// to read its value is in the cell as unmeasured, with no units.
pub fn aggregate(event: &Event, digest: Digest, meters: &[Meter], emit: &mut dyn FnMut(&CellKey, &Cell)) {
    // The cells of an event share all of their key but meter and dimensions: it is made once.
    let mut key = CellKey {
        meter: None,
        account: event.account.clone(),
        event_type: event.event_type.clone(),
        source: event.source.clone(),
        dimensions: Vec::new(),
        start: cell_start(event.occurred_at),
    };
    emit(&key, &Cell { records: 1, units: base_units(event), unmeasured: 0, digest });
    for meter in meters.iter().filter(|meter| meter.counts(event)) {
        let (units, unmeasured) = match meter.value_of(event) {
            Ok(value) => (Sum::ZERO.add(value), 0),
            Err(_) => (Sum::ZERO, 1),
        };
        key.meter = Some((meter.name.clone(), meter.version));
        key.dimensions = meter.dimensions_of(event);
        emit(&key, &Cell { records: 1, units, unmeasured, digest });
    }
}

/// The property `quantity`, where it is a number that a quantity can hold; else zero.
///
/// A control total of fates and base cells, never an amount that is charged.
pub fn base_units(event: &Event) -> Sum {
    let quantity = match event.properties.get("quantity") {
        Some(Value::Number(text)) => Quantity::parse(text).ok(),
        _ => None,
    };
    quantity.map_or(Sum::ZERO, |quantity| Sum::ZERO.add(quantity))
}
