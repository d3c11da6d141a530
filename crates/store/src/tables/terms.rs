//! Terms: every version ever recorded.

use metering::Instant;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::sql::{Failure, Query, canonical, instant, int, json, small, whole};
use super::{Tables, accounts};
use crate::error::StoreError;
use crate::row::Row;

/// One version of a term.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTerm {
    /// `seller`, `meter`, `price`, `plan`, `account`, `contract`, `policy`.
    pub kind: String,
    /// The name within the kind.
    pub name: String,
    /// 1, 2, 3 … within (kind, name).
    pub version: u32,
    /// From when it holds.
    pub effective_at: Instant,
    /// The journal row that recorded it.
    pub recorded_at: u64,
    /// When that row was written.
    pub recorded_time: Instant,
    /// The document, without personal fields.
    pub body: Value,
}

/// A version as its effect states it.
pub(super) struct NewTerm<'a> {
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) version: u32,
    pub(super) effective_at: Instant,
    pub(super) body: &'a Value,
}

pub(super) fn add(connection: &Connection, row: &Row, term: &NewTerm<'_>) -> Result<(), Failure> {
    connection.execute(
        "INSERT INTO terms VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            term.kind,
            term.name,
            term.version,
            term.effective_at.0,
            int(row.number)?,
            row.recorded_at.0,
            canonical(term.body)
        ],
    )?;
    if term.kind == "account" { accounts::state(connection, term.name, row.number) } else { Ok(()) }
}

const SELECT: &str = "SELECT kind, name, version, effective_at, recorded_at, recorded_time, body FROM terms";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredTerm> {
    Ok(StoredTerm {
        kind: row.get(0)?,
        name: row.get(1)?,
        version: small(row, 2)?,
        effective_at: instant(row, 3)?,
        recorded_at: whole(row, 4)?,
        recorded_time: instant(row, 5)?,
        body: json(row, 6)?,
    })
}

impl Tables {
    /// Every version of every term, by kind, name and version.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn terms(&self) -> Result<Vec<StoredTerm>, StoreError> {
        self.terms_as_known_at(u64::MAX)
    }

    /// The same, without what was recorded after a journal row.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn terms_as_known_at(&self, row: u64) -> Result<Vec<StoredTerm>, StoreError> {
        let known = i64::try_from(row).unwrap_or(i64::MAX);
        self.database.with(|connection| {
            let mut statement = connection
                .prepare(&format!("{SELECT} WHERE recorded_at <= ?1 ORDER BY kind, name, version"))?;
            let rows = statement.query_map([known], read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Every version of one term, ascending.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn term(&self, kind: &str, name: &str) -> Result<Vec<StoredTerm>, StoreError> {
        self.database.with(|connection| {
            Query::new(SELECT)
                .equals("kind", Some(kind.to_owned()))
                .equals("name", Some(name.to_owned()))
                .rows(connection, "version", read)
        })
    }
}
