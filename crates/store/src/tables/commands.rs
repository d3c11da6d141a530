//! Commands: every journal row, for its result to be found again.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::Tables;
use super::sql::{Failure, canonical, contradiction, int, json, whole};
use crate::error::StoreError;
use crate::row::Row;

pub(super) fn add(connection: &Connection, row: &Row) -> Result<(), Failure> {
    let class = serde_json::to_value(row.draft.class).ok();
    let Some(class) = class.as_ref().and_then(Value::as_str) else {
        return Err(contradiction(format_args!("journal row {}", row.number), "its class has no name"));
    };
    connection.execute(
        "INSERT INTO commands VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            int(row.number)?,
            row.recorded_at.0,
            class,
            row.draft.actor,
            row.draft.reason,
            row.draft.command,
            row.draft.idempotency_key,
            canonical(&row.draft.result)
        ],
    )?;
    Ok(())
}

impl Tables {
    /// The number and result of the first row that carries an idempotency key.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn command_by_key(&self, idempotency_key: &str) -> Result<Option<(u64, Value)>, StoreError> {
        self.database.with(|connection| {
            let sql =
                "SELECT number, result FROM commands WHERE idempotency_key = ?1 ORDER BY number LIMIT 1";
            let read = |row: &rusqlite::Row<'_>| Ok((whole(row, 0)?, json(row, 1)?));
            Ok(connection.query_row(sql, [idempotency_key], read).optional()?)
        })
    }
}
