//! An index run opened for reading.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::super::file::RunReader;
use super::super::manifest::RunFact;
use super::entries::IndexEntries;
use super::footer::Footer;
use super::page::{PAGE_SECTORS, PageBuffer};
use super::{IndexEntry, KeptIdentity, KeptPayload};
use crate::disk::{Disk, DiskFile, Mode};
use crate::error::StoreError;

/// A run opened for reading: holds the first key of each page, 8 bytes each, and the file.
pub struct IndexRun {
    pub(super) fact: RunFact,
    pub(super) file: Arc<dyn DiskFile>,
    /// The top 64 bits of the first identity of each page.
    pub(super) firsts: Vec<u64>,
}

impl fmt::Debug for IndexRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexRun").field("fact", &self.fact).field("pages", &self.firsts.len()).finish()
    }
}

impl IndexRun {
    /// Opens a run; reads its footer alone.
    ///
    /// **Errors**: those of the file layer; a footer whose checksum differs, or that is not the one the fact names.
    pub fn open(disk: &dyn Disk, fact: &RunFact) -> Result<Self, StoreError> {
        let reader = RunReader::open(disk, &fact.name)?;
        if fact.footer >= reader.end() {
            return Err(reader.bad(fact.footer, "the file ends before its footer"));
        }
        let (bytes, end) = reader.record(fact.footer)?;
        if end != reader.end() {
            return Err(reader.bad(end, "bytes after the footer"));
        }
        let pages = fact.footer / PAGE_SECTORS as u64;
        if !fact.footer.is_multiple_of(PAGE_SECTORS as u64) {
            return Err(reader.bad(fact.footer, "not a footer"));
        }
        let footer = Footer::decode(&bytes, fact, pages).map_err(|what| reader.bad(fact.footer, what))?;
        let file = disk
            .open(&fact.name, Mode::Read)
            .map_err(|error| StoreError::io(format!("open `{}`", fact.name), &error))?;
        Ok(Self { fact: fact.clone(), file, firsts: footer.firsts })
    }

    /// What the checkpoint says of it.
    pub fn fact(&self) -> &RunFact {
        &self.fact
    }

    /// The bytes of memory that it holds.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.firsts.capacity() * size_of::<u64>() + self.fact.name.capacity()
    }

    /// What stands under an identity: one read of one page.
    ///
    /// **Errors**: those of the file layer; a page that is not what was written.
    pub fn probe(&self, identity: KeptIdentity) -> Result<Option<KeptPayload>, StoreError> {
        self.probe_with(identity, &mut PageBuffer::default())
    }

    /// The same, in a buffer that is used again.
    ///
    /// **Errors**: those of the file layer; a page that is not what was written.
    pub fn probe_with(
        &self,
        identity: KeptIdentity,
        buffer: &mut PageBuffer,
    ) -> Result<Option<KeptPayload>, StoreError> {
        let top = identity.top();
        let mut after = self.firsts.partition_point(|first| *first <= top);
        // Where a page begins with these very bits, the identity may still end the page before.
        while let Some(number) = after.checked_sub(1) {
            let page = buffer.page(&self.fact.name, &self.file, number as u64)?;
            if self.firsts[number] < top || page.first().identity <= identity {
                return Ok(page.find(identity));
            }
            after = number;
        }
        Ok(None)
    }

    /// Visits every entry in the order of identities.
    ///
    /// **Errors**: those of the file layer; a page that is not what was written, a wrong number of entries.
    pub fn scan(&self, visit: &mut dyn FnMut(IndexEntry)) -> Result<(), StoreError> {
        let (mut entries, mut seen) = (self.entries(), 0u64);
        while let Some(page) = entries.next_page()? {
            seen += page.len() as u64;
            page.iter().for_each(|entry| visit(*entry));
        }
        if seen != self.fact.entries {
            let what = format!("expected {} entries, found {seen}", self.fact.entries);
            return Err(StoreError::corrupt(&self.fact.name, format!("sector {}", self.fact.footer), what));
        }
        Ok(())
    }

    /// All entries in the order of identities, read ahead in bounded memory.
    pub fn entries(&self) -> IndexEntries<'_> {
        IndexEntries::new(self, 0..=u64::MAX)
    }

    /// The entries whose top 64 bits are in a range.
    pub fn range(&self, tops: RangeInclusive<u64>) -> IndexEntries<'_> {
        IndexEntries::new(self, tops)
    }

    /// About how many entries [`IndexRun::range`] visits: the pages that it reads, of the first and last of them half,
    /// by what a page holds on average.
    pub fn range_about(&self, tops: &RangeInclusive<u64>) -> u64 {
        let (from, to) = self.pages(tops);
        let pages = self.firsts.len().max(1) as u128;
        let whole = (to - from).saturating_sub(1).max((to - from).min(1));
        let share = u128::from(self.fact.entries) * whole as u128 / pages;
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// The pages that may hold identities whose top 64 bits are in a range.
    pub(super) fn pages(&self, tops: &RangeInclusive<u64>) -> (usize, usize) {
        let from = self.firsts.partition_point(|first| first < tops.start()).saturating_sub(1);
        let to = self.firsts.partition_point(|first| first <= tops.end());
        (from.min(to), to)
    }
}
