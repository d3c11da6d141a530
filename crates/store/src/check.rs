//! Verifying the files of a store: every byte that this crate knows how to read is read, nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::block::Block;
use crate::block_codec::{self, LOG};
use crate::close_record::{self, CLEAN, CloseRecord, Fit};
use crate::disk::{Disk, Mode};
use crate::error::{ErrorKind, StoreError};
use crate::framed::{self, SECTOR_BYTES};
use crate::hash::Hash;
use crate::id::Id;
use crate::journal::{self, JOURNAL};
use crate::keys::{KEYS, KeyFile};
use crate::records::Records;
use crate::recover::{Durable, check_tail, reference};
use crate::roots::KnownDurable;
use crate::row::{Reference, Row};
use crate::segment::{CutName, LogKind, SegmentName};
use crate::survey::Survey;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Where in it.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// What a check of the files has read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCheck {
    /// What is wrong; sorted by file.
    pub findings: Vec<Finding>,
    /// How many files were read.
    pub files: u64,
    /// How many rows were read.
    pub rows: u64,
    /// How many blocks were read.
    pub blocks: u64,
    /// Whether the store had been closed properly, so that every file could be compared with its close record.
    pub clean: bool,
    /// Whether a close record is there though the store was opened since: removing it did not become durable.
    pub stale: bool,
}

/// Checks keys, journal, log, cut files and close record, the sectors of all other files that have them, and after a
/// proper close the content of every file.
///
/// **Errors**: those of the file layer. What is wrong with the bytes is a finding, not an error.
pub fn check_files(disk: &Arc<dyn Disk>) -> Result<FileCheck, StoreError> {
    let mut check = Check { disk: disk.clone(), result: FileCheck::default() };
    let keys = check.note(KeyFile::read(&**disk, KEYS))?;
    let mut clean = check.note(close_record::read(&**disk))?.flatten();
    let surveys = match &keys {
        Some(keys) => Some((
            check.note(Survey::read(&**disk, &JOURNAL, keys.store_id, keys.journal_id))?,
            check.note(Survey::read(&**disk, &LOG, keys.store_id, keys.log_id))?,
        )),
        None => None,
    };
    let mut torn_from = BTreeMap::new();
    if let Some((Some(journal), Some(log))) = &surveys {
        check.tails(journal, log)?;
        if let Some(record) = &clean {
            let fits = [record.fit(&JOURNAL, journal), record.fit(&LOG, log)];
            for fit in fits {
                if check.note(fit)? == Some(Fit::Stale) {
                    check.result.stale = true;
                }
            }
        }
        for survey in [journal, log] {
            torn_from.insert(survey.tip.file.clone(), survey.tip.valid_sectors);
        }
    }
    clean = clean.filter(|_| !check.result.stale);
    check.result.clean = clean.is_some();
    check.files(clean.as_ref(), &torn_from)?;
    if let (Some(keys), Some((Some(journal), Some(log)))) = (&keys, &surveys) {
        check.chains(keys, journal, log)?;
    }
    check.result.findings.sort();
    check.result.findings.dedup();
    Ok(check.result)
}

struct Check {
    disk: Arc<dyn Disk>,
    result: FileCheck,
}

impl Check {
    /// Keeps a value, or notes what is wrong with it.
    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(StoreError { at: Some(at), .. }) => {
                let at = *at;
                self.find(&at.file, at.place, at.what);
                Ok(None)
            }
            Err(error) if error.kind == ErrorKind::NotFound => {
                self.find(KEYS, "byte 0", "the file is missing");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn find(&mut self, file: &str, place: impl Into<String>, what: impl Into<String>) {
        self.result.findings.push(Finding { file: file.to_owned(), place: place.into(), what: what.into() });
    }

    fn tails(&mut self, journal: &Survey, log: &Survey) -> Result<(), StoreError> {
        let durable = Durable::of(journal, log, KnownDurable::default());
        for (kind, survey, durable) in [(&JOURNAL, journal, durable.journal), (&LOG, log, durable.log)] {
            self.note(check_tail(kind, survey, durable))?;
        }
        Ok(())
    }

    /// Sectors of every file that has them, and every file against the close record.
    fn files(
        &mut self,
        clean: Option<&CloseRecord>,
        torn_from: &BTreeMap<String, u64>,
    ) -> Result<(), StoreError> {
        let there = close_record::file_names(&*self.disk)?;
        let listed: BTreeMap<&str, &Reference> =
            clean.iter().flat_map(|record| &record.files).map(|file| (file.name.as_str(), file)).collect();
        self.result.files = there.len() as u64 + u64::from(clean.is_some());
        for name in &there {
            let shape = Shape::of(name);
            let before = self.result.findings.len();
            match shape {
                Shape::Whole => {
                    let read = framed::read_file(&*self.disk, name);
                    self.note(read)?;
                }
                Shape::Sectors => self.sectors(name, torn_from.get(name).copied())?,
                Shape::Other => {}
            }
            match (clean, listed.get(name.as_str())) {
                (Some(_), Some(listed)) => self.content(listed, before)?,
                (Some(_), None) => self.find(name, "byte 0", "the close record does not name this file"),
                (None, _) if shape == Shape::Other && !name.starts_with("tables.db") => {
                    self.find(name, "byte 0", "a file that is no part of a store");
                }
                (None, _) => {}
            }
        }
        let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
        for missing in listed.keys().filter(|name| !there.contains(*name)) {
            self.find(missing, "byte 0", "a file that the close record names is missing");
        }
        Ok(())
    }

    fn sectors(&mut self, name: &str, torn_from: Option<u64>) -> Result<(), StoreError> {
        let failed = |error| StoreError::io(format!("read `{name}`"), &error);
        let file = self.disk.open(name, Mode::Read).map_err(failed)?;
        let length = file.length().map_err(failed)?;
        let mut buffer = vec![0; 512 * SECTOR_BYTES];
        let mut offset = 0;
        while offset < length {
            let read = file.read_at(&mut buffer, offset).map_err(failed)?;
            let first = offset / SECTOR_BYTES as u64;
            for (sector, bytes) in (first..).zip(buffer[..read].chunks(SECTOR_BYTES)) {
                // What is torn at the end of an unclosed log was checked with the tails.
                if torn_from.is_some_and(|torn| sector >= torn) {
                    return Ok(());
                }
                if let Err(bad) = framed::payload(sector, bytes) {
                    self.note::<()>(Err(framed::bad_sector(name, bad)))?;
                }
            }
            if read == 0 {
                break;
            }
            offset += read as u64;
        }
        Ok(())
    }

    /// The content as the close record has it; of a file whose sectors told the place nothing more is said.
    fn content(&mut self, listed: &Reference, before: usize) -> Result<(), StoreError> {
        let told = self.result.findings.len() > before;
        let found = reference(&*self.disk, &listed.name)?;
        if !told && found.length != listed.length {
            let what = format!("expected {} bytes, found `{}`", listed.length, found.length);
            self.find(&listed.name, format!("byte {}", found.length.min(listed.length)), what);
        } else if !told && found.hash != listed.hash {
            let place = format!("bytes 0 to {}", listed.length);
            self.find(&listed.name, place, "the content differs from the close record");
        }
        Ok(())
    }

    /// Both chains from their first record, and what ties them together.
    fn chains(&mut self, keys: &KeyFile, journal: &Survey, log: &Survey) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        let mut cuts = Vec::new();
        let mut records = self.records(&JOURNAL, keys, keys.journal_id, journal);
        while let Some(row) = records.next_with(|record| journal::decode(&record.bytes)) {
            let Some(row) = self.note(row)? else { break };
            self.kept_files(&row)?;
            cuts.extend(row.draft.cut.map(|cut| (row.number, cut)));
            rows.push(row.hash);
        }
        self.result.rows = rows.len() as u64;
        let mut ends = BTreeMap::from([(0, Hash::ZERO)]);
        let mut before: Option<Block> = None;
        let mut records = self.records(&LOG, keys, keys.log_id, log);
        while let Some(block) = records.next_with(|record| {
            let block = block_codec::decode(&record.bytes)?;
            check_order(before.as_ref(), &block, &rows)?;
            Ok(block)
        }) {
            let Some(block) = self.note(block)? else { break };
            self.result.blocks += 1;
            ends.insert(block.end(), block.hash);
            before = Some(Block { draft: light(&block), ..block });
        }
        for (number, cut) in cuts {
            if self.result.findings.is_empty() && ends.get(&cut.position) != Some(&cut.block_hash) {
                let what =
                    format!("row {number} names a cut at {} where the log has no such block", cut.position);
                self.find(&journal.tip.file, format!("row {number}"), what);
            }
        }
        Ok(())
    }

    fn records(&self, kind: &'static LogKind, keys: &KeyFile, log_id: Id, survey: &Survey) -> Records {
        let (segments, end) = (survey.segments.clone(), survey.tip.end);
        Records::new(self.disk.clone(), kind, keys.store_id, log_id, segments, kind.first, end)
    }

    /// Cut files that a row names must be there as they were.
    fn kept_files(&mut self, row: &Row) -> Result<(), StoreError> {
        for named in &row.draft.references {
            let there = self
                .disk
                .exists(&named.name)
                .map_err(|error| StoreError::io(format!("look for `{}`", named.name), &error))?;
            if !there {
                self.find(&named.name, "byte 0", format!("a file that row {} names is missing", row.number));
            } else if reference(&*self.disk, &named.name)? != *named {
                let place = format!("bytes 0 to {}", named.length);
                self.find(
                    &named.name,
                    place,
                    format!("the content differs from what row {} names", row.number),
                );
            }
        }
        Ok(())
    }
}

/// K names its row and never goes back, nor does the time.
fn check_order(before: Option<&Block>, block: &Block, rows: &[Hash]) -> Result<(), String> {
    let draft = &block.draft;
    let row = draft.known_at.checked_sub(1).and_then(|place| rows.get(usize::try_from(place).ok()?));
    if row != Some(&draft.known_hash) && !(draft.known_at == 0 && draft.known_hash == Hash::ZERO) {
        return Err(format!("a block known at row {}, whose hash differs", draft.known_at));
    }
    let Some(before) = before else { return Ok(()) };
    if draft.known_at < before.draft.known_at {
        return Err("a block known at an earlier row than the one before".to_owned());
    }
    if draft.received_at < before.draft.received_at {
        return Err("a block received before the one before".to_owned());
    }
    Ok(())
}

/// What the next block is compared with.
fn light(block: &Block) -> crate::block::BlockDraft {
    crate::block::BlockDraft {
        records: block.draft.records,
        known_at: block.draft.known_at,
        known_hash: block.draft.known_hash,
        received_at: block.draft.received_at,
        counters: Vec::new(),
        first_sight: Vec::new(),
        accepted: crate::block::Accepted::none(),
        kept: Vec::new(),
    }
}

/// How a file's bytes are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One payload in sectors.
    Whole,
    /// Records in sectors.
    Sectors,
    /// Something else, such as SQLite pages.
    Other,
}

impl Shape {
    fn of(name: &str) -> Self {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let segment = [&JOURNAL, &LOG]
            .iter()
            .any(|kind| folder == kind.folder && SegmentName::parse(kind, file).is_some());
        let run = (folder == "cells" || folder == "index") && file.ends_with(".run");
        if segment || run {
            Self::Sectors
        } else if matches!(name, KEYS | CLEAN | "checkpoint") || CutName::parse(file).is_some() {
            Self::Whole
        } else {
            Self::Other
        }
    }
}
