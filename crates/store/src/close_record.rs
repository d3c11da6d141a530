//! The close record: what every file held when the store was closed.
//!
//! **Source**: `docs/format.md` §10.

use std::collections::BTreeMap;

use metering::Instant;
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::framed;
use crate::hash::Hash;
use crate::id::Id;
use crate::journal::JOURNAL;
use crate::keys::newer;
use crate::recover::reference;
use crate::row::Reference;
use crate::segment::{LogKind, SegmentName};
use crate::survey::{Survey, list};

/// The record's name in the store's folder; it is there only while the store is closed.
pub const CLEAN: &str = "clean";
/// All folders of a store, itself first.
pub(crate) const FOLDERS: [&str; 5] = ["", "cells", "index", "journal", "log"];
const FORMAT: u32 = 1;

/// Where a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnd {
    /// The first position (log) or number (journal) that is not in it.
    pub end: u64,
    /// The hash of the last block or row.
    pub hash: Hash,
    /// The incarnation of the active segment.
    pub incarnation: u32,
}

/// What every file held when the store was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseRecord {
    /// The shape of this file.
    pub format: u32,
    /// The store.
    pub store_id: Id,
    /// When it was closed.
    #[serde(with = "crate::serde_instant")]
    pub closed_at: Instant,
    /// Where the event log ended.
    pub log: LogEnd,
    /// Where the journal ended.
    pub journal: LogEnd,
    /// All files but this one, the lock and drafts; sorted by name.
    pub files: Vec<Reference>,
}

/// Reads the record; `None` where the store was not closed.
///
/// **Errors**: corrupt, or of a newer format.
pub(crate) fn read(disk: &dyn Disk) -> Result<Option<CloseRecord>, StoreError> {
    let there = disk.exists(CLEAN).map_err(|error| StoreError::io("look for the close record", &error))?;
    if !there {
        return Ok(None);
    }
    // It was replaced as a whole, so that a crash never leaves a half.
    let record: CloseRecord = framed::read_file(disk, CLEAN)
        .and_then(|bytes| {
            serde_json::from_slice(&bytes)
                .map_err(|error| StoreError::corrupt(CLEAN, "byte 0", format!("no close record ({error})")))
        })
        .map_err(|mut error| {
            if error.kind == crate::error::ErrorKind::Corrupt {
                error.hint =
                    "run `counterfoil verify`; removing `clean` makes the next command walk the logs"
                        .to_owned();
            }
            error
        })?;
    if record.format > FORMAT { Err(newer(CLEAN, record.format)) } else { Ok(Some(record)) }
}

/// Whether a close record still tells how the logs end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Nothing was written since.
    Closed,
    /// The store was opened since; removing the record did not become durable.
    Stale,
}

impl CloseRecord {
    /// Compares the record with the end of one log.
    ///
    /// **Errors**: corrupt, when the log has lost or changed what the record names.
    pub(crate) fn fit(&self, kind: &LogKind, survey: &Survey) -> Result<Fit, StoreError> {
        let end = if kind.folder == JOURNAL.folder { &self.journal } else { &self.log };
        let tip = &survey.tip;
        if tip.header.store_id != self.store_id {
            return Err(StoreError::corrupt(CLEAN, "byte 0", "the close record is of another store"));
        }
        let bad =
            |what: &str| Err(StoreError::corrupt(&tip.file, format!("sector {}", tip.valid_sectors), what));
        if tip.end < end.end || tip.header.incarnation < end.incarnation {
            return bad("the log ends before the end that the close record names");
        }
        if tip.end > end.end || tip.header.incarnation > end.incarnation {
            return Ok(Fit::Stale);
        }
        if tip.hash != end.hash {
            return bad("the last record differs from the close record");
        }
        let there: Vec<String> = survey.segments.iter().map(|segment| segment.path(kind)).collect();
        let listed = self.files.iter().map(|file| &file.name).filter(|name| {
            let file = name.strip_prefix(kind.folder).and_then(|name| name.strip_prefix('/'));
            file.is_some_and(|file| SegmentName::parse(kind, file).is_some())
        });
        for name in listed {
            if !there.contains(name) {
                let what = "a file that the close record names is missing";
                return Err(StoreError::corrupt(name, "byte 0", what));
            }
        }
        if tip.tail.bytes > 0 {
            bad("bytes after the end that the close record names")
        } else {
            Ok(Fit::Closed)
        }
    }
}

/// Writes the record: of files in `known` the content is taken as given, all others are read.
pub(crate) fn write(
    disk: &dyn Disk,
    store_id: Id,
    now: Instant,
    log: LogEnd,
    journal: LogEnd,
    known: &BTreeMap<String, Reference>,
) -> Result<(), StoreError> {
    let mut files = Vec::new();
    for name in file_names(disk)? {
        match known.get(&name) {
            Some(known) => {
                check_length(disk, known)?;
                files.push(known.clone());
            }
            None => files.push(reference(disk, &name)?),
        }
    }
    let record = CloseRecord { format: FORMAT, store_id, closed_at: now, log, journal, files };
    let bytes = serde_json::to_vec(&record).map_err(|error| StoreError::corrupt(CLEAN, "byte 0", error))?;
    framed::write_file(disk, CLEAN, &bytes)
}

fn check_length(disk: &dyn Disk, known: &Reference) -> Result<(), StoreError> {
    let length = disk
        .open(&known.name, crate::disk::Mode::Read)
        .and_then(|file| file.length())
        .map_err(|error| StoreError::io(format!("read `{}`", known.name), &error))?;
    if length == known.length {
        return Ok(());
    }
    let what = format!("expected {} bytes, found `{length}`", known.length);
    Err(StoreError::corrupt(&known.name, "its end", what))
}

/// All files that a close record lists, sorted by name.
pub(crate) fn file_names(disk: &dyn Disk) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for folder in FOLDERS {
        for name in list(disk, folder)? {
            let listed = !(folder.is_empty() && (name == CLEAN || name == "lock") || name.ends_with(".new"));
            if listed {
                names.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}
