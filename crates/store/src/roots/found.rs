//! What an open reads before it changes anything.

use super::KnownDurable;
use crate::block_codec::LOG;
use crate::close_record::{self, CloseRecord, Fit};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::journal::JOURNAL;
use crate::keys::{KEYS, KeyFile};
use crate::recover::{Durable, check_tail};
use crate::survey::Survey;

/// What is read before anything is changed.
pub(super) struct Found {
    pub keys: KeyFile,
    pub clean: Option<CloseRecord>,
    /// There is a close record, and the store was opened since.
    pub stale: bool,
    pub journal: Survey,
    pub log: Survey,
    /// Ends known durable.
    pub durable: Durable,
}

impl Found {
    pub fn read(disk: &dyn Disk, known: KnownDurable) -> Result<Self, StoreError> {
        let keys = KeyFile::read(disk, KEYS)?;
        let clean = close_record::read(disk)?;
        let journal = Survey::read(disk, &JOURNAL, keys.store_id, keys.journal_id)?;
        let log = Survey::read(disk, &LOG, keys.store_id, keys.log_id)?;
        let durable = Durable::of(&journal, &log, known);
        let mut found = Self { keys, clean, stale: false, journal, log, durable };
        check_tail(&JOURNAL, &found.journal, durable.journal)?;
        check_tail(&LOG, &found.log, durable.log)?;
        if let Some(record) = &found.clean
            && [record.fit(&JOURNAL, &found.journal)?, record.fit(&LOG, &found.log)?].contains(&Fit::Stale)
        {
            found.clean = None;
            found.stale = true;
        }
        Ok(found)
    }
}
