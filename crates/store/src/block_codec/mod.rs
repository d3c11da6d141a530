//! Blocks as bytes: a header in JSON that hashes its sections, and the sections, compressed.
//!
//! **Source**: `docs/format.md` §5. Decoding trusts no length and never panics.

mod accepted;
mod columns;
mod dictionary;
mod header;
mod ids;
mod kept;
mod section;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use metering::{Batch, Code, Instant};

use crate::block::{Accepted, Block, BlockDraft, FirstSight};
use crate::coding::{BadCoding, Reader, put_u64};
use crate::hash::Hash;
use crate::segment::{Link, LogKind};
pub(crate) use columns::Workspace;
use dictionary::{Numbered, Strings};
pub(crate) use header::may_hold;
pub use header::{BlockHeader, InputCursor, SectionFact};
use section::SectionKind;

/// The event log as a log.
pub(crate) const LOG: LogKind =
    LogKind { folder: "log", extension: "seg", record: 3, first: 0, noun: "block", link };

/// The version of the canonical form behind payload hashes.
pub(crate) const CANONICAL_FORM: u32 = metering::CANONICAL_FORM_VERSION;

const LENGTH_BYTES: usize = 4;

/// What a block is told by the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockPlace {
    pub position: u64,
    pub previous: Hash,
    pub durable_through: u64,
    pub key_generation: u32,
}

/// The record of a block, and the block's hash.
///
/// **Errors**: what no reader could read back.
pub(crate) fn encode(
    place: BlockPlace,
    draft: &BlockDraft,
    work: &mut Workspace,
) -> Result<(Vec<u8>, Hash), String> {
    let batch = &draft.accepted.batch;
    work.numbered().begin(batch);
    let (rows, ids) = columns::encode(&draft.accepted, work)?;
    let first_sight = encode_first_sight(&draft.first_sight, batch, work.numbered());
    let are_random = ids::are_random(ids.len(), draft.accepted.len());
    let sections = [
        (SectionKind::Dictionary, work.numbered().encode(batch), false),
        (SectionKind::FirstSight, first_sight, false),
        (SectionKind::Rows, rows, true),
        (SectionKind::Ids, ids, are_random),
        (SectionKind::Kept, kept::encode(&draft.kept), false),
    ];
    let (mut facts, mut stored) = (Vec::new(), Vec::new());
    for (kind, raw, is_packed) in sections {
        if !raw.is_empty() {
            let (fact, bytes) = section::encode(kind, raw, is_packed)?;
            facts.push(fact);
            stored.push(bytes);
        }
    }
    let header = BlockHeader::of(place, draft, facts);
    let json =
        serde_json::to_vec(&header).map_err(|error| format!("a block header cannot be written ({error})"))?;
    let length = u32::try_from(json.len()).map_err(|_| "a block header is over 4 GiB".to_owned())?;
    let mut record =
        Vec::with_capacity(LENGTH_BYTES + json.len() + stored.iter().map(Vec::len).sum::<usize>());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&json);
    for bytes in stored {
        record.extend_from_slice(&bytes);
    }
    Ok((record, Hash::of(&json)))
}

/// The header of a record, its hash and the bytes of the sections.
pub(crate) fn split(record: &[u8]) -> Result<(BlockHeader, Hash, &[u8]), String> {
    let ends_early = || "a block ends early".to_owned();
    let (length, rest) = record.split_first_chunk::<LENGTH_BYTES>().ok_or_else(ends_early)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| ends_early())?;
    let (json, sections) = rest.split_at_checked(length).ok_or_else(ends_early)?;
    Ok((BlockHeader::parse(json)?, Hash::of(json), sections))
}

/// How many bytes of a record [`split`] needs to read its header, by what its first bytes say.
pub(crate) fn head_bytes(record: &[u8]) -> usize {
    let length = record.first_chunk::<LENGTH_BYTES>().map_or(0, |length| u32::from_le_bytes(*length));
    LENGTH_BYTES.saturating_add(usize::try_from(length).unwrap_or(usize::MAX))
}

fn link(record: &[u8]) -> Result<Link, String> {
    let (header, hash, _) = split(record)?;
    Ok(Link { first: header.position, count: u64::from(header.records), previous: header.previous, hash })
}

/// A block, with all that its header promises checked.
pub(crate) fn decode(record: &[u8]) -> Result<Block, String> {
    decode_parts(record, Parts::All)
}

/// A block, unless its header says that none of its rows lies in a window.
pub(crate) fn decode_within(record: &[u8], windows: &[(Instant, Instant)]) -> Result<Option<Block>, String> {
    let (header, ..) = split(record)?;
    may_hold(header.occurred_range(), windows).then(|| decode(record)).transpose()
}

/// A block without its accepted rows: what became of records, and what is kept of the refused.
pub(crate) fn decode_fates(record: &[u8]) -> Result<Block, String> {
    decode_parts(record, Parts::Fates)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    All,
    Fates,
}

fn decode_parts(record: &[u8], of: Parts) -> Result<Block, String> {
    let (header, hash, bytes) = split(record)?;
    let mut sections = section::Sections::read(&header.sections, bytes)?;
    let mut raw = |kind| sections.take(kind);
    let (strings, first_sight, kept) =
        (raw(SectionKind::Dictionary)?, raw(SectionKind::FirstSight)?, raw(SectionKind::Kept)?);
    let rows = match (of, header.format) {
        (Parts::Fates, _) => None,
        (Parts::All, 1) => Some((raw(SectionKind::Accepted)?, None)),
        (Parts::All, _) => Some((raw(SectionKind::Rows)?, Some(raw(SectionKind::Ids)?))),
    };
    let read = || -> Result<_, BadCoding> {
        let strings = Strings::decode(&strings)?;
        let first_sight = decode_first_sight(&first_sight, &strings)?;
        let accepted = match &rows {
            None => Accepted::none(),
            Some((rows, None)) => accepted::decode(rows, &strings)?,
            Some((rows, Some(ids))) => columns::decode(rows, ids, &strings)?,
        };
        Ok((first_sight, accepted, kept::decode(&kept)?))
    };
    let (first_sight, accepted, kept) = read().map_err(|BadCoding(what)| format!("{what} in a block"))?;
    let block = header.into_block(hash, first_sight, accepted, kept)?;
    if of == Parts::All {
        check_balance(&block.draft)?;
    }
    Ok(block)
}

/// Checks that every record of a block has one fate: received = accepted + duplicate + conflict + rejected (by code).
pub(crate) fn check_balance(draft: &BlockDraft) -> Result<(), String> {
    if draft.records == 0 {
        return Err("a block of no records".to_owned());
    }
    let counted = |fate: &str, code: Option<Code>| -> u128 {
        let counters = draft.counters.iter().filter(|counter| counter.key.fate == fate);
        let counters = counters.filter(|counter| code.is_none() || counter.key.code == code);
        counters.map(|counter| u128::from(counter.records)).sum()
    };
    let check = |what: &str, expected: u128, found: u128| {
        if expected == found {
            Ok(())
        } else {
            Err(format!("a block whose {what} do not add up: expected {expected}, found `{found}`"))
        }
    };
    let fates = ["accepted", "duplicate", "conflict", "rejected"];
    check("fates", u128::from(draft.records), fates.iter().map(|fate| counted(fate, None)).sum())?;
    check("accepted records", draft.accepted.len() as u128, counted("accepted", None))?;
    let mut kept: BTreeMap<&str, (Code, u128)> = BTreeMap::new();
    for record in &draft.kept {
        kept.entry(record.code.as_str()).or_insert((record.code, 0)).1 += 1;
    }
    let conflicts = kept.remove(Code::Conflict.as_str()).map_or(0, |(_, count)| count);
    check("conflicts", conflicts, counted("conflict", None))?;
    check("rejected records", draft.kept.len() as u128 - conflicts, counted("rejected", None))?;
    for (name, (code, count)) in kept {
        check(&format!("records rejected as `{name}`"), count, counted("rejected", Some(code)))?;
    }
    check_indices(draft)
}

/// Checks that indices rise, lie in the block, and that none has two fates.
fn check_indices(draft: &BlockDraft) -> Result<(), String> {
    let accepted = &draft.accepted.rows;
    if !rises(accepted.iter().map(|row| row.index)) || !rises(draft.kept.iter().map(|row| row.index)) {
        return Err("a block whose records are out of order".to_owned());
    }
    let last = [accepted.last().map(|row| row.index), draft.kept.last().map(|row| row.index)];
    if let Some(index) = last.into_iter().flatten().find(|index| *index >= draft.records) {
        return Err(format!("a block of {} records that names record `{index}`", draft.records));
    }
    let is_accepted = |index: u32| accepted.binary_search_by_key(&index, |row| row.index).is_ok();
    match draft.kept.iter().find(|row| is_accepted(row.index)) {
        Some(row) => Err(format!("a block whose record `{}` has two fates", row.index)),
        None => Ok(()),
    }
}

fn rises(mut indices: impl Iterator<Item = u32>) -> bool {
    let mut before = None;
    indices.all(|index| before.replace(index).is_none_or(|before| before < index))
}

fn encode_first_sight(first_sight: &[FirstSight], batch: &Batch, numbered: &mut Numbered) -> Vec<u8> {
    let mut out = Vec::new();
    if !first_sight.is_empty() {
        put_u64(&mut out, first_sight.len() as u64);
    }
    for sight in first_sight {
        put_u64(&mut out, u64::from(numbered.number_of(batch, &sight.account)));
        put_u64(&mut out, u64::from(sight.index));
    }
    out
}

fn decode_first_sight(bytes: &[u8], strings: &Strings<'_>) -> Result<Vec<FirstSight>, BadCoding> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    let count = reader.count(2)?;
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        let account = strings.get(&mut reader)?.to_owned();
        out.push(FirstSight { account, index: reader.u32()? });
    }
    reader.finish()?;
    Ok(out)
}
