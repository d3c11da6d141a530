//! Index runs: every entry is found again and no other, ranges, merges, and what is told of files that are not as they
//! were written.

use std::collections::BTreeMap;
use std::sync::Arc;

use metering::{Identity, PayloadHash};
use store::disk::RealDisk;
use store::runs::{
    IndexEntry, IndexRun, IndexWriter, KeptIdentity, KeptPayload, PageBuffer, RunFact, merge_index,
    write_index,
};
use store::{ErrorKind, StoreError};

fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn entry(n: u64) -> IndexEntry {
    let identity = u128::from(mixed(2 * n)) << 64 | u128::from(mixed(2 * n + 1));
    IndexEntry::new(Identity(identity), PayloadHash(mixed(n)))
}

fn entries(numbers: std::ops::Range<u64>) -> Vec<IndexEntry> {
    let mut entries: Vec<IndexEntry> = numbers.map(entry).collect();
    entries.sort_unstable();
    entries
}

/// Entries whose identities agree in all but a few bits, `at` and above.
fn close(count: u128, at: u32) -> Vec<IndexEntry> {
    let bits = |n: u128| KeptIdentity::from_bits((0xabcd << 112) | (n << at));
    (0..count).map(|n| IndexEntry { identity: bits(n), payload: KeptPayload(n as u32) }).collect()
}

struct Folder {
    folder: tempfile::TempDir,
    disk: RealDisk,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = RealDisk::create(folder.path()).expect("a disk");
        Self { folder, disk }
    }

    fn write(&self, from: u64, to: u64, entries: &[IndexEntry]) -> RunFact {
        write_index(&self.disk, from, to, entries.iter().copied()).expect("a run")
    }

    fn open(&self, fact: &RunFact) -> Arc<IndexRun> {
        Arc::new(IndexRun::open(&self.disk, fact).expect("a run"))
    }

    fn run(&self, from: u64, to: u64, entries: &[IndexEntry]) -> Arc<IndexRun> {
        self.open(&self.write(from, to, entries))
    }

    fn bytes(&self, fact: &RunFact) -> Vec<u8> {
        std::fs::read(self.folder.path().join(&fact.name)).expect("a file")
    }

    fn put(&self, fact: &RunFact, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(&fact.name), bytes).expect("a file");
    }
}

fn scanned(run: &IndexRun) -> Vec<IndexEntry> {
    let mut all = Vec::new();
    run.scan(&mut |entry| all.push(entry)).expect("it reads");
    all
}

#[test]
fn every_entry_is_found_and_no_other() {
    let folder = Folder::new();
    let mut inputs: Vec<Vec<IndexEntry>> =
        [0, 1, 2, 223, 224, 225, 237, 238, 239, 476, 477, 5_000, 60_000].map(|n| entries(0..n)).to_vec();
    // All of one page's first key, and of several pages' first key.
    inputs.extend([close(3_000, 16), close(3_000, 17), close(3_000, 60), close(3_000, 64), close(2, 111)]);
    for entries in inputs {
        let fact = folder.write(3, 77, &entries);
        assert_eq!(fact.name, "index/00000000000000000003-00000000000000000077.run");
        assert_eq!((fact.from, fact.to, fact.entries), (3, 77, entries.len() as u64));
        assert_eq!(fact.length, folder.bytes(&fact).len() as u64);
        let run = folder.open(&fact);
        assert_eq!(scanned(&run), entries);
        let by_one: Result<Vec<IndexEntry>, StoreError> = run.entries().collect();
        assert_eq!(by_one.expect("it reads"), entries);
        let held: BTreeMap<KeptIdentity, KeptPayload> =
            entries.iter().map(|e| (e.identity, e.payload)).collect();
        let mut buffer = PageBuffer::default();
        for entry in &entries {
            let found = run.probe_with(entry.identity, &mut buffer).expect("it reads");
            assert_eq!(found, Some(entry.payload));
            for near in [entry.identity.bits() ^ 1 << 16, entry.identity.bits() ^ 1 << 127] {
                let near = KeptIdentity::from_bits(near);
                let found = run.probe_with(near, &mut buffer).expect("it reads");
                assert_eq!(found, held.get(&near).copied());
            }
        }
        for edge in [0, u128::MAX] {
            let edge = KeptIdentity::from_bits(edge);
            assert_eq!(run.probe(edge).expect("it reads"), held.get(&edge).copied());
        }
    }
}

#[test]
fn large_runs_take_about_17_bytes_an_entry() {
    let folder = Folder::new();
    let fact = folder.write(0, 1, &entries(0..100_000));
    let hundredths = fact.length * 100 / fact.entries;
    assert!((1_700..1_790).contains(&hundredths), "{hundredths} hundredths of a byte");
}

#[test]
fn identities_count_by_112_bits_and_payloads_by_32() {
    let whole = |identity, payload| IndexEntry::new(Identity(identity), PayloadHash(payload));
    assert_eq!(whole(0xffff, 1 << 32 | 5), whole(0, 5));
    assert_ne!(whole(0x1_0000, 5), whole(0, 5));
    assert_ne!(whole(0, 6), whole(0, 5));
    let folder = Folder::new();
    let two = [whole(7 << 100 | 1, 1), whole(7 << 100 | 2, 2)];
    let error = write_index(&folder.disk, 0, 2, two).expect_err("one identity twice");
    assert!(error.message.starts_with("identities do not ascend"), "{error}");
}

#[test]
fn entries_must_ascend() {
    let folder = Folder::new();
    let sorted = entries(0..1_000);
    for swapped in [0, 237, 238, 500, 998] {
        let mut entries = sorted.clone();
        entries.swap(swapped, swapped + 1);
        let error = write_index(&folder.disk, 0, 1_000, entries).expect_err("out of order");
        assert_eq!(error.kind, ErrorKind::Corrupt);
        assert!(error.message.contains(&format!("entry {}", swapped + 1)), "{error}");
    }
}

#[test]
fn a_range_is_what_lies_in_it() {
    let folder = Folder::new();
    for entries in [entries(0..20_000), close(3_000, 60), close(3_000, 20), entries(0..1), Vec::new()] {
        let run = folder.run(0, 1, &entries);
        let top = |n: u64| entries.get(n as usize % entries.len().max(1)).map_or(n, |e| e.identity.top());
        let mut ranges = vec![0..=u64::MAX, 0..=0, u64::MAX..=u64::MAX, 1 << 56..=(1 << 56) - 1 + (1 << 56)];
        for n in 0..200 {
            let (a, b) = (mixed(n), mixed(n + 1_000));
            ranges.extend([a.min(b)..=a.max(b), top(a)..=top(a), top(a).min(top(b))..=top(a).max(top(b))]);
        }
        for range in ranges {
            let expected: Vec<IndexEntry> =
                entries.iter().filter(|entry| range.contains(&entry.identity.top())).copied().collect();
            let found: Result<Vec<IndexEntry>, StoreError> = run.range(range.clone()).collect();
            assert_eq!(found.expect("it reads"), expected, "{range:?}");
            let about = run.range_about(&range);
            assert!(
                about.abs_diff(expected.len() as u64) < 700,
                "{about} of {} in {range:?}",
                expected.len()
            );
        }
    }
}

#[test]
fn merged_runs_hold_what_their_parts_held() {
    let folder = Folder::new();
    for counts in [vec![0], vec![1, 0], vec![5_000], vec![3_000, 1, 20_000, 0, 700], vec![300; 9]] {
        let mut runs = Vec::new();
        let mut from = 0;
        for count in &counts {
            runs.push(folder.run(from, from + count, &entries(from..from + count)));
            from += count;
        }
        let fact = merge_index(&folder.disk, &runs, 0, from).expect("merged");
        assert_eq!((fact.from, fact.to, fact.entries), (0, from, from));
        assert_eq!(scanned(&folder.open(&fact)), entries(0..from));
        // The same bytes as if it had been written at once.
        let again = Folder::new();
        assert_eq!(again.write(0, from, &entries(0..from)), fact);
    }
}

#[test]
fn of_one_identity_the_first_run_stands() {
    let folder = Folder::new();
    let change = |entry: &IndexEntry| IndexEntry { payload: KeptPayload(1), ..*entry };
    let first = entries(0..1_000);
    let later: Vec<IndexEntry> = entries(500..2_000).iter().map(change).collect();
    let runs = [folder.run(0, 10, &first), folder.run(10, 20, &later)];
    let merged = folder.open(&merge_index(&folder.disk, &runs, 0, 20).expect("merged"));
    assert_eq!(merged.fact().entries, 2_000);
    for entry in first {
        assert_eq!(merged.probe(entry.identity).expect("it reads"), Some(entry.payload));
    }
}

/// Reads all that there is of a run.
fn read_all(folder: &Folder, fact: &RunFact) -> Result<(), StoreError> {
    IndexRun::open(&folder.disk, fact)?.scan(&mut |_| {})
}

#[test]
fn a_flipped_bit_is_told_with_file_and_sector() {
    let folder = Folder::new();
    let fact = folder.write(0, 700, &entries(0..700));
    let bytes = folder.bytes(&fact);
    assert!(fact.footer >= 24 && bytes.len() as u64 > fact.footer * 512, "three pages and a footer");
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        folder.put(&fact, &flipped);
        let error = read_all(&folder, &fact).expect_err("a flipped bit is found");
        let place = error.at.expect("a place");
        assert_eq!(error.kind, ErrorKind::Corrupt);
        assert_eq!((place.file, place.place), (fact.name.clone(), format!("sector {}", at / 512)));
    }
}

#[test]
fn a_probe_tells_a_flipped_bit_in_its_page() {
    let folder = Folder::new();
    let all = entries(0..700);
    let fact = folder.write(0, 700, &all);
    let run = folder.open(&fact);
    let mut bytes = folder.bytes(&fact);
    bytes[8 * 512 + 100] ^= 1;
    folder.put(&fact, &bytes);
    let mut buffer = PageBuffer::default();
    let (mut good, mut bad) = (0, 0);
    for entry in &all {
        match run.probe_with(entry.identity, &mut buffer) {
            Ok(found) => {
                assert_eq!(found, Some(entry.payload));
                good += 1;
            }
            Err(error) => {
                assert!(error.message.contains(&fact.name) && error.message.contains("sector 8"), "{error}");
                bad += 1;
            }
        }
    }
    assert!(good > 400 && bad > 200, "{good} good, {bad} bad");
    assert!(merge_index(&folder.disk, &[run], 0, 900).is_err());
}

#[test]
fn a_cut_file_is_told() {
    let folder = Folder::new();
    let all = entries(0..700);
    let fact = folder.write(0, 700, &all);
    let bytes = folder.bytes(&fact);
    for length in (0..bytes.len()).step_by(100) {
        folder.put(&fact, &bytes);
        let run = folder.open(&fact);
        folder.put(&fact, &bytes[..length]);
        let error = read_all(&folder, &fact).expect_err("a cut file");
        assert_eq!(error.at.expect("a place").file, fact.name);
        // A file that is cut after it was opened.
        if (length as u64) < fact.footer * 512 {
            let error = run.scan(&mut |_| {}).expect_err("a cut file");
            assert_eq!(error.at.expect("a place").place, format!("sector {}", length / 512));
            let last = all[all.len() - 1].identity;
            assert!(run.probe(last).is_err());
        }
    }
}

#[test]
fn another_runs_footer_is_refused() {
    let folder = Folder::new();
    let fact = folder.write(0, 700, &entries(0..700));
    let check = |wrong: RunFact| {
        let error = IndexRun::open(&folder.disk, &wrong).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    };
    check(RunFact { entries: 699, ..fact.clone() });
    check(RunFact { from: 1, ..fact.clone() });
    check(RunFact { to: 1, ..fact.clone() });
    for footer in [0, 1, 8, 16, fact.footer + 1, 1 << 40, u64::MAX / 512, u64::MAX] {
        check(RunFact { footer, ..fact.clone() });
    }
    let mut longer = folder.bytes(&fact);
    longer.extend_from_slice(&[0; 512]);
    folder.put(&fact, &longer);
    check(fact);
}

#[test]
fn an_unfinished_run_has_no_name() {
    let folder = Folder::new();
    let mut writer = IndexWriter::create(&folder.disk, 0, 9).expect("a draft");
    writer.put(entry(1)).expect("put");
    drop(writer);
    let names = store::Disk::list(&folder.disk, "index").expect("a folder");
    assert!(names.iter().all(|name| name.ends_with(".new")), "{names:?}");
    // What is left of it is replaced.
    assert_eq!(scanned(&folder.run(0, 9, &entries(0..3))), entries(0..3));
}
