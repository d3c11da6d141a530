//! Events from Parquet, page by page: the reader cuts rows into slices, any thread decodes a slice.
//!
//! The file may be hostile. Every length is checked against what is there before memory is taken for it, and
//! these bounds hold whatever the file says: a page of [`PAGE_BYTES_MAX`], pages and dictionaries of
//! [`HELD_BYTES_MAX`] at a time.

mod column;
mod decode;
mod delta;
mod footer;
mod hybrid;
mod page;
mod render;
mod schema;
mod slice;
#[cfg(test)]
mod tests;
mod texts;
mod thrift;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::chunk::CHUNK_BYTES;
use crate::input::InputError;
use column::Cursor;
use footer::{ColumnChunk, Footer, Group};
use page::{Codec, Pages, Source};
use schema::{Column, Layout};
use slice::Segment;
use thrift::Fault;

pub(crate) use decode::decode;
pub(crate) use page::Place;
pub(crate) use slice::ColumnSlice;

/// Bytes of a page, compressed or not. Writers aim at 1 MiB; DuckDB makes one page of a column of a row group.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of all pages and dictionaries at a time. Tests must not need as much.
const HELD_BYTES_MAX: usize = if cfg!(test) { 96 * 1024 * 1024 } else { 512 * 1024 * 1024 };
/// Bytes of the footer: that of 10,000 row groups of ten columns has about 10 MiB.
const FOOTER_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Bytes of pages and dictionaries after which a slice ends, because it may keep them in memory.
const SLICE_LOADED_BYTES: usize = 64 * 1024 * 1024;

const MAGIC: [u8; 4] = *b"PAR1";
const MAGIC_ENCRYPTED: [u8; 4] = *b"PARE";
/// Magic, length of the footer, magic.
const ENDS_BYTES: u64 = 12;

/// What a stream of Parquet gives: its description stands at its end.
pub(crate) fn not_a_stream() -> InputError {
    let kind = io::ErrorKind::Unsupported;
    InputError::Open { source: io::Error::new(kind, "Parquet is read from a file, not from a stream") }
}

/// Cuts a file into slices.
pub(crate) struct ParquetChunks {
    source: Source,
    layout: Arc<Layout>,
    groups: std::vec::IntoIter<Group>,
    /// Which group is being read, from 0.
    group: Option<u64>,
    rows_left: u64,
    cursors: Vec<Cursor>,
    /// The number of the next row, from 1.
    row: u64,
    failure: Option<InputError>,
    has_ended: bool,
}

impl ParquetChunks {
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let open = |source| InputError::Open { source };
        if path == Path::new("-") {
            return Err(not_a_stream());
        }
        let file = File::open(path).map_err(open)?;
        if file.metadata().is_ok_and(|found| found.is_dir()) {
            return Err(open(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
        }
        Self::new(Box::new(file))
    }

    pub fn new(mut input: Box<dyn Place>) -> Result<Self, InputError> {
        let length = input.seek(io::SeekFrom::End(0)).map_err(|source| InputError::Open { source })?;
        let mut source = Source { input, length };
        let columns = |problem: String| InputError::Columns { problem };
        let footer = read_footer(&mut source).map_err(columns)?;
        let layout = Layout::new(footer.schema).map_err(columns)?;
        check_groups(&layout, &footer.groups, footer.rows, source.length).map_err(columns)?;
        Ok(Self {
            source,
            layout: Arc::new(layout),
            groups: footer.groups.into_iter(),
            group: None,
            rows_left: 0,
            cursors: Vec::new(),
            row: 1,
            failure: None,
            has_ended: false,
        })
    }

    /// The next rows: at most `records`, fewer where they are long.
    pub fn next(&mut self, records: usize) -> Result<Option<ColumnSlice>, InputError> {
        let mut slice = ColumnSlice {
            layout: Arc::clone(&self.layout),
            first_row: self.row,
            rows: 0,
            bytes: 0,
            segments: Vec::new(),
        };
        if self.failure.is_none()
            && !self.has_ended
            && let Err(problem) = self.fill(&mut slice, records.max(1))
        {
            // What came before the error is given first.
            self.failure = Some(InputError::BrokenRows { row: self.row, problem });
        }
        if slice.rows > 0 {
            return Ok(Some(slice));
        }
        self.has_ended = true;
        self.cursors.clear();
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(None),
        }
    }

    fn fill(&mut self, slice: &mut ColumnSlice, records: usize) -> Result<(), String> {
        let mut loaded = 0;
        while slice.rows < records && slice.bytes < CHUNK_BYTES && loaded < SLICE_LOADED_BYTES {
            if self.rows_left == 0 {
                if !self.open_group()? {
                    break;
                }
                continue;
            }
            let mut rows = usize::try_from(self.rows_left).unwrap_or(usize::MAX).min(records - slice.rows);
            let mut held = 0;
            for (place, cursor) in self.cursors.iter_mut().enumerate() {
                let column = &self.layout.columns[place];
                let opened = cursor.open(column, &mut self.source);
                let (rows_open, loaded_now) =
                    opened.map_err(|problem| located(self.group, column, cursor, &problem))?;
                rows = rows.min(rows_open);
                loaded += loaded_now;
                held += cursor.held();
                if held > HELD_BYTES_MAX {
                    let problem = format!("expected pages of at most {HELD_BYTES_MAX} bytes in all columns");
                    return Err(located(self.group, column, cursor, &problem));
                }
            }
            let cost = |rows| -> usize {
                let columns = self.cursors.iter().zip(&self.layout.columns);
                columns.map(|(cursor, column)| cursor.cost(column, rows)).fold(0, usize::saturating_add)
            };
            while rows > 1 && cost(rows) > CHUNK_BYTES - slice.bytes {
                rows /= 2;
            }
            slice.bytes += cost(rows);
            let mut pieces = Vec::with_capacity(self.cursors.len());
            for (cursor, column) in self.cursors.iter_mut().zip(&self.layout.columns) {
                let piece = cursor.take(column, rows);
                pieces.push(piece.map_err(|problem| located(self.group, column, cursor, &problem))?);
            }
            slice.segments.push(Segment { rows, pieces });
            slice.rows += rows;
            self.rows_left -= rows as u64;
            self.row += rows as u64;
        }
        Ok(())
    }

    /// Goes to the next row group, if there is one.
    fn open_group(&mut self) -> Result<bool, String> {
        for (cursor, column) in self.cursors.iter_mut().zip(&self.layout.columns) {
            let checked = cursor.check_end(&mut self.source);
            checked.map_err(|problem| located(self.group, column, cursor, &problem))?;
        }
        let Some(group) = self.groups.next() else { return Ok(false) };
        let number = self.group.map_or(0, |group| group + 1);
        self.group = Some(number);
        self.rows_left = group.rows as u64;
        self.cursors.clear();
        for (chunk, column) in group.chunks.iter().zip(&self.layout.columns) {
            let of_column = |problem| format!("row group {number}, column `{}`: {problem}", excerpt(column));
            let codec = Codec::new(chunk.codec).map_err(of_column)?;
            let (from, to) = chunk.place();
            self.cursors.push(Cursor::new(Pages::new(codec, from, to), self.rows_left));
        }
        Ok(true)
    }
}

fn located(group: Option<u64>, column: &Column, cursor: &Cursor, problem: &str) -> String {
    let (group, page) = (group.unwrap_or(0), cursor.pages.number.unwrap_or(0));
    format!("row group {group}, column `{}`, page {page}: {problem}", excerpt(column))
}

fn excerpt(column: &Column) -> String {
    crate::excerpt::excerpt(&column.name)
}

fn read_footer(source: &mut Source) -> Result<Footer, String> {
    let no_parquet = || "expected a file that begins and ends with PAR1".to_owned();
    if source.length < ENDS_BYTES {
        return Err(no_parquet());
    }
    let mut ends = Vec::new();
    source.read(0, 4, &mut ends)?;
    source.read(source.length - 8, 8, &mut ends)?;
    let (head, tail) = ends.split_at(4);
    let (length, tail) = tail.split_at(4);
    if tail == MAGIC_ENCRYPTED {
        return Err("expected a file that is not encrypted, found one whose footer is".to_owned());
    }
    if head != MAGIC || tail != MAGIC {
        return Err(no_parquet());
    }
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length > source.length - ENDS_BYTES || length > FOOTER_BYTES_MAX {
        return Err(format!(
            "expected a footer within the file, of at most {FOOTER_BYTES_MAX} bytes, found one of `{length}`"
        ));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    source.read(source.length - 8 - length, length as usize, &mut bytes)?;
    // Column chunks lie before the footer.
    source.length -= 8 + length;
    Footer::read(&bytes).map_err(|fault| match fault {
        Fault::Ends => "expected a whole footer, it breaks off".to_owned(),
        Fault::Wrong(message) => format!("expected a footer that can be read: {message}"),
    })
}

/// Each group has a chunk a column, within the `length` bytes of the file before its footer, with a value a row;
/// and all groups have the rows of the file.
fn check_groups(layout: &Layout, groups: &[Group], rows: i64, length: u64) -> Result<(), String> {
    let mut total: i64 = 0;
    for (number, group) in groups.iter().enumerate() {
        let of_group = |problem: String| format!("row group {number}: {problem}");
        if group.chunks.len() != layout.columns.len() {
            let (count, found) = (layout.columns.len(), group.chunks.len());
            return Err(of_group(format!("expected {count} columns, found `{found}`")));
        }
        for (chunk, column) in group.chunks.iter().zip(&layout.columns) {
            check_chunk(chunk, column, group.rows, length)
                .map_err(|problem| of_group(format!("column `{}`: {problem}", excerpt(column))))?;
        }
        let sum = if group.rows >= 0 { total.checked_add(group.rows) } else { None };
        total = sum.ok_or_else(|| of_group(format!("expected a number of rows, found `{}`", group.rows)))?;
    }
    if total == rows {
        Ok(())
    } else {
        Err(format!("expected {rows} rows in all row groups, found `{total}`"))
    }
}

fn check_chunk(chunk: &ColumnChunk, column: &Column, rows: i64, length: u64) -> Result<(), String> {
    let (from, to) = chunk.place();
    if chunk.is_elsewhere {
        Err("expected pages in this file that are not encrypted, found others".to_owned())
    } else if !chunk.has_metadata || chunk.physical != column.physical {
        Err("expected the type that the schema says, found another".to_owned())
    } else if let Err(name) = Codec::check(chunk.codec) {
        Err(format!("expected pages plain or compressed by zstd, snappy or gzip, found `{name}`"))
    } else if chunk.values != rows {
        Err(format!("expected a value or null for each of {rows} rows, found `{}`", chunk.values))
    } else if chunk.length < 0 || from < MAGIC.len() as u64 || to > length {
        Err(format!("expected pages within the file, found them from {from} to `{to}`"))
    } else {
        Ok(())
    }
}

impl ColumnChunk {
    /// Where it begins and ends. Its dictionary, where there is one, stands first.
    fn place(&self) -> (u64, u64) {
        let from = match self.dictionary_at {
            Some(at) if at > 0 => at.min(self.data_at),
            _ => self.data_at,
        };
        let from = u64::try_from(from).unwrap_or(0);
        (from, from.saturating_add(u64::try_from(self.length).unwrap_or(0)))
    }
}
