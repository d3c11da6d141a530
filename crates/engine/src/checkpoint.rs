//! Checkpoints: cells and identities that no run holds are frozen, written as runs beside the path of events, and
//! published in one atomic step.
//!
//! At most one flush is under way, and one merge of what earlier ones wrote. Until a flush is published queries and
//! probes read the frozen tables; where it fails the engine stops, and what was frozen is made again from the log. The
//! checkpoint itself is a small file, which only the thread of the engine writes: so flushes and merges end in any order.

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

use store::runs::{
    CellRun, Checkpoint, IndexRun, MeterCover, RunFact, cell_run_name, write_cells, write_checkpoint,
    write_index,
};
use store::{Disk, Hash, Roots, StoreError};

use crate::cells::{Cells, Frozen};
use crate::dedup::{Dedup, Filter, HotTable};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::merge::{Merge, MergeJob, Merged, beside, too_many_wait};

/// Memory for the tables of what no run holds and for the filter over the runs, in bytes.
pub const MEMORY_BYTES: usize = 512 << 20;
/// Records whose cells and identities may be in no run: what a start after a crash reads again.
pub const TAIL_RECORDS: u64 = 6_000_000;
/// The tables' part of the memory, however large the filter has grown: smaller runs would be merged too often.
const TABLES_MIN_BYTES: usize = 128 << 20;
/// As much of a store's tail is left to the next open when it is closed properly.
const CLOSED_TAIL_RECORDS: u64 = TAIL_RECORDS;

/// A flush under way. Let go, it is waited for: it must not write into a folder that another may open.
pub(crate) struct Flush(Option<JoinHandle<Result<Flushed, EngineError>>>);

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            // Whoever lets it go has failed already, and says why.
            let _ = handle.join();
        }
    }
}

impl Flush {
    /// Whether it waits to be taken over.
    pub fn has_ended(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn join(mut self) -> Result<Flushed, EngineError> {
        match self.0.take().map(JoinHandle::join) {
            Some(Ok(flushed)) => flushed,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => unreachable!("a flush is joined once"),
        }
    }
}

/// What a flush writes.
pub(crate) struct Job {
    disk: Arc<dyn Disk>,
    frozen: Vec<Frozen>,
    identities: Arc<HotTable>,
    filter: Arc<Filter>,
    index_runs: Vec<Arc<IndexRun>>,
    /// The checkpoint as it will be, but for the runs.
    head: Checkpoint,
}

/// What a flush has written.
pub(crate) struct Flushed {
    head: Checkpoint,
    cells: Vec<(RunFact, Arc<CellRun>)>,
    index: Option<(RunFact, Arc<IndexRun>)>,
}

impl Job {
    /// Writes the runs, covers the filter.
    ///
    /// **Errors**: those of the file layer; the old checkpoint then stands.
    fn run(self) -> Result<Flushed, EngineError> {
        let cells = self.write_cells()?;
        let index = self.write_index()?;
        Ok(Flushed { head: self.head, cells, index })
    }

    /// As [`Job::run`], cells and identities on a thread each: the sooner it ends, the less is there to wait for.
    ///
    /// **Errors**: as there.
    fn run_on_two(self) -> Result<Flushed, EngineError> {
        let (cells, index) = std::thread::scope(|scope| {
            let named = std::thread::Builder::new().name("checkpoint index".to_owned());
            let index = named.spawn_scoped(scope, || self.write_index());
            let cells = self.write_cells();
            match index {
                Ok(index) => (cells, index.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
                // The system has no thread left.
                Err(_) => (cells, self.write_index()),
            }
        });
        Ok(Flushed { cells: cells?, index: index?, head: self.head })
    }

    fn write_cells(&self) -> Result<Vec<(RunFact, Arc<CellRun>)>, EngineError> {
        let disk = self.disk.as_ref();
        let write = |Frozen { from, to, cells }: &Frozen| {
            let fact = write_cells(disk, &cell_run_name(*from, *to), *from, *to, cells)?;
            let run = Arc::new(CellRun::open(disk, &fact)?);
            Ok((fact, run))
        };
        self.frozen.iter().map(write).collect()
    }

    fn write_index(&self) -> Result<Option<(RunFact, Arc<IndexRun>)>, EngineError> {
        let (disk, to) = (self.disk.as_ref(), self.head.position);
        let indexed = self.index_runs.last().map_or(0, |run| run.fact().to);
        let mut runs = self.index_runs.clone();
        let mut index = None;
        if to > indexed {
            let fact = write_index(disk, indexed, to, self.identities.sorted())?;
            let run = Arc::new(IndexRun::open(disk, &fact)?);
            runs.push(Arc::clone(&run));
            index = Some((fact, run));
        }
        // Before a merge takes it: a part that was covered to between two runs would be made anew from a run of both.
        self.filter.cover(&runs)?;
        Ok(index)
    }
}

/// What a checkpoint says beside its position and its runs.
#[derive(Clone, Debug)]
pub(crate) struct FlushAt {
    pub log_hash: Hash,
    pub known_at: u64,
    pub journal_hash: Hash,
    pub key_generation: u32,
    /// Complete through the checkpoint, whatever they say.
    pub meters: Vec<MeterCover>,
}

/// Everything that a flush changes.
pub(crate) struct Flusher<'e> {
    pub disk: &'e Arc<dyn Disk>,
    pub checkpoint: &'e mut Checkpoint,
    pub cells: &'e mut Cells,
    pub dedup: &'e mut Dedup,
    pub flush: &'e mut Option<Flush>,
    pub merge: &'e mut Option<Merge>,
    pub in_background: bool,
}

impl Flusher<'_> {
    /// Starts a flush of everything that the tables hold, all of it durable; waits for the one before.
    pub fn start(&mut self, at: FlushAt) -> Result<(), EngineError> {
        if !self.in_background {
            return self.run_now(at, false);
        }
        self.settle(true)?;
        if too_many_wait(&self.checkpoint.cells, &self.checkpoint.index, &self.checkpoint.pinned) {
            self.settle_merge(true)?;
        }
        let job = self.job(at, false)?;
        let handle = beside("checkpoint", move || job.run_on_two())?;
        *self.flush = Some(Flush(Some(handle)));
        Ok(())
    }

    /// Flushes before it returns.
    pub fn run_now(&mut self, at: FlushAt, pin: bool) -> Result<(), EngineError> {
        self.settle(true)?;
        let flushed = self.job(at, pin)?.run()?;
        self.publish(flushed)
    }

    /// Takes over a flush that has ended, and a merge; `wait` waits for a flush that has not.
    pub fn settle(&mut self, wait: bool) -> Result<(), EngineError> {
        self.settle_merge(false)?;
        match self.flush.take_if(|flush| wait || flush.has_ended()) {
            None => Ok(()),
            Some(flush) => self.publish(flush.join()?),
        }
    }

    fn settle_merge(&mut self, wait: bool) -> Result<(), EngineError> {
        match self.merge.take_if(|merge| wait || merge.has_ended()) {
            None => Ok(()),
            Some(merge) => self.publish_merged(merge.join()?),
        }
    }

    fn job(&mut self, at: FlushAt, pin: bool) -> Result<Job, EngineError> {
        let to = self.cells.reached();
        let mut next = Checkpoint { cells: Vec::new(), index: Vec::new(), ..self.checkpoint.clone() };
        if pin && !next.pinned.contains(&to) {
            next.pinned.push(to);
        }
        next.position = to;
        next.log_hash = at.log_hash;
        (next.known_at, next.journal_hash) = (at.known_at, at.journal_hash);
        next.key_generation = at.key_generation;
        // A mark never goes back: it says what may not be cut off.
        next.durable_through = to.max(self.checkpoint.durable_through);
        next.meters =
            at.meters.into_iter().map(|meter| MeterCover { complete_through: to, ..meter }).collect();
        // Moving past identities that are in no run would lose them.
        let identities = self.dedup.freeze().ok_or_else(|| {
            StoreError::corrupt(
                "index",
                format!("position {to}"),
                "a flush before this one was not taken over",
            )
        })?;
        Ok(Job {
            disk: Arc::clone(self.disk),
            frozen: self.cells.freeze(),
            identities,
            filter: self.dedup.filter(),
            index_runs: self.dedup.runs().to_vec(),
            head: next,
        })
    }

    fn publish(&mut self, flushed: Flushed) -> Result<(), EngineError> {
        let Flushed { head, cells: new_cells, index: new_index } = flushed;
        let (mut cells, mut index) = (self.cells.runs().to_vec(), self.dedup.runs().to_vec());
        let mut next =
            Checkpoint { cells: self.checkpoint.cells.clone(), index: self.checkpoint.index.clone(), ..head };
        for (fact, run) in new_cells {
            next.cells.push(fact);
            cells.push(run);
        }
        if let Some((fact, run)) = new_index {
            next.index.push(fact);
            index.push(run);
        }
        write_checkpoint(self.disk.as_ref(), &next)?;
        self.cells.publish(cells, next.position);
        self.dedup.publish(index);
        *self.checkpoint = next;
        self.merge_next()
    }

    /// Begins the next merge, if one is due and none is under way.
    fn merge_next(&mut self) -> Result<(), EngineError> {
        while self.merge.is_none() {
            let (cells, pinned) = (&self.checkpoint.cells, &self.checkpoint.pinned);
            let Some(job) = MergeJob::next(self.disk, cells, self.dedup.runs(), pinned) else { break };
            if self.in_background {
                *self.merge = Some(job.start()?);
            } else {
                self.take_merged(job.run()?)?;
            }
        }
        Ok(())
    }

    fn publish_merged(&mut self, merged: Merged) -> Result<(), EngineError> {
        self.take_merged(merged)?;
        self.merge_next()
    }

    /// Puts a run in the place of those that it was made of.
    fn take_merged(&mut self, merged: Merged) -> Result<(), EngineError> {
        let mut next = self.checkpoint.clone();
        let (mut cells, mut index) = (self.cells.runs().to_vec(), self.dedup.runs().to_vec());
        let (of, name) = match merged {
            Merged::Cells { of, fact, run } => {
                let (place, name) = (place_of(&next.cells, &of)?, fact.name.clone());
                cells.splice(place.clone(), [run]);
                next.cells.splice(place, [fact]);
                (of, name)
            }
            Merged::Index { of, fact, run } => {
                let (place, name) = (place_of(&next.index, &of)?, fact.name.clone());
                index.splice(place.clone(), [run]);
                next.index.splice(place, [fact]);
                (of, name)
            }
        };
        write_checkpoint(self.disk.as_ref(), &next)?;
        self.cells.replace_runs(cells);
        self.dedup.replace_runs(index);
        *self.checkpoint = next;
        for run in of.iter().filter(|run| run.name != name) {
            let removed = self.disk.remove(&run.name);
            removed.map_err(|error| StoreError::io(format!("remove `{}`", run.name), &error))?;
        }
        Ok(())
    }
}

/// Where the runs stand that a merge was of: what came since stands behind them.
fn place_of(runs: &[RunFact], of: &[RunFact]) -> Result<Range<usize>, EngineError> {
    let first = of.first().and_then(|first| runs.iter().position(|run| run == first));
    let range = first.map(|first| first..first + of.len());
    range
        .filter(|range| runs.get(range.clone()) == Some(of))
        .ok_or_else(|| EngineError::stored("a merge", "the runs that it was of are not there any more"))
}

/// The filter over the runs of a store that was opened is made beside everything else.
pub(crate) fn cover_in_background(
    dedup: &Dedup,
) -> std::io::Result<Option<JoinHandle<Result<(), StoreError>>>> {
    let runs = dedup.runs().to_vec();
    if runs.is_empty() {
        return Ok(None);
    }
    let filter = dedup.filter();
    let named = std::thread::Builder::new().name("filter".to_owned());
    named.spawn(move || filter.cover(&runs)).map(Some)
}

impl Engine {
    /// Makes cells and identities of the log that no run holds, splitting at pinned positions.
    pub(crate) fn catch_up_cells(&mut self) -> Result<(), EngineError> {
        if self.checkpoint.position > 0 && self.has_uncovered_meter() {
            self.notes.push("usage cells are made anew: a meter version has none yet".to_owned());
            self.forget_cells()?;
        }
        self.replay_log()
    }

    /// Aggregates the log anew when a meter version came that has no cells yet.
    pub(crate) fn cover_new_meters(&mut self) -> Result<(), EngineError> {
        if self.roots.end() == 0 || !self.has_uncovered_meter() {
            return Ok(());
        }
        self.settle_flush(true)?;
        // What it merges is about to go.
        self.merge = None;
        self.forget_cells()?;
        self.replay_log()?;
        self.checkpoint_now(false)
    }

    fn has_uncovered_meter(&self) -> bool {
        let covered = |meter: &metering::Meter| {
            self.checkpoint.meters.iter().any(|c| c.meter == meter.name && c.version == meter.version)
        };
        !self.terms.meters().iter().all(covered)
    }

    /// Lets all cells go, and the identities that no run holds; the index runs stay.
    fn forget_cells(&mut self) -> Result<(), EngineError> {
        self.checkpoint = Checkpoint {
            index: self.checkpoint.index.clone(),
            pinned: self.checkpoint.pinned.clone(),
            ..Checkpoint::empty()
        };
        self.cells = Cells::open(self.disk.as_ref(), &self.checkpoint)?;
        self.dedup = open_dedup(self.disk.as_ref(), &self.checkpoint)?;
        Ok(())
    }

    /// Positions that journal rows pinned, ascending.
    pub(crate) fn pins(&self) -> Result<Vec<u64>, EngineError> {
        let mut pins: Vec<u64> = self.tables.seals()?.iter().map(|seal| seal.cut.position).collect();
        pins.sort_unstable();
        pins.dedup();
        Ok(pins)
    }

    /// Whether so much is in no run that it should be.
    pub(crate) fn is_heavy(&self) -> bool {
        is_heavy(&self.dedup, CellsHeld::of(&self.cells), self.memory_bytes)
    }

    /// Writes what no run holds as runs and publishes them in one atomic step, before it returns.
    ///
    /// **Errors**: those of the file layer; the old checkpoint then stands.
    pub fn checkpoint_now(&mut self, pin: bool) -> Result<(), EngineError> {
        self.check_not_failed()?;
        let written = self.checkpoint_inline(pin);
        // What memory holds and what the disk holds may differ now: the folder must be opened again.
        self.failed |= written.is_err();
        written
    }

    fn checkpoint_inline(&mut self, pin: bool) -> Result<(), EngineError> {
        self.tables.commit()?;
        let to = self.cells.reached();
        assert!(to <= self.roots.durable(), "cells are made of what is durable");
        let log_hash = hash_at(&self.roots, to)?.ok_or_else(|| {
            StoreError::corrupt("log", format!("position {to}"), "no block ends where cells were made to")
        })?;
        let at = self.flush_at(log_hash);
        self.flusher().run_now(at, pin)
    }

    /// Starts to write what no run holds. Everything appended must be durable.
    ///
    /// **Errors**: those of the flush before, which is waited for.
    pub(crate) fn start_flush(&mut self) -> Result<(), EngineError> {
        assert_eq!(self.cells.reached(), self.roots.durable(), "cells are made of what is durable");
        self.tables.commit()?;
        let at = self.flush_at(self.roots.log_hash());
        let started = self.flusher().start(at);
        self.failed |= started.is_err();
        started
    }

    /// Takes over a flush that has ended; `wait` waits for one that has not.
    ///
    /// **Errors**: those of the flush; the engine then stops.
    pub(crate) fn settle_flush(&mut self, wait: bool) -> Result<(), EngineError> {
        let settled = self.flusher().settle(wait);
        self.failed |= settled.is_err();
        settled
    }

    /// What a checkpoint of all cells says beside its runs.
    pub(crate) fn flush_at(&self, log_hash: Hash) -> FlushAt {
        let head = self.roots.head();
        let key_generation = self.roots.key_generation();
        FlushAt {
            log_hash,
            known_at: head.number,
            journal_hash: head.hash,
            key_generation,
            meters: self.covers(0),
        }
    }

    fn flusher(&mut self) -> Flusher<'_> {
        Flusher {
            disk: &self.disk,
            checkpoint: &mut self.checkpoint,
            cells: &mut self.cells,
            dedup: &mut self.dedup,
            flush: &mut self.flush,
            merge: &mut self.merge,
            in_background: self.in_background,
        }
    }

    pub(crate) fn covers(&self, complete_through: u64) -> Vec<MeterCover> {
        let cover = |meter: &metering::Meter| MeterCover {
            meter: meter.name.clone(),
            version: meter.version,
            complete_through,
        };
        self.terms.meters().iter().map(cover).collect()
    }

    /// Whether a store that is closed properly must be checkpointed before: what is left is read by every open.
    pub(crate) fn has_long_tail(&self) -> bool {
        self.roots.end() - self.checkpoint.position > CLOSED_TAIL_RECORDS
    }
}

/// What cells that no run holds take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CellsHeld {
    pub pending_bytes: usize,
    pub frozen_bytes: usize,
    pub pending_records: u64,
}

impl CellsHeld {
    pub fn of(cells: &Cells) -> Self {
        Self {
            pending_bytes: cells.pending_bytes(),
            frozen_bytes: cells.frozen_bytes(),
            pending_records: cells.pending_records(),
        }
    }
}

/// Whether tables have grown so large that they must be flushed: to three quarters of what the filter leaves of the
/// memory, or to all that a flush under way leaves of it.
pub(crate) fn is_heavy(dedup: &Dedup, cells: CellsHeld, memory_bytes: usize) -> bool {
    let free =
        memory_bytes.saturating_sub(dedup.filter().memory_bytes()).max(TABLES_MIN_BYTES.min(memory_bytes));
    let pending = dedup.hot_bytes() + cells.pending_bytes;
    let frozen = dedup.frozen_bytes() + cells.frozen_bytes;
    let share = if frozen == 0 { free / 4 * 3 } else { free.saturating_sub(frozen).max(free / 4) };
    pending > share || cells.pending_records > TAIL_RECORDS
}

/// The dedup index as a checkpoint has it.
pub(crate) fn open_dedup(disk: &dyn Disk, checkpoint: &Checkpoint) -> Result<Dedup, StoreError> {
    let runs: Result<Vec<_>, _> =
        checkpoint.index.iter().map(|fact| IndexRun::open(disk, fact).map(Arc::new)).collect();
    Ok(Dedup::open(runs?))
}

/// The hash of the block that ends at a position; none where no block ends there.
pub(crate) fn hash_at(roots: &Roots, position: u64) -> Result<Option<Hash>, StoreError> {
    if position == roots.end() {
        return Ok(Some(roots.log_hash()));
    }
    let Some(last) = position.checked_sub(1) else { return Ok(Some(Hash::ZERO)) };
    match roots.headers(last).next().transpose()? {
        Some((header, hash)) if header.position + u64::from(header.records) == position => Ok(Some(hash)),
        _ => Ok(None),
    }
}
