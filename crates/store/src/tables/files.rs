//! `tables.db` as a file: made, judged and made again, before SQLite sees it.

use std::io;

use super::page::{self, PAGE_BYTES, PAGE_LENGTH, Page};
use crate::disk::{Disk, Mode};
use crate::error::StoreError;

/// The file.
pub(super) const FILE: &str = "tables.db";
/// SQLite's rollback journal beside it; empty or gone when no transaction is open.
pub(super) const JOURNAL: &str = "tables.db-journal";
/// The file while it is being made.
const FRESH: &str = "tables.db.new";

/// How SQLite's rollback journal begins.
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

fn failed(doing: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |error| StoreError::io(doing, &error)
}

/// Whether the file is there.
pub(super) fn exists(disk: &dyn Disk) -> Result<bool, StoreError> {
    disk.exists(FILE).map_err(failed("look for `tables.db`"))
}

/// Puts an empty database in place of whatever is there, in one atomic step.
pub(super) fn create(disk: &dyn Disk) -> Result<(), StoreError> {
    // A journal left behind belongs to the old file and must never be rolled back into the new one.
    remove(disk, JOURNAL)?;
    remove(disk, FRESH)?;
    disk.sync_folder("").map_err(failed("sync the folder"))?;
    let file = disk.open(FRESH, Mode::CreateNew).map_err(failed("create `tables.db`"))?;
    file.write_at(&page::first(), 0).map_err(failed("write `tables.db`"))?;
    file.sync().map_err(failed("sync `tables.db`"))?;
    disk.rename(FRESH, FILE).map_err(failed("rename `tables.db`"))?;
    disk.sync_folder("").map_err(failed("sync the folder"))
}

/// Removes the journal after a clean close, so that the folder holds no byte without a meaning.
pub(super) fn remove_journal(disk: &dyn Disk) -> Result<(), StoreError> {
    if disk.exists(JOURNAL).map_err(failed("look for `tables.db-journal`"))? {
        remove(disk, JOURNAL)?;
        disk.sync_folder("").map_err(failed("sync the folder"))?;
    }
    Ok(())
}

fn remove(disk: &dyn Disk, name: &str) -> Result<(), StoreError> {
    match disk.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io(format_args!("remove `{name}`"), &error))
        }
        _ => Ok(()),
    }
}

/// What a rollback journal says about the file beside it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// There is nothing to roll back.
    No,
    /// A transaction of this file was cut short; SQLite rolls it back at the next open for writing.
    Yes,
    /// The journal belongs to another moment of the file, or never came to be used.
    Stale,
}

/// Judges the rollback journal.
///
/// Each of our transactions first journals page 1 and gives it the next generation. So a journal is of use
/// only if page 1 now is torn, or is of the journal's generation, or of the one after. A `tables.db` of
/// another moment that was put back must not be mixed with it.
pub(super) fn interrupted(disk: &dyn Disk) -> Result<Interrupted, StoreError> {
    if !disk.exists(JOURNAL).map_err(failed("look for `tables.db-journal`"))? {
        return Ok(Interrupted::No);
    }
    let Some(before) = journalled_first_page(disk)? else { return Ok(Interrupted::Stale) };
    let Some(now) = first_page(disk)? else { return Ok(Interrupted::Stale) };
    if !page::is_intact(1, &now) {
        return Ok(Interrupted::Yes);
    }
    let unwritten = page::generation(&now) == page::generation(&before) && same_content(&now, &before);
    let written = page::generation(&now) == page::generation(&before).wrapping_add(1);
    Ok(if unwritten || written { Interrupted::Yes } else { Interrupted::Stale })
}

/// Lets a stale journal go.
pub(super) fn settle(disk: &dyn Disk) -> Result<(), StoreError> {
    match interrupted(disk)? {
        Interrupted::Stale => remove_journal(disk),
        Interrupted::No | Interrupted::Yes => Ok(()),
    }
}

fn same_content(one: &Page, other: &Page) -> bool {
    one[..PAGE_BYTES - page::SUM_BYTES] == other[..PAGE_BYTES - page::SUM_BYTES]
}

/// Page 1 as it is now, if the file has one.
pub(super) fn first_page(disk: &dyn Disk) -> Result<Option<Page>, StoreError> {
    let file = disk.open(FILE, Mode::Read).map_err(failed("open `tables.db`"))?;
    let mut page = [0; PAGE_BYTES];
    let read = file.read_at(&mut page, 0).map_err(failed("read `tables.db`"))?;
    Ok((read == PAGE_BYTES).then_some(page))
}

/// Page 1 as it was before the transaction: the journal's first record.
///
/// **Errors**: a journal in use that does not begin with page 1; it is not as SQLite wrote it.
fn journalled_first_page(disk: &dyn Disk) -> Result<Option<Page>, StoreError> {
    let file = disk.open(JOURNAL, Mode::Read).map_err(failed("open `tables.db-journal`"))?;
    let mut header = [0; 28];
    let read = file.read_at(&mut header, 0).map_err(failed("read `tables.db-journal`"))?;
    if read < header.len() || header[..8] != MAGIC {
        // SQLite syncs a journal before it touches the file: one without a head was never used.
        return Ok(None);
    }
    let sector = u64::from(page::number(&header, 20).unwrap_or(0));
    let mut record = [0; 4 + PAGE_BYTES];
    let read = file.read_at(&mut record, sector).map_err(failed("read `tables.db-journal`"))?;
    let (number, content) = record.split_at(4);
    match (number, <Page>::try_from(content)) {
        ([0, 0, 0, 1], Ok(page)) if read == record.len() && sector == PAGE_LENGTH => Ok(Some(page)),
        _ if read < record.len() || record.iter().all(|byte| *byte == 0) => Ok(None),
        _ => Err(StoreError::corrupt(JOURNAL, "its first record", "not the page that was journalled first")),
    }
}
