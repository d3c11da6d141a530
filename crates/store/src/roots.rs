//! The roots of truth of a store, held open: keys, journal, event log.
//!
//! Rows are durable when they are appended; blocks when the log is synced after them. After any failed write or
//! sync everything answers [`ErrorKind::Closed`] until the store is opened again.

mod append;
mod create;
mod found;
mod open;
mod places;
mod read;

use std::sync::Arc;

use metering::{Instant, Keys};
use serde::{Deserialize, Serialize};

use crate::append_log::AppendLog;
use crate::block_codec::Workspace;
use crate::close_record::{self, CloseRecord, LogEnd};
use crate::disk::Disk;
use crate::error::{ErrorKind, StoreError};
use crate::hash::Hash;
use crate::id::Id;
use crate::keys::KeyFile;
use crate::recover::CutOff;
use crate::row::{Cut, Reference, Row};

pub use append::Appended;
pub use read::{Blocks, BlocksWithin, Fates, HeadCheck, Headers, Rows};

/// How long segments get before the next is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSizes {
    /// Bytes of a segment of the event log.
    pub log_bytes: u64,
    /// Bytes of a segment of the journal.
    pub journal_bytes: u64,
}

impl SegmentSizes {
    /// 32 MiB and 4 MiB: what a recovery copies is bounded by these.
    pub const DEFAULT: Self = Self { log_bytes: 32 << 20, journal_bytes: 4 << 20 };
}

impl Default for SegmentSizes {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a new store needs. Chance and time are given in.
pub struct CreateOptions<'a> {
    /// The secrets; drawn where none are given.
    pub keys: Option<Keys>,
    /// Fills bytes with chance.
    pub random: &'a mut dyn FnMut(&mut [u8]),
    /// Now.
    pub now: Instant,
    /// Who asked.
    pub actor: String,
    /// When segments roll.
    pub sizes: SegmentSizes,
}

/// What opening for writing needs.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Now.
    pub now: Instant,
    /// Who asked.
    pub actor: String,
    /// What the caller knows to be durable, such as by a checkpoint.
    pub known: KnownDurable,
    /// When segments roll.
    pub sizes: SegmentSizes,
}

/// Ends known durable from outside the logs; zero where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownDurable {
    /// All records of the log below this position.
    pub position: u64,
    /// All journal rows up to this number.
    pub row: u64,
}

/// What opening for writing found.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// Whether the store had been closed properly.
    pub clean: bool,
    /// Tails that were never acknowledged and were taken off.
    pub cuts: Vec<CutOff>,
    /// The row that says so.
    pub row: Row,
}

/// What opening for reading found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadState {
    /// The close record, where the store was closed properly.
    pub clean: Option<CloseRecord>,
    /// Tails that the next open for writing takes off.
    pub torn: Vec<TornTail>,
}

/// Bytes after the last whole record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: String,
    /// The first sector of the tail.
    pub sector: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// The journal's head: what is kept outside to check the chain against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last row.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
    /// The store.
    pub store_id: Id,
}

/// The roots of truth of a store, held open.
pub struct Roots {
    disk: Arc<dyn Disk>,
    keys: KeyFile,
    journal: AppendLog,
    log: AppendLog,
    last_known_at: u64,
    last_received_at: Option<Instant>,
    work: Workspace,
    places: places::Places,
    state: State,
    _lock: Option<Box<dyn Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Writing,
    Reading,
    Failed,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roots").field("store_id", &self.keys.store_id).field("state", &self.state).finish()
    }
}

impl Roots {
    /// The secrets, newest generation.
    pub fn keys(&self) -> &Keys {
        &self.keys.keys
    }

    /// The number of that generation.
    pub fn key_generation(&self) -> u32 {
        self.keys.generation
    }

    /// The store's id.
    pub fn store_id(&self) -> Id {
        self.keys.store_id
    }

    /// When the store was made.
    pub fn created_at(&self) -> Instant {
        self.keys.created_at
    }

    /// The disk beneath.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whether it was opened for reading only.
    pub fn is_read_only(&self) -> bool {
        self.state == State::Reading
    }

    /// The position that the next received record gets.
    pub fn end(&self) -> u64 {
        self.log.end()
    }

    /// The log position known durable: everything below it.
    pub fn durable(&self) -> u64 {
        self.log.durable()
    }

    /// The hash of the last block; zero for an empty log.
    pub fn log_hash(&self) -> Hash {
        self.log.hash()
    }

    /// The incarnation of the event log.
    pub fn incarnation(&self) -> u32 {
        self.log.incarnation()
    }

    /// The journal's head. Every row in it is durable.
    pub fn head(&self) -> Head {
        Head { number: self.journal.end() - 1, hash: self.journal.hash(), store_id: self.keys.store_id }
    }

    /// When the last block was received; the next must not be earlier.
    pub fn last_received_at(&self) -> Option<Instant> {
        self.last_received_at
    }

    /// A cut at the end of the log, which is made durable before, so that a row can carry it.
    ///
    /// **Errors**: those of the file layer; [`ErrorKind::Closed`].
    pub fn cut_now(&mut self) -> Result<Cut, StoreError> {
        if self.state == State::Writing {
            self.sync_log()?;
        }
        self.check_not_failed()?;
        Ok(self.cut_at_end())
    }

    fn cut_at_end(&self) -> Cut {
        Cut {
            shard: 0,
            incarnation: self.log.incarnation(),
            position: self.log.end(),
            block_hash: self.log.hash(),
        }
    }

    /// Closes the store: syncs, then records what every file holds. Of the files in `known`, which nobody changes
    /// any more, length and hash are taken as given.
    ///
    /// **Errors**: those of the file layer; the next open then walks the logs, as after a crash.
    pub fn close(mut self, now: Instant, known: &[Reference]) -> Result<(), StoreError> {
        self.check_writing()?;
        self.log.sync()?;
        self.journal.sync()?;
        let mut files: std::collections::BTreeMap<String, Reference> =
            known.iter().map(|file| (file.name.clone(), file.clone())).collect();
        files.extend(self.log.references());
        files.extend(self.journal.references());
        close_record::write(
            &*self.disk,
            self.keys.store_id,
            now,
            log_end(&self.log),
            log_end(&self.journal),
            &files,
        )
    }

    fn check_not_failed(&self) -> Result<(), StoreError> {
        if self.state == State::Failed {
            return Err(StoreError::new(
                ErrorKind::Closed,
                "store_closed",
                "the store stopped after a write that failed",
                "open it again: run the command again once the disk is in order",
            ));
        }
        Ok(())
    }

    fn check_writing(&self) -> Result<(), StoreError> {
        self.check_not_failed()?;
        if self.state == State::Reading {
            return Err(StoreError::new(
                ErrorKind::Closed,
                "store_read_only",
                "the store was opened for reading only",
                "open it for writing",
            ));
        }
        Ok(())
    }
}

fn log_end(log: &AppendLog) -> LogEnd {
    LogEnd { end: log.end(), hash: log.hash(), incarnation: log.incarnation() }
}
