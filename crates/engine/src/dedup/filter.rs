//! What runs may hold: fingerprints of all their entries, in 256 parts by the first byte of an identity.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use store::StoreError;
use store::runs::{IndexRun, KeptIdentity};

use super::part::{Mark, Part};

const PARTS: usize = 256;

/// A filter that grows part by part, so that two whole ones are never in memory, while others look things up.
pub struct Filter {
    parts: Vec<RwLock<Part>>,
    /// Held while runs are added: two threads would each add what the other has not.
    covering: Mutex<()>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { parts: (0..PARTS).map(|_| RwLock::default()).collect(), covering: Mutex::new(()) }
    }
}

fn number_of(identity: KeptIdentity) -> usize {
    (identity.top() >> 56) as usize
}

fn tops_of(part: usize) -> RangeInclusive<u64> {
    let first = (part as u64) << 56;
    first..=first | (u64::MAX >> 8)
}

/// The filter as it stands during a batch; parts that were asked for do not change until it is dropped.
pub(super) struct View<'a> {
    parts: Vec<RwLockReadGuard<'a, Part>>,
}

impl View<'_> {
    /// Loads the memory that a look-up will need.
    pub fn touch(&self, identity: KeptIdentity) -> u64 {
        self.parts[number_of(identity)].touch(identity.into())
    }

    /// Up to where the log is covered, and whether a run below that position may hold the identity.
    pub fn ask(&self, identity: KeptIdentity) -> (u64, bool) {
        let part = &self.parts[number_of(identity)];
        (part.covered_to, part.maybe(identity.into()))
    }
}

impl Filter {
    /// The filter as it stands now.
    pub(super) fn view(&self) -> View<'_> {
        View { parts: self.parts.iter().map(read).collect() }
    }

    /// The bytes of memory that it holds.
    pub fn memory_bytes(&self) -> usize {
        self.parts.iter().map(|part| read(part).memory_bytes()).sum()
    }

    /// The position below which all entries of runs are in it.
    #[cfg(test)]
    pub fn covered_to(&self) -> u64 {
        self.parts.iter().map(|part| read(part).covered_to).min().unwrap_or(0)
    }

    /// Adds the entries of runs that it does not hold yet. The runs stand in log order and leave nothing out from the
    /// first one on. Goes part by part; what it has done stays done when it fails. A second
    /// call waits for the first.
    ///
    /// **Errors**: a run that cannot be read, or is not what was written.
    pub fn cover(&self, runs: &[Arc<IndexRun>]) -> Result<(), StoreError> {
        let _alone = self.covering.lock().unwrap_or_else(PoisonError::into_inner);
        (0..PARTS).try_for_each(|part| self.cover_part(part, runs))
    }

    fn cover_part(&self, number: usize, runs: &[Arc<IndexRun>]) -> Result<(), StoreError> {
        let Some(to) = runs.last().map(|run| run.fact().to) else { return Ok(()) };
        let part = &self.parts[number];
        let tops = tops_of(number);
        let (covered_to, has_room) = {
            let part = read(part);
            let missing = runs.iter().filter(|run| run.fact().to > part.covered_to);
            let entries: u64 = missing.map(|run| run.range_about(&tops)).sum();
            (part.covered_to, part.has_room_for(usize::try_from(entries).unwrap_or(usize::MAX)))
        };
        if covered_to >= to {
            return Ok(());
        }
        // A run that is covered in part cannot be added without adding some of it twice.
        let straddles = |run: &Arc<IndexRun>| run.fact().from < covered_to && run.fact().to > covered_to;
        if has_room && !runs.iter().any(straddles) {
            let mut marks = Vec::new();
            for run in runs.iter().filter(|run| run.fact().from >= covered_to) {
                read_marks(run, &tops, &mut |mark| marks.push(mark))?;
            }
            let mut part = part.write().unwrap_or_else(PoisonError::into_inner);
            marks.into_iter().for_each(|mark| part.add(mark));
            part.covered_to = to;
        } else {
            let entries: u64 = runs.iter().map(|run| run.range_about(&tops)).sum();
            let mut new = Part::with_room(usize::try_from(entries).unwrap_or(usize::MAX));
            for run in runs {
                read_marks(run, &tops, &mut |mark| new.add(mark))?;
            }
            new.covered_to = to;
            *part.write().unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }
}

fn read(part: &RwLock<Part>) -> RwLockReadGuard<'_, Part> {
    part.read().unwrap_or_else(PoisonError::into_inner)
}

fn read_marks(
    run: &IndexRun,
    tops: &RangeInclusive<u64>,
    take: &mut dyn FnMut(Mark),
) -> Result<(), StoreError> {
    let mut entries = run.range(tops.clone());
    while let Some(page) = entries.next_page()? {
        page.iter().for_each(|entry| take(entry.identity.into()));
    }
    Ok(())
}
