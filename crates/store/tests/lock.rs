//! The lock on a folder: one holder at a time, and it is free as soon as that lets it go.
#![allow(missing_docs)]

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use store::Disk;
use store::disk::RealDisk;

#[test]
fn a_folder_has_one_holder() {
    let folder = tempfile::tempdir().unwrap();
    let disk = RealDisk::create(folder.path()).unwrap();
    let held = disk.lock().unwrap();
    assert!(disk.lock().is_err());
    drop(held);
    assert!(disk.lock().is_ok());
}

/// A process that was just forked has every open file of ours for a moment.
#[test]
fn regress_a_child_that_begins_does_not_keep_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let disk = RealDisk::create(folder.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
        }
        let refused = (0..20_000).filter(|_| disk.lock().is_err()).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(refused, 0);
    });
}
