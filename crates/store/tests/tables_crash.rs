//! After a crash at any moment the tables are those of a commit, and not older than the last one answered.

#[path = "tables_world/crash_disk.rs"]
mod crash_disk;
mod tables_world;

use crash_disk::CrashDisk;
use store::tables::{Tables, check_pages};
use store::{ErrorKind, StoreError};
use tables_world::{Chance, MemoryDisk, World};

/// Applies the world in commits of a few changes each; answers the state after the last one that held.
fn run(world: &World, disk: &CrashDisk) -> ((u64, u64), Result<(), StoreError>) {
    let mut held = (0, 0);
    let result = (|| {
        let mut tables = Tables::open(disk.shared())?;
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
        held = tables.applied();
        tables.close()
    })();
    (held, result)
}

/// Opens what a crash left, and checks that it is whole, of one moment, and can go on.
fn check(world: &World, disk: &MemoryDisk, at_least: (u64, u64), what: &str) {
    let mut tables = Tables::open(disk.shared()).unwrap_or_else(|error| panic!("{what}: {error}"));
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

fn steps_of(world: &World) -> u64 {
    let disk = CrashDisk::new();
    run(world, &disk).1.unwrap();
    disk.steps()
}

#[test]
fn a_crash_at_every_step_leaves_the_last_commit() {
    let world = small_world(21);
    let steps = steps_of(&world);
    assert!(steps > 100, "{steps} steps");
    for step in 1..=steps {
        let disk = CrashDisk::new();
        disk.die_at(step);
        let (held, _) = run(&world, &disk);
        check(&world, &disk.after_kill(), held, &format!("killed at step {step}"));
        for seed in 0..2 {
            let left = disk.after_power_cut(&mut Chance::new(step * 1_000 + seed));
            check(&world, &left, held, &format!("power cut at step {step}, seed {seed}"));
        }
    }
}

#[test]
fn a_crash_while_a_crash_is_rolled_back_is_rolled_back_too() {
    let world = small_world(22);
    for step in (1..=steps_of(&world)).step_by(5) {
        let disk = CrashDisk::new();
        disk.die_at(step);
        let (held, _) = run(&world, &disk);
        let mut chance = Chance::new(step);
        let left = disk.after_power_cut(&mut chance);
        for again in 1..12 {
            let disk = CrashDisk::holding(&left);
            disk.die_at(again);
            drop(Tables::open(disk.shared()));
            let left = disk.after_power_cut(&mut chance);
            check(&world, &left, held, &format!("power cut at step {step}, then at step {again}"));
        }
    }
}

#[test]
fn a_failed_sync_stops_the_tables_and_reopening_goes_on() {
    let world = small_world(23);
    let steps = steps_of(&world);
    let mut failed = 0;
    for step in 1..=steps {
        let disk = CrashDisk::new();
        disk.fail_sync_from(step);
        let (_, result) = run(&world, &disk);
        if disk.sync_failed_at() != Some(step) {
            continue;
        }
        let error = result.unwrap_err();
        failed += 1;
        assert_eq!(error.kind, ErrorKind::Unavailable, "step {step}: {error}");
        assert!(error.message.contains("sync"), "step {step}: {error}");
        assert_eq!(disk.steps(), step, "nothing is written or synced after a failed sync");
        let left = disk.after_power_cut(&mut Chance::new(step));
        check(&world, &left, (0, 0), &format!("failed sync at step {step}, then a power cut"));
        let mut tables = Tables::open(disk.shared()).unwrap();
        world.assert_derived(&tables);
        let half = world.rows.len() / 2;
        world.rows[..half].iter().for_each(|row| tables.apply_row(row).unwrap());
        drop(tables);
        let left = disk.after_power_cut(&mut Chance::new(step));
        check(&world, &left, (0, 0), &format!("failed sync at step {step}, opened again, then a power cut"));
    }
    assert!(failed > 30, "{failed} syncs failed");
}

#[test]
fn tables_that_stopped_say_so() {
    let (world, disk) = (small_world(26), CrashDisk::new());
    let mut tables = Tables::open(disk.shared()).unwrap();
    tables.apply_row(&world.rows[0]).unwrap();
    disk.fail_sync_from(disk.steps() + 1);
    let failed = tables.apply_row(&world.rows[1]).unwrap_err();
    assert_eq!((failed.kind, failed.code), (ErrorKind::Unavailable, "disk_failed"), "{failed}");
    let steps = disk.steps();
    for _ in 0..2 {
        let error = tables.apply_row(&world.rows[2]).unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Closed, "tables_stopped"), "{error}");
    }
    assert_eq!(disk.steps(), steps);
    drop(tables);
    check(&world, &disk.after_kill(), (1, 0), "stopped");
}

/// The file of an earlier moment is put back while a journal of a later one lies beside it.
#[test]
fn an_earlier_file_is_never_mixed_with_a_later_journal() {
    let world = small_world(24);
    let steps = steps_of(&world);
    let earlier: Vec<MemoryDisk> = (1..=steps)
        .step_by(41)
        .filter_map(|step| {
            let disk = CrashDisk::new();
            disk.die_at(step);
            let _died = run(&world, &disk);
            let left = disk.after_kill();
            Tables::open(left.shared()).unwrap().close().unwrap();
            Some(left)
        })
        .collect();
    let mut journals = 0;
    for step in 1..=steps {
        let disk = CrashDisk::new();
        disk.die_at(step);
        let _died = run(&world, &disk);
        let left = disk.after_kill();
        let names = left.shared().list("").unwrap();
        if !names.contains(&"tables.db-journal".to_owned()) || left.get("tables.db-journal").is_empty() {
            continue;
        }
        journals += 1;
        for earlier in &earlier {
            let mixed = left.copy();
            mixed.put("tables.db", earlier.get("tables.db"));
            check(&world, &mixed, (0, 0), &format!("put back beside the journal of step {step}"));
        }
    }
    assert!(journals > 50, "{journals} crashes left a journal");
}

#[test]
fn a_full_disk_undoes_the_change_and_leaves_the_tables_usable() {
    let world = World::new(25, 30, 10);
    let disk = full_disk::FullDisk::with_room(200_000);
    let mut tables = Tables::open(disk.shared()).unwrap();
    let error = world.catch_up(&mut tables).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "disk_full"), "{error}");
    world.assert_derived(&tables);
    disk.give_room();
    world.catch_up(&mut tables).unwrap();
    world.assert_complete(&tables);
}

mod full_disk {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use store::{Disk, DiskFile, Mode};

    use crate::tables_world::MemoryDisk;

    /// A disk that takes so many bytes and no more.
    #[derive(Clone, Debug)]
    pub struct FullDisk {
        inner: MemoryDisk,
        room: Arc<AtomicI64>,
    }

    impl FullDisk {
        pub fn with_room(bytes: i64) -> Self {
            Self { inner: MemoryDisk::default(), room: Arc::new(AtomicI64::new(bytes)) }
        }

        pub fn give_room(&self) {
            self.room.store(i64::MAX, Ordering::Relaxed);
        }

        pub fn shared(&self) -> Arc<dyn Disk> {
            Arc::new(self.clone())
        }
    }

    impl Disk for FullDisk {
        fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
            Ok(Arc::new(FullFile { inner: self.inner.open(name, mode)?, room: Arc::clone(&self.room) }))
        }
        fn list(&self, folder: &str) -> io::Result<Vec<String>> {
            self.inner.list(folder)
        }
        fn exists(&self, name: &str) -> io::Result<bool> {
            self.inner.exists(name)
        }
        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            self.inner.rename(from, to)
        }
        fn remove(&self, name: &str) -> io::Result<()> {
            self.inner.remove(name)
        }
        fn create_folder(&self, folder: &str) -> io::Result<()> {
            self.inner.create_folder(folder)
        }
        fn sync_folder(&self, folder: &str) -> io::Result<()> {
            self.inner.sync_folder(folder)
        }
        fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
            self.inner.lock()
        }
    }

    #[derive(Debug)]
    struct FullFile {
        inner: Arc<dyn DiskFile>,
        room: Arc<AtomicI64>,
    }

    impl DiskFile for FullFile {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.inner.read_at(buffer, offset)
        }
        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            let grown = (offset + bytes.len() as u64).saturating_sub(self.inner.length()?);
            let room = self.room.load(Ordering::Relaxed);
            let grown = i64::try_from(grown).unwrap();
            if grown > room {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device"));
            }
            self.room.store(room - grown, Ordering::Relaxed);
            self.inner.write_at(bytes, offset)
        }
        fn length(&self) -> io::Result<u64> {
            self.inner.length()
        }
        fn truncate(&self, length: u64) -> io::Result<()> {
            self.inner.truncate(length)
        }
        fn sync(&self) -> io::Result<()> {
            self.inner.sync()
        }
    }
}
