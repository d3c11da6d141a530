//! Whatever was claimed is found again, at any age and through freezes, flushes and merges, and nothing else is.

mod covering;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use store::Disk;
use store::disk::RealDisk;
use store::runs::{IndexEntry, merge_index, write_index};

use super::*;

fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn identity(n: u64) -> Identity {
    Identity(u128::from(mixed(2 * n)) << 64 | u128::from(mixed(2 * n + 1)))
}

fn kept(bits: u128) -> KeptIdentity {
    KeptIdentity::from_bits(bits)
}

/// An index with the runs that it should have, and what a program does around it.
struct World {
    folder: tempfile::TempDir,
    disk: RealDisk,
    dedup: Dedup,
    runs: Vec<Arc<IndexRun>>,
    frozen: Option<(Arc<HotTable>, u64)>,
    position: u64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = RealDisk::create(folder.path()).expect("a disk");
        let dedup = Dedup::open(Vec::new());
        Self { folder, disk, dedup, runs: Vec::new(), frozen: None, position: 0 }
    }

    fn freeze(&mut self) {
        match self.dedup.freeze() {
            Some(table) => self.frozen = Some((table, self.position)),
            None => assert!(self.frozen.is_some(), "only one is frozen at a time"),
        }
    }

    /// Writes the frozen table as a run; covers it before it is published or leaves that for later.
    fn flush(&mut self, cover: bool) {
        let Some((table, to)) = self.frozen.take() else { return };
        let from = self.runs.last().map_or(0, |run| run.fact().to);
        if to > from {
            let fact = write_index(&self.disk, from, to, table.sorted()).expect("a run");
            assert_eq!(fact.entries, table.len() as u64);
            self.runs.push(Arc::new(IndexRun::open(&self.disk, &fact).expect("a run")));
        }
        drop(table);
        if cover {
            self.cover();
        }
        self.dedup.publish(self.runs.clone());
    }

    fn cover(&self) {
        self.dedup.filter().cover(&self.runs).expect("covered");
    }

    /// Merges neighbouring runs.
    fn merge(&mut self, range: std::ops::Range<usize>) {
        let group = &self.runs[range.clone()];
        let (from, to) = (group[0].fact().from, group[group.len() - 1].fact().to);
        let fact = merge_index(&self.disk, group, from, to).expect("merged");
        let merged = Arc::new(IndexRun::open(&self.disk, &fact).expect("a run"));
        for run in self.runs.splice(range, [merged]).filter(|run| run.fact().name != fact.name) {
            self.disk.remove(&run.fact().name).expect("removed");
        }
        self.dedup.replace_runs(self.runs.clone());
    }

    fn known(&mut self, identities: &[Identity]) -> Vec<Option<KeptPayload>> {
        self.dedup.look_up(identities).expect("looked up");
        (0..identities.len()).map(|place| self.dedup.known(place)).collect()
    }

    fn claim(&mut self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            self.dedup.claim(identity(n), PayloadHash(n));
            self.position += 1;
        }
    }
}

#[test]
fn duplicates_of_any_age_are_found_and_nothing_else() {
    let mut world = World::new();
    let mut end = 0;
    for count in [200_000, 200_000, 200_000, 50_000, 1, 0, 150_000, 199_999] {
        let batch: Vec<Identity> = (end..end + count).map(identity).collect();
        assert!(world.known(&batch).iter().all(Option::is_none), "fresh ones are new");
        world.claim(end..end + count);
        end += count;
        world.freeze();
        // All of them when there is most to be found.
        let step = if world.runs.len() == 3 { 1 } else { 11 };
        let all: Vec<Identity> = (0..end).step_by(step).map(identity).collect();
        let expected: Vec<Option<KeptPayload>> =
            (0..end).step_by(step).map(|n| Some(KeptPayload(n as u32))).collect();
        assert!(world.known(&all) == expected, "with a frozen table");
        world.flush(count != 50_000);
        assert!(world.known(&all) == expected, "after a flush");
        if world.runs.len() == 4 {
            world.merge(1..4);
            assert!(world.known(&all) == expected, "after a merge");
        }
        let fresh: Vec<Identity> = (end..end + 10_000).map(identity).collect();
        assert!(world.known(&fresh).iter().all(Option::is_none), "fresh ones are new");
    }
    assert_eq!(end, 1_000_000);
    world.cover();
    assert_eq!(world.dedup.filter().covered_to(), end);
    let fresh: Vec<Identity> = (end..2 * end).map(identity).collect();
    assert!(world.known(&fresh).iter().all(Option::is_none), "a million fresh ones are new");
    // Opened again, covered and not.
    for covered in [false, true] {
        let mut again = Dedup::open(world.runs.clone());
        if covered {
            again.filter().cover(&world.runs).expect("covered");
        }
        let some: Vec<Identity> = (0..2 * end).step_by(97).map(identity).collect();
        again.look_up(&some).expect("looked up");
        for (place, n) in (0..some.len()).zip((0u64..).step_by(97)) {
            assert_eq!(again.known(place).is_some(), n < end, "{n}");
        }
    }
}

#[test]
fn memory_and_disk_stay_small() {
    let mut world = World::new();
    for _ in 0..10 {
        let end = world.position;
        world.claim(end..end + 100_000);
        world.freeze();
        world.flush(true);
    }
    world.merge(0..10);
    let filter = world.dedup.filter().memory_bytes();
    assert!((2_200_000..4_000_000).contains(&filter), "{filter} bytes for a million identities");
    let tables = world.dedup.memory_bytes() - filter;
    assert!(tables < 12_000_000, "{tables} bytes for two tables of a hundred thousand");
    let run = world.runs[0].memory_bytes();
    assert!(run < 50_000, "{run} bytes for the first keys");
    let disk = world.runs[0].fact().length;
    assert!((16_000_000..17_500_000).contains(&disk), "{disk} bytes on disk");
}

#[test]
fn identities_count_by_112_bits_and_payloads_by_32() {
    let mut world = World::new();
    world.dedup.claim(Identity(1 << 16), PayloadHash(5));
    world.position = 1;
    for stage in 0..3 {
        let asked = [Identity(1 << 16), Identity(1 << 16 | 0xffff), Identity(2 << 16), Identity(0)];
        let found = world.known(&asked);
        assert_eq!(found, [Some(KeptPayload(5)), Some(KeptPayload(5)), None, None], "stage {stage}");
        assert_eq!(compare(found[0], PayloadHash(5)), Probe::Duplicate);
        assert_eq!(compare(found[0], PayloadHash(7 << 32 | 5)), Probe::Duplicate);
        assert_eq!(compare(found[0], PayloadHash(6)), Probe::Conflict);
        assert_eq!(compare(found[2], PayloadHash(5)), Probe::New);
        if stage == 0 {
            world.freeze();
        } else {
            world.flush(true);
        }
    }
}

#[test]
fn a_batch_knows_its_own_claims() {
    let mut world = World::new();
    let twice = [identity(1), identity(1)];
    world.dedup.look_up(&twice).expect("looked up");
    assert_eq!(world.dedup.known(0), None);
    assert_eq!(world.dedup.claim_new(0, PayloadHash(9)), None);
    assert_eq!(world.dedup.known(1), Some(KeptPayload(9)));
    // The first claim stands.
    assert_eq!(world.dedup.claim_new(1, PayloadHash(10)), Some(KeptPayload(9)));
    assert_eq!(world.dedup.known(1), Some(KeptPayload(9)));
    assert_eq!(world.dedup.claimed(), 1);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn what_was_not_looked_up_is_not_new() {
    let mut world = World::new();
    world.dedup.look_up(&[identity(1)]).expect("looked up");
    world.dedup.known(1);
}

#[test]
fn one_table_is_frozen_at_a_time() {
    let mut world = World::new();
    world.claim(0..10);
    assert_eq!(world.dedup.freeze().expect("frozen").len(), 10);
    world.claim(10..15);
    assert!(world.dedup.freeze().is_none());
    assert_eq!(world.dedup.claimed(), 5);
}

#[test]
fn what_claims_need_follows_their_number() {
    let mut world = World::new();
    let empty = world.dedup.hot_bytes();
    let mut last = empty;
    for count in [0, 3_072, 1, 3_072, 10_000] {
        world.claim(world.position..world.position + count);
        last = world.dedup.hot_bytes();
    }
    assert!(last > 4 * empty);
    world.freeze();
    assert_eq!(world.dedup.hot_bytes(), empty, "nothing was claimed since");
    world.flush(true);
    assert_eq!(world.dedup.hot_bytes(), empty);
    // The table that was frozen is used again.
    world.claim(20_000..20_010);
    world.freeze();
    world.claim(20_010..20_020);
    assert_eq!(
        world
            .known(&[identity(3), identity(20_005), identity(20_015), identity(7_000_000)])
            .iter()
            .flatten()
            .count(),
        3
    );
    assert_eq!(world.dedup.claimed(), 10);
}

#[test]
fn a_page_that_rotted_is_told() {
    let mut world = World::new();
    world.claim(0..50_000);
    world.freeze();
    world.flush(true);
    let path = world.folder.path().join(&world.runs[0].fact().name);
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[8 * 512 * 40 + 3 * 512] ^= 1;
    std::fs::write(&path, &bytes).expect("a file");
    let all: Vec<Identity> = (0..50_000).map(identity).collect();
    let error = world.dedup.look_up(&all).expect_err("a flipped bit");
    let sector = 8 * 40 + 3;
    assert!(error.message.ends_with(&format!("at sector {sector}")), "{error}");
    let filter = Filter::default();
    assert!(filter.cover(&world.runs).is_err());
    assert_eq!(filter.covered_to(), 0, "what could not be read is not covered");
}

#[test]
fn look_ups_go_on_while_the_filter_grows() {
    let mut world = World::new();
    for _ in 0..4 {
        let end = world.position;
        world.claim(end..end + 30_000);
        world.freeze();
        world.flush(false);
    }
    let (runs, filter, done) = (world.runs.clone(), world.dedup.filter(), AtomicBool::new(false));
    let asked: Vec<Identity> = (0..240_000).step_by(61).map(identity).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..=4).for_each(|count| filter.cover(&runs[..count]).expect("covered"));
            done.store(true, Ordering::Release);
        });
        let mut after = false;
        while !after {
            after = done.load(Ordering::Acquire);
            for (place, found) in world.known(&asked).iter().enumerate() {
                assert_eq!(found.is_some(), place * 61 < 120_000, "{place}");
            }
        }
    });
    assert_eq!(filter.covered_to(), 120_000);
}

/// Random programs against a map. Identities are few, many of them close together or at the ends, so that
/// they meet in groups, buckets and pages; some differ below the kept bits only.
#[test]
fn random_programs_agree_with_a_map() {
    let mut met = BTreeSet::new();
    for seed in 0..40u64 {
        let mut world = World::new();
        let mut model: BTreeMap<KeptIdentity, KeptPayload> = BTreeMap::new();
        let mut state = seed;
        let mut chance = |below: u64| {
            state += 1;
            mixed(seed << 32 | state) % below
        };
        for _ in 0..120 {
            match chance(12) {
                0..=5 => {
                    let shape = chance(4);
                    let batch: Vec<Identity> = (0..chance(700))
                        .map(|_| match shape {
                            0 => identity(chance(5_000)),
                            1 => Identity(u128::from(chance(3_000)) << 15),
                            2 => Identity(u128::MAX - (u128::from(chance(3_000)) << 15)),
                            _ => Identity(u128::from(chance(256)) << 120 | u128::from(chance(4)) << 64),
                        })
                        .collect();
                    world.dedup.look_up(&batch).expect("looked up");
                    for (place, identity) in batch.iter().enumerate() {
                        // What is rejected claims nothing; what is plainly right is claimed at once.
                        let (payload, at_once) = (PayloadHash(chance(u64::MAX)), chance(2) == 0);
                        let found = match at_once {
                            true => world.dedup.claim_new(place, payload),
                            false => world.dedup.known(place),
                        };
                        assert_eq!(found, model.get(&(*identity).into()).copied(), "seed {seed}, {identity}");
                        if found.is_none() && (at_once || chance(4) > 0) {
                            if !at_once {
                                world.dedup.claim(*identity, payload);
                            }
                            model.insert((*identity).into(), payload.into());
                        }
                        met.insert(if found.is_some() { "known" } else { "new" });
                    }
                    world.position += batch.len() as u64;
                }
                6 => world.freeze(),
                7 | 8 => world.flush(chance(2) == 0),
                9 if world.runs.len() > 1 => {
                    let from = chance(world.runs.len() as u64 - 1) as usize;
                    let to = from + 2 + chance((world.runs.len() - from) as u64 - 1) as usize;
                    world.merge(from..to);
                    met.insert("merged");
                }
                10 => world.cover(),
                11 if world.frozen.is_none() && chance(4) == 0 => {
                    world.freeze();
                    world.flush(false);
                    world.dedup = Dedup::open(world.runs.clone());
                    met.insert("opened again");
                }
                _ => {}
            }
        }
        let held = world.dedup.claimed()
            + world.frozen.as_ref().map_or(0, |(table, _)| table.len())
            + world.runs.iter().map(|run| run.fact().entries as usize).sum::<usize>();
        assert_eq!(held, model.len(), "every entry stands once");
    }
    assert_eq!(met.into_iter().collect::<Vec<_>>(), ["known", "merged", "new", "opened again"]);
}

#[test]
fn a_hot_table_gives_its_entries_in_order() {
    let random = |n: u64| identity(n).0;
    // All at one home, at the last one, and around the end.
    let shapes: [&dyn Fn(u64) -> u128; 4] =
        [&random, &|n| u128::from(mixed(n)) << 16, &|n| u128::MAX - (u128::from(n) << 16), &|n| {
            u128::MAX - (u128::from(n % 3) << 110) - (u128::from(mixed(n)) << 16)
        }];
    for (shape, bits) in shapes.into_iter().enumerate() {
        let mut table = HotTable::default();
        let mut model = BTreeMap::new();
        for n in 0..4_000 {
            let payload = KeptPayload(n as u32);
            let held = model.entry(kept(bits(n))).or_insert(payload);
            assert_eq!(table.get_or_insert(kept(bits(n)), payload).unwrap_or(payload), *held);
        }
        assert_eq!(table.len(), model.len());
        let sorted: Vec<(KeptIdentity, KeptPayload)> =
            table.sorted().map(|e| (e.identity, e.payload)).collect();
        assert!(sorted.into_iter().eq(model.clone()), "shape {shape}");
        for (identity, payload) in model {
            assert_eq!(table.get(identity), Some(payload));
        }
    }
}

#[test]
fn large_tables_stay_in_order() {
    let mut table = HotTable::default();
    let entries: BTreeSet<IndexEntry> =
        (0..300_000).map(|n| IndexEntry::new(identity(n), PayloadHash(n))).collect();
    for n in 0..300_000 {
        assert_eq!(table.get_or_insert(identity(n).into(), PayloadHash(n).into()), None);
    }
    // At most twice what three quarters of the places take, where all parts have just doubled.
    assert!(table.memory_bytes() < 300_000 * 20 * 3, "{} bytes", table.memory_bytes());
    assert!(table.sorted().eq(entries));
}
