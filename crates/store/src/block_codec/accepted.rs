//! The sections of accepted rows: columns, and the keys beside them.

use metering::{Event, Identity, Instant, PayloadHash};

use crate::block::Accepted;
use crate::coding::{BadCoding, Reader, put_i64, put_u64};

use super::dictionary::{Dictionary, Strings};
use super::section::{IndexReader, IndexWriter};
use super::{ids, values};

const KIND_EVENT: u8 = 0;
const KEY_BYTES: usize = 24;
/// The least that a row takes: one byte in each of the eight columns.
const ROW_BYTES_MIN: usize = 8;

/// Writes the rows column by column.
pub(super) fn encode<'a>(rows: &'a [Accepted], dictionary: &mut Dictionary<'a>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    if rows.is_empty() {
        return Ok(out);
    }
    put_u64(&mut out, rows.len() as u64);
    let mut indices = IndexWriter::default();
    for row in rows {
        indices.put(&mut out, row.index);
    }
    out.extend(rows.iter().map(|_| KIND_EVENT));
    let columns: [fn(&Event) -> &str; 3] =
        [|event| &event.source, |event| &event.event_type, |event| &event.account];
    for column in columns {
        for row in rows {
            put_u64(&mut out, dictionary.number(column(&row.event)));
        }
    }
    let mut before = 0i64;
    for row in rows {
        put_i64(&mut out, row.event.occurred_at.0.wrapping_sub(before));
        before = row.event.occurred_at.0;
    }
    ids::encode(rows.iter().map(|row| row.event.id.as_str()), &mut out);
    for row in rows {
        values::encode(&row.event.properties, dictionary, 0, &mut out)?;
    }
    Ok(out)
}

/// Writes identity and payload hash of each row.
pub(super) fn encode_keys(rows: &[Accepted]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * KEY_BYTES);
    for row in rows {
        out.extend_from_slice(&row.identity.0.to_le_bytes());
        out.extend_from_slice(&row.payload.0.to_le_bytes());
    }
    out
}

/// Reads what [`encode_keys`] wrote.
pub(super) fn decode_keys(bytes: &[u8]) -> Result<Vec<(Identity, PayloadHash)>, BadCoding> {
    let mut reader = Reader::new(bytes);
    let mut out = Vec::with_capacity(bytes.len() / KEY_BYTES);
    while reader.remaining() > 0 {
        let (mut identity, mut payload) = ([0; 16], [0; 8]);
        identity.copy_from_slice(reader.take(16)?);
        payload.copy_from_slice(reader.take(8)?);
        out.push((Identity(u128::from_le_bytes(identity)), PayloadHash(u64::from_le_bytes(payload))));
    }
    Ok(out)
}

/// Reads what [`encode`] wrote, with the keys of the rows.
pub(super) fn decode(
    bytes: &[u8],
    keys: Vec<(Identity, PayloadHash)>,
    strings: &Strings<'_>,
) -> Result<Vec<Accepted>, BadCoding> {
    let mut reader = Reader::new(bytes);
    let count = if bytes.is_empty() { 0 } else { reader.count(ROW_BYTES_MIN)? };
    if count != keys.len() {
        return Err(BadCoding("accepted rows and their keys differ in number"));
    }
    let mut indices = IndexReader::default();
    let indices = column(count, || indices.next(&mut reader))?;
    if reader.take(count)?.iter().any(|kind| *kind != KIND_EVENT) {
        return Err(BadCoding("an accepted row of an unknown kind"));
    }
    let mut texts = || column(count, || strings.get(&mut reader));
    let (sources, types, accounts) = (texts()?, texts()?, texts()?);
    let mut before = 0i64;
    let times = column(count, || {
        before = before.wrapping_add(reader.i64()?);
        Ok(before)
    })?;
    let ids = ids::decode(count, &mut reader)?;
    let properties = column(count, || values::decode(&mut reader, strings, 0))?;
    reader.finish()?;

    let texts = sources.into_iter().zip(types).zip(accounts);
    let contents = texts.zip(times).zip(ids).zip(properties);
    Ok(indices
        .into_iter()
        .zip(keys)
        .zip(contents)
        .map(|((index, (identity, payload)), (((((source, event_type), account), time), id), properties))| {
            let event = Event {
                source: source.to_owned(),
                id,
                event_type: event_type.to_owned(),
                account: account.to_owned(),
                occurred_at: Instant(time),
                properties,
            };
            Accepted { index, identity, payload, event }
        })
        .collect())
}

fn column<T>(count: usize, next: impl FnMut() -> Result<T, BadCoding>) -> Result<Vec<T>, BadCoding> {
    std::iter::repeat_with(next).take(count).collect()
}
