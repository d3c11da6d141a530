//! A log of segments that only grows: append, sync, roll.

use std::collections::BTreeMap;
use std::sync::Arc;

use metering::Instant;

use crate::disk::{Disk, DiskFile, Mode};
use crate::error::StoreError;
use crate::framed::SECTOR_BYTES;
use crate::hash::Hash;
use crate::id::Id;
use crate::new_segment::{NewSegment, Written};
use crate::row::Reference;
use crate::segment::{Link, LogKind, Marks, SegmentHeader, SegmentName, encode_record};
use crate::survey::Survey;

/// A log opened for appending, or, with its file opened for reading only, for reading.
#[derive(Debug)]
pub(crate) struct AppendLog {
    disk: Arc<dyn Disk>,
    kind: &'static LogKind,
    store_id: Id,
    log_id: Id,
    incarnation: u32,
    segment_bytes_max: u64,
    /// All segments that hold; the last is the active one.
    segments: Vec<SegmentName>,
    /// Content of files that never change again, as far as it is known.
    sealed: BTreeMap<String, Reference>,
    file: Arc<dyn DiskFile>,
    length: u64,
    hasher: blake3::Hasher,
    end: u64,
    durable: u64,
    hash: Hash,
}

/// What all logs of a store share.
#[derive(Clone, Debug)]
pub(crate) struct LogSetting {
    pub disk: Arc<dyn Disk>,
    pub store_id: Id,
    pub log_id: Id,
    pub segment_bytes_max: u64,
}

impl AppendLog {
    /// Makes the first segment of a new log; on disk when it returns.
    pub fn create(setting: LogSetting, kind: &'static LogKind, now: Instant) -> Result<Self, StoreError> {
        let header = SegmentHeader {
            format: SegmentHeader::FORMAT,
            store_id: setting.store_id,
            log_id: setting.log_id,
            incarnation: 1,
            shard: 0,
            first: kind.first,
            previous: Hash::ZERO,
            created_at: now,
        };
        let marks = Marks { own: kind.first, other: 0 };
        let segment = NewSegment::create(&*setting.disk, kind, &header, marks)?;
        let file = segment.publish(&*setting.disk)?;
        Ok(Self::assemble(setting, kind, vec![header.name()], header, file, kind.first, Hash::ZERO))
    }

    /// Takes a surveyed log as it is; `mode` is [`Mode::Read`] for reading only.
    pub fn take(
        setting: LogSetting,
        kind: &'static LogKind,
        survey: &Survey,
        mode: Mode,
    ) -> Result<Self, StoreError> {
        let tip = &survey.tip;
        let file = setting
            .disk
            .open(&tip.file, mode)
            .map_err(|error| StoreError::io(format!("open `{}`", tip.file), &error))?;
        let segment = Written::of_file(file, tip.valid_sectors * SECTOR_BYTES as u64, &tip.file)?;
        let segments = survey.segments.clone();
        Ok(Self::assemble(setting, kind, segments, tip.header.clone(), segment, tip.end, tip.hash))
    }

    pub(crate) fn assemble(
        setting: LogSetting,
        kind: &'static LogKind,
        segments: Vec<SegmentName>,
        header: SegmentHeader,
        written: Written,
        end: u64,
        hash: Hash,
    ) -> Self {
        Self {
            disk: setting.disk,
            kind,
            store_id: setting.store_id,
            log_id: setting.log_id,
            incarnation: header.incarnation,
            segment_bytes_max: setting.segment_bytes_max,
            segments,
            sealed: BTreeMap::new(),
            file: written.file,
            length: written.length,
            hasher: written.hasher,
            end,
            durable: end,
            hash,
        }
    }

    /// Remembers the content of files that never change again.
    pub fn remember(&mut self, files: impl IntoIterator<Item = Reference>) {
        self.sealed.extend(files.into_iter().map(|file| (file.name.clone(), file)));
    }

    /// Appends a record, which need not be durable when this returns.
    ///
    /// **Errors**: those of the file layer; the log must then be opened again.
    pub fn append(
        &mut self,
        link: Link,
        record: &[u8],
        other_durable: u64,
        now: Instant,
    ) -> Result<(), StoreError> {
        if self.length >= self.segment_bytes_max && self.length > SECTOR_BYTES as u64 {
            self.roll(other_durable, now)?;
        }
        let marks = Marks { own: self.durable, other: other_durable };
        let sector = self.length / SECTOR_BYTES as u64;
        let bytes = encode_record(sector, self.log_id, self.kind.record, marks, record)?;
        self.file.write_at(&bytes, self.length).map_err(|error| {
            StoreError::io(format!("write a {} to `{}`", self.kind.noun, self.active()), &error)
        })?;
        self.hasher.update(&bytes);
        self.length += bytes.len() as u64;
        self.end = link.end();
        self.hash = link.hash;
        Ok(())
    }

    /// Makes everything appended durable; answers the first ordinal that is not in it.
    ///
    /// **Errors**: those of the file layer; the log must then be opened again, never synced again.
    pub fn sync(&mut self) -> Result<u64, StoreError> {
        if self.durable < self.end {
            self.sync_file()?;
        }
        Ok(self.durable)
    }

    /// Syncs the active segment even if nothing was appended.
    pub fn sync_file(&mut self) -> Result<(), StoreError> {
        self.file.sync().map_err(|error| StoreError::io(format!("sync `{}`", self.active()), &error))?;
        self.durable = self.end;
        Ok(())
    }

    fn roll(&mut self, other_durable: u64, now: Instant) -> Result<(), StoreError> {
        self.sync_file()?;
        let header = SegmentHeader {
            format: SegmentHeader::FORMAT,
            store_id: self.store_id,
            log_id: self.log_id,
            incarnation: self.incarnation,
            shard: 0,
            first: self.end,
            previous: self.hash,
            created_at: now,
        };
        let marks = Marks { own: self.durable, other: other_durable };
        let written = NewSegment::create(&*self.disk, self.kind, &header, marks)?.publish(&*self.disk)?;
        self.remember([self.active_reference()]);
        self.segments.push(header.name());
        self.file = written.file;
        self.length = written.length;
        self.hasher = written.hasher;
        Ok(())
    }

    /// Length and hash of every segment and of whatever else was remembered, without reading sealed ones.
    pub fn references(&self) -> BTreeMap<String, Reference> {
        let mut files = self.sealed.clone();
        let active = self.active_reference();
        files.insert(active.name.clone(), active);
        files
    }

    fn active_reference(&self) -> Reference {
        Reference { name: self.active(), length: self.length, hash: Hash(*self.hasher.finalize().as_bytes()) }
    }

    fn active(&self) -> String {
        self.segments
            .last()
            .map(|segment| segment.path(self.kind))
            .unwrap_or_else(|| self.kind.folder.to_owned())
    }

    /// The segments that hold, in order.
    pub fn segments(&self) -> &[SegmentName] {
        &self.segments
    }

    /// The ordinal after the last record.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The first ordinal that is not known durable.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// The hash of the last record.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The incarnation of the active segment.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }
}
