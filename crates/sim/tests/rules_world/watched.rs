//! A disk that lets a test look at, hold up or break what other threads do on it.

use std::fmt;
use std::io;
use std::sync::Arc;

use store::Disk;
use store::disk::{DiskFile, Mode};

/// What a test does at an operation: an error fails it, a panic is the test's.
pub type Watch = Arc<dyn Fn(&str, What) -> io::Result<()> + Send + Sync>;

/// What is about to be done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Create,
    Read,
    Write,
    Sync,
    /// The folder's lock is let go.
    Unlock,
}

/// A disk under watch.
#[derive(Clone)]
pub struct Watched {
    inner: Arc<dyn Disk>,
    watch: Watch,
}

impl Watched {
    pub fn new(
        inner: Arc<dyn Disk>,
        watch: impl Fn(&str, What) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, watch: Arc::new(watch) }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Disk for Watched {
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        if mode == Mode::CreateNew {
            (self.watch)(name, What::Create)?;
        }
        let (inner, watch) = (self.inner.open(name, mode)?, Arc::clone(&self.watch));
        Ok(Arc::new(File { inner, name: name.to_owned(), watch }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.inner.list(folder)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.inner.exists(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (self.watch)(to, What::Create)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.inner.create_folder(folder)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.inner.sync_folder(folder)
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(Lock { watch: Arc::clone(&self.watch), _inner: self.inner.lock()? }))
    }
}

struct Lock {
    watch: Watch,
    _inner: Box<dyn Send + Sync>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = (self.watch)("", What::Unlock);
    }
}

struct File {
    inner: Arc<dyn DiskFile>,
    name: String,
    watch: Watch,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl DiskFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.watch)(&self.name, What::Read)?;
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (self.watch)(&self.name, What::Write)?;
        self.inner.write_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }

    fn sync(&self) -> io::Result<()> {
        (self.watch)(&self.name, What::Sync)?;
        self.inner.sync()
    }
}
