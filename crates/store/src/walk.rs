//! Reads a segment record by record, with one buffer, never trusting a length.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Mode};
use crate::error::StoreError;
use crate::framed::{self, BadKind, BadSector, SECTOR_BYTES};
use crate::id::Id;
use crate::segment::{PREFIX_BYTES, Prefix, RawRecord};

const BUFFER_SECTORS: u64 = 512;
/// As much is read at once of a record of which only the beginning is wanted.
const HEAD_SECTORS: u64 = 8;

/// What stands at a place of a segment.
pub(crate) enum Step {
    /// A whole record.
    Record(RawRecord),
    /// The end of the file.
    End,
    /// A record that is not whole: its first bad sector.
    Bad(BadSector),
}

/// A segment opened for reading.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    name: String,
    file: Arc<dyn DiskFile>,
    log_id: Id,
    length: u64,
    at: u64,
    buffer: Vec<u8>,
    buffer_first: u64,
    read_ahead: u64,
}

impl SegmentReader {
    /// Opens a segment at its first sector.
    pub fn open(disk: &dyn Disk, name: &str, log_id: Id) -> Result<Self, StoreError> {
        let open = || -> io::Result<(Arc<dyn DiskFile>, u64)> {
            let file = disk.open(name, Mode::Read)?;
            let length = file.length()?;
            Ok((file, length))
        };
        let (file, length) = open().map_err(|error| StoreError::io(format!("open `{name}`"), &error))?;
        Ok(Self {
            name: name.to_owned(),
            file,
            log_id,
            length,
            at: 0,
            buffer: Vec::new(),
            buffer_first: 0,
            read_ahead: BUFFER_SECTORS,
        })
    }

    /// Goes to the first sector of a record.
    pub fn seek(&mut self, sector: u64) {
        self.at = sector;
    }

    /// As [`SegmentReader::step`], of a record the first bytes only: as many as `wanted` says of what its first sector
    /// holds. The others are neither read nor checked.
    pub fn step_head(&mut self, wanted: impl Fn(&[u8]) -> usize) -> Result<Step, StoreError> {
        self.read_ahead = HEAD_SECTORS;
        let sector = self.at;
        if sector >= self.sectors() {
            return Ok(Step::End);
        }
        let mut bytes = match framed::payload(sector, self.fill(sector, 1)?) {
            Ok(payload) => payload.to_vec(),
            Err(bad) => return Ok(Step::Bad(bad)),
        };
        let prefix = Prefix::parse(&bytes, self.log_id)
            .ok_or_else(|| self.corrupt(sector, "a record of another log or none"))?;
        prefix.check_version(&self.name)?;
        bytes.drain(..PREFIX_BYTES);
        let wanted = wanted(&bytes).min(prefix.length);
        let next = sector + prefix.sectors();
        let head = (framed::sectors_of(wanted.saturating_add(PREFIX_BYTES)) as u64).max(1);
        if next > self.sectors() {
            return Ok(Step::Bad(BadSector { ordinal: self.sectors(), kind: BadKind::Lost }));
        }
        if head > 1 {
            match framed::decode(sector + 1, self.fill(sector + 1, head - 1)?) {
                Ok(rest) => bytes.extend_from_slice(&rest),
                Err(bad) => return Ok(Step::Bad(bad)),
            }
        }
        bytes.truncate(wanted);
        self.at = next;
        Ok(Step::Record(RawRecord { sector, next, prefix, bytes }))
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The sector of the next record.
    pub fn sector(&self) -> u64 {
        self.at
    }

    /// Sectors in the file, one that is not whole included.
    pub fn sectors(&self) -> u64 {
        self.length.div_ceil(SECTOR_BYTES as u64)
    }

    /// The record at the current place; moves past it when it is whole.
    ///
    /// **Errors**: reading fails; valid sectors that are no record of this log.
    pub fn step(&mut self) -> Result<Step, StoreError> {
        let sector = self.at;
        if sector >= self.sectors() {
            return Ok(Step::End);
        }
        let first = match framed::payload(sector, self.fill(sector, 1)?) {
            Ok(payload) => payload.to_vec(),
            Err(bad) => return Ok(Step::Bad(bad)),
        };
        let prefix = Prefix::parse(&first, self.log_id)
            .ok_or_else(|| self.corrupt(sector, "a record of another log or none"))?;
        prefix.check_version(&self.name)?;
        let next = sector + prefix.sectors();
        if next > self.sectors() {
            return Ok(Step::Bad(
                self.first_bad(sector, self.sectors())?
                    .unwrap_or(BadSector { ordinal: self.sectors(), kind: BadKind::Lost }),
            ));
        }
        let mut bytes = first;
        bytes.drain(..PREFIX_BYTES);
        if next > sector + 1 {
            match framed::decode(sector + 1, self.fill(sector + 1, next - sector - 1)?) {
                Ok(rest) => bytes.extend_from_slice(&rest),
                Err(bad) => return Ok(Step::Bad(bad)),
            }
        }
        bytes.truncate(prefix.length);
        self.at = next;
        Ok(Step::Record(RawRecord { sector, next, prefix, bytes }))
    }

    /// The first sector in a range that is not valid.
    pub fn first_bad(&mut self, from: u64, to: u64) -> Result<Option<BadSector>, StoreError> {
        for sector in from..to {
            if let Err(bad) = framed::payload(sector, self.fill(sector, 1)?) {
                return Ok(Some(bad));
            }
        }
        Ok(None)
    }

    /// One sector: the prefix of a record, where it looks like the start of one.
    pub fn probe(&mut self, sector: u64) -> Result<Result<Option<Prefix>, BadSector>, StoreError> {
        let log_id = self.log_id;
        Ok(framed::payload(sector, self.fill(sector, 1)?).map(|payload| Prefix::parse(payload, log_id)))
    }

    /// The bytes of some sectors; fewer at the end of the file.
    fn fill(&mut self, sector: u64, count: u64) -> Result<&[u8], StoreError> {
        let size = SECTOR_BYTES as u64;
        let buffered = self.buffer.len() as u64 / size;
        let inside = sector >= self.buffer_first && sector + count <= self.buffer_first + buffered;
        if !inside {
            let wanted = count.max(self.read_ahead).min(self.sectors().saturating_sub(sector));
            let bytes = (wanted * size).min(self.length.saturating_sub(sector * size));
            let bytes = usize::try_from(bytes).map_err(|_| self.corrupt(sector, "a record is too long"))?;
            self.buffer.resize(bytes, 0);
            let read = self
                .file
                .read_at(&mut self.buffer, sector * size)
                .map_err(|error| StoreError::io(format!("read `{}`", self.name), &error))?;
            self.buffer.truncate(read);
            self.buffer_first = sector;
        }
        let offset = ((sector - self.buffer_first) * size) as usize;
        let end = (offset + (count * size) as usize).min(self.buffer.len());
        Ok(self.buffer.get(offset..end).unwrap_or(&[]))
    }

    /// An error about a sector of this file.
    pub fn corrupt(&self, sector: u64, what: impl std::fmt::Display) -> StoreError {
        StoreError::corrupt(&self.name, format!("sector {sector}"), what)
    }
}
