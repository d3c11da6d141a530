//! Behind the cells of a run: its dictionary and the directory of its records, in pages, and the footer that says how
//! many of each there are.

use super::dictionary::{Dictionary, MeterTuples, RowKey, Texts, Tuples};
use super::totals::RunTotals;
use crate::coding::{BadCoding, Reader, put_bytes, put_u64};
use crate::error::StoreError;

/// The shape of a run; 1 kept cells of every meter, and its footer was JSON; the footer of 2 had no totals.
pub const FORMAT: u64 = 3;
const MAGIC: &[u8] = b"cells";
/// A page of texts holds this many bytes of them, or one text.
const PAGE_TEXT_BYTES: usize = 64 * 1024;
/// An unpacked page of anything is no longer than this.
pub const PAGE_BYTES_MAX: usize = 1 << 20;
/// A page of the directory or of tuples ends behind this many bytes.
const PAGE_BYTES: usize = 64 * 1024;

/// Where a record is, and its first cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// Its first sector.
    pub sector: u64,
    /// Its first cell's.
    pub meter: u32,
    /// Its first cell's.
    pub account: u32,
    /// Its first cell's.
    pub event_type: u32,
}

impl RecordPlace {
    /// What records are ordered by.
    pub fn first(&self) -> (u32, u32, u32) {
        (self.meter, self.account, self.event_type)
    }

    pub fn new(sector: u64, key: &RowKey) -> Self {
        Self { sector, meter: key.meter, account: key.account, event_type: key.event_type }
    }
}

/// What the last record of a run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    pub from: u64,
    pub to: u64,
    pub entries: u64,
    /// The first sector behind the cells.
    pub pages: u64,
    pub accounts: u64,
    pub names: u64,
    pub values: u64,
    /// Name and version, whether it overflowed, how many tuples.
    pub meters: Vec<((String, u32), bool, u64)>,
    pub records: u64,
    pub totals: Option<RunTotals>,
}

impl Footer {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for number in [FORMAT, self.from, self.to, self.entries, self.pages] {
            put_u64(&mut out, number);
        }
        for number in [self.accounts, self.names, self.values, self.records] {
            put_u64(&mut out, number);
        }
        put_u64(&mut out, self.meters.len() as u64);
        for ((name, version), overflowed, tuples) in &self.meters {
            put_bytes(&mut out, name.as_bytes());
            put_u64(&mut out, u64::from(*version));
            out.push(u8::from(*overflowed));
            put_u64(&mut out, *tuples);
        }
        match &self.totals {
            None => out.push(0),
            Some(totals) => {
                out.push(1);
                totals.encode(&mut out);
            }
        }
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, BadCoding> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BadCoding("not a footer of this format"))?;
        let mut reader = Reader::new(rest);
        if reader.u64()? != FORMAT {
            return Err(BadCoding("a footer of another format"));
        }
        let [from, to, entries, pages] = [reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?];
        let [accounts, names, values, records] = [reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?];
        let mut meters: Vec<((String, u32), bool, u64)> = Vec::new();
        for _ in 0..reader.count(4)? {
            let name = (reader.text()?.to_owned(), reader.u32()?);
            if meters.last().is_some_and(|(last, ..)| *last >= name) {
                return Err(BadCoding("meters are out of order"));
            }
            meters.push((name, reader.byte()? != 0, reader.u64()?));
        }
        let totals = match reader.byte()? {
            0 => None,
            1 => Some(RunTotals::decode(&mut reader)?),
            _ => return Err(BadCoding("totals of an unknown kind")),
        };
        reader.finish()?;
        Ok(Self { from, to, entries, pages, accounts, names, values, meters, records, totals })
    }
}

/// Hands out the pages of some texts.
pub fn text_pages(
    texts: &Texts,
    put: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut page = Page::default();
    let (mut bytes, mut before) = (0, "");
    for text in texts.iter() {
        if page.count > 0 && bytes + text.len() > PAGE_TEXT_BYTES {
            page.put(put)?;
            (bytes, before) = (0, "");
        }
        let shared = before.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
        put_u64(&mut page.body, shared as u64);
        put_bytes(&mut page.body, &text.as_bytes()[shared..]);
        page.count += 1;
        bytes += text.len();
        before = text;
    }
    page.put(put)
}

/// Reads a page of texts behind others; answers how many there were.
pub fn read_text_page(raw: &[u8], texts: &mut Texts) -> Result<u64, BadCoding> {
    let mut reader = Reader::new(raw);
    let count = reader.count(2)?;
    let (mut bytes, mut before) = (0, Vec::new());
    for _ in 0..count {
        let shared = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        let rest = reader.bytes()?;
        if shared > before.len() {
            return Err(BadCoding("a text shares more than there is"));
        }
        before.truncate(shared);
        before.extend_from_slice(rest);
        bytes += before.len();
        if count > 1 && bytes > PAGE_TEXT_BYTES {
            return Err(BadCoding("a page holds too much text"));
        }
        let text = std::str::from_utf8(&before).map_err(|_| BadCoding("a text is not UTF-8"))?;
        if texts.last().is_some_and(|last| last >= text) {
            return Err(BadCoding("texts are out of order"));
        }
        texts.push(text).map_err(|_| BadCoding("the texts are too long"))?;
    }
    reader.finish()?;
    counted(count)
}

/// Hands out the pages of the tuples of all meters, one after the other.
pub fn tuple_pages(
    meters: &[MeterTuples],
    put: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut page = Page::default();
    for tuple in meters.iter().flat_map(|meter| meter.tuples.iter()) {
        put_u64(&mut page.body, tuple.len() as u64);
        for value in tuple {
            put_u64(&mut page.body, u64::from(*value));
        }
        page.count += 1;
        page.put_if_full(put)?;
    }
    page.put(put)
}

/// Reads a page of tuples; answers how many there were.
pub fn read_tuple_page(
    raw: &[u8],
    take: &mut dyn FnMut(&[u32]) -> Result<(), BadCoding>,
) -> Result<u64, BadCoding> {
    let mut reader = Reader::new(raw);
    let count = reader.count(2)?;
    let mut tuple = Vec::new();
    for _ in 0..count {
        tuple.clear();
        for _ in 0..reader.count(1)? {
            tuple.push(reader.u32()?);
        }
        take(&tuple)?;
    }
    reader.finish()?;
    counted(count)
}

/// Hands out the pages of the directory.
pub fn directory_pages(
    records: &[RecordPlace],
    put: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut page = Page::default();
    let mut before = 0;
    for record in records {
        put_u64(&mut page.body, record.sector - before);
        before = record.sector;
        for number in [record.meter, record.account, record.event_type] {
            put_u64(&mut page.body, u64::from(number));
        }
        page.count += 1;
        page.put_if_full(put)?;
    }
    page.put(put)
}

/// Reads a page of the directory behind others; answers how many records it names.
pub fn read_directory_page(raw: &[u8], records: &mut Vec<RecordPlace>) -> Result<u64, BadCoding> {
    let mut reader = Reader::new(raw);
    let count = reader.count(4)?;
    for _ in 0..count {
        let last = records.last();
        let sector = last.map_or(0, |last| last.sector).checked_add(reader.u64()?);
        let sector = sector.ok_or(BadCoding("a sector is out of range"))?;
        let (meter, account, event_type) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let place = RecordPlace { sector, meter, account, event_type };
        if last.is_some_and(|last| last.first() > place.first() || last.sector >= sector) {
            return Err(BadCoding("records are out of order"));
        }
        records.push(place);
    }
    reader.finish()?;
    counted(count)
}

fn counted(count: usize) -> Result<u64, BadCoding> {
    if count == 0 { Err(BadCoding("a page is empty")) } else { Ok(count as u64) }
}

/// A page that is being filled.
#[derive(Default)]
struct Page {
    count: u64,
    body: Vec<u8>,
}

impl Page {
    fn put_if_full(
        &mut self,
        put: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.body.len() >= PAGE_BYTES { self.put(put) } else { Ok(()) }
    }

    fn put(&mut self, put: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>) -> Result<(), StoreError> {
        if self.count == 0 {
            return Ok(());
        }
        let mut raw = Vec::with_capacity(self.body.len() + 4);
        put_u64(&mut raw, self.count);
        raw.append(&mut self.body);
        self.count = 0;
        put(&raw)
    }
}

/// What the pages between the cells and the footer say.
pub struct Pages {
    pub dictionary: Dictionary,
    pub records: Vec<RecordPlace>,
}

/// Reads an unpacked page; answers how many things it held.
pub type ReadPage<'a> = dyn FnMut(&[u8]) -> Result<u64, BadCoding> + 'a;

/// Reads all pages in order.
///
/// **Errors**: the place of a bad page is that of `next`, which hands out the pages.
pub fn read_pages(
    footer: &Footer,
    next: &mut dyn FnMut(&mut ReadPage<'_>) -> Result<u64, StoreError>,
) -> Result<Pages, StoreError> {
    let mut fill = |wanted: u64, read: &mut ReadPage<'_>| {
        let mut found = 0_u64;
        while found < wanted {
            found += next(&mut |raw| {
                let count = read(raw)?;
                if count > wanted - found {
                    Err(BadCoding("a page holds more than the footer says"))
                } else {
                    Ok(count)
                }
            })?;
        }
        Ok::<(), StoreError>(())
    };
    let mut dictionary = Dictionary::default();
    fill(footer.accounts, &mut |raw| read_text_page(raw, &mut dictionary.accounts))?;
    fill(footer.names, &mut |raw| read_text_page(raw, &mut dictionary.names))?;
    fill(footer.values, &mut |raw| read_text_page(raw, &mut dictionary.values))?;
    let values = footer.values;
    let mut tuples = Vec::with_capacity(footer.meters.len());
    let mut wanted = footer.meters.iter().map(|(.., count)| *count);
    let mut current = (Tuples::default(), wanted.next());
    let all =
        footer.meters.iter().try_fold(0_u64, |sum, (.., count)| sum.checked_add(*count)).unwrap_or(u64::MAX);
    fill(all, &mut |raw| {
        read_tuple_page(raw, &mut |tuple| {
            while current.1 == Some(current.0.len() as u64) {
                tuples.push(std::mem::replace(&mut current, (Tuples::default(), wanted.next())).0);
            }
            if tuple.is_empty() || tuple.iter().any(|value| u64::from(*value) > values) {
                return Err(BadCoding("a tuple names no values"));
            }
            if current.0.get(current.0.len() as u32).is_some_and(|last| last >= tuple) {
                return Err(BadCoding("tuples are out of order"));
            }
            current.0.push(tuple).map_err(|_| BadCoding("there are too many tuples"))
        })
    })?;
    tuples.push(current.0);
    tuples.resize_with(footer.meters.len(), Tuples::default);
    dictionary.meters = footer
        .meters
        .iter()
        .zip(tuples)
        .map(|((name, overflowed, _), tuples)| MeterTuples {
            name: name.clone(),
            overflowed: *overflowed,
            tuples,
        })
        .collect();
    let mut records = Vec::new();
    fill(footer.records, &mut |raw| read_directory_page(raw, &mut records))?;
    Ok(Pages { dictionary, records })
}
