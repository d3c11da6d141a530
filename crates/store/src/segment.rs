//! Segments of a log: their names, their header record and the prefix that stands before every record.
//!
//! **Source**: `docs/format.md` §2 and §3.

use metering::Instant;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::framed;
use crate::hash::Hash;
use crate::id::Id;
use crate::keys::newer;

/// The prefix before every record.
pub(crate) const PREFIX_BYTES: usize = 32;
const ENCODING: u8 = 1;
const KIND_HEADER: u8 = 1;

/// What a record says of its place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The position (or number) of its first ordinal.
    pub first: u64,
    /// How many ordinals it covers; at least 1.
    pub count: u64,
    /// The hash of the record before.
    pub previous: Hash,
    /// Its own hash, computed from its bytes.
    pub hash: Hash,
}

impl Link {
    /// The ordinal after it.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// One of the two logs: the event log or the journal.
#[derive(Debug)]
pub(crate) struct LogKind {
    /// The folder of its segments.
    pub folder: &'static str,
    /// How its segments' names end.
    pub extension: &'static str,
    /// The kind byte of its records.
    pub record: u8,
    /// The first ordinal ever.
    pub first: u64,
    /// What its records are called in messages.
    pub noun: &'static str,
    /// Reads the place of a record and checks its own hash.
    pub link: fn(&[u8]) -> Result<Link, String>,
}

/// The name of a segment: where it starts and which incarnation it is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    pub first: u64,
    pub incarnation: u32,
}

impl SegmentName {
    pub fn path(&self, kind: &LogKind) -> String {
        format!("{}/{:020}-{:08}.{}", kind.folder, self.first, self.incarnation, kind.extension)
    }

    /// Reads the name of a file inside the log's folder.
    pub fn parse(kind: &LogKind, name: &str) -> Option<Self> {
        let (first, incarnation) = ordinals(name.strip_suffix(kind.extension)?.strip_suffix('.')?)?;
        Some(Self { first, incarnation })
    }
}

/// The name of a cut file: where the tail began and which incarnation cut it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CutName {
    pub first: u64,
    pub incarnation: u32,
}

impl CutName {
    pub fn path(&self, kind: &LogKind) -> String {
        format!("{}/cut-{:020}-{:08}", kind.folder, self.first, self.incarnation)
    }

    pub fn parse(name: &str) -> Option<Self> {
        let (first, incarnation) = ordinals(name.strip_prefix("cut-")?)?;
        Some(Self { first, incarnation })
    }
}

fn ordinals(text: &str) -> Option<(u64, u32)> {
    let (first, incarnation) = text.split_once('-')?;
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first, 20) || !digits(incarnation, 8) {
        return None;
    }
    Some((first.parse().ok()?, incarnation.parse().ok()?))
}

/// The header record of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentHeader {
    pub format: u32,
    pub store_id: Id,
    pub log_id: Id,
    pub incarnation: u32,
    pub shard: u32,
    pub first: u64,
    pub previous: Hash,
    #[serde(with = "crate::serde_instant")]
    pub created_at: Instant,
}

impl SegmentHeader {
    pub const FORMAT: u32 = 1;

    /// The name of its segment.
    pub fn name(&self) -> SegmentName {
        SegmentName { first: self.first, incarnation: self.incarnation }
    }

    /// Its sector. It is always exactly one, so that records keep their sectors in a copy of another incarnation.
    pub fn encode(&self, marks: Marks) -> Result<Vec<u8>, StoreError> {
        let json = serde_json::to_vec(self)
            .map_err(|error| StoreError::corrupt("a segment header", "byte 0", error))?;
        let sector = encode_record(0, self.log_id, KIND_HEADER, marks, &json)?;
        assert!(sector.len() == framed::SECTOR_BYTES, "a segment header fits one sector");
        Ok(sector)
    }

    /// Reads the header record of a file that must be of this log.
    pub fn decode(file: &str, record: &RawRecord, store_id: Id, log_id: Id) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::corrupt(file, "sector 0", what);
        if record.prefix.kind != KIND_HEADER || record.next != 1 {
            return Err(bad("the first record is no segment header".to_owned()));
        }
        let header: Self = serde_json::from_slice(&record.bytes)
            .map_err(|error| bad(format!("the segment header cannot be read ({error})")))?;
        if header.format > Self::FORMAT {
            return Err(newer(file, header.format));
        }
        if header.store_id != store_id || header.log_id != log_id {
            return Err(bad("the segment belongs to another store or log".to_owned()));
        }
        Ok(header)
    }
}

/// How far both logs were known durable when a record was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The first ordinal of this log that was not.
    pub own: u64,
    /// The first ordinal of the other log that was not.
    pub other: u64,
}

impl Marks {
    pub fn raise(&mut self, marks: Self) {
        self.own = self.own.max(marks.own);
        self.other = self.other.max(marks.other);
    }
}

/// The bytes before every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub length: usize,
    pub kind: u8,
    pub version: u8,
    pub marks: Marks,
}

impl Prefix {
    /// Reads a prefix; `None` when these bytes are not the start of a record of this log.
    pub fn parse(payload: &[u8], log_id: Id) -> Option<Self> {
        let (tag, rest) = payload.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (kinds, rest) = rest.split_first_chunk::<4>()?;
        let (own, rest) = rest.split_first_chunk::<8>()?;
        let (other, _) = rest.split_first_chunk::<8>()?;
        (*tag == log_id.tag()).then_some(Self {
            length: usize::try_from(u32::from_le_bytes(*length)).ok()?,
            kind: kinds[0],
            version: kinds[1],
            marks: Marks { own: u64::from_le_bytes(*own), other: u64::from_le_bytes(*other) },
        })
    }

    /// How many sectors the record takes.
    pub fn sectors(&self) -> u64 {
        framed::sectors_of(self.length.saturating_add(PREFIX_BYTES)) as u64
    }

    /// Refuses an encoding of a newer version.
    pub fn check_version(&self, file: &str) -> Result<(), StoreError> {
        if self.version > ENCODING { Err(newer(file, u32::from(self.version))) } else { Ok(()) }
    }
}

/// A record as it stands in a file.
#[derive(Clone, Debug)]
pub(crate) struct RawRecord {
    /// Its first sector.
    pub sector: u64,
    /// The sector after it.
    pub next: u64,
    /// Its prefix.
    pub prefix: Prefix,
    /// Its bytes after the prefix.
    pub bytes: Vec<u8>,
}

/// The sectors of a record.
///
/// **Errors**: a record of 4 GiB or more.
pub(crate) fn encode_record(
    sector: u64,
    log_id: Id,
    kind: u8,
    marks: Marks,
    record: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let length = u32::try_from(record.len()).map_err(|_| {
        StoreError::new(
            crate::error::ErrorKind::Invalid,
            "record_too_large",
            format!("a record has `{}` bytes, expected less than 4 GiB", record.len()),
            "send fewer records at once",
        )
    })?;
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + record.len());
    bytes.extend_from_slice(&log_id.tag());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&[kind, ENCODING, 0, 0]);
    bytes.extend_from_slice(&marks.own.to_le_bytes());
    bytes.extend_from_slice(&marks.other.to_le_bytes());
    bytes.extend_from_slice(record);
    Ok(framed::encode(sector, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: LogKind = LogKind {
        folder: "log",
        extension: "seg",
        record: 3,
        first: 0,
        noun: "block",
        link: |_| Err("no link".to_owned()),
    };

    #[test]
    fn names_come_back_and_others_are_refused() {
        let name = SegmentName { first: 42, incarnation: 7 };
        assert_eq!(name.path(&KIND), "log/00000000000000000042-00000007.seg");
        assert_eq!(SegmentName::parse(&KIND, "00000000000000000042-00000007.seg"), Some(name));
        for bad in
            ["42-7.seg", "00000000000000000042-00000007.jnl", "00000000000000000042-00000007.seg.new", "lock"]
        {
            assert_eq!(SegmentName::parse(&KIND, bad), None, "{bad}");
        }
        let cut = CutName { first: 42, incarnation: 7 };
        assert_eq!(cut.path(&KIND), "log/cut-00000000000000000042-00000007");
        assert_eq!(CutName::parse("cut-00000000000000000042-00000007"), Some(cut));
    }

    #[test]
    fn the_longest_header_fits_its_sector() {
        let header = SegmentHeader {
            format: u32::MAX,
            store_id: Id([255; 16]),
            log_id: Id([255; 16]),
            incarnation: u32::MAX,
            shard: u32::MAX,
            first: u64::MAX,
            previous: Hash([255; 32]),
            created_at: Instant(i64::MAX),
        };
        assert_eq!(header.encode(Marks::default()).expect("a sector").len(), framed::SECTOR_BYTES);
    }
}
