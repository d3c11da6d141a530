//! Merging of runs: four of about one size become one, so that their number grows with the logarithm of the log, and
//! each entry is written again only so often.

use std::sync::Arc;

use store::Disk;
use store::runs::{IndexRun, RunFact, cell_run_name, merge_cells, merge_index};

use crate::error::EngineError;

/// So many runs of about one size become one: each entry is written again with each size that it passes.
const RUNS_MAX: usize = 4;

/// The first of the newest runs that should become one; none where they should stay. A pin is crossed by none.
fn newest_group(runs: &[RunFact], pinned: &[u64]) -> Option<usize> {
    let mut first = runs.len().checked_sub(1)?;
    let size = size_class(&runs[first]);
    while let Some(before) = first.checked_sub(1) {
        if pinned.contains(&runs[first].from) || size_class(&runs[before]) > size {
            break;
        }
        first = before;
    }
    (runs.len() - first >= RUNS_MAX).then_some(first)
}

/// Entries by powers of four.
fn size_class(run: &RunFact) -> u32 {
    run.entries.max(1).ilog2() / 2
}

fn bounds(group: &[RunFact]) -> (u64, u64) {
    let from = group.iter().map(|run| run.from).min().unwrap_or(0);
    let to = group.iter().map(|run| run.to).max().unwrap_or(0);
    (from, to)
}

/// Merges the newest cell runs where they should be; adds the files to remove once the new checkpoint stands.
///
/// **Errors**: a run that cannot be read or written.
pub fn merge_cell_runs(
    disk: &dyn Disk,
    facts: &mut Vec<RunFact>,
    pinned: &[u64],
    dropped: &mut Vec<String>,
) -> Result<(), EngineError> {
    while let Some(first) = newest_group(facts, pinned) {
        let (from, to) = bounds(&facts[first..]);
        let merged = merge_cells(disk, &facts[first..], &cell_run_name(from, to), from, to)?;
        dropped.extend(facts.drain(first..).map(|run| run.name));
        facts.push(merged);
    }
    Ok(())
}

/// Merges the newest index runs where they should be; adds the files to remove once the new checkpoint stands.
///
/// **Errors**: a run that cannot be read or written.
pub fn merge_index_runs(
    disk: &dyn Disk,
    facts: &mut Vec<RunFact>,
    mut runs: Vec<Arc<IndexRun>>,
    dropped: &mut Vec<String>,
) -> Result<Vec<Arc<IndexRun>>, EngineError> {
    while let Some(first) = newest_group(facts, &[]) {
        let (from, to) = bounds(&facts[first..]);
        let merged = merge_index(disk, &runs[first..], from, to)?;
        dropped.extend(facts.drain(first..).map(|run| run.name));
        runs.truncate(first);
        runs.push(Arc::new(IndexRun::open(disk, &merged)?));
        facts.push(merged);
    }
    Ok(runs)
}
