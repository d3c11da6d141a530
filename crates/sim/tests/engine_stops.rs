//! What follows when a step fails, a thread panics or an engine is let go: it stops, says so, and the folder is whole.
//! `docs/reference/engine-rules.md` lists them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod rules_world;

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use connectors::Decoder;
use engine::{Engine, EngineError, ErrorKind, FeedOptions, Options, Shard};
use metering::Fate;
use rules_world::watched::{Watched, What};
use rules_world::{
    caller, clock, configure, configured, counted, feed, laid, numbered, open, options, query, send, shared,
    total, verify,
};
use sim::faulty_disk::{FaultyDisk, PowerCut};

/// Nothing is answered any more.
fn assert_stopped(engine: &mut Engine, at: &str) {
    let closed = |error: EngineError| {
        assert_eq!((error.kind, error.code), (ErrorKind::Closed, "store_closed"), "{at}: {error}");
        assert!(!error.hint.is_empty());
    };
    closed(send(engine, &numbered(0..1)).expect_err(at));
    closed(configure(engine, "{kind: account, account: late}").expect_err(at));
    closed(engine.checkpoint_now(false).expect_err(at));
    closed(engine.usage(&query(0)).map(|_| ()).expect_err(at));
}

const SECOND: &str = r#"
{kind: meter, meter: bytes, events: [transfer], aggregate: count, unit: byte, effective_at: 2026-01-01}
"#;

/// A meter's new version is in the journal, and counting the log anew failed: the engine went on, with identities
/// missing from memory, and took events that it had counted before.
#[test]
fn regress_counting_anew_that_fails_stops_the_engine() {
    let prepared = |disk: &FaultyDisk| {
        let mut engine = configured(disk);
        send(&mut engine, &numbered(0..4)).expect("no fault");
        engine.checkpoint_now(false).expect("no fault");
        send(&mut engine, &numbered(4..8)).expect("no fault");
        engine
    };
    let probe = FaultyDisk::new();
    let mut engine = prepared(&probe);
    let (first, first_sync) = (probe.operations(), probe.syncs());
    configure(&mut engine, SECOND).expect("no fault");
    let writes = (first..probe.operations()).map(|write| (write, u64::MAX));
    let syncs = (first_sync..probe.syncs()).map(|sync| (u64::MAX, sync));
    let (mut before, mut behind) = (0, 0);
    for (write, sync) in writes.chain(syncs) {
        let disk = FaultyDisk::new();
        let mut engine = prepared(&disk);
        disk.fail_write(write);
        disk.fail_sync(sync);
        if configure(&mut engine, SECOND).is_ok() {
            continue;
        }
        let at = format!("write {write}, sync {sync}");
        assert_stopped(&mut engine, &at);
        engine.close().expect_err("what failed is not closed as if it were whole");
        let left = disk.after_power_cut(0, PowerCut::LoseAll);
        let mut engine = open(&left);
        let is_known = laid(&left).rows.iter().filter(|row| row.draft.command == "apply").count() == 2;
        if is_known {
            behind += 1
        } else {
            before += 1
        }
        assert_eq!(send(&mut engine, &numbered(0..8)).expect("no fault").fates, [Fate::Duplicate; 8], "{at}");
        assert_eq!(counted(&engine), (8, if is_known { "8" } else { "255" }.to_owned()), "{at}");
    }
    assert!(before > 0 && behind > 2, "{before} before the row was durable, {behind} behind it");
}

/// The same where the log cannot be read while it is counted anew: nothing else would have stopped the engine.
#[test]
fn regress_a_log_that_cannot_be_read_stops_the_engine() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    send(&mut engine, &numbered(0..8)).expect("no fault");
    drop(engine);
    let fails = Arc::new(AtomicBool::new(false));
    let watch = {
        let fails = Arc::clone(&fails);
        move |name: &str, what: What| match what {
            What::Read if name.starts_with("log/") && fails.load(Ordering::SeqCst) => {
                Err(io::Error::other("the read failed"))
            }
            _ => Ok(()),
        }
    };
    let watched = Watched::new(shared(&disk), watch);
    let mut engine = Engine::open(Arc::new(watched), options(clock())).expect("it opens");
    fails.store(true, Ordering::SeqCst);
    configure(&mut engine, SECOND).expect_err("the log cannot be read");
    fails.store(false, Ordering::SeqCst);
    assert_stopped(&mut engine, "a read");
    drop(engine);
    let mut engine = open(&disk);
    assert_eq!(send(&mut engine, &numbered(0..8)).expect("no fault").fates, [Fate::Duplicate; 8]);
    assert_eq!(counted(&engine), (8, "8".to_owned()));
}

/// The same, killed at any operation, with so little memory that each block is flushed while it is counted anew: runs
/// of the new count take the names of old ones, which the checkpoint on disk still names.
#[test]
fn regress_counting_anew_that_is_killed_is_done_again() {
    let open_small = |disk: &FaultyDisk| {
        Engine::open(shared(disk), Options { memory_bytes: 1_000, ..options(clock()) }).expect("it opens")
    };
    let prepared = |disk: &FaultyDisk| {
        drop(configured(disk));
        let mut engine = open_small(disk);
        for from in (0..18).step_by(3) {
            send(&mut engine, &numbered(from..from + 3)).expect("no fault");
        }
        engine
    };
    let probe = FaultyDisk::new();
    let mut engine = prepared(&probe);
    let first = probe.operations();
    configure(&mut engine, SECOND).expect("no fault");
    assert!(probe.operations() - first > 60, "{} operations", probe.operations() - first);
    let mut seen = [0, 0];
    for operation in first..probe.operations() {
        let disk = FaultyDisk::new();
        let mut engine = prepared(&disk);
        disk.crash_at(operation, operation);
        let _ = configure(&mut engine, SECOND);
        let cut = match operation % 3 {
            0 => PowerCut::LoseAll,
            1 => PowerCut::Partial,
            _ => PowerCut::Torn,
        };
        let images = [("kill", disk.after_kill()), ("power cut", disk.after_power_cut(operation, cut))];
        for (image, left) in images {
            let at = format!("operation {operation}, {image}");
            let mut engine = open_small(&left);
            let is_known = laid(&left).rows.iter().filter(|row| row.draft.command == "apply").count() == 2;
            seen[usize::from(is_known)] += 1;
            let expected = (18, if is_known { "18".to_owned() } else { ((1u64 << 18) - 1).to_string() });
            assert_eq!(counted(&engine), expected, "{at}");
            let again = send(&mut engine, &numbered(0..18)).expect("no fault").fates;
            assert_eq!(again, [Fate::Duplicate; 18], "{at}");
            assert_eq!(engine.check_sums().expect("sums"), Vec::<String>::new(), "{at}");
            drop(engine);
            verify(&left, &at);
        }
    }
    assert!(seen.iter().all(|count| *count > 4), "{seen:?}");
}

const PERSON: &str = "{kind: account, account: a-1, personal: {name: Ada Unmistakable}}";

/// The values of personal fields stand in no journal. They were answered before they were on disk, and an erased one
/// could come back with the power.
#[test]
fn regress_personal_values_are_on_disk_when_they_are_answered() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    configure(&mut engine, PERSON).expect("applied");
    let held = |disk: &FaultyDisk| {
        let personal = open(disk).tables().personal("a-1").expect("tables");
        personal.into_iter().map(|field| field.value).collect::<Vec<_>>()
    };
    let names = |disk: &FaultyDisk| -> Vec<String> {
        let said = |name: &String| disk.content(name).windows(12).any(|part| part == b"Unmistakable");
        disk.names().into_iter().filter(said).collect()
    };
    for cut in [PowerCut::LoseAll, PowerCut::Partial, PowerCut::Torn] {
        let left = disk.after_power_cut(1, cut);
        assert_eq!(held(&left), [Some("Ada Unmistakable".to_owned())], "{cut:?}");
    }
    assert!(names(&disk).iter().all(|name| name.starts_with("tables.db")), "{:?}", names(&disk));
    assert_eq!(engine.erase_personal(&caller(), "a-1").expect("erased"), ["name"]);
    for cut in [PowerCut::LoseAll, PowerCut::Partial, PowerCut::Torn] {
        let left = disk.after_power_cut(1, cut);
        assert!(held(&left).iter().all(Option::is_none), "{cut:?}");
        assert_eq!(names(&left), Vec::<String>::new(), "{cut:?}");
    }
    // Where they cannot be written the command fails, and the engine stops.
    let (mut failed, first) = (0, { configured(&FaultyDisk::new()).head().number });
    for sync in 0..200 {
        let disk = FaultyDisk::new();
        let mut engine = configured(&disk);
        if sync < disk.syncs() {
            continue;
        }
        disk.fail_sync(sync);
        if configure(&mut engine, PERSON).is_ok() {
            assert_eq!(held(&disk.after_power_cut(1, PowerCut::LoseAll)).len(), 1);
            break;
        }
        failed += 1;
        assert_stopped(&mut engine, &format!("sync {sync}"));
    }
    assert!(failed > 1 && first > 1, "{failed}");
}

/// So little memory that each batch is flushed, on a thread of its own.
fn flushing() -> Options {
    Options { memory_bytes: 1_000, in_background: true, ..options(clock()) }
}

/// A flush went on writing into the folder when its engine was gone, and its lock with it: another could have opened
/// the folder.
#[test]
fn regress_no_flush_writes_behind_the_lock() {
    let let_go: [&dyn Fn(Engine); 3] =
        [&|engine| drop(engine), &|engine| engine.close().expect("closed"), &|engine| {
            Shard::start(engine).expect("a thread").close().expect("closed")
        }];
    for let_go in let_go {
        let disk = FaultyDisk::new();
        drop(configured(&disk));
        let is_unlocked = Arc::new(AtomicBool::new(false));
        let (beside, behind) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let watch = {
            let (is_unlocked, beside, behind) = (is_unlocked.clone(), beside.clone(), behind.clone());
            move |_: &str, what: What| {
                if what == What::Unlock {
                    is_unlocked.store(true, Ordering::SeqCst);
                } else if what != What::Read && std::thread::current().name() == Some("checkpoint") {
                    beside.fetch_add(1, Ordering::SeqCst);
                    // Whoever does not wait for this thread has all the time to go on without it.
                    for _ in 0..20_000 {
                        std::thread::yield_now();
                        if is_unlocked.load(Ordering::SeqCst) {
                            behind.fetch_add(1, Ordering::SeqCst);
                            break;
                        }
                    }
                }
                Ok(())
            }
        };
        let watched = Watched::new(shared(&disk), watch);
        let mut engine = Engine::open(Arc::new(watched), flushing()).expect("it opens");
        send(&mut engine, &numbered(0..4)).expect("no fault");
        let_go(engine);
        let operations = disk.operations();
        assert!(is_unlocked.load(Ordering::SeqCst));
        assert!(beside.load(Ordering::SeqCst) > 2, "a flush was under way");
        assert_eq!(behind.load(Ordering::SeqCst), 0, "no operation of the flush comes behind the lock");
        let engine = open(&disk);
        assert_eq!(counted(&engine), (4, "15".to_owned()));
        assert!(disk.operations() > operations);
    }
}

/// A flush that fails stops the engine, whoever asks next; what it had frozen is made again.
#[test]
fn regress_a_flush_that_fails_stops_the_engine() {
    for failing in ["cells/", "index/", "checkpoint"] {
        let disk = FaultyDisk::new();
        drop(configured(&disk));
        let watched = Watched::new(shared(&disk), move |name, what| match what {
            What::Sync if name.starts_with(failing) => Err(io::Error::other("the sync failed")),
            _ => Ok(()),
        });
        let mut engine = Engine::open(Arc::new(watched), flushing()).expect("it opens");
        let mut answered = 0;
        // Batches that are sent while it is under way are answered, and durable; the one that meets its end is not.
        let error = loop {
            match send(&mut engine, &numbered(answered..answered + 1)) {
                Ok(_) => answered += 1,
                Err(error) => break error,
            }
            assert!(answered < 3, "each flush waits for the one before: `{failing}`");
        };
        assert!(matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Closed), "{failing}: {error}");
        assert_stopped(&mut engine, failing);
        drop(engine);
        let mut engine = open(&disk.after_power_cut(0, PowerCut::LoseAll));
        assert!(engine.end() >= u64::from(answered), "{failing}");
        send(&mut engine, &numbered(0..4)).expect("no fault");
        assert_eq!(counted(&engine), (4, "15".to_owned()), "{failing}");
    }
}

/// Input that panics at its third read.
struct Panics(Cursor<Vec<u8>>, u32);

impl Read for Panics {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        assert!(self.1 < 3, "the source is broken");
        let length = buffer.len().min(4_000);
        self.0.read(&mut buffer[..length])
    }
}

/// Runs a feed on another thread; panics if it hangs.
fn streamed(mut engine: Engine, input: Box<dyn BufRead + Send>) -> (Engine, bool) {
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let decoder = Decoder::cloud_events();
        let input = decoder.chunks(input);
        let options = FeedOptions { batch_records: 5, threads: 3 };
        let run = AssertUnwindSafe(|| {
            engine.ingest(&caller(), &decoder, &feed(), input, options, &mut |_| {}).map(|_| ())
        });
        let is_well = matches!(catch_unwind(run), Ok(Ok(())));
        let _ = ended.send((engine, is_well));
    });
    end.recv_timeout(Duration::from_secs(120)).expect("a feed whose thread panics does not wait for ever")
}

/// One of the threads of a feed panicked, and the others waited for it for ever.
#[test]
fn regress_a_panic_of_a_thread_ends_the_feed() {
    let lines = (0..3).flat_map(|_| numbered(0..60)).collect::<Vec<_>>().join("\n").into_bytes();
    for panics in ["reader", "log/", "cells/"] {
        let disk = FaultyDisk::new();
        drop(configured(&disk));
        let streams = Arc::new(AtomicBool::new(false));
        let watch = {
            let streams = Arc::clone(&streams);
            move |name: &str, what: What| {
                let is_here = what == What::Write && name.starts_with(panics);
                assert!(!is_here || !streams.load(Ordering::SeqCst), "the disk is broken");
                Ok(())
            }
        };
        let watched = Watched::new(shared(&disk), watch);
        let engine = Engine::open(Arc::new(watched), flushing()).expect("it opens");
        streams.store(true, Ordering::SeqCst);
        let input: Box<dyn BufRead + Send> = match panics {
            "reader" => Box::new(BufReader::new(Panics(Cursor::new(lines.clone()), 0))),
            _ => Box::new(Cursor::new(lines.clone())),
        };
        let (mut engine, is_well) = streamed(engine, input);
        assert!(!is_well, "{panics}");
        assert_stopped(&mut engine, panics);
        streams.store(false, Ordering::SeqCst);
        drop(engine);
        let mut engine = open(&disk);
        send(&mut engine, &numbered(0..60)).expect("no fault");
        assert_eq!(total(&engine, engine.end()).records, 60, "{panics}");
        drop(engine);
        verify(&disk, panics);
    }
}

/// A request that panics ends its engine; all others are told instead of left waiting.
#[test]
fn regress_a_panic_of_a_request_is_told_to_all() {
    let disk = FaultyDisk::new();
    let shard = Shard::start(configured(&disk)).expect("a thread");
    let append = |from: u32| {
        shard.append(&Decoder::cloud_events(), &feed(), numbered(from..from + 2).join("\n").into_bytes())
    };
    append(0).expect("no fault");
    let error = shard.with(|_| -> () { panic!("a mistake in a request") }).expect_err("it panicked");
    assert_eq!(error.code, "store_closed");
    std::thread::scope(|scope| {
        for from in 0..4 {
            scope.spawn(move || assert_eq!(append(from).expect_err("closed").code, "store_closed"));
        }
    });
    catch_unwind(AssertUnwindSafe(|| shard.close()))
        .expect_err("the panic comes out where the engine is closed");
    let mut engine = open(&disk);
    assert_eq!(send(&mut engine, &numbered(0..2)).expect("no fault").fates, [Fate::Duplicate; 2]);
}
