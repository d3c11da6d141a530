//! The log block: one batch of received records with the fate of each.

use metering::{Batch, Code, Event, EventView, Instant, Row};

use crate::hash::Hash;

/// How many records of one feed (and source, where known) met one fate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CounterKey {
    /// Where the records came in: a file, a key, a topic.
    pub feed: String,
    /// The source, where the record told it.
    pub source: Option<String>,
    /// `accepted`, `duplicate`, `conflict` or `rejected`.
    pub fate: &'static str,
    /// The code of a rejection.
    pub code: Option<Code>,
}

/// A counter of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What is counted.
    pub key: CounterKey,
    /// How many records.
    pub records: u64,
    /// Σ of their property `quantity`, where it is a number.
    pub units: money::Sum,
}

/// An account created by the first event that named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSight {
    /// The account's name.
    pub account: String,
    /// The index in the block of the event that named it first.
    pub index: u32,
}

/// The accepted records of a block: rows of a batch, each with its place in the block.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The events; it may hold more than were accepted.
    pub batch: Batch,
    /// Which of its rows were accepted, by index.
    pub rows: Vec<AcceptedRow>,
}

/// An accepted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedRow {
    /// Its ordinal in the block: position = block position + index.
    pub index: u32,
    /// The row of the batch.
    pub row: u32,
}

impl Accepted {
    /// Nothing.
    pub fn none() -> Self {
        Self { batch: Batch::new(0), rows: Vec::new() }
    }

    /// Events with their ordinals in the block.
    pub fn of_events<'e>(events: impl IntoIterator<Item = (u32, &'e Event)>) -> Self {
        let mut accepted = Self::none();
        for (row, (index, event)) in (0..).zip(events) {
            accepted.batch.push_event(event);
            accepted.rows.push(AcceptedRow { index, row });
        }
        accepted
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of the batch behind an accepted record.
    pub fn row(&self, accepted: AcceptedRow) -> &Row {
        &self.batch.rows()[accepted.row as usize]
    }

    /// Every record with its ordinal in the block.
    pub fn iter(&self) -> impl Iterator<Item = (u32, EventView<'_>)> {
        self.rows.iter().map(|accepted| (accepted.index, self.batch.view(self.row(*accepted))))
    }
}

/// The same events in the same places.
impl PartialEq for Accepted {
    fn eq(&self, other: &Self) -> bool {
        let events = |of: &Self| -> Vec<(u32, Event)> {
            of.rows.iter().map(|accepted| (accepted.index, of.batch.event(of.row(*accepted)))).collect()
        };
        self.len() == other.len() && events(self) == events(other)
    }
}

/// A rejected or conflicting record: kept whole for repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its ordinal in the block.
    pub index: u32,
    /// The code; [`Code::Conflict`] for a conflict.
    pub code: Code,
    /// The message the sender was given.
    pub message: String,
    /// The feed it came in by.
    pub feed: String,
    /// Its place in the feed, such as a line number; 0 where there is none.
    pub line: u64,
    /// The format its bytes are in, such as `cloudevents`; the name of a decoder.
    pub format: String,
    /// The source, where the record told it.
    pub source: Option<String>,
    /// The id, where the record told it.
    pub id: Option<String>,
    /// The bytes as they came.
    pub body: Vec<u8>,
}

/// A block before it has a place. Indices that are neither accepted nor kept are duplicates.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockDraft {
    /// How many records were received, whatever their fate; at least 1.
    pub records: u32,
    /// The journal row K under whose rules they were checked; durable before the block.
    pub known_at: u64,
    /// The hash of that row.
    pub known_hash: Hash,
    /// When they were received; never goes back in the log.
    pub received_at: Instant,
    /// The fates, counted.
    pub counters: Vec<Counter>,
    /// Accounts that these events created.
    pub first_sight: Vec<FirstSight>,
    /// What was accepted, by index.
    pub accepted: Accepted,
    /// What was rejected or conflicts, by index.
    pub kept: Vec<Kept>,
}

/// A block of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The position of its first record: ordinals of received records, whatever their fate.
    pub position: u64,
    /// The hash of its header, which holds the hashes of its sections.
    pub hash: Hash,
    /// The hash of the block before; zero for the first.
    pub previous: Hash,
    /// The log position known durable when it was written.
    pub durable_through: u64,
    /// The rest.
    pub draft: BlockDraft,
}

impl Block {
    /// The position after its last record.
    pub fn end(&self) -> u64 {
        self.position + u64::from(self.draft.records)
    }
}
