//! How the tables change: rows and blocks in order, each once, each whole or not at all.

use rusqlite::{Connection, params};

use super::sql::{Failure, contradiction, int};
use super::{Applied, Tables, blocks, rows, schema};
use crate::block::Block;
use crate::error::{ErrorKind, StoreError};
use crate::hash::Hash;
use crate::row::Row;

impl Tables {
    /// Opens a transaction, if none is open: what follows becomes durable together, at [`Tables::commit`].
    ///
    /// **Errors**: those of the file layer.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        if self.database.in_transaction() {
            return Ok(());
        }
        self.database.with(|connection| {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            // Page 1 is the first that each transaction journals, with a generation of its own: see `files`.
            let generation: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Ok(connection.execute_batch(&format!("PRAGMA user_version = {}", generation.wrapping_add(1)))?)
        })
    }

    /// Commits the open transaction, if there is one: its changes are on disk when this returns.
    ///
    /// **Errors**: those of the file layer; nothing of the transaction then holds, and
    /// [`Tables::applied`] says what does.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if !self.database.in_transaction() {
            return Ok(());
        }
        let committed = self.database.with(|connection| Ok(connection.execute_batch("COMMIT")?));
        committed.or_else(|error| self.abandon(error))
    }

    /// Applies a journal row. One that was applied before changes nothing.
    ///
    /// Outside of a transaction it is one of its own, and durable when this returns.
    ///
    /// **Errors**: `tables_gap` when rows before it are missing; `tables_contradicted` when it does not
    /// continue the journal the tables were derived from, or what it does cannot follow what was done;
    /// those of the file layer. Nothing of the row is then applied.
    pub fn apply_row(&mut self, row: &Row) -> Result<(), StoreError> {
        if row.number <= self.applied.row {
            return Ok(());
        }
        let (next, previous) = (self.applied.row + 1, self.applied.row_hash);
        self.change(|connection, applied| {
            if row.number != next {
                return Err(gap("row", next, row.number));
            }
            if row.previous != previous {
                return Err(contradiction(
                    format_args!("journal row {}", row.number),
                    "the tables were derived from another journal",
                ));
            }
            rows::apply(connection, row)?;
            (applied.row, applied.row_hash) = (row.number, row.hash);
            Ok(())
        })
    }

    /// Applies a block of the log: [`Tables::apply_blocks`] of one.
    ///
    /// **Errors**: as [`Tables::apply_blocks`].
    pub fn apply_block(&mut self, block: &Block) -> Result<(), StoreError> {
        self.apply_blocks(std::slice::from_ref(block))
    }

    /// Applies blocks of the log, in order. Those that were applied before change nothing. What several of them say of
    /// one row of a table is written once.
    ///
    /// Outside of a transaction they are one of their own, and durable when this returns.
    ///
    /// **Errors**: as [`Tables::apply_row`]. Nothing of the blocks is then applied, nor of the transaction that was open:
    /// [`Tables::applied`] says what is.
    pub fn apply_blocks(&mut self, blocks: &[Block]) -> Result<(), StoreError> {
        let from = blocks.partition_point(|block| block.end() <= self.applied.position);
        let Some(blocks) = blocks.get(from..).filter(|blocks| !blocks.is_empty()) else { return Ok(()) };
        let joined = self.database.in_transaction();
        if !joined {
            self.begin()?;
        }
        let mut applied = self.applied;
        let changed = self.database.with(|connection| {
            for block in blocks {
                if block.position != applied.position {
                    return Err(gap("block at position", applied.position, block.position));
                }
                if block.previous != applied.block_hash {
                    return Err(contradiction(
                        format_args!("block at position {}", block.position),
                        "the tables were derived from another log",
                    ));
                }
                (applied.position, applied.block_hash) = (block.end(), block.hash);
            }
            blocks::apply(connection, blocks)?;
            write_applied(connection, &applied)
        });
        match changed {
            Ok(()) => self.applied = applied,
            Err(error) => return self.abandon(error),
        }
        if joined { Ok(()) } else { self.commit() }
    }

    /// Empties the tables, so that all rows and blocks can be applied again. Values of personal fields stay.
    ///
    /// **Errors**: those of the file layer.
    pub fn reset(&mut self) -> Result<(), StoreError> {
        self.change(|connection, applied| {
            let mut statement = connection.prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'personal_values' \
                 AND name NOT LIKE 'sqlite_%'",
            )?;
            let names =
                statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
            for name in names {
                connection.execute_batch(&format!("DROP TABLE \"{name}\""))?;
            }
            connection.execute_batch(schema::CREATE)?;
            connection.execute_batch(schema::PERSONAL_VALUES)?;
            connection.execute(
                "INSERT INTO meta VALUES (1, ?1, 0, ?2, 0, ?2)",
                params![schema::VERSION, Hash::ZERO.to_string()],
            )?;
            *applied = Applied::NOTHING;
            Ok(())
        })
    }

    /// Changes tables and `meta` together, or nothing.
    pub(super) fn change(
        &mut self,
        run: impl FnOnce(&Connection, &mut Applied) -> Result<(), Failure>,
    ) -> Result<(), StoreError> {
        let joined = self.database.in_transaction();
        if joined {
            self.database.with(|connection| Ok(connection.execute_batch("SAVEPOINT change")?))?;
        } else {
            self.begin()?;
        }
        let mut applied = self.applied;
        let changed = self.database.with(|connection| {
            run(connection, &mut applied)?;
            write_applied(connection, &applied)?;
            if joined {
                connection.execute_batch("RELEASE change")?;
            }
            Ok(())
        });
        match changed {
            Ok(()) => self.applied = applied,
            // A failure of the file layer may have ended the whole transaction.
            Err(error) if joined && self.database.in_transaction() => {
                let undo = "ROLLBACK TO change; RELEASE change";
                return match self.database.with(|connection| Ok(connection.execute_batch(undo)?)) {
                    Ok(()) => Err(error),
                    Err(_) => self.abandon(error),
                };
            }
            Err(error) => return self.abandon(error),
        }
        if joined { Ok(()) } else { self.commit() }
    }

    /// Gives the open transaction up after a failure and remembers what then holds.
    fn abandon(&mut self, error: StoreError) -> Result<(), StoreError> {
        if self.database.in_transaction() {
            // The failure that led here is the one to report; the next open rolls back what this cannot.
            let _ = self.database.with(|connection| Ok(connection.execute_batch("ROLLBACK")?));
        }
        self.applied = self.read_applied().unwrap_or(Applied::NOTHING);
        Err(error)
    }
}

fn gap(what: &str, expected: u64, found: u64) -> Failure {
    Failure::Store(StoreError::new(
        ErrorKind::Invalid,
        "tables_gap",
        format!("expected {what} {expected} next, found `{found}`"),
        "apply rows and blocks in order, from the ones the tables name",
    ))
}

fn write_applied(connection: &Connection, applied: &Applied) -> Result<(), Failure> {
    let mut update = connection.prepare_cached(
        "UPDATE meta SET applied_row = ?1, applied_row_hash = ?2, applied_position = ?3, applied_block_hash = ?4",
    )?;
    update.execute(params![
        int(applied.row)?,
        applied.row_hash.to_string(),
        int(applied.position)?,
        applied.block_hash.to_string()
    ])?;
    Ok(())
}
