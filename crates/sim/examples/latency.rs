//! How long a durable batch of 1,000 events takes, and how many a second 64 writers get through.
//!
//! `cargo run --release -p sim --example latency -- FOLDER [SECONDS] [WRITERS]`; the folder must be empty, and holds
//! the store afterwards.

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use connectors::{Decoder, Feed};
use engine::{EngineError, Shard};
use support::{Batches, line, open_configured, per_mille};

const BATCH: u64 = 1_000;

fn main() -> Result<(), EngineError> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().expect("a folder"));
    let seconds = args.next().map_or(60, |text| text.parse().expect("seconds"));
    let writers = args.next().map_or(64, |text| text.parse().expect("writers"));
    one_writer(&folder.join("one"), Duration::from_secs(seconds))?;
    bare(&folder.join("bare"), Duration::from_secs(seconds.min(20)));
    many_writers(&folder.join("many"), writers, Duration::from_secs(seconds.min(20)))
}

fn report(what: &str, mut nanoseconds: Vec<u64>) {
    nanoseconds.sort_unstable();
    let at = |mille| per_mille(&nanoseconds, mille);
    let max = nanoseconds.last().copied().unwrap_or(0) / 1000;
    println!(
        "{what}: {} batches, p50 {} us, p99 {} us, p99.9 {} us, max {max} us",
        nanoseconds.len(),
        at(500),
        at(990),
        at(999)
    );
}

fn one_writer(folder: &Path, length: Duration) -> Result<(), EngineError> {
    let mut engine = open_configured(folder)?;
    let (decoder, feed) = (Decoder::cloud_events(), Feed { name: "bench".into(), source: "bench".into() });
    let (begin, mut took, mut number) = (Instant::now(), Vec::new(), 0);
    while begin.elapsed() < length {
        let mut batch = Vec::with_capacity(256 * 1024);
        (number..number + BATCH).for_each(|number| line(number, 0, &mut batch));
        number += BATCH;
        let start = Instant::now();
        let answer = engine.append_bytes(&decoder, &feed, batch)?;
        took.push(start.elapsed().as_nanos() as u64);
        assert_eq!(answer.fates.len() as u64, BATCH);
    }
    let runs = engine.runs();
    println!(
        "one writer: {number} events in {:?}, {} cell runs and {} index runs written or merged",
        begin.elapsed(),
        runs.0,
        runs.1
    );
    report("one writer, a durable batch of 1,000", took);
    engine.close()
}

/// The same bytes that a block of such a batch has, written and synced without any work.
fn bare(file: &Path, length: Duration) {
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let handle = File::options().create(true).truncate(true).write(true).open(file).expect("a file");
    let bytes = vec![0x5a; 32 * 1024];
    let (begin, mut took, mut at) = (Instant::now(), Vec::new(), 0);
    while begin.elapsed() < length {
        let start = Instant::now();
        handle.write_all_at(&bytes, at).and_then(|()| handle.sync_data()).expect("a write");
        took.push(start.elapsed().as_nanos() as u64);
        at += bytes.len() as u64;
    }
    report("bare write and fdatasync of 32 KiB", took);
    std::fs::remove_file(file).expect("removed");
}

fn many_writers(folder: &Path, writers: u64, length: Duration) -> Result<(), EngineError> {
    let shard = Arc::new(Shard::start(open_configured(folder)?)?);
    let total = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let threads: Vec<_> = (0..writers)
        .map(|writer| {
            let (shard, total) = (Arc::clone(&shard), Arc::clone(&total));
            std::thread::spawn(move || -> Result<Vec<u64>, EngineError> {
                let (decoder, feed) =
                    (Decoder::cloud_events(), Feed { name: "bench".into(), source: "bench".into() });
                let mut took = Vec::new();
                let mut number = writer * BATCH;
                let batches = Batches::of(BATCH, number);
                while begin.elapsed() < length {
                    let batch = batches.numbered(number);
                    number += writers * BATCH;
                    let start = Instant::now();
                    let answer = shard.append(&decoder, &feed, batch)?;
                    took.push(start.elapsed().as_nanos() as u64);
                    total.fetch_add(answer.fates.len() as u64, Ordering::Relaxed);
                }
                Ok(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for thread in threads {
        took.extend(thread.join().expect("a writer")?);
    }
    let elapsed = begin.elapsed();
    let events = total.load(Ordering::Relaxed);
    println!(
        "{writers} writers: {events} events in {elapsed:?}, {} events/s",
        events * 1000 / elapsed.as_millis().max(1) as u64
    );
    report("many writers, a durable batch of 1,000", took);
    Arc::into_inner(shard).expect("all writers have left").close()
}
