//! The dedup index: every identity that the log holds, with the hash of its content.
//!
//! Derived from the log: what the index runs of the checkpoint hold, and what came after.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use metering::{Identity, Index, PayloadHash};
use store::Disk;
use store::runs::{Checkpoint, IndexEntry, read_index};

use crate::error::EngineError;

/// Identities are keyed hashes already; hashing them again would only cost time.
#[derive(Default)]
struct Keyed(u64);

impl Hasher for Keyed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = (value >> 64) as u64 ^ value as u64;
    }
}

/// All identities of the log.
#[derive(Default)]
pub struct Dedup {
    known: HashMap<u128, PayloadHash, BuildHasherDefault<Keyed>>,
}

impl Dedup {
    /// Loads the runs of a checkpoint, then what the log holds after it.
    ///
    /// **Errors**: a run that cannot be read.
    pub fn load(
        disk: &dyn Disk,
        checkpoint: &Checkpoint,
        pending: &[IndexEntry],
    ) -> Result<Self, EngineError> {
        let mut dedup = Self::default();
        let size: u64 = checkpoint.index.iter().map(|run| run.entries).sum();
        dedup.known.reserve(usize::try_from(size).unwrap_or(0) + pending.len());
        for run in &checkpoint.index {
            read_index(disk, run, &mut |entry| dedup.insert(&entry))?;
        }
        pending.iter().for_each(|entry| dedup.insert(entry));
        Ok(dedup)
    }

    /// Adds an accepted record.
    pub fn insert(&mut self, entry: &IndexEntry) {
        self.known.insert(entry.identity.0, entry.payload);
    }
}

impl Index for Dedup {
    fn get(&self, identity: Identity) -> Option<PayloadHash> {
        self.known.get(&identity.0).copied()
    }
}
