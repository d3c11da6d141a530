//! Bytes that are not what was written are told, with file and place, and never cut.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod common;

use common::{Model, NOW, Step, create, open, run, script, shared, take};
use sim::faulty_disk::{FaultyDisk, PowerCut};
use store::{ErrorKind, HeadCheck, Roots, StoreError, check_files};

/// A store that stopped without closing: its last block was acknowledged and nothing was written after it.
fn stopped() -> (FaultyDisk, Model) {
    let disk = FaultyDisk::new();
    let mut model = Model::default();
    let mut roots = run(&disk, &script(), &mut model).expect("no fault").expect("a store");
    for step in [Step::Block, Step::Sync] {
        roots = take(&disk, roots, step, &mut model).expect("no fault");
    }
    drop(roots);
    (disk.after_power_cut(0, PowerCut::LoseAll), model)
}

/// Reads everything; answers the first error.
fn read_all(disk: &FaultyDisk) -> Result<(), StoreError> {
    let (roots, _) = open(disk)?;
    roots.rows(1).try_for_each(|row| row.map(|_| ()))?;
    roots.blocks(0).try_for_each(|block| block.map(|_| ()))
}

#[test]
fn a_flipped_bit_in_an_acknowledged_sector_is_corrupt_and_nothing_is_cut() {
    let (disk, _) = stopped();
    let mut flips = 0;
    for name in disk.names() {
        let length = disk.content(&name).len();
        for sector in 0..length / 512 {
            // Payload, checksum and marker in turn.
            let bits = [sector * 7919 % (507 * 8), 507 * 8 + sector % 32, 511 * 8 + sector % 8];
            for bit in bits {
                flips += 1;
                let rotten = disk.after_kill();
                rotten.flip_bit(&name, sector * 4096 + bit);
                let before: Vec<_> = rotten.names().iter().map(|name| rotten.content(name)).collect();
                let context = format!("bit {bit} of sector {sector} of `{name}`");
                let error = read_all(&rotten).expect_err(&context);
                assert_eq!(error.kind, ErrorKind::Corrupt, "{context}: {error}");
                let at = error.at.as_ref().expect("a place");
                assert_eq!(
                    (at.file.as_str(), at.place.as_str()),
                    (name.as_str(), &*format!("sector {sector}"))
                );
                if open(&rotten.after_kill()).is_err() {
                    let after: Vec<_> = rotten.names().iter().map(|name| rotten.content(name)).collect();
                    assert_eq!(before, after, "{context}: an open that fails changes nothing");
                }
            }
        }
    }
    assert!(flips > 200, "{flips}");
}

#[test]
fn a_lost_block_below_a_durable_mark_is_corrupt_though_it_looks_unwritten() {
    let disk = FaultyDisk::new();
    let mut model = Model::default();
    let mut roots = create(&disk).expect("a store");
    for step in [Step::Block, Step::Sync, Step::CutRow] {
        roots = take(&disk, roots, step, &mut model).expect("no fault");
    }
    drop(roots);
    let name = "log/00000000000000000000-00000001.seg";
    let content = disk.content(name);
    // The row names the cut, so the block can't have been unacknowledged.
    for left in [512, content.len() - 512] {
        let mut zeroed = content.clone();
        zeroed[left..].fill(0);
        for bytes in [&zeroed[..], &content[..left]] {
            let lost = disk.after_kill();
            lost.put(name, bytes);
            let error = open(&lost).map(|_| ()).expect_err("corrupt");
            assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
            assert!(
                error.message.contains("acknowledged is missing") && error.message.contains(name),
                "{error}"
            );
            assert!(!check_files(&shared(&lost)).expect("read").findings.is_empty());
        }
    }
}

#[test]
fn a_lost_row_that_a_block_names_is_corrupt() {
    let disk = FaultyDisk::new();
    let mut model = Model::default();
    let mut roots = create(&disk).expect("a store");
    for step in [Step::Row, Step::Block, Step::Sync] {
        roots = take(&disk, roots, step, &mut model).expect("no fault");
    }
    drop(roots);
    let name = "journal/00000000000000000001-00000001.jnl";
    let content = disk.content(name);
    disk.put(name, &content[..content.len() - 512]);
    let error = open(&disk).map(|_| ()).expect_err("corrupt");
    assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    assert!(error.message.contains("known durable is everything below 3"), "{error}");
}

#[test]
fn a_flipped_bit_anywhere_in_a_closed_folder_is_found_with_file_and_place() {
    let disk = FaultyDisk::new();
    let roots = run(&disk, &script(), &mut Model::default()).expect("no fault").expect("a store");
    disk.put("tables.db", &[7; 5000]);
    disk.put("checkpoint", &store::framed::encode_file(b"{}"));
    roots.close(NOW, &[]).expect("closed");
    let clean = check_files(&shared(&disk)).expect("read");
    assert_eq!((clean.findings.as_slice(), clean.clean), (&[][..], true));
    for name in disk.names() {
        for byte in (0..disk.content(&name).len()).step_by(37) {
            let bit = byte * 8 + byte % 8;
            let rotten = disk.after_kill();
            rotten.flip_bit(&name, bit);
            let check = check_files(&shared(&rotten)).expect("read");
            let named =
                check.findings.iter().any(|finding| finding.file == name && !finding.place.is_empty());
            assert!(named, "bit {bit} of `{name}`: {:?}", check.findings);
        }
    }
}

#[test]
fn files_that_are_missing_or_foreign_are_found() {
    let disk = FaultyDisk::new();
    let roots = run(&disk, &script(), &mut Model::default()).expect("no fault").expect("a store");
    roots.close(NOW, &[]).expect("closed");
    let check = |change: &dyn Fn(&FaultyDisk), expected: &str| {
        let changed = disk.after_kill();
        change(&changed);
        let findings = check_files(&shared(&changed)).expect("read").findings;
        let found =
            findings.iter().map(|finding| format!("{} {}: {}", finding.file, finding.place, finding.what));
        let found: Vec<String> = found.collect();
        assert!(found.iter().any(|found| found == expected), "expected {expected}, found {found:?}");
    };
    let first = disk.names().into_iter().find(|name| name.starts_with("log/")).expect("a segment");
    check(
        &|disk| disk.erase(&first),
        &format!("{first} byte 0: a file that the close record names is missing"),
    );
    check(&|disk| disk.put("notes", b"x"), "notes byte 0: the close record does not name this file");
    check(&|disk| disk.erase("keys"), "keys byte 0: the file is missing");
    check(
        &|disk| {
            disk.erase("clean");
            disk.put("notes", b"x");
        },
        "notes byte 0: a file that is no part of a store",
    );
}

#[test]
fn a_chain_that_was_rewritten_whole_differs_from_an_exported_head() {
    let one = FaultyDisk::new();
    let mut roots = create(&one).expect("a store");
    let mut model = Model::default();
    for step in [Step::Row, Step::Block, Step::CutRow] {
        roots = take(&one, roots, step, &mut model).expect("no fault");
    }
    let head = roots.head();
    assert_eq!(roots.check_head(&head).expect("read"), HeadCheck::Agrees);
    drop(roots);
    // The same store id (chance is fixed here), other rows.
    let two = FaultyDisk::new();
    let mut roots = create(&two).expect("a store");
    let mut model = Model::default();
    for step in [Step::Block, Step::CutRow] {
        roots = take(&two, roots, step, &mut model).expect("no fault");
    }
    assert_eq!(roots.check_head(&head).expect("read"), HeadCheck::RowMissing);
    let roots = take(&two, roots, Step::Row, &mut model).expect("no fault");
    assert!(matches!(roots.check_head(&head).expect("read"), HeadCheck::HashDiffers { .. }));
    let (read_only, state) = {
        drop(roots);
        Roots::open_read_only(shared(&two)).expect("read")
    };
    assert!(state.clean.is_none() && state.torn.is_empty());
    let other = store::Head { store_id: store::Id([9; 16]), ..head };
    assert_eq!(read_only.check_head(&other).expect("read"), HeadCheck::OtherStore);
}
