//! Usage of meters that do not add up: the values of a window are gathered, then answered for.
//!
//! A level carries in from before the window, so all of its past is gone through. What is over time and asked for by
//! hour, day or month is asked for piece by piece: an hourly value belongs to the hours of its piece.

use std::collections::BTreeMap;

use invoicing::terms::Terms;
use metering::{Aggregation, Cell, CellKey, EventView, Gathering, Instant};
use store::Block;

use super::group::{Buckets, DimensionTest, Grouping, dimension_filter};
use super::{GroupBy, Groups, Part, UsageQuery, Visitor, parts};
use crate::cells::{Measured, Totals};
use crate::engine::Engine;
use crate::error::EngineError;

/// A question about hours, days or months may have so many: one by one they are each a question.
const PIECES_MAX: usize = 10_000;

impl Engine {
    /// The totals by group of a meter that does not add up, whose versions in the window are given.
    pub(super) fn gathered(
        &self,
        terms: &Terms,
        query: &UsageQuery<'_>,
        by: &[GroupBy],
        in_window: Vec<Part<'_>>,
    ) -> Result<Groups, EngineError> {
        let Some(aggregation) = in_window.first().map(|part| &part.meter.aggregation) else {
            return Ok(Groups::new());
        };
        let is_over_time = aggregation.is_over_time() && Gathering::is_bounded(query.start, query.end);
        if is_over_time && by.iter().any(|by| Buckets::of(by).is_some()) {
            return self.in_pieces(terms, query, by);
        }
        let is_level = is_over_time && matches!(aggregation, Aggregation::Level { .. });
        check_versions(query.meter, &in_window, is_level)?;
        let parts = match is_level {
            true => with_past(terms, query, &in_window)?,
            false => in_window,
        };
        let mut found = BTreeMap::new();
        for part in &parts {
            let fits = dimension_filter(terms, part.meter, query.only)?;
            let grouping = Grouping::of(terms, part.meter, by)?;
            let mut visitor =
                Gather { engine: self, part, query, is_over_time, fits, grouping, found: &mut found };
            self.visit_part(query, part, &mut visitor)?;
        }
        let answer = |(group, (totals, gathering)): (_, (Totals, Gathering))| {
            let value = gathering
                .value()
                .map_err(|error| EngineError::arithmetic(format!("usage of `{}`", query.meter), error))?;
            Ok((group, Totals { measured: Measured::Value(value), ..totals }))
        };
        found.into_iter().map(answer).collect()
    }

    /// The window cut at the edges of all buckets, each piece answered for itself.
    fn in_pieces(
        &self,
        terms: &Terms,
        query: &UsageQuery<'_>,
        by: &[GroupBy],
    ) -> Result<Groups, EngineError> {
        let mut buckets: Vec<Option<Buckets>> = by.iter().map(Buckets::of).collect();
        let others: Vec<GroupBy> = by.iter().filter(|by| Buckets::of(by).is_none()).cloned().collect();
        let (mut groups, mut from, mut pieces) = (Groups::new(), query.start, 0);
        while from < query.end {
            let mut to = query.end;
            let mut labels = Vec::with_capacity(buckets.len());
            for buckets in &mut buckets {
                labels.push(buckets.as_mut().map(|buckets| {
                    let (end, label) = buckets.at(from);
                    to = to.min(end);
                    label.to_owned()
                }));
            }
            pieces += 1;
            if pieces > PIECES_MAX {
                return Err(EngineError::invalid(
                    "too_many_buckets",
                    format!("the window has more than {PIECES_MAX} hours, days or months"),
                    "ask for a shorter window, or by larger buckets",
                ));
            }
            let piece = UsageQuery { start: from, end: to, ..query.clone() };
            for (group, totals) in self.groups_under(terms, &piece, &others)? {
                let mut rest = group.into_iter();
                let whole = labels.iter().map(|label| label.clone().or_else(|| rest.next().flatten()));
                groups.insert(whole.collect(), totals);
            }
            from = to;
        }
        Ok(groups)
    }
}

/// The versions that reach into a window of a level, and those before from which it carries over: back to the first that
/// aggregates otherwise, or by other dimensions, as a level of these is none of those.
fn with_past<'t>(
    terms: &'t Terms,
    query: &UsageQuery<'_>,
    in_window: &[Part<'t>],
) -> Result<Vec<Part<'t>>, EngineError> {
    let Some(own) = in_window.first().map(|part| part.meter) else { return Ok(Vec::new()) };
    let mut all = parts(terms, &UsageQuery { start: Instant(i64::MIN), ..query.clone() })?;
    let is_other = |part: &Part<'_>| {
        !part.meter.aggregation.goes_with(&own.aggregation) || part.meter.dimensions != own.dimensions
    };
    let first = all.iter().rposition(is_other).map_or(0, |other| other + 1);
    Ok(all.split_off(first))
}

/// Values of several versions make one only where these do the same with what they read.
fn check_versions(meter: &str, parts: &[Part<'_>], is_level: bool) -> Result<(), EngineError> {
    let Some(first) = parts.first() else { return Ok(()) };
    let fits = |part: &Part<'_>| {
        part.meter.aggregation.goes_with(&first.meter.aggregation)
            && (!is_level || part.meter.dimensions == first.meter.dimensions)
    };
    let Some(other) = parts.iter().find(|part| !fits(part)) else { return Ok(()) };
    let Part { meter: then, start, .. } = other;
    let said = match then.aggregation.goes_with(&first.meter.aggregation) {
        true => format!("by [{}]", then.dimensions.join(", ")),
        false => format!("`{}`", then.aggregation.word()),
    };
    let message = format!("meter `{meter}` aggregates otherwise from {start} on: {said}");
    let hint = match is_level {
        true => "ask for what is before and after one by one; a level does not carry over such a change",
        false => "ask for what is before and after one by one",
    };
    Err(EngineError::invalid("aggregations_differ", message, hint))
}

/// Gathers by group.
struct Gather<'a> {
    engine: &'a Engine,
    part: &'a Part<'a>,
    query: &'a UsageQuery<'a>,
    is_over_time: bool,
    fits: DimensionTest,
    grouping: Grouping,
    found: &'a mut BTreeMap<Vec<Option<String>>, (Totals, Gathering)>,
}

impl Gather<'_> {
    fn add(&mut self, key: &CellKey, moment: Instant, cell: &Cell) {
        let is_inside = moment >= self.query.start;
        // Before the window only a level counts, not that there was something which nobody can read.
        if !(self.fits)(&key.dimensions) || (!is_inside && cell.records <= cell.unmeasured) {
            return;
        }
        let group = self.grouping.group(key, moment);
        let (start, end) = (self.query.start, self.query.end);
        let aggregation = &self.part.meter.aggregation;
        let (totals, gathering) = self.found.entry(group).or_insert_with(|| {
            let Some(gathering) = Gathering::new(aggregation, start, end) else {
                unreachable!("versions go with each other, and one does not add up")
            };
            (Totals::ZERO, gathering)
        });
        if is_inside {
            totals.add(cell);
        }
        gathering.add(self.part.meter, key, moment, cell);
    }
}

impl Visitor for Gather<'_> {
    fn is_whole(&mut self, cell: Instant) -> bool {
        let is_one = !self.is_over_time
            || Gathering::takes_whole(&self.part.meter.aggregation, self.query.start, cell);
        is_one && self.grouping.is_whole(cell)
    }

    fn wants_totals(&self) -> bool {
        false
    }

    fn cell(&mut self, key: &CellKey, cell: &Cell) {
        self.add(key, key.start, cell);
    }

    fn event(&mut self, _block: &Block, _index: u32, event: EventView<'_>) {
        if let Some((key, cell)) = metering::meter_cell(event, self.engine.digest(event), self.part.meter) {
            self.add(&key, event.occurred_at, &cell);
        }
    }
}
