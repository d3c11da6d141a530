//! A small run of the whole engine, crashed at every operation of the disk: nothing acknowledged is lost,
//! nothing is counted twice, and the bill that follows is the same bill.

use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed, RawRecord};
use engine::{Caller, Engine, EngineError, FixedClock, Options, PeriodName};
use metering::{Instant, Keys};
use sim::faulty_disk::{FaultyDisk, PowerCut};
use store::SegmentSizes;
use store::tables::InvoiceFilter;

const EVENTS: usize = 100;
const BATCH: usize = 9;
/// One of c-0, two of c-1 (a stub and its first whole period), one of c-2.
const INVOICES: usize = 4;

const CONFIG: &str = r#"
{kind: seller, seller: s, series: S, zone: UTC, currency: USD}
---
{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: quantity, unit: byte}
---
{kind: plan, plan: p, currency: USD, items: {base: {fee: "5", every: month, pay: after}, bytes: {usage: bytes, price: {unit: "0.013"}}}}
---
{kind: policy, policy: accounts, first_sight: create}
---
{kind: plan, plan: ahead, currency: USD, items: {base: {fee: "7", every: month}, bytes: {usage: bytes, included: "40", price: {unit: "0.02"}}}}
---
{kind: account, account: a-0}
---
{kind: account, account: a-1}
---
{kind: account, account: a-2}
---
{kind: contract, contract: c-0, account: a-0, seller: s, plan: p, currency: USD, start: 2026-10-01}
---
{kind: contract, contract: c-1, account: a-1, seller: s, plan: ahead, currency: USD, start: 2026-10-10, anchor: 15}
---
{kind: contract, contract: c-2, account: a-2, payer: a-0, seller: s, plan: ahead, currency: USD, start: 2026-10-01}
"#;

fn keys() -> Keys {
    Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }
}

fn caller() -> Caller {
    Caller { actor: "test".to_owned(), reason: None, idempotency_key: None }
}

fn open(disk: &FaultyDisk) -> Result<Engine, EngineError> {
    let now = Instant::parse_rfc3339("2026-11-20T00:00:00Z").expect("a time");
    Engine::open(
        Arc::new(disk.clone()),
        Options {
            clock: Arc::new(FixedClock::at(now)),
            random: Box::new(|bytes| bytes.fill(7)),
            keys: Some(keys()),
            actor: "test".to_owned(),
            sizes: SegmentSizes { log_bytes: 16 << 10, journal_bytes: 16 << 10 },
            memory_bytes: engine::MEMORY_BYTES,
            in_background: false,
        },
    )
}

/// The records of the run: 100 events, some sent again, some broken.
fn records() -> Vec<RawRecord> {
    let mut lines = Vec::new();
    for n in 0..EVENTS {
        let event = |n: usize| {
            format!(
                "{{\"specversion\":\"1.0\",\"id\":\"n-{n}\",\"source\":\"f\",\"type\":\"transfer\",\"subject\":\"a-{}\",\
                 \"time\":\"2026-10-{:02}T00:00:00Z\",\"data\":{{\"quantity\":{n}}}}}",
                n % 3,
                n % 28 + 1
            )
        };
        lines.push(event(n));
        if n % 10 == 7 {
            lines.push(event(n / 2));
        }
        if n % 25 == 13 {
            lines.push("{broken".to_owned());
        }
    }
    let mut records = Vec::new();
    for (line, text) in (1..).zip(lines) {
        records.push(RawRecord::new(line, text.into_bytes()));
    }
    records
}

/// What the run was told: how far it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    configured: bool,
    acknowledged: usize,
    billed: bool,
}

fn configure(engine: &mut Engine) -> Result<(), EngineError> {
    let documents = read_documents("config.yaml", CONFIG).expect("the configuration is right");
    let plan = engine.plan(&documents)?.expect("the plan is right");
    engine.apply(&caller(), &plan).map(|_| ())
}

fn send(engine: &mut Engine, records: &[RawRecord], told: &mut Told) -> Result<(), EngineError> {
    let feed = Feed { name: "f".to_owned(), source: "f".to_owned() };
    let decoder = Decoder::cloud_events();
    for (number, batch) in records.chunks(BATCH).enumerate() {
        let lines: Vec<&[u8]> = batch.iter().map(|record| record.bytes.as_slice()).collect();
        engine.append_bytes(&decoder, &feed, lines.join(&b'\n'))?;
        told.acknowledged = told.acknowledged.max((number + 1) * BATCH).min(records.len());
        // Often enough that runs merge, also across each other's names.
        if number % 2 == 1 {
            engine.checkpoint_now(false)?;
        }
    }
    Ok(())
}

/// The whole run; repeating it on what a crash left ends at the same place.
fn run(disk: &FaultyDisk, told: &mut Told) -> Result<(), EngineError> {
    let mut engine = open(disk)?;
    configure(&mut engine)?;
    told.configured = true;
    send(&mut engine, &records(), told)?;
    let period: PeriodName = "2026-10".parse()?;
    match engine.invoice_run(&caller(), period, None, false) {
        Ok(_) => {}
        Err(error) if error.code == "period_already_billed" => {}
        Err(error) => {
            // As the command line does: what cannot be closed is left for the next open.
            let _ = engine.close();
            return Err(error);
        }
    }
    told.billed = true;
    engine.close()
}

/// What must be the same after any crash and a retry.
#[derive(Debug, PartialEq)]
struct Seen {
    bodies: Vec<String>,
    totals: Vec<(String, u64, String, String)>,
    balances: String,
}

fn see(disk: &FaultyDisk) -> Seen {
    let engine = open(disk).expect("it opens");
    let invoices = engine.tables().invoices(&InvoiceFilter::default()).expect("tables");
    let totals = engine.accepted_by_source().expect("cells");
    assert_eq!(engine.check_sums().expect("sums"), Vec::<String>::new());
    Seen {
        bodies: invoices.iter().map(|invoice| invoice.body.to_string()).collect(),
        totals: totals
            .into_iter()
            .map(|(source, t)| (source, t.records, t.quantity.to_string(), t.digest.to_string()))
            .collect(),
        balances: format!("{:?}", engine.tables().balances().expect("the ledger")),
    }
}

/// Everything acknowledged is there right after the crash, before anything is sent again.
fn check_acknowledged(disk: &FaultyDisk, told: Told, at: &str) {
    if !told.configured {
        return;
    }
    let engine = open(disk).unwrap_or_else(|error| panic!("{error} ({at})"));
    assert!(engine.end() >= told.acknowledged as u64, "{} records, told {told:?} ({at})", engine.end());
    assert_eq!(engine.check_sums().expect("sums"), Vec::<String>::new(), "{at}");
    if told.billed {
        let invoices = engine.tables().invoices(&InvoiceFilter::default()).expect("tables");
        assert_eq!(invoices.len(), INVOICES, "{at}");
    }
}

fn verify(disk: &FaultyDisk, at: &str) {
    let clock = Arc::new(FixedClock::at(Instant(0)));
    let verified =
        engine::verify(Arc::new(disk.clone()), None, clock).unwrap_or_else(|e| panic!("{e} ({at})"));
    assert_eq!(verified.findings, Vec::new(), "{at}");
}

/// A run without a fault: how many operations and syncs it had, how many bytes it left, what it must end at.
struct Reference {
    operations: u64,
    syncs: u64,
    bytes: u64,
    seen: Seen,
}

fn reference() -> Reference {
    let disk = FaultyDisk::new();
    run(&disk, &mut Told::default()).expect("no fault");
    let (operations, syncs, bytes) = (disk.operations(), disk.syncs(), disk.bytes());
    verify(&disk, "no fault");
    let seen = see(&disk);
    assert_eq!(seen.totals[0].1, EVENTS as u64);
    assert_eq!(seen.bodies.len(), INVOICES);
    let issued = seen.bodies.iter().filter(|body| body.contains("\"number\":\"S-00000"));
    assert_eq!(issued.count(), INVOICES, "gapless and all issued");
    Reference { operations, syncs, bytes, seen }
}

#[test]
fn every_crash_point() {
    let Reference { operations, seen: expected, .. } = reference();
    let seed = 20_261_124u64;
    println!("{operations} crash points, seed {seed}");
    for operation in 0..operations {
        let crashed = FaultyDisk::new();
        crashed.crash_at(operation, seed + operation);
        let mut told = Told::default();
        let result = run(&crashed, &mut told);
        assert!(result.is_err() || crashed.has_crashed(), "operation {operation}");
        let cut = match operation % 3 {
            0 => PowerCut::LoseAll,
            1 => PowerCut::Partial,
            _ => PowerCut::Torn,
        };
        let images =
            [("kill", crashed.after_kill()), ("power cut", crashed.after_power_cut(seed ^ operation, cut))];
        for (image, left) in images {
            let at = format!("operation {operation} {:?}, {image} {cut:?}", crashed.trace().last());
            check_acknowledged(&left, told, &at);
            run(&left, &mut Told::default()).unwrap_or_else(|error| panic!("{error} ({at})"));
            verify(&left, &at);
            assert_eq!(see(&left), expected, "{at}");
            if operation % (operations / 20).max(1) == 0 {
                rebuild(&left, &expected, &at);
            }
        }
    }
}

/// Without all that is derived, the same is made again.
fn rebuild(disk: &FaultyDisk, expected: &Seen, at: &str) {
    for name in disk.names() {
        if !name.starts_with("log/") && !name.starts_with("journal/") && name != "keys" {
            disk.erase(&name);
        }
    }
    assert_eq!(&see(disk), expected, "rebuilt, {at}");
    let mut told = Told::default();
    run(disk, &mut told).unwrap_or_else(|error| panic!("{error} (rebuilt, {at})"));
    verify(disk, &format!("rebuilt, {at}"));
}

#[test]
fn every_failed_sync() {
    let Reference { syncs, seen: expected, .. } = reference();
    for sync in 0..syncs {
        let failing = FaultyDisk::new();
        failing.fail_sync(sync);
        let mut told = Told::default();
        let result = run(&failing, &mut told);
        let at = format!("sync {sync}");
        // A failed sync may also hit a file whose loss only costs a rebuild; then the run goes on.
        if let Err(error) = &result {
            assert!(!error.hint.is_empty(), "{at}: {error}");
        }
        let left = failing.after_power_cut(sync, PowerCut::LoseAll);
        check_acknowledged(&left, told, &at);
        run(&left, &mut Told::default()).unwrap_or_else(|error| panic!("{error} ({at})"));
        assert_eq!(see(&left), expected, "{at}");
    }
}

#[test]
fn a_full_disk_loses_nothing_acknowledged() {
    let Reference { bytes, seen: expected, .. } = reference();
    for share in 1..40 {
        let full = FaultyDisk::new();
        full.limit_bytes(Some(bytes * share / 40));
        let mut told = Told::default();
        let at = format!("{share}/40 of the bytes");
        if let Err(error) = run(&full, &mut told) {
            assert!(!error.hint.is_empty(), "{at}: {error}");
        }
        let left = full.after_kill();
        left.limit_bytes(None);
        check_acknowledged(&left, told, &at);
        run(&left, &mut Told::default()).unwrap_or_else(|error| panic!("{error} ({at})"));
        assert_eq!(see(&left), expected, "{at}");
    }
}
