//! A small run of a store, and a model of what it has acknowledged.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

use std::sync::Arc;

use metering::{Code, Event, Instant, Keys, Value};
use money::Sum;
use serde_json::json;
use sim::faulty_disk::FaultyDisk;
use store::{
    Accepted, BlockDraft, Class, Counter, CounterKey, CreateOptions, Disk, ErrorKind, FirstSight, Kept,
    KnownDurable, OpenOptions, Opened, Roots, Row, RowDraft, SegmentSizes, StoreError, check_files,
};

pub const SIZES: SegmentSizes = SegmentSizes { log_bytes: 6 * 1024, journal_bytes: 4 * 1024 };
pub const NOW: Instant = Instant(1_785_542_400_000_000_000);

pub fn shared(disk: &FaultyDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub fn create(disk: &FaultyDisk) -> Result<Roots, StoreError> {
    let mut next = 0u8;
    let mut random = |bytes: &mut [u8]| {
        for byte in bytes {
            next = next.wrapping_mul(31).wrapping_add(7);
            *byte = next;
        }
    };
    let options =
        CreateOptions { keys: None, random: &mut random, now: NOW, actor: "test".to_owned(), sizes: SIZES };
    Roots::create(shared(disk), options)
}

pub fn open(disk: &FaultyDisk) -> Result<(Roots, Opened), StoreError> {
    let options =
        OpenOptions { now: NOW, actor: "test".to_owned(), known: KnownDurable::default(), sizes: SIZES };
    Roots::open(shared(disk), options)
}

pub fn keys() -> Keys {
    Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }
}

fn counter(fate: &'static str, code: Option<Code>, records: u64) -> Counter {
    let key = CounterKey { feed: "usage.ndjson".to_owned(), source: Some("api".to_owned()), fate, code };
    Counter { key, records, units: Sum::parse("1.5").expect("a sum") }
}

/// A block with every fate: `seed` accepted records, one duplicate, one rejected, one conflict.
pub fn block(seed: u32, known: (u64, store::Hash), received_at: Instant) -> BlockDraft {
    let accepted_count = seed % 5 + 1;
    let events: Vec<(u32, Event)> =
        (0..accepted_count).map(|place| (place * 2, accepted(seed, place * 2))).collect();
    let accepted = Accepted::of_events(events.iter().map(|(index, event)| (*index, event)));
    let after = accepted_count * 2;
    let body =
        format!("{{\"broken\": {seed}").into_bytes().repeat(if seed.is_multiple_of(7) { 60 } else { 1 });
    let kept = |index, code, body: Vec<u8>| Kept {
        index,
        code,
        message: format!("record {index} of {seed}"),
        feed: "usage.ndjson".to_owned(),
        line: u64::from(index) + 1,
        format: "cloudevents".to_owned(),
        source: None,
        id: Some(format!("id-{seed}")),
        body,
    };
    BlockDraft {
        records: after + 3,
        known_at: known.0,
        known_hash: known.1,
        received_at,
        counters: vec![
            counter("accepted", None, u64::from(accepted_count)),
            counter("duplicate", None, u64::from(accepted_count) + 1),
            counter("conflict", Some(Code::Conflict), 1),
            counter("rejected", Some(Code::JsonSyntax), 1),
        ],
        first_sight: vec![FirstSight { account: format!("org-{seed}"), index: 0 }],
        accepted,
        kept: vec![kept(after, Code::JsonSyntax, body), kept(after + 2, Code::Conflict, b"{}".to_vec())],
    }
}

fn accepted(seed: u32, index: u32) -> Event {
    let id = match index % 4 {
        0 => format!("{:032x}", u128::from(seed) * 1_000_003 + u128::from(index)),
        1 => format!("{seed}"),
        _ => format!("evt/{seed}/{index}"),
    };
    let properties = Value::Object(vec![
        ("project".to_owned(), Value::Text(format!("p{}", seed % 3))),
        ("quantity".to_owned(), Value::Number("1.5".to_owned())),
    ]);
    Event {
        source: "api".to_owned(),
        id,
        event_type: "call".to_owned(),
        account: format!("org-{seed}"),
        occurred_at: Instant(NOW.0 - i64::from(index) * 1_000_000_000),
        properties,
    }
}

pub fn row(seed: u32, cut: Option<store::Cut>) -> RowDraft {
    RowDraft {
        class: Class::Terms,
        actor: "ada".to_owned(),
        reason: Some(format!("reason {seed}")),
        idempotency_key: None,
        command: "test".to_owned(),
        command_version: 1,
        input: json!({ "seed": seed, "filler": "x".repeat(seed as usize % 3 * 400) }),
        result: json!({ "done": true }),
        effects: Vec::new(),
        cut,
        references: Vec::new(),
    }
}

/// What was asked for, and what was acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Every block that was handed over, in order.
    pub blocks: Vec<BlockDraft>,
    /// Every row that was handed over, in order.
    pub rows: Vec<RowDraft>,
    /// All records below it were acknowledged.
    pub position: u64,
    /// Rows that were acknowledged.
    pub acknowledged: Vec<Row>,
    /// The creation was acknowledged.
    pub created: bool,
}

/// One step of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Block,
    Sync,
    Row,
    CutRow,
    /// Close and open again.
    Close,
    /// Drop without closing and open again.
    Drop,
}

/// The run: about 20 blocks, several segments of both logs, closed and dropped in between.
pub fn script() -> Vec<Step> {
    use Step::{Block, Close, CutRow, Drop, Row, Sync};
    vec![
        Row, Block, Sync, Block, Block, Sync, Row, Block, CutRow, Block, Sync, Drop, Block, Block, Sync, Row,
        Close, Block, Sync, Block, Close, Row, Block, Block, Sync, Drop, Block, Row, Block, Sync, CutRow,
        Block, Block, Drop, Row, Block, Sync, Block, Block, Sync, Block, Block,
    ]
}

/// Runs steps until one fails; the model then tells what was acknowledged.
pub fn run(disk: &FaultyDisk, steps: &[Step], model: &mut Model) -> Result<Option<Roots>, StoreError> {
    let mut roots = create(disk)?;
    model.created = true;
    for step in steps {
        roots = take(disk, roots, *step, model)?;
    }
    Ok(Some(roots))
}

pub fn take(disk: &FaultyDisk, mut roots: Roots, step: Step, model: &mut Model) -> Result<Roots, StoreError> {
    let seed = (model.blocks.len() + model.rows.len()) as u32;
    match step {
        Step::Block => {
            let head = roots.head();
            let received_at = roots.last_received_at().map_or(NOW, |last| Instant(last.0 + 1));
            let draft = block(seed, (head.number, head.hash), received_at);
            model.blocks.push(draft.clone());
            stops(&mut roots, |roots| roots.append_block(&draft))?;
        }
        Step::Sync => model.position = stops(&mut roots, Roots::sync_log)?,
        Step::Row | Step::CutRow => {
            let cut = match step {
                Step::CutRow => {
                    let cut = stops(&mut roots, Roots::cut_now)?;
                    model.position = cut.position;
                    Some(cut)
                }
                _ => None,
            };
            let draft = row(seed, cut);
            model.rows.push(draft.clone());
            let row = stops(&mut roots, |roots| roots.append_row(draft, NOW))?;
            model.acknowledged.push(row);
        }
        Step::Close => {
            let end = roots.end();
            roots.close(NOW, &[])?;
            model.position = end;
            let (again, opened) = open(disk)?;
            assert!(opened.clean && opened.cuts.is_empty(), "{opened:?}");
            return Ok(again);
        }
        Step::Drop => {
            let end = roots.end();
            drop(roots);
            let (again, opened) = open(disk)?;
            assert!(!opened.clean && opened.cuts.is_empty(), "{opened:?}");
            model.position = end;
            return Ok(again);
        }
    }
    Ok(roots)
}

/// After a failure nothing more is taken.
fn stops<T>(
    roots: &mut Roots,
    step: impl FnOnce(&mut Roots) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let result = step(roots);
    if result.is_err() {
        let closed = |error: StoreError| assert_eq!(error.kind, ErrorKind::Closed);
        closed(roots.sync_log().expect_err("closed"));
        closed(roots.append_row(row(0, None), NOW).expect_err("closed"));
        closed(roots.blocks(0).next().expect("an answer").expect_err("closed"));
    }
    result
}

/// Opens what is left and checks it against the model: everything acknowledged is there, and nothing but what was
/// handed over, in order.
pub fn check_left(disk: &FaultyDisk, model: &Model, context: &dyn Fn() -> String) -> Option<Roots> {
    let (roots, _) = match open(disk) {
        Ok(opened) => opened,
        Err(error) if error.kind == ErrorKind::NotFound && !model.created => {
            drop(create(disk).unwrap_or_else(|error| panic!("create again: {error} ({})", context())));
            return None;
        }
        Err(error) => panic!("open: {error}, files {:?} ({})", disk.names(), context()),
    };
    let blocks: Vec<_> = roots
        .blocks(0)
        .map(|block| block.unwrap_or_else(|error| panic!("blocks: {error} ({})", context())))
        .collect();
    let position = blocks.last().map_or(0, store::Block::end);
    assert_eq!(position, roots.end(), "{}", context());
    assert!(position >= model.position, "acknowledged {}, found {position} ({})", model.position, context());
    assert!(blocks.len() <= model.blocks.len(), "more blocks than were handed over ({})", context());
    for (block, draft) in blocks.iter().zip(&model.blocks) {
        assert_eq!(&block.draft, draft, "{}", context());
    }
    let rows: Vec<Row> = roots
        .rows(1)
        .map(|row| row.unwrap_or_else(|error| panic!("rows: {error} ({})", context())))
        .collect();
    for acknowledged in &model.acknowledged {
        assert_eq!(rows.get(acknowledged.number as usize - 1), Some(acknowledged), "{}", context());
    }
    let named: Vec<&str> =
        rows.iter().flat_map(|row| &row.draft.references).map(|file| file.name.as_str()).collect();
    for cut in disk.names().iter().filter(|name| name.contains("/cut-")) {
        assert!(named.contains(&cut.as_str()), "no row names `{cut}` ({})", context());
    }
    let ours: Vec<&RowDraft> =
        rows.iter().map(|row| &row.draft).filter(|draft| draft.command == "test").collect();
    assert!(ours.len() <= model.rows.len(), "{}", context());
    for (found, draft) in ours.iter().zip(&model.rows) {
        assert_eq!(*found, draft, "{}", context());
    }
    let check = check_files(&shared(disk)).unwrap_or_else(|error| panic!("check: {error} ({})", context()));
    assert_eq!(check.findings, [], "{}", context());
    Some(roots)
}
