//! Many records at a time: an input cut into chunks in order, each decoded by whichever thread is free.

use std::io::{BufRead, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use metering::{Batch, Rejection, Row, Span, check_form};

use crate::csv::CsvRecords;
use crate::decoder::{Decoder, Format};
use crate::input::InputError;
use crate::line_chunks::{LineChunk, LineChunks, record_of};
use crate::parquet::{ColumnSlice, ParquetChunks};
use crate::record::{Feed, RawRecord};

/// Records of an input as they were read, in order; not yet decoded.
#[derive(Debug)]
pub struct RawChunk(pub(crate) Raw);

#[derive(Debug)]
pub(crate) enum Raw {
    /// Whole lines.
    Lines(LineChunk),
    /// Records that need more than their bytes.
    Records(Vec<RawRecord>),
    /// Rows of a Parquet file.
    Columns(ColumnSlice),
}

/// Cuts an input into chunks. It must be asked from one thread at a time.
pub struct Chunks(Reader);

enum Reader {
    Lines(LineChunks<Box<dyn BufRead + Send>>),
    Csv(Box<CsvRecords<Box<dyn BufRead + Send>>>),
    Parquet(Box<ParquetChunks>),
    /// Nothing but an error.
    Failed(Option<InputError>),
}

impl Chunks {
    /// Opens a Parquet file of events for [`Decoder::parquet`]. It is read at many places, so that it must be a
    /// file: neither a stream, nor compressed as a whole.
    ///
    /// **Errors**: [`InputError::Open`]; [`InputError::Columns`] where it is no Parquet file, or one whose
    /// columns are not those of events.
    pub fn open_parquet(path: &Path) -> Result<Self, InputError> {
        Ok(Self(Reader::Parquet(Box::new(ParquetChunks::open(path)?))))
    }

    /// As [`Chunks::open_parquet`], of a file that is open or bytes in memory.
    ///
    /// **Errors**: those of [`Chunks::open_parquet`].
    pub fn parquet(input: impl Read + Seek + Send + 'static) -> Result<Self, InputError> {
        Ok(Self(Reader::Parquet(Box::new(ParquetChunks::new(Box::new(input))?))))
    }

    pub(crate) fn new(format: &Format, input: Box<dyn BufRead + Send>) -> Self {
        Self(match format {
            Format::CloudEvents | Format::SentryOutcomes => Reader::Lines(LineChunks::new(input)),
            Format::Csv(mapping) => Reader::Csv(Box::new(CsvRecords::new(input, Arc::clone(mapping)))),
            Format::Parquet => Reader::Failed(Some(crate::parquet::not_a_stream())),
        })
    }

    /// The next records: at most `records`, fewer where they are long; nothing at the end. After an error there
    /// is nothing more, and every record before it was given.
    ///
    /// **Errors**: [`InputError::Broken`], [`InputError::Header`], [`InputError::BrokenRows`].
    pub fn next(&mut self, records: usize) -> Result<Option<RawChunk>, InputError> {
        match &mut self.0 {
            Reader::Lines(lines) => Ok(lines.next(records)?.map(|lines| RawChunk(Raw::Lines(lines)))),
            Reader::Parquet(rows) => Ok(rows.next(records)?.map(|rows| RawChunk(Raw::Columns(rows)))),
            Reader::Failed(error) => error.take().map_or(Ok(None), Err),
            Reader::Csv(rows) => {
                let mut chunk = Vec::new();
                let mut bytes = 0;
                while chunk.len() < records && bytes < CHUNK_BYTES {
                    match rows.next() {
                        Some(Ok(row)) => {
                            bytes += row.bytes.len();
                            chunk.push(row);
                        }
                        // What came before the error is given first; the error comes again.
                        Some(Err(error)) if chunk.is_empty() => return Err(error),
                        Some(Err(error)) => {
                            rows.fail_again(error);
                            break;
                        }
                        None => break,
                    }
                }
                Ok((!chunk.is_empty()).then_some(RawChunk(Raw::Records(chunk))))
            }
        }
    }
}

/// Bytes of input after which a chunk ends: enough that a block compresses well, few enough that several fit
/// the caches and the memory.
pub(crate) const CHUNK_BYTES: usize = 2 * 1024 * 1024;

/// Records of one feed, decoded: well-formed events in a batch, and the refused.
#[derive(Debug)]
pub struct Chunk {
    /// The well-formed events, in order.
    pub batch: Batch,
    /// Where each row of the batch stands in the feed.
    pub places: Vec<Place>,
    /// What is no well-formed event, in order.
    pub refused: Vec<RefusedRecord>,
    /// How many records it holds: rows and refused.
    pub records: u32,
    /// How many of the rows were read by what was learned of earlier lines.
    pub learned: u32,
    origin: Origin,
}

/// Where a row stands in its chunk and its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which record of the chunk it is, from 0.
    pub index: u32,
    /// The line it begins on, from 1; the row of a file without lines; 0 where there is none.
    pub line: u64,
    /// Its text.
    raw: Span,
}

/// A record that is no well-formed event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Which record of the chunk it is, from 0.
    pub index: u32,
    /// The line it begins on, from 1.
    pub line: u64,
    /// Why.
    pub rejection: Rejection,
    /// Its source, where it told one.
    pub source: Option<String>,
    /// Its id, where it told one.
    pub id: Option<String>,
    /// What it is kept as; see [`crate::decode_kept`].
    pub format: String,
    /// The bytes that are kept.
    pub body: Vec<u8>,
}

/// Where the text of a row is.
#[derive(Debug)]
enum Origin {
    /// In the arena of the batch.
    Arena,
    /// Beside it, because not all of it is UTF-8.
    Bytes(Vec<u8>),
    /// In records of their own, one for each index.
    Records(Vec<RawRecord>),
}

impl Chunk {
    pub(crate) fn in_arena(text: String, seed: u64) -> Self {
        Self::over(Batch::over(text, seed), Origin::Arena)
    }

    fn over(batch: Batch, origin: Origin) -> Self {
        Self { batch, places: Vec::new(), refused: Vec::new(), records: 0, learned: 0, origin }
    }

    /// A chunk of records that come one by one: from the quarantine, or made by a program.
    pub fn of_records(seed: u64) -> Self {
        Self::over(Batch::new(seed), Origin::Records(Vec::new()))
    }

    /// Adds the place of a row that was just pushed to the batch.
    pub(crate) fn placed(&mut self, line: u64, raw: Span) {
        self.places.push(Place { index: self.records, line, raw });
        self.records += 1;
    }

    /// Adds a record by the general way: decode, check the form.
    pub(crate) fn decode_one(&mut self, decoder: &Decoder, feed: &Feed, record: &RawRecord, raw: Span) {
        match decoder.decode(feed, record) {
            Err(undecodable) => {
                let (format, body) = decoder.kept_body(feed, record);
                self.refuse(
                    record.line,
                    undecodable.rejection,
                    undecodable.source,
                    undecodable.id,
                    (format, body),
                );
            }
            Ok(draft) => {
                self.check(record.line, draft, raw, || decoder.kept_body(feed, record));
            }
        }
    }

    /// Checks the form of a draft and adds it, or refuses it with the body that is kept.
    fn check(
        &mut self,
        line: u64,
        draft: metering::Draft,
        raw: Span,
        body: impl FnOnce() -> (String, Vec<u8>),
    ) {
        let (source, id) = (draft.source.clone(), draft.id.clone());
        match check_form(draft) {
            Ok(event) => {
                self.batch.push_event(&event);
                self.placed(line, raw);
            }
            Err(rejection) => self.refuse(line, rejection, source, id, body()),
        }
    }

    /// Adds a record that was kept before, perhaps repaired: the format and the bytes it is kept as.
    pub fn add_kept(&mut self, line: u64, format: &str, body: &[u8]) {
        let raw = Span { at: 0, length: 0 };
        match crate::decode_kept(format, body) {
            Err(undecodable) => {
                let kept = (format.to_owned(), body.to_vec());
                self.refuse(line, undecodable.rejection, undecodable.source, undecodable.id, kept);
            }
            Ok(draft) => self.check(line, draft, raw, || (format.to_owned(), body.to_vec())),
        }
        if let Origin::Records(records) = &mut self.origin {
            records.push(RawRecord::kept(line, format, body.to_vec()));
        }
    }

    pub(crate) fn refuse(
        &mut self,
        line: u64,
        rejection: Rejection,
        source: Option<String>,
        id: Option<String>,
        (format, body): (String, Vec<u8>),
    ) {
        self.refused.push(RefusedRecord { index: self.records, line, rejection, source, id, format, body });
        self.records += 1;
    }

    /// What is kept of a row that is refused after all: the format and the bytes.
    pub fn kept_body(&self, decoder: &Decoder, feed: &Feed, place: &Place, row: &Row) -> (String, Vec<u8>) {
        let of_bytes = |bytes: &[u8]| decoder.kept_body(feed, &RawRecord::new(place.line, bytes.to_vec()));
        match &self.origin {
            Origin::Arena if place.raw.length == 0 => {
                (crate::decoder::CLOUD_EVENTS.to_owned(), crate::cloud_events::render(&self.batch.event(row)))
            }
            Origin::Arena => of_bytes(self.batch.text(place.raw).as_bytes()),
            Origin::Bytes(bytes) => {
                let from = place.raw.at as usize;
                of_bytes(&bytes[from..from + place.raw.length as usize])
            }
            Origin::Records(records) => {
                let record = &records[place.index as usize];
                match record.kept_as() {
                    Some(format) => (format.to_owned(), record.bytes.clone()),
                    None => decoder.kept_body(feed, record),
                }
            }
        }
    }
}

impl Decoder {
    /// Cuts an input into chunks for [`Decoder::decode_chunk`]. Parquet is no stream: [`Chunks::open_parquet`]
    /// cuts it.
    pub fn chunks(&self, input: Box<dyn BufRead + Send>) -> Chunks {
        Chunks::new(self.format(), input)
    }

    /// Bytes as one chunk, whatever their length: a batch that a program sends.
    ///
    /// **Errors**: those of [`Chunks::next`].
    pub fn chunk_of(&self, bytes: Vec<u8>) -> Result<RawChunk, InputError> {
        match self.format() {
            Format::CloudEvents | Format::SentryOutcomes => Ok(RawChunk(Raw::Lines(LineChunk::of(bytes)))),
            _ => {
                let mut chunks = self.chunks(Box::new(std::io::Cursor::new(bytes)));
                let mut all = Vec::new();
                while let Some(RawChunk(Raw::Records(records))) = chunks.next(usize::MAX)? {
                    all.extend(records);
                }
                Ok(RawChunk(Raw::Records(all)))
            }
        }
    }

    /// Decodes a chunk, whose records keep their order. `seed` is that of [`Batch::new`].
    pub fn decode_chunk(&self, feed: &Feed, raw: RawChunk, seed: u64) -> Chunk {
        match raw.0 {
            Raw::Lines(lines) => self.decode_lines(feed, lines, seed),
            Raw::Columns(rows) => crate::parquet::decode(self, feed, &rows, seed),
            Raw::Records(records) => {
                let mut chunk = Chunk::of_records(seed);
                for record in &records {
                    chunk.decode_one(self, feed, record, Span::default());
                }
                chunk.origin = Origin::Records(records);
                chunk
            }
        }
    }

    fn decode_lines(&self, feed: &Feed, lines: LineChunk, seed: u64) -> Chunk {
        if let Some(cut) = lines.cut {
            let mut chunk = Chunk::of_records(seed);
            chunk.decode_one(self, feed, &cut, Span::default());
            return chunk;
        }
        match String::from_utf8(lines.bytes) {
            Ok(text) if *self.format() == Format::CloudEvents => {
                crate::learned::decode(self, feed, text, lines.first_line, seed)
            }
            Ok(text) => {
                let copy = text.clone();
                let mut chunk = Chunk::in_arena(text, seed);
                self.decode_each(feed, copy.as_bytes(), lines.first_line, &mut chunk);
                chunk
            }
            Err(error) => {
                let bytes = error.into_bytes();
                let mut chunk = Chunk::of_records(seed);
                self.decode_each(feed, &bytes, lines.first_line, &mut chunk);
                chunk.origin = Origin::Bytes(bytes);
                chunk
            }
        }
    }

    fn decode_each(&self, feed: &Feed, bytes: &[u8], first_line: u64, chunk: &mut Chunk) {
        for (line, from, line_bytes) in crate::line_chunks::lines(bytes, first_line) {
            let raw = Span { at: from as u32, length: line_bytes.len() as u32 };
            chunk.decode_one(self, feed, &record_of(line, line_bytes), raw);
        }
    }
}
