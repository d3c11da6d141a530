//! An engine over a disk with faults, and what was sent to it, for the tests of the protocol's rules.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

pub mod watched;

use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Answer, Caller, Engine, EngineError, FixedClock, Options, Totals, UsageQuery};
use metering::{Fate, Instant, Keys};
use sim::faulty_disk::FaultyDisk;
use store::{Block, BlockHeader, Disk, Hash, Roots, Row, SegmentSizes};

pub const CONFIG: &str = r#"
{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: quantity, unit: byte}
---
{kind: policy, policy: accounts, first_sight: create}
"#;

pub const NOW: &str = "2026-11-03T00:00:00Z";

pub fn time(text: &str) -> Instant {
    Instant::parse_rfc3339(text).expect("a time")
}

pub fn keys() -> Keys {
    Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }
}

pub fn caller() -> Caller {
    Caller { actor: "test".to_owned(), reason: None, idempotency_key: None }
}

pub fn feed() -> Feed {
    Feed { name: "f".to_owned(), source: "f".to_owned() }
}

pub fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(time(NOW)))
}

pub fn options(clock: Arc<FixedClock>) -> Options {
    Options {
        clock,
        random: Box::new(|bytes| bytes.fill(7)),
        keys: Some(keys()),
        actor: "test".to_owned(),
        sizes: SegmentSizes { log_bytes: 16 << 10, journal_bytes: 16 << 10 },
        memory_bytes: engine::MEMORY_BYTES,
        in_background: false,
    }
}

pub fn shared(disk: &FaultyDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub fn try_open(disk: &FaultyDisk) -> Result<Engine, EngineError> {
    Engine::open(shared(disk), options(clock()))
}

pub fn open(disk: &FaultyDisk) -> Engine {
    try_open(disk).unwrap_or_else(|error| panic!("{error}"))
}

/// An engine with a meter that sums; accounts come by themselves.
pub fn configured(disk: &FaultyDisk) -> Engine {
    let mut engine = open(disk);
    configure(&mut engine, CONFIG).expect("applied");
    engine
}

pub fn configure(engine: &mut Engine, config: &str) -> Result<(), EngineError> {
    let documents = read_documents("config.yaml", config).expect("the configuration is right");
    let plan = engine.plan(&documents)?.expect("the plan is right");
    engine.apply(&caller(), &plan).map(|_| ())
}

/// A transfer of `quantity` by source `s`.
pub fn transfer(id: &str, account: &str, quantity: u64) -> String {
    of_source("s", id, account, quantity)
}

pub fn of_source(source: &str, id: &str, account: &str, quantity: u64) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"transfer","subject":"{account}","time":"2026-10-05T10:00:00Z","data":{{"quantity":{quantity}}}}}"#
    )
}

/// Numbered events, each its own bit of the sum.
pub fn numbered(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| transfer(&format!("n-{n}"), &format!("a-{}", n % 3), 1 << n)).collect()
}

pub fn send(engine: &mut Engine, lines: &[String]) -> Result<Answer, EngineError> {
    send_as(engine, "f", lines)
}

pub fn send_as(engine: &mut Engine, feed: &str, lines: &[String]) -> Result<Answer, EngineError> {
    let feed = Feed { name: feed.to_owned(), source: feed.to_owned() };
    engine.append_bytes(&Decoder::cloud_events(), &feed, lines.join("\n").into_bytes())
}

/// What a meter counted below a position.
pub fn total(engine: &Engine, as_of: u64) -> Totals {
    engine.usage(&query(as_of)).expect("usage")
}

pub fn query(as_of: u64) -> UsageQuery<'static> {
    let (start, end) = (Instant(i64::MIN), Instant(i64::MAX));
    UsageQuery { meter: "bytes", account: None, only: &[], start, end, as_of }
}

/// Records and quantity of everything.
pub fn counted(engine: &Engine) -> (u64, String) {
    let total = total(engine, engine.end());
    (total.records, total.quantity.to_string())
}

/// All fates as `feed/source/fate/code`, with records and units.
pub fn fates(engine: &Engine) -> Vec<(String, u64, String)> {
    let rows = engine.tables().fates().expect("tables");
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let key = [row.feed, or_none(row.source), row.fate, or_none(row.code)].join("/");
            (key, row.records, row.units.to_string())
        })
        .collect();
    rows.sort();
    rows
}

pub fn how_many(answer: &Answer, fate: Fate) -> usize {
    answer.fates.iter().filter(|found| **found == fate).count()
}

/// What lies in the roots of a disk, read from a copy of it as a killed process would leave it.
pub struct Laid {
    pub headers: Vec<(BlockHeader, Hash)>,
    pub blocks: Vec<Block>,
    pub rows: Vec<Row>,
}

pub fn laid(disk: &FaultyDisk) -> Laid {
    let (roots, _) = Roots::open_read_only(shared(&disk.after_kill())).expect("roots");
    Laid {
        headers: roots.headers(0).map(|header| header.expect("a header")).collect(),
        blocks: roots.blocks(0).map(|block| block.expect("a block")).collect(),
        rows: roots.rows(1).map(|row| row.expect("a row")).collect(),
    }
}

pub fn verify(disk: &FaultyDisk, at: &str) {
    let clock = Arc::new(FixedClock::at(Instant(0)));
    let verified = engine::verify(shared(&disk.after_kill()), None, clock);
    assert_eq!(verified.unwrap_or_else(|error| panic!("{error} ({at})")).findings, Vec::new(), "{at}");
}

/// Removes all that can be made again.
pub fn forget_derived(disk: &FaultyDisk) {
    for name in disk.names() {
        if !name.starts_with("log/") && !name.starts_with("journal/") && name != "keys" {
            disk.erase(&name);
        }
    }
}

/// The newest segment of the log.
pub fn last_segment(disk: &FaultyDisk) -> String {
    let names = disk.names().into_iter().filter(|name| name.ends_with(".seg"));
    names.max().expect("a segment")
}
