//! After a crash at any moment the tables are those of a commit, and not older than the last one answered.

#[path = "../../store/tests/tables_world/mod.rs"]
mod tables_world;

use std::sync::Arc;

use sim::faulty_disk::{FaultyDisk, PowerCut};
use store::tables::{Tables, check_pages};
use store::{Disk, ErrorKind, StoreError};
use tables_world::World;

const CUTS: [PowerCut; 3] = [PowerCut::LoseAll, PowerCut::Partial, PowerCut::Torn];

fn shared(disk: &FaultyDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// Applies the world in commits of a few changes each; answers the state after the last one that held.
fn run(world: &World, disk: &FaultyDisk) -> ((u64, u64), Result<(), StoreError>) {
    let mut held = (0, 0);
    let result = (|| {
        let mut tables = Tables::open(shared(disk))?;
        held = tables.applied();
        for (place, row) in world.rows.iter().enumerate() {
            if place % 3 != 0 {
                tables.begin()?;
            }
            tables.apply_row(row)?;
            if let Some(block) = world.blocks.get(place) {
                tables.apply_block(block)?;
            }
            if place % 3 != 1 {
                tables.commit()?;
                held = tables.applied();
            }
        }
        tables.close()
    })();
    (held, result)
}

/// The disk of a run that crashed at an operation, and what was answered before.
fn crashed(world: &World, operation: u64) -> (FaultyDisk, (u64, u64)) {
    let disk = FaultyDisk::new();
    disk.crash_at(operation, operation);
    let (held, result) = run(world, &disk);
    assert_eq!(result.is_err(), disk.has_crashed(), "operation {operation}");
    (disk, held)
}

/// Opens what a crash left, and checks that it is whole, of one moment, and can go on.
fn check(world: &World, disk: &FaultyDisk, at_least: (u64, u64), what: &str) {
    let mut tables = Tables::open(shared(disk)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let applied = tables.applied();
    assert!(
        applied.0 >= at_least.0 && applied.1 >= at_least.1,
        "{what}: {applied:?} is older than {at_least:?}"
    );
    world.assert_derived(&tables);
    let pages = check_pages(disk).unwrap();
    assert_eq!((pages.interrupted, pages.findings), (false, Vec::new()), "{what}");
    world.catch_up(&mut tables).unwrap();
    world.assert_complete(&tables);
}

fn small_world(seed: u64) -> World {
    World::new(seed, 9, 6)
}

/// How many operations and syncs a run has that meets no fault.
fn length_of(world: &World) -> (u64, u64) {
    let disk = FaultyDisk::new();
    run(world, &disk).1.unwrap();
    (disk.operations(), disk.syncs())
}

#[test]
fn a_crash_at_every_operation_leaves_the_last_commit() {
    let world = small_world(21);
    let (operations, _) = length_of(&world);
    assert!(operations > 100, "{operations} operations");
    for operation in 0..operations {
        let (disk, held) = crashed(&world, operation);
        check(&world, &disk.after_kill(), held, &format!("killed at operation {operation}"));
        for cut in CUTS {
            let left = disk.after_power_cut(operation, cut);
            check(&world, &left, held, &format!("{cut:?} power cut at operation {operation}"));
        }
    }
}

#[test]
fn a_crash_while_a_crash_is_rolled_back_is_rolled_back_too() {
    let world = small_world(22);
    let (operations, _) = length_of(&world);
    for operation in (0..operations).step_by(5) {
        let (disk, held) = crashed(&world, operation);
        for again in 0..12 {
            let disk = disk.after_power_cut(operation, PowerCut::Partial);
            disk.crash_at(again, again);
            drop(Tables::open(shared(&disk)));
            let left = disk.after_power_cut(again, PowerCut::Torn);
            check(&world, &left, held, &format!("power cut at operation {operation}, then at {again}"));
        }
    }
}

#[test]
fn a_failed_sync_stops_the_tables_and_reopening_goes_on() {
    let world = small_world(23);
    let (_, syncs) = length_of(&world);
    assert!(syncs > 30, "{syncs} syncs");
    for sync in 0..syncs {
        let disk = FaultyDisk::new();
        disk.fail_sync(sync);
        let error = run(&world, &disk).1.expect_err("a sync failed");
        assert_eq!(error.kind, ErrorKind::Unavailable, "sync {sync}: {error}");
        assert!(error.message.contains("sync"), "sync {sync}: {error}");
        assert_eq!(disk.syncs(), sync + 1, "nothing is synced after a failed sync");
        let left = disk.after_power_cut(sync, PowerCut::Partial);
        check(&world, &left, (0, 0), &format!("failed sync {sync}, then a power cut"));

        let mut tables = Tables::open(shared(&disk)).unwrap();
        world.assert_derived(&tables);
        world.rows[..4].iter().for_each(|row| tables.apply_row(row).unwrap());
        drop(tables);
        let left = disk.after_power_cut(sync, PowerCut::Partial);
        check(&world, &left, (0, 0), &format!("failed sync {sync}, opened again, then a power cut"));
    }
}

#[test]
fn tables_that_stopped_say_so() {
    let (world, disk) = (small_world(26), FaultyDisk::new());
    let mut tables = Tables::open(shared(&disk)).unwrap();
    tables.apply_row(&world.rows[0]).unwrap();
    disk.fail_sync(disk.syncs());
    let failed = tables.apply_row(&world.rows[1]).unwrap_err();
    assert_eq!((failed.kind, failed.code), (ErrorKind::Unavailable, "disk_failed"), "{failed}");
    let operations = disk.operations();
    for _ in 0..2 {
        let error = tables.apply_row(&world.rows[2]).unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Closed, "tables_stopped"), "{error}");
    }
    assert_eq!(disk.operations(), operations);
    drop(tables);
    check(&world, &disk.after_kill(), (1, 0), "stopped");
}

/// The file of an earlier moment is put back while a journal of a later one lies beside it.
#[test]
fn an_earlier_file_is_never_mixed_with_a_later_journal() {
    let world = small_world(24);
    let (operations, _) = length_of(&world);
    let left_at = |operation| crashed(&world, operation).0.after_kill();
    let earlier: Vec<Vec<u8>> = (0..operations)
        .step_by(41)
        .map(|operation| {
            let left = left_at(operation);
            Tables::open(shared(&left)).unwrap().close().unwrap();
            left.content("tables.db")
        })
        .collect();
    let mut journals = 0;
    for operation in 0..operations {
        let left = left_at(operation);
        let journal = "tables.db-journal".to_owned();
        if !left.names().contains(&journal) || left.content(&journal).is_empty() {
            continue;
        }
        journals += 1;
        for earlier in &earlier {
            let mixed = left.after_kill();
            mixed.put("tables.db", earlier);
            check(&world, &mixed, (0, 0), &format!("put back beside the journal of operation {operation}"));
        }
    }
    assert!(journals > 50, "{journals} crashes left a journal");
}

#[test]
fn a_full_disk_undoes_the_change_and_leaves_the_tables_usable() {
    let world = World::new(25, 30, 10);
    let disk = FaultyDisk::new();
    disk.limit_bytes(Some(200_000));
    let mut tables = Tables::open(shared(&disk)).unwrap();
    let error = world.catch_up(&mut tables).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "disk_full"), "{error}");
    world.assert_derived(&tables);
    disk.limit_bytes(None);
    world.catch_up(&mut tables).unwrap();
    world.assert_complete(&tables);
}
