//! Failed syncs, writes that stop half way, a full disk.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod common;

use common::{Model, Step, check_left, create, open, run, script, take};
use sim::faulty_disk::{FaultyDisk, PowerCut};
use store::ErrorKind;

/// After a fault: everything acknowledged stands, the store goes on in the same machine, and what it then acknowledges
/// outlives a power cut.
fn check_goes_on(disk: &FaultyDisk, model: &Model, context: &dyn Fn() -> String) {
    let Some(mut roots) = check_left(disk, model, context) else { return };
    let mut model = Model { created: true, ..model.clone() };
    model.blocks.truncate(roots.headers(0).count());
    model.rows.truncate(
        roots.rows(1).filter(|row| row.as_ref().is_ok_and(|row| row.draft.command == "test")).count(),
    );
    model.position = roots.end();
    for step in [Step::Block, Step::Sync, Step::Row, Step::Block, Step::CutRow] {
        roots = take(disk, roots, step, &mut model).unwrap_or_else(|error| panic!("{error} ({})", context()));
    }
    drop(roots);
    for seed in 0..2 {
        check_left(&disk.after_power_cut(seed, PowerCut::LoseAll), &model, context);
        check_left(&disk.after_power_cut(seed, PowerCut::Torn), &model, context);
    }
}

#[test]
fn a_failed_sync_is_never_tried_again_on_the_same_file() {
    let whole = FaultyDisk::new();
    drop(run(&whole, &script(), &mut Model::default()).expect("no fault"));
    for sync in 0..whole.syncs() {
        let disk = FaultyDisk::new();
        disk.fail_sync(sync);
        let mut model = Model::default();
        let error = run(&disk, &script(), &mut model).map(|_| ()).expect_err("the failed sync is told");
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        // The same machine, and one whose power was cut at once.
        let context = || format!("sync {sync} failed at {:?}: {error}", disk.trace().last());
        check_left(&disk.after_power_cut(sync, PowerCut::LoseAll), &model, &context);
        check_goes_on(&disk.after_kill(), &model, &context);
    }
}

#[test]
fn a_write_that_stops_half_way_is_cut_off_and_kept() {
    let whole = FaultyDisk::new();
    drop(run(&whole, &script(), &mut Model::default()).expect("no fault"));
    let mut cut = 0;
    for operation in 0..whole.operations() {
        let disk = FaultyDisk::new();
        disk.fail_write(operation);
        let mut model = Model::default();
        let Err(error) = run(&disk, &script(), &mut model) else { continue };
        assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "disk_failed"), "{error}");
        cut += usize::from(disk.names().iter().any(|name| name.contains("/cut-")));
        let left = disk.after_kill();
        check_goes_on(&left, &model, &|| format!("write {operation} stopped: {error}"));
        cut += usize::from(left.names().iter().any(|name| name.contains("/cut-")));
    }
    assert!(cut > 20, "{cut}");
}

#[test]
fn a_full_disk_is_told_and_nothing_acknowledged_is_lost() {
    let whole = FaultyDisk::new();
    drop(run(&whole, &script(), &mut Model::default()).expect("no fault"));
    for bytes_max in (0..whole.bytes()).step_by(311) {
        let disk = FaultyDisk::new();
        disk.limit_bytes(Some(bytes_max));
        let mut model = Model::default();
        let Err(error) = run(&disk, &script(), &mut model) else { continue };
        assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "disk_full"), "{error}");
        // Still full: opening may fail, and changes nothing that was acknowledged.
        if let Err(error) = open(&disk) {
            assert!(matches!(error.kind, ErrorKind::Unavailable | ErrorKind::NotFound), "{error}");
        }
        disk.limit_bytes(None);
        check_goes_on(&disk, &model, &|| format!("full at {bytes_max} bytes"));
    }
}

#[test]
fn what_was_cut_stands_in_the_cut_file_and_in_the_row() {
    let disk = FaultyDisk::new();
    let mut model = Model::default();
    let mut roots = create(&disk).expect("a store");
    for step in [Step::Block, Step::Sync] {
        roots = take(&disk, roots, step, &mut model).expect("no fault");
    }
    let position = roots.end();
    disk.fail_write(disk.operations());
    take(&disk, roots, Step::Block, &mut model).expect_err("the write stops");
    let segment = "log/00000000000000000000-00000001.seg";
    let torn = disk.content(segment);
    let (roots, opened) = open(&disk).expect("recovered");
    assert!(!opened.clean);
    let [cut] = opened.cuts.as_slice() else { panic!("one cut: {opened:?}") };
    assert_eq!((cut.file.as_str(), cut.from), (segment, position));
    let kept = store::framed::read_file(&disk, &cut.kept).expect("whole");
    let line = kept.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    assert_eq!(kept[line..], torn[cut.sector as usize * 512..]);
    let names: Vec<&str> = opened.row.draft.references.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, [cut.kept.as_str()]);
    assert_eq!(roots.rows(opened.row.number).next().expect("a row").expect("valid"), opened.row);
    assert!(!disk.names().contains(&segment.to_owned()), "the old segment is gone: {:?}", disk.names());
}
