//! Cells in fixed-size entries: 48 bytes, and about 11 more for the ways that lead to one.

use metering::Digest;

use super::numbered::{Slots, mix};

/// Entries are kept in pieces of this many, so that growing moves none.
const CHUNK_BITS: u32 = 14;
const CHUNK: usize = 1 << CHUNK_BITS;
/// How many updates go through the passes together: their places stay in the nearest cache.
const PASS: usize = 128;
const NONE: u32 = u32::MAX;

/// What is added to one cell. Also a cell as the slab holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellUpdate {
    /// The number of the account's text.
    pub account: u32,
    /// The number of the series: meter, type, source, dimensions.
    pub series: u32,
    /// When the cell starts, in cell widths since 1970.
    pub start: i32,
    /// How many events.
    pub records: u32,
    /// Units of 10^-12.
    pub units: i128,
    /// The digest of the events.
    pub digest: Digest,
}

impl CellUpdate {
    fn hash(&self, seed: u64) -> u64 {
        let ids = u64::from(self.account) << 32 | u64::from(self.series);
        mix(mix(seed, ids), u64::from(self.start as u32))
    }

    fn is_same_cell(&self, other: &Self) -> bool {
        (self.account, self.series, self.start) == (other.account, other.series, other.start)
    }

    /// Whether the sum of both can be held.
    fn add(&mut self, other: &Self) -> bool {
        let (Some(records), Some(units)) =
            (self.records.checked_add(other.records), self.units.checked_add(other.units))
        else {
            return false;
        };
        self.records = records;
        self.units = units;
        self.digest = self.digest.add(other.digest);
        true
    }
}

struct Chunk {
    entries: Vec<CellUpdate>,
    /// For each entry the account's one before it, or [`NONE`].
    before: Vec<u32>,
}

/// Cells by (account, series, start).
pub(super) struct Slab {
    chunks: Vec<Chunk>,
    held: usize,
    slots: Slots,
    /// For each account its latest entry, or [`NONE`].
    latest: Vec<u32>,
    seed: u64,
}

impl Slab {
    pub(super) fn new(seed: u64) -> Self {
        Self { chunks: Vec::new(), held: 0, slots: Slots::new(), latest: Vec::new(), seed }
    }

    pub(super) fn len(&self) -> usize {
        self.held
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let slots = self.slots.memory_bytes();
        let entries = self.held * (size_of::<CellUpdate>() + size_of::<u32>());
        entries + slots + self.latest.len() * size_of::<u32>()
    }

    pub(super) fn get(&self, number: u32) -> &CellUpdate {
        &self.chunks[(number >> CHUNK_BITS) as usize].entries[number as usize % CHUNK]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &CellUpdate> {
        self.chunks.iter().flat_map(|chunk| &chunk.entries)
    }

    /// The cells of an account, the latest first.
    pub(super) fn of_account(&self, account: u32) -> impl Iterator<Item = &CellUpdate> {
        let mut next = self.latest.get(account as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            if next == NONE {
                return None;
            }
            let chunk = &self.chunks[(next >> CHUNK_BITS) as usize];
            let at = next as usize % CHUNK;
            next = chunk.before[at];
            Some(&chunk.entries[at])
        })
    }

    /// The cell of the same account, series and start.
    pub(super) fn find(&self, like: &CellUpdate) -> Option<&CellUpdate> {
        let hash = like.hash(self.seed);
        self.slots.find(hash, |number| self.get(number).is_same_cell(like)).ok().map(|found| self.get(found))
    }

    /// Adds updates; what a cell cannot hold is handed back.
    ///
    /// In three passes over a few at a time, so that the memory of many is on its way at once: the slots, the
    /// entries that they lead to, and then the sums.
    pub(super) fn add(&mut self, updates: &[CellUpdate], refused: &mut dyn FnMut(&CellUpdate)) {
        let (mut hashes, mut slots, mut found) = ([0; PASS], [0; PASS], [NONE; PASS]);
        for updates in updates.chunks(PASS) {
            self.reserve(updates.len());
            for (hash, update) in hashes.iter_mut().zip(updates) {
                *hash = update.hash(self.seed);
            }
            let mut touched = 0;
            for ((slot, hash), update) in slots.iter_mut().zip(&hashes).zip(updates) {
                *slot = self.slots.first(*hash);
                touched ^= self.latest.get(update.account as usize).copied().unwrap_or(0);
            }
            for (at, update) in updates.iter().enumerate() {
                found[at] = NONE;
                if let Some(number) = self.slots.fits(slots[at], hashes[at]) {
                    let entry = self.get(number);
                    // Key and sums may lie in different lines of the cache.
                    touched ^= entry.units as u32;
                    if entry.is_same_cell(update) {
                        found[at] = number;
                    }
                }
            }
            std::hint::black_box(touched);
            for (at, update) in updates.iter().enumerate() {
                let number = if found[at] == NONE { self.place(update, hashes[at]) } else { Some(found[at]) };
                if let Some(number) = number
                    && !self.entry(number).add(update)
                {
                    refused(update);
                }
            }
        }
    }

    /// The number of an update's cell; none where the update has just become one.
    fn place(&mut self, update: &CellUpdate, hash: u64) -> Option<u32> {
        let free = match self.slots.find(hash, |number| self.get(number).is_same_cell(update)) {
            Ok(number) => return Some(number),
            Err(free) => free,
        };
        // Room was made before: no hash is asked for.
        let number = self.slots.put(free, hash, |_| unreachable!("there is room"));
        let chunk = self.held / CHUNK;
        if chunk == self.chunks.len() {
            // Most tables are small: only what follows the first chunk is made in whole.
            let size = if chunk == 0 { 0 } else { CHUNK };
            self.chunks.push(Chunk { entries: Vec::with_capacity(size), before: Vec::with_capacity(size) });
        }
        let account = update.account as usize;
        if account >= self.latest.len() {
            self.latest.resize(account + 1, NONE);
        }
        let before = std::mem::replace(&mut self.latest[account], number);
        let chunk = &mut self.chunks[chunk];
        chunk.entries.push(*update);
        chunk.before.push(before);
        self.held += 1;
        None
    }

    fn entry(&mut self, number: u32) -> &mut CellUpdate {
        &mut self.chunks[(number >> CHUNK_BITS) as usize].entries[number as usize % CHUNK]
    }

    fn reserve(&mut self, more: usize) {
        let Self { chunks, slots, seed, .. } = self;
        // One more than comes, for the room that putting the last one leaves behind.
        slots.reserve(more + 1, |number| {
            chunks[(number >> CHUNK_BITS) as usize].entries[number as usize % CHUNK].hash(*seed)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn update(n: u32) -> CellUpdate {
        CellUpdate {
            account: n % 37,
            series: n % 5,
            start: (n % 1_000) as i32 - 500,
            records: 1,
            units: i128::from(n),
            digest: Digest(u128::from(n)),
        }
    }

    #[test]
    fn sums_are_those_of_a_map() {
        let updates: Vec<CellUpdate> =
            (0..100_000).map(|n: u32| update(n.wrapping_mul(2_654_435_761) >> 8)).collect();
        let mut expected: BTreeMap<(u32, u32, i32), CellUpdate> = BTreeMap::new();
        for update in &updates {
            let key = (update.account, update.series, update.start);
            expected.entry(key).and_modify(|held| assert!(held.add(update))).or_insert(*update);
        }
        let mut slab = Slab::new(7);
        updates.chunks(333).for_each(|some| slab.add(some, &mut |_| unreachable!("it fits")));
        assert_eq!(slab.len(), expected.len());
        let back: BTreeMap<_, _> =
            slab.iter().map(|cell| ((cell.account, cell.series, cell.start), *cell)).collect();
        assert_eq!(back, expected);
        assert!(expected.values().all(|cell| slab.find(cell) == Some(cell)));
        let of: BTreeMap<_, _> =
            slab.of_account(3).map(|cell| ((cell.account, cell.series, cell.start), *cell)).collect();
        assert!(of.iter().eq(expected.iter().filter(|(key, _)| key.0 == 3)));
        assert_eq!(slab.of_account(99).count(), 0);
    }

    #[test]
    fn what_does_not_fit_is_handed_back() {
        let mut slab = Slab::new(7);
        let mut refused = Vec::new();
        let most = CellUpdate { units: i128::MAX, ..update(1) };
        let many = CellUpdate { records: u32::MAX, units: 0, ..update(2) };
        slab.add(&[most, update(1), many, update(2), update(3)], &mut |update| refused.push(*update));
        assert_eq!(refused, [update(1), update(2)]);
        assert_eq!(slab.find(&most), Some(&most));
        assert_eq!(slab.find(&many), Some(&many));
    }
}
