//! Memory, throughput and answers as the number of distinct random ids grows.
//!
//! `cargo run --release -p sim --example ids -- grow FOLDER [MILLIONS]` writes into an empty folder and ends without
//! closing, as a `kill -9` would; `... probe FOLDER [MILLIONS]` opens it again, says how long until it answers, and
//! sends a million old ids of every age, a tenth of them with other content.

mod support;

use std::io::{BufRead, Read};
use std::path::Path;
use std::time::Instant;

use connectors::{Decoder, Feed};
use engine::{Engine, EngineError, FeedOptions};
use support::{caller, line, mix, open, open_configured, status_kib};

const PROBES: u64 = 1_000_000;
const MILLION: u64 = 1_000_000;

fn main() -> Result<(), EngineError> {
    let mut args = std::env::args().skip(1);
    let what = args.next().expect("grow or probe");
    let folder = args.next().expect("a folder");
    let millions: u64 = args.next().map_or(100, |text| text.parse().expect("a number"));
    match what.as_str() {
        "grow" => grow(Path::new(&folder), millions),
        "probe" => probe(Path::new(&folder), millions),
        _ => panic!("grow or probe"),
    }
}

/// Lines of numbered events, made as they are read.
struct Lines {
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Lines {
    fn between(from: u64, end: u64) -> Box<dyn BufRead + Send> {
        Box::new(Self { next: from, end, buffer: Vec::new(), at: 0 })
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Lines {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            let end = self.end.min(self.next + 1_000);
            (self.next..end).for_each(|number| line(number, 0, &mut self.buffer));
            self.next = end;
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

fn feed() -> Feed {
    Feed { name: "bench".to_owned(), source: "bench".to_owned() }
}

fn grow(folder: &Path, millions: u64) -> Result<(), EngineError> {
    let mut engine = open_configured(folder)?;
    let decoder = Decoder::cloud_events();
    println!("millions  events/s  resident now MiB  peak MiB");
    for step in (0..millions).step_by(10) {
        let end = (step + 10).min(millions);
        let lines = Lines::between(step * MILLION, end * MILLION);
        let begin = Instant::now();
        let chunks = decoder.chunks(lines);
        let report =
            engine.ingest(&caller(), &decoder, &feed(), chunks, FeedOptions::default(), &mut |_| {})?;
        let rate = report.records("accepted") * 1000 / begin.elapsed().as_millis().max(1) as u64;
        assert_eq!(report.records("accepted"), (end - step) * MILLION);
        println!("{end:8}  {rate:8}  {:16}  {:8}", status_kib("VmRSS") / 1024, status_kib("VmHWM") / 1024);
    }
    // No close: what is stored is what a crash leaves.
    std::process::exit(0);
}

fn probe(folder: &Path, millions: u64) -> Result<(), EngineError> {
    let begin = Instant::now();
    let mut engine = open(folder)?;
    let (first, fresh) = (send(&mut engine, &[(0, 0)])?, send(&mut engine, &[(millions * MILLION + 7, 0)])?);
    let total: u64 = engine.accepted_by_source()?.values().map(|totals| totals.records).sum();
    println!(
        "ready in {:?}: the first id is {first:?}, a new one {fresh:?}, {total} accepted in all",
        begin.elapsed()
    );
    assert!(first == [0, 1, 0, 0]);
    let old: Vec<(u64, u64)> = (0..PROBES)
        .map(|probe| (mix(probe ^ 0xabcd) % (millions * MILLION), u64::from(probe % 10 == 0)))
        .collect();
    for round in ["first", "second"] {
        let begin = Instant::now();
        let mut sums = [0; 4];
        for batch in old.chunks(10_000) {
            let found = send(&mut engine, batch)?;
            sums.iter_mut().zip(found).for_each(|(sum, count)| *sum += count);
        }
        let [accepted, duplicate, conflict, rejected] = sums;
        println!(
            "{round} million of old ids: {} a second, {accepted} accepted, {duplicate} duplicates, {conflict} conflicts, {rejected} rejected; peak {} MiB",
            PROBES * 1000 / begin.elapsed().as_millis().max(1) as u64,
            status_kib("VmHWM") / 1024
        );
        assert_eq!(sums, [0, PROBES / 10 * 9, PROBES / 10, 0]);
    }
    engine.close()
}

/// Sends events of some numbers; answers how many were accepted, duplicate, in conflict, rejected.
fn send(engine: &mut Engine, numbers: &[(u64, u64)]) -> Result<[u64; 4], EngineError> {
    let mut bytes = Vec::new();
    numbers.iter().for_each(|(number, content)| line(*number, *content, &mut bytes));
    let answer = engine.append_bytes(&Decoder::cloud_events(), &feed(), bytes)?;
    let count = |name: &str| {
        answer.counters.iter().filter(|counter| counter.key.fate == name).map(|counter| counter.records).sum()
    };
    Ok(["accepted", "duplicate", "conflict", "rejected"].map(count))
}
