//! The state of a faulty disk: files, names, the faults that are ordered, and what has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::PowerCut;
use super::chance::Chance;
use super::file::Inode;
use super::names::{DurableNames, NameChange, Names, folder_of};

/// An operation that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A file was created.
    Create(String),
    /// Bytes were written: file, offset, length.
    Write(String, u64, usize),
    /// A file was cut or grown to a length.
    Truncate(String, u64),
    /// A file was synced.
    Sync(String),
    /// A file was renamed.
    Rename(String, String),
    /// A file was removed.
    Remove(String),
    /// A folder was created.
    CreateFolder(String),
    /// A folder was synced.
    SyncFolder(String),
}

/// How much of an operation is done: all, or what chance leaves of the one at which the disk crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    Whole,
    WholeThenCrash,
    Part { seed: u64 },
    Not,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    pub names: Names,
    durable_names: DurableNames,
    pub trace: Vec<Operation>,
    pub syncs: u64,
    pub crash: Option<(u64, u64)>,
    pub failing_syncs: BTreeSet<u64>,
    pub failing_writes: BTreeSet<u64>,
    pub bytes_max: Option<u64>,
    pub crashed: bool,
    pub locked: bool,
}

fn off() -> io::Error {
    io::Error::other("the machine is off")
}

impl State {
    pub fn check_on(&self) -> io::Result<()> {
        if self.crashed { Err(off()) } else { Ok(()) }
    }

    /// Counts an operation; says how much of it to do.
    pub fn begin(&mut self, operation: Operation) -> io::Result<Applied> {
        self.check_on()?;
        let number = self.trace.len() as u64;
        self.trace.push(operation);
        let Some((_, seed)) = self.crash.filter(|(at, _)| *at == number) else { return Ok(Applied::Whole) };
        Ok(match seed % 3 {
            0 => Applied::Not,
            1 => Applied::WholeThenCrash,
            _ => Applied::Part { seed },
        })
    }

    /// Crashes if this operation was the one.
    pub fn end(&mut self, applied: Applied) -> io::Result<()> {
        if applied == Applied::Whole {
            return Ok(());
        }
        self.crashed = true;
        Err(off())
    }

    pub fn inode(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(|| io::Error::other("a file without content"))
    }

    pub fn new_inode(&mut self) -> u64 {
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, Inode::default());
        self.next_inode
    }

    pub fn change_name(&mut self, change: NameChange, applied: Applied) -> io::Result<()> {
        let done = match applied {
            Applied::Not => false,
            // A name changes or does not.
            Applied::Part { seed } => (seed / 3).is_multiple_of(2),
            Applied::Whole | Applied::WholeThenCrash => true,
        };
        if done {
            self.names.apply(&change);
            self.durable_names.push(change);
        }
        self.end(applied)
    }

    pub fn write(&mut self, name: &str, inode: u64, bytes: &[u8], offset: u64) -> io::Result<()> {
        let number = self.trace.len() as u64;
        let applied = self.begin(Operation::Write(name.to_owned(), offset, bytes.len()))?;
        let count = match applied {
            Applied::Not => 0,
            Applied::Part { seed } => Chance::new(seed).below(bytes.len() + 1),
            Applied::Whole | Applied::WholeThenCrash => bytes.len(),
        };
        let room = self.room(inode, offset);
        let failing = self.failing_writes.contains(&number);
        let count = if failing { count / 2 } else { count.min(room) };
        self.inode(inode)?.write(&bytes[..count], offset);
        self.end(applied)?;
        if failing {
            return Err(io::Error::other("the write stopped half way"));
        }
        if count < bytes.len() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space is left"));
        }
        Ok(())
    }

    /// How many bytes can be written at a place before the disk is full.
    fn room(&self, inode: u64, offset: u64) -> usize {
        let Some(bytes_max) = self.bytes_max else { return usize::MAX };
        let length = self.inodes.get(&inode).map_or(0, |inode| inode.content.len() as u64);
        let free = bytes_max.saturating_sub(self.bytes());
        (length + free).saturating_sub(offset) as usize
    }

    pub fn bytes(&self) -> u64 {
        let named: BTreeSet<&u64> = self.names.files.values().collect();
        named.iter().filter_map(|inode| self.inodes.get(inode)).map(|inode| inode.content.len() as u64).sum()
    }

    pub fn sync_file(&mut self, name: &str, inode: u64) -> io::Result<()> {
        let (applied, fails) = self.begin_sync(Operation::Sync(name.to_owned()))?;
        if fails {
            self.inode(inode)?.drop_pending();
            return Err(io::Error::other("the sync failed"));
        }
        if matches!(applied, Applied::Whole | Applied::WholeThenCrash) {
            self.inode(inode)?.sync();
        }
        self.end(applied)
    }

    pub fn sync_folder(&mut self, folder: &str) -> io::Result<()> {
        let (applied, fails) = self.begin_sync(Operation::SyncFolder(folder.to_owned()))?;
        if fails {
            self.durable_names.drop_pending(folder);
            return Err(io::Error::other("the sync failed"));
        }
        if matches!(applied, Applied::Whole | Applied::WholeThenCrash) {
            self.durable_names.sync(folder);
        }
        self.end(applied)
    }

    fn begin_sync(&mut self, operation: Operation) -> io::Result<(Applied, bool)> {
        let applied = self.begin(operation)?;
        let number = self.syncs;
        self.syncs += 1;
        Ok((applied, applied == Applied::Whole && self.failing_syncs.contains(&number)))
    }

    /// The same files and names, without faults and as if nothing had been done yet.
    pub fn without_faults(&self) -> Self {
        Self {
            inodes: self.inodes.clone(),
            next_inode: self.next_inode,
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            ..Self::default()
        }
    }

    pub fn after_power_cut(&self, seed: u64, cut: PowerCut) -> Self {
        let mut chance = Chance::new(seed);
        let names = self.durable_names.after_power_cut(&mut chance, cut);
        let kept: BTreeSet<u64> = names.files.values().copied().collect();
        let files = self.inodes.iter().filter(|(number, _)| kept.contains(number));
        let inodes =
            files.map(|(number, inode)| (*number, inode.after_power_cut(&mut chance, cut))).collect();
        let durable_names = DurableNames::of(names.clone());
        Self { inodes, next_inode: self.next_inode, names, durable_names, ..Self::default() }
    }

    pub fn put(&mut self, name: &str, content: &[u8]) {
        let inode = self.new_inode();
        self.inodes.insert(inode, Inode::durable(content));
        let folder = folder_of(name);
        if !folder.is_empty() {
            self.apply_durably(&NameChange::Folder { name: folder.to_owned() });
        }
        self.apply_durably(&NameChange::Link { name: name.to_owned(), inode });
    }

    pub fn erase(&mut self, name: &str) {
        self.apply_durably(&NameChange::Unlink { name: name.to_owned() });
    }

    fn apply_durably(&mut self, change: &NameChange) {
        self.names.apply(change);
        self.durable_names.names.apply(change);
    }
}
