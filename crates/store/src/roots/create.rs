//! Making a store. Its `keys` file gets its name last, so that a folder is a store or is not.

use std::sync::Arc;

use serde_json::json;

use super::{CreateOptions, Roots, State, open::take_lock};
use crate::append_log::{AppendLog, LogSetting};
use crate::block_codec::LOG;
use crate::block_codec::Workspace;
use crate::disk::{Disk, Mode};
use crate::error::{ErrorKind, StoreError};
use crate::framed;
use crate::hash::Hash;
use crate::journal::JOURNAL;
use crate::keys::{KEYS, KEYS_DRAFT, KeyFile, keys_missing};
use crate::row::{Class, RowDraft};
use crate::survey::list;
use crate::walk::{SegmentReader, Step};

impl Roots {
    /// Makes a store in a folder that has none; what a crashed attempt left is cleared away.
    ///
    /// **Errors**: a store is there ([`ErrorKind::Conflict`], code `store_exists`); logs whose keys are missing
    /// ([`ErrorKind::Corrupt`]); another process has the folder; those of the file layer.
    pub fn create(disk: Arc<dyn Disk>, options: CreateOptions<'_>) -> Result<Self, StoreError> {
        let lock = take_lock(&*disk)?;
        let io = |doing: &'static str| move |error| StoreError::io(doing, &error);
        if disk.exists(KEYS).map_err(io("look for `keys`"))? {
            return Err(StoreError::new(
                ErrorKind::Conflict,
                "store_exists",
                "there is a store in this folder",
                "open it, or choose another folder with --data",
            ));
        }
        clear_attempt(&*disk)?;
        let keys = KeyFile::draw(options.keys, options.now, options.random);
        let draft = || {
            let bytes = framed::encode_file(&keys.encode().map_err(std::io::Error::other)?);
            let file = disk.open(KEYS_DRAFT, Mode::CreateNew)?;
            file.write_at(&bytes, 0)?;
            file.sync()?;
            disk.create_folder(JOURNAL.folder)?;
            disk.create_folder(LOG.folder)?;
            disk.sync_folder("")
        };
        draft().map_err(io("make the store's folder"))?;
        let setting = |log_id, segment_bytes_max| LogSetting {
            disk: disk.clone(),
            store_id: keys.store_id,
            log_id,
            segment_bytes_max,
        };
        let log = AppendLog::create(setting(keys.log_id, options.sizes.log_bytes), &LOG, options.now)?;
        let journal =
            AppendLog::create(setting(keys.journal_id, options.sizes.journal_bytes), &JOURNAL, options.now)?;
        let mut roots = Self {
            disk: disk.clone(),
            keys,
            journal,
            log,
            last_known_at: 0,
            last_received_at: None,
            work: Workspace::default(),
            places: Default::default(),
            state: State::Writing,
            _lock: Some(lock),
        };
        roots.append_row(created(&roots, options.actor), options.now)?;
        disk.rename(KEYS_DRAFT, KEYS).and_then(|()| disk.sync_folder("")).map_err(io("publish `keys`"))?;
        Ok(roots)
    }
}

fn created(roots: &Roots, actor: String) -> RowDraft {
    RowDraft {
        class: Class::Store,
        actor,
        reason: None,
        idempotency_key: None,
        command: "create".to_owned(),
        command_version: 1,
        input: json!({}),
        result: json!({
            "store_id": roots.keys.store_id,
            "log_id": roots.keys.log_id,
            "journal_id": roots.keys.journal_id,
            "position": 0,
            "log_hash": Hash::ZERO,
            "incarnation": roots.log.incarnation(),
            "journal_incarnation": roots.journal.incarnation(),
        }),
        effects: Vec::new(),
        cut: None,
        references: Vec::new(),
    }
}

/// Removes what a crashed attempt left: segments of the store that its draft of `keys` names, and no others.
fn clear_attempt(disk: &dyn Disk) -> Result<(), StoreError> {
    let io = |doing: String| move |error| StoreError::io(doing, &error);
    let attempt = match KeyFile::read(disk, KEYS_DRAFT) {
        Ok(keys) => Some(keys),
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Corrupt) => None,
        Err(error) => return Err(error),
    };
    for (kind, log_id) in [
        (&JOURNAL, attempt.as_ref().map(|keys| keys.journal_id)),
        (&LOG, attempt.as_ref().map(|keys| keys.log_id)),
    ] {
        for name in list(disk, kind.folder)? {
            let path = format!("{}/{name}", kind.folder);
            let ours = match log_id {
                _ if name.ends_with(".new") => true,
                Some(log_id) => {
                    let mut reader = SegmentReader::open(disk, &path, log_id)?;
                    matches!(reader.step(), Ok(Step::Record(_)))
                }
                None => false,
            };
            if !ours {
                return Err(keys_missing(&path));
            }
            disk.remove(&path).map_err(io(format!("remove `{path}`")))?;
        }
        match disk.sync_folder(kind.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(io(format!("sync `{}`", kind.folder)))?,
        }
    }
    if disk.exists(KEYS_DRAFT).map_err(io("look for a draft of `keys`".to_owned()))? {
        disk.remove(KEYS_DRAFT).map_err(io("remove a draft of `keys`".to_owned()))?;
        disk.sync_folder("").map_err(io("sync the store's folder".to_owned()))?;
    }
    Ok(())
}
