//! A disk that loses power: what was not synced is kept, lost or torn by chance.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use store::{Disk, DiskFile, Mode};

use super::{Chance, MemoryDisk};

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Pending {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    seen: BTreeMap<String, usize>,
    /// The names as they are, and as they were after each change since the folder was last synced.
    names: Vec<BTreeMap<String, usize>>,
    steps: u64,
    dies_at: Option<u64>,
    sync_fails_from: Option<u64>,
    sync_failed_at: Option<u64>,
}

impl State {
    /// Counts a change. At the chosen one the power goes; it may have been half done.
    fn step(&mut self) -> io::Result<()> {
        self.alive()?;
        self.steps += 1;
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        if self.dies_at.is_some_and(|step| self.steps >= step) { Err(gone()) } else { Ok(()) }
    }

    /// Whether this sync is the one to fail.
    fn sync_fails(&mut self) -> bool {
        let fails = self.sync_fails_from.is_some_and(|step| self.steps >= step);
        if fails {
            (self.sync_fails_from, self.sync_failed_at) = (None, Some(self.steps));
        }
        fails
    }

    fn renamed(&mut self) {
        let names = self.seen.clone();
        self.names.push(names);
    }
}

fn gone() -> io::Error {
    io::Error::other("the power is gone")
}

/// A disk whose unsynced content can be lost.
#[derive(Clone, Debug)]
pub struct CrashDisk {
    state: Arc<Mutex<State>>,
}

impl CrashDisk {
    pub fn new() -> Self {
        let state = State { names: vec![BTreeMap::new()], ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A disk that holds these files, all durable.
    pub fn holding(files: &MemoryDisk) -> Self {
        let disk = Self::new();
        let mut state = disk.state();
        for name in files.list("").unwrap() {
            let bytes = files.get(&name);
            let content = Content { seen: bytes.clone(), durable: bytes, pending: Vec::new() };
            state.files.push(content);
            let place = state.files.len() - 1;
            state.seen.insert(name, place);
        }
        state.names = vec![state.seen.clone()];
        drop(state);
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    pub fn die_at(&self, step: u64) {
        self.state().dies_at = Some(step);
    }

    /// The first sync from this step on fails; what it should have made durable stays readable but never
    /// will be.
    pub fn fail_sync_from(&self, step: u64) {
        self.state().sync_fails_from = Some(step);
    }

    pub fn sync_failed_at(&self) -> Option<u64> {
        self.state().sync_failed_at
    }

    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// What another process sees after this one was killed: every write that was done.
    pub fn after_kill(&self) -> MemoryDisk {
        let (state, disk) = (self.state(), MemoryDisk::default());
        for (name, file) in &state.seen {
            disk.put(name, state.files[*file].seen.clone());
        }
        disk
    }

    /// What a power cut leaves.
    pub fn after_power_cut(&self, chance: &mut Chance) -> MemoryDisk {
        let (state, disk) = (self.state(), MemoryDisk::default());
        let moment = usize::try_from(chance.below(state.names.len() as u64)).unwrap();
        for (name, file) in &state.names[moment] {
            let content = &state.files[*file];
            let mut bytes = content.durable.clone();
            for pending in &content.pending {
                survive(&mut bytes, pending, chance);
            }
            disk.put(name, bytes);
        }
        disk
    }
}

fn survive(bytes: &mut Vec<u8>, pending: &Pending, chance: &mut Chance) {
    match pending {
        Pending::Length(length) if chance.below(2) == 0 => bytes.resize(*length, 0),
        Pending::Length(_) => {}
        Pending::Write(offset, new) => {
            let fate = chance.below(3);
            for (n, sector) in new.chunks(SECTOR).enumerate() {
                if fate == 0 || (fate == 1 && chance.below(2) == 0) {
                    continue;
                }
                let from = offset + n * SECTOR;
                if bytes.len() < from + sector.len() {
                    bytes.resize(from + sector.len(), 0);
                }
                bytes[from..from + sector.len()].copy_from_slice(sector);
            }
        }
    }
}

impl Disk for CrashDisk {
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.alive()?;
        let found = state.seen.get(name).copied();
        let file = match (found, mode) {
            (Some(file), Mode::Read | Mode::Write) => file,
            (None, Mode::CreateNew) => {
                state.step()?;
                state.files.push(Content::default());
                let file = state.files.len() - 1;
                state.seen.insert(name.to_owned(), file);
                state.renamed();
                file
            }
            (None, _) => return Err(io::Error::new(io::ErrorKind::NotFound, name.to_owned())),
            (Some(_), _) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, name.to_owned())),
        };
        Ok(Arc::new(CrashFile { disk: self.clone(), file }))
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        Ok(state.seen.keys().cloned().collect())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let state = self.state();
        state.alive()?;
        Ok(state.seen.contains_key(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.seen.remove(from).unwrap();
        state.seen.insert(to.to_owned(), file);
        state.renamed();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.seen.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::NotFound, name.to_owned()));
        }
        state.step()?;
        state.seen.remove(name);
        state.renamed();
        Ok(())
    }

    fn create_folder(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if state.sync_fails() {
            state.names.truncate(1);
            return Err(io::Error::other("sync failed"));
        }
        state.names = vec![state.seen.clone()];
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }
}

#[derive(Debug)]
struct CrashFile {
    disk: CrashDisk,
    file: usize,
}

impl CrashFile {
    /// Does a change; the one at which the power goes may or may not reach the disk.
    fn change(&self, pending: Pending) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        let content = &mut state.files[self.file];
        match &pending {
            Pending::Length(length) => content.seen.resize(*length, 0),
            Pending::Write(offset, new) => {
                let end = offset + new.len();
                if content.seen.len() < end {
                    content.seen.resize(end, 0);
                }
                content.seen[*offset..end].copy_from_slice(new);
            }
        }
        content.pending.push(pending);
        state.alive()
    }
}

impl DiskFile for CrashFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.alive()?;
        let bytes = &state.files[self.file].seen;
        let from = usize::try_from(offset).unwrap().min(bytes.len());
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change(Pending::Write(usize::try_from(offset).unwrap(), bytes.to_vec()))
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(state.files[self.file].seen.len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.change(Pending::Length(usize::try_from(length).unwrap()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        if state.sync_fails() {
            state.files[self.file].pending.clear();
            return Err(io::Error::other("sync failed"));
        }
        state.alive()?;
        let content = &mut state.files[self.file];
        content.durable = content.seen.clone();
        content.pending.clear();
        Ok(())
    }
}
