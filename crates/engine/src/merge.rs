//! Merging of runs: some of about one size become one, so that their number grows with the logarithm of the log, and
//! each entry is written again only so often.
//!
//! A merge runs beside flushes, on a thread of its own, one at a time: what is flushed meanwhile stands behind the runs
//! that become one. A store that is closed does not wait for it: the merge is begun anew another time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use store::runs::{CellRun, IndexRun, RunFact, cell_run_name, merge_cells, merge_index};
use store::{Disk, DiskFile, Mode, StoreError};

use crate::error::EngineError;

/// So many index runs of about one size become one. An identity that may be old is looked for in each run.
const INDEX_RUNS_MAX: usize = 4;
/// So many cell runs of about one size become one. A cell is dearer to write again than an identity.
const CELL_RUNS_MAX: usize = 16;
/// Cell runs with fewer cells are merged as early as those of identities: a file of its own is dearer then.
const SMALL_CELLS: u64 = 65_536;
/// So many runs may wait for a merge before the feed does.
const RUNS_WAITING_MAX: usize = 48;

/// How far threads step back that write runs, in the system's steps of niceness.
const NICE: i32 = 10;

/// Runs that should become one.
pub(crate) struct MergeJob {
    disk: Arc<dyn Disk>,
    group: Group,
}

enum Group {
    Cells(Vec<RunFact>),
    Index(Vec<Arc<IndexRun>>),
}

/// The run that some became.
pub(crate) enum Merged {
    /// Of these cell runs.
    Cells { of: Vec<RunFact>, fact: RunFact, run: Arc<CellRun> },
    /// Of these index runs.
    Index { of: Vec<RunFact>, fact: RunFact, run: Arc<IndexRun> },
}

impl MergeJob {
    /// The newest runs that should become one; none where all should stay. No pin is crossed.
    pub fn next(
        disk: &Arc<dyn Disk>,
        cells: &[RunFact],
        index: &[Arc<IndexRun>],
        pinned: &[u64],
    ) -> Option<Self> {
        let of_index: Vec<RunFact> = index.iter().map(|run| run.fact().clone()).collect();
        let group = match newest_group(&of_index, INDEX_RUNS_MAX, &[]) {
            Some(first) => Group::Index(index[first..].to_vec()),
            None => {
                let is_small = cells.last().is_some_and(|run| run.entries < SMALL_CELLS);
                let at_least = if is_small { INDEX_RUNS_MAX } else { CELL_RUNS_MAX };
                Group::Cells(cells[newest_group(cells, at_least, pinned)?..].to_vec())
            }
        };
        Some(Self { disk: Arc::clone(disk), group })
    }

    /// Writes the run.
    ///
    /// **Errors**: a run that cannot be read or written.
    pub fn run(self) -> Result<Merged, EngineError> {
        let disk = self.disk.as_ref();
        match self.group {
            Group::Cells(of) => {
                let (from, to) = bounds(&of);
                let fact = merge_cells(disk, &of, &cell_run_name(from, to), from, to)?;
                let run = Arc::new(CellRun::open(disk, &fact)?);
                Ok(Merged::Cells { of, fact, run })
            }
            Group::Index(runs) => {
                let of: Vec<RunFact> = runs.iter().map(|run| run.fact().clone()).collect();
                let (from, to) = bounds(&of);
                let fact = merge_index(disk, &runs, from, to)?;
                let run = Arc::new(IndexRun::open(disk, &fact)?);
                Ok(Merged::Index { of, fact, run })
            }
        }
    }

    /// Starts it on a thread of its own.
    ///
    /// **Errors**: the system has no thread left.
    pub fn start(self) -> Result<Merge, EngineError> {
        let stopped = Arc::new(AtomicBool::new(false));
        let disk: Arc<dyn Disk> = Arc::new(StoppableDisk { disk: self.disk, stopped: Arc::clone(&stopped) });
        let job = Self { disk, ..self };
        let handle = beside("merge", move || job.run())?;
        Ok(Merge { handle: Some(handle), stopped })
    }
}

/// Starts a thread for work that nobody waits for: it takes the processor that those who answer leave.
///
/// **Errors**: the system has no thread left.
pub(crate) fn beside<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, EngineError> {
    let named = std::thread::Builder::new().name(name.to_owned());
    let spawned = named.spawn(move || {
        // Where the system does not allow it, it runs beside the others.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
        run()
    });
    Ok(spawned.map_err(|error| StoreError::io("start a thread", &error))?)
}

/// Whether so many runs wait for a merge that nothing more should be flushed before it has ended.
pub(crate) fn too_many_wait(cells: &[RunFact], index: &[RunFact], pinned: &[u64]) -> bool {
    let waiting = |runs: &[RunFact], pinned: &[u64]| newest_group(runs, RUNS_WAITING_MAX, pinned).is_some();
    waiting(cells, pinned) || waiting(index, &[])
}

/// A merge under way. Let go, it is stopped and waited for: it must not write into a folder that another may open.
pub(crate) struct Merge {
    handle: Option<JoinHandle<Result<Merged, EngineError>>>,
    stopped: Arc<AtomicBool>,
}

impl Drop for Merge {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Merge {
    /// Whether it waits to be taken over.
    pub fn has_ended(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What it has made, once it has ended.
    ///
    /// **Errors**: those of the merge.
    pub fn join(mut self) -> Result<Merged, EngineError> {
        match self.handle.take().map(JoinHandle::join) {
            Some(Ok(merged)) => merged,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => unreachable!("a merge is joined once"),
        }
    }

    /// Breaks it off; what it has written is a leftover that the next open removes.
    fn stop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(handle) = self.handle.take() {
            // Nobody needs what it has made.
            let _ = handle.join();
        }
    }
}

/// The first of the newest runs that should become one; none where they should stay. A pin is crossed by none.
fn newest_group(runs: &[RunFact], at_least: usize, pinned: &[u64]) -> Option<usize> {
    let mut first = runs.len().checked_sub(1)?;
    let size = size_class(&runs[first]);
    while let Some(before) = first.checked_sub(1) {
        if pinned.contains(&runs[first].from) || size_class(&runs[before]) > size {
            break;
        }
        first = before;
    }
    (runs.len() - first >= at_least).then_some(first)
}

/// Entries by powers of four.
fn size_class(run: &RunFact) -> u32 {
    run.entries.max(1).ilog2() / 2
}

fn bounds(group: &[RunFact]) -> (u64, u64) {
    let from = group.iter().map(|run| run.from).min().unwrap_or(0);
    let to = group.iter().map(|run| run.to).max().unwrap_or(0);
    (from, to)
}

/// A disk on which nothing can be written any more once it is stopped.
#[derive(Debug)]
struct StoppableDisk {
    disk: Arc<dyn Disk>,
    stopped: Arc<AtomicBool>,
}

#[derive(Debug)]
struct StoppableFile {
    file: Arc<dyn DiskFile>,
    stopped: Arc<AtomicBool>,
}

fn go_on(stopped: &AtomicBool) -> io::Result<()> {
    match stopped.load(Ordering::Relaxed) {
        true => Err(io::Error::other("the merge was broken off")),
        false => Ok(()),
    }
}

impl Disk for StoppableDisk {
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(name, mode)?;
        Ok(Arc::new(StoppableFile { file, stopped: Arc::clone(&self.stopped) }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.disk.exists(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        go_on(&self.stopped)?;
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

impl DiskFile for StoppableFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        go_on(&self.stopped)?;
        self.file.write_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
