//! Seals: which usage a billing period was read at.

use metering::Instant;
use rusqlite::{Connection, params};

use super::Tables;
use super::sql::{Failure, Query, instant, int, small, unknown, whole};
use crate::error::StoreError;
use crate::hash::Hash;
use crate::row::Cut;

/// A sealed billing period of a seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSeal {
    /// The seller.
    pub seller: String,
    /// The billing period's name.
    pub period: String,
    /// The instant the seal reaches to.
    pub end: Instant,
    /// The usage it read.
    pub cut: Cut,
    /// Why it was sealed early; absent when the grace had passed.
    pub override_reason: Option<String>,
    /// The journal row that sealed it.
    pub by_row: u64,
}

pub(super) fn add(connection: &Connection, place: usize, seal: &StoredSeal) -> Result<(), Failure> {
    connection.execute(
        "INSERT INTO seals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            int(seal.by_row)?,
            int(place as u64)?,
            seal.seller,
            seal.period,
            seal.end.0,
            seal.cut.shard,
            seal.cut.incarnation,
            int(seal.cut.position)?,
            seal.cut.block_hash.to_string(),
            seal.override_reason
        ],
    )?;
    Ok(())
}

impl Tables {
    /// Every seal, in the order of the journal.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn seals(&self) -> Result<Vec<StoredSeal>, StoreError> {
        self.database.with(|connection| {
            Query::new(
                "SELECT by_row, seller, period, end_at, shard, incarnation, position, block_hash, \
                 override_reason FROM seals",
            )
            .rows(connection, "by_row, place", read)
        })
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredSeal> {
    let hash: String = row.get(7)?;
    Ok(StoredSeal {
        by_row: whole(row, 0)?,
        seller: row.get(1)?,
        period: row.get(2)?,
        end: instant(row, 3)?,
        cut: Cut {
            shard: small(row, 4)?,
            incarnation: small(row, 5)?,
            position: whole(row, 6)?,
            block_hash: hash.parse::<Hash>().map_err(|_| unknown(7, "64 hex digits", &hash))?,
        },
        override_reason: row.get(8)?,
    })
}
