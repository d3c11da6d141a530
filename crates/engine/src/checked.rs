//! What the terms say of a batch before its turn comes: pure, so that many threads can do it.
//!
//! Most events are plainly right: their type has a meter, the value can be read. That is found out beside the path
//! that gives fates, which then looks only at who was there before. Whatever is not plainly right is left in doubt
//! to [`metering::Rules::check`], whose word is the only refusal.

use metering::{Batch, Instant, Meter, Reads, Row};
use money::{Quantity, Sum};

/// The rows of a batch under the terms of one K.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The K.
    pub known_at: u64,
    /// When the last of them was used.
    pub latest: Instant,
    /// Rows that the rules must be asked about, ascending.
    pub doubtful: Vec<u32>,
    /// Rows and units by the number of their source, as far as there are sources; of other strings nothing.
    pub of_source: Vec<(u64, Sum)>,
}

impl Checked {
    /// Checks all rows; `units` are their quantities.
    pub fn new(known_at: u64, meters: &[Meter], batch: &Batch, units: &[Option<Quantity>]) -> Self {
        let mut checked =
            Self { known_at, latest: Instant::MIN, doubtful: Vec::new(), of_source: Vec::new() };
        let mut types: Vec<Option<TypeRules<'_>>> = Vec::new();
        for ((place, row), quantity) in (0..).zip(batch.rows()).zip(units) {
            let (records, sum) = grown(&mut checked.of_source, row.source, || (0, Sum::ZERO));
            *records += 1;
            *sum = quantity.map_or(*sum, |quantity| sum.add(quantity));
            checked.latest = checked.latest.max(row.occurred_at);
            let rules = grown(&mut types, row.event_type, || None)
                .get_or_insert_with(|| TypeRules::new(meters, batch.string(row.event_type)));
            if !rules.hold(batch, row, *quantity) {
                checked.doubtful.push(place);
            }
        }
        checked
    }
}

/// What a list holds at a number. Sources and types are few and numbered early, accounts are many: a list of the former
/// need not have room for all strings of a batch.
pub(crate) fn grown<T>(list: &mut Vec<T>, number: u32, nothing: impl Fn() -> T) -> &mut T {
    let at = number as usize;
    if at >= list.len() {
        list.resize_with(at + 1, nothing);
    }
    &mut list[at]
}

/// The meters that name a type, where each has one version only.
struct TypeRules<'t> {
    effective_from: Instant,
    meters: Vec<&'t Meter>,
    /// Whether an event whose quantity is a number of 0 or more is measured by all of them.
    of_quantity: bool,
}

impl<'t> TypeRules<'t> {
    fn new(meters: &'t [Meter], event_type: &str) -> Self {
        let named: Vec<&Meter> = meters.iter().filter(|meter| meter.names(event_type)).collect();
        let has_versions =
            named.iter().any(|one| meters.iter().filter(|other| other.name == one.name).count() > 1);
        let effective_from = named.iter().map(|meter| meter.effective_at).max().unwrap_or(Instant::MAX);
        let of_quantity = named.iter().all(|meter| match meter.aggregation.reads() {
            Reads::Nothing => true,
            Reads::Number(property) | Reads::Text(property) => property == "quantity",
        });
        // Where a meter has versions, which one holds depends on the event.
        Self { effective_from, meters: if has_versions { Vec::new() } else { named }, of_quantity }
    }

    /// Whether an event is plainly right, its account and receipt aside.
    fn hold(&self, batch: &Batch, row: &Row, quantity: Option<Quantity>) -> bool {
        row.occurred_at >= self.effective_from
            && !self.meters.is_empty()
            && (self.of_quantity && quantity.is_some_and(|quantity| !quantity.is_negative())
                || self.meters.iter().all(|meter| is_measured(meter, batch, row, quantity)))
    }
}

/// Whether a meter counts an event with a value that it can read, or does not count it.
fn is_measured(meter: &Meter, batch: &Batch, row: &Row, quantity: Option<Quantity>) -> bool {
    if !meter.filter.is_empty() && !meter.counts(batch.view(row)) {
        return true;
    }
    match meter.aggregation.reads() {
        Reads::Nothing => true,
        Reads::Number("quantity") => {
            quantity.is_some_and(|quantity| meter.allow_negative || !quantity.is_negative())
        }
        Reads::Number(_) | Reads::Text(_) => meter.value_of(batch.view(row)).is_ok(),
    }
}
