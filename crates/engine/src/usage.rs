//! Questions about usage: totals of a window, grouped, as of a cut; single events in order.

use std::collections::BTreeMap;

use invoicing::terms::Terms;
use metering::{CELL_NS, Cell, CellKey, Event, EventView, Instant, Meter, Zone, cell_start};
use store::Block;

use crate::cells::{CellQuery, Stretch, Totals};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::terms::TermSet;

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
    /// **Errors**: `unknown_meter`, `unknown_dimension`; cells that cannot be read; `store_closed` after a failure:
    /// memory may then hold events that no disk has.
    pub fn usage(&self, query: &UsageQuery<'_>) -> Result<Totals, EngineError> {
        self.usage_under(&self.terms.terms, query)
    }

    /// The totals of a window by the meters of other terms, such as those known at an earlier K.
    pub(crate) fn usage_under(&self, terms: &Terms, query: &UsageQuery<'_>) -> Result<Totals, EngineError> {
        let groups = self.groups_under(terms, query, &[])?;
        Ok(groups.into_values().next().unwrap_or(Totals::ZERO))
    }

    /// The totals of a window by group; a group without usage is absent.
    ///
    /// **Errors**: as [`Engine::usage`].
    pub fn usage_by(&self, query: &UsageQuery<'_>, by: &[GroupBy]) -> Result<Groups, EngineError> {
        self.groups_under(&self.terms.terms, query, by)
    }

    pub(crate) fn groups_under(
        &self,
        terms: &Terms,
        query: &UsageQuery<'_>,
        by: &[GroupBy],
    ) -> Result<Groups, EngineError> {
        self.check_not_failed()?;
        let mut groups = Groups::new();
        for part in parts(terms, query)? {
            let fits = dimension_filter(terms, part.meter, query.only)?;
            let group = grouping(terms, part.meter, by)?;
            let overflow = self.visit_part(query, &part, &mut |key, cell| {
                if fits(&key.dimensions) {
                    groups.entry(group(key)).or_insert(Totals::ZERO).add(cell);
                }
            })?;
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
    /// **Errors**: as [`Engine::events`].
    pub fn events_known_at(
        &self,
        known_at: u64,
        query: &UsageQuery<'_>,
    ) -> Result<Vec<ListedEvent>, EngineError> {
        self.events_under(&TermSet::load(&self.tables, known_at)?.terms, query)
    }

    fn events_under(&self, terms: &Terms, query: &UsageQuery<'_>) -> Result<Vec<ListedEvent>, EngineError> {
        self.check_not_failed()?;
        let mut tests = Vec::new();
        for part in parts(terms, query)? {
            let fits = dimension_filter(terms, part.meter, query.only)?;
            tests.push((part, fits));
        }
        let mut listed = Vec::new();
        let window = (query.start, query.end);
        self.read_within(Stretch { from: 0, to: query.as_of }, window, &mut |block, index, event| {
            for (part, fits) in &tests {
                let meter = part.meter;
                let counts = within(query.account, part.start, part.end, event)
                    && meter.counts(event)
                    && fits(&meter.dimensions_of(event));
                if counts {
                    listed.push(ListedEvent {
                        position: block.position + u64::from(index),
                        received_at: block.draft.received_at,
                        value: meter.value_of(event).ok(),
                        event: event.to_event(),
                    });
                }
            }
        })?;
        listed.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(listed)
    }

    /// Totals of the base cells per source: every accepted record once.
    ///
    /// **Errors**: cells that cannot be read.
    pub fn accepted_by_source(&self) -> Result<BTreeMap<String, Totals>, EngineError> {
        self.check_not_failed()?;
        let mut by_source: BTreeMap<String, Totals> = BTreeMap::new();
        let query = CellQuery {
            meter: None,
            account: None,
            start: Instant(i64::MIN),
            end: Instant(i64::MAX),
            as_of: self.end(),
        };
        let visited = self.cells.visit(&query, &mut |key, cell| {
            by_source.entry(key.source.clone()).or_insert(Totals::ZERO).add(cell);
        })?;
        debug_assert!(visited.left.is_empty(), "cells reach to the end of the log");
        Ok(by_source)
    }

    /// Cells of one version in its part of the window, cut cells read from the log. Answers whether its dimensions
    /// were not kept somewhere.
    fn visit_part(
        &self,
        query: &UsageQuery<'_>,
        part: &Part<'_>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) -> Result<bool, EngineError> {
        let cells = CellQuery {
            meter: Some(part.meter),
            account: query.account,
            start: part.start,
            end: part.end,
            as_of: query.as_of,
        };
        let visited = self.cells.visit(&cells, visit)?;
        let cut = cells.cut_cells();
        let in_log = |event: EventView<'_>| within(query.account, part.start, part.end, event);
        let in_cut = |event: EventView<'_>| cut.contains(&cell_start(event.occurred_at));
        let mut add = |event: EventView<'_>| {
            if let Some((key, cell)) = metering::meter_cell(event, self.digest(event), part.meter) {
                visit(&key, &cell);
            }
        };
        for stretch in &visited.left {
            self.read(*stretch, &mut |_, _, event| {
                if in_log(event) && !in_cut(event) {
                    add(event);
                }
            })?;
        }
        for cell in &cut {
            // Only the blocks that reach into the cell are unpacked.
            let end = Instant(cell.0.saturating_add(CELL_NS));
            self.read_within(Stretch { from: 0, to: query.as_of }, (*cell, end), &mut |_, _, event| {
                if in_log(event) && cell_start(event.occurred_at) == *cell {
                    add(event);
                }
            })?;
        }
        Ok(visited.overflow)
    }

    /// Reads the accepted events of a stretch of the log.
    pub(crate) fn read(
        &self,
        stretch: Stretch,
        visit: &mut dyn FnMut(&Block, u32, EventView<'_>),
    ) -> Result<(), EngineError> {
        self.read_within(stretch, (Instant(i64::MIN), Instant(i64::MAX)), visit)
    }

    /// Reads the accepted events of a stretch of the log, of blocks only that reach into a window.
    fn read_within(
        &self,
        stretch: Stretch,
        (start, end): (Instant, Instant),
        visit: &mut dyn FnMut(&Block, u32, EventView<'_>),
    ) -> Result<(), EngineError> {
        for block in self.roots.blocks_within(stretch.from, start, end) {
            let block = block?;
            if block.position >= stretch.to {
                break;
            }
            for (index, event) in block.draft.accepted.iter() {
                let position = block.position + u64::from(index);
                if position >= stretch.from && position < stretch.to {
                    visit(&block, index, event);
                }
            }
        }
        Ok(())
    }
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

/// The place of a dimension in the cells of a meter version; none where only other versions have it.
fn dimension_index(terms: &Terms, meter: &Meter, dimension: &str) -> Result<Option<usize>, EngineError> {
    let place = |meter: &Meter| meter.dimensions.iter().position(|known| known == dimension);
    if place(meter).is_none()
        && !terms.meters.versions(&meter.name).iter().any(|other| place(other).is_some())
    {
        let known = match meter.dimensions.as_slice() {
            [] => "it has no dimensions; add them to the meter to filter and group by them".to_owned(),
            known => format!("its dimensions: {}", known.join(", ")),
        };
        let message = format!("meter `{}` has no dimension `{dimension}`", meter.name);
        return Err(EngineError::invalid("unknown_dimension", message, known));
    }
    Ok(place(meter))
}

fn cardinality_exceeded(meter: &Meter) -> EngineError {
    EngineError::invalid(
        "cardinality_exceeded",
        format!("the dimensions of meter `{}` have too many values to be told apart", meter.name),
        "ask for its totals, or give the meter fewer dimensions in a new version",
    )
}

type DimensionTest = Box<dyn Fn(&[Option<String>]) -> bool>;
type CellGroup<'a> = Box<dyn Fn(&CellKey) -> Vec<Option<String>> + 'a>;

/// A dimension that a version does not have is absent there: no value of it is kept.
fn dimension_filter(
    terms: &Terms,
    meter: &Meter,
    only: &[(String, Vec<String>)],
) -> Result<DimensionTest, EngineError> {
    let mut tests = Vec::new();
    for (dimension, values) in only {
        tests.push((dimension_index(terms, meter, dimension)?, values.clone()));
    }
    Ok(Box::new(move |dimensions| {
        tests.iter().all(|(place, values)| {
            let value = place.and_then(|place| dimensions.get(place)).and_then(Option::as_ref);
            value.is_some_and(|value| values.contains(value))
        })
    }))
}

fn grouping<'a>(terms: &Terms, meter: &Meter, by: &'a [GroupBy]) -> Result<CellGroup<'a>, EngineError> {
    let mut places = Vec::new();
    for group in by {
        places.push(match group {
            GroupBy::Dimension(dimension) => dimension_index(terms, meter, dimension)?,
            _ => None,
        });
    }
    Ok(Box::new(move |key| {
        by.iter()
            .zip(&places)
            .map(|(group, place)| match group {
                GroupBy::Account => Some(key.account.clone()),
                GroupBy::Source => Some(key.source.clone()),
                GroupBy::Type => Some(key.event_type.clone()),
                GroupBy::Dimension(_) => {
                    place.and_then(|place| key.dimensions.get(place)).and_then(Clone::clone)
                }
                GroupBy::Day(zone) => Some(zone.date_of(key.start).to_string()),
                GroupBy::Month(zone) => Some(zone.date_of(key.start).to_string()[..7].to_owned()),
            })
            .collect()
    }))
}
