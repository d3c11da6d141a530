//! The one file layer: every byte that the store keeps goes through it.
//!
//! A test replaces it by a disk that loses unsynced writes, tears them, fails a sync or is full.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An existing file, for reading only.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A file that must not exist yet, for reading and writing.
    CreateNew,
}

/// One folder of files. Names are relative, with `/` between folders.
///
/// **Durability**: the content of a file is on disk after its [`DiskFile::sync`]; its name (created, renamed
/// or removed) after [`Disk::sync_folder`] of the folder that holds it.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file.
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>>;
    /// The names of the files in a folder (`""` is the root), sorted; folders are not listed.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Whether a file is there.
    fn exists(&self, name: &str) -> io::Result<bool>;
    /// Renames a file, replacing the target.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Creates a folder and its parents; one that is there is no error.
    fn create_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes the names in a folder (`""` is the root) durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Takes the folder for this process alone, until the returned value is dropped.
    ///
    /// **Errors**: [`io::ErrorKind::WouldBlock`] when another process has it.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;
}

/// One open file. Reads and writes name their place, so that a file has no cursor.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads at a place; fewer bytes than asked only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all bytes at a place, growing the file as needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Cuts or grows the file to a length.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes the content durable.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the real file system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// A disk over a folder; creates the folder if it is not there.
    ///
    /// **Errors**: the folder cannot be created.
    pub fn create(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        Ok(Self { root })
    }

    /// A disk over a folder that must be there.
    ///
    /// **Errors**: [`io::ErrorKind::NotFound`] when there is no such folder.
    pub fn open_existing(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        if !root.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no folder `{}`", root.display())));
        }
        Ok(Self { root })
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match mode {
            Mode::Read => {}
            Mode::Write => {
                options.write(true);
            }
            Mode::CreateNew => {
                options.write(true).create_new(true);
            }
        }
        Ok(Arc::new(RealFile { file: options.open(self.path(name))? }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(folder))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let name = entry.file_name().into_string().map_err(|name| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("file name is not UTF-8: `{name:?}`"))
                })?;
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.path(name).try_exists()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(folder))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        fs::File::open(self.path(folder))?.sync_all()
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(Locked(file))),
            Err(fs::TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::WouldBlock, "another process has this folder open"))
            }
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The lock on a folder. It is let go by name: a process that was just forked has the file too, until it runs its own
/// program, and would keep the lock for so long.
struct Locked(fs::File);

impl Drop for Locked {
    fn drop(&mut self) {
        // Where it fails, the lock goes with the file.
        let _ = self.0.unlock();
    }
}

#[derive(Debug)]
struct RealFile {
    file: fs::File,
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Reads a whole file.
///
/// **Errors**: those of the file layer.
pub fn read_all(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(name, Mode::Read)?;
    let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Writes a whole file so that a crash leaves the old content or the new, never a mixture: a new file, its
/// sync, a rename, the sync of the folder.
///
/// **Errors**: those of the file layer; the old content then still stands.
pub fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = format!("{name}.new");
    if disk.exists(&draft)? {
        disk.remove(&draft)?;
    }
    let file = disk.open(&draft, Mode::CreateNew)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    drop(file);
    disk.rename(&draft, name)?;
    disk.sync_folder(name.rsplit_once('/').map_or("", |(folder, _)| folder))
}
