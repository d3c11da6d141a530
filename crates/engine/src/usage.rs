//! Questions about usage: totals of a window, grouped, as of a cut; single events in order.

mod accepted;
mod gather;
mod group;
mod read;

use std::collections::BTreeMap;

use invoicing::terms::Terms;
use metering::{Cell, CellKey, Event, EventView, Instant, Meter, Zone};
use store::Block;

use crate::cells::{CellQuery, Totals};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::terms::TermSet;
pub use accepted::{AcceptedEvent, LogWindow};
use group::{DimensionTest, Grouping, cardinality_exceeded, dimension_filter};

/// A window of usage of one meter.
#[derive(Clone, Debug)]
pub struct UsageQuery<'a> {
    /// The meter's name.
    pub meter: &'a str,
    /// One account, or all.
    pub account: Option<&'a str>,
    /// Dimensions and the values they may have.
    pub only: &'a [(String, Vec<String>)],
    /// From when, included.
    pub start: Instant,
    /// Until when, excluded.
    pub end: Instant,
    /// Only records below this position.
    pub as_of: u64,
}

/// Totals by the values of the groups, in the order they were asked for; `None` is an absent dimension.
pub type Groups = BTreeMap<Vec<Option<String>>, Totals>;

/// How usage is grouped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// By account.
    Account,
    /// By source.
    Source,
    /// By event type.
    Type,
    /// By a dimension of the meter.
    Dimension(String),
    /// By hour as the clocks of a zone show it, with its offset: an hour that comes twice is two groups.
    Hour(Zone),
    /// By civil day, in a zone.
    Day(Zone),
    /// By civil month, in a zone.
    Month(Zone),
}

/// A listed event.
#[derive(Clone, Debug)]
pub struct ListedEvent {
    /// Its position in the log.
    pub position: u64,
    /// When it was received.
    pub received_at: Instant,
    /// What the meter made of it; absent where it matches but has no readable value.
    pub value: Option<money::Quantity>,
    /// The event.
    pub event: Event,
}

impl ListedEvent {
    fn order(&self) -> (Instant, &str, &str) {
        (self.event.occurred_at, &self.event.source, &self.event.id)
    }
}

/// A meter version and the part of a window in which it counts.
struct Part<'a> {
    meter: &'a Meter,
    start: Instant,
    end: Instant,
}

impl Engine {
    /// The totals of a window.
    ///
    /// **Errors**: `unknown_meter`, `unknown_dimension`; `aggregations_differ` where versions in the window do, and
    /// `too_many_buckets`, both only of a meter that does not add up; cells that cannot be read; `store_closed` after a
    /// failure: memory may then hold events that no disk has.
    pub fn usage(&self, query: &UsageQuery<'_>) -> Result<Totals, EngineError> {
        self.usage_under(&self.terms.terms, query)
    }

    /// The totals of a window by the meters of other terms, such as those known at an earlier K.
    pub(crate) fn usage_under(&self, terms: &Terms, query: &UsageQuery<'_>) -> Result<Totals, EngineError> {
        let groups = self.groups_under(terms, query, &[])?;
        Ok(groups.into_values().next().unwrap_or_else(|| nothing(terms, query.meter)))
    }

    /// The totals of a window by group; a group without usage is absent. Groups sort as texts; hours as
    /// [`hour_order`] says.
    ///
    /// **Errors**: as [`Engine::usage`].
    pub fn usage_by(&self, query: &UsageQuery<'_>, by: &[GroupBy]) -> Result<Groups, EngineError> {
        self.groups_under(&self.terms.terms, query, by)
    }

    /// The same by the meters known at a journal row: with the cut of the query, what was to be seen then.
    ///
    /// **Errors**: as [`Engine::usage`]; `unknown_row`.
    pub fn usage_by_known_at(
        &self,
        known_at: u64,
        query: &UsageQuery<'_>,
        by: &[GroupBy],
    ) -> Result<Groups, EngineError> {
        self.groups_under(&self.terms_known_at(known_at)?.terms, query, by)
    }

    /// The same by terms that are at hand, so that they are not loaded for each of many queries.
    ///
    /// **Errors**: as [`Engine::usage`].
    pub fn usage_by_terms(
        &self,
        terms: &TermSet,
        query: &UsageQuery<'_>,
        by: &[GroupBy],
    ) -> Result<Groups, EngineError> {
        self.groups_under(&terms.terms, query, by)
    }

    /// The terms known at a journal row.
    ///
    /// **Errors**: `unknown_row` where the journal ends before it; a stored document that this build cannot read.
    pub fn terms_known_at(&self, known_at: u64) -> Result<TermSet, EngineError> {
        let head = self.roots.head().number;
        if known_at > head {
            return Err(EngineError::not_found(
                "unknown_row",
                format!("expected a journal row from 0 to {head}, found `{known_at}`"),
                "name a row that is there; leave it out for the latest",
            ));
        }
        TermSet::load(&self.tables, known_at)
    }

    pub(crate) fn groups_under(
        &self,
        terms: &Terms,
        query: &UsageQuery<'_>,
        by: &[GroupBy],
    ) -> Result<Groups, EngineError> {
        self.check_not_failed()?;
        let parts = parts(terms, query)?;
        if parts.iter().any(|part| !part.meter.aggregation.adds_up()) {
            return self.gathered(terms, query, by, parts);
        }
        let mut groups = Groups::new();
        for part in parts {
            let fits = dimension_filter(terms, part.meter, query.only)?;
            let grouping = Grouping::of(terms, part.meter, by)?;
            let is_of_type_or_source = |by: &GroupBy| matches!(by, GroupBy::Type | GroupBy::Source);
            let wants_totals =
                query.account.is_none() && query.only.is_empty() && by.iter().all(is_of_type_or_source);
            let groups = &mut groups;
            let mut tally = Tally { engine: self, meter: part.meter, fits, grouping, wants_totals, groups };
            let overflow = self.visit_part(query, &part, &mut tally)?;
            let asks_dimensions =
                !query.only.is_empty() || by.iter().any(|by| matches!(by, GroupBy::Dimension(_)));
            if overflow && asks_dimensions {
                return Err(cardinality_exceeded(part.meter));
            }
        }
        Ok(groups)
    }

    /// The events of a window, in the order (`occurred_at`, source, id).
    ///
    /// **Errors**: as [`Engine::usage`]; a log that cannot be read.
    pub fn events(&self, query: &UsageQuery<'_>) -> Result<Vec<ListedEvent>, EngineError> {
        self.events_under(&self.terms.terms, query)
    }

    /// The same by the meters known at a journal row: the events that a line read which was rated then.
    ///
    /// **Errors**: as [`Engine::events`]; `unknown_row`.
    pub fn events_known_at(
        &self,
        known_at: u64,
        query: &UsageQuery<'_>,
    ) -> Result<Vec<ListedEvent>, EngineError> {
        self.events_under(&self.terms_known_at(known_at)?.terms, query)
    }

    fn events_under(&self, terms: &Terms, query: &UsageQuery<'_>) -> Result<Vec<ListedEvent>, EngineError> {
        self.check_not_failed()?;
        let mut listed = Vec::new();
        for part in parts(terms, query)? {
            let fits = dimension_filter(terms, part.meter, query.only)?;
            self.visit_part(query, &part, &mut Listing { meter: part.meter, fits, listed: &mut listed })?;
        }
        listed.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(listed)
    }

    /// Totals of the base cells per source: every accepted record once.
    ///
    /// **Errors**: cells that cannot be read.
    pub fn accepted_by_source(&self) -> Result<BTreeMap<String, Totals>, EngineError> {
        self.by_source(true)
    }

    /// The same, by cells alone (`totals` false) or also by the totals that runs keep.
    pub(crate) fn by_source(&self, totals: bool) -> Result<BTreeMap<String, Totals>, EngineError> {
        self.check_not_failed()?;
        let mut by_source: BTreeMap<String, Totals> = BTreeMap::new();
        let query = CellQuery {
            meter: None,
            account: None,
            start: Instant(i64::MIN),
            end: Instant(i64::MAX),
            as_of: self.end(),
            totals,
        };
        let visited = self.cells.visit(&query, &mut |key, cell| {
            by_source.entry(key.source.clone()).or_insert(Totals::ZERO).add(cell);
        })?;
        debug_assert!(visited.left.is_empty(), "cells reach to the end of the log");
        Ok(by_source)
    }
}

/// What goes through one version's part of a window.
trait Visitor {
    /// Whether a cell that lies in the window is taken as a whole; the events of every other are read.
    fn is_whole(&mut self, cell: Instant) -> bool;

    /// Whether it looks at nothing of a cell but its type and its source.
    fn wants_totals(&self) -> bool;

    /// A whole cell.
    fn cell(&mut self, key: &CellKey, cell: &Cell);

    /// An event that the meter counts, at its place in a block.
    fn event(&mut self, block: &Block, index: u32, event: EventView<'_>);
}

/// Adds up by group.
struct Tally<'a> {
    engine: &'a Engine,
    meter: &'a Meter,
    fits: DimensionTest,
    grouping: Grouping,
    wants_totals: bool,
    groups: &'a mut Groups,
}

impl Tally<'_> {
    fn add(&mut self, key: &CellKey, moment: Instant, cell: &Cell) {
        if (self.fits)(&key.dimensions) {
            let group = self.grouping.group(key, moment);
            self.groups.entry(group).or_insert(Totals::ZERO).add(cell);
        }
    }
}

impl Visitor for Tally<'_> {
    fn is_whole(&mut self, cell: Instant) -> bool {
        self.grouping.is_whole(cell)
    }

    fn wants_totals(&self) -> bool {
        self.wants_totals
    }

    fn cell(&mut self, key: &CellKey, cell: &Cell) {
        self.add(key, key.start, cell);
    }

    fn event(&mut self, _block: &Block, _index: u32, event: EventView<'_>) {
        if let Some((key, cell)) = metering::meter_cell(event, self.engine.digest(event), self.meter) {
            self.add(&key, event.occurred_at, &cell);
        }
    }
}

/// Lists every event.
struct Listing<'a> {
    meter: &'a Meter,
    fits: DimensionTest,
    listed: &'a mut Vec<ListedEvent>,
}

impl Visitor for Listing<'_> {
    fn is_whole(&mut self, _cell: Instant) -> bool {
        false
    }

    fn wants_totals(&self) -> bool {
        false
    }

    fn cell(&mut self, _key: &CellKey, _cell: &Cell) {}

    fn event(&mut self, block: &Block, index: u32, event: EventView<'_>) {
        if (self.fits)(&self.meter.dimensions_of(event)) {
            self.listed.push(ListedEvent {
                position: block.position + u64::from(index),
                received_at: block.draft.received_at,
                value: self.meter.value_of(event).ok(),
                event: event.to_event(),
            });
        }
    }
}

/// Where the hour of a [`GroupBy::Hour`] group stands in time: by it hours sort as they came, also where the clocks
/// showed one twice. None for a text that is no such hour.
pub fn hour_order(label: &str) -> Option<i64> {
    let (shown, offset) = (label.get(..16)?, label.get(16..)?);
    let shown = Instant::parse_rfc3339(&format!("{shown}:00Z")).ok()?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let mut seconds = 0i64;
    for (part, unit) in offset.split(':').zip([3_600, 60, 1]) {
        seconds += part.parse::<i64>().ok()?.checked_mul(unit)?;
    }
    let seconds = if sign == "-" { -seconds } else { seconds };
    shown.0.checked_sub(seconds.checked_mul(1_000_000_000)?)
}

impl TermSet {
    /// The totals of a meter where there are no events: its value is zero, or none.
    pub fn nothing_of(&self, meter: &str) -> Totals {
        nothing(&self.terms, meter)
    }
}

/// What no events make, by the latest version of a meter.
fn nothing(terms: &Terms, meter: &str) -> Totals {
    let latest = terms.meters.pick(meter, Instant(i64::MAX));
    latest.map_or(Totals::ZERO, |meter| Totals::nothing(&meter.aggregation))
}

/// The versions of a meter over a window: each counts from its `effective_at` to the next.
fn parts<'t>(terms: &'t Terms, query: &UsageQuery<'_>) -> Result<Vec<Part<'t>>, EngineError> {
    let meters = &terms.meters;
    if meters.versions(query.meter).is_empty() {
        let known: Vec<&str> = meters.names().collect();
        return Err(EngineError::not_found(
            "unknown_meter",
            format!("no meter is named `{}`", query.meter),
            format!("known meters: {}", known.join(", ")),
        ));
    }
    if query.start >= query.end {
        return Ok(Vec::new());
    }
    let mut edges: Vec<Instant> =
        meters.versions(query.meter).iter().map(|meter| meter.effective_at).collect();
    edges.retain(|edge| *edge > query.start && *edge < query.end);
    edges.extend([query.start, query.end]);
    edges.sort_unstable();
    edges.dedup();
    let parts = edges.windows(2).filter_map(|edge| {
        let meter = meters.pick(query.meter, edge[0])?;
        Some(Part { meter, start: edge[0], end: edge[1] })
    });
    Ok(parts.collect())
}

fn within(account: Option<&str>, start: Instant, end: Instant, event: EventView<'_>) -> bool {
    event.occurred_at >= start
        && event.occurred_at < end
        && account.is_none_or(|account| event.account == account)
}
