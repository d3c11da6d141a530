//! Merging of runs: many small runs between two pins become one, so that reading stays cheap.

use store::Disk;
use store::runs::{CellRun, CellTable, Checkpoint, RunFact, read_index, write_cells, write_index};

use crate::error::EngineError;

/// Merges neighbouring runs where more than `runs_max` stand between two pins; answers the files to remove
/// once the new checkpoint stands.
///
/// **Errors**: a run that cannot be read or written.
pub fn merge_runs(
    disk: &dyn Disk,
    checkpoint: &mut Checkpoint,
    runs_max: usize,
) -> Result<Vec<String>, EngineError> {
    let mut dropped = Vec::new();
    let mut cells = Vec::new();
    for group in groups(&checkpoint.cells, &checkpoint.pinned) {
        if group.len() > runs_max {
            cells.push(merge_cells(disk, &group)?);
            dropped.extend(group.into_iter().map(|run| run.name));
        } else {
            cells.extend(group);
        }
    }
    checkpoint.cells = cells;
    if checkpoint.index.len() > runs_max {
        let merged = merge_index(disk, &checkpoint.index)?;
        dropped.extend(checkpoint.index.drain(..).map(|run| run.name));
        checkpoint.index = vec![merged];
    }
    Ok(dropped)
}

/// Runs that may become one: neighbours with no pin where they meet.
fn groups(runs: &[RunFact], pinned: &[u64]) -> Vec<Vec<RunFact>> {
    let mut groups: Vec<Vec<RunFact>> = Vec::new();
    for run in runs {
        match groups.last_mut() {
            Some(group) if !pinned.contains(&run.from) => group.push(run.clone()),
            _ => groups.push(vec![run.clone()]),
        }
    }
    groups
}

fn bounds(group: &[RunFact]) -> (u64, u64) {
    let from = group.iter().map(|run| run.from).min().unwrap_or(0);
    let to = group.iter().map(|run| run.to).max().unwrap_or(0);
    (from, to)
}

fn merge_cells(disk: &dyn Disk, group: &[RunFact]) -> Result<RunFact, EngineError> {
    let mut all = CellTable::default();
    for fact in group {
        CellRun::open(disk, fact)?.all(&mut |key, cell| all.add(key, cell))?;
    }
    let (from, to) = bounds(group);
    Ok(write_cells(disk, &format!("cells/{from:020}-{to:020}.run"), from, to, &all)?)
}

fn merge_index(disk: &dyn Disk, runs: &[RunFact]) -> Result<RunFact, EngineError> {
    let mut entries = Vec::new();
    for fact in runs {
        read_index(disk, fact, &mut |entry| entries.push(entry))?;
    }
    let (from, to) = bounds(runs);
    Ok(write_index(disk, from, to, entries)?)
}
