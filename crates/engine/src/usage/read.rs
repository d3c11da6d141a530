//! Reading usage: whole cells, and the events of those that are not taken as a whole.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use metering::{CELL_NS, EventView, Instant, cell_start};
use store::Block;

use super::{Part, UsageQuery, Visitor, within};
use crate::cells::{CellQuery, Stretch};
use crate::engine::Engine;
use crate::error::EngineError;

/// Cells whose events must be read, and how many events each holds.
type Unread = BTreeMap<Instant, u64>;

impl Engine {
    /// Cells of one version in its part of the window; what is cut is read from the log. Answers whether its
    /// dimensions were not kept somewhere.
    pub(super) fn visit_part(
        &self,
        query: &UsageQuery<'_>,
        part: &Part<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<bool, EngineError> {
        let cells = CellQuery {
            meter: Some(part.meter),
            account: query.account,
            start: part.start,
            end: part.end,
            as_of: query.as_of,
            totals: visitor.wants_totals(),
        };
        let mut unread: BTreeMap<Stretch, Unread> = BTreeMap::new();
        let visited = self.cells.visit_stretches(&cells, &mut |stretch, key, cell| {
            if cells.holds(key.start) && visitor.is_whole(key.start) {
                visitor.cell(key, cell);
            } else {
                *unread.entry(stretch).or_default().entry(key.start).or_insert(0) += cell.records;
            }
        })?;
        let is_counted = |event: EventView<'_>| {
            query.account.is_none_or(|account| event.account == account) && part.meter.counts(event)
        };
        for stretch in &visited.left {
            self.read_within(*stretch, vec![(part.start, part.end)], &mut |block, index, event| {
                if within(query.account, part.start, part.end, event) && is_counted(event) {
                    visitor.event(block, index, event);
                }
                ControlFlow::Continue(())
            })?;
        }
        for (stretch, cells) in &unread {
            // What the cells hold is known: when all of it was seen, the rest of the stretch need not be.
            let mut left: u64 = cells.values().sum();
            self.read_within(*stretch, windows(cells), &mut |block, index, event| {
                if cells.contains_key(&cell_start(event.occurred_at)) && is_counted(event) {
                    if within(query.account, part.start, part.end, event) {
                        visitor.event(block, index, event);
                    }
                    left = left.saturating_sub(1);
                }
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if left > 0 {
                let what = format!("its cells hold {left} more than its log");
                return Err(EngineError::stored(format!("usage of `{}`", query.meter), what));
            }
        }
        Ok(visited.overflow)
    }

    /// Reads the accepted events of a stretch of the log.
    pub(crate) fn read(
        &self,
        stretch: Stretch,
        visit: &mut dyn FnMut(&Block, u32, EventView<'_>),
    ) -> Result<(), EngineError> {
        let ever = vec![(Instant(i64::MIN), Instant(i64::MAX))];
        self.read_within(stretch, ever, &mut |block, index, event| {
            visit(block, index, event);
            ControlFlow::Continue(())
        })
    }

    /// Reads the accepted events of a stretch of the log until it is told to stop, of blocks only that reach into one of
    /// some windows, which are in order and apart.
    pub(super) fn read_within(
        &self,
        stretch: Stretch,
        windows: Vec<(Instant, Instant)>,
        visit: &mut dyn FnMut(&Block, u32, EventView<'_>) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        for block in self.roots.blocks_within(stretch.from, windows) {
            let block = block?;
            if block.position >= stretch.to {
                break;
            }
            for (index, event) in block.draft.accepted.iter() {
                let position = block.position + u64::from(index);
                if position >= stretch.from && position < stretch.to && visit(&block, index, event).is_break()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The time that some cells take, in order; cells that meet are one window.
fn windows(cells: &Unread) -> Vec<(Instant, Instant)> {
    let mut windows: Vec<(Instant, Instant)> = Vec::new();
    for start in cells.keys() {
        let end = Instant(start.0.saturating_add(CELL_NS));
        match windows.last_mut() {
            Some(last) if last.1 == *start => last.1 = end,
            _ => windows.push((*start, end)),
        }
    }
    windows
}
