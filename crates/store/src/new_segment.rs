//! A segment under its draft name: whole and synced before it gets its own.

use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Mode};
use crate::error::StoreError;
use crate::segment::{LogKind, Marks, SegmentHeader};

/// A file with what was written to it.
#[derive(Debug)]
pub(crate) struct Written {
    pub file: Arc<dyn DiskFile>,
    pub length: u64,
    pub hasher: blake3::Hasher,
}

impl Written {
    pub fn of_file(file: Arc<dyn DiskFile>, length: u64, name: &str) -> Result<Self, StoreError> {
        let mut hasher = blake3::Hasher::new();
        copy_bytes(&*file, name, 0, length, &mut |bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        Ok(Self { file, length, hasher })
    }
}

/// A segment under its draft name.
pub(crate) struct NewSegment {
    path: String,
    draft: String,
    folder: &'static str,
    written: Written,
}

impl NewSegment {
    /// A draft with its header; a draft left by a crash is replaced.
    pub fn create(
        disk: &dyn Disk,
        kind: &LogKind,
        header: &SegmentHeader,
        marks: Marks,
    ) -> Result<Self, StoreError> {
        let path = header.name().path(kind);
        let draft = format!("{path}.new");
        let start = || {
            if disk.exists(&draft)? {
                disk.remove(&draft)?;
            }
            disk.open(&draft, Mode::CreateNew)
        };
        let file = start().map_err(|error| StoreError::io(format!("create `{draft}`"), &error))?;
        let mut segment = Self {
            path,
            draft,
            folder: kind.folder,
            written: Written { file, length: 0, hasher: blake3::Hasher::new() },
        };
        segment.write(&header.encode(marks)?)?;
        Ok(segment)
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let written = &mut self.written;
        written
            .file
            .write_at(bytes, written.length)
            .map_err(|error| StoreError::io(format!("write `{}`", self.draft), &error))?;
        written.hasher.update(bytes);
        written.length += bytes.len() as u64;
        Ok(())
    }

    /// Syncs the content, then gives it its name: a segment under its own name is always whole.
    pub fn publish(self, disk: &dyn Disk) -> Result<Written, StoreError> {
        self.written
            .file
            .sync()
            .and_then(|()| disk.rename(&self.draft, &self.path))
            .and_then(|()| disk.sync_folder(self.folder))
            .map_err(|error| StoreError::io(format!("publish `{}`", self.path), &error))?;
        Ok(self.written)
    }
}

/// Reads a range of a file piece by piece.
pub(crate) fn copy_bytes(
    file: &dyn DiskFile,
    name: &str,
    from: u64,
    to: u64,
    each: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const PIECE_BYTES: u64 = 1 << 20;
    let mut buffer = vec![0; PIECE_BYTES.min(to.saturating_sub(from)) as usize];
    let mut at = from;
    while at < to {
        let piece = (to - at).min(PIECE_BYTES) as usize;
        let read = file
            .read_at(&mut buffer[..piece], at)
            .map_err(|error| StoreError::io(format!("read `{name}`"), &error))?;
        if read < piece {
            return Err(StoreError::corrupt(
                name,
                format!("byte {}", at + read as u64),
                "the file ends early",
            ));
        }
        each(&buffer[..piece])?;
        at += piece as u64;
    }
    Ok(())
}
