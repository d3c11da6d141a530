//! The header of a block: everything but its sections, which it names by hash.

use metering::{Code, Instant};
use money::Sum;
use serde::{Deserialize, Serialize};

use crate::block::{Accepted, Block, BlockDraft, Counter, CounterKey, FirstSight, Kept};
use crate::hash::Hash;

use super::{BlockPlace, CANONICAL_FORM};

const FORMAT: u32 = 2;

/// A block's header; the order of the fields is the order of the bytes that its hash covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// The encoding.
    pub format: u32,
    /// The shard; 0 in the embedded store.
    pub shard: u32,
    /// The position of the first record.
    pub position: u64,
    /// How many records were received.
    pub records: u32,
    /// The journal row K under whose rules they were checked.
    pub known_at: u64,
    /// The hash of that row.
    pub known_hash: Hash,
    /// The hash of the block before; zero for the first.
    pub previous: Hash,
    /// The log position known durable when the block was written.
    pub durable_through: u64,
    /// When the records were received.
    #[serde(with = "crate::serde_instant")]
    pub received_at: Instant,
    /// The generation of the secrets behind the hashes in section `keys`.
    pub key_generation: u32,
    /// The version of the canonical form behind payload hashes.
    pub canonical_form: u32,
    /// The earliest and the latest `occurred_at` of its accepted rows, in nanoseconds since 1970; absent where there
    /// are none, and in format 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub occurred: Option<(i64, i64)>,
    /// How far the input was read; empty in the embedded store.
    pub cursor: Vec<InputCursor>,
    counters: Vec<WireCounter>,
    /// The sections, in the order of their bytes.
    pub sections: Vec<SectionFact>,
}

/// How far one partition of the input was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputCursor {
    /// The broker's cluster.
    pub cluster: String,
    /// The topic's id.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The leader's epoch at that offset.
    pub leader_epoch: u32,
    /// The offset of the next record.
    pub offset: u64,
    /// The hash of the last record.
    pub last_hash: Hash,
}

/// A section as the header names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionFact {
    /// `dictionary`, `first_sight`, `accepted`, `keys` or `kept`.
    pub kind: String,
    /// The tenant; empty now.
    pub tenant: String,
    /// `none` or `zstd`.
    pub codec: String,
    /// Stored bytes.
    pub length: u64,
    /// Bytes when decompressed.
    pub raw_length: u64,
    /// The hash of the stored bytes.
    pub hash: Hash,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WireCounter {
    tenant: String,
    feed: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    source: Option<String>,
    fate: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    code: Option<String>,
    records: u64,
    units: String,
}

#[derive(Deserialize)]
struct WireFormat {
    format: u32,
}

impl BlockHeader {
    pub(super) fn of(place: BlockPlace, draft: &BlockDraft, sections: Vec<SectionFact>) -> Self {
        Self {
            format: FORMAT,
            shard: 0,
            position: place.position,
            records: draft.records,
            known_at: draft.known_at,
            known_hash: draft.known_hash,
            previous: place.previous,
            durable_through: place.durable_through,
            received_at: draft.received_at,
            key_generation: place.key_generation,
            canonical_form: CANONICAL_FORM,
            cursor: Vec::new(),
            occurred: occurred(draft),
            counters: draft.counters.iter().map(WireCounter::of).collect(),
            sections,
        }
    }

    /// The earliest and the latest `occurred_at` that its accepted rows may have; none where there are none.
    pub(crate) fn occurred_range(&self) -> Option<(i64, i64)> {
        // Blocks of format 1 do not say.
        if self.format < 2 { Some((i64::MIN, i64::MAX)) } else { self.occurred }
    }

    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let bad = |error| format!("a block header cannot be read ({error})");
        let WireFormat { format } = serde_json::from_slice(json).map_err(bad)?;
        if format > FORMAT {
            return Err(format!("a block of the newer format `{format}`"));
        }
        serde_json::from_slice(json).map_err(bad)
    }

    /// The position after its last record.
    pub fn end(&self) -> u64 {
        self.position.saturating_add(u64::from(self.records))
    }

    /// The fates of its records, counted.
    ///
    /// **Errors**: a counter that no version of this build has written.
    pub fn counters(&self) -> Result<Vec<Counter>, String> {
        self.counters.iter().map(WireCounter::read).collect()
    }

    pub(super) fn into_block(
        self,
        hash: Hash,
        first_sight: Vec<FirstSight>,
        accepted: Accepted,
        kept: Vec<Kept>,
    ) -> Result<Block, String> {
        let counters = self.counters()?;
        if self.position.checked_add(u64::from(self.records)).is_none() {
            return Err("a block that ends after the last position".to_owned());
        }
        Ok(Block {
            position: self.position,
            hash,
            previous: self.previous,
            durable_through: self.durable_through,
            draft: BlockDraft {
                records: self.records,
                known_at: self.known_at,
                known_hash: self.known_hash,
                received_at: self.received_at,
                counters,
                first_sight,
                accepted,
                kept,
            },
        })
    }
}

/// Whether a moment from the first to the last may lie in one of some windows [start, end), which are in order and
/// apart.
pub(crate) fn may_hold(range: Option<(i64, i64)>, windows: &[(Instant, Instant)]) -> bool {
    range.is_some_and(|(first, last)| {
        let at = windows.partition_point(|(_, end)| end.0 <= first);
        windows.get(at).is_some_and(|(start, _)| start.0 <= last)
    })
}

fn occurred(draft: &BlockDraft) -> Option<(i64, i64)> {
    let times = draft.accepted.rows.iter().map(|row| draft.accepted.row(*row).occurred_at.0);
    times.fold(None, |range, time| {
        let (first, last) = range.unwrap_or((time, time));
        Some((first.min(time), last.max(time)))
    })
}

impl WireCounter {
    fn of(counter: &Counter) -> Self {
        Self {
            tenant: String::new(),
            feed: counter.key.feed.clone(),
            source: counter.key.source.clone(),
            fate: counter.key.fate.to_owned(),
            code: counter.key.code.map(|code| code.as_str().to_owned()),
            records: counter.records,
            units: counter.units.to_string(),
        }
    }

    fn read(&self) -> Result<Counter, String> {
        let fate = match self.fate.as_str() {
            "accepted" => "accepted",
            "duplicate" => "duplicate",
            "conflict" => "conflict",
            "rejected" => "rejected",
            fate => return Err(format!("a counter of the unknown fate `{fate}`")),
        };
        let code = match &self.code {
            None => None,
            Some(code) => {
                Some(Code::parse(code).map_err(|_| format!("a counter of the unknown code `{code}`"))?)
            }
        };
        let units = Sum::parse(&self.units)
            .map_err(|_| format!("a counter of the unreadable quantity `{}`", self.units))?;
        let key = CounterKey { feed: self.feed.clone(), source: self.source.clone(), fate, code };
        Ok(Counter { key, records: self.records, units })
    }
}
