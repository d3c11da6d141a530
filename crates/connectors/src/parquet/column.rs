//! A column of a row group, read row by row from its pages.

use std::sync::Arc;

use metering::NAME_BYTES_MAX;

use super::PAGE_BYTES_MAX;
use super::delta::Delta;
use super::hybrid::Hybrid;
use super::page::{Page, PageKind, Pages, Source};
use super::schema::{Column, Kind, Role};
use super::slice::{NULL, NumberPiece, Piece, TextPiece};
use super::texts::{Texts, Values};

const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const DELTA_BINARY_PACKED: i64 = 5;
const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
const DELTA_BYTE_ARRAY: i64 = 7;
const RLE_DICTIONARY: i64 = 8;
const ENCODINGS: [&str; 10] = [
    "PLAIN",
    "GROUP_VAR_INT",
    "PLAIN_DICTIONARY",
    "RLE",
    "BIT_PACKED",
    "DELTA_BINARY_PACKED",
    "DELTA_LENGTH_BYTE_ARRAY",
    "DELTA_BYTE_ARRAY",
    "RLE_DICTIONARY",
    "BYTE_STREAM_SPLIT",
];

/// Values of a page whose lengths alone are written: they may take no bytes, so that the page does not bound
/// how many there are.
const LENGTHS_MAX: u64 = 1 << 24;

/// Where the reading of a column in a group is.
pub(super) struct Cursor {
    pub pages: Pages,
    dictionary: Option<Dictionary>,
    page: Option<OpenPage>,
    /// Rows of the group that are in no page yet.
    rows_left: u64,
}

enum Dictionary {
    Texts(Arc<Texts>),
    Numbers(Arc<Vec<i64>>),
}

/// A page of data that was not read to its end.
struct OpenPage {
    rows: u32,
    /// Which rows have a value, in a column that may have none.
    levels: Option<Hybrid>,
    values: Encoded,
    /// How many nulls the page says it has, less those that were read.
    nulls_left: Option<i64>,
    held: usize,
}

enum Encoded {
    TextNumbers { texts: Arc<Texts>, numbers: Hybrid },
    Texts { values: Arc<Values>, next: usize },
    NumberPlaces { dictionary: Arc<Vec<i64>>, places: Hybrid },
    Numbers { bytes: Arc<Vec<u8>>, at: usize },
    Differences(Delta),
    BoolBits { bytes: Arc<Vec<u8>>, bit: usize },
    BoolRuns(Hybrid),
}

impl Cursor {
    pub fn new(pages: Pages, rows: u64) -> Self {
        Self { pages, dictionary: None, page: None, rows_left: rows }
    }

    /// Opens pages until one has rows left; tells how many, and how many bytes were put into memory.
    pub fn open(&mut self, column: &Column, source: &mut Source) -> Result<(usize, usize), String> {
        let mut loaded = 0;
        loop {
            if let Some(page) = &self.page
                && page.rows > 0
            {
                return Ok((page.rows as usize, loaded));
            }
            self.page = None;
            let page = self.pages.next(source)?.ok_or("expected more pages, found the end of the column")?;
            if page.kind == PageKind::Dictionary {
                let dictionary = read_dictionary(column, &page)?;
                loaded += dictionary.held();
                if self.dictionary.replace(dictionary).is_some() {
                    return Err("expected one dictionary, found a second".to_owned());
                }
                continue;
            }
            let rows = u64::from(page.values);
            if rows > self.rows_left {
                let left = self.rows_left;
                return Err(format!(
                    "expected a page of at most the {left} rows left, found one of `{rows}`"
                ));
            }
            self.rows_left -= rows;
            let page = OpenPage::new(column, page, self.dictionary.as_ref())?;
            loaded += page.held;
            self.page = Some(page);
        }
    }

    /// Behind the last row there may be no more values.
    pub fn check_end(&mut self, source: &mut Source) -> Result<(), String> {
        while let Some(page) = self.pages.next(source)? {
            if page.kind != PageKind::Dictionary && page.values > 0 {
                return Err(format!("expected no rows behind the last, found `{}`", page.values));
            }
        }
        Ok(())
    }

    /// Bytes of memory.
    pub fn held(&self) -> usize {
        let dictionary = self.dictionary.as_ref().map_or(0, Dictionary::held);
        dictionary + self.page.as_ref().map_or(0, |page| page.held) + self.pages.held()
    }

    /// At most how many bytes the texts of the next rows take where they are decoded.
    pub fn cost(&self, column: &Column, rows: usize) -> usize {
        match self.page.as_ref().map(|page| &page.values) {
            Some(Encoded::TextNumbers { texts, .. }) => {
                let is_shared = !matches!(column.role, Role::Id | Role::Property);
                let longest = texts.longest();
                if is_shared && longest <= NAME_BYTES_MAX { 0 } else { longest.saturating_mul(rows) }
            }
            Some(Encoded::Texts { values, next }) => {
                values.region(*next, rows.min(values.len() - next)).len()
            }
            _ => 0,
        }
    }

    /// The next rows of the open page; it has as many.
    pub fn take(&mut self, column: &Column, rows: usize) -> Result<Piece, String> {
        let Some(page) = &mut self.page else { return Err("expected an open page".to_owned()) };
        let piece = page.take(column, rows)?;
        if page.rows == 0 {
            page.check_end()?;
        }
        Ok(piece)
    }
}

impl Dictionary {
    fn held(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.held(),
            Self::Numbers(numbers) => numbers.capacity() * 8,
        }
    }
}

fn read_dictionary(column: &Column, page: &Page) -> Result<Dictionary, String> {
    if page.encoding != PLAIN && page.encoding != PLAIN_DICTIONARY {
        return Err(not_read(page.encoding));
    }
    match column.kind {
        Kind::Text => Ok(Dictionary::Texts(Arc::new(Texts::read(&page.bytes, page.values)?))),
        Kind::Number { .. } | Kind::Time { .. } => {
            let width = number_bytes(column.kind);
            if page.bytes.len() / width < page.values as usize {
                return Err(format!("expected a dictionary of {} numbers, found fewer", page.values));
            }
            let mut numbers = Vec::with_capacity(page.values as usize);
            read_numbers(column.kind, &page.bytes[..page.values as usize * width], &mut numbers);
            Ok(Dictionary::Numbers(Arc::new(numbers)))
        }
        Kind::Bool => Err("expected no dictionary of booleans".to_owned()),
    }
}

fn not_read(encoding: i64) -> String {
    let name = usize::try_from(encoding).ok().and_then(|number| ENCODINGS.get(number)).copied();
    let name = name.unwrap_or("an unknown encoding");
    format!("expected values in an encoding of their type that is read, found `{name}`")
}

fn number_bytes(kind: Kind) -> usize {
    if matches!(kind, Kind::Number { is_short: true, .. }) { 4 } else { 8 }
}

/// Numbers of four bytes or eight. Of eight bytes without a sign the bits are kept.
fn read_numbers(kind: Kind, bytes: &[u8], out: &mut Vec<i64>) {
    match kind {
        Kind::Number { is_short: true, is_signed: true } => {
            out.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))));
        }
        Kind::Number { is_short: true, is_signed: false } => {
            out.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| i64::from(u32::from_le_bytes(*bytes))));
        }
        _ => out.extend(bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes))),
    }
}

impl Encoded {
    /// The values of a page from a byte on, at most one for each of its rows.
    fn new(
        column: &Column,
        encoding: i64,
        bytes: Arc<Vec<u8>>,
        at: usize,
        rows: u32,
        dictionary: Option<&Dictionary>,
    ) -> Result<Self, String> {
        let is_empty = at == bytes.len();
        let is_number = matches!(column.kind, Kind::Number { .. } | Kind::Time { .. });
        Ok(match (column.kind, encoding) {
            (_, PLAIN_DICTIONARY | RLE_DICTIONARY) => {
                // A page of nulls alone may have no bytes; a value read from none is an error, whatever the width.
                let width = bytes.get(at).copied().unwrap_or(1);
                let end = bytes.len();
                let places = Hybrid::new(bytes, at + 1, end, width)?;
                match (dictionary, column.kind) {
                    (Some(Dictionary::Texts(texts)), _) => {
                        Self::TextNumbers { texts: Arc::clone(texts), numbers: places }
                    }
                    (Some(Dictionary::Numbers(numbers)), _) => {
                        Self::NumberPlaces { dictionary: Arc::clone(numbers), places }
                    }
                    // A column of nulls only needs no dictionary.
                    (None, Kind::Text) => Self::TextNumbers { texts: Arc::default(), numbers: places },
                    (None, _) => Self::NumberPlaces { dictionary: Arc::default(), places },
                }
            }
            (Kind::Text, PLAIN) => Self::Texts { values: Arc::new(Values::plain(bytes, at, rows)?), next: 0 },
            (Kind::Text, DELTA_LENGTH_BYTE_ARRAY) if !is_empty => {
                let (lengths, from) = read_lengths(&bytes, at, rows)?;
                Self::Texts { values: Arc::new(Values::of_lengths(bytes, from, &lengths)?), next: 0 }
            }
            (Kind::Text, DELTA_BYTE_ARRAY) if !is_empty => {
                let (prefixes, from) = read_lengths(&bytes, at, rows)?;
                let (lengths, from) = read_lengths(&bytes, from, rows)?;
                let values = Values::of_prefixes(&bytes, from, &prefixes, &lengths, PAGE_BYTES_MAX)?;
                Self::Texts { values: Arc::new(values), next: 0 }
            }
            (Kind::Bool, PLAIN) => Self::BoolBits { bytes, bit: at * 8 },
            (Kind::Bool, RLE) if !is_empty => {
                let end =
                    behind_length(&bytes, at).ok_or("expected the booleans of the page, found its end")?;
                Self::BoolRuns(Hybrid::new(bytes, at + 4, end, 1)?)
            }
            (_, PLAIN) if is_number => Self::Numbers { bytes, at },
            (_, DELTA_BINARY_PACKED) if is_number && !is_empty => Self::Differences(Delta::new(bytes, at)?),
            // A page without values, whatever the encoding.
            _ if is_empty && is_number => Self::Numbers { bytes, at },
            _ if is_empty && column.kind == Kind::Text => {
                Self::Texts { values: Arc::new(Values::plain(bytes, at, rows)?), next: 0 }
            }
            _ if is_empty => Self::BoolBits { bytes, bit: at * 8 },
            _ => return Err(not_read(encoding)),
        })
    }
}

/// Lengths of at most so many values, and where they end.
fn read_lengths(bytes: &Arc<Vec<u8>>, at: usize, count_max: u32) -> Result<(Vec<i64>, usize), String> {
    let mut delta = Delta::new(Arc::clone(bytes), at)?;
    let count = delta.left();
    if count > u64::from(count_max) || count > LENGTHS_MAX {
        return Err(format!("expected the lengths of at most {count_max} values, found `{count}`"));
    }
    let mut lengths = Vec::new();
    delta.read(count as usize, &mut lengths)?;
    Ok((lengths, delta.end()))
}

/// Where a part ends that stands behind its length in four bytes.
fn behind_length(bytes: &[u8], at: usize) -> Option<usize> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    (length <= rest.len()).then_some(at + 4 + length)
}

impl OpenPage {
    fn new(column: &Column, page: Page, dictionary: Option<&Dictionary>) -> Result<Self, String> {
        let Page { kind, values: rows, encoding, levels_encoding, levels, bytes } = page;
        let (bytes, mut at) = (Arc::new(bytes), 0);
        let beside = bytes.capacity() + levels.capacity();
        let levels = match (column.is_optional, kind) {
            (false, _) => None,
            (true, PageKind::DataV2 { .. }) => {
                let length = levels.len();
                Some(Hybrid::new(Arc::new(levels), 0, length, 1)?)
            }
            (true, _) if levels_encoding != RLE => {
                return Err("expected levels in the encoding RLE, found others".to_owned());
            }
            (true, _) => {
                let end = behind_length(&bytes, 0).ok_or("expected the levels of the page, found its end")?;
                at = end;
                Some(Hybrid::new(Arc::clone(&bytes), 4, end, 1)?)
            }
        };
        let values = Encoded::new(column, encoding, bytes, at, rows, dictionary)?;
        // Texts may share their bytes with the page: then they count twice, which is on the safe side.
        let held = beside + if let Encoded::Texts { values, .. } = &values { values.held() } else { 0 };
        let nulls_left = match kind {
            PageKind::DataV2 { nulls } => Some(nulls),
            _ => None,
        };
        Ok(Self { rows, levels, values, nulls_left, held })
    }

    fn take(&mut self, column: &Column, rows: usize) -> Result<Piece, String> {
        let present = self.present(rows)?;
        let count = present.as_ref().map_or(rows, |present| present.iter().filter(|has| **has).count());
        self.rows -= rows as u32;
        if let Some(nulls) = &mut self.nulls_left {
            *nulls -= (rows - count) as i64;
        }
        let present = present.as_deref();
        Ok(match &mut self.values {
            Encoded::TextNumbers { texts, numbers } => {
                let numbers = read_places(numbers, texts.len(), count, present)?;
                Piece::Texts(TextPiece::Dictionary { texts: Arc::clone(texts), numbers })
            }
            Encoded::Texts { values, next } => {
                let first = *next;
                if values.len() - first < count {
                    return Err(fewer(count, values.len() - first));
                }
                *next += count;
                let places = present.map(|present| spread(0..count as u32, NULL, present));
                Piece::Texts(TextPiece::Values { values: Arc::clone(values), first, count, places })
            }
            Encoded::NumberPlaces { dictionary, places } => {
                let places = read_places(places, dictionary.len(), count, present)?;
                Piece::Numbers(NumberPiece::Dictionary { dictionary: Arc::clone(dictionary), places })
            }
            Encoded::Numbers { bytes, at } => {
                let length = count * number_bytes(column.kind);
                let found = bytes.get(*at..).unwrap_or(&[]);
                let taken = found.get(..length).ok_or_else(|| fewer(length, found.len()))?;
                let mut numbers = Vec::with_capacity(count);
                read_numbers(column.kind, taken, &mut numbers);
                *at += length;
                number_values(numbers, present)
            }
            Encoded::Differences(delta) => {
                let mut numbers = Vec::with_capacity(count);
                delta.read(count, &mut numbers)?;
                if let Kind::Number { is_short: true, is_signed } = column.kind {
                    // Differences of 32 bits wrap within 32 bits.
                    let narrow = |number: i64| match is_signed {
                        true => i64::from(number as i32),
                        false => i64::from(number as u32),
                    };
                    numbers.iter_mut().for_each(|number| *number = narrow(*number));
                }
                number_values(numbers, present)
            }
            Encoded::BoolBits { bytes, bit } => {
                let from = *bit;
                *bit += count;
                if *bit > bytes.len() * 8 {
                    return Err(fewer(count, bytes.len() * 8 - from));
                }
                bools((from..from + count).map(|bit| bytes[bit / 8] >> (bit % 8) & 1).collect(), present)
            }
            Encoded::BoolRuns(runs) => {
                let mut numbers = Vec::new();
                runs.read(count, &mut numbers)?;
                bools(numbers.iter().map(|number| (number & 1) as u8).collect(), present)
            }
        })
    }

    /// Which of the next rows have a value; nothing where all have.
    fn present(&mut self, rows: usize) -> Result<Option<Vec<bool>>, String> {
        let Some(levels) = &mut self.levels else { return Ok(None) };
        if levels.pass(rows, 1)? {
            return Ok(None);
        }
        let mut found = Vec::new();
        levels.read(rows, &mut found)?;
        if let Some(level) = found.iter().find(|level| **level > 1) {
            return Err(format!("expected the levels 0 and 1, found `{level}`"));
        }
        let is_full = found.iter().all(|level| *level == 1);
        Ok((!is_full).then(|| found.iter().map(|level| *level == 1).collect()))
    }

    /// Behind the last row nothing may be left over.
    fn check_end(&self) -> Result<(), String> {
        let left = match &self.values {
            Encoded::Texts { values, next } => values.len() - next,
            Encoded::Numbers { bytes, at } => bytes.len() - at,
            Encoded::Differences(delta) => delta.left() as usize,
            _ => 0,
        };
        if left > 0 || self.nulls_left.is_some_and(|nulls| nulls != 0) {
            return Err("expected as many values as the levels say, found more".to_owned());
        }
        Ok(())
    }
}

fn fewer(count: usize, found: usize) -> String {
    format!("expected {count} more values or bytes in the page, found `{found}`")
}

/// Places in a dictionary, a row each.
fn read_places(
    places: &mut Hybrid,
    length: usize,
    count: usize,
    present: Option<&[bool]>,
) -> Result<Vec<u32>, String> {
    let mut found = Vec::new();
    places.read(count, &mut found)?;
    match found.iter().max() {
        Some(largest) if *largest as usize >= length => {
            Err(format!("expected a place in a dictionary of {length} values, found `{largest}`"))
        }
        _ => Ok(match present {
            None => found,
            Some(present) => spread(found, NULL, present),
        }),
    }
}

fn number_values(numbers: Vec<i64>, present: Option<&[bool]>) -> Piece {
    Piece::Numbers(match present {
        None => NumberPiece::Values { values: numbers, present: None },
        Some(rows) => NumberPiece::Values { values: spread(numbers, 0, rows), present: Some(rows.to_vec()) },
    })
}

fn bools(values: Vec<u8>, present: Option<&[bool]>) -> Piece {
    Piece::Bools(match present {
        None => values,
        Some(present) => spread(values, 2, present),
    })
}

/// A value a row: those of the rows that have one, and between them the one that stands for none.
fn spread<T: Copy>(values: impl IntoIterator<Item = T>, none: T, present: &[bool]) -> Vec<T> {
    let mut values = values.into_iter();
    let mut next = || match values.next() {
        Some(value) => value,
        None => unreachable!("as many values were read as rows have one"),
    };
    present.iter().map(|has| if *has { next() } else { none }).collect()
}
