//! Writes an index run as a stream of ascending entries.

use super::super::file::RunWriter;
use super::super::manifest::RunFact;
use super::IndexEntry;
use super::footer::Footer;
use super::page::{PAGE_SECTORS, PageDraft};
use crate::disk::Disk;
use crate::error::StoreError;

/// Writes a run; holds one page and 8 bytes a page written.
pub struct IndexWriter<'a> {
    name: String,
    writer: RunWriter<'a>,
    draft: PageDraft,
    footer: Footer,
}

impl<'a> IndexWriter<'a> {
    /// Starts a run over the positions [from, to); a draft left by a crash is replaced.
    ///
    /// **Errors**: those of the file layer.
    pub fn create(disk: &'a dyn Disk, from: u64, to: u64) -> Result<Self, StoreError> {
        let name = format!("index/{from:020}-{to:020}.run");
        let writer = RunWriter::create(disk, &name)?;
        let footer = Footer { from, to, entries: 0, firsts: Vec::new() };
        Ok(Self { name, writer, draft: PageDraft::default(), footer })
    }

    /// Adds an entry.
    ///
    /// **Errors**: its identity is not above the one before; those of the file layer.
    pub fn put(&mut self, entry: IndexEntry) -> Result<(), StoreError> {
        let last = self.draft.ends().map(|(_, last)| last.identity);
        if last.is_some_and(|last| last >= entry.identity) {
            let place = format!("entry {}", self.footer.entries);
            return Err(StoreError::corrupt(&self.name, place, "identities do not ascend"));
        }
        if !self.draft.put(entry) {
            self.end_page()?;
            self.draft.put(entry);
        }
        self.footer.entries += 1;
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), StoreError> {
        if let Some((first, _)) = self.draft.ends() {
            self.footer.firsts.push(first.identity.top());
            self.writer.append(self.draft.take())?;
        }
        Ok(())
    }

    /// Ends the run: footer, sync, its name.
    ///
    /// **Errors**: those of the file layer.
    pub fn finish(mut self) -> Result<RunFact, StoreError> {
        self.end_page()?;
        let Footer { from, to, entries, ref firsts } = self.footer;
        let expected = (firsts.len() * PAGE_SECTORS) as u64;
        let footer = self.writer.append(&self.footer.encode())?;
        assert_eq!(footer, expected, "every page is eight sectors");
        let (length, hash) = self.writer.finish()?;
        Ok(RunFact { name: self.name, from, to, entries, footer, length, hash })
    }
}

/// Writes a run over [from, to) of entries whose identities ascend.
///
/// **Errors**: two entries out of order or of one identity; those of the file layer.
pub fn write_index(
    disk: &dyn Disk,
    from: u64,
    to: u64,
    entries: impl IntoIterator<Item = IndexEntry>,
) -> Result<RunFact, StoreError> {
    let mut writer = IndexWriter::create(disk, from, to)?;
    for entry in entries {
        writer.put(entry)?;
    }
    writer.finish()
}
