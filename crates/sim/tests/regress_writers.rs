//! Where others lost or doubled what a broker or a server had in hand, at the face that both will stand on: many writers
//! and readers of one engine. Each test names the public reference; `docs/reference/regressions.md` lists them all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod rules_world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connectors::Decoder;
use engine::{Answer, Engine, EngineError, ErrorKind, Shard};
use metering::{Code, Fate};
use rules_world::watched::{Watched, What};
use rules_world::{
    clock, configured, counted, feed, laid, numbered, open, options, query, send, shared, transfer,
};
use sim::faulty_disk::{FaultyDisk, PowerCut};

fn append(shard: &Shard, lines: &[String]) -> Result<Answer, EngineError> {
    shard.append(&Decoder::cloud_events(), &feed(), lines.join("\n").into_bytes())
}

/// openmeter#5118: the mark of a duplicate was set before the write; where the write failed, the retry was refused as
/// a duplicate and never counted.
///
/// Many writers wait for one sync. Where it fails none of them is answered, whichever of them sent an event first, and
/// once the store is open again each retry counts.
#[test]
fn regress_failed_write_answers_no_writer() {
    let disk = FaultyDisk::new();
    drop(configured(&disk));
    let fails = Arc::new(AtomicBool::new(false));
    let watch = {
        let fails = Arc::clone(&fails);
        move |name: &str, what: What| match what {
            What::Sync if name.starts_with("log/") && fails.load(Ordering::SeqCst) => {
                Err(std::io::Error::other("the sync failed"))
            }
            _ => Ok(()),
        }
    };
    let engine =
        Engine::open(Arc::new(Watched::new(shared(&disk), watch)), options(clock())).expect("it opens");
    let shard = Shard::start(engine).expect("a thread");
    append(&shard, &numbered(0..4)).expect("no fault");
    fails.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            // Four that are new to all of them, and four that are durable already: no answer to either.
            scope.spawn(|| {
                let error = append(&shard, &numbered(0..8)).expect_err("nothing is durable any more");
                assert!(matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Closed), "{error}");
            });
        }
    });
    fails.store(false, Ordering::SeqCst);
    assert_eq!(append(&shard, &numbered(0..4)).expect_err("it stays closed").code, "store_closed");
    shard.close().expect_err("what failed is not closed as if it were whole");
    let left = disk.after_power_cut(0, PowerCut::LoseAll);
    let mut engine = open(&left);
    assert_eq!(counted(&engine), (4, "15".to_owned()));
    let fates = send(&mut engine, &numbered(0..8)).expect("no fault").fates;
    assert_eq!(fates, [vec![Fate::Duplicate; 4], vec![Fate::Accepted; 4]].concat());
}

/// openmeter#4902: the store of marks had seen events of which the store of events had no row.
///
/// What a reader is shown was durable before: the power may be cut behind any look.
#[test]
fn regress_readers_see_what_is_durable() {
    let disk = FaultyDisk::new();
    let shard = Shard::start(configured(&disk)).expect("a thread");
    let is_done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let shard = &shard;
                scope.spawn(move || {
                    for n in 0..20 {
                        let line = transfer(&format!("w-{writer}-{n}"), "a", 1);
                        append(shard, &[line.clone(), line]).expect("no fault");
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut looks = BTreeSet::new();
            while !is_done.load(Ordering::SeqCst) {
                let seen = shard.with(|engine| (engine.end(), counted(engine).0)).expect("it is open");
                let left = laid(&disk.after_power_cut(seen.0, PowerCut::LoseAll));
                let accepted: usize = left.blocks.iter().map(|block| block.draft.accepted.rows.len()).sum();
                assert!(accepted as u64 >= seen.1, "shown {seen:?}, found {accepted}");
                looks.insert(seen);
            }
            looks
        });
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        is_done.store(true, Ordering::SeqCst);
        reader.join().expect("no panic")
    });
    assert!(!looks.is_empty());
    shard.close().expect("closed");
    let engine = open(&disk);
    assert_eq!((engine.end(), counted(&engine).0), (120, 60));
}

/// Lago's events processor: where a part of a batch failed, the next commit went past what had failed.
///
/// Batches that share a sync stay apart: each is answered whole, in its order, with places of its own that no other
/// has, and what was refused holds its place.
#[test]
fn regress_batches_that_share_a_sync_stay_apart() {
    let disk = FaultyDisk::new();
    let shard = Shard::start(configured(&disk)).expect("a thread");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let shard = &shard;
                scope.spawn(move || {
                    let good = transfer(&format!("w-{writer}"), "a", 1);
                    let broken = "{broken".to_owned();
                    append(shard, &[broken.clone(), good.clone(), good, broken]).expect("no fault")
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("no panic")).collect()
    });
    let refused = Fate::Rejected(Code::JsonSyntax);
    for answer in &answers {
        assert_eq!(answer.fates, [refused, Fate::Accepted, Fate::Duplicate, refused]);
        assert_eq!(answer.messages.keys().copied().collect::<Vec<_>>(), [0, 3]);
    }
    let places: BTreeSet<u64> = answers.iter().map(|answer| answer.position).collect();
    assert_eq!(places.into_iter().collect::<Vec<_>>(), (0..8).map(|n| n * 4).collect::<Vec<_>>());
    shard.close().expect("closed");
    let engine = open(&disk);
    let kept = engine.quarantine(&store::tables::QuarantineFilter::default()).expect("tables");
    let kept: Vec<u64> = kept.iter().map(|row| row.position).collect();
    assert_eq!(kept, (0..8).flat_map(|n| [n * 4, n * 4 + 3]).collect::<Vec<_>>());
    assert_eq!(engine.events(&query(32)).expect("the log").len(), 8);
}
