//! The accepted rows of a block, format 2: one column after the other, each compressed apart.
//!
//! **Source**: `docs/format.md` §5.

use metering::{Batch, Instant, Kind, Row, Span};

use crate::block::{Accepted, AcceptedRow};
use crate::coding::{BadCoding, Reader, put_bytes, put_i64, put_u64};

use super::dictionary::{Numbered, Strings};
use super::section::{IndexReader, IndexWriter, RAW_BYTES_MAX};
use super::{ids, values};

const ZSTD_LEVEL: i32 = 1;
/// Shorter columns are stored as they are.
const PACKED_BYTES_MIN: usize = 64;
/// What is allocated of a column before a byte of it was seen.
const AT_ONCE_BYTES_MAX: usize = 16 << 20;
const KIND_EVENT: u8 = 0;
/// Powers of ten of nanoseconds that times may be whole multiples of.
const TIME_UNITS: [i64; 4] = [1_000_000_000, 1_000_000, 1_000, 1];

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const TREE: u8 = 5;

/// Numbers as differences of zigzag integers.
const INTEGERS: u8 = 0;
/// Numbers as their texts.
const DECIMALS: u8 = 1;

/// What is used again from block to block.
#[derive(Default)]
pub(crate) struct Workspace {
    packer: Option<zstd::bulk::Compressor<'static>>,
    column: Vec<u8>,
    packed: Vec<u8>,
    numbered: Numbered,
    fields: Fields,
}

/// The accepted rows field by field, so that a row is read once.
#[derive(Default)]
struct Fields {
    /// Source, type, account.
    names: [Vec<u32>; 3],
    times: Vec<i64>,
    ids: Vec<Span>,
    shapes: Vec<u32>,
}

impl Fields {
    fn fill(&mut self, accepted: &Accepted) {
        let Self { names, times, ids, shapes } = self;
        let [sources, types, accounts] = names;
        [&mut *sources, types, accounts, shapes].into_iter().for_each(Vec::clear);
        times.clear();
        ids.clear();
        for row in accepted.rows.iter().map(|row| accepted.row(*row)) {
            sources.push(row.source);
            types.push(row.event_type);
            accounts.push(row.account);
            times.push(row.occurred_at.0);
            ids.push(row.id);
            shapes.push(row.shape);
        }
    }
}

impl Workspace {
    /// The numbers of strings in this block.
    pub(super) fn numbered(&mut self) -> &mut Numbered {
        &mut self.numbered
    }

    /// Ends a column: appends it, compressed where that helps.
    fn put(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let column = &self.column;
        put_u64(out, column.len() as u64);
        let mut stored = 0;
        if column.len() >= PACKED_BYTES_MIN {
            stored = self.pack().map_err(|error| format!("a column cannot be compressed ({error})"))?;
        }
        if stored > 0 && stored < self.column.len() {
            put_u64(out, stored as u64);
            out.extend_from_slice(&self.packed[..stored]);
        } else {
            // A stored length of 0 says that the column follows as it is.
            put_u64(out, 0);
            out.extend_from_slice(&self.column);
        }
        self.column.clear();
        Ok(())
    }

    fn pack(&mut self) -> std::io::Result<usize> {
        let packer = match &mut self.packer {
            Some(packer) => packer,
            none => none.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
        };
        let bound = zstd::zstd_safe::compress_bound(self.column.len());
        if self.packed.len() < bound {
            self.packed.resize(bound, 0);
        }
        packer.compress_to_buffer(&self.column, &mut self.packed[..])
    }
}

/// The section `rows` and the section `ids` of a block.
pub(super) fn encode(accepted: &Accepted, work: &mut Workspace) -> Result<(Vec<u8>, Vec<u8>), String> {
    let mut out = Vec::new();
    if accepted.is_empty() {
        return Ok((out, Vec::new()));
    }
    let batch = &accepted.batch;
    let mut fields = std::mem::take(&mut work.fields);
    fields.fill(accepted);
    put_u64(&mut out, accepted.len() as u64);
    let mut indices = IndexWriter::default();
    accepted.rows.iter().for_each(|row| indices.put(&mut work.column, row.index));
    work.put(&mut out)?;
    out.push(KIND_EVENT);
    let Fields { names, times: moments, ids, shapes } = &mut fields;
    for names in names {
        let Workspace { column, numbered, .. } = work;
        names.iter_mut().for_each(|name| *name = numbered.number(*name));
        put_all(column, names);
        work.put(&mut out)?;
    }
    times(moments, &mut work.column, &mut out);
    work.put(&mut out)?;
    // Most ids are 16 bytes.
    let mut id_bytes = Vec::with_capacity(ids.len() * 16);
    ids::encode(ids.iter().map(|id| batch.bytes(*id)), &mut work.column, &mut id_bytes);
    work.put(&mut out)?;
    properties(accepted, shapes, work, &mut out)?;
    work.fields = fields;
    Ok((out, id_bytes))
}

/// Appends numbers one after the other.
fn put_all(column: &mut Vec<u8>, numbers: &[u32]) {
    // Most columns have but small ones, a byte each.
    if numbers.iter().fold(0, |all, number| all | number) < 0x80 {
        column.extend(numbers.iter().map(|number| *number as u8));
    } else {
        numbers.iter().for_each(|number| put_u64(column, u64::from(*number)));
    }
}

/// The unit of time, then the differences in it.
fn times(times: &[i64], column: &mut Vec<u8>, out: &mut Vec<u8>) {
    // Every unit is a whole number of the next one: what does not fit one fits none before it.
    let mut at = 0;
    for time in times {
        while in_units(*time, at) * TIME_UNITS[at] != *time {
            at += 1;
        }
    }
    out.push(at as u8);
    let mut before = 0i64;
    for time in times {
        let time = in_units(*time, at);
        put_i64(column, time.wrapping_sub(before));
        before = time;
    }
}

/// A time in a unit, rounded to zero. A divisor that is known is a product.
fn in_units(time: i64, unit: usize) -> i64 {
    match unit {
        0 => time / TIME_UNITS[0],
        1 => time / TIME_UNITS[1],
        2 => time / TIME_UNITS[2],
        _ => time,
    }
}

/// The shapes, the shape of each row where there are several, then of each shape one column a member.
fn properties(
    accepted: &Accepted,
    shapes: &[u32],
    work: &mut Workspace,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let batch = &accepted.batch;
    let mut used: Vec<u32> = Vec::new();
    let mut place_of = vec![u32::MAX; batch.shapes().len()];
    for shape in shapes {
        let place = &mut place_of[*shape as usize];
        if *place == u32::MAX {
            *place = used.len() as u32;
            used.push(*shape);
        }
    }
    put_u64(&mut work.column, used.len() as u64);
    for shape in &used {
        let members = batch.shapes()[*shape as usize].members();
        put_u64(&mut work.column, members.len() as u64);
        for (key, kind) in members {
            put_bytes(&mut work.column, key.as_bytes());
            work.column.push(kind_byte(*kind));
        }
    }
    work.put(out)?;
    let mut of_shape: Vec<Vec<AcceptedRow>> = vec![Vec::new(); used.len()];
    if used.len() > 1 {
        for (row, shape) in accepted.rows.iter().zip(shapes) {
            let place = place_of[*shape as usize];
            put_u64(&mut work.column, u64::from(place));
            of_shape[place as usize].push(*row);
        }
        work.put(out)?;
    }
    let mut values: Vec<Span> = Vec::new();
    for (shape, rows) in used.iter().zip(&of_shape) {
        let rows = if used.len() == 1 { &accepted.rows } else { rows };
        let open = batch.shapes()[*shape as usize].members().iter().filter(|(_, kind)| kind.has_value());
        for (place, (_, kind)) in open.enumerate() {
            values.clear();
            values.extend(rows.iter().map(|row| batch.values_of(accepted.row(*row))[place]));
            match kind {
                Kind::Number => numbers(batch, &values, work, out)?,
                Kind::Tree => {
                    for value in &values {
                        values::encode(batch.tree(*value), 0, &mut work.column)?;
                    }
                    work.put(out)?;
                }
                _ => {
                    values.iter().for_each(|value| put_u64(&mut work.column, u64::from(value.length)));
                    work.put(out)?;
                    values.iter().for_each(|value| work.column.extend_from_slice(batch.bytes(*value)));
                    work.put(out)?;
                }
            }
        }
    }
    Ok(())
}

fn numbers(batch: &Batch, values: &[Span], work: &mut Workspace, out: &mut Vec<u8>) -> Result<(), String> {
    for value in values {
        match integer(batch.bytes(*value)) {
            Some(number) => put_i64(&mut work.column, number),
            None => {
                work.column.clear();
                out.push(DECIMALS);
                values.iter().for_each(|value| put_bytes(&mut work.column, batch.bytes(*value)));
                return work.put(out);
            }
        }
    }
    out.push(INTEGERS);
    work.put(out)
}

/// A canonical integer of up to 18 digits; nothing for every other text.
fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let is_canonical = match digits {
        [b'0'] => !negative,
        [b'1'..=b'9', rest @ ..] => rest.len() < 18,
        _ => false,
    };
    if !is_canonical {
        return None;
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 18 digits are less than 2^63.
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Null => NULL,
        Kind::False => FALSE,
        Kind::True => TRUE,
        Kind::Number => NUMBER,
        Kind::Text => TEXT,
        Kind::Tree => TREE,
    }
}

fn kind_of(byte: u8) -> Result<Kind, BadCoding> {
    Ok(match byte {
        NULL => Kind::Null,
        FALSE => Kind::False,
        TRUE => Kind::True,
        NUMBER => Kind::Number,
        TEXT => Kind::Text,
        TREE => Kind::Tree,
        _ => return Err(BadCoding("a property of an unknown kind")),
    })
}

/// The next column, unpacked.
fn take_column(reader: &mut Reader<'_>) -> Result<Vec<u8>, BadCoding> {
    let too_long = BadCoding("a column is too long");
    let raw = reader.u64()?;
    if raw > RAW_BYTES_MAX {
        return Err(too_long);
    }
    let raw = usize::try_from(raw).map_err(|_| too_long)?;
    let stored = usize::try_from(reader.u64()?).map_err(|_| too_long)?;
    if stored == 0 {
        return reader.take(raw).map(<[u8]>::to_vec);
    }
    let packed = reader.take(stored)?;
    let unpacked = if raw <= AT_ONCE_BYTES_MAX {
        zstd::bulk::decompress(packed, raw).ok()
    } else {
        super::section::unpack_slowly(packed, raw as u64)
    };
    unpacked.filter(|bytes| bytes.len() == raw).ok_or(BadCoding("a column cannot be decompressed"))
}

/// The rows of a block.
pub(super) fn decode(bytes: &[u8], id_bytes: &[u8], strings: &Strings<'_>) -> Result<Accepted, BadCoding> {
    let mut accepted = Accepted::none();
    if bytes.is_empty() {
        return if id_bytes.is_empty() { Ok(accepted) } else { Err(BadCoding("ids without rows")) };
    }
    let mut reader = Reader::new(bytes);
    let count = usize::try_from(reader.u64()?).map_err(|_| BadCoding("a count is too large"))?;
    let index_column = take_column(&mut reader)?;
    if index_column.len() < count {
        return Err(BadCoding("a count is larger than its bytes"));
    }
    let mut indices = IndexReader::default();
    let mut column = Reader::new(&index_column);
    for row in 0..count {
        accepted.rows.push(AcceptedRow { index: indices.next(&mut column)?, row: row as u32 });
    }
    column.finish()?;
    if reader.byte()? != KIND_EVENT {
        return Err(BadCoding("accepted rows of an unknown kind"));
    }
    let batch = &mut accepted.batch;
    let numbers = strings.intern(batch);
    let mut names = || -> Result<Vec<u32>, BadCoding> {
        let column = take_column(&mut reader)?;
        let mut column = Reader::new(&column);
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            let number = usize::try_from(column.u64()?).unwrap_or(usize::MAX);
            out.push(*numbers.get(number).ok_or(BadCoding("a string that is not in the dictionary"))?);
        }
        column.finish()?;
        Ok(out)
    };
    let (sources, types, accounts) = (names()?, names()?, names()?);
    let times = take_times(count, &mut reader)?;
    let tags = take_column(&mut reader)?;
    let ids = ids::decode(count, &tags, id_bytes, batch)?;
    let shaped = take_properties(count, &mut reader, batch)?;
    reader.finish()?;
    for row in 0..count {
        let (shape, values) = shaped.of(row);
        let from = batch.value_count();
        values.for_each(|value| batch.push_value(value));
        batch.push_row(Row {
            source: sources[row],
            event_type: types[row],
            account: accounts[row],
            shape,
            id: ids[row],
            occurred_at: Instant(times[row]),
            values: from,
        });
    }
    Ok(accepted)
}

fn take_times(count: usize, reader: &mut Reader<'_>) -> Result<Vec<i64>, BadCoding> {
    let unit = *TIME_UNITS.get(usize::from(reader.byte()?)).ok_or(BadCoding("an unknown unit of time"))?;
    let column = take_column(reader)?;
    let mut column = Reader::new(&column);
    let (mut out, mut before) = (Vec::with_capacity(count), 0i64);
    for _ in 0..count {
        before = before.wrapping_add(column.i64()?);
        out.push(before.checked_mul(unit).ok_or(BadCoding("a time is out of range"))?);
    }
    column.finish()?;
    Ok(out)
}

/// Properties of rows, still by shape.
struct Shaped {
    shapes: Vec<u32>,
    /// Of each row, its shape and its ordinal among the rows of that shape; empty where all have one shape.
    places: Vec<(u32, u32)>,
    /// Of each shape, its columns of values.
    columns: Vec<Vec<Vec<Span>>>,
}

impl Shaped {
    fn of(&self, row: usize) -> (u32, impl Iterator<Item = Span>) {
        let (shape, at) =
            self.places.get(row).map_or((0, row), |(shape, at)| (*shape as usize, *at as usize));
        (self.shapes[shape], self.columns[shape].iter().map(move |column| column[at]))
    }
}

fn take_properties(count: usize, reader: &mut Reader<'_>, batch: &mut Batch) -> Result<Shaped, BadCoding> {
    let column = take_column(reader)?;
    let mut column = Reader::new(&column);
    let shape_count = column.count(1)?;
    let (mut shapes, mut kinds) = (Vec::new(), Vec::new());
    for _ in 0..shape_count {
        let member_count = column.count(2)?;
        let mut members = Vec::new();
        for _ in 0..member_count {
            members.push((column.text()?, kind_of(column.byte()?)?));
        }
        if !members.is_sorted_by(|before, after| before.0.as_bytes() < after.0.as_bytes()) {
            return Err(BadCoding("the members of an object are out of order"));
        }
        shapes.push(batch.shape(&members));
        kinds.push(members.iter().map(|(_, kind)| *kind).filter(|kind| kind.has_value()).collect::<Vec<_>>());
    }
    column.finish()?;
    let mut places = Vec::new();
    let mut counts = vec![0u32; shapes.len()];
    match counts.as_mut_slice() {
        [] => return Err(BadCoding("rows without a shape")),
        [one] => *one = count as u32,
        counts => {
            let column = take_column(reader)?;
            let mut column = Reader::new(&column);
            for _ in 0..count {
                let shape = column.u32()?;
                let seen = counts.get_mut(shape as usize).ok_or(BadCoding("no such shape"))?;
                places.push((shape, *seen));
                *seen += 1;
            }
            column.finish()?;
        }
    }
    let mut columns = Vec::new();
    for (kinds, rows) in kinds.iter().zip(&counts) {
        let mut of_shape = Vec::new();
        for kind in kinds {
            of_shape.push(take_values(*kind, *rows as usize, reader, batch)?);
        }
        columns.push(of_shape);
    }
    Ok(Shaped { shapes, places, columns })
}

fn take_values(
    kind: Kind,
    count: usize,
    reader: &mut Reader<'_>,
    batch: &mut Batch,
) -> Result<Vec<Span>, BadCoding> {
    let form = if kind == Kind::Number { reader.byte()? } else { INTEGERS };
    let bytes = take_column(reader)?;
    let mut column = Reader::new(&bytes);
    let mut out = Vec::with_capacity(count.min(bytes.len()));
    match (kind, form) {
        (Kind::Number, INTEGERS) => {
            let mut text = String::new();
            for _ in 0..count {
                text.clear();
                let written = std::fmt::Write::write_fmt(&mut text, format_args!("{}", column.i64()?));
                assert!(written.is_ok(), "a string takes every character");
                out.push(batch.push_text(&text));
            }
        }
        (Kind::Number, DECIMALS) => {
            for _ in 0..count {
                out.push(batch.push_text(column.text()?));
            }
        }
        (Kind::Tree, _) => {
            for _ in 0..count {
                out.push(batch.push_tree(values::decode_own(&mut column, 0)?));
            }
        }
        (Kind::Text, _) => {
            let texts = take_column(reader)?;
            let texts = std::str::from_utf8(&texts).map_err(|_| BadCoding("a text is not UTF-8"))?;
            let mut from = 0usize;
            for _ in 0..count {
                let length = usize::try_from(column.u64()?).unwrap_or(usize::MAX);
                let end = from.checked_add(length).ok_or(BadCoding("a length is too large"))?;
                out.push(batch.push_text(texts.get(from..end).ok_or(BadCoding("bytes end too early"))?));
                from = end;
            }
            if from != texts.len() {
                return Err(BadCoding("bytes are left over"));
            }
        }
        _ => return Err(BadCoding("numbers in an unknown form")),
    }
    column.finish()?;
    Ok(out)
}
