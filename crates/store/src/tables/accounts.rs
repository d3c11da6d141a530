//! Accounts, and the personal fields that can be erased.

use rusqlite::{Connection, OptionalExtension, params};

use super::Tables;
use super::sql::{Failure, Query, int, whole_or_none};
use crate::block::Block;
use crate::error::{ErrorKind, StoreError};

/// An account: stated by a document, or created by the first event that named it, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccount {
    /// Its name.
    pub name: String,
    /// The position of the event that created it; absent where none did.
    pub first_position: Option<u64>,
    /// The first journal row that stated it; absent where none did.
    pub by_row: Option<u64>,
}

/// A personal field of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalField {
    /// The account.
    pub account: String,
    /// The field's name.
    pub field: String,
    /// The keyed hash by which the journal knows the value; absent when the field was erased.
    pub hash: Option<String>,
    /// The value; absent when it was erased, or lost with the tables that held it.
    pub value: Option<String>,
}

/// A document states an account.
pub(super) fn state(connection: &Connection, name: &str, row: u64) -> Result<(), Failure> {
    connection.execute(
        "INSERT INTO accounts (name, by_row) VALUES (?1, ?2) \
         ON CONFLICT (name) DO UPDATE SET by_row = coalesce(by_row, excluded.by_row)",
        params![name, int(row)?],
    )?;
    Ok(())
}

/// Events are the first to name accounts.
pub(super) fn see(connection: &Connection, blocks: &[Block]) -> Result<(), Failure> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO accounts (name, first_position) VALUES (?1, ?2) \
         ON CONFLICT (name) DO UPDATE SET first_position = coalesce(first_position, excluded.first_position)",
    )?;
    let seen = blocks.iter().flat_map(|block| {
        let of_block = block.draft.first_sight.iter();
        of_block.map(|seen| (seen.account.as_str(), block.position + u64::from(seen.index)))
    });
    // In the order in which they stand, a page of the table is changed once. Of the same name the first comes first.
    let mut seen: Vec<(&str, u64)> = seen.collect();
    seen.sort_unstable();
    for (name, position) in seen {
        insert.execute(params![name, int(position)?])?;
    }
    Ok(())
}

/// A personal field is written or erased.
///
/// The value of an earlier row goes, unless it is the one that is written again. A value of this or a later
/// row is there already while the tables are derived anew, and stays.
pub(super) fn set_personal(
    connection: &Connection,
    row: u64,
    account: &str,
    field: &str,
    hash: Option<&str>,
) -> Result<(), Failure> {
    connection.execute(
        "INSERT INTO personal VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (account, field) DO UPDATE SET hash = excluded.hash, by_row = excluded.by_row",
        params![account, field, hash, int(row)?],
    )?;
    connection.execute(
        "DELETE FROM personal_values WHERE account = ?1 AND field = ?2 AND by_row < ?4 AND hash IS NOT ?3",
        params![account, field, hash, int(row)?],
    )?;
    Ok(())
}

impl Tables {
    /// Every account, by name.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError> {
        self.database.with(|connection| {
            Query::new("SELECT name, first_position, by_row FROM accounts").rows(connection, "name", |row| {
                Ok(StoredAccount {
                    name: row.get(0)?,
                    first_position: whole_or_none(row, 1)?,
                    by_row: whole_or_none(row, 2)?,
                })
            })
        })
    }

    /// Whether an account is known.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn has_account(&self, name: &str) -> Result<bool, StoreError> {
        self.database.with(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM accounts WHERE name = ?1)";
            Ok(connection.query_row(sql, [name], |row| row.get(0))?)
        })
    }

    /// The personal fields of an account, by name, erased ones included.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn personal(&self, account: &str) -> Result<Vec<PersonalField>, StoreError> {
        self.database.with(|connection| {
            Query::new(
                "SELECT account, field, p.hash, v.value FROM personal p \
                 LEFT JOIN personal_values v USING (account, field, hash)",
            )
            .equals("account", Some(account.to_owned()))
            .rows(connection, "field", |row| {
                Ok(PersonalField {
                    account: row.get(0)?,
                    field: row.get(1)?,
                    hash: row.get(2)?,
                    value: row.get(3)?,
                })
            })
        })
    }

    /// Keeps the value of a personal field whose row was applied.
    ///
    /// **Errors**: `personal_not_stated` when the field's last row does not state that hash; those of the
    /// file layer.
    pub fn put_personal(
        &mut self,
        account: &str,
        field: &str,
        value: &str,
        hash: &str,
    ) -> Result<(), StoreError> {
        self.change(|connection, _| {
            let sql = "SELECT by_row FROM personal WHERE account = ?1 AND field = ?2 AND hash = ?3";
            let stated: Option<i64> =
                connection.query_row(sql, params![account, field, hash], |row| row.get(0)).optional()?;
            let Some(by_row) = stated else {
                return Err(Failure::Store(StoreError::new(
                    ErrorKind::Invalid,
                    "personal_not_stated",
                    format!("no journal row states that value of field `{field}` of account `{account}`"),
                    "apply the row first",
                )));
            };
            connection.execute(
                "INSERT INTO personal_values VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (account, field, hash) DO UPDATE SET value = excluded.value, by_row = excluded.by_row",
                params![account, field, hash, value, by_row],
            )?;
            Ok(())
        })
    }
}
