//! The derived content as text, so that two derivations can be compared row by row.

use std::collections::VecDeque;

use rusqlite::types::ValueRef;
use serde_json::Value;

use super::Tables;
use super::schema::COMPARED;
use super::sql::{Failure, int};
use crate::error::StoreError;

/// Rows read at once.
const PAGE_ROWS: u64 = 16_384;

/// A row on which two derivations differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The row of the one; absent where it has none there.
    pub stored: Option<String>,
    /// The row of the other; absent where it has none there.
    pub derived: Option<String>,
}

/// The rows of all derived tables, in a fixed order, each as the JSON array of its columns.
#[derive(Debug)]
pub struct Dump<'a> {
    tables: &'a Tables,
    table: usize,
    offset: u64,
    ready: VecDeque<String>,
}

impl Dump<'_> {
    /// Reads the next rows of the current table; nothing where it has no more.
    fn fill(&mut self, select: &str) -> Result<(), StoreError> {
        let (limit, offset) = (PAGE_ROWS, self.offset);
        self.ready = self.tables.database.with(|connection| {
            let mut statement = connection.prepare(&format!("{select} LIMIT ?1 OFFSET ?2"))?;
            let columns = statement.column_count();
            let mut rows = statement.query([int(limit)?, int(offset)?])?;
            let mut lines = VecDeque::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|column| value(row.get_ref(column)?));
                lines.push_back(Value::Array(values.collect::<Result<_, Failure>>()?).to_string());
            }
            Ok(lines)
        })?;
        self.offset += self.ready.len() as u64;
        Ok(())
    }
}

fn value(stored: ValueRef<'_>) -> Result<Value, Failure> {
    Ok(match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::from(number),
        ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            let what = "a type that no column has";
            return Err(Failure::Store(StoreError::corrupt(super::files::FILE, "a stored value", what)));
        }
    })
}

impl Iterator for Dump<'_> {
    type Item = Result<(&'static str, String), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let compared = COMPARED.get(self.table)?;
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok((compared.table, line)));
            }
            if let Err(error) = self.fill(compared.select) {
                self.table = COMPARED.len();
                return Some(Err(error));
            }
            if self.ready.is_empty() {
                (self.table, self.offset) = (self.table + 1, 0);
            }
        }
    }
}

impl Tables {
    /// Every row of every derived table with the table's name, in a fixed order. Personal values are left
    /// out; their hashes are in.
    pub fn dump(&self) -> Dump<'_> {
        Dump { tables: self, table: 0, offset: 0, ready: VecDeque::new() }
    }

    /// The first row on which these tables differ from other ones; none where they agree.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn first_difference(&self, derived: &Self) -> Result<Option<Difference>, StoreError> {
        let (mut ours, mut theirs) = (self.dump(), derived.dump());
        loop {
            match (ours.next().transpose()?, theirs.next().transpose()?) {
                (None, None) => return Ok(None),
                (stored, derived) if stored == derived => {}
                (stored, derived) => return Ok(Some(difference(stored, derived))),
            }
        }
    }
}

/// Of two rows in different tables, the one in the earlier table is what the other side lacks.
fn difference(stored: Option<(&'static str, String)>, derived: Option<(&'static str, String)>) -> Difference {
    let order = |row: &Option<(&'static str, String)>| {
        let table = row.as_ref().map(|(table, _)| *table);
        COMPARED.iter().position(|compared| Some(compared.table) == table).unwrap_or(COMPARED.len())
    };
    let (ours, theirs) = (order(&stored), order(&derived));
    let table = COMPARED.get(ours.min(theirs)).map_or("meta", |compared| compared.table);
    Difference {
        table,
        stored: stored.filter(|_| ours <= theirs).map(|(_, row)| row),
        derived: derived.filter(|_| theirs <= ours).map(|(_, row)| row),
    }
}
