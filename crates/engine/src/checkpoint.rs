//! Checkpoints: cells and identities that no run holds are written as runs, and published in one atomic step.

use store::runs::{Checkpoint, IndexEntry, MeterCover, write_cells, write_checkpoint, write_index};
use store::{Block, Roots, StoreError};

use crate::cells::Cells;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::merge::merge_runs;

/// Pending cells and identities are written as runs when there are this many records more.
const CHECKPOINT_RECORDS: usize = 2_000_000;

impl Engine {
    /// Makes cells and identities of the log that no run holds, splitting at pinned positions.
    pub(crate) fn catch_up_cells(&mut self) -> Result<(), EngineError> {
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
        let indexed = self.checkpoint.indexed_to();
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
            let indexed = next.indexed_to();
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

    pub(crate) fn covers(&self, complete_through: u64) -> Vec<MeterCover> {
        let cover = |meter: &metering::Meter| MeterCover {
            meter: meter.name.clone(),
            version: meter.version,
            complete_through,
        };
        self.terms.meters().iter().map(cover).collect()
    }
}

/// The hash of the block that ends at a position; none where no block ends there.
pub(crate) fn hash_at(roots: &Roots, position: u64) -> Result<Option<store::Hash>, StoreError> {
    let Some(last) = position.checked_sub(1) else { return Ok(Some(store::Hash::ZERO)) };
    match roots.headers(last).next().transpose()? {
        Some((header, hash)) if header.position + u64::from(header.records) == position => Ok(Some(hash)),
        _ => Ok(None),
    }
}
