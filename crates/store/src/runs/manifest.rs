//! The checkpoint: which runs hold together, and up to which (P, K).

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::framed;
use crate::hash::Hash;

/// The name of the checkpoint in the store's folder.
pub const CHECKPOINT: &str = "checkpoint";
/// Format 1 named runs of other shapes: what is derived is then made anew.
const FORMAT: u32 = 3;

/// A run file as the checkpoint names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFact {
    /// Its name in the store's folder.
    pub name: String,
    /// It covers the positions [from, to).
    pub from: u64,
    /// See `from`.
    pub to: u64,
    /// How many entries it holds.
    pub entries: u64,
    /// The sector of its last record, which says where the others are; 0 where there is none.
    pub footer: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The hash of its bytes.
    pub hash: Hash,
}

/// A meter version whose cells the runs hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MeterCover {
    /// The meter's name.
    pub meter: String,
    /// Its version.
    pub version: u32,
    /// Its cells are complete below this position.
    pub complete_through: u64,
}

/// The checkpoint of the derived state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The shape of this file.
    pub format: u32,
    /// The runs hold the log below this position.
    pub position: u64,
    /// The hash of the last block below it.
    pub log_hash: Hash,
    /// The journal row known when it was written.
    pub known_at: u64,
    /// The hash of that row.
    pub journal_hash: Hash,
    /// The log position known durable when it was written.
    pub durable_through: u64,
    /// Positions that seals pinned: no run reaches across one.
    pub pinned: Vec<u64>,
    /// The meter versions whose cells are here.
    pub meters: Vec<MeterCover>,
    /// The key generation of identities and digests.
    pub key_generation: u32,
    /// Cell runs, in log order.
    pub cells: Vec<RunFact>,
    /// Index runs, in log order.
    pub index: Vec<RunFact>,
}

impl Checkpoint {
    /// The position below which every identity is in an index run.
    pub fn indexed_to(&self) -> u64 {
        self.index.iter().map(|run| run.to).max().unwrap_or(0)
    }

    /// The checkpoint of an empty log.
    pub fn empty() -> Self {
        Self {
            format: FORMAT,
            position: 0,
            log_hash: Hash::ZERO,
            known_at: 0,
            journal_hash: Hash::ZERO,
            durable_through: 0,
            pinned: Vec::new(),
            meters: Vec::new(),
            key_generation: 0,
            cells: Vec::new(),
            index: Vec::new(),
        }
    }
}

/// The name of a cell run over [from, to).
pub fn cell_run_name(from: u64, to: u64) -> String {
    format!("cells/{from:020}-{to:020}.run")
}

/// Reads the checkpoint; `None` where there is none, or one of an older format.
///
/// **Errors**: a checksum that differs, or a newer format.
pub fn read_checkpoint(disk: &dyn Disk) -> Result<Option<Checkpoint>, StoreError> {
    let there = disk.exists(CHECKPOINT).map_err(|error| StoreError::io("look for the checkpoint", &error))?;
    if !there {
        return Ok(None);
    }
    let bytes = framed::read_file(disk, CHECKPOINT)?;
    let checkpoint: Checkpoint = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::corrupt(CHECKPOINT, "byte 0", format!("not a checkpoint ({error})")))?;
    if checkpoint.format > FORMAT {
        return Err(StoreError::corrupt(CHECKPOINT, "byte 0", "a newer format"));
    }
    Ok((checkpoint.format == FORMAT).then_some(checkpoint))
}

/// Replaces the checkpoint in one atomic step; its runs must be on disk.
///
/// **Errors**: those of the file layer; the old checkpoint then stands.
pub fn write_checkpoint(disk: &dyn Disk, checkpoint: &Checkpoint) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(checkpoint)
        .map_err(|error| StoreError::corrupt(CHECKPOINT, "byte 0", format!("cannot be written ({error})")))?;
    framed::write_file(disk, CHECKPOINT, &bytes)
}
