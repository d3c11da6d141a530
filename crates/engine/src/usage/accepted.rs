//! Accepted events as the log holds them, one after the other.

use std::ops::ControlFlow;

use metering::{EventView, Instant};

use super::within;
use crate::cells::Stretch;
use crate::engine::Engine;
use crate::error::EngineError;

/// Which accepted events are visited.
#[derive(Clone, Copy, Debug)]
pub struct LogWindow<'a> {
    /// One account, or all.
    pub account: Option<&'a str>,
    /// From when they occurred, included.
    pub start: Instant,
    /// Until when, excluded.
    pub end: Instant,
    /// Only records below this position.
    pub as_of: u64,
}

/// An accepted event at its place in the log.
pub struct AcceptedEvent<'a> {
    /// Its position in the log.
    pub position: u64,
    /// When it was received.
    pub received_at: Instant,
    /// The event.
    pub event: EventView<'a>,
}

impl Engine {
    /// Visits accepted events in the order of the log, whatever meters they count for, until a visit fails. No more
    /// than a block is held.
    ///
    /// **Errors**: those of the visit; a log that cannot be read; `store_closed` after a failure.
    pub fn visit_accepted<E: From<EngineError>>(
        &self,
        window: &LogWindow<'_>,
        visit: &mut dyn FnMut(AcceptedEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check_not_failed()?;
        if window.start >= window.end {
            return Ok(());
        }
        let mut failure = None;
        let stretch = Stretch { from: 0, to: window.as_of };
        self.read_within(stretch, vec![(window.start, window.end)], &mut |block, index, event| {
            if !within(window.account, window.start, window.end, event) {
                return ControlFlow::Continue(());
            }
            let position = block.position + u64::from(index);
            match visit(AcceptedEvent { position, received_at: block.draft.received_at, event }) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failure.map_or(Ok(()), Err)
    }
}
