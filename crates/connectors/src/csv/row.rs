//! The rows of a CSV: where one ends, and what its fields are.
//!
//! **Source**: RFC 4180. Strict where readers differ: behind a closing quote stands a delimiter or the end.

use std::borrow::Cow;

/// Where in a row a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    FieldStart,
    Bare,
    Quoted,
    /// Behind a quote in a quoted field: its end, or the first of two.
    QuoteInQuoted,
}

impl State {
    fn after(self, byte: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::FieldStart | Self::QuoteInQuoted, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::QuoteInQuoted,
            (Self::Quoted, _) => Self::Quoted,
            (_, byte) if byte == delimiter => Self::FieldStart,
            _ => Self::Bare,
        }
    }
}

/// Follows the quotes of a row over its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotes {
    state: State,
    delimiter: u8,
}

impl Quotes {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { state: State::FieldStart, delimiter }
    }

    /// Reads one line with its end; whether a quoted field goes on in the next.
    pub(super) fn go_on_after(&mut self, line: &[u8]) -> bool {
        self.state = line.iter().fold(self.state, |state, byte| state.after(*byte, self.delimiter));
        self.state == State::Quoted
    }
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    /// The byte from 1.
    pub(super) column: usize,
    /// What was expected there.
    pub(super) expected: &'static str,
}

/// The fields of a row without the end of its line.
pub(super) fn split(row: &str, delimiter: u8) -> Result<Vec<Cow<'_, str>>, BadRow> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let (field, end) = field_at(row, at, delimiter)?;
        fields.push(field);
        match row.as_bytes().get(end) {
            Some(_) => at = end + 1,
            None => return Ok(fields),
        }
    }
}

/// The field that begins at a byte, and the byte behind it: a delimiter or the end.
fn field_at(row: &str, start: usize, delimiter: u8) -> Result<(Cow<'_, str>, usize), BadRow> {
    let bytes = row.as_bytes();
    let is_quoted = bytes.get(start) == Some(&b'"');
    if !is_quoted {
        let length = bytes[start..].iter().position(|byte| *byte == delimiter);
        let end = length.map_or(bytes.len(), |length| start + length);
        return Ok((Cow::Borrowed(&row[start..end]), end));
    }
    let mut end = start + 1;
    let mut has_doubled = false;
    loop {
        let Some(length) = bytes[end..].iter().position(|byte| *byte == b'"') else {
            return Err(BadRow { column: start + 1, expected: "a quoted field that is closed" });
        };
        end += length;
        match bytes.get(end + 1) {
            Some(b'"') => {
                has_doubled = true;
                end += 2;
            }
            Some(byte) if *byte != delimiter => {
                return Err(BadRow { column: end + 2, expected: "a delimiter behind the closing quote" });
            }
            _ => break,
        }
    }
    let inner = &row[start + 1..end];
    let field = if has_doubled { Cow::Owned(inner.replace("\"\"", "\"")) } else { Cow::Borrowed(inner) };
    Ok((field, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(row: &str, expect: &[&str]) {
        assert_eq!(split(row, b',').unwrap(), expect, "{row}");
        assert!(!Quotes::new(b',').go_on_after(row.as_bytes()));
    }

    #[test]
    fn fields() {
        check("a,b,c", &["a", "b", "c"]);
        check("", &[""]);
        check(",", &["", ""]);
        check("a, b ,", &["a", " b ", ""]);
        check("\"a,b\",\"c\"\"d\"\"\"", &["a,b", "c\"d\""]);
        check("\"\",x", &["", "x"]);
        check("\"two\nlines\",x", &["two\nlines", "x"]);
        check("a\"b,c\"", &["a\"b", "c\""]);
        assert_eq!(split("a;b,c", b';').unwrap(), ["a", "b,c"]);
    }

    #[test]
    fn refused() {
        let told = |row: &str| split(row, b',').map_err(|bad| (bad.column, bad.expected)).unwrap_err();
        assert_eq!(told("a,\"b"), (3, "a quoted field that is closed"));
        assert_eq!(told("a,\"b\"\""), (3, "a quoted field that is closed"));
        assert_eq!(told("\"a\"b,c"), (4, "a delimiter behind the closing quote"));
        assert_eq!(told("\"a\" ,c"), (4, "a delimiter behind the closing quote"));
    }

    #[test]
    fn a_row_goes_on_in_the_next_line() {
        let mut quotes = Quotes::new(b',');
        assert!(quotes.go_on_after(b"a,\"b\n"));
        assert!(quotes.go_on_after(b"\n"));
        assert!(quotes.go_on_after(b"say \"\"so\"\"\n"));
        assert!(!quotes.go_on_after(b"\",c\n"));
    }
}
