//! What stands in the folder of a log: its segments, and the state at the end of the last one. Only reads.

use std::collections::BTreeMap;
use std::io;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::framed::{BadKind, BadSector, SECTOR_BYTES};
use crate::hash::Hash;
use crate::id::Id;
use crate::segment::{CutName, LogKind, Marks, RawRecord, SegmentHeader, SegmentName};
use crate::walk::{SegmentReader, Step};

/// The files of a log.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The segments that hold, in order; the last is the one that is written.
    pub segments: Vec<SegmentName>,
    /// Segments that a higher incarnation replaced.
    pub leftovers: Vec<SegmentName>,
    /// Drafts that were never published.
    pub drafts: Vec<String>,
    /// Cut files.
    pub cuts: Vec<CutName>,
    /// The state at the end of the last segment.
    pub tip: Tip,
}

/// The state at the end of the last segment.
#[derive(Debug)]
pub(crate) struct Tip {
    /// Its file.
    pub file: String,
    /// Its header.
    pub header: SegmentHeader,
    /// How many sectors hold whole records.
    pub valid_sectors: u64,
    /// The ordinal after the last whole record.
    pub end: u64,
    /// The hash of the last whole record.
    pub hash: Hash,
    /// The last whole record of the segment, if it has one beside its header.
    pub last: Option<RawRecord>,
    /// The highest ends known durable that any valid sector tells.
    pub marks: Marks,
    /// What follows the last whole record.
    pub tail: Tail,
}

/// The bytes after the last whole record.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// How many.
    pub bytes: u64,
    /// The first sector that is not valid.
    pub first_bad: Option<BadSector>,
    /// The first sector that was written and is not what was written.
    pub rot: Option<BadSector>,
}

impl Survey {
    /// Reads the folder and the last segment.
    ///
    /// **Errors**: no segment at all; a header, a valid sector or a link of the last segment that is not right.
    pub fn read(disk: &dyn Disk, kind: &LogKind, store_id: Id, log_id: Id) -> Result<Self, StoreError> {
        let mut by_first: BTreeMap<u64, Vec<SegmentName>> = BTreeMap::new();
        let (mut drafts, mut cuts) = (Vec::new(), Vec::new());
        for name in list(disk, kind.folder)? {
            if let Some(segment) = SegmentName::parse(kind, &name) {
                by_first.entry(segment.first).or_default().push(segment);
            } else if let Some(cut) = CutName::parse(&name) {
                cuts.push(cut);
            } else if name.ends_with(".new") {
                drafts.push(format!("{}/{name}", kind.folder));
            }
        }
        let (mut segments, mut leftovers) = (Vec::new(), Vec::new());
        for mut group in by_first.into_values() {
            group.sort_unstable();
            segments.extend(group.pop());
            leftovers.append(&mut group);
        }
        let Some(last) = segments.last() else {
            return Err(StoreError::corrupt(
                &format!("{}/", kind.folder),
                "the folder",
                format!("no segment of the {} log is there", kind.noun),
            ));
        };
        let tip = Tip::read(disk, kind, last, store_id, log_id)?;
        Ok(Self { segments, leftovers, drafts, cuts, tip })
    }

    /// An incarnation that no file has.
    pub fn next_incarnation(&self) -> u32 {
        let segments = self.segments.iter().chain(&self.leftovers).map(|segment| segment.incarnation);
        segments.chain(self.cuts.iter().map(|cut| cut.incarnation)).max().unwrap_or(0).saturating_add(1)
    }

    /// The incarnation before any recovery that did not finish: cut files of a later one are not named by a row
    /// for certain.
    pub fn settled_incarnation(&self) -> u32 {
        let tip = self.tip.header.incarnation;
        self.leftovers.iter().map(|segment| segment.incarnation).min().map_or(tip, |least| least.min(tip))
    }
}

/// The files of a folder; none where there is no folder.
pub(crate) fn list(disk: &dyn Disk, folder: &str) -> Result<Vec<String>, StoreError> {
    match disk.list(folder) {
        Ok(names) => Ok(names),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(StoreError::io(format!("list `{folder}`"), &error)),
    }
}

impl Tip {
    fn read(
        disk: &dyn Disk,
        kind: &LogKind,
        name: &SegmentName,
        store_id: Id,
        log_id: Id,
    ) -> Result<Self, StoreError> {
        let mut reader = SegmentReader::open(disk, &name.path(kind), log_id)?;
        let header = read_header(&mut reader, name, store_id, log_id)?;
        let mut tip = Self {
            file: reader.name().to_owned(),
            valid_sectors: 1,
            end: header.header.first,
            hash: header.header.previous,
            last: None,
            marks: header.marks,
            tail: Tail::default(),
            header: header.header,
        };
        loop {
            tip.valid_sectors = reader.sector();
            match reader.step()? {
                Step::Record(record) => tip.accept(kind, &reader, record)?,
                Step::End => return Ok(tip),
                Step::Bad(_) => break,
            }
        }
        tip.tail.bytes = reader.length() - tip.valid_sectors * SECTOR_BYTES as u64;
        for sector in tip.valid_sectors..reader.sectors() {
            match reader.probe(sector)? {
                Ok(Some(prefix)) => tip.marks.raise(prefix.marks),
                Ok(None) => {}
                Err(bad) => {
                    tip.tail.first_bad.get_or_insert(bad);
                    if bad.kind == BadKind::Rot {
                        tip.tail.rot.get_or_insert(bad);
                    }
                }
            }
        }
        Ok(tip)
    }

    fn accept(
        &mut self,
        kind: &LogKind,
        reader: &SegmentReader,
        record: RawRecord,
    ) -> Result<(), StoreError> {
        let link = check_link(kind, reader, &record, self.end, self.hash)?;
        self.end = link.end();
        self.hash = link.hash;
        self.marks.raise(record.prefix.marks);
        self.last = Some(record);
        Ok(())
    }
}

/// A segment's header with the marks of its prefix.
pub(crate) struct HeaderRead {
    pub header: SegmentHeader,
    pub marks: Marks,
}

/// Reads the header record of a segment; it has been synced before the segment got its name.
pub(crate) fn read_header(
    reader: &mut SegmentReader,
    name: &SegmentName,
    store_id: Id,
    log_id: Id,
) -> Result<HeaderRead, StoreError> {
    match reader.step()? {
        Step::Record(record) => {
            let header = SegmentHeader::decode(reader.name(), &record, store_id, log_id)?;
            if header.first != name.first || header.incarnation != name.incarnation {
                return Err(reader.corrupt(0, "the segment header differs from the file's name"));
            }
            Ok(HeaderRead { header, marks: record.prefix.marks })
        }
        Step::End => Err(reader.corrupt(0, "the segment header is missing")),
        Step::Bad(bad) => Err(crate::framed::bad_sector(reader.name(), bad)),
    }
}

/// Checks that a record follows the one before it.
pub(crate) fn check_link(
    kind: &LogKind,
    reader: &SegmentReader,
    record: &RawRecord,
    first: u64,
    previous: Hash,
) -> Result<crate::segment::Link, StoreError> {
    if record.prefix.kind != kind.record {
        return Err(reader.corrupt(record.sector, format!("a record that is no {}", kind.noun)));
    }
    let link = (kind.link)(&record.bytes).map_err(|what| reader.corrupt(record.sector, what))?;
    if link.first != first {
        let noun = kind.noun;
        return Err(reader.corrupt(
            record.sector,
            format!("expected a {noun} that starts at {first}, found one that starts at {}", link.first),
        ));
    }
    if link.count == 0 || link.first.checked_add(link.count).is_none() {
        return Err(reader.corrupt(record.sector, format!("a {} of no records", kind.noun)));
    }
    if link.previous != previous {
        return Err(reader.corrupt(record.sector, format!("the hash of the {} before differs", kind.noun)));
    }
    Ok(link)
}
