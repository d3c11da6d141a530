//! Sections: compressed, each with its own hash in the header.

use std::io::Read;

use crate::coding::{BadCoding, Reader, put_u64};
use crate::hash::Hash;

use super::header::SectionFact;

const ZSTD_LEVEL: i32 = 1;
/// No section is larger; a hostile one can't make a reader allocate more.
pub(super) const RAW_BYTES_MAX: u64 = 1 << 30;
/// What is allocated before a byte was seen.
const AT_ONCE_BYTES_MAX: u64 = 16 << 20;

/// The sections of formats 1 and 2. Format 1 had `keys` too: hashes that follow from the rows and the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionKind {
    Dictionary,
    FirstSight,
    /// Accepted rows of format 1.
    Accepted,
    /// Accepted rows, without their ids.
    Rows,
    /// The ids of the accepted rows.
    Ids,
    Kept,
}

impl SectionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dictionary => "dictionary",
            Self::FirstSight => "first_sight",
            Self::Accepted => "accepted",
            Self::Rows => "rows",
            Self::Ids => "ids",
            Self::Kept => "kept",
        }
    }
}

/// Compresses a section, unless it is known that this makes nothing shorter.
pub(super) fn encode(
    kind: SectionKind,
    raw: Vec<u8>,
    is_packed: bool,
) -> Result<(SectionFact, Vec<u8>), String> {
    let raw_length = raw.len() as u64;
    if raw_length > RAW_BYTES_MAX {
        return Err(format!("a section of `{raw_length}` bytes, expected at most {RAW_BYTES_MAX}"));
    }
    let (codec, stored) = match is_packed {
        true => ("none", raw),
        false => {
            let packed = zstd::bulk::compress(&raw, ZSTD_LEVEL)
                .map_err(|error| format!("a section cannot be compressed ({error})"))?;
            if packed.len() < raw.len() { ("zstd", packed) } else { ("none", raw) }
        }
    };
    let fact = SectionFact {
        kind: kind.as_str().to_owned(),
        tenant: String::new(),
        codec: codec.to_owned(),
        length: stored.len() as u64,
        raw_length,
        hash: Hash::of(&stored),
    };
    Ok((fact, stored))
}

/// The sections of a block that is read.
pub(super) struct Sections<'a>(Vec<(&'a SectionFact, &'a [u8])>);

impl<'a> Sections<'a> {
    /// Splits the bytes and checks every hash.
    pub fn read(facts: &'a [SectionFact], mut bytes: &'a [u8]) -> Result<Self, String> {
        let mut sections = Vec::new();
        for fact in facts {
            let length = usize::try_from(fact.length).unwrap_or(usize::MAX);
            let (stored, rest) = bytes
                .split_at_checked(length)
                .ok_or_else(|| format!("the section `{}` of a block ends early", fact.kind))?;
            if Hash::of(stored) != fact.hash {
                return Err(format!("the hash of the section `{}` of a block differs", fact.kind));
            }
            sections.push((fact, stored));
            bytes = rest;
        }
        if !bytes.is_empty() {
            return Err("a block has bytes after its sections".to_owned());
        }
        Ok(Self(sections))
    }

    /// The content of a section; empty where there is none.
    pub fn take(&mut self, kind: SectionKind) -> Result<Vec<u8>, String> {
        let Some((fact, stored)) = self.0.iter().find(|(fact, _)| fact.kind == kind.as_str()) else {
            return Ok(Vec::new());
        };
        match fact.codec.as_str() {
            "none" => Ok(stored.to_vec()),
            "zstd" => decompress(fact, stored),
            codec => Err(format!("a section of a block has the unknown codec `{codec}`")),
        }
    }
}

fn decompress(fact: &SectionFact, stored: &[u8]) -> Result<Vec<u8>, String> {
    let bad = |what: &str| format!("the section `{}` of a block {what}", fact.kind);
    if fact.raw_length > RAW_BYTES_MAX {
        return Err(bad("is too long"));
    }
    let raw = if fact.raw_length <= AT_ONCE_BYTES_MAX {
        zstd::bulk::decompress(stored, fact.raw_length as usize).ok()
    } else {
        unpack_slowly(stored, fact.raw_length)
    };
    let raw = raw.ok_or_else(|| bad("cannot be decompressed"))?;
    if raw.len() as u64 != fact.raw_length {
        return Err(bad("has another length than its header says"));
    }
    Ok(raw)
}

/// Unpacks into a buffer that grows as bytes come out: a hostile length costs no memory.
pub(super) fn unpack_slowly(stored: &[u8], raw_length: u64) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(stored).ok()?;
    decoder.take(raw_length.saturating_add(1)).read_to_end(&mut raw).ok()?;
    Some(raw)
}

/// Writes indices that rise, as differences.
#[derive(Default)]
pub(super) struct IndexWriter {
    next: u32,
}

impl IndexWriter {
    /// Appends an index; wraps where indices do not rise, which the balance check refuses before.
    pub fn put(&mut self, out: &mut Vec<u8>, index: u32) {
        put_u64(out, u64::from(index.wrapping_sub(self.next)));
        self.next = index.wrapping_add(1);
    }
}

/// Reads what [`IndexWriter`] wrote.
#[derive(Default)]
pub(super) struct IndexReader {
    next: u32,
}

impl IndexReader {
    pub fn next(&mut self, reader: &mut Reader<'_>) -> Result<u32, BadCoding> {
        let index = self.next.wrapping_add(reader.u32()?);
        self.next = index.wrapping_add(1);
        Ok(index)
    }
}
