//! The section of accepted rows of format 1, for reading: blocks are written in format 2 (`columns.rs`).

use metering::{Event, Instant};

use crate::block::Accepted;
use crate::coding::{BadCoding, Reader};

use super::dictionary::Strings;
use super::section::IndexReader;
use super::{ids, values};

const KIND_EVENT: u8 = 0;
const ROW_BYTES_MIN: usize = 8;

pub(super) fn decode(bytes: &[u8], strings: &Strings<'_>) -> Result<Accepted, BadCoding> {
    let mut reader = Reader::new(bytes);
    let count = if bytes.is_empty() { 0 } else { reader.count(ROW_BYTES_MIN)? };
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
    let ids = ids::decode_texts(count, &mut reader)?;
    let properties = column(count, || values::decode_numbered(&mut reader, strings))?;
    reader.finish()?;

    let mut events = Vec::with_capacity(count);
    let contents = sources.into_iter().zip(types).zip(accounts).zip(times).zip(ids).zip(properties);
    for (index, (((((source, event_type), account), time), id), properties)) in
        indices.into_iter().zip(contents)
    {
        let event = Event {
            source: source.to_owned(),
            id,
            event_type: event_type.to_owned(),
            account: account.to_owned(),
            occurred_at: Instant(time),
            properties,
        };
        events.push((index, event));
    }
    Ok(Accepted::of_events(events.iter().map(|(index, event)| (*index, event))))
}

fn column<T>(count: usize, next: impl FnMut() -> Result<T, BadCoding>) -> Result<Vec<T>, BadCoding> {
    std::iter::repeat_with(next).take(count).collect()
}
