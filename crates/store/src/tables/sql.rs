//! Small pieces that every table's statements use.

use std::error::Error;
use std::fmt;

use metering::Instant;
use rusqlite::types::{ToSql, Type};
use rusqlite::{Connection, Row};
use serde_json::{Map, Value};

use crate::error::{ErrorKind, StoreError};

/// Why an operation on the tables failed, before the file layer was asked what it knows.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// We say so.
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A journal row or block that the tables cannot take.
pub(super) fn contradiction(origin: impl fmt::Display, what: impl fmt::Display) -> Failure {
    Failure::Store(StoreError::new(
        ErrorKind::Corrupt,
        "tables_contradicted",
        format!("{origin}: {what}"),
        "run `counterfoil verify`; remove `tables.db` to have the tables derived anew",
    ))
}

/// A position, row or count as SQLite stores it.
///
/// **Errors**: it does not fit 63 bits.
pub(super) fn int(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A stored position, row or count.
pub(super) fn whole(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// A stored position or row that may be absent.
pub(super) fn whole_or_none(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    let stored: Option<i64> = row.get(column)?;
    stored.map(|_| whole(row, column)).transpose()
}

/// A stored number of fewer bits.
pub(super) fn small(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    row.get(column)
}

/// A stored time.
pub(super) fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Instant> {
    row.get(column).map(Instant)
}

/// A stored text that means something else.
pub(super) fn parsed<T, E: Error + Send + Sync + 'static>(
    column: usize,
    result: Result<T, E>,
) -> rusqlite::Result<T> {
    result.map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// A stored text that means nothing we know.
pub(super) fn unknown(column: usize, expected: &str, found: &str) -> rusqlite::Error {
    let message = format!("expected {expected}, found `{found}`");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, message.into())
}

/// Stored JSON.
pub(super) fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    parsed(column, serde_json::from_str(&text))
}

/// The text of a JSON value with its objects in key order, however the JSON library keeps its maps.
pub(super) fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                let members = members.into_iter().map(|(name, value)| (name.clone(), sorted(value)));
                Value::Object(members.collect::<Map<String, Value>>())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}

/// A statement whose conditions depend on what the caller asks for.
pub(super) struct Query {
    sql: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Query {
    /// A statement that ends before its conditions.
    pub(super) fn new(select: &str) -> Self {
        Self { sql: select.to_owned(), values: Vec::new() }
    }

    /// Adds the condition `column = value`, where there is a value.
    pub(super) fn equals(self, column: &str, value: Option<impl ToSql + 'static>) -> Self {
        self.is(column, "=", value)
    }

    /// Adds the condition that a column is in a half-open window, as far as that has ends.
    pub(super) fn within(self, column: &str, from: Option<i64>, to: Option<i64>) -> Self {
        self.is(column, ">=", from).is(column, "<", to)
    }

    fn is(mut self, column: &str, relation: &str, value: Option<impl ToSql + 'static>) -> Self {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            let joint = if self.values.len() == 1 { "WHERE" } else { "AND" };
            self.sql.push_str(&format!(" {joint} {column} {relation} ?{}", self.values.len()));
        }
        self
    }

    /// Runs it in an order.
    pub(super) fn rows<T>(
        mut self,
        connection: &Connection,
        order: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Failure> {
        self.sql.push_str(&format!(" ORDER BY {order}"));
        let mut statement = connection.prepare(&self.sql)?;
        let values: Vec<&dyn ToSql> = self.values.iter().map(AsRef::as_ref).collect();
        let rows = statement.query_map(values.as_slice(), read)?;
        Ok(rows.collect::<rusqlite::Result<Vec<T>>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_text_has_its_members_in_order() {
        assert_eq!(
            canonical(&json!({"b": [{"d": 1, "c": null}], "a": "x"})),
            r#"{"a":"x","b":[{"c":null,"d":1}]}"#
        );
    }
}
