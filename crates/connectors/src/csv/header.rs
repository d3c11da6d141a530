//! The header of a CSV, laid beside the columns that the mapping names.

use std::collections::BTreeMap;

use super::mapping::Mapping;
use super::row::split;
use crate::excerpt::excerpt;
use crate::record::RawRecord;

/// Where the columns of a mapping stand in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    places: BTreeMap<String, usize>,
    fields: usize,
}

impl Header {
    /// The header that a first row is.
    ///
    /// **Errors**: what is wrong with it: no text, a column of the mapping that is missing or there twice.
    pub(super) fn read(row: &RawRecord, mapping: &Mapping) -> Result<Self, String> {
        let text = match std::str::from_utf8(&row.bytes) {
            Ok(text) if !row.is_cut() => text,
            _ => {
                return Err(format!(
                    "expected UTF-8 text in one row, found other bytes in line `{}`",
                    row.line
                ));
            }
        };
        let names = split(text, mapping.delimiter())
            .map_err(|bad| format!("expected {}, found none at column `{}`", bad.expected, bad.column))?;
        let mut places = BTreeMap::new();
        for column in mapping.columns() {
            let mut found = names.iter().enumerate().filter(|(_, name)| name.trim() == column);
            match (found.next(), found.next()) {
                (Some((place, _)), None) => places.insert(column.to_owned(), place),
                (Some(_), Some(_)) => {
                    return Err(format!("expected each column once, found twice `{}`", excerpt(column)));
                }
                (None, _) => {
                    return Err(format!(
                        "expected the column {}, found `{}`",
                        excerpt(column),
                        excerpt(text)
                    ));
                }
            };
        }
        Ok(Self { places, fields: names.len() })
    }

    /// How many fields a row has.
    pub(super) fn fields(&self) -> usize {
        self.fields
    }

    /// The place of a column that the mapping names.
    pub(super) fn place(&self, column: &str) -> Option<usize> {
        self.places.get(column).copied()
    }
}
