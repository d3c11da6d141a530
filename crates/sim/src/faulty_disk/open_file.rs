//! A file that is open: it goes on with its content, whatever happens to its name.

use std::io;

use store::disk::DiskFile;

use super::FaultyDisk;
use super::state::{Applied, Operation};

#[derive(Debug)]
pub(super) struct OpenFile {
    pub disk: FaultyDisk,
    pub name: String,
    pub inode: u64,
    pub writable: bool,
}

impl OpenFile {
    fn check_writable(&self) -> io::Result<()> {
        if self.writable {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("`{}` is open for reading", self.name)))
    }
}

impl DiskFile for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.check_on()?;
        let content = &state.inodes[&self.inode].content;
        let from = usize::try_from(offset).map_or(content.len(), |offset| offset.min(content.len()));
        let count = buffer.len().min(content.len() - from);
        buffer[..count].copy_from_slice(&content[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.check_writable()?;
        self.disk.state().write(&self.name, self.inode, bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.check_on()?;
        Ok(state.inodes[&self.inode].content.len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.disk.state();
        state.check_on()?;
        let applied = state.begin(Operation::Truncate(self.name.clone(), length))?;
        if applied != Applied::Not {
            state.inode(self.inode)?.truncate(length);
        }
        state.end(applied)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state().sync_file(&self.name, self.inode)
    }
}
