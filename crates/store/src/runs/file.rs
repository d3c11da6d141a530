//! A file of records, each on its own sectors, written once: a new name, paced syncs, a rename.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Mode};
use crate::error::StoreError;
use crate::framed;
use crate::hash::Hash;

/// How much is written between two syncs, so that a large run does not hold up the log's sync.
const PACE_BYTES: usize = 1 << 20;
/// How much is written and hashed at once.
const WRITE_BYTES: usize = 1 << 18;

/// Writes a run under a draft name; `finish` gives it its name.
pub struct RunWriter<'a> {
    disk: &'a dyn Disk,
    name: String,
    file: Arc<dyn DiskFile>,
    length: u64,
    /// What was appended and not yet written.
    unwritten: Vec<u8>,
    unsynced: usize,
    hasher: blake3::Hasher,
}

impl<'a> RunWriter<'a> {
    /// Starts a file; a draft left by a crash is replaced.
    pub fn create(disk: &'a dyn Disk, name: &str) -> Result<Self, StoreError> {
        let draft = draft_name(name);
        let start = || -> io::Result<Arc<dyn DiskFile>> {
            if let Some((folder, _)) = name.rsplit_once('/') {
                disk.create_folder(folder)?;
            }
            if disk.exists(&draft)? {
                disk.remove(&draft)?;
            }
            disk.open(&draft, Mode::CreateNew)
        };
        let file = start().map_err(|error| StoreError::io(format!("create `{draft}`"), &error))?;
        let (unwritten, hasher) = (Vec::with_capacity(WRITE_BYTES), blake3::Hasher::new());
        Ok(Self { disk, name: name.to_owned(), file, length: 0, unwritten, unsynced: 0, hasher })
    }

    /// Appends a record; answers its first sector.
    pub fn append(&mut self, record: &[u8]) -> Result<u64, StoreError> {
        let sector = self.length / framed::SECTOR_BYTES as u64;
        let length = u32::try_from(record.len()).map_err(|_| {
            StoreError::corrupt(&self.name, format!("sector {sector}"), "a record is over 4 GiB")
        })?;
        let mut payload = Vec::with_capacity(record.len() + 4);
        payload.extend_from_slice(&length.to_le_bytes());
        payload.extend_from_slice(record);
        let bytes = framed::encode(sector, &payload);
        self.length += bytes.len() as u64;
        self.unwritten.extend_from_slice(&bytes);
        if self.unwritten.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(sector)
    }

    /// Writes what is not yet written, and syncs when that was much.
    fn write(&mut self) -> Result<(), StoreError> {
        let bytes = std::mem::take(&mut self.unwritten);
        self.hasher.update(&bytes);
        let offset = self.length - bytes.len() as u64;
        self.file.write_at(&bytes, offset).map_err(|error| self.failed(&error))?;
        self.unsynced += bytes.len();
        if self.unsynced >= PACE_BYTES {
            self.file.sync().map_err(|error| self.failed(&error))?;
            self.unsynced = 0;
        }
        self.unwritten = bytes;
        self.unwritten.clear();
        Ok(())
    }

    /// Syncs, renames, syncs the folder; answers length and hash.
    pub fn finish(mut self) -> Result<(u64, Hash), StoreError> {
        self.write()?;
        let folder = self.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.file
            .sync()
            .and_then(|()| self.disk.rename(&draft_name(&self.name), &self.name))
            .and_then(|()| self.disk.sync_folder(folder))
            .map_err(|error| self.failed(&error))?;
        Ok((self.length, Hash(*self.hasher.finalize().as_bytes())))
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::io(format!("write `{}`", self.name), error)
    }
}

/// The name of a run before it is whole.
pub fn draft_name(name: &str) -> String {
    format!("{name}.new")
}

/// Reads the records of a run.
pub struct RunReader {
    name: String,
    file: Arc<dyn DiskFile>,
    length: u64,
}

impl RunReader {
    /// Opens a run.
    pub fn open(disk: &dyn Disk, name: &str) -> Result<Self, StoreError> {
        let open = || -> io::Result<(Arc<dyn DiskFile>, u64)> {
            let file = disk.open(name, Mode::Read)?;
            let length = file.length()?;
            Ok((file, length))
        };
        let (file, length) = open().map_err(|error| StoreError::io(format!("open `{name}`"), &error))?;
        Ok(Self { name: name.to_owned(), file, length })
    }

    /// The record that starts at a sector, and the sector after it.
    pub fn record(&self, sector: u64) -> Result<(Vec<u8>, u64), StoreError> {
        let first = self.sectors(sector, 1)?;
        let length = first
            .first_chunk::<4>()
            .map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
            .ok_or_else(|| self.bad(sector, "a record ends early"))?;
        let count = (length + 4).div_ceil(framed::PAYLOAD_BYTES as u64).max(1);
        let mut payload = if count == 1 { first } else { self.sectors(sector, count)? };
        payload.drain(..4);
        payload.truncate(usize::try_from(length).map_err(|_| self.bad(sector, "a record is too long"))?);
        Ok((payload, sector + count))
    }

    /// The number of sectors.
    pub fn end(&self) -> u64 {
        self.length / framed::SECTOR_BYTES as u64
    }

    fn sectors(&self, sector: u64, count: u64) -> Result<Vec<u8>, StoreError> {
        let size = framed::SECTOR_BYTES as u64;
        let end = sector.checked_add(count).and_then(|end| end.checked_mul(size));
        if end.is_none_or(|end| end > self.length) {
            return Err(self.bad(sector, "a record reaches past the end of the file"));
        }
        let mut bytes = vec![0; usize::try_from(count * size).map_err(|_| self.bad(sector, "too long"))?];
        let read = self
            .file
            .read_at(&mut bytes, sector * size)
            .map_err(|error| StoreError::io(format!("read `{}`", self.name), &error))?;
        if read < bytes.len() {
            return Err(self.bad(sector, "the file ends early"));
        }
        framed::decode(sector, &bytes).map_err(|bad| self.bad(bad.ordinal, "a checksum differs"))
    }

    /// An error about a place of this file.
    pub fn bad(&self, sector: u64, what: &str) -> StoreError {
        StoreError::corrupt(&self.name, format!("sector {sector}"), what)
    }
}
