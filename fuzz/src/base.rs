//! A small valid store, made once: what damage is done to.

use std::sync::{Arc, LazyLock};

use metering::{Code, Event, Instant, Value};
use money::Sum;
use sim::faulty_disk::FaultyDisk;
use store::{
    Accepted, BlockDraft, Class, Counter, CounterKey, CreateOptions, Disk, FirstSight, Kept, KnownDurable,
    OpenOptions, Opened, Roots, Row, RowDraft, SegmentSizes, StoreError,
};

const SIZES: SegmentSizes = SegmentSizes { log_bytes: 6 * 1024, journal_bytes: 4 * 1024 };
pub const NOW: Instant = Instant(1_785_542_400_000_000_000);

/// A store at rest, and what it acknowledged.
pub struct Base {
    pub disk: FaultyDisk,
    pub blocks: Vec<BlockDraft>,
    pub rows: Vec<Row>,
    pub end: u64,
}

/// Closed properly, so that everything in it is known to be durable.
pub static CLOSED: LazyLock<Base> = LazyLock::new(|| make(true));
/// Killed after everything was acknowledged.
pub static KILLED: LazyLock<Base> = LazyLock::new(|| make(false));

pub fn shared(disk: &FaultyDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub fn open(disk: &FaultyDisk) -> Result<(Roots, Opened), StoreError> {
    let known = KnownDurable::default();
    let options = OpenOptions { now: NOW, actor: "fuzz".to_owned(), known, sizes: SIZES };
    Roots::open(shared(disk), options)
}

fn make(is_closed: bool) -> Base {
    let disk = FaultyDisk::new();
    let mut next = 0u8;
    let mut random = |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            next = next.wrapping_mul(31).wrapping_add(7);
            next
        });
    };
    let actor = "fuzz".to_owned();
    let options = CreateOptions { keys: None, random: &mut random, now: NOW, actor, sizes: SIZES };
    let mut roots = Roots::create(shared(&disk), options).expect("a store");
    let (mut blocks, mut rows) = (Vec::new(), Vec::new());
    for number in 0..12 {
        let draft = block(number, &roots);
        roots.append_block(&draft).expect("a block");
        blocks.push(draft);
        roots.sync_log().expect("a sync");
        if number % 3 == 0 {
            let cut = roots.cut_now().expect("a cut");
            rows.push(roots.append_row(row(number, cut), NOW).expect("a row"));
        }
    }
    let end = roots.end();
    if is_closed {
        roots.close(NOW, &[]).expect("it closes");
    } else {
        drop(roots);
    }
    Base { disk: disk.after_kill(), blocks, rows, end }
}

fn block(number: u32, roots: &Roots) -> BlockDraft {
    let event = |index: u32| Event {
        source: "api".to_owned(),
        id: format!("{:x}", u128::from(number) * 0x1_0000_0001 + u128::from(index)),
        event_type: "call".to_owned(),
        account: format!("org-{number}"),
        occurred_at: Instant(NOW.0 - i64::from(index) * 1_000_000_000),
        properties: Value::Object(vec![
            ("project".to_owned(), Value::Text(format!("p{}", number % 3))),
            ("quantity".to_owned(), Value::Number("1.5".to_owned())),
        ]),
    };
    let events: Vec<(u32, Event)> = (0..number % 5 + 1).map(|index| (index, event(index))).collect();
    let accepted = events.len() as u32;
    let counter = |fate, code, records| {
        let key = CounterKey { feed: "f".to_owned(), source: Some("api".to_owned()), fate, code };
        Counter { key, records, units: Sum::parse("1.5").expect("a sum") }
    };
    let head = roots.head();
    BlockDraft {
        records: accepted + 1,
        known_at: head.number,
        known_hash: head.hash,
        received_at: roots.last_received_at().map_or(NOW, |last| Instant(last.0 + 1)),
        counters: vec![
            counter("accepted", None, u64::from(accepted)),
            counter("rejected", Some(Code::JsonSyntax), 1),
        ],
        first_sight: vec![FirstSight { account: format!("org-{number}"), index: 0 }],
        accepted: Accepted::of_events(events.iter().map(|(index, event)| (*index, event))),
        kept: vec![Kept {
            index: accepted,
            code: Code::JsonSyntax,
            message: "broken".to_owned(),
            feed: "f".to_owned(),
            line: u64::from(accepted) + 1,
            format: "cloudevents".to_owned(),
            source: None,
            id: None,
            body: b"{".repeat(number as usize * 40),
        }],
    }
}

fn row(number: u32, cut: store::Cut) -> RowDraft {
    RowDraft {
        class: Class::Terms,
        actor: "ada".to_owned(),
        reason: Some(format!("reason {number}")),
        idempotency_key: None,
        command: "fuzz".to_owned(),
        command_version: 1,
        input: format!("input {}", "x".repeat(number as usize * 90)).into(),
        result: true.into(),
        effects: Vec::new(),
        cut: Some(cut),
        references: Vec::new(),
    }
}
