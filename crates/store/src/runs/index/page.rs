//! A page of an index run: a record of eight sectors.
//!
//! Count (2 bytes), length of the shared head (1), the shared head, then a row an entry: the rest of its identity,
//! most significant byte first, and its payload (4 bytes). What is left of the page is zero. Identities are
//! spread evenly, so that the more a run holds the more leading bytes the entries of a page share.

use std::sync::Arc;

use super::{CUT_BITS, IndexEntry, KeptIdentity, KeptPayload};
use crate::disk::DiskFile;
use crate::error::StoreError;
use crate::framed::{self, PAYLOAD_BYTES, SECTOR_BYTES};

/// Sectors of a page.
pub(super) const PAGE_SECTORS: usize = 8;
/// Bytes of a page on disk.
pub(super) const PAGE_BYTES: usize = PAGE_SECTORS * SECTOR_BYTES;
/// The length of the record that fills a page exactly.
const RECORD_BYTES: usize = PAGE_SECTORS * PAYLOAD_BYTES - LENGTH_BYTES;
/// A record begins with its own length.
const LENGTH_BYTES: usize = 4;
const HEAD_BYTES: usize = 3;
const IDENTITY_BYTES: usize = 14;
const KEPT_PAYLOAD_BYTES: usize = 4;
/// An identity of which nothing is left would make a row that says nothing.
const SHARED_MAX: usize = IDENTITY_BYTES - 1;
/// The high half of an identity; of the low half less is kept.
const WORD_BYTES: usize = 8;
const LOW_BYTES: usize = IDENTITY_BYTES - WORD_BYTES;
const UNPACKED_BYTES: usize = PAGE_SECTORS * PAYLOAD_BYTES;

/// How many leading bytes two identities share.
fn shared(a: KeptIdentity, b: KeptIdentity) -> usize {
    ((a.0 ^ b.0).leading_zeros() as usize / 8).min(SHARED_MAX)
}

/// How many entries a page holds.
fn room(shared: usize) -> usize {
    (RECORD_BYTES - HEAD_BYTES - shared) / (IDENTITY_BYTES - shared + KEPT_PAYLOAD_BYTES)
}

fn bytes_of(entries: usize, shared: usize) -> usize {
    HEAD_BYTES + shared + entries * (IDENTITY_BYTES - shared + KEPT_PAYLOAD_BYTES)
}

/// The entries of a page that is being written, ascending.
#[derive(Default)]
pub(super) struct PageDraft {
    entries: Vec<IndexEntry>,
    /// How many leading bytes all of them share, and how many entries there is room for when they do.
    shared: usize,
    room: usize,
    record: Vec<u8>,
}

impl PageDraft {
    /// The first and the last entry.
    pub fn ends(&self) -> Option<(IndexEntry, IndexEntry)> {
        self.entries.first().copied().zip(self.entries.last().copied())
    }

    /// Adds an entry; answers whether there was room for it.
    pub fn put(&mut self, entry: IndexEntry) -> bool {
        let shared = match self.entries.first() {
            Some(first) => shared(first.identity, entry.identity),
            None => SHARED_MAX,
        };
        let room = if shared == self.shared { self.room } else { room(shared) };
        let fits = self.entries.len() < room;
        if fits {
            (self.shared, self.room) = (shared, room);
            self.entries.push(entry);
        }
        fits
    }

    /// The record of the entries, which are then forgotten.
    pub fn take(&mut self) -> &[u8] {
        let (shared, tail) = (self.shared, IDENTITY_BYTES - self.shared);
        self.record.clear();
        self.record.extend_from_slice(&(self.entries.len() as u16).to_le_bytes());
        self.record.push(shared as u8);
        let head = self.entries.first().map_or([0; 16], |first| first.identity.0.to_be_bytes());
        self.record.extend_from_slice(&head[..shared]);
        let rows = self.record.len();
        self.record.resize(RECORD_BYTES, 0);
        for (entry, row) in
            self.entries.iter().zip(self.record[rows..].chunks_exact_mut(tail + KEPT_PAYLOAD_BYTES))
        {
            if shared < WORD_BYTES {
                // Whole words: what is too much of one is overwritten by the next.
                let high = (entry.identity.0 >> 64) as u64;
                row[..WORD_BYTES].copy_from_slice(&(high << (8 * shared)).to_be_bytes());
                row[tail - LOW_BYTES..][..WORD_BYTES]
                    .copy_from_slice(&(entry.identity.0 as u64).to_be_bytes());
            } else {
                row[..tail].copy_from_slice(&entry.identity.0.to_be_bytes()[shared..IDENTITY_BYTES]);
            }
            row[tail..].copy_from_slice(&entry.payload.0.to_le_bytes());
        }
        self.entries.clear();
        &self.record
    }
}

/// The payloads of a page's sectors in one piece.
pub(super) struct Unpacked(Box<[u8; UNPACKED_BYTES]>);

impl Default for Unpacked {
    fn default() -> Self {
        Self(Box::new([0; UNPACKED_BYTES]))
    }
}

impl Unpacked {
    /// Takes the payloads out of a page's sectors.
    ///
    /// **Errors**: the first sector that is not valid.
    pub fn fill(&mut self, name: &str, page: u64, sectors: &[u8]) -> Result<(), StoreError> {
        let first = page * PAGE_SECTORS as u64;
        let places = self.0.chunks_exact_mut(PAYLOAD_BYTES);
        for ((ordinal, sector), place) in (first..).zip(sectors.chunks(SECTOR_BYTES)).zip(places) {
            let payload = framed::payload(ordinal, sector).map_err(|bad| framed::bad_sector(name, bad))?;
            place.copy_from_slice(payload);
        }
        Ok(())
    }

    /// The page.
    ///
    /// **Errors**: it is none, in words.
    pub fn page(&self) -> Result<Page<'_>, &'static str> {
        let bytes = &*self.0;
        if u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize != RECORD_BYTES {
            return Err("a page of another length");
        }
        let count = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        let shared = usize::from(bytes[6]);
        if count == 0 || shared > SHARED_MAX || bytes_of(count, shared) > RECORD_BYTES {
            return Err("a page holds more than it can");
        }
        let (_, rest) = bytes.split_at(LENGTH_BYTES + HEAD_BYTES);
        let (head, rows) = rest.split_at(shared);
        let mut prefix = [0; 16];
        prefix[..shared].copy_from_slice(head);
        let tail = IDENTITY_BYTES - shared;
        let rows = &rows[..count * (tail + KEPT_PAYLOAD_BYTES)];
        Ok(Page { prefix: u128::from_be_bytes(prefix), tail, rows })
    }
}

/// A page that was read; its entries may still be out of order.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    prefix: u128,
    /// How many bytes of an identity stand in its row.
    tail: usize,
    rows: &'a [u8],
}

impl Page<'_> {
    fn width(&self) -> usize {
        self.tail + KEPT_PAYLOAD_BYTES
    }

    /// The entry of a row.
    fn entry(&self, row: &[u8]) -> IndexEntry {
        let (identity, payload) = row.split_at(self.tail);
        let payload = payload.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let rest = if self.tail > LOW_BYTES {
            let shared = IDENTITY_BYTES - self.tail;
            let high = word(row) >> (8 * shared);
            let low = word(&row[self.tail - LOW_BYTES..]) >> CUT_BITS << CUT_BITS;
            u128::from(high) << 64 | u128::from(low)
        } else {
            identity.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte)) << CUT_BITS
        };
        IndexEntry { identity: KeptIdentity(self.prefix | rest), payload: KeptPayload(payload) }
    }

    /// The first entry.
    pub fn first(&self) -> IndexEntry {
        self.entry(&self.rows[..self.width()])
    }

    /// What stands under an identity.
    pub fn find(&self, identity: KeptIdentity) -> Option<KeptPayload> {
        let width = self.width();
        let (mut low, mut high) = (0, self.rows.len() / width);
        while low < high {
            let middle = usize::midpoint(low, high);
            let entry = self.entry(&self.rows[middle * width..][..width]);
            match entry.identity.cmp(&identity) {
                std::cmp::Ordering::Equal => return Some(entry.payload),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Puts all entries into an empty vector.
    ///
    /// **Errors**: they do not ascend, in words.
    pub fn read_into(&self, out: &mut Vec<IndexEntry>) -> Result<(), &'static str> {
        out.extend(self.rows.chunks_exact(self.width()).map(|row| self.entry(row)));
        if out.is_sorted_by(|a, b| a.identity < b.identity) {
            Ok(())
        } else {
            Err("entries are out of order")
        }
    }
}

/// The first eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Room for the page that a probe reads; keeps the last one, so that probes in order read each page once.
pub struct PageBuffer {
    sectors: Vec<u8>,
    unpacked: Unpacked,
    held: Option<(Arc<dyn DiskFile>, u64)>,
}

impl Default for PageBuffer {
    fn default() -> Self {
        Self { sectors: vec![0; PAGE_BYTES], unpacked: Unpacked::default(), held: None }
    }
}

impl PageBuffer {
    /// A page of a file, read unless it is the one at hand.
    ///
    /// **Errors**: those of the file layer; a sector that is not valid, or holds no page.
    pub(super) fn page(
        &mut self,
        name: &str,
        file: &Arc<dyn DiskFile>,
        page: u64,
    ) -> Result<Page<'_>, StoreError> {
        if !self.held.as_ref().is_some_and(|(of, at)| *at == page && Arc::ptr_eq(of, file)) {
            self.held = None;
            let read = file
                .read_at(&mut self.sectors, page * PAGE_BYTES as u64)
                .map_err(|error| StoreError::io(format!("read `{name}`"), &error))?;
            self.sectors[read..].fill(0);
            self.unpacked.fill(name, page, &self.sectors)?;
            self.held = Some((Arc::clone(file), page));
        }
        self.unpacked.page().map_err(|what| bad_page(name, page, what))
    }
}

/// The error for a page that is not what was written.
pub(super) fn bad_page(name: &str, page: u64, what: &str) -> StoreError {
    StoreError::corrupt(name, format!("sector {}", page * PAGE_SECTORS as u64), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bits: u128) -> IndexEntry {
        IndexEntry { identity: KeptIdentity::from_bits(bits), payload: KeptPayload(bits as u32 ^ 7) }
    }

    /// A page of as many of the entries as it takes, read again.
    fn there_and_back(entries: impl Iterator<Item = IndexEntry>) -> (Vec<IndexEntry>, Vec<IndexEntry>) {
        let mut draft = PageDraft::default();
        let put: Vec<IndexEntry> = entries.take_while(|entry| draft.put(*entry)).collect();
        let record = draft.take().to_vec();
        assert_eq!(record.len(), RECORD_BYTES);
        let bytes = [&(RECORD_BYTES as u32).to_le_bytes()[..], &record].concat();
        let mut unpacked = Unpacked::default();
        unpacked.fill("p", 3, &framed::encode(24, &bytes)).expect("valid sectors");
        let page = unpacked.page().expect("a page");
        for entry in &put {
            assert_eq!(page.find(entry.identity), Some(entry.payload));
            assert_eq!(page.find(KeptIdentity::from_bits(entry.identity.bits() ^ 1 << 120)), None);
        }
        assert_eq!(page.first(), put[0]);
        let mut back = Vec::new();
        page.read_into(&mut back).expect("ascending");
        (put, back)
    }

    #[test]
    fn every_shared_length_comes_back() {
        for shared in 0..=SHARED_MAX {
            let head = !(u128::MAX >> (8 * shared));
            // Two bytes differ, the upper of them within few entries; of the last byte alone there are 256.
            let (at, step, count) = if shared == SHARED_MAX {
                (CUT_BITS, 1, 256)
            } else {
                (112 - 8 * shared as u32, 37, room(shared))
            };
            let entries = (0..256 * 256 / step).take_while(|n| shared < SHARED_MAX || *n < 256);
            let (put, back) = there_and_back(entries.map(|n| entry(head | (n * step) << at)));
            assert_eq!(put, back, "{shared} bytes shared");
            assert_eq!(put.len(), count, "{shared} bytes shared");
        }
        assert_eq!((room(0), room(1), room(2)), (224, 238, 252));
    }

    #[test]
    fn a_page_of_one_entry() {
        for bits in [0, u128::MAX, 1 << 16] {
            let (put, back) = there_and_back([entry(bits)].into_iter());
            assert_eq!((put.len(), &put), (1, &back));
        }
    }

    #[test]
    fn hostile_pages_are_refused_or_read() {
        let mut unpacked = Unpacked::default();
        assert!(unpacked.page().is_err(), "zeros are no page");
        let mut state = 1u64;
        let mut read = 0;
        for round in 0..20_000u32 {
            for byte in unpacked.0.iter_mut().take(64) {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            unpacked.0[..4].copy_from_slice(&(RECORD_BYTES as u32).to_le_bytes());
            unpacked.0[5] &= 3;
            unpacked.0[6] &= 15;
            let Ok(page) = unpacked.page() else { continue };
            read += 1;
            page.find(KeptIdentity::from_bits(u128::from(round) << 96));
            page.first();
            let mut out = Vec::new();
            let _ = page.read_into(&mut out);
            assert!(out.len() < 1024);
        }
        assert!(read > 100, "some were pages: {read}");
    }

    #[test]
    fn a_bad_sector_is_named() {
        let mut draft = PageDraft::default();
        assert!(draft.put(entry(1 << 100)));
        let bytes = [&(RECORD_BYTES as u32).to_le_bytes()[..], draft.take()].concat();
        let mut sectors = framed::encode(8, &bytes);
        sectors[3 * SECTOR_BYTES + 9] ^= 4;
        let error = Unpacked::default().fill("index/a.run", 1, &sectors).expect_err("a flipped bit");
        assert_eq!(error.to_string(), "a checksum differs in `index/a.run` at sector 11");
    }
}
