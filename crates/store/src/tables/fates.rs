//! Fates: how many records of each feed and source met which.

use std::collections::BTreeMap;

use money::Sum;
use rusqlite::{Connection, OptionalExtension, params};

use super::Tables;
use super::sql::{Failure, Query, contradiction, int, parsed, whole};
use crate::block::{Block, Counter, CounterKey};
use crate::error::StoreError;

/// How many records of one feed (and source, where known) met one fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFate {
    /// Where the records came in.
    pub feed: String,
    /// The source, where the record told it.
    pub source: Option<String>,
    /// `accepted`, `duplicate`, `conflict` or `rejected`.
    pub fate: String,
    /// The code of a rejection.
    pub code: Option<String>,
    /// How many records.
    pub records: u64,
    /// Σ of their property `quantity`, where it is a number.
    pub units: Sum,
}

pub(super) fn add(connection: &Connection, blocks: &[Block]) -> Result<(), Failure> {
    let mut totals: BTreeMap<&CounterKey, (u64, Sum)> = BTreeMap::new();
    for block in blocks {
        for Counter { key, records, units } in &block.draft.counters {
            let (total, sum) = totals.entry(key).or_insert((0, Sum::ZERO));
            *total = total.checked_add(*records).ok_or_else(too_many)?;
            *sum = sum.merge(*units);
        }
    }
    let mut find = connection.prepare_cached(
        "SELECT rowid, records, units FROM fates \
         WHERE feed = ?1 AND fate = ?2 AND source IS ?3 AND code IS ?4",
    )?;
    let mut insert = connection.prepare_cached("INSERT INTO fates VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut update =
        connection.prepare_cached("UPDATE fates SET records = ?2, units = ?3 WHERE rowid = ?1")?;
    for (key, (records, units)) in totals {
        let code = key.code.map(|code| code.as_str());
        let found: Option<(i64, u64, Sum)> = find
            .query_row(params![key.feed, key.fate, key.source, code], |row| {
                Ok((row.get(0)?, whole(row, 1)?, sum(row, 2)?))
            })
            .optional()?;
        match found {
            None => insert.execute(params![
                key.feed,
                key.source,
                key.fate,
                code,
                int(records)?,
                units.to_string()
            ])?,
            Some((id, before, units_before)) => {
                let total = before.checked_add(records).ok_or_else(too_many)?;
                update.execute(params![id, int(total)?, units_before.merge(units).to_string()])?
            }
        };
    }
    Ok(())
}

fn too_many() -> Failure {
    contradiction(format_args!("the counts of fates"), "more than 2^64 records")
}

fn sum(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Sum> {
    let text: String = row.get(column)?;
    parsed(column, Sum::parse(&text))
}

impl Tables {
    /// Every count, by feed, fate, source and code.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn fates(&self) -> Result<Vec<StoredFate>, StoreError> {
        self.database.with(|connection| {
            Query::new("SELECT feed, source, fate, code, records, units FROM fates").rows(
                connection,
                "feed, fate, source, code",
                |row| {
                    Ok(StoredFate {
                        feed: row.get(0)?,
                        source: row.get(1)?,
                        fate: row.get(2)?,
                        code: row.get(3)?,
                        records: whole(row, 4)?,
                        units: sum(row, 5)?,
                    })
                },
            )
        })
    }
}
