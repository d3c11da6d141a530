//! Merges index runs as streams, in memory that does not depend on their size.

use std::sync::Arc;

use super::super::manifest::RunFact;
use super::IndexEntry;
use super::entries::IndexEntries;
use super::run::IndexRun;
use super::writer::IndexWriter;
use crate::disk::Disk;
use crate::error::StoreError;

/// Above every identity: the low bits of those are zero.
const ENDED: u128 = u128::MAX;

/// Writes the entries of all runs, which stand in log order, as one run over [from, to).
///
/// An identity that stands in several keeps what the first of them says.
///
/// **Errors**: those of the file layer; a run that is not what was written.
pub fn merge_index(
    disk: &dyn Disk,
    runs: &[Arc<IndexRun>],
    from: u64,
    to: u64,
) -> Result<RunFact, StoreError> {
    let mut sources: Vec<IndexEntries<'_>> = runs.iter().map(|run| run.entries()).collect();
    // The next identity of each source, apart from the rest of it: all of them are compared for every entry.
    let mut next = Vec::with_capacity(sources.len());
    for source in &mut sources {
        next.push(bits(source.peek()?));
    }
    let mut writer = IndexWriter::create(disk, from, to)?;
    let mut last = ENDED;
    while let Some((least, identity)) = least(&next) {
        let source = &mut sources[least];
        if let Some(entry) = source.peek()?
            && identity != last
        {
            writer.put(entry)?;
            last = identity;
        }
        next[least] = match source.advance() {
            Some(entry) => bits(Some(entry)),
            None => bits(source.peek()?),
        };
    }
    writer.finish()
}

fn bits(entry: Option<IndexEntry>) -> u128 {
    entry.map_or(ENDED, |entry| entry.identity.bits())
}

/// The first of the sources with the least identity; none where all have ended.
fn least(next: &[u128]) -> Option<(usize, u128)> {
    let mut least = (0, ENDED);
    for (place, identity) in next.iter().enumerate() {
        if *identity < least.1 {
            least = (place, *identity);
        }
    }
    (least.1 != ENDED).then_some(least)
}
