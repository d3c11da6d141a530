//! SQLite tables derived from the journal and the log.
//!
//! **Owns**: `tables.db` (and its rollback journal): terms, accounts, personal fields, seals, invoices, the
//! ledger's entries, quarantine, fates, commands. **Does not own**: any truth but the values of personal
//! fields; everything else can be deleted and is derived again.
//!
//! **Invariants**
//! * Rows apply in order of their numbers, blocks in order of their positions, each once; how the two are
//!   interleaved changes nothing.
//! * The tables say which row and block they hold last, with their hashes: one that does not continue them
//!   is refused.
//! * Every page carries a checksum, free pages included; a crash at any moment leaves the last commit.
//! * No amount is a binary fraction: amounts are decimal texts and are summed as minor units.
//!
//! **Entry points**: [`Tables::open`], [`Tables::apply_row`], [`Tables::apply_block`], [`check_pages`].

mod accounts;
mod blocks;
mod changes;
mod check;
mod commands;
mod database;
mod dump;
mod entries;
mod fates;
mod files;
mod invoices;
mod page;
mod quarantine;
mod rows;
mod schema;
mod seals;
mod sql;
mod terms;
mod vfs;

use std::fmt;
use std::sync::Arc;

use rusqlite::OptionalExtension;

pub use accounts::{PersonalField, StoredAccount};
pub use check::{PageCheck, PageFinding, check_pages};
pub use dump::{Difference, Dump};
pub use entries::{Balance, EntryFilter, StoredEntry};
pub use fates::StoredFate;
pub use invoices::{InvoiceFilter, InvoiceStatus, StoredInvoice};
pub use quarantine::{QuarantineFilter, QuarantineRow};
pub use seals::StoredSeal;
pub use terms::StoredTerm;

use crate::disk::Disk;
use crate::error::{ErrorKind, StoreError};
use crate::hash::Hash;
use database::Database;
use sql::whole;

/// The last row and block that the tables hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The number of the last row; 0 before the first.
    pub row: u64,
    /// That row's hash; zero before the first.
    pub row_hash: Hash,
    /// The position after the last block; 0 before the first.
    pub position: u64,
    /// That block's hash; zero before the first.
    pub block_hash: Hash,
}

impl Applied {
    const NOTHING: Self = Self { row: 0, row_hash: Hash::ZERO, position: 0, block_hash: Hash::ZERO };
}

/// The tables of one store.
pub struct Tables {
    database: Database,
    /// Where they lie; absent in memory.
    disk: Option<Arc<dyn Disk>>,
    applied: Applied,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("disk", &self.disk).field("applied", &self.applied).finish()
    }
}

impl Tables {
    /// Opens the tables of a folder, and makes empty ones where there are none or an older build made them.
    ///
    /// A transaction that a crash interrupted is rolled back first. The caller then applies what comes after
    /// [`Tables::applied`].
    ///
    /// **Errors**: `corrupt` when a page is not what was written ([`Tables::recreate`] then helps);
    /// `folder_newer`; those of the file layer.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        if files::exists(disk.as_ref())? {
            files::settle(disk.as_ref())?;
        } else {
            files::create(disk.as_ref())?;
        }
        let mut tables = Self::attach(disk, false)?;
        match tables.stored_version()? {
            Some(schema::VERSION) => {}
            Some(newer) if newer > schema::VERSION => {
                return Err(StoreError::new(
                    ErrorKind::Newer,
                    "folder_newer",
                    format!(
                        "`{}` has schema version `{newer}`, this build reads up to {}",
                        files::FILE,
                        schema::VERSION
                    ),
                    "use the newer version of counterfoil, or remove that file to have it derived anew",
                ));
            }
            None | Some(_) => tables.reset()?,
        }
        tables.applied = tables.read_applied()?;
        Ok(tables)
    }

    /// Opens the tables of a folder without writing a byte; none where there are none, where an older build
    /// made them, or where a crash interrupted a transaction that has to be rolled back first.
    ///
    /// **Errors**: as [`Tables::open`].
    pub fn open_read_only(disk: Arc<dyn Disk>) -> Result<Option<Self>, StoreError> {
        if !files::exists(disk.as_ref())? || files::interrupted(disk.as_ref())? == files::Interrupted::Yes {
            return Ok(None);
        }
        let mut tables = Self::attach(disk, true)?;
        if tables.stored_version()? != Some(schema::VERSION) {
            return Ok(None);
        }
        tables.applied = tables.read_applied()?;
        Ok(Some(tables))
    }

    /// Puts empty tables in place of whatever is there. Values of personal fields are then lost.
    ///
    /// **Errors**: those of the file layer; the old file then stands.
    pub fn recreate(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        files::create(disk.as_ref())?;
        Self::open(disk)
    }

    /// Empty tables that no file holds.
    ///
    /// **Errors**: SQLite cannot start.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut tables = Self { database: Database::in_memory()?, disk: None, applied: Applied::NOTHING };
        tables.reset()?;
        Ok(tables)
    }

    fn attach(disk: Arc<dyn Disk>, read_only: bool) -> Result<Self, StoreError> {
        match files::first_page(disk.as_ref())? {
            Some(_) => {}
            None => return Err(StoreError::corrupt(files::FILE, "page 1", "a page that is cut short")),
        }
        let database = Database::open(Arc::clone(&disk), read_only)?;
        Ok(Self { database, disk: Some(disk), applied: Applied::NOTHING })
    }

    /// Which row the tables hold last, and up to which position they hold blocks.
    pub fn applied(&self) -> (u64, u64) {
        (self.applied.row, self.applied.position)
    }

    /// The same with hashes: tables of another journal or log are told by them.
    pub fn applied_to(&self) -> Applied {
        self.applied
    }

    /// Commits and closes the tables; the folder then holds no rollback journal.
    ///
    /// **Errors**: those of the file layer; what was committed before stays.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.commit()?;
        let Self { database, disk, .. } = self;
        database.close()?;
        disk.map_or(Ok(()), |disk| files::remove_journal(disk.as_ref()))
    }

    fn stored_version(&self) -> Result<Option<i64>, StoreError> {
        self.database.with(|connection| {
            let there: bool = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta')",
                [],
                |row| row.get(0),
            )?;
            if !there {
                return Ok(None);
            }
            Ok(connection.query_row("SELECT schema_version FROM meta", [], |row| row.get(0)).optional()?)
        })
    }

    fn read_applied(&self) -> Result<Applied, StoreError> {
        self.database.with(|connection| {
            let hash = |row: &rusqlite::Row<'_>, column: usize| {
                let text: String = row.get(column)?;
                text.parse::<Hash>().map_err(|_| sql::unknown(column, "64 hex digits", &text))
            };
            Ok(connection.query_row(
                "SELECT applied_row, applied_row_hash, applied_position, applied_block_hash FROM meta",
                [],
                |row| {
                    Ok(Applied {
                        row: whole(row, 0)?,
                        row_hash: hash(row, 1)?,
                        position: whole(row, 2)?,
                        block_hash: hash(row, 3)?,
                    })
                },
            )?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use rusqlite::params;

    fn with_version(version: i64) -> (tempfile::TempDir, Arc<dyn Disk>) {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::create(folder.path()).unwrap());
        let mut tables = Tables::open(Arc::clone(&disk)).unwrap();
        tables
            .change(|connection, applied| {
                connection.execute("UPDATE meta SET schema_version = ?1", [version])?;
                connection.execute_batch("CREATE TABLE left_over (a TEXT) STRICT")?;
                connection.execute("INSERT INTO personal_values VALUES ('a', 'name', 'h', 'Ada', 1)", [])?;
                applied.row = 7;
                Ok(())
            })
            .unwrap();
        tables.close().unwrap();
        (folder, disk)
    }

    fn count(tables: &Tables, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'");
        tables.database.with(|connection| Ok(connection.query_row(&sql, [], |row| row.get(0))?)).unwrap()
    }

    #[test]
    fn tables_of_an_older_schema_are_emptied_to_be_derived_anew() {
        let (_folder, disk) = with_version(schema::VERSION - 1);
        assert!(Tables::open_read_only(Arc::clone(&disk)).unwrap().is_none());
        let tables = Tables::open(disk).unwrap();
        assert_eq!(tables.applied(), (0, 0));
        assert_eq!((count(&tables, "left_over"), count(&tables, "terms")), (0, 1));
        let sql = "SELECT value FROM personal_values";
        let kept: String =
            tables.database.with(|connection| Ok(connection.query_row(sql, [], |row| row.get(0))?)).unwrap();
        assert_eq!(kept, "Ada");
    }

    /// With erased content left in place, SQLite skips pages that were taken and freed in one transaction.
    #[test]
    fn pages_that_were_never_written_have_a_checksum_too() {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::create(folder.path()).unwrap());
        let mut tables = Tables::open(Arc::clone(&disk)).unwrap();
        tables
            .database
            .with(|connection| Ok(connection.execute_batch("PRAGMA secure_delete = OFF")?))
            .unwrap();
        tables
            .change(|connection, _| {
                let insert = "INSERT INTO personal_values VALUES (?1, 'f', 'h', ?2, 1)";
                connection.execute(insert, params!["gone", "x".repeat(100_000)])?;
                connection.execute(insert, params!["stays", "y".repeat(100_000)])?;
                connection.execute("DELETE FROM personal_values WHERE account = 'gone'", [])?;
                Ok(())
            })
            .unwrap();
        tables.close().unwrap();
        let check = check_pages(disk.as_ref()).unwrap();
        assert!(check.pages > 60, "{} pages", check.pages);
        assert_eq!(check.findings, []);
    }

    #[test]
    fn tables_of_this_schema_stay_and_of_a_newer_one_are_refused() {
        let (_folder, disk) = with_version(schema::VERSION);
        assert_eq!(Tables::open(disk).unwrap().applied(), (7, 0));
        let (_folder, disk) = with_version(schema::VERSION + 1);
        let error = Tables::open(disk).unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Newer, "folder_newer"));
    }
}
