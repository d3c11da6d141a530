//! The entries of an index run in order, many pages read at once.

use std::ops::RangeInclusive;

use super::IndexEntry;
use super::page::{PAGE_BYTES, Unpacked, bad_page};
use super::run::IndexRun;
use crate::error::StoreError;

/// How many pages are read at once: 256 KiB.
const PAGES_AHEAD: usize = 64;

/// The entries of a run, or of a range of it, in the order of identities.
pub struct IndexEntries<'a> {
    run: &'a IndexRun,
    tops: RangeInclusive<u64>,
    /// Pages that were read and not yet unpacked begin here.
    page: usize,
    /// The page after the last one to visit.
    end: usize,
    sectors: Vec<u8>,
    /// Where in `sectors` the next page begins.
    at: usize,
    unpacked: Unpacked,
    entries: Vec<IndexEntry>,
    /// The next entry to give.
    next: usize,
    last: Option<IndexEntry>,
}

impl<'a> IndexEntries<'a> {
    pub(super) fn new(run: &'a IndexRun, tops: RangeInclusive<u64>) -> Self {
        let (page, end) = run.pages(&tops);
        Self {
            run,
            tops,
            page,
            end,
            sectors: Vec::new(),
            at: 0,
            unpacked: Unpacked::default(),
            entries: Vec::new(),
            next: 0,
            last: None,
        }
    }

    /// What is left of a page, or all of the next one; none after the last.
    ///
    /// **Errors**: those of the file layer; a page that is not what was written.
    pub fn next_page(&mut self) -> Result<Option<&[IndexEntry]>, StoreError> {
        while self.next == self.entries.len() {
            if self.page == self.end {
                return Ok(None);
            }
            self.read_page()?;
        }
        let from = self.next;
        self.next = self.entries.len();
        Ok(Some(&self.entries[from..]))
    }

    /// The next entry, which stays the next one; none after the last.
    ///
    /// **Errors**: those of the file layer; a page that is not what was written.
    pub(super) fn peek(&mut self) -> Result<Option<IndexEntry>, StoreError> {
        while self.next == self.entries.len() {
            if self.page == self.end {
                return Ok(None);
            }
            self.read_page()?;
        }
        Ok(self.entries.get(self.next).copied())
    }

    /// The next entry; none after the last.
    ///
    /// **Errors**: those of the file layer; a page that is not what was written.
    pub fn next_entry(&mut self) -> Result<Option<IndexEntry>, StoreError> {
        let next = self.peek()?;
        self.next += usize::from(next.is_some());
        Ok(next)
    }

    /// Goes past the next entry, which there must be; answers the one after it where that is on the same page.
    pub(super) fn advance(&mut self) -> Option<IndexEntry> {
        self.next += 1;
        self.entries.get(self.next).copied()
    }

    /// Reads the next page into `entries`, without those outside of the range.
    fn read_page(&mut self) -> Result<(), StoreError> {
        self.entries.clear();
        self.next = 0;
        if self.at == self.sectors.len() {
            self.read_ahead()?;
        }
        let (name, page) = (&self.run.fact.name, self.page as u64);
        self.unpacked.fill(name, page, &self.sectors[self.at..self.at + PAGE_BYTES])?;
        let read = self.unpacked.page().and_then(|page| {
            page.read_into(&mut self.entries)?;
            let first = page.first().identity;
            if self.last.is_some_and(|last| last.identity >= first) {
                return Err("entries are out of order");
            }
            if self.run.firsts.get(self.page) != Some(&first.top()) {
                return Err("a page does not begin as the footer says");
            }
            Ok(())
        });
        if let Err(what) = read {
            self.entries.clear();
            return Err(bad_page(name, page, what));
        }
        self.last = self.entries.last().copied();
        let within = self.entries.partition_point(|entry| entry.identity.top() <= *self.tops.end());
        self.entries.truncate(within);
        self.next = self.entries.partition_point(|entry| entry.identity.top() < *self.tops.start());
        self.at += PAGE_BYTES;
        self.page += 1;
        Ok(())
    }

    fn read_ahead(&mut self) -> Result<(), StoreError> {
        let pages = (self.end - self.page).min(PAGES_AHEAD);
        self.sectors.resize(pages * PAGE_BYTES, 0);
        let read = self
            .run
            .file
            .read_at(&mut self.sectors, (self.page * PAGE_BYTES) as u64)
            .map_err(|error| StoreError::io(format!("read `{}`", self.run.fact.name), &error))?;
        // Sectors of zeros are told as missing.
        self.sectors[read..].fill(0);
        self.at = 0;
        Ok(())
    }
}

/// Ends after the first error.
impl Iterator for IndexEntries<'_> {
    type Item = Result<IndexEntry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_entry().transpose();
        if matches!(next, Some(Err(_))) {
            (self.page, self.next) = (self.end, self.entries.len());
        }
        next
    }
}
