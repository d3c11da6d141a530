//! Merging of runs: a run joins the one before it unless that is much larger, so that their number grows with
//! the logarithm of the log, and each cell is written again only so often.

use store::Disk;
use store::runs::{CellRun, CellTable, Checkpoint, RunFact, read_index, write_cells, write_index};

use crate::error::EngineError;

/// A run joins its neighbour while that one has no more than this many times its entries.
const RATIO: u64 = 2;

/// Merges the newest runs of a checkpoint; answers the files to remove once the new checkpoint stands. No cell
/// run ever reaches across a pin.
///
/// **Errors**: a run that cannot be read or written.
pub fn merge_runs(disk: &dyn Disk, checkpoint: &mut Checkpoint) -> Result<Vec<String>, EngineError> {
    let mut dropped = Vec::new();
    let pinned = checkpoint.pinned.clone();
    merge_newest(&mut checkpoint.cells, &mut dropped, &|run| pinned.contains(&run.from), &|pair| {
        merge_cells(disk, pair)
    })?;
    merge_newest(&mut checkpoint.index, &mut dropped, &|_| false, &|pair| merge_index(disk, pair))?;
    Ok(dropped)
}

fn merge_newest(
    runs: &mut Vec<RunFact>,
    dropped: &mut Vec<String>,
    is_pinned: &dyn Fn(&RunFact) -> bool,
    merge: &dyn Fn(&[RunFact]) -> Result<RunFact, EngineError>,
) -> Result<(), EngineError> {
    while let [.., before, last] = runs.as_slice() {
        if is_pinned(last) || before.entries > last.entries.saturating_mul(RATIO) {
            break;
        }
        let merged = merge(&[before.clone(), last.clone()])?;
        dropped.extend(runs.drain(runs.len() - 2..).map(|run| run.name));
        runs.push(merged);
    }
    Ok(())
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

fn merge_index(disk: &dyn Disk, group: &[RunFact]) -> Result<RunFact, EngineError> {
    let mut entries = Vec::new();
    for fact in group {
        read_index(disk, fact, &mut |entry| entries.push(entry))?;
    }
    let (from, to) = bounds(group);
    Ok(write_index(disk, from, to, &mut entries)?)
}
