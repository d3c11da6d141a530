//! One part of the filter: fingerprints of identities that begin with the same byte.

use store::runs::KeptIdentity;

/// Fingerprints in a bucket.
pub(super) const PLACES: usize = 32;
/// A part is made anew when its buckets would hold more than this on average.
const LOAD_MAX: usize = 26;
/// What its buckets hold on average when it has been made anew, in halves.
const LOAD_NEW_HALVES: usize = 33;
/// How many full buckets are looked through before the answer is "maybe".
const BUCKETS_MAX: usize = 8;

/// 32 fingerprints on one cache line; 0 is a free place, and free places come last.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([u16; PLACES]);

impl Bucket {
    const FREE: Self = Self([0; PLACES]);

    /// Whether one of the fingerprints is this one. Looks at all of them: that is one comparison of wide registers.
    fn holds(&self, fingerprint: u16) -> bool {
        self.0.iter().fold(0, |any, there| any | u16::from(*there == fingerprint)) != 0
    }

    fn is_full(&self) -> bool {
        self.0[PLACES - 1] != 0
    }

    fn taken(&self) -> usize {
        usize::from(self.0.iter().fold(0u16, |sum, there| sum + u16::from(*there != 0)))
    }
}

/// Fingerprints of 16 bits in buckets that follow the order of identities.
///
/// What a full bucket cannot take goes into the next one. An identity that was added is always answered by "maybe".
#[derive(Default)]
pub(super) struct Part {
    buckets: Vec<Bucket>,
    len: usize,
    /// The bucket that was added to last, and how many it holds: a look right after a write would have to wait for it.
    last: (usize, usize),
    /// All entries of the log below this position that belong here were added.
    pub covered_to: u64,
}

/// An identity as a part sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The bits after the first byte, moved to the top.
    place: u64,
    fingerprint: u16,
}

impl From<KeptIdentity> for Mark {
    fn from(identity: KeptIdentity) -> Self {
        let bits = identity.bits();
        // The lowest bits kept: they say nothing about the place.
        Self { place: (bits >> 56) as u64, fingerprint: ((bits >> 16) as u16).max(1) }
    }
}

impl Part {
    /// A part with room for a number of entries.
    pub fn with_room(entries: usize) -> Self {
        let buckets = (2 * entries).div_ceil(LOAD_NEW_HALVES).max(1);
        Self { buckets: vec![Bucket::FREE; buckets], ..Self::default() }
    }

    /// Whether so many entries may be added.
    pub fn has_room_for(&self, entries: usize) -> bool {
        self.len.saturating_add(entries) <= self.buckets.len() * LOAD_MAX
    }

    /// The bytes of memory that it holds.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    /// Monotone: what is added in the order of identities goes through memory in order.
    fn home(&self, mark: Mark) -> usize {
        ((u128::from(mark.place) * self.buckets.len() as u128) >> 64) as usize
    }

    /// Loads the memory that a look-up will need.
    pub fn touch(&self, mark: Mark) -> u64 {
        self.buckets.get(self.home(mark)).map_or(0, |bucket| u64::from(bucket.0[0]))
    }

    /// The buckets in which an identity may stand.
    fn reach(&self, mark: Mark) -> std::ops::Range<usize> {
        let home = self.home(mark);
        home..(home + BUCKETS_MAX).min(self.buckets.len())
    }

    /// Adds an entry; quickest in the order of identities.
    pub fn add(&mut self, mark: Mark) {
        self.len += 1;
        for number in self.reach(mark) {
            if self.last.0 != number {
                self.last = (number, self.buckets[number].taken());
            }
            if self.last.1 < PLACES {
                self.buckets[number].0[self.last.1] = mark.fingerprint;
                self.last.1 += 1;
                return;
            }
        }
        // All are full, and stay so: the answer is "maybe" without the fingerprint.
    }

    /// Whether an identity may have been added.
    pub fn maybe(&self, mark: Mark) -> bool {
        let reach = self.reach(mark);
        for bucket in &self.buckets[reach] {
            if bucket.holds(mark.fingerprint) {
                return true;
            }
            if !bucket.is_full() {
                return false;
            }
        }
        !self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(n: u64) -> Mark {
        let mixed = (u128::from(n) + 1).wrapping_mul(0xda94_2042_e4dd_58b5_9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 61)).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
        KeptIdentity::from_bits(mixed ^ (mixed >> 67)).into()
    }

    /// How many of 200,000 absent identities get a "maybe".
    fn false_maybes(part: &Part) -> usize {
        (1_000_000_000..1_000_200_000).filter(|n| part.maybe(mark(*n))).count()
    }

    #[test]
    fn what_was_added_is_maybe_there_and_little_else_is() {
        let mut part = Part::with_room(100_000);
        assert_eq!(part.memory_bytes() / 100_000, 3);
        (0..100_000).for_each(|n| part.add(mark(n)));
        assert!((0..100_000).all(|n| part.maybe(mark(n))));
        let at_first = false_maybes(&part);
        assert!((20..120).contains(&at_first), "{at_first} of 200000 at the lowest load");
        let mut count = 100_000;
        while part.has_room_for(1) {
            part.add(mark(count));
            count += 1;
        }
        assert_eq!(count, part.buckets.len() as u64 * 26);
        assert!((0..count).all(|n| part.maybe(mark(n))));
        let at_last = false_maybes(&part);
        assert!((40..200).contains(&at_last), "{at_last} of 200000 at the highest load");
    }

    #[test]
    fn full_buckets_say_maybe() {
        let mut part = Part::with_room(1_000);
        let close = |n: u128| Mark::from(KeptIdentity::from_bits((7 << 113) | (n << 16)));
        (0..1_000).for_each(|n| part.add(close(n)));
        assert!((0..100_000).all(|n| part.maybe(close(n))), "there is no room for so many that are so close");
        let far = (0..1_000).filter(|n| part.maybe(mark(*n))).count();
        assert!(far < 100, "{far} of 1000 elsewhere");
    }

    #[test]
    fn a_part_of_nothing_holds_nothing() {
        for part in [Part::default(), Part::with_room(0)] {
            assert!(!(0..1_000).any(|n| part.maybe(mark(n))));
        }
    }

    #[test]
    fn the_last_bucket_is_an_end() {
        let mut part = Part::with_room(20);
        let last = |n: u128| Mark::from(KeptIdentity::from_bits(u128::MAX - (n << 16)));
        (0..100).for_each(|n| part.add(last(n)));
        assert!((0..100).all(|n| part.maybe(last(n))));
    }
}
