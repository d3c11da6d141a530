//! The footer of a Parquet file: its schema and where its column chunks are.

use super::thrift::{Compact, Fault, Kind};

/// What a file says about itself.
#[derive(Debug, Default)]
pub(super) struct Footer {
    /// The tree of the schema, root first, each node before its children.
    pub schema: Vec<Element>,
    /// Rows of all groups.
    pub rows: i64,
    pub groups: Vec<Group>,
}

/// A node of the schema. Numbers are those of the format.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub name: String,
    pub physical: Option<i64>,
    pub repetition: Option<i64>,
    pub children: i64,
    pub converted: Option<i64>,
    pub logical: Option<Logical>,
}

/// What a column means beyond its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logical {
    /// Times in units of so many nanoseconds.
    Timestamp {
        unit_ns: i64,
    },
    Integer {
        is_signed: bool,
    },
    /// Any other, by its number in the format.
    Other(i64),
}

/// Some rows.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub rows: i64,
    pub chunks: Vec<ColumnChunk>,
}

/// A column of a group.
#[derive(Debug, Default)]
pub(super) struct ColumnChunk {
    pub physical: i64,
    pub codec: i64,
    pub values: i64,
    pub length: i64,
    pub data_at: i64,
    pub dictionary_at: Option<i64>,
    pub has_metadata: bool,
    /// In another file, or encrypted.
    pub is_elsewhere: bool,
}

impl Footer {
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut read = Compact::new(bytes);
        let mut footer = Self::default();
        let mut last = 0;
        while let Some((number, kind)) = read.field(&mut last)? {
            match (number, kind) {
                (2, Kind::List) => footer.schema = structs(&mut read, element)?,
                (3, Kind::Integer) => footer.rows = read.integer()?,
                (4, Kind::List) => footer.groups = structs(&mut read, group)?,
                (8, _) => return Err(Fault::wrong("expected a file that is not encrypted")),
                _ => read.skip(kind)?,
            }
        }
        Ok(footer)
    }
}

fn structs<T>(
    read: &mut Compact<'_>,
    one: impl Fn(&mut Compact<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    match read.list()? {
        (0, _) => Ok(Vec::new()),
        (count, Kind::Struct) => (0..count).map(|_| one(read)).collect(),
        _ => Err(Fault::wrong("expected a list of structs")),
    }
}

fn element(read: &mut Compact<'_>) -> Result<Element, Fault> {
    let mut element = Element::default();
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        match (number, kind) {
            (1, Kind::Integer) => element.physical = Some(read.integer()?),
            (3, Kind::Integer) => element.repetition = Some(read.integer()?),
            (4, Kind::Binary) => {
                let name = std::str::from_utf8(read.binary()?);
                element.name = name.map_err(|_| Fault::wrong("expected column names in UTF-8"))?.to_owned();
            }
            (5, Kind::Integer) => element.children = read.integer()?,
            (6, Kind::Integer) => element.converted = Some(read.integer()?),
            (10, Kind::Struct) => element.logical = logical(read)?,
            _ => read.skip(kind)?,
        }
    }
    Ok(element)
}

fn logical(read: &mut Compact<'_>) -> Result<Option<Logical>, Fault> {
    let mut found = None;
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        found = Some(match (number, kind) {
            (8, Kind::Struct) => timestamp(read)?,
            (10, Kind::Struct) => integer(read)?,
            _ => {
                read.skip(kind)?;
                Logical::Other(number)
            }
        });
    }
    Ok(found)
}

/// The number of the logical type TIMESTAMP.
const TIMESTAMP: i64 = 8;

fn timestamp(read: &mut Compact<'_>) -> Result<Logical, Fault> {
    let mut found = Logical::Other(TIMESTAMP);
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        // Whether it is adjusted to UTC (1) changes nothing: without a zone it is UTC.
        if (number, kind) != (2, Kind::Struct) {
            read.skip(kind)?;
            continue;
        }
        let mut last = 0;
        while let Some((unit, kind)) = read.field(&mut last)? {
            read.skip(kind)?;
            found = match unit {
                1 => Logical::Timestamp { unit_ns: 1_000_000 },
                2 => Logical::Timestamp { unit_ns: 1_000 },
                3 => Logical::Timestamp { unit_ns: 1 },
                _ => Logical::Other(TIMESTAMP),
            };
        }
    }
    Ok(found)
}

fn integer(read: &mut Compact<'_>) -> Result<Logical, Fault> {
    let mut is_signed = true;
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        if (number, kind) == (2, Kind::False) {
            is_signed = false;
        }
        read.skip(kind)?;
    }
    Ok(Logical::Integer { is_signed })
}

fn group(read: &mut Compact<'_>) -> Result<Group, Fault> {
    let mut group = Group::default();
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        match (number, kind) {
            (1, Kind::List) => group.chunks = structs(read, column_chunk)?,
            (3, Kind::Integer) => group.rows = read.integer()?,
            _ => read.skip(kind)?,
        }
    }
    Ok(group)
}

fn column_chunk(read: &mut Compact<'_>) -> Result<ColumnChunk, Fault> {
    let mut chunk = ColumnChunk::default();
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        match (number, kind) {
            (1, Kind::Binary) => chunk.is_elsewhere |= !read.binary()?.is_empty(),
            (3, Kind::Struct) => {
                chunk.has_metadata = true;
                column_metadata(read, &mut chunk)?;
            }
            (8 | 9, _) => {
                chunk.is_elsewhere = true;
                read.skip(kind)?;
            }
            _ => read.skip(kind)?,
        }
    }
    Ok(chunk)
}

fn column_metadata(read: &mut Compact<'_>, chunk: &mut ColumnChunk) -> Result<(), Fault> {
    let mut last = 0;
    while let Some((number, kind)) = read.field(&mut last)? {
        match (number, kind) {
            (1, Kind::Integer) => chunk.physical = read.integer()?,
            (4, Kind::Integer) => chunk.codec = read.integer()?,
            (5, Kind::Integer) => chunk.values = read.integer()?,
            (7, Kind::Integer) => chunk.length = read.integer()?,
            (9, Kind::Integer) => chunk.data_at = read.integer()?,
            (11, Kind::Integer) => chunk.dictionary_at = Some(read.integer()?),
            _ => read.skip(kind)?,
        }
    }
    Ok(())
}
