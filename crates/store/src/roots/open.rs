//! Opening: by the close record, or by walking the tails of both logs.

use std::io;
use std::sync::Arc;

use metering::Instant;
use serde_json::json;

use super::found::Found;
use super::{KnownDurable, OpenOptions, Opened, ReadState, Roots, SegmentSizes, State, TornTail};
use crate::append_log::{AppendLog, LogSetting};
use crate::block_codec::LOG;
use crate::block_codec::Workspace;
use crate::close_record::{CLEAN, CloseRecord};
use crate::disk::{Disk, Mode};
use crate::error::{ErrorKind, StoreError};
use crate::framed;
use crate::id::Id;
use crate::journal::JOURNAL;
use crate::keys::{KEYS, KEYS_DRAFT, KeyFile, keys_missing};
use crate::recover::{CutOff, recover};
use crate::row::{Class, Reference, RowDraft};
use crate::segment::{LogKind, Marks};
use crate::survey::list;

impl Roots {
    /// Opens a store for writing. When this returns, the tail of both logs is durable and a row says what was found.
    ///
    /// **Errors**: no store ([`ErrorKind::NotFound`]); another process has it ([`ErrorKind::Conflict`], code
    /// `folder_locked`); a newer format ([`ErrorKind::Newer`]); bytes that are not what was written, or an
    /// acknowledged record that is missing ([`ErrorKind::Corrupt`], with file and sector; nothing was changed).
    pub fn open(disk: Arc<dyn Disk>, options: OpenOptions) -> Result<(Self, Opened), StoreError> {
        check_store_there(&*disk)?;
        let lock = take_lock(&*disk)?;
        let found = Found::read(&*disk, options.known)?;
        let setting = Settings { disk: disk.clone(), sizes: options.sizes };
        let clean = found.clean.is_some();
        let taken = match &found.clean {
            Some(record) => take_closed(&setting, &found, record)?,
            None => recover_both(&setting, &found, options.now)?,
        };
        let mut roots = Self {
            disk: disk.clone(),
            keys: found.keys,
            journal: taken.journal,
            log: taken.log,
            last_known_at: 0,
            last_received_at: None,
            work: Workspace::default(),
            places: Default::default(),
            state: State::Writing,
            _lock: Some(lock),
        };
        roots.read_last_block()?;
        let draft = opened(&roots, options.actor, clean, &taken.cuts, taken.unnamed);
        let row = roots.append_row(draft, options.now)?;
        remove_leftovers(&*disk, &taken.leftovers)?;
        Ok((roots, Opened { clean, cuts: taken.cuts, row }))
    }

    /// Opens a store for reading only: the valid part of both logs. Takes the lock where the folder can be written.
    ///
    /// **Errors**: as [`Roots::open`].
    pub fn open_read_only(disk: Arc<dyn Disk>) -> Result<(Self, ReadState), StoreError> {
        check_store_there(&*disk)?;
        let lock = match disk.lock() {
            Ok(lock) => Some(lock),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                None
            }
            Err(error) => return Err(lock_error(&error)),
        };
        let found = Found::read(&*disk, KnownDurable::default())?;
        let setting = Settings { disk: disk.clone(), sizes: SegmentSizes::DEFAULT };
        let journal = setting.take(&found, &JOURNAL, Mode::Read)?;
        let log = setting.take(&found, &LOG, Mode::Read)?;
        let torn = [&found.journal, &found.log]
            .into_iter()
            .map(|survey| &survey.tip)
            .filter(|tip| tip.tail.bytes > 0)
            .map(|tip| TornTail { file: tip.file.clone(), sector: tip.valid_sectors, bytes: tip.tail.bytes })
            .collect();
        let mut roots = Self {
            disk,
            keys: found.keys,
            journal,
            log,
            last_known_at: 0,
            last_received_at: None,
            work: Workspace::default(),
            places: Default::default(),
            state: State::Reading,
            _lock: lock,
        };
        roots.read_last_block()?;
        Ok((roots, ReadState { clean: found.clean, torn }))
    }

    /// K and the time of the last block, which the next one may not fall behind.
    fn read_last_block(&mut self) -> Result<(), StoreError> {
        if let Some(header) = self.headers(self.log.end().saturating_sub(1)).last() {
            let (header, _) = header?;
            self.last_known_at = header.known_at;
            self.last_received_at = Some(header.received_at);
        }
        Ok(())
    }
}

fn check_store_there(disk: &dyn Disk) -> Result<(), StoreError> {
    match KeyFile::read(disk, KEYS) {
        Ok(_) => Ok(()),
        // A draft of `keys` is a store that was never whole.
        Err(error) if error.kind == ErrorKind::NotFound && !disk.exists(KEYS_DRAFT).unwrap_or(true) => {
            match list(disk, JOURNAL.folder)?.first() {
                Some(name) => Err(keys_missing(&format!("{}/{name}", JOURNAL.folder))),
                None => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Takes the folder for this process alone.
pub(super) fn take_lock(disk: &dyn Disk) -> Result<Box<dyn Send + Sync>, StoreError> {
    disk.lock().map_err(|error| lock_error(&error))
}

fn lock_error(error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::WouldBlock {
        return StoreError::new(
            ErrorKind::Conflict,
            "folder_locked",
            "another process has this folder open",
            "wait until it is done, or choose another folder with --data",
        );
    }
    StoreError::io("lock the store's folder", error)
}

struct Settings {
    disk: Arc<dyn Disk>,
    sizes: SegmentSizes,
}

impl Settings {
    fn log(&self, keys: &KeyFile, kind: &LogKind) -> LogSetting {
        let (log_id, segment_bytes_max): (Id, u64) = if kind.folder == JOURNAL.folder {
            (keys.journal_id, self.sizes.journal_bytes)
        } else {
            (keys.log_id, self.sizes.log_bytes)
        };
        LogSetting { disk: self.disk.clone(), store_id: keys.store_id, log_id, segment_bytes_max }
    }

    fn take(&self, found: &Found, kind: &'static LogKind, mode: Mode) -> Result<AppendLog, StoreError> {
        let survey = if kind.folder == JOURNAL.folder { &found.journal } else { &found.log };
        AppendLog::take(self.log(&found.keys, kind), kind, survey, mode)
    }
}

/// Both logs ready for appending, with what the `open` row says.
struct Taken {
    journal: AppendLog,
    log: AppendLog,
    cuts: Vec<CutOff>,
    unnamed: Vec<Reference>,
    leftovers: Vec<String>,
}

/// The close record goes first: from here on the folder counts as open.
fn take_closed(setting: &Settings, found: &Found, record: &CloseRecord) -> Result<Taken, StoreError> {
    let disk = &setting.disk;
    disk.remove(CLEAN)
        .and_then(|()| disk.sync_folder(""))
        .map_err(|error| StoreError::io("remove the close record", &error))?;
    let drafts = found.journal.drafts.iter().chain(&found.log.drafts);
    for draft in drafts {
        disk.remove(draft).map_err(|error| StoreError::io(format!("remove `{draft}`"), &error))?;
    }
    let mut journal = setting.take(found, &JOURNAL, Mode::Write)?;
    let mut log = setting.take(found, &LOG, Mode::Write)?;
    for (log, survey, kind) in [(&mut journal, &found.journal, &JOURNAL), (&mut log, &found.log, &LOG)] {
        log.sync_file()?;
        let unchanging =
            |file: &&Reference| file.name.starts_with(kind.folder) && file.name != survey.tip.file;
        log.remember(record.files.iter().filter(unchanging).cloned());
    }
    Ok(Taken { journal, log, cuts: Vec::new(), unnamed: Vec::new(), leftovers: Vec::new() })
}

/// Makes durable what a crashed process may have left half way in the store's folder: the close record removed, `keys`
/// with its name.
fn settle_folder(setting: &Settings, found: &Found) -> Result<(), StoreError> {
    let disk = &*setting.disk;
    if found.stale {
        disk.remove(CLEAN).map_err(|error| StoreError::io("remove the close record", &error))?;
    }
    if found.journal.tip.end == JOURNAL.first + 1 {
        // Nothing was opened yet: the sync that published `keys` may be the one that failed.
        return framed::write_file(disk, KEYS, &found.keys.encode()?);
    }
    disk.sync_folder("").map_err(|error| StoreError::io("sync the store's folder", &error))
}

/// The journal first: a block names a row.
fn recover_both(setting: &Settings, found: &Found, now: Instant) -> Result<Taken, StoreError> {
    settle_folder(setting, found)?;
    let journal_end = found.journal.tip.end;
    let journal = recover(
        setting.log(&found.keys, &JOURNAL),
        &JOURNAL,
        &found.journal,
        Marks { own: journal_end, other: found.durable.log },
        now,
    )?;
    let log = recover(
        setting.log(&found.keys, &LOG),
        &LOG,
        &found.log,
        Marks { own: found.log.tip.end, other: journal_end },
        now,
    )?;
    Ok(Taken {
        cuts: journal.cut.into_iter().chain(log.cut).collect(),
        unnamed: journal.unnamed.into_iter().chain(log.unnamed).collect(),
        leftovers: journal.leftovers.into_iter().chain(log.leftovers).collect(),
        journal: journal.log,
        log: log.log,
    })
}

fn opened(
    roots: &Roots,
    actor: String,
    clean: bool,
    cuts: &[CutOff],
    references: Vec<Reference>,
) -> RowDraft {
    RowDraft {
        class: Class::Store,
        actor,
        reason: None,
        idempotency_key: None,
        command: "open".to_owned(),
        command_version: 1,
        input: json!({}),
        result: json!({
            "clean": clean,
            "position": roots.log.end(),
            "log_hash": roots.log.hash(),
            "incarnation": roots.log.incarnation(),
            "journal_incarnation": roots.journal.incarnation(),
            "cuts": cuts,
        }),
        effects: Vec::new(),
        cut: Some(roots.cut_at_end()),
        references,
    }
}

/// The old segments go once the row that names what was cut from them is durable.
fn remove_leftovers(disk: &dyn Disk, leftovers: &[String]) -> Result<(), StoreError> {
    for name in leftovers {
        disk.remove(name).map_err(|error| StoreError::io(format!("remove `{name}`"), &error))?;
    }
    for kind in [&JOURNAL, &LOG] {
        if leftovers.iter().any(|name| name.starts_with(kind.folder)) {
            disk.sync_folder(kind.folder)
                .map_err(|error| StoreError::io(format!("sync `{}`", kind.folder), &error))?;
        }
    }
    Ok(())
}
