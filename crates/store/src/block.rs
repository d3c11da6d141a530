//! The log block: one batch of received records with the fate of each.

use metering::{Code, Event, Identity, Instant, PayloadHash};

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

/// An accepted record.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// Its ordinal in the block: position = block position + index.
    pub index: u32,
    /// Its identity hash under the block's key generation.
    pub identity: Identity,
    /// Its payload hash under the block's canonical-form version.
    pub payload: PayloadHash,
    /// The event, all properties kept.
    pub event: Event,
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
    pub accepted: Vec<Accepted>,
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
