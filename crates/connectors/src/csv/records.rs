//! The records of a CSV: rows that may span lines, in bounded memory.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;

use super::header::Header;
use super::mapping::Mapping;
use super::row::Quotes;
use crate::input::InputError;
use crate::lines::{LINE_BYTES_MAX, LineReader, RawLine, is_blank};
use crate::record::RawRecord;

/// The rows of a CSV below its header.
///
/// A quoted field that is not closed within [`LINE_BYTES_MAX`] was not meant: its first line becomes a record
/// of its own, which is refused, and the lines behind it are read as if it were not there.
pub(crate) struct CsvRecords<R> {
    lines: LineReader<R>,
    mapping: Arc<Mapping>,
    header: Option<Arc<Header>>,
    /// Lines that were read in search of a closing quote.
    ahead: VecDeque<RawLine>,
    /// What comes behind the lines ahead.
    failure: Option<InputError>,
    has_ended: bool,
}

impl<R: BufRead> CsvRecords<R> {
    pub(crate) fn new(input: R, mapping: Arc<Mapping>) -> Self {
        Self {
            lines: LineReader::new(input),
            mapping,
            header: None,
            ahead: VecDeque::new(),
            failure: None,
            has_ended: false,
        }
    }

    /// Gives an error once more, at the next call.
    pub(crate) fn fail_again(&mut self, error: InputError) {
        self.failure = Some(error);
        self.has_ended = false;
    }

    /// The line at a place ahead, read if need be.
    fn line(&mut self, place: usize) -> Option<&RawLine> {
        while self.ahead.len() <= place && self.failure.is_none() && !self.has_ended {
            match self.lines.next() {
                Some(Ok(line)) => self.ahead.push_back(line),
                Some(Err(error)) => self.failure = Some(error),
                None => self.has_ended = true,
            }
        }
        self.ahead.get(place)
    }

    /// The lines of the next row that is not blank.
    fn row(&mut self) -> Option<Result<RawRecord, InputError>> {
        while self.line(0).is_some_and(|line| is_blank(&line.bytes)) {
            self.ahead.pop_front();
        }
        if self.line(0).is_none() {
            return self.failure.take().map(|error| {
                self.has_ended = true;
                Err(error)
            });
        }
        let count = self.lines_of_row();
        let mut lines = self.ahead.drain(..count);
        let mut row = lines.next()?;
        for line in lines {
            row.bytes.extend_from_slice(&line.bytes);
            row.bytes_total += line.bytes_total;
        }
        row.drop_end();
        let RawLine { number, bytes, bytes_total } = row;
        Some(Ok(RawRecord { bytes_total, ..RawRecord::new(number, bytes) }))
    }

    /// How many lines the row spans: one where its quotes are not closed in time.
    fn lines_of_row(&mut self) -> usize {
        let mut quotes = Quotes::new(self.mapping.delimiter());
        let (mut count, mut bytes) = (0, 0);
        while let Some(line) = self.line(count) {
            bytes += line.bytes.len();
            count += 1;
            if line.is_cut() || bytes > LINE_BYTES_MAX {
                break;
            }
            if !quotes.go_on_after(&line.bytes) {
                return count;
            }
        }
        1
    }

    fn read_header(&mut self) -> Option<Result<Arc<Header>, InputError>> {
        let row = match self.row() {
            Some(Ok(row)) => row,
            Some(Err(error)) => return Some(Err(error)),
            None => return None,
        };
        Some(
            Header::read(&row, &self.mapping).map(Arc::new).map_err(|problem| InputError::Header { problem }),
        )
    }
}

impl<R: BufRead> Iterator for CsvRecords<R> {
    type Item = Result<RawRecord, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = match &self.header {
            Some(header) => Arc::clone(header),
            None => match self.read_header()? {
                Ok(header) => Arc::clone(self.header.insert(header)),
                Err(error) => {
                    (self.has_ended, self.failure) = (true, None);
                    self.ahead.clear();
                    return Some(Err(error));
                }
            },
        };
        let row = self.row()?;
        Some(row.map(|row| RawRecord { header: Some(header), ..row }))
    }
}
