//! A small CSV read whole: some of its columns.

use thiserror::Error;

use super::row::{Quotes, split};
use crate::excerpt::excerpt;

/// Why a CSV cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ColumnsError {
    /// No header, or one without a column that is wanted.
    #[error("expected a header with the column {column}, found `{header}`")]
    Header {
        /// The column.
        column: String,
        /// The first row.
        header: String,
    },
    /// A row that is broken, or has other fields than the header.
    #[error("expected {expected}, found otherwise in line `{line}`")]
    Row {
        /// The line that the row begins on.
        line: u64,
        /// What was expected.
        expected: String,
    },
}

/// Reads the wanted columns of a CSV with a header: the line and the fields of each row.
///
/// **Errors**: [`ColumnsError`].
pub fn read_columns<const N: usize>(
    text: &str,
    columns: [&str; N],
) -> Result<Vec<(u64, [String; N])>, ColumnsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = rows(text).into_iter();
    let (_, header) = rows.next().unwrap_or((1, ""));
    let names = fields(1, header)?;
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let missing = || ColumnsError::Header { column: column.to_owned(), header: excerpt(header) };
        *place = names.iter().position(|name| name.trim() == column).ok_or_else(missing)?;
    }
    rows.map(|(line, row)| {
        let fields = fields(line, row)?;
        if fields.len() != names.len() {
            let expected = format!("{} fields, as in the header", names.len());
            return Err(ColumnsError::Row { line, expected });
        }
        Ok((line, places.map(|place| fields[place].clone())))
    })
    .collect()
}

fn fields(line: u64, row: &str) -> Result<Vec<String>, ColumnsError> {
    let fields =
        split(row, b',').map_err(|bad| ColumnsError::Row { line, expected: bad.expected.to_owned() })?;
    Ok(fields.into_iter().map(String::from).collect())
}

/// The rows that are not blank, each with the line it begins on.
fn rows(text: &str) -> Vec<(u64, &str)> {
    let mut rows = Vec::new();
    let mut quotes = Quotes::new(b',');
    let (mut start, mut end, mut first_line) = (0, 0, 1);
    for (line, content) in (1..).zip(text.split_inclusive('\n')) {
        end += content.len();
        let goes_on = quotes.go_on_after(content.as_bytes());
        if goes_on && end < text.len() {
            continue;
        }
        let row = text[start..end].strip_suffix('\n').unwrap_or(&text[start..end]);
        let row = row.strip_suffix('\r').unwrap_or(row);
        if !row.trim().is_empty() {
            rows.push((first_line, row));
        }
        (quotes, start, first_line) = (Quotes::new(b','), end, line + 1);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_lines() {
        let text = "\u{feff}note,key, quantity\r\nx,a,1\r\n\r\n\"two\nlines\",b,2";
        let found = read_columns(text, ["key", "quantity"]).unwrap();
        let expect = [(2, ["a", "1"]), (4, ["b", "2"])];
        assert_eq!(found, expect.map(|(line, row)| (line, row.map(str::to_owned))));
    }

    #[test]
    fn refused() {
        let told = |text: &str| read_columns(text, ["key", "quantity"]).unwrap_err().to_string();
        assert_eq!(told(""), "expected a header with the column key, found ``");
        assert_eq!(told("key,qty\na,1"), "expected a header with the column quantity, found `key,qty`");
        assert_eq!(
            told("key,quantity\na"),
            "expected 2 fields, as in the header, found otherwise in line `2`"
        );
        assert_eq!(
            told("key,quantity\n\"a,1"),
            "expected a quoted field that is closed, found otherwise in line `2`"
        );
    }
}
