//! A disk in memory that behaves as badly as real ones may.
//!
//! It keeps what was written apart from what is durable: writes of a file until its sync, names of a folder until
//! the folder's sync. At a chosen operation it crashes; what then stands is asked for a killed process
//! ([`FaultyDisk::after_kill`]: everything written is there, and still not durable) or for a power cut
//! ([`FaultyDisk::after_power_cut`]). A sync can be made to fail: as in real kernels its data is then never written,
//! though later syncs of the same file succeed and reads still show it.

mod chance;
mod file;
mod names;
mod open_file;
mod state;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::disk::{Disk, DiskFile, Mode};

use names::NameChange;
use open_file::OpenFile;
use state::State;

pub use state::Operation;

/// What a power cut does to what was not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// All of it is lost.
    LoseAll,
    /// Each sector of 512 bytes, each length and each name is lost or kept by chance.
    Partial,
    /// As `Partial`, and a sector may keep only its first bytes.
    Torn,
}

/// A disk in memory with faults. Clones are the same disk.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

impl Default for FaultyDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FaultyDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyDisk").field("operations", &self.operations()).finish()
    }
}

impl FaultyDisk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::of(State::default())
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations that change something were begun.
    pub fn operations(&self) -> u64 {
        self.state().trace.len() as u64
    }

    /// How many syncs, of files and folders, were begun.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The operations so far, for messages.
    pub fn trace(&self) -> Vec<Operation> {
        self.state().trace.clone()
    }

    /// Crashes at an operation, counted from 0 since the disk was made; chance decides how much of it was done.
    pub fn crash_at(&self, operation: u64, seed: u64) {
        self.state().crash = Some((operation, seed));
    }

    /// Lets a sync fail, counted from 0 since the disk was made.
    pub fn fail_sync(&self, sync: u64) {
        self.state().failing_syncs.insert(sync);
    }

    /// Lets the operation with this number stop half way if it is a write.
    pub fn fail_write(&self, operation: u64) {
        self.state().failing_writes.insert(operation);
    }

    /// Limits the bytes in all files; a write beyond writes what fits. `None` lifts the limit.
    pub fn limit_bytes(&self, bytes_max: Option<u64>) {
        self.state().bytes_max = bytes_max;
    }

    /// The bytes in all files that have a name.
    pub fn bytes(&self) -> u64 {
        self.state().bytes()
    }

    /// Whether it has crashed.
    pub fn has_crashed(&self) -> bool {
        self.state().crashed
    }

    /// The disk as the next process finds it after this one was killed: nothing is lost, nothing became durable.
    /// Faults that were ordered and did not come are gone.
    pub fn after_kill(&self) -> Self {
        Self::of(self.state().without_faults())
    }

    /// The disk after the power was cut.
    pub fn after_power_cut(&self, seed: u64, cut: PowerCut) -> Self {
        Self::of(self.state().after_power_cut(seed, cut))
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        self.state().names.files.keys().cloned().collect()
    }

    /// The bytes of a file.
    ///
    /// # Panics
    /// There is no such file.
    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        let inode = state.names.files.get(name).unwrap_or_else(|| panic!("no file `{name}`"));
        state.inodes[inode].content.clone()
    }

    /// Flips one bit of a file, below every checksum.
    ///
    /// # Panics
    /// There is no such file or bit.
    pub fn flip_bit(&self, name: &str, bit: usize) {
        let mut state = self.state();
        let inode = *state.names.files.get(name).unwrap_or_else(|| panic!("no file `{name}`"));
        if let Some(inode) = state.inodes.get_mut(&inode) {
            inode.flip(bit);
        }
    }

    /// Puts a durable file in place, as a restore from a backup does.
    pub fn put(&self, name: &str, content: &[u8]) {
        self.state().put(name, content);
    }

    /// Removes a file durably, if it is there.
    pub fn erase(&self, name: &str) {
        self.state().erase(name);
    }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file or folder `{name}`"))
}

impl Disk for FaultyDisk {
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.check_on()?;
        let there = state.names.files.get(name).copied();
        let inode = match (mode, there) {
            (Mode::CreateNew, Some(_)) => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{name}` is there")));
            }
            (Mode::CreateNew, None) => {
                if !state.names.has_folder(names::folder_of(name)) {
                    return Err(not_found(name));
                }
                let applied = state.begin(Operation::Create(name.to_owned()))?;
                let inode = state.new_inode();
                state.change_name(NameChange::Link { name: name.to_owned(), inode }, applied)?;
                inode
            }
            (_, Some(inode)) => inode,
            (_, None) => return Err(not_found(name)),
        };
        Ok(Arc::new(OpenFile {
            disk: self.clone(),
            name: name.to_owned(),
            inode,
            writable: mode != Mode::Read,
        }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_on()?;
        if !state.names.has_folder(folder) {
            return Err(not_found(folder));
        }
        let inside = state.names.files.keys().filter(|name| names::folder_of(name) == folder);
        Ok(inside.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned()).collect())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let state = self.state();
        state.check_on()?;
        Ok(state.names.files.contains_key(name) || state.names.has_folder(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_on()?;
        let inode = *state.names.files.get(from).ok_or_else(|| not_found(from))?;
        let applied = state.begin(Operation::Rename(from.to_owned(), to.to_owned()))?;
        state.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), inode }, applied)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_on()?;
        if !state.names.files.contains_key(name) {
            return Err(not_found(name));
        }
        let applied = state.begin(Operation::Remove(name.to_owned()))?;
        state.change_name(NameChange::Unlink { name: name.to_owned() }, applied)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_on()?;
        if state.names.has_folder(folder) {
            return Ok(());
        }
        let applied = state.begin(Operation::CreateFolder(folder.to_owned()))?;
        state.change_name(NameChange::Folder { name: folder.to_owned() }, applied)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_on()?;
        if !state.names.has_folder(folder) {
            return Err(not_found(folder));
        }
        state.sync_folder(folder)
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state();
        state.check_on()?;
        if state.locked {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process has this folder open"));
        }
        state.locked = true;
        Ok(Box::new(Lock(self.clone())))
    }
}

struct Lock(FaultyDisk);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}
