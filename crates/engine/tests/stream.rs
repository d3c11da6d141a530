//! A feed that is larger than the memory: tables are flushed again and again while it streams.

use std::io::Cursor;
use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Caller, Engine, FeedOptions, FixedClock, Options, UsageQuery};
use metering::{Instant, Keys};
use store::{RealDisk, SegmentSizes};

const EVENTS: usize = 40_000;

fn caller() -> Caller {
    Caller { actor: "test".to_owned(), reason: None, idempotency_key: None }
}

fn open(folder: &std::path::Path, in_background: bool) -> Engine {
    let options = Options {
        clock: Arc::new(FixedClock::at(Instant::parse_rfc3339("2026-11-03T00:00:00Z").expect("a time"))),
        random: Box::new(|bytes| bytes.fill(7)),
        keys: Some(Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }),
        actor: "test".to_owned(),
        sizes: SegmentSizes { log_bytes: 1 << 20, journal_bytes: 1 << 20 },
        // So little that nearly every chunk is too much.
        memory_bytes: 400_000,
        in_background,
    };
    let mut engine =
        Engine::open(Arc::new(RealDisk::create(folder).expect("a folder")), options).expect("it opens");
    let config = "{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: quantity, unit: byte}\n---\n{kind: policy, policy: accounts, first_sight: \"create\"}";
    let documents = read_documents("config.yaml", config).expect("the configuration is right");
    let plan = engine.plan(&documents).expect("tables").expect("the plan is right");
    engine.apply(&caller(), &plan).expect("applied");
    engine
}

/// Every seventh event comes twice, the second time much later.
fn lines() -> String {
    let mut lines = String::new();
    for n in 0..EVENTS {
        let n = if n % 7 == 6 { n / 2 } else { n };
        lines.push_str(&format!(
            r#"{{"specversion":"1.0","id":"n-{n}","source":"s","type":"transfer","subject":"a-{}","time":"2026-10-{:02}T10:00:00Z","data":{{"quantity":{n}}}}}"#,
            n % 5_000,
            1 + n % 28
        ));
        lines.push('\n');
    }
    lines
}

fn totals(engine: &Engine) -> (u64, String) {
    let query = UsageQuery {
        meter: "bytes",
        account: None,
        only: &[],
        start: Instant(i64::MIN),
        end: Instant(i64::MAX),
        as_of: engine.end(),
    };
    let totals = engine.usage(&query).expect("usage");
    (totals.records, totals.quantity.to_string())
}

#[test]
fn what_is_counted_anew_beside_merges_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let feed = Feed { name: "f".to_owned(), source: "f".to_owned() };
    let send = |engine: &mut Engine| {
        let decoder = Decoder::cloud_events();
        let chunks = decoder.chunks(Box::new(Cursor::new(lines().into_bytes())));
        let options = FeedOptions { batch_records: 200, threads: 2 };
        engine.ingest(&caller(), &decoder, &feed, chunks, options, &mut |_| {}).expect("a feed")
    };
    let mut engine = open(folder.path(), true);
    let accepted = send(&mut engine).records("accepted");
    let expected = totals(&engine);
    engine.close().expect("closed");
    for round in 0..4 {
        std::fs::remove_file(folder.path().join("checkpoint")).expect("removed");
        // All of the log is counted again: flushes, and merges on a thread of their own.
        let mut engine = open(folder.path(), true);
        assert_eq!(totals(&engine), expected, "round {round}");
        assert_eq!(send(&mut engine).records("accepted"), 0, "round {round}");
        assert_eq!(totals(&engine), expected, "round {round}");
        engine.close().expect("closed");
        let engine = open(folder.path(), true);
        assert!(!engine.notes().iter().any(|note| note.contains("anew")), "{round}: {:?}", engine.notes());
        assert_eq!((totals(&engine), accepted), (expected.clone(), expected.0), "round {round}");
        engine.close().expect("closed");
    }
}

#[test]
fn a_feed_larger_than_the_memory_streams_through() {
    let unique: std::collections::BTreeSet<usize> =
        (0..EVENTS).map(|n| if n % 7 == 6 { n / 2 } else { n }).collect();
    let expected = (unique.len() as u64, unique.iter().sum::<usize>().to_string());
    for in_background in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let feed = Feed { name: "f".to_owned(), source: "f".to_owned() };
        let decoder = Decoder::cloud_events();
        for round in 0..2 {
            let mut engine = open(folder.path(), in_background);
            let input = decoder.chunks(Box::new(Cursor::new(lines().into_bytes())));
            // Small chunks: many more than may be under way at a time.
            let options = FeedOptions { batch_records: 200, threads: 3 };
            let mut heard = 0;
            let report = engine
                .ingest(&caller(), &decoder, &feed, input, options, &mut |received| heard = received)
                .expect("it streams");
            assert_eq!((report.received, heard), (EVENTS as u64, EVENTS as u64));
            let accepted = if round == 0 { unique.len() as u64 } else { 0 };
            assert_eq!(report.records("accepted"), accepted, "round {round}");
            assert_eq!(report.records("duplicate"), EVENTS as u64 - accepted, "round {round}");
            assert_eq!(totals(&engine), expected);
            assert!(engine.runs().0 > 1 && engine.runs().1 > 1, "{:?}", engine.runs());
            engine.close().expect("closed");
        }
    }
}
