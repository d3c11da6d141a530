//! Quarantine: what was rejected or conflicts. The bytes stay in the log.

use metering::Instant;
use rusqlite::{Connection, params};

use super::Tables;
use super::sql::{Failure, Query, contradiction, instant, int, whole};
use crate::block::Block;
use crate::error::StoreError;

/// Which records in quarantine are wanted; an absent field takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    /// The record at this position.
    pub position: Option<u64>,
    /// Records with this code.
    pub code: Option<String>,
    /// Records of this feed.
    pub feed: Option<String>,
    /// Records that told this source.
    pub source: Option<String>,
    /// Records that were received then or later.
    pub from: Option<Instant>,
    /// Records that were received before.
    pub to: Option<Instant>,
    /// Records in this state: `open`, `replayed`, `dismissed`.
    pub status: Option<String>,
}

/// A record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Its position in the log.
    pub position: u64,
    /// The feed it came in by.
    pub feed: String,
    /// Its place in the feed; 0 where there is none.
    pub line: u64,
    /// The code.
    pub code: String,
    /// The message the sender was given.
    pub message: String,
    /// The format its bytes are in.
    pub format: String,
    /// The source, where the record told it.
    pub source: Option<String>,
    /// The id, where the record told it.
    pub id: Option<String>,
    /// When it was received.
    pub received_at: Instant,
    /// `open`, or what a journal row made of it.
    pub status: String,
}

pub(super) fn add(connection: &Connection, block: &Block) -> Result<(), Failure> {
    let mut insert =
        connection.prepare_cached("INSERT INTO quarantine VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for kept in &block.draft.kept {
        if kept.index >= block.draft.records {
            let what =
                format_args!("expected an index below {}, found `{}`", block.draft.records, kept.index);
            return Err(contradiction(format_args!("block at position {}", block.position), what));
        }
        insert.execute(params![
            int(block.position + u64::from(kept.index))?,
            kept.feed,
            int(kept.line)?,
            kept.code.as_str(),
            kept.message,
            kept.format,
            kept.source,
            kept.id,
            block.draft.received_at.0
        ])?;
    }
    Ok(())
}

/// A row changes the state of a record, whether or not the record's block was applied yet.
pub(super) fn set_status(
    connection: &Connection,
    row: u64,
    position: u64,
    status: &str,
) -> Result<(), Failure> {
    connection.execute(
        "INSERT INTO quarantine_status VALUES (?1, ?2, ?3) \
         ON CONFLICT (position) DO UPDATE SET status = excluded.status, by_row = excluded.by_row",
        params![int(position)?, status, int(row)?],
    )?;
    Ok(())
}

impl Tables {
    /// The records in quarantine, by position.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn quarantine(&self, filter: &QuarantineFilter) -> Result<Vec<QuarantineRow>, StoreError> {
        self.database.with(|connection| {
            Query::new(
                "SELECT position, feed, line, code, message, format, source, id, received_at, \
                 coalesce(s.status, 'open') FROM quarantine LEFT JOIN quarantine_status s USING (position)",
            )
            .equals("position", filter.position.map(int).transpose()?)
            .equals("code", filter.code.clone())
            .equals("feed", filter.feed.clone())
            .equals("source", filter.source.clone())
            .within("received_at", filter.from.map(|from| from.0), filter.to.map(|to| to.0))
            .equals("coalesce(s.status, 'open')", filter.status.clone())
            .rows(connection, "position", |row| {
                Ok(QuarantineRow {
                    position: whole(row, 0)?,
                    feed: row.get(1)?,
                    line: whole(row, 2)?,
                    code: row.get(3)?,
                    message: row.get(4)?,
                    format: row.get(5)?,
                    source: row.get(6)?,
                    id: row.get(7)?,
                    received_at: instant(row, 8)?,
                    status: row.get(9)?,
                })
            })
        })
    }
}
