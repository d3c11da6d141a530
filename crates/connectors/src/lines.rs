//! An input cut into lines, in bounded memory.

use std::io::{BufRead, Read};

use crate::input::InputError;

/// Bytes of the longest line that is delivered whole. An event is at most 64 KiB of properties; a line of
/// more than this is no event, and must not fill the memory.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that are delivered of a longer line.
pub const CUT_LINE_BYTES: usize = 64 * 1024;

/// A long line does not make the ones behind it large.
const CAPACITY_MAX: usize = 4 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// Its number from 1; blank lines are counted.
    pub number: u64,
    /// Its bytes, or the first [`CUT_LINE_BYTES`] of a longer line than [`LINE_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// How long the line is.
    pub bytes_total: u64,
}

/// The lines of an input that are not blank.
///
/// Lines end with LF or CRLF; the last may lack it. A byte order mark before the first is dropped. After an
/// error there are no more.
pub struct Lines<R> {
    reader: LineReader<R>,
}

impl<R: BufRead> Lines<R> {
    /// The lines of an input.
    pub fn new(input: R) -> Self {
        Self { reader: LineReader::new(input) }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<RawLine, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = match self.reader.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            line.drop_end();
            if !is_blank(&line.bytes) {
                return Some(Ok(line));
            }
        }
    }
}

/// Whether a line says nothing.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    bytes.trim_ascii().is_empty()
}

/// All lines, with their ends.
pub(crate) struct LineReader<R> {
    input: R,
    number: u64,
    /// The length of the last line: the next is probably about as long.
    bytes_last: usize,
    has_ended: bool,
}

impl<R: BufRead> LineReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, number: 0, bytes_last: 0, has_ended: false }
    }

    fn read(&mut self) -> Result<Option<RawLine>, InputError> {
        let number = self.number + 1;
        let broken = |source| InputError::Broken { line: number, source };
        let mut bytes = Vec::with_capacity(self.bytes_last);
        // The end of the line, two bytes, does not count.
        let limit = LINE_BYTES_MAX as u64 + 2;
        let mut bytes_total =
            self.input.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(broken)? as u64;
        if bytes_total == limit && !bytes.ends_with(b"\n") {
            bytes_total += self.input.skip_until(b'\n').map_err(broken)? as u64;
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        if number == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
            bytes_total -= BYTE_ORDER_MARK.len() as u64;
        }
        let is_too_long = bytes.len() as u64 != bytes_total || content_bytes(&bytes) > LINE_BYTES_MAX;
        if is_too_long {
            bytes.truncate(CUT_LINE_BYTES);
        }
        (self.number, self.bytes_last) = (number, bytes.len().min(CAPACITY_MAX));
        Ok(Some(RawLine { number, bytes, bytes_total }))
    }
}

impl<R: BufRead> Iterator for LineReader<R> {
    type Item = Result<RawLine, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let line = self.read().transpose();
        self.has_ended = !matches!(line, Some(Ok(_)));
        line
    }
}

impl RawLine {
    /// Whether only the head of the line is there.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() as u64 != self.bytes_total
    }

    pub(crate) fn drop_end(&mut self) {
        if !self.is_cut() {
            self.bytes.truncate(content_bytes(&self.bytes));
            self.bytes_total = self.bytes.len() as u64;
        }
    }
}

/// Bytes before the end of the line.
fn content_bytes(bytes: &[u8]) -> usize {
    let without_feed = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    without_feed.strip_suffix(b"\r").unwrap_or(without_feed).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expect: &[(u64, &str)]) {
        let lines: Vec<RawLine> = Lines::new(input).map(|line| line.unwrap()).collect();
        let found: Vec<(u64, &str)> =
            lines.iter().map(|line| (line.number, std::str::from_utf8(&line.bytes).unwrap())).collect();
        assert_eq!(found, expect);
        assert!(lines.iter().all(|line| !line.is_cut() && line.bytes_total == line.bytes.len() as u64));
    }

    #[test]
    fn lines_and_their_numbers() {
        check(b"", &[]);
        check(b"\n\n", &[]);
        check(b"a", &[(1, "a")]);
        check(b"a\nb", &[(1, "a"), (2, "b")]);
        check(b"a\nb\n", &[(1, "a"), (2, "b")]);
        check(b"a\r\nb\r\n", &[(1, "a"), (2, "b")]);
        check(b"\n \t\r\na\n\nb", &[(3, "a"), (5, "b")]);
        check(b"a\rb\n", &[(1, "a\rb")]);
        check(b"\xef\xbb\xbfa\n\xef\xbb\xbfb", &[(1, "a"), (2, "\u{feff}b")]);
    }

    #[test]
    fn a_line_too_long_is_cut_and_the_next_is_whole() {
        for (length, end, is_cut) in [
            (LINE_BYTES_MAX, "\n", false),
            (LINE_BYTES_MAX, "\r\n", false),
            (LINE_BYTES_MAX + 1, "\n", true),
            (LINE_BYTES_MAX + 1, "\r\n", true),
            (LINE_BYTES_MAX + 2, "\n", true),
            (LINE_BYTES_MAX * 3, "\n", true),
        ] {
            let input = format!("first\n{}{end}next", "x".repeat(length));
            let lines: Vec<RawLine> = Lines::new(input.as_bytes()).map(|line| line.unwrap()).collect();
            assert_eq!(lines.len(), 3);
            assert_eq!(lines[1].is_cut(), is_cut, "{length}");
            assert!(lines[1].bytes_total >= length as u64 && lines[1].bytes_total <= length as u64 + 2);
            assert_eq!(lines[1].bytes.len(), if is_cut { CUT_LINE_BYTES } else { length });
            assert_eq!((lines[2].number, lines[2].bytes.as_slice()), (3, b"next".as_slice()));
        }
    }

    #[test]
    fn a_last_line_too_long_without_its_end() {
        for length in [LINE_BYTES_MAX, LINE_BYTES_MAX + 1, LINE_BYTES_MAX + 2, LINE_BYTES_MAX + 3] {
            let input = "x".repeat(length);
            let lines: Vec<RawLine> = Lines::new(input.as_bytes()).map(|line| line.unwrap()).collect();
            assert_eq!(lines.len(), 1);
            assert_eq!(lines[0].is_cut(), length > LINE_BYTES_MAX, "{length}");
            assert_eq!(lines[0].bytes_total, length as u64);
        }
    }

    struct Breaking<'a>(&'a [u8]);

    impl Read for Breaking<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::Error::other("the cable is out")),
                count => Ok(count),
            }
        }
    }

    #[test]
    fn what_breaks_off_names_the_line() {
        let input = std::io::BufReader::new(Breaking(b"a\n\nb\nhal"));
        let found: Vec<_> = Lines::new(input).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].as_ref().unwrap().number, 3);
        let told = found[2].as_ref().unwrap_err().to_string();
        assert_eq!(told, "expected more input, it breaks off in line 4: the cable is out");
    }
}
