//! From prepared batches to durable blocks: rules, claims, cells, block, tables, sync.

use engine::{Engine, Prepared};
use tempfile::TempDir;

use crate::input::Input;
use crate::measure::Stages;
use crate::support::{configure, open, open_with};

/// An engine in a folder of its own, which outlives it.
struct Store {
    engine: Engine,
    folder: TempDir,
}

pub fn measure(stages: &mut Stages, input: &Input) {
    let run = |(mut store, batches): (Store, Vec<Prepared>)| {
        append(&mut store.engine, input, batches);
        (input.records, store)
    };
    stages.stage("append what is new", "event", || (fresh(), input.prepared()), run);
    let known = || {
        let mut store = fresh();
        append(&mut store.engine, input, input.prepared());
        (store, input.prepared())
    };
    stages.stage("append what is known, in memory", "event", known, run);
    stages.stage("append what is known, in a run", "event", || (with_runs(input), input.prepared()), run);
    stages.stage("append what is new, beside a run", "event", || (with_runs(input), others(input)), run);
}

fn append(engine: &mut Engine, input: &Input, batches: Vec<Prepared>) {
    for batch in batches {
        engine.append(&input.decoder, &input.feed, batch).expect("the disk works");
    }
}

fn fresh() -> Store {
    let folder = tempfile::tempdir().expect("a folder");
    let mut engine = open(folder.path()).expect("a store");
    configure(&mut engine).expect("a world");
    Store { engine, folder }
}

/// A store whose identities are all in runs, with a filter over them.
fn with_runs(input: &Input) -> Store {
    let Store { engine, folder } = fresh();
    engine.close().expect("the disk works");
    let mut engine = open_with(folder.path(), 1, false).expect("a store");
    append(&mut engine, input, input.prepared());
    engine.close().expect("the disk works");
    let engine = open(folder.path()).expect("a store");
    assert!(engine.runs().1 > 0, "a store without memory writes runs");
    // The filter is made by another thread.
    while std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        std::thread::yield_now();
    }
    Store { engine, folder }
}

/// The same events under other ids.
fn others(input: &Input) -> Vec<Prepared> {
    let mut bytes = input.bytes.clone();
    let mark = br#""id":""#;
    let found = bytes.windows(mark.len()).enumerate().filter(|(_, found)| found == mark);
    let marks: Vec<usize> = found.map(|(at, _)| at + mark.len()).collect();
    // No digits, so that none of these ids is one of the file; the other 30 digits still tell them apart.
    marks.into_iter().for_each(|at| bytes[at..at + 2].copy_from_slice(b"zz"));
    let raws = crate::input::cut(input.decoder.chunks(Box::new(std::io::Cursor::new(bytes))));
    let decode = |raw| Prepared::new(&input.keys, input.decode(&input.decoder, raw));
    raws.into_iter().map(decode).collect()
}
