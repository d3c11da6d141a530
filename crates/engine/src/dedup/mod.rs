//! The dedup index: every identity that the log holds, with the hash of its content.
//!
//! ```text
//! claimed since the last freeze ─▶ hot table          ┐
//! frozen, being written as a run ─▶ frozen table      ├─ in memory, 20 bytes a slot
//! in index runs ─▶ filter: "not there" or "maybe"     ┘  2.5 to 3.9 bytes an identity
//!                  maybe ─▶ one read of one page a run
//! ```
//!
//! An identity counts by its top 112 bits and a payload hash by its low 32, in memory as in runs, so that an answer
//! never depends on whether an entry was written already.
//!
//! Derived from the log. A run that the filter does not cover yet is probed for every identity: right but slow. The
//! filter is built by [`Filter::cover`] on another thread while batches go on.
//!
//! A zone map belongs in [`Dedup::look_up`], before the filter: for ids that ascend (sequences, UUIDv7), the range of
//! ids that each run holds of a source would answer "not there" without a look at any memory. It is not built: the
//! filter costs little more.

mod filter;
mod hot;
mod part;

use std::hint::black_box;
use std::sync::Arc;

use metering::{Identity, PayloadHash, Probe, probe};
use store::StoreError;
use store::runs::{IndexRun, KeptIdentity, KeptPayload, PageBuffer};

pub use filter::Filter;
pub use hot::HotTable;

/// How many identities are looked up together, so that their cache misses overlap.
const TOGETHER: usize = 32;

/// All identities of the log.
#[derive(Default)]
pub struct Dedup {
    hot: HotTable,
    frozen: Option<Arc<HotTable>>,
    filter: Arc<Filter>,
    runs: Vec<Arc<IndexRun>>,
    /// The order in which runs are probed, the one that answered most lately first.
    order: Vec<usize>,
    /// The batch that was looked up last.
    batch: Vec<KeptIdentity>,
    /// What was found, by place in the batch.
    found: Vec<Option<KeptPayload>>,
    doubtful: Vec<Doubtful>,
    buffer: PageBuffer,
}

/// An identity of a batch that runs must be asked for.
#[derive(Clone, Copy)]
struct Doubtful {
    identity: KeptIdentity,
    place: usize,
    /// The filter says that it may be in a run below this position.
    covered_to: u64,
    maybe: bool,
}

/// Compares what the index found with a record's own payload hash, by the bits that the index keeps.
pub fn compare(found: Option<KeptPayload>, own: PayloadHash) -> Probe {
    let kept = |payload: KeptPayload| PayloadHash(u64::from(payload.0));
    probe(found.map(kept), kept(own.into()))
}

impl Dedup {
    /// The index over runs in log order. Reads nothing: until [`Filter::cover`] has been through, every run is probed.
    pub fn open(runs: Vec<Arc<IndexRun>>) -> Self {
        let mut dedup = Self::default();
        dedup.replace_runs(runs);
        dedup
    }

    /// Finds what the frozen table and the runs know of a batch; [`Dedup::known`] then answers.
    ///
    /// **Errors**: a run that cannot be read, or is not what was written.
    pub fn look_up(&mut self, identities: &[Identity]) -> Result<(), StoreError> {
        self.batch.clear();
        self.batch.extend(identities.iter().copied().map(KeptIdentity::from));
        self.found.clear();
        self.found.resize(identities.len(), None);
        self.doubtful.clear();
        if self.runs.is_empty() && self.frozen.is_none() {
            return Ok(());
        }
        let view = self.filter.view();
        let written_to = self.runs.last().map_or(0, |run| run.fact().to);
        let frozen = self.frozen.as_deref();
        let mut place = 0;
        for block in self.batch.chunks(TOGETHER) {
            // Loads that do not wait for each other, before those that decide.
            let touch = |warm, identity: &KeptIdentity| {
                warm ^ view.touch(*identity) ^ frozen.map_or(0, |frozen| frozen.touch(*identity))
            };
            black_box(block.iter().fold(0, touch));
            for identity in block {
                let (covered_to, maybe) = view.ask(*identity);
                if let Some(payload) = frozen.and_then(|frozen| frozen.get(*identity)) {
                    self.found[place] = Some(payload);
                } else if maybe || covered_to < written_to {
                    self.doubtful.push(Doubtful { identity: *identity, place, covered_to, maybe });
                }
                place += 1;
            }
        }
        drop(view);
        self.ask_runs()
    }

    /// Probes the runs for all identities that are in doubt, in the order of identities, so that a page that holds
    /// several is read once.
    fn ask_runs(&mut self) -> Result<(), StoreError> {
        self.doubtful.sort_unstable_by_key(|doubtful| doubtful.identity);
        let mut best = (0, None);
        for (rank, number) in self.order.iter().enumerate() {
            if self.doubtful.is_empty() {
                break;
            }
            let run = &self.runs[*number];
            let (found, buffer, mut failed) = (&mut self.found, &mut self.buffer, Ok(()));
            let before = self.doubtful.len();
            self.doubtful.retain(|doubtful| {
                if failed.is_err() || (!doubtful.maybe && run.fact().to <= doubtful.covered_to) {
                    return true;
                }
                match run.probe_with(doubtful.identity, buffer) {
                    Ok(None) => true,
                    Ok(payload) => {
                        found[doubtful.place] = payload;
                        false
                    }
                    Err(error) => {
                        failed = Err(error);
                        true
                    }
                }
            });
            failed?;
            let hits = before - self.doubtful.len();
            if hits > best.0 {
                best = (hits, Some(rank));
            }
        }
        if let (_, Some(rank)) = best {
            self.order[..=rank].rotate_right(1);
        }
        Ok(())
    }

    /// What is known of the identity at a place of the batch that was looked up: the claims so far, those of the batch
    /// itself included, or what [`Dedup::look_up`] found. Quickest when places are asked for in order.
    ///
    /// **Panics** past the end of that batch.
    pub fn known(&mut self, place: usize) -> Option<KeptPayload> {
        self.warm(place);
        self.found[place].or_else(|| self.hot.get(self.batch[place]))
    }

    /// As [`Dedup::known`]; where nothing is known, the identity is claimed.
    pub fn claim_new(&mut self, place: usize, payload: PayloadHash) -> Option<KeptPayload> {
        self.warm(place);
        self.found[place].or_else(|| self.hot.get_or_insert(self.batch[place], payload.into()))
    }

    /// Loads the memory of the places to come, before it is waited for.
    fn warm(&self, place: usize) {
        if place.is_multiple_of(TOGETHER) {
            let next = self.batch[place..].iter().take(TOGETHER);
            black_box(next.fold(0, |warm, identity| warm ^ self.hot.touch(*identity)));
        }
    }

    /// Learns of an accepted record.
    pub fn claim(&mut self, identity: Identity, payload: PayloadHash) {
        self.hot.get_or_insert(identity.into(), payload.into());
    }

    /// The bytes of memory of the frozen claims.
    pub fn frozen_bytes(&self) -> usize {
        self.frozen.as_ref().map_or(0, |frozen| frozen.memory_bytes())
    }

    /// How many identities were claimed since the last freeze.
    #[cfg(test)]
    pub fn claimed(&self) -> usize {
        self.hot.len()
    }

    /// The runs, in log order.
    pub fn runs(&self) -> &[Arc<IndexRun>] {
        &self.runs
    }

    /// The bytes of memory of the claims since the last freeze.
    pub fn hot_bytes(&self) -> usize {
        self.hot.memory_bytes()
    }

    /// The bytes of memory that it holds.
    #[cfg(test)]
    pub fn memory_bytes(&self) -> usize {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.memory_bytes());
        let runs: usize = self.runs.iter().map(|run| run.memory_bytes()).sum();
        let batch = self.batch.capacity() * size_of::<KeptIdentity>()
            + self.found.capacity() * size_of::<Option<KeptPayload>>()
            + self.doubtful.capacity() * size_of::<Doubtful>();
        self.hot.memory_bytes() + frozen + runs + self.filter.memory_bytes() + batch
    }

    /// Freezes the claims, to be written as a run; a new table takes those that come. Everything claimed must be
    /// durable in the log. None while a frozen table is there.
    pub fn freeze(&mut self) -> Option<Arc<HotTable>> {
        if self.frozen.is_some() {
            return None;
        }
        let next = HotTable::default();
        let frozen = Arc::new(std::mem::replace(&mut self.hot, next));
        self.frozen = Some(Arc::clone(&frozen));
        Some(frozen)
    }

    /// Takes a list of runs, in log order, that holds all entries of the frozen table, which is dropped.
    pub fn publish(&mut self, runs: Vec<Arc<IndexRun>>) {
        self.frozen = None;
        self.replace_runs(runs);
    }

    /// Takes a list of runs, in log order, that holds what the one before held.
    pub fn replace_runs(&mut self, runs: Vec<Arc<IndexRun>>) {
        self.order = (0..runs.len()).collect();
        // The largest first: it is the likeliest to hold what is looked for.
        self.order.sort_by_key(|number| std::cmp::Reverse(runs[*number].fact().entries));
        self.runs = runs;
    }

    /// The filter, which other threads may extend.
    pub fn filter(&self) -> Arc<Filter> {
        Arc::clone(&self.filter)
    }
}

#[cfg(test)]
mod tests;
