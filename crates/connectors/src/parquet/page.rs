//! The pages of a column chunk: found, read, decompressed, within bounds.

use std::io::{Read, Seek, SeekFrom};

use super::PAGE_BYTES_MAX;
use super::thrift::{Compact, Fault, Kind};

/// Bytes that are read where a page begins.
const WINDOW_BYTES: usize = 16 * 1024;
/// Bytes of the header of a page: statistics are the longest part of it.
const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// A file that can be read at any place.
pub(crate) trait Place: Read + Seek + Send {}

impl<T: Read + Seek + Send> Place for T {}

/// A file and its length.
pub(super) struct Source {
    pub input: Box<dyn Place>,
    pub length: u64,
}

impl Source {
    /// Appends bytes of the file; the file is as long as that, unless it shrank.
    pub fn read(&mut self, at: u64, count: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let before = out.len();
        let sought = self.input.seek(SeekFrom::Start(at));
        sought
            .and_then(|_| (&mut self.input).take(count as u64).read_to_end(out))
            .map_err(|error| format!("expected bytes that can be read at {at}: {error}"))?;
        let found = out.len() - before;
        if found == count { Ok(()) } else { Err(format!("expected {count} bytes at {at}, found `{found}`")) }
    }
}

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Dictionary,
    Data,
    /// With its number of nulls.
    DataV2 {
        nulls: i64,
    },
}

/// A page, decompressed.
#[derive(Debug)]
pub(super) struct Page {
    pub kind: PageKind,
    /// Values of a dictionary; rows of data.
    pub values: u32,
    pub encoding: i64,
    /// How the levels of a page of the first version are written.
    pub levels_encoding: i64,
    /// The levels of a page of the second version, which come beside its values.
    pub levels: Vec<u8>,
    pub bytes: Vec<u8>,
}

/// How the pages of a chunk are compressed.
pub(super) enum Codec {
    None,
    Snappy(snap::raw::Decoder),
    Gzip,
    Zstd(zstd::bulk::Decompressor<'static>),
}

impl Codec {
    /// **Errors**: the name of a compression that is not read.
    pub fn check(number: i64) -> Result<(), &'static str> {
        match number {
            0 | 1 | 2 | 6 => Ok(()),
            3 => Err("LZO"),
            4 => Err("Brotli"),
            5 | 7 => Err("LZ4"),
            _ => Err("an unknown compression"),
        }
    }

    pub fn new(number: i64) -> Result<Self, String> {
        Ok(match number {
            1 => Self::Snappy(snap::raw::Decoder::new()),
            2 => Self::Gzip,
            6 => Self::Zstd(zstd::bulk::Decompressor::new().map_err(|error| error.to_string())?),
            _ => Self::None,
        })
    }

    /// The plain bytes: as many as were told, or an error before there are more.
    fn decompress(&mut self, bytes: &[u8], length: usize) -> Result<Vec<u8>, String> {
        let told =
            |error: &dyn std::fmt::Display| format!("expected a page that can be decompressed: {error}");
        let mut plain = Vec::with_capacity(length);
        match self {
            Self::None => plain.extend_from_slice(bytes),
            // A page of nulls only has no values, and some writers compress nothing to nothing.
            _ if length == 0 => {}
            Self::Snappy(decoder) => {
                let found = snap::raw::decompress_len(bytes).map_err(|error| told(&error))?;
                if found == length {
                    plain.resize(length, 0);
                    decoder.decompress(bytes, &mut plain).map_err(|error| told(&error))?;
                }
            }
            Self::Gzip => {
                let decoder = flate2::read::MultiGzDecoder::new(bytes);
                decoder.take(length as u64 + 1).read_to_end(&mut plain).map_err(|error| told(&error))?;
            }
            Self::Zstd(decoder) => {
                decoder.decompress_to_buffer(bytes, &mut plain).map_err(|error| told(&error))?;
            }
        }
        if plain.len() == length {
            Ok(plain)
        } else {
            Err(format!("expected a page of {length} bytes when decompressed, found another length"))
        }
    }
}

/// Reads the pages of a column chunk in order.
pub(super) struct Pages {
    pub codec: Codec,
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
    /// Which page was read last, from 0.
    pub number: Option<u32>,
}

impl Pages {
    pub fn new(codec: Codec, at: u64, end: u64) -> Self {
        Self { codec, at, end, window: Vec::new(), window_at: 0, number: None }
    }

    /// Bytes of memory.
    pub fn held(&self) -> usize {
        self.window.capacity()
    }

    /// The next page; pages of an index are passed over.
    pub fn next(&mut self, source: &mut Source) -> Result<Option<Page>, String> {
        while self.at < self.end {
            self.number = Some(self.number.map_or(0, |number| number.saturating_add(1)));
            let header = self.header(source)?;
            let body = self.body(source, header.compressed)?;
            if let Some(page) = header.page(&mut self.codec, &self.window[body])? {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    fn header(&mut self, source: &mut Source) -> Result<Header, String> {
        let mut wanted = 512;
        loop {
            let available = self.fill(source, wanted)?;
            let bytes = &self.window[self.window.len() - available..];
            match Header::read(bytes) {
                Ok((header, length)) => {
                    self.at += length as u64;
                    return Ok(header);
                }
                Err(Fault::Ends) if available as u64 == self.end - self.at => {
                    return Err("expected the header of a page, found the end of the column".to_owned());
                }
                Err(Fault::Ends) if available < HEADER_BYTES_MAX => wanted = available * 4,
                Err(Fault::Ends) => {
                    return Err(format!("expected a page header of at most {HEADER_BYTES_MAX} bytes"));
                }
                Err(Fault::Wrong(message)) => {
                    return Err(format!("expected the header of a page: {message}"));
                }
            }
        }
    }

    /// Where in the window the next bytes are.
    fn body(&mut self, source: &mut Source, count: usize) -> Result<std::ops::Range<usize>, String> {
        let left = self.end - self.at;
        if count as u64 > left {
            return Err(format!("expected a page within the {left} bytes left, found one of `{count}`"));
        }
        self.fill(source, count)?;
        let from = (self.at - self.window_at) as usize;
        self.at += count as u64;
        Ok(from..from + count)
    }

    /// Reads on until the window holds so many bytes from here, or all of the chunk; tells how many it holds.
    fn fill(&mut self, source: &mut Source, wanted: usize) -> Result<usize, String> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = wanted.min(left);
        let window_end = self.window_at + self.window.len() as u64;
        let held = if self.at < window_end { (window_end - self.at) as usize } else { 0 };
        if held >= wanted {
            return Ok(held);
        }
        let kept = self.window.len() - held;
        self.window.drain(..kept);
        self.window_at = self.at;
        // Little is read ahead of a page, so that what is read twice is little.
        let ahead = if wanted > WINDOW_BYTES { wanted } else { WINDOW_BYTES.min(left) };
        if self.window.capacity() > 4 * ahead.max(WINDOW_BYTES) {
            self.window.shrink_to(ahead);
        }
        self.window.reserve_exact(ahead - held);
        source.read(self.at + held as u64, ahead - held, &mut self.window)?;
        Ok(self.window.len())
    }
}

#[derive(Default)]
struct Header {
    kind: i64,
    uncompressed: i64,
    compressed: usize,
    crc: Option<i64>,
    data: Option<Of>,
    dictionary: Option<Of>,
    data_v2: Option<Of>,
}

/// What a header says of its kind of page.
#[derive(Default)]
struct Of {
    values: i64,
    nulls: i64,
    rows: Option<i64>,
    encoding: i64,
    levels_encoding: i64,
    levels_bytes: i64,
    repetition_bytes: i64,
    is_plain: bool,
}

impl Header {
    /// A header, and how long it is.
    fn read(bytes: &[u8]) -> Result<(Self, usize), Fault> {
        let mut read = Compact::new(bytes);
        let mut header = Self { kind: -1, ..Self::default() };
        let mut compressed = -1;
        let mut last = 0;
        while let Some((number, kind)) = read.field(&mut last)? {
            match (number, kind) {
                (1, Kind::Integer) => header.kind = read.integer()?,
                (2, Kind::Integer) => header.uncompressed = read.integer()?,
                (3, Kind::Integer) => compressed = read.integer()?,
                (4, Kind::Integer) => header.crc = Some(read.integer()?),
                (5, Kind::Struct) => header.data = Some(data(&mut read)?),
                (7, Kind::Struct) => header.dictionary = Some(data(&mut read)?),
                (8, Kind::Struct) => header.data_v2 = Some(data_v2(&mut read)?),
                _ => read.skip(kind)?,
            }
        }
        let within = |length: i64| usize::try_from(length).ok().filter(|length| *length <= PAGE_BYTES_MAX);
        let (Some(compressed), Some(_)) = (within(compressed), within(header.uncompressed)) else {
            return Err(Fault::Wrong(format!(
                "pages have at most {PAGE_BYTES_MAX} bytes, found `{compressed}`, decompressed `{}`",
                header.uncompressed
            )));
        };
        header.compressed = compressed;
        Ok((header, read.position()))
    }

    /// The page behind it; nothing for one that is no part of the data.
    fn page(self, codec: &mut Codec, bytes: &[u8]) -> Result<Option<Page>, String> {
        if let Some(told) = self.crc {
            let mut crc = flate2::Crc::new();
            crc.update(bytes);
            if crc.sum() != told as u32 {
                return Err(format!(
                    "expected a page with the checksum {:08x}, found `{:08x}`",
                    told as u32,
                    crc.sum()
                ));
            }
        }
        let (of, is_v2) = match self.kind {
            0 => (self.data, false),
            1 => return Ok(None),
            2 => (self.dictionary, false),
            3 => (self.data_v2, true),
            other => {
                return Err(format!("expected a page of data or a dictionary, found the type `{other}`"));
            }
        };
        let of = of.ok_or("expected a page whose header says what it holds, found none of its kind")?;
        let values = u32::try_from(of.values)
            .map_err(|_| format!("expected a number of values, found `{}`", of.values))?;
        let length = self.uncompressed as usize;
        let mut page = Page {
            kind: if self.kind == 2 { PageKind::Dictionary } else { PageKind::Data },
            values,
            encoding: of.encoding,
            levels_encoding: of.levels_encoding,
            levels: Vec::new(),
            bytes: Vec::new(),
        };
        if !is_v2 {
            page.bytes = codec.decompress(bytes, length)?;
            return Ok(Some(page));
        }
        let wrong = || "expected levels within their page, one value a row".to_owned();
        let levels_bytes = usize::try_from(of.levels_bytes).map_err(|_| wrong())?;
        if of.repetition_bytes != 0 || of.rows.is_some_and(|rows| rows != of.values) || levels_bytes > length
        {
            return Err(wrong());
        }
        let (levels, rest) = bytes.split_at_checked(levels_bytes).ok_or_else(wrong)?;
        page.levels = levels.to_vec();
        page.kind = PageKind::DataV2 { nulls: of.nulls };
        let mut plain = Codec::None;
        let codec = if of.is_plain { &mut plain } else { codec };
        page.bytes = codec.decompress(rest, length - levels_bytes)?;
        Ok(Some(page))
    }
}

/// The header of a page of the first version, or of a dictionary: both begin alike.
fn data(read: &mut Compact<'_>) -> Result<Of, Fault> {
    let mut of = Of { values: -1, encoding: -1, ..Of::default() };
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        match (number, kind) {
            (1, Kind::Integer) => of.values = read.integer()?,
            (2, Kind::Integer) => of.encoding = read.integer()?,
            (3, Kind::Integer) => of.levels_encoding = read.integer()?,
            _ => read.skip(kind)?,
        }
    }
    Ok(of)
}

fn data_v2(read: &mut Compact<'_>) -> Result<Of, Fault> {
    let mut of = Of { values: -1, encoding: -1, ..Of::default() };
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        match (number, kind) {
            (1, Kind::Integer) => of.values = read.integer()?,
            (2, Kind::Integer) => of.nulls = read.integer()?,
            (3, Kind::Integer) => of.rows = Some(read.integer()?),
            (4, Kind::Integer) => of.encoding = read.integer()?,
            (5, Kind::Integer) => of.levels_bytes = read.integer()?,
            (6, Kind::Integer) => of.repetition_bytes = read.integer()?,
            (7, Kind::False) => of.is_plain = true,
            _ => read.skip(kind)?,
        }
    }
    Ok(of)
}
