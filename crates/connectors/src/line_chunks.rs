//! An input cut into chunks of whole lines, in bounded memory.

use std::io::BufRead;

use crate::chunk::CHUNK_BYTES;
use crate::input::InputError;
use crate::lines::{CUT_LINE_BYTES, LINE_BYTES_MAX, is_blank};
use crate::record::RawRecord;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes asked for at a time.
const READ_BYTES: usize = 256 * 1024;

/// Whole lines of an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineChunk {
    /// The number of the first line, from 1.
    pub first_line: u64,
    /// The lines with their ends; the last of the input may lack it.
    pub bytes: Vec<u8>,
    /// The head of a line that is too long, alone in its chunk.
    pub cut: Option<RawRecord>,
}

impl LineChunk {
    /// The lines that some bytes are.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { first_line: 1, bytes, cut: None }
    }
}

/// A line as a record; of one that is too long only the head.
pub(crate) fn record_of(line: u64, bytes: &[u8]) -> RawRecord {
    if bytes.len() <= LINE_BYTES_MAX {
        return RawRecord::new(line, bytes.to_vec());
    }
    RawRecord { bytes_total: bytes.len() as u64, ..RawRecord::new(line, bytes[..CUT_LINE_BYTES].to_vec()) }
}

/// Cuts an input.
pub(crate) struct LineChunks<R> {
    input: R,
    /// What was read and not given yet: less than a line behind its last newline.
    rest: Vec<u8>,
    /// How much of `rest` was searched for newlines.
    searched: usize,
    /// The number of the line that `rest` begins with.
    line: u64,
    failure: Option<InputError>,
    has_ended: bool,
}

impl<R: BufRead> LineChunks<R> {
    pub fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), searched: 0, line: 1, failure: None, has_ended: false }
    }

    /// The next lines: at most `lines`, fewer where they are long.
    pub fn next(&mut self, lines: usize) -> Result<Option<LineChunk>, InputError> {
        let mut found = 0;
        // The end of the last whole line.
        let mut end = 0;
        loop {
            for at in memchr::memchr_iter(b'\n', &self.rest[self.searched..]) {
                found += 1;
                end = self.searched + at + 1;
                if found == lines as u64 {
                    return Ok(Some(self.give(end, found)));
                }
            }
            self.searched = self.rest.len();
            if found > 0 && self.rest.len() >= CHUNK_BYTES {
                return Ok(Some(self.give(end, found)));
            }
            if found == 0 && self.rest.len() > LINE_BYTES_MAX + 2 {
                return self.cut_line().map(Some);
            }
            if self.has_ended || self.failure.is_some() {
                return self.last(end, found);
            }
            self.read(found);
        }
    }

    fn read(&mut self, lines_before: u64) {
        // Past the buffer of the input, straight to where the bytes stay.
        let before = self.rest.len();
        self.rest.resize(before + READ_BYTES, 0);
        let read = self.input.read(&mut self.rest[before..]);
        self.rest.truncate(before + read.as_ref().map_or(0, |count| *count));
        match read {
            Ok(0) => self.has_ended = true,
            Ok(_) => {
                // The mark may come byte by byte.
                if self.line == 1 && before < BYTE_ORDER_MARK.len() && self.rest.starts_with(BYTE_ORDER_MARK)
                {
                    self.rest.drain(..BYTE_ORDER_MARK.len());
                    self.searched = 0;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => {
                self.failure = Some(InputError::Broken { line: self.line + lines_before, source });
            }
        }
    }

    /// Lines before the end; behind an error the half line is not given.
    fn last(&mut self, end: usize, found: u64) -> Result<Option<LineChunk>, InputError> {
        if self.failure.is_none() && end < self.rest.len() {
            // The last line of the input lacks its end.
            let end = self.rest.len();
            return Ok(Some(self.give(end, found + 1)));
        }
        if found > 0 {
            return Ok(Some(self.give(end, found)));
        }
        if let Some(failure) = self.failure.take() {
            self.rest.clear();
            self.searched = 0;
            self.has_ended = true;
            return Err(failure);
        }
        Ok(None)
    }

    fn give(&mut self, end: usize, lines: u64) -> LineChunk {
        let behind = self.rest.split_off(end);
        let mut bytes = std::mem::replace(&mut self.rest, behind);
        // Room for as much again, for one more reading, and for what is written behind the lines.
        self.rest.reserve(bytes.len().min(CHUNK_BYTES) + 2 * READ_BYTES);
        bytes.truncate(end);
        let first_line = self.line;
        self.line += lines;
        self.searched = 0;
        LineChunk { first_line, bytes, cut: None }
    }

    /// Skips to the end of a line that is too long; gives its head.
    fn cut_line(&mut self) -> Result<LineChunk, InputError> {
        let line = self.line;
        let mut total = self.rest.len() as u64;
        let mut head = std::mem::take(&mut self.rest);
        self.searched = 0;
        head.truncate(CUT_LINE_BYTES);
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    self.has_ended = true;
                    return Err(InputError::Broken { line, source });
                }
            };
            if buffer.is_empty() {
                self.has_ended = true;
                break;
            }
            let (count, ends) = match memchr::memchr(b'\n', buffer) {
                Some(at) => (at + 1, true),
                None => (buffer.len(), false),
            };
            total += count as u64;
            self.input.consume(count);
            if ends {
                break;
            }
        }
        self.line += 1;
        let record = RawRecord { bytes_total: total, ..RawRecord::new(line, head) };
        Ok(LineChunk { first_line: line, bytes: Vec::new(), cut: Some(record) })
    }
}

/// The lines of a chunk that are not blank: the number, where it begins, and its bytes without the end.
pub(crate) fn lines(bytes: &[u8], first_line: u64) -> impl Iterator<Item = (u64, usize, &[u8])> {
    let mut from = 0;
    (first_line..)
        .map_while(move |number| {
            let rest = bytes.get(from..).filter(|rest| !rest.is_empty())?;
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let begin = from;
            from += end;
            let line = &rest[..end];
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            Some((number, begin, line.strip_suffix(b"\r").unwrap_or(line)))
        })
        .filter(|(_, _, line)| !is_blank(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::{Lines, RawLine};

    /// Everything that chunks give, as lines.
    fn chunked(input: &[u8], lines_a_chunk: usize, buffer: usize) -> Vec<(u64, Vec<u8>, u64)> {
        let mut chunks = LineChunks::new(std::io::BufReader::with_capacity(buffer, input));
        let mut found = Vec::new();
        while let Some(chunk) = chunks.next(lines_a_chunk).unwrap() {
            if let Some(cut) = chunk.cut {
                found.push((cut.line, cut.bytes, cut.bytes_total));
                continue;
            }
            assert!(chunk.bytes.iter().filter(|byte| **byte == b'\n').count() <= lines_a_chunk);
            found.extend(
                lines(&chunk.bytes, chunk.first_line)
                    .map(|(number, _, line)| record_of(number, line))
                    .map(|record| (record.line, record.bytes, record.bytes_total)),
            );
        }
        found
    }

    fn one_by_one(input: &[u8]) -> Vec<(u64, Vec<u8>, u64)> {
        Lines::new(input)
            .map(|line| {
                let RawLine { number, bytes, bytes_total } = line.unwrap();
                (number, bytes, bytes_total)
            })
            .collect()
    }

    #[test]
    fn chunks_hold_the_lines_that_single_reading_gives() {
        let long = format!("first\n{}\nnext\n", "x".repeat(LINE_BYTES_MAX + 100));
        let longest = "y".repeat(LINE_BYTES_MAX);
        let inputs: Vec<&[u8]> = vec![
            b"",
            b"\n\n",
            b"a",
            b"a\nb",
            b"a\r\nb\r\n\n \t\r\nc\n",
            b"\xef\xbb\xbfa\n\xef\xbb\xbfb",
            long.as_bytes(),
            longest.as_bytes(),
        ];
        for input in inputs {
            let expected: Vec<_> = one_by_one(input);
            for lines_a_chunk in [1, 2, 1000] {
                for buffer in [4, 7, 64 * 1024] {
                    let found = chunked(input, lines_a_chunk, buffer);
                    assert_eq!(found.len(), expected.len());
                    for (found, expected) in found.iter().zip(&expected) {
                        assert!((found.0, &found.1) == (expected.0, &expected.1), "line {}", expected.0);
                        assert!(found.2.abs_diff(expected.2) <= 2, "the end of a cut line may count");
                    }
                }
            }
        }
    }

    struct Breaking<'a>(&'a [u8]);

    impl std::io::Read for Breaking<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::Error::other("the cable is out")),
                count => Ok(count),
            }
        }
    }

    #[test]
    fn what_breaks_off_gives_the_lines_before_and_names_the_line() {
        let mut chunks = LineChunks::new(std::io::BufReader::new(Breaking(b"a\n\nb\nhal")));
        let first = chunks.next(1000).unwrap().unwrap();
        assert_eq!(first.bytes, b"a\n\nb\n");
        let told = chunks.next(1000).unwrap_err().to_string();
        assert_eq!(told, "expected more input, it breaks off in line 4: the cable is out");
        assert_eq!(chunks.next(1000).unwrap(), None);
    }
}
