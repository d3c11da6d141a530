//! The connection to SQLite, and what its errors mean.

use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::files::FILE;
use super::sql::Failure;
use super::vfs::{self, Mount};
use crate::disk::Disk;
use crate::error::{ErrorKind, StoreError};

/// How SQLite is used: no file but ours, one writer, every commit durable before the next begins, and
/// overwritten personal values zeroed.
const SETTINGS: &str = "
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = TRUNCATE;
PRAGMA synchronous = FULL;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = ON;
PRAGMA cache_size = -16384;
PRAGMA foreign_keys = OFF;
PRAGMA trusted_schema = OFF;
";

/// An open connection.
#[derive(Debug)]
pub(super) struct Database {
    /// Absent only while it is being closed.
    connection: Option<Connection>,
    /// The folder it lies in; absent in memory.
    mount: Option<Arc<Mount>>,
}

impl Database {
    /// Opens the file of a folder; it must be there.
    pub(super) fn open(disk: Arc<dyn Disk>, read_only: bool) -> Result<Self, StoreError> {
        let access =
            if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        let mount = Mount::add(disk, read_only)?;
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags_and_vfs(mount.path(), flags, vfs::NAME);
        let mut database = Self { connection: None, mount: Some(mount) };
        database.connection = Some(opened.map_err(|error| database.error(error.into()))?);
        database.with(|connection| Ok(connection.execute_batch(SETTINGS)?))?;
        Ok(database)
    }

    /// A database that no file holds.
    pub(super) fn in_memory() -> Result<Self, StoreError> {
        let database = Self { connection: None, mount: None };
        let opened = Connection::open_in_memory_with_flags(
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        );
        Ok(Self { connection: Some(opened.map_err(|error| database.error(error.into()))?), mount: None })
    }

    /// Runs statements.
    pub(super) fn with<T>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let Some(connection) = &self.connection else { return Err(closed()) };
        // What SQLite got over before explains no failure of what is run now.
        self.mount.as_ref().and_then(|mount| mount.take_trouble());
        run(connection).map_err(|failure| self.error(failure))
    }

    /// Whether a transaction is open.
    pub(super) fn in_transaction(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| !connection.is_autocommit())
    }

    /// Closes the connection; what was not committed is rolled back.
    pub(super) fn close(mut self) -> Result<(), StoreError> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let closed = connection.close().map_err(|(connection, error)| {
            self.connection = Some(connection);
            error
        });
        closed.map_err(|error| self.error(error.into()))?;
        // SQLite syncs an empty journal once more and keeps a failure to itself.
        match self.mount.as_ref().and_then(|mount| mount.take_trouble()) {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    /// What the caller can do about a failure: the file layer knows more than SQLite hands on.
    fn error(&self, failure: Failure) -> StoreError {
        let trouble = self.mount.as_ref().and_then(|mount| mount.take_trouble());
        match (trouble, failure) {
            (_, Failure::Store(error)) => error,
            (Some(trouble), Failure::Sql(_)) => trouble,
            (None, Failure::Sql(error)) => meaning(&error),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The connection's own drop ignores errors too: a rollback left undone is done at the next open.
        drop(self.connection.take());
        if let Some(mount) = &self.mount {
            mount.remove();
        }
    }
}

fn closed() -> StoreError {
    StoreError::new(ErrorKind::Closed, "tables_closed", "the tables are closed", "open the store again")
}

fn meaning(error: &rusqlite::Error) -> StoreError {
    use rusqlite::Error as E;
    match error {
        E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) => {
            StoreError::corrupt(FILE, "a stored value", error)
        }
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::corrupt(FILE, "its structure", error)
            }
            Some(ErrorCode::ReadOnly) => StoreError::new(
                ErrorKind::Invalid,
                "tables_read_only",
                "the tables are open for reading only",
                "open the store for writing",
            ),
            Some(ErrorCode::ConstraintViolation) => StoreError::corrupt(FILE, "a constraint", error),
            _ => StoreError::new(
                ErrorKind::Unavailable,
                "tables_failed",
                format!("could not use `{FILE}`: {error}"),
                "run the command again; if it fails again, run `counterfoil verify`",
            ),
        },
    }
}
