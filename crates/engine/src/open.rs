//! Opening a folder: recovered, tables and cells brought up to the log's end.

use std::sync::Arc;

use store::runs::{Checkpoint, read_checkpoint};
use store::tables::Tables;
use store::{CreateOptions, Disk, KEYS, KnownDurable, Mode, OpenOptions, Roots, StoreError};

use crate::cells::Cells;
use crate::checkpoint::{MEMORY_BYTES, TAIL_RECORDS, cover_in_background, hash_at, open_dedup};
use crate::clock::Clock;
use crate::engine::{Engine, Options};
use crate::error::{EngineError, ErrorKind};
use crate::terms::TermSet;

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
        let setting = Setting {
            clock: options.clock,
            memory_bytes: options.memory_bytes,
            in_background: options.in_background,
            read_only: false,
        };
        let engine = Self::catch_up(disk, setting, roots, tables, notes)?;
        if engine.in_background {
            cover_in_background(&engine.dedup).map_err(|error| StoreError::io("start a thread", &error))?;
        }
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
            && is_derived_from(&tables, &roots)?
        {
            return Self::catch_up(disk, Setting::to_read(options.clock), roots, tables, Vec::new());
        }
        drop(roots);
        Self::open(disk, options)
    }

    fn catch_up(
        disk: Arc<dyn Disk>,
        setting: Setting,
        roots: Roots,
        tables: Tables,
        mut notes: Vec<String>,
    ) -> Result<Self, EngineError> {
        let Setting { clock, memory_bytes, in_background, read_only } = setting;
        let mut checkpoint = open_checkpoint(disk.as_ref(), &roots, &mut notes)?;
        let runs = Cells::open(disk.as_ref(), &checkpoint)
            .and_then(|cells| Ok((cells, open_dedup(disk.as_ref(), &checkpoint)?)));
        let (cells, dedup) = match runs {
            // Runs are derived: one that is not what the checkpoint says is made again, with all the others.
            Err(error) if error.kind == ErrorKind::Corrupt && !read_only => {
                notes.push(format!("usage cells and the dedup index are made anew from the log: {error}"));
                checkpoint = Checkpoint::empty();
                (Cells::open(disk.as_ref(), &checkpoint)?, open_dedup(disk.as_ref(), &checkpoint)?)
            }
            runs => runs?,
        };
        let terms = TermSet::empty();
        let mut engine = Self {
            disk,
            clock,
            roots,
            tables,
            checkpoint,
            cells,
            dedup,
            flush: None,
            merge: None,
            memory_bytes,
            in_background,
            terms,
            notes,
            read_only,
            failed: false,
            uncommitted: 0,
        };
        engine.catch_up_tables()?;
        engine.reload_terms()?;
        // A crash may have come between a seal and its checkpoint: the journal says what is pinned.
        engine.checkpoint.pinned = engine.pins()?;
        if !read_only {
            // Before anything writes runs: a merge that catching up begins has files that no checkpoint names yet.
            engine.remove_leftovers()?;
        }
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
        Self::catch_up(disk, Setting::to_read(clock), roots, tables, Vec::new())
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
        for block in self.roots.fates(position) {
            self.tables.apply_block(&block?)?;
        }
        self.tables.commit()?;
        Ok(())
    }
}

/// How an engine works once it is open.
struct Setting {
    clock: Arc<dyn Clock>,
    memory_bytes: usize,
    in_background: bool,
    read_only: bool,
}

impl Setting {
    fn to_read(clock: Arc<dyn Clock>) -> Self {
        Self { clock, memory_bytes: MEMORY_BYTES, in_background: false, read_only: true }
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
        Ok(Some(checkpoint)) => {
            let is_near = roots.end().saturating_sub(checkpoint.position) <= TAIL_RECORDS;
            Ok(is_near && fits(disk, roots, &checkpoint)?)
        }
        Ok(None) => Ok(roots.end() <= TAIL_RECORDS),
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
    if checkpoint.indexed_to() > roots.end() {
        return Ok(false);
    }
    // Identities under other secrets are other identities: the log is hashed again, all of it is there.
    if checkpoint.position.max(checkpoint.indexed_to()) > 0
        && checkpoint.key_generation != roots.key_generation()
    {
        return Ok(false);
    }
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
