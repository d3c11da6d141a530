//! The engine over one folder: open, catch up, checkpoint, close.

use std::sync::Arc;

use metering::{Digest, Instant, Keys, event_digest};
use serde_json::{Value, json};
use store::runs::{
    Checkpoint, IndexEntry, MeterCover, read_checkpoint, write_cells, write_checkpoint, write_index,
};
use store::tables::Tables;
use store::{
    Block, Class, CreateOptions, Disk, Head, KEYS, KnownDurable, Mode, OpenOptions, Reference, Roots, Row,
    RowDraft, SegmentSizes, StoreError,
};

use crate::cells::Cells;
use crate::clock::Clock;
use crate::dedup::Dedup;
use crate::error::{EngineError, ErrorKind};
use crate::merge::merge_runs;
use crate::terms::TermSet;

/// The one tenant of an embedded store; formats carry the field from the start.
pub const TENANT: &str = "default";
/// Pending cells and identities are written as runs when there are this many records more.
const CHECKPOINT_RECORDS: usize = 2_000_000;

/// Who asks, and why: stands in every journal row that the command writes.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who asks.
    pub actor: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// A repeated command with the same key answers the first result again.
    pub idempotency_key: Option<String>,
}

/// Fills bytes with chance.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// What the engine is given to open a folder.
pub struct Options {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for fresh keys.
    pub random: Random,
    /// Keys for a folder that is not there yet; fresh ones where absent.
    pub keys: Option<Keys>,
    /// Who opens it.
    pub actor: String,
    /// When segments roll.
    pub sizes: SegmentSizes,
}

/// The engine over one folder. See the crate's documentation for the path of an event.
pub struct Engine {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) roots: Roots,
    pub(crate) tables: Tables,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) cells: Cells,
    pub(crate) dedup: Option<Dedup>,
    pub(crate) pending: Vec<IndexEntry>,
    pub(crate) terms: TermSet,
    notes: Vec<String>,
    read_only: bool,
    failed: bool,
}

impl Engine {
    /// Opens a folder for reading and writing; makes it where it is empty.
    ///
    /// Recovers what a crash left, commits an `opened` row, and brings tables and cells up to the log's end
    /// before it returns.
    ///
    /// **Errors**: `folder_locked`, `folder_newer`, `folder_unwritable`, `disk_full`, `corrupt`.
    pub fn open(disk: Arc<dyn Disk>, mut options: Options) -> Result<Self, EngineError> {
        let now = options.clock.now();
        let mut notes = Vec::new();
        let (actor, sizes) = (options.actor, options.sizes);
        let roots = if is_store(disk.as_ref())? {
            let known = known_durable(disk.as_ref());
            let open = OpenOptions { now, actor, known, sizes };
            let (roots, opened) = Roots::open(Arc::clone(&disk), open)?;
            notes.extend(opened.cuts.iter().map(|cut| {
                format!(
                    "{} bytes that were never acknowledged were taken off `{}`, kept in `{}`",
                    cut.bytes, cut.file, cut.kept
                )
            }));
            roots
        } else {
            let random = &mut *options.random;
            Roots::create(Arc::clone(&disk), CreateOptions { keys: options.keys, random, now, actor, sizes })?
        };
        let tables = open_tables(&disk, &roots, &mut notes)?;
        let engine = Self::catch_up(disk, options.clock, roots, tables, notes, false)?;
        engine.remove_leftovers()?;
        Ok(engine)
    }

    /// Removes runs that no checkpoint names: what a crash left between two checkpoints.
    fn remove_leftovers(&self) -> Result<(), EngineError> {
        let named: std::collections::BTreeSet<&str> =
            self.checkpoint.cells.iter().chain(&self.checkpoint.index).map(|run| run.name.as_str()).collect();
        for folder in ["cells", "index"] {
            let names = match self.disk.list(folder) {
                Ok(names) => names,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::io(format!("list `{folder}`"), &error).into()),
            };
            for name in names.into_iter().map(|name| format!("{folder}/{name}")) {
                if !named.contains(name.as_str()) {
                    let removed = self.disk.remove(&name);
                    removed.map_err(|error| StoreError::io(format!("remove `{name}`"), &error))?;
                }
            }
        }
        Ok(())
    }

    /// Opens a folder for reading: nothing is written, unless a crash must be recovered from first.
    ///
    /// **Errors**: as [`Engine::open`], and `no_store` where there is none.
    pub fn open_to_read(disk: Arc<dyn Disk>, options: Options) -> Result<Self, EngineError> {
        if !is_store(disk.as_ref())? {
            return Err(EngineError::not_found(
                "no_store",
                "there is no store in this folder",
                "name another with --data, or start one with `counterfoil apply` or `counterfoil demo`",
            ));
        }
        let (roots, found) = Roots::open_read_only(Arc::clone(&disk))?;
        let caught_up = found.clean.is_some() && is_caught_up(disk.as_ref(), &roots)?;
        let reached = (roots.head().number, roots.end());
        if caught_up
            && let Some(tables) = readable_tables(&disk)?
            && tables.applied() == reached
        {
            return Self::catch_up(disk, options.clock, roots, tables, Vec::new(), true);
        }
        drop(roots);
        Self::open(disk, options)
    }

    fn catch_up(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        roots: Roots,
        tables: Tables,
        mut notes: Vec<String>,
        read_only: bool,
    ) -> Result<Self, EngineError> {
        let checkpoint = open_checkpoint(disk.as_ref(), &roots, &mut notes)?;
        let cells = Cells::open(disk.as_ref(), &checkpoint)?;
        let terms = TermSet::empty();
        let pending = Vec::new();
        let mut engine = Self {
            disk,
            clock,
            roots,
            tables,
            checkpoint,
            cells,
            dedup: None,
            pending,
            terms,
            notes,
            read_only,
            failed: false,
        };
        engine.catch_up_tables()?;
        engine.reload_terms()?;
        engine.catch_up_cells()?;
        Ok(engine)
    }

    /// An engine for reading over roots alone: tables in memory, cells as the checkpoint has them and, above
    /// it, in memory too.
    pub(crate) fn over(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        roots: Roots,
    ) -> Result<Self, EngineError> {
        let tables = crate::verify::derive(&roots, (roots.head().number, roots.end()))?;
        Self::catch_up(disk, clock, roots, tables, Vec::new(), true)
    }

    /// Applies the rows and blocks that the tables have not seen.
    fn catch_up_tables(&mut self) -> Result<(), EngineError> {
        let (row, position) = self.tables.applied();
        if (row, position) == (self.roots.head().number, self.roots.end()) {
            return Ok(());
        }
        self.tables.begin()?;
        for next in self.roots.rows(row + 1) {
            self.tables.apply_row(&next?)?;
        }
        for block in self.roots.blocks(position) {
            self.tables.apply_block(&block?)?;
        }
        self.tables.commit()?;
        Ok(())
    }

    /// Reads the terms again, as known at the journal's head.
    pub(crate) fn reload_terms(&mut self) -> Result<(), EngineError> {
        self.terms = TermSet::load(&self.tables, self.roots.head().number)?;
        Ok(())
    }

    /// Makes cells and identities of the log that no run holds, splitting at pinned positions.
    fn catch_up_cells(&mut self) -> Result<(), EngineError> {
        if self.checkpoint.position > 0 && self.has_uncovered_meter() {
            self.notes.push("usage cells are made anew: a meter version has none yet".to_owned());
            self.forget_cells()?;
        }
        self.replay_cells()
    }

    /// Aggregates the log anew when a meter version came that has no cells yet.
    pub(crate) fn cover_new_meters(&mut self) -> Result<(), EngineError> {
        if self.roots.end() == 0 || !self.has_uncovered_meter() {
            return Ok(());
        }
        self.forget_cells()?;
        self.replay_cells()?;
        self.checkpoint_now(false)
    }

    fn has_uncovered_meter(&self) -> bool {
        let covered = |meter: &metering::Meter| {
            self.checkpoint.meters.iter().any(|c| c.meter == meter.name && c.version == meter.version)
        };
        !self.terms.meters().iter().all(covered)
    }

    /// Lets all cells go; the dedup index stays.
    fn forget_cells(&mut self) -> Result<(), EngineError> {
        self.checkpoint = Checkpoint { index: self.checkpoint.index.clone(), ..Checkpoint::empty() };
        self.cells = Cells::open(self.disk.as_ref(), &self.checkpoint)?;
        self.pending.clear();
        Ok(())
    }

    fn replay_cells(&mut self) -> Result<(), EngineError> {
        let pins = self.pins()?;
        let indexed = self.checkpoint.index.iter().map(|run| run.to).max().unwrap_or(0);
        let blocks = self.roots.blocks(self.checkpoint.position);
        for block in blocks {
            let block = block?;
            self.take_in(&block, indexed);
            let is_pin = pins.contains(&block.end());
            if self.read_only {
                if is_pin {
                    self.cells.split();
                }
            } else if is_pin || self.is_heavy() {
                self.checkpoint_now(is_pin)?;
            }
        }
        Ok(())
    }

    /// Positions that journal rows pinned, ascending.
    pub(crate) fn pins(&self) -> Result<Vec<u64>, EngineError> {
        let mut pins: Vec<u64> = self.tables.seals()?.iter().map(|seal| seal.cut.position).collect();
        pins.sort_unstable();
        pins.dedup();
        Ok(pins)
    }

    /// Aggregates a block and keeps its identities for the next run.
    pub(crate) fn take_in(&mut self, block: &Block, indexed: u64) {
        let end = block.end();
        for accepted in &block.draft.accepted {
            let digest = self.digest(&accepted.event);
            self.cells.add(&accepted.event, digest, self.terms.meters(), end);
            let position = block.position + u64::from(accepted.index);
            if position >= indexed {
                let entry = IndexEntry { identity: accepted.identity, payload: accepted.payload, position };
                if let Some(dedup) = &mut self.dedup {
                    dedup.insert(&entry);
                }
                self.pending.push(entry);
            }
        }
        self.cells.reach(end);
    }

    /// The keyed digest of an event.
    pub fn digest(&self, event: &metering::Event) -> Digest {
        event_digest(self.roots.keys(), TENANT, event)
    }

    pub(crate) fn is_heavy(&self) -> bool {
        self.pending.len() >= CHECKPOINT_RECORDS || self.cells.pending().len() >= CHECKPOINT_RECORDS
    }

    /// Writes what no run holds as runs and publishes them in one atomic step.
    ///
    /// **Errors**: those of the file layer; the old checkpoint then stands.
    pub fn checkpoint_now(&mut self, pin: bool) -> Result<(), EngineError> {
        let written = self.write_checkpoint(pin);
        // What memory holds and what the disk holds may differ now: the folder must be opened again.
        self.failed |= written.is_err();
        written
    }

    fn write_checkpoint(&mut self, pin: bool) -> Result<(), EngineError> {
        self.check_not_failed()?;
        self.tables.commit()?;
        let from = self.checkpoint.position;
        let to = self.cells.reached();
        assert!(to <= self.roots.durable(), "cells are made of what is durable");
        let disk = self.disk.as_ref();
        let mut next = self.checkpoint.clone();
        if to > from {
            let name = format!("cells/{from:020}-{to:020}.run");
            next.cells.push(write_cells(disk, &name, from, to, self.cells.pending())?);
            let indexed = next.index.iter().map(|run| run.to).max().unwrap_or(0);
            if to > indexed {
                next.index.push(write_index(disk, indexed, to, &mut self.pending)?);
            }
        }
        if pin && !next.pinned.contains(&to) {
            next.pinned.push(to);
        }
        next.position = to;
        next.log_hash = hash_at(&self.roots, to)?.ok_or_else(|| {
            StoreError::corrupt("log", format!("position {to}"), "no block ends where cells were made to")
        })?;
        let head = self.roots.head();
        (next.known_at, next.journal_hash) = (head.number, head.hash);
        next.key_generation = self.roots.key_generation();
        next.durable_through = to;
        next.meters = self.covers(to);
        let dropped = merge_runs(disk, &mut next)?;
        write_checkpoint(disk, &next)?;
        self.pending.clear();
        for name in dropped {
            // The run may have been made anew under the same name.
            if !next.cells.iter().chain(&next.index).any(|run| run.name == name) {
                disk.remove(&name).map_err(|error| StoreError::io(format!("remove `{name}`"), &error))?;
            }
        }
        self.cells = Cells::open(disk, &next)?;
        self.checkpoint = next;
        Ok(())
    }

    /// After a checkpoint that failed half way nothing more is written.
    fn check_not_failed(&self) -> Result<(), EngineError> {
        if self.failed {
            return Err(EngineError::new(
                ErrorKind::Closed,
                "store_closed",
                "the store stopped after a write that failed",
                "open it again: run the command again once the disk is in order",
            ));
        }
        Ok(())
    }

    fn covers(&self, complete_through: u64) -> Vec<MeterCover> {
        let cover = |meter: &metering::Meter| MeterCover {
            meter: meter.name.clone(),
            version: meter.version,
            complete_through,
        };
        self.terms.meters().iter().map(cover).collect()
    }

    /// Appends a row, applies it to the tables, answers it.
    pub(crate) fn record(&mut self, draft: RowDraft) -> Result<Row, EngineError> {
        self.check_not_failed()?;
        // The journal is the durable copy: the tables join it at the next commit, or catch up at the next open.
        self.tables.begin()?;
        let row = self.roots.append_row(draft, self.clock.now())?;
        self.tables.apply_row(&row)?;
        Ok(row)
    }

    /// Journals that a command was refused, then answers the refusal. Errors of the disk are not journalled:
    /// the store stops instead.
    pub(crate) fn journal_failure<T>(
        &mut self,
        caller: &Caller,
        class: Class,
        command: &str,
        input: Value,
        result: Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let Err(error) = result else { return result };
        if matches!(error.kind, ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict) {
            self.record(RowDraft {
                class,
                actor: caller.actor.clone(),
                reason: caller.reason.clone(),
                idempotency_key: None,
                command: command.to_owned(),
                command_version: 1,
                input,
                result: json!({ "code": error.code, "message": error.message }),
                effects: Vec::new(),
                cut: None,
                references: Vec::new(),
            })?;
        }
        Err(error)
    }

    /// Checkpoints, then writes the close record. A folder opened for reading is just let go.
    ///
    /// **Errors**: those of the file layer; the folder then recovers at the next open.
    pub fn close(mut self) -> Result<(), EngineError> {
        if self.read_only {
            return Ok(());
        }
        self.check_not_failed()?;
        if self.roots.end() > self.checkpoint.position
            || self.checkpoint.meters != self.covers(self.checkpoint.position)
        {
            self.checkpoint_now(false)?;
        }
        self.tables.commit()?;
        self.tables.close()?;
        let runs = self.checkpoint.cells.iter().chain(&self.checkpoint.index);
        let known: Vec<Reference> = runs
            .map(|run| Reference { name: run.name.clone(), length: run.length, hash: run.hash })
            .collect();
        self.roots.close(self.clock.now(), &known)?;
        Ok(())
    }

    /// What opening had to do beyond the usual: recovered, rebuilt.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The journal's head.
    pub fn head(&self) -> Head {
        self.roots.head()
    }

    /// The end of the log: how many records were ever received.
    pub fn end(&self) -> u64 {
        self.roots.end()
    }

    /// The store's id.
    pub fn store_id(&self) -> String {
        self.roots.store_id().to_string()
    }

    /// The time now, by the engine's clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The tables, for reading.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The terms as known now.
    pub fn terms(&self) -> &TermSet {
        &self.terms
    }

    /// The secret keys, for digests and hashes of personal fields.
    pub fn keys(&self) -> &Keys {
        self.roots.keys()
    }
}

/// Whether a folder holds a store.
pub(crate) fn is_store(disk: &dyn Disk) -> Result<bool, EngineError> {
    Ok(disk.exists(KEYS).map_err(|error| StoreError::io("look for a store", &error))?)
}

/// What the checkpoint knows to be durable; nothing, where it cannot be read.
fn known_durable(disk: &dyn Disk) -> KnownDurable {
    match read_checkpoint(disk) {
        Ok(Some(checkpoint)) => {
            KnownDurable { position: checkpoint.durable_through, row: checkpoint.known_at }
        }
        Ok(None) | Err(_) => KnownDurable::default(),
    }
}

/// Whether the runs hold all that a closed store holds, so that reading needs no writing. A checkpoint that is
/// damaged does not: it is made anew.
fn is_caught_up(disk: &dyn Disk, roots: &Roots) -> Result<bool, StoreError> {
    match read_checkpoint(disk) {
        Ok(Some(checkpoint)) => Ok(checkpoint.position == roots.end() && fits(disk, roots, &checkpoint)?),
        Ok(None) => Ok(roots.end() == 0),
        Err(error) if error.kind == ErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether tables hold a beginning of this journal and this log.
fn is_derived_from(tables: &Tables, roots: &Roots) -> Result<bool, StoreError> {
    let applied = tables.applied_to();
    if applied.row > roots.head().number || applied.position > roots.end() {
        return Ok(false);
    }
    let row_fits = match applied.row {
        0 => true,
        row => roots.rows(row).next().transpose()?.is_some_and(|found| found.hash == applied.row_hash),
    };
    Ok(row_fits && hash_at(roots, applied.position)? == Some(applied.block_hash))
}

/// Tables for reading; none where they must be written first.
fn readable_tables(disk: &Arc<dyn Disk>) -> Result<Option<Tables>, EngineError> {
    match Tables::open_read_only(Arc::clone(disk)) {
        Ok(tables) => Ok(tables),
        Err(error) if error.kind == ErrorKind::Corrupt => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Tables that cannot be read are derived anew; they hold nothing that journal and log do not.
fn open_tables(disk: &Arc<dyn Disk>, roots: &Roots, notes: &mut Vec<String>) -> Result<Tables, EngineError> {
    let usable = |tables: Tables| {
        if is_derived_from(&tables, roots)? {
            return Ok(tables);
        }
        Err(StoreError::corrupt("tables.db", "table meta", "tables of another journal or log"))
    };
    match Tables::open(Arc::clone(disk)).and_then(usable) {
        Ok(tables) => Ok(tables),
        Err(error) if error.kind == ErrorKind::Corrupt => {
            notes.push(format!(
                "tables are derived anew, values of personal fields must be applied again: {error}"
            ));
            Ok(Tables::recreate(Arc::clone(disk))?)
        }
        Err(error) => Err(error.into()),
    }
}

/// A checkpoint that does not fit the log, or whose files are gone, is let go: cells are made anew.
fn open_checkpoint(
    disk: &dyn Disk,
    roots: &Roots,
    notes: &mut Vec<String>,
) -> Result<Checkpoint, EngineError> {
    match read_checkpoint(disk).and_then(|found| match found {
        None => Ok(None),
        Some(checkpoint) => fits(disk, roots, &checkpoint).map(|fits| fits.then_some(checkpoint)),
    }) {
        Ok(Some(checkpoint)) => Ok(checkpoint),
        Ok(None) if roots.end() == 0 => Ok(Checkpoint::empty()),
        Ok(None) => {
            notes.push("usage cells and the dedup index are made anew from the log".to_owned());
            Ok(Checkpoint::empty())
        }
        Err(error) if error.kind == ErrorKind::Corrupt => {
            notes.push(format!("usage cells and the dedup index are made anew from the log: {error}"));
            Ok(Checkpoint::empty())
        }
        Err(error) => Err(error.into()),
    }
}

fn fits(disk: &dyn Disk, roots: &Roots, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
    if checkpoint.position > roots.end() || hash_at(roots, checkpoint.position)? != Some(checkpoint.log_hash)
    {
        return Ok(false);
    }
    for run in checkpoint.cells.iter().chain(&checkpoint.index) {
        let there = disk.exists(&run.name).map_err(|error| StoreError::io("look for a run", &error))?;
        if !there {
            return Ok(false);
        }
        let file = disk.open(&run.name, Mode::Read);
        let length = file.and_then(|file| file.length());
        if length.map_err(|error| StoreError::io(format!("read `{}`", run.name), &error))? != run.length {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The hash of the block that ends at a position; none where no block ends there.
fn hash_at(roots: &Roots, position: u64) -> Result<Option<store::Hash>, StoreError> {
    let Some(last) = position.checked_sub(1) else { return Ok(Some(store::Hash::ZERO)) };
    match roots.headers(last).next().transpose()? {
        Some((header, hash)) if header.position + u64::from(header.records) == position => Ok(Some(hash)),
        _ => Ok(None),
    }
}
