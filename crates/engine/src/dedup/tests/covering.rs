//! Two threads that cover the filter at the same time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use store::Mode;
use store::disk::DiskFile;

use super::*;

/// A disk whose reads call a test.
#[derive(Clone)]
struct Held {
    disk: RealDisk,
    at_read: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.disk.fmt(f)
    }
}

#[derive(Debug)]
struct HeldFile(Arc<dyn DiskFile>, Held);

impl DiskFile for HeldFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.1.at_read)();
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Disk for Held {
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(HeldFile(self.disk.open(name, mode)?, self.clone())))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.disk.exists(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.create_folder(folder)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock()
    }
}

/// Lets the others go on until something is so, or they have had all the time they could want.
fn give_way(until: &AtomicBool) {
    for _ in 0..300_000 {
        if until.load(Ordering::SeqCst) {
            return;
        }
        std::thread::yield_now();
    }
}

/// A thread that began with fewer runs put its part in the place of one that held more, and what was added next hid
/// the run between them: its events counted again.
#[test]
fn regress_two_threads_that_cover_lose_no_identity() {
    let mut world = World::new();
    // All in one part.
    let identity = |n: u64| Identity(7 << 120 | identity(n).0 >> 8);
    for (from, to) in [(0, 20_000), (20_000, 22_000), (22_000, 24_000)] {
        (from..to).for_each(|n| world.dedup.claim(identity(n), PayloadHash(n)));
        world.position = to;
        world.freeze();
        world.flush(false);
    }
    let [is_held, may_go_on, is_done] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
    let is_armed = Arc::new(AtomicBool::new(false));
    let open = |run: usize, tells: &Arc<AtomicBool>, waits_for: &Arc<AtomicBool>| {
        let (is_armed, tells, waits_for) = (is_armed.clone(), tells.clone(), waits_for.clone());
        let at_read = move || {
            if is_armed.load(Ordering::SeqCst) && !tells.swap(true, Ordering::SeqCst) {
                give_way(&waits_for);
            }
        };
        let held = Held { disk: world.disk.clone(), at_read: Arc::new(at_read) };
        Arc::new(IndexRun::open(&held, world.runs[run].fact()).expect("a run"))
    };
    // The first thread reads its one run until the second has come to its last.
    let first = [open(0, &is_held, &may_go_on)];
    let last = open(2, &may_go_on, &is_done);
    is_armed.store(true, Ordering::SeqCst);
    let filter = world.dedup.filter();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            filter.cover(&first).expect("covered");
            is_done.store(true, Ordering::SeqCst);
        });
        while !is_held.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        filter.cover(&world.runs[..2]).expect("covered");
        filter.cover(&[world.runs[0].clone(), world.runs[1].clone(), last.clone()]).expect("covered");
    });
    let view = filter.view();
    for n in 0..24_000 {
        assert_eq!(view.ask(identity(n).into()), (24_000, true), "{n}");
    }
}
