//! The records of a log in order, over all its segments, each checked against the one before.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::framed::bad_sector;
use crate::hash::Hash;
use crate::id::Id;
use crate::segment::{LogKind, RawRecord, SegmentName};
use crate::survey::{check_link, read_header};
use crate::walk::{SegmentReader, Step};

/// Streams the records that hold ordinals in [from, end).
pub(crate) struct Records {
    disk: Arc<dyn Disk>,
    kind: &'static LogKind,
    store_id: Id,
    log_id: Id,
    segments: VecDeque<SegmentName>,
    from: u64,
    end: u64,
    /// Where the next record must start, and the hash it must name.
    expected: Option<(u64, Hash)>,
    reader: Option<SegmentReader>,
    failure: Option<StoreError>,
    done: bool,
}

impl Records {
    pub fn new(
        disk: Arc<dyn Disk>,
        kind: &'static LogKind,
        store_id: Id,
        log_id: Id,
        segments: Vec<SegmentName>,
        from: u64,
        end: u64,
    ) -> Self {
        let skipped = segments.partition_point(|segment| segment.first <= from).saturating_sub(1);
        let segments = segments.into_iter().skip(skipped).collect();
        let done = from >= end;
        Self {
            disk,
            kind,
            store_id,
            log_id,
            segments,
            from,
            end,
            expected: None,
            reader: None,
            failure: None,
            done,
        }
    }

    /// The records of one segment from a sector on, up to the ordinal `end`; what the first of them must be is known.
    ///
    /// **Errors**: the segment cannot be opened.
    pub fn within(
        disk: Arc<dyn Disk>,
        kind: &'static LogKind,
        (store_id, log_id): (Id, Id),
        segment: &SegmentName,
        sector: u64,
        expected: (u64, Hash),
        end: u64,
    ) -> Result<Self, StoreError> {
        let mut reader = SegmentReader::open(&*disk, &segment.path(kind), log_id)?;
        reader.seek(sector);
        let records = Self::new(disk, kind, store_id, log_id, Vec::new(), expected.0, end);
        Ok(Self { expected: Some(expected), reader: Some(reader), ..records })
    }

    /// A stream that gives one error.
    pub fn failed(disk: Arc<dyn Disk>, kind: &'static LogKind, error: StoreError) -> Self {
        let none = Id([0; 16]);
        Self { failure: Some(error), done: false, ..Self::new(disk, kind, none, none, Vec::new(), 0, 0) }
    }

    /// The next record, read by `read`; an error is given its file and sector, and ends the stream.
    pub fn next_with<T>(
        &mut self,
        read: impl FnOnce(&RawRecord) -> Result<T, String>,
    ) -> Option<Result<T, StoreError>> {
        if let Some(error) = self.failure.take() {
            self.done = true;
            return Some(Err(error));
        }
        if self.done {
            return None;
        }
        let result = self.next_record().and_then(|record| {
            record.map(|record| read(&record).map_err(|what| self.bad(record.sector, what))).transpose()
        });
        self.done |= !matches!(result, Ok(Some(_)));
        result.transpose()
    }

    fn next_record(&mut self) -> Result<Option<RawRecord>, StoreError> {
        loop {
            if self.reader.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(reader) = &mut self.reader else { return Ok(None) };
            match reader.step()? {
                Step::Record(record) => {
                    let (first, previous) = self.expected.unwrap_or((0, Hash::ZERO));
                    let link = check_link(self.kind, reader, &record, first, previous)?;
                    self.expected = Some((link.end(), link.hash));
                    self.done = link.end() >= self.end;
                    if link.end() > self.from {
                        return Ok(Some(record));
                    }
                }
                Step::Bad(bad) => return Err(bad_sector(reader.name(), bad)),
                Step::End if self.segments.is_empty() => {
                    let sector = reader.sector();
                    let what = format!("a {} is missing: records end before {}", self.kind.noun, self.end);
                    return Err(reader.corrupt(sector, what));
                }
                Step::End => self.reader = None,
            }
        }
    }

    /// Opens the next segment and checks that it follows what was read.
    fn open_next(&mut self) -> Result<bool, StoreError> {
        let Some(name) = self.segments.pop_front() else { return Ok(false) };
        let mut reader = SegmentReader::open(&*self.disk, &name.path(self.kind), self.log_id)?;
        let header = read_header(&mut reader, &name, self.store_id, self.log_id)?.header;
        let start = (header.first, header.previous);
        if self.expected.is_some_and(|expected| expected != start) {
            return Err(reader.corrupt(0, "the segment does not follow the one before"));
        }
        self.expected = Some(start);
        self.reader = Some(reader);
        Ok(true)
    }

    fn bad(&self, sector: u64, what: String) -> StoreError {
        StoreError::corrupt(
            self.reader.as_ref().map_or(self.kind.folder, SegmentReader::name),
            format!("sector {sector}"),
            what,
        )
    }
}
