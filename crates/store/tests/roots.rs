//! The contract of an open store.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod common;

use std::sync::Arc;

use common::{Model, NOW, SIZES, Step, block, create, open, row, run, script, shared, take};
use metering::Instant;
use sim::faulty_disk::FaultyDisk;
use store::{
    Accepted, Block, CreateOptions, Disk, ErrorKind, Head, KnownDurable, OpenOptions, RealDisk, Reference,
    Roots, StoreError, parse_keys,
};

fn refused(result: Result<impl Sized, StoreError>, kind: ErrorKind, code: &str, message: &str) {
    let error = result.map(|_| ()).expect_err("refused");
    assert_eq!((error.kind, error.code), (kind, code), "{error}");
    assert!(error.message.contains(message), "{error}");
}

#[test]
fn a_folder_is_made_once() {
    let disk = FaultyDisk::new();
    refused(open(&disk), ErrorKind::NotFound, "store_missing", "no store in this folder");
    let roots = create(&disk).expect("a store");
    assert_eq!((roots.end(), roots.head().number), (0, 1));
    refused(create(&disk), ErrorKind::Conflict, "folder_locked", "another process has this folder open");
    refused(open(&disk), ErrorKind::Conflict, "folder_locked", "another process has this folder open");
    drop(roots);
    refused(create(&disk), ErrorKind::Conflict, "store_exists", "there is a store");
    disk.erase("keys");
    refused(create(&disk), ErrorKind::Corrupt, "keys_missing", "the file `keys` is not");
    refused(open(&disk), ErrorKind::Corrupt, "keys_missing", "the file `keys` is not");
}

#[test]
fn given_keys_are_kept() {
    let disk = FaultyDisk::new();
    let text = store::keys_text(&common::keys());
    let keys = parse_keys(&text).expect("keys");
    let options = CreateOptions {
        keys: Some(keys),
        random: &mut |bytes| bytes.fill(7),
        now: NOW,
        actor: "test".to_owned(),
        sizes: SIZES,
    };
    drop(Roots::create(shared(&disk), options).expect("a store"));
    let (roots, _) = open(&disk).expect("opened");
    assert_eq!(store::keys_text(roots.keys()), text);
    assert_eq!(roots.key_generation(), 1);
}

#[test]
fn a_newer_folder_is_refused() {
    let disk = FaultyDisk::new();
    drop(create(&disk).expect("a store"));
    disk.put("keys", &store::framed::encode_file(br#"{"format":2}"#));
    refused(open(&disk), ErrorKind::Newer, "folder_newer", "`keys` has format `2`");
    refused(
        Roots::open_read_only(shared(&disk)),
        ErrorKind::Newer,
        "folder_newer",
        "this build reads up to `1`",
    );
}

#[test]
fn drafts_that_break_a_rule_are_refused_and_the_store_goes_on() {
    let disk = FaultyDisk::new();
    let mut roots = create(&disk).expect("a store");
    let Head { number, hash, .. } = roots.head();
    let good = block(1, (number, hash), NOW);
    roots.append_block(&good).expect("appended");
    let mut check = |draft: store::BlockDraft, code: &str, message: &str| {
        refused(roots.append_block(&draft), ErrorKind::Invalid, code, message);
    };
    check(block(2, (2, hash), NOW), "block_known_at", "a row from 1 to 1, found `2`");
    check(block(2, (0, hash), NOW), "block_known_at", "found `0`");
    check(block(2, (1, store::Hash::ZERO), NOW), "block_known_at", "the hash of row `1` differs");
    check(block(2, (1, hash), Instant(NOW.0 - 1)), "block_received_at", "not received before");
    let mut lost = good.clone();
    lost.kept.pop();
    check(lost, "block_unbalanced", "conflicts do not add up: expected 0, found `1`");
    let mut uncounted = good.clone();
    uncounted.records += 1;
    check(uncounted, "block_unbalanced", "fates do not add up: expected 8, found `7`");
    let mut twice = good.clone();
    twice.accepted.rows[1].index = 0;
    check(twice, "block_unbalanced", "out of order");
    let mut shared_place = good.clone();
    shared_place.accepted.rows[1].index = shared_place.kept[0].index;
    check(shared_place, "block_unbalanced", "record `4` has two fates");
    let mut outside = good.clone();
    outside.kept[1].index = 7;
    check(outside, "block_unbalanced", "a block of 7 records that names record `7`");
    let mut miscoded = good.clone();
    miscoded.kept[0].code = metering::Code::MissingId;
    check(
        miscoded,
        "block_unbalanced",
        "records rejected as `missing_id` do not add up: expected 1, found `0`",
    );
    let mut cut = roots.cut_now().expect("a cut");
    cut.position += 1;
    refused(roots.append_row(row(1, Some(cut)), NOW), ErrorKind::Invalid, "cut_not_durable", "found `8`");
    let mut deep = row(1, None);
    for _ in 0..200 {
        deep.input = serde_json::json!([deep.input]);
    }
    refused(roots.append_row(deep, NOW), ErrorKind::Invalid, "row_unwritable", "recursion limit");
    roots.append_row(row(1, None), NOW).expect("the store goes on");
}

#[test]
fn a_cut_is_durable_and_positions_count_every_record() {
    let disk = FaultyDisk::new();
    let mut roots = create(&disk).expect("a store");
    let Head { number, hash, .. } = roots.head();
    let first = roots.append_block(&block(1, (number, hash), NOW)).expect("appended");
    assert_eq!((first.position, first.end, roots.durable()), (0, 7, 0));
    let early = store::Cut { shard: 0, incarnation: 1, position: 7, block_hash: first.hash };
    refused(roots.append_row(row(1, Some(early)), NOW), ErrorKind::Invalid, "cut_not_durable", "found `7`");
    let cut = roots.cut_now().expect("a cut");
    assert_eq!((cut.position, cut.block_hash, roots.durable()), (7, first.hash, 7));
    let row = roots.append_row(row(1, Some(cut)), NOW).expect("a row");
    assert_eq!((row.number, row.log_durable_through, row.journal_durable_through), (2, 7, 1));
    let second = roots.append_block(&block(4, (row.number, row.hash), NOW)).expect("appended");
    assert_eq!((second.position, second.end), (7, 20));
    let last = roots.blocks(7).next().expect("a block").expect("valid");
    assert_eq!((last.previous, last.durable_through), (first.hash, 7));
}

#[test]
fn reading_starts_anywhere() {
    let disk = FaultyDisk::new();
    let roots = run(&disk, &script(), &mut Model::default()).expect("no fault").expect("a store");
    let all: Vec<_> = roots.blocks(0).map(|block| block.expect("valid")).collect();
    for from in 0..=roots.end() {
        let expected: Vec<u64> = all.iter().filter(|block| block.end() > from).map(|b| b.position).collect();
        let found: Vec<u64> = roots.headers(from).map(|header| header.expect("valid").0.position).collect();
        assert_eq!(found, expected, "from {from}");
    }
    let head = roots.head();
    for from in 1..=head.number + 1 {
        assert_eq!(roots.rows(from).count() as u64, head.number + 1 - from, "from row {from}");
    }
}

#[test]
fn a_closed_store_is_read_without_a_write() {
    let disk = FaultyDisk::new();
    let mut model = Model::default();
    let roots = run(&disk, &script(), &mut model).expect("no fault").expect("a store");
    let end = roots.end();
    disk.create_folder("cells").expect("a folder");
    disk.put("cells/0.run", b"sealed");
    let known = Reference { name: "cells/0.run".to_owned(), length: 6, hash: store::Hash::of(b"sealed") };
    roots.close(NOW, std::slice::from_ref(&known)).expect("closed");
    let before = disk.operations();
    let (mut roots, state) = Roots::open_read_only(shared(&disk)).expect("opened");
    let record = state.clean.expect("a close record");
    assert_eq!((record.log.end, record.journal.end), (end, roots.head().number + 1));
    assert!(record.files.contains(&known), "{:?}", record.files);
    assert_eq!(roots.blocks(0).count(), model.blocks.len());
    assert!(roots.last_received_at().is_some());
    refused(roots.append_row(row(1, None), NOW), ErrorKind::Closed, "store_read_only", "reading only");
    assert_eq!(disk.operations(), before, "{:?}", disk.trace());
    drop(roots);
    let (_, opened) = open(&disk).expect("opened");
    assert!(opened.clean);
    assert!(!disk.names().contains(&"clean".to_owned()));
}

#[test]
fn what_the_caller_knows_durable_is_never_cut() {
    let disk = FaultyDisk::new();
    let roots = run(&disk, &script(), &mut Model::default()).expect("no fault").expect("a store");
    let (end, number) = (roots.end(), roots.head().number);
    drop(roots);
    let check = |position, row| {
        let known = KnownDurable { position, row };
        let options = OpenOptions { now: NOW, actor: "test".to_owned(), known, sizes: SIZES };
        Roots::open(shared(&disk.after_kill()), options).map(|_| ())
    };
    check(end, number).expect("opened");
    refused(check(end + 1, number), ErrorKind::Corrupt, "corrupt", "acknowledged is missing");
    refused(check(end, number + 1), ErrorKind::Corrupt, "corrupt", "acknowledged is missing");
}

#[test]
fn the_close_record_must_fit() {
    let disk = FaultyDisk::new();
    let mut model = Model::default();
    let roots = run(&disk, &script(), &mut model).expect("no fault").expect("a store");
    roots.close(NOW, &[]).expect("closed");
    let record = disk.content("clean");
    // An old close record over a longer log: its removal did not become durable. What it names is still checked.
    let before = disk.after_kill();
    let (roots, _) = open(&disk).expect("opened");
    let roots = take(&disk, roots, Step::Block, &mut model).expect("no fault");
    drop(roots);
    disk.put("clean", &record);
    let (roots, opened) = open(&disk).expect("opened");
    assert!(!opened.clean);
    assert_eq!(roots.blocks(0).count(), model.blocks.len());
    assert!(!disk.names().contains(&"clean".to_owned()), "{:?}", disk.names());
    let newer = disk.names().into_iter().rfind(|name| name.starts_with("log/")).expect("a segment");
    let last = before.names().into_iter().rfind(|name| name.starts_with("log/")).expect("a segment");
    assert_ne!(newer, last);
    before.erase(&last);
    refused(open(&before), ErrorKind::Corrupt, "corrupt", "before the end that the close record names");
}

#[test]
fn it_works_on_a_real_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::create(folder.path()).expect("a disk"));
    let create = CreateOptions {
        keys: None,
        random: &mut |bytes| bytes.fill(3),
        now: NOW,
        actor: "test".to_owned(),
        sizes: SIZES,
    };
    let mut roots = Roots::create(disk.clone(), create).expect("a store");
    for seed in 1..12 {
        let Head { number, hash, .. } = roots.head();
        roots.append_block(&block(seed, (number, hash), NOW)).expect("appended");
        roots.sync_log().expect("synced");
        roots.append_row(row(seed, None), NOW).expect("a row");
    }
    let end = roots.end();
    let options =
        || OpenOptions { now: NOW, actor: "test".to_owned(), known: KnownDurable::default(), sizes: SIZES };
    refused(Roots::open(disk.clone(), options()), ErrorKind::Conflict, "folder_locked", "another process");
    drop(roots);
    let (roots, opened) = Roots::open(disk.clone(), options()).expect("recovered");
    assert!(!opened.clean && opened.cuts.is_empty());
    assert_eq!((roots.end(), roots.blocks(0).count()), (end, 11));
    roots.close(NOW, &[]).expect("closed");
    assert_eq!(store::check_files(&disk).expect("read").findings, []);
    assert!(Roots::open(disk, options()).expect("opened").1.clean);
}

/// Blocks whose rows occurred from the first to the last moment of one of some windows.
fn positions_within(roots: &Roots, from: u64, windows: &[(Instant, Instant)]) -> Vec<u64> {
    let blocks = roots.blocks(from).map(|block| block.expect("a block"));
    let meets = |block: &Block| {
        let times = || block.draft.accepted.iter().map(|(_, event)| event.occurred_at);
        let (first, last) = (times().min().expect("rows"), times().max().expect("rows"));
        windows.iter().any(|(start, end)| first < *end && last >= *start)
    };
    blocks.filter(meets).map(|block| block.position).collect()
}

#[test]
fn blocks_of_windows_are_found_in_every_segment_also_new_ones() {
    let disk = FaultyDisk::new();
    let mut roots = create(&disk).expect("a store");
    let known = (roots.head().number, roots.head().hash);
    let (mut asked, mut found, mut all) = (0, 0, 0);
    for seed in 0..90u32 {
        let mut draft = block(seed, known, NOW);
        let mut events: Vec<_> =
            draft.accepted.iter().map(|(index, event)| (index, event.to_event())).collect();
        for (_, event) in &mut events {
            event.occurred_at.0 += i64::from(seed * 37 % 50) * 10_000_000_000;
        }
        draft.accepted = Accepted::of_events(events.iter().map(|(index, event)| (*index, event)));
        let position = roots.append_block(&draft).expect("a block").position;
        if seed % 5 == 4 {
            roots.sync_log().expect("synced");
        }
        if seed % 40 == 39 {
            // Recovered, in a segment of another incarnation.
            roots.sync_log().expect("synced");
            drop(roots);
            roots = open(&disk).expect("opened").0;
        }
        let moment = |tenths: u32| Instant(NOW.0 + i64::from(tenths % 6_000) * 100_000_000 - 20_000_000_000);
        let mut edges = [seed * 7, seed * 7 + 1, seed * 971, seed * 971 + 30].map(moment);
        edges.sort_unstable();
        let windows = vec![(edges[0], edges[1]), (edges[2], edges[3])];
        let from = if seed % 2 == 0 { 0 } else { position / 2 };
        let expected = positions_within(&roots, from, &windows);
        let blocks = roots.blocks_within(from, windows).map(|block| block.expect("a block").position);
        assert_eq!(blocks.collect::<Vec<_>>(), expected, "from {from}, edges {edges:?}");
        (asked, found, all) = (asked + 1, found + expected.len(), all + seed as usize);
    }
    assert!(disk.names().iter().filter(|name| name.starts_with("log/")).count() > 5);
    assert!(found > asked / 4 && found < all / 2, "{found} of {all} in {asked}");
    assert_eq!(roots.blocks_within(0, Vec::new()).count(), 0);
    assert_eq!(roots.blocks_within(roots.end(), vec![(Instant(i64::MIN), Instant(i64::MAX))]).count(), 0);
}
