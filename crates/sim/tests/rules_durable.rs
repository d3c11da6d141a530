//! Rules 1 to 6 of the protocol at the face of the engine: what is kept, what may be cut, when an answer may leave.
//! `docs/reference/engine-rules.md` lists them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod rules_world;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Mutex;

use connectors::Decoder;
use engine::{Engine, ErrorKind, FeedOptions, Shard, prepare};
use metering::Fate;
use rules_world::{
    CONFIG, caller, configure, configured, counted, fates, feed, forget_derived, how_many, laid,
    last_segment, numbered, open, query, send, total, transfer, try_open, verify,
};
use sim::faulty_disk::{FaultyDisk, Operation, PowerCut};

/// A store that stopped without being closed: 8 events in two blocks, all answered.
fn stopped() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    send(&mut engine, &numbered(0..4)).expect("no fault");
    send(&mut engine, &numbered(4..8)).expect("no fault");
    drop(engine);
    disk.after_power_cut(0, PowerCut::LoseAll)
}

#[test]
fn rule_1_rot_below_what_was_answered_is_never_cut() {
    let disk = stopped();
    let segment = last_segment(&disk);
    let sectors = disk.content(&segment).len() / 512;
    assert!(sectors > 2, "{sectors}");
    for sector in 0..sectors {
        for bit in [17, 1_003, 507 * 8 + 3] {
            let rotten = disk.after_kill();
            rotten.flip_bit(&segment, sector * 4_096 + bit);
            let before: Vec<_> = rotten.names().iter().map(|name| rotten.content(name)).collect();
            let error = try_open(&rotten).map(|_| ()).expect_err("rot is told");
            let at = format!("bit {bit} of sector {sector}: {error}");
            assert_eq!(error.kind, ErrorKind::Corrupt, "{at}");
            assert!(error.message.contains(&segment) || error.hint.contains("verify"), "{at}");
            let after: Vec<_> = rotten.names().iter().map(|name| rotten.content(name)).collect();
            assert!(before == after, "an open that is refused changes nothing ({at})");
        }
    }
    // Whole sectors that went missing are no unwritten tail either, where another file says that they were there.
    let mut engine = open(&disk);
    engine.checkpoint_now(false).expect("no fault");
    drop(engine);
    let segment = last_segment(&disk);
    let content = disk.content(&segment);
    disk.put(&segment, &content[..content.len() - 512]);
    let error = try_open(&disk).map(|_| ()).expect_err("what the checkpoint knew is missing");
    assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
}

#[test]
fn rule_1_a_torn_tail_is_cut_kept_and_named_in_the_journal() {
    let disk = stopped();
    let mut engine = open(&disk);
    let (end, lines) = (engine.end(), numbered(8..12));
    disk.fail_write(disk.operations());
    send(&mut engine, &lines).expect_err("the write stops half way");
    drop(engine);
    let (segment, torn) = (last_segment(&disk), disk.content(&last_segment(&disk)));

    let mut engine = open(&disk);
    assert_eq!(engine.end(), end, "all that was answered and no more");
    let row = laid(&disk).rows.pop().expect("rows");
    let cut = &row.draft.result["cuts"][0];
    let kept = cut["kept"].as_str().expect("a name");
    assert_eq!((&row.draft.command[..], cut["file"].as_str(), cut["from"].as_u64()), {
        ("open", Some(&segment[..]), Some(end))
    });
    assert_eq!(row.draft.references.iter().map(|file| &file.name[..]).collect::<Vec<_>>(), [kept]);
    let bytes = cut["bytes"].as_u64().expect("a length") as usize;
    let in_file = store::framed::read_file(&disk, kept).expect("the kept file is whole");
    assert!(in_file.ends_with(&torn[torn.len() - bytes..]), "the torn bytes are kept");
    assert!(engine.notes().iter().any(|note| note.contains(kept)), "{:?}", engine.notes());
    assert_eq!(send(&mut engine, &lines).expect("no fault").fates, [Fate::Accepted; 4]);
    assert_eq!(counted(&engine), (12, "4095".to_owned()));
    drop(engine);
    verify(&disk, "after a cut");
}

#[test]
fn rule_2_a_failed_sync_stops_the_engine_and_another_file_takes_over() {
    let whole = stopped();
    let probe = whole.after_kill();
    let mut engine = open(&probe);
    let before = probe.syncs();
    send(&mut engine, &numbered(8..12)).expect("no fault");
    let syncs: Vec<u64> = (before..probe.syncs()).collect();
    assert!(!syncs.is_empty());
    for sync in syncs {
        let disk = whole.after_kill();
        let mut engine = open(&disk);
        disk.fail_sync(sync);
        let error = send(&mut engine, &numbered(8..12)).expect_err("the failed sync is told");
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        // Nothing is answered any more: neither what is new, nor what was counted before, nor what memory claims.
        let roots_touched = |disk: &FaultyDisk| {
            let is_root = |name: &String| name.starts_with("log/") || name.starts_with("journal/");
            let touches = |one: &Operation| matches!(one, Operation::Sync(name) | Operation::Write(name, ..) if is_root(name));
            disk.trace().iter().filter(|one| touches(one)).count()
        };
        let before = roots_touched(&disk);
        let closed = |result: Result<(), engine::EngineError>, what: &str| {
            let error = result.expect_err(what);
            assert_eq!((error.kind, error.code), (ErrorKind::Closed, "store_closed"), "{what}: {error}");
        };
        closed(send(&mut engine, &numbered(0..4)).map(|_| ()), "a duplicate");
        closed(configure(&mut engine, "{kind: account, account: a-9}"), "a command");
        closed(engine.usage(&query(engine.end())).map(|_| ()), "usage");
        closed(engine.usage_by(&query(engine.end()), &[]).map(|_| ()), "usage by group");
        closed(engine.events(&query(engine.end())).map(|_| ()), "events");
        closed(engine.accepted_by_source().map(|_| ()), "base cells");
        closed(engine.quarantine(&store::tables::QuarantineFilter::default()).map(|_| ()), "quarantine");
        closed(engine.late().map(|_| ()), "late usage");
        closed(engine.checkpoint_now(false), "a checkpoint");
        let segment = last_segment(&disk);
        closed(engine.close(), "closing");
        assert_eq!(roots_touched(&disk), before, "the same file is never written or synced again");

        let left = disk.after_kill();
        let mut engine = open(&left);
        assert!(!left.names().contains(&segment), "a copy has taken the place of `{segment}`");
        let (end, seen) = (engine.end(), counted(&engine));
        assert!(end == 8 || end == 12, "{end}");
        assert_eq!(counted(&open(&left.after_power_cut(1, PowerCut::LoseAll))), seen, "it was made durable");
        send(&mut engine, &numbered(0..12)).expect("no fault");
        assert_eq!(counted(&engine), (12, "4095".to_owned()));
    }
}

#[test]
fn rule_3_every_open_commits_its_row_before_it_answers() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let mut opens = 0;
    for round in 0..6u32 {
        send(&mut engine, &numbered(round * 4..round * 4 + 4)).expect("no fault");
        let end = engine.end();
        let is_closed = round % 2 == 0;
        if is_closed {
            engine.close().expect("closed")
        } else {
            drop(engine)
        }
        engine = open(&disk);
        opens += 1;
        // The power is cut as soon as the open has returned.
        let left = disk.after_power_cut(u64::from(round), PowerCut::LoseAll);
        let laid = laid(&left);
        let row = laid.rows.last().expect("rows");
        let (header, hash) = laid.headers.last().expect("blocks");
        assert_eq!((row.draft.command.as_str(), header.end()), ("open", end), "round {round}");
        assert_eq!(row.draft.result["clean"], is_closed, "round {round}");
        assert_eq!(row.draft.result["position"], end, "round {round}");
        assert_eq!(row.draft.result["log_hash"], hash.to_string(), "round {round}");
        let cut = row.draft.cut.as_ref().expect("a cut");
        assert_eq!((cut.position, cut.block_hash), (end, *hash), "round {round}");
        assert_eq!(row.draft.result["incarnation"], cut.incarnation, "round {round}");
        assert_eq!(row.log_durable_through, end, "the tail is durable before the row");
        let rows = laid.rows.iter().filter(|row| row.draft.command == "open");
        assert_eq!(rows.count(), opens, "a row an open");
        assert_eq!(engine.head().number, row.number, "nothing was answered before it");
    }
}

#[test]
fn rule_3_what_an_open_finds_written_it_makes_durable() {
    let whole = stopped();
    let probe = whole.after_kill();
    let mut engine = open(&probe);
    let first = probe.operations() as usize;
    send(&mut engine, &numbered(8..12)).expect("no fault");
    let trace = probe.trace();
    let sync = (first..trace.len())
        .find(|at| matches!(&trace[*at], Operation::Sync(name) if name.starts_with("log/")));
    let sync = sync.expect("the block is synced") as u64;
    // Killed before the sync: the block is written, nobody was answered, a power cut would lose it.
    let disk = whole.after_kill();
    let mut engine = open(&disk);
    disk.crash_at(sync, 0);
    send(&mut engine, &numbered(8..12)).expect_err("the process is killed");
    assert_eq!(open(&disk.after_power_cut(0, PowerCut::LoseAll)).end(), 8);
    let left = disk.after_kill();
    let engine = open(&left);
    assert_eq!(engine.end(), 12, "the block was whole");
    let again = open(&left.after_power_cut(0, PowerCut::LoseAll));
    assert_eq!(counted(&again), (12, "4095".to_owned()), "what an open shows does not go away");
}

#[test]
fn rule_4_a_duplicate_is_answered_behind_the_sync_of_its_original() {
    let decoder = Decoder::cloud_events();
    let batch = |engine: &Engine| {
        let bytes = numbered(8..12).join("\n").into_bytes();
        prepare(engine.keys(), &decoder, &feed(), decoder.chunk_of(bytes).expect("lines"))
    };
    let whole = stopped();
    let probe = whole.after_kill();
    let mut engine = open(&probe);
    let (first, first_sync) = (probe.operations(), probe.syncs());
    let (one, two) = (batch(&engine), batch(&engine));
    let answers = engine.append_all(vec![(&decoder, &feed(), one), (&decoder, &feed(), two)]);
    let answers = answers.expect("no fault");
    assert_eq!(answers[0].fates, [Fate::Accepted; 4]);
    assert_eq!(answers[1].fates, [Fate::Duplicate; 4]);
    assert_eq!(probe.syncs(), first_sync + 1, "one sync for both");
    let left = open(&probe.after_power_cut(0, PowerCut::LoseAll));
    assert_eq!((left.end(), counted(&left)), (16, (12, "4095".to_owned())));
    assert_eq!(fates(&left)[1], ("f/s/duplicate/-".to_owned(), 4, "3840".to_owned()));

    // Whatever fails on the way, both are left without an answer.
    let faults = (first..probe.operations()).map(|at| (at, u64::MAX)).chain([(u64::MAX, first_sync)]);
    let mut failed = 0;
    for (write, sync) in faults {
        let disk = whole.after_kill();
        let mut engine = open(&disk);
        disk.fail_write(write);
        disk.fail_sync(sync);
        let (one, two) = (batch(&engine), batch(&engine));
        if engine.append_all(vec![(&decoder, &feed(), one), (&decoder, &feed(), two)]).is_err() {
            failed += 1;
            let error = send(&mut engine, &numbered(8..12)).expect_err("no duplicate of what may be lost");
            assert_eq!(error.code, "store_closed", "{error}");
        }
    }
    assert!(failed >= 2, "a write and the sync, found {failed}");
}

#[test]
fn rule_4_many_writers_of_the_same_events_are_answered_when_all_is_durable() {
    let disk = FaultyDisk::new();
    let shard = Shard::start(configured(&disk)).expect("a thread");
    let fates_given = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for from in 0..8 {
                    let bytes = numbered(from..from + 4).join("\n").into_bytes();
                    let answer = shard.append(&Decoder::cloud_events(), &feed(), bytes).expect("no fault");
                    // The power is cut right behind an answer: the events and the counters it tells of are there.
                    let left = disk.after_power_cut(u64::from(from), PowerCut::LoseAll);
                    let laid = laid(&left);
                    let end = laid.headers.last().expect("blocks").0.end();
                    assert!(end >= answer.position + 4, "{end} after {}", answer.position);
                    fates_given.lock().expect("no panic").extend(answer.fates);
                }
            });
        }
    });
    let given = fates_given.into_inner().expect("no panic");
    let accepted = given.iter().filter(|fate| **fate == Fate::Accepted).count();
    assert_eq!((given.len(), accepted), (128, 11));
    shard.close().expect("closed");
    let engine = open(&disk.after_power_cut(0, PowerCut::LoseAll));
    assert_eq!((engine.end(), counted(&engine)), (128, (11, "2047".to_owned())));
}

#[test]
fn rule_4_a_stream_tells_of_what_is_durable() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let lines: Vec<String> =
        (0..600).map(|n| transfer(&format!("n-{}", n - n % 7 / 6 * 6), "a", 1)).collect();
    let input = Decoder::cloud_events().chunks(Box::new(Cursor::new(lines.join("\n").into_bytes())));
    let options = FeedOptions { batch_records: 20, threads: 2 };
    let mut told = Vec::new();
    let mut progress = |received| {
        let left = disk.after_power_cut(received, PowerCut::LoseAll);
        let end = laid(&left).headers.last().expect("blocks").0.end();
        assert!(end >= received, "told of {received}, found {end}");
        told.push(received);
    };
    let report = engine.ingest(&caller(), &Decoder::cloud_events(), &feed(), input, options, &mut progress);
    let report = report.expect("no fault");
    assert_eq!((report.received, told.last(), told.len()), (600, Some(&600), 30));
    assert!(report.records("duplicate") > 50, "{report:?}");
}

#[test]
fn rule_5_a_position_counts_what_was_received_whatever_its_fate() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let lines = [
        transfer("x", "a", 1),
        transfer("x", "a", 1),
        transfer("x", "a", 2),
        "{broken".to_owned(),
        transfer("y", "b", 4),
    ];
    let first = send(&mut engine, &lines).expect("no fault");
    assert_eq!((first.position, engine.end()), (0, 5));
    assert_eq!(how_many(&first, Fate::Accepted), 2);
    // A block of nothing but duplicates, twice.
    for round in 1..3 {
        let again = send(&mut engine, &[lines[0].clone(), lines[4].clone()]).expect("no fault");
        assert_eq!((again.position, again.fates), (3 + 2 * round, vec![Fate::Duplicate; 2]));
    }
    let (seen, expected) = (counted(&engine), fates(&engine));
    assert_eq!(seen, (2, "5".to_owned()));
    assert_eq!(expected[3], ("f/s/duplicate/-".to_owned(), 5, "11".to_owned()));
    let headers = laid(&disk).headers;
    let places: Vec<(u64, u32)> =
        headers.iter().map(|(header, _)| (header.position, header.records)).collect();
    assert_eq!(places, [(0, 5), (5, 2), (7, 2)]);
    let positions: Vec<u64> =
        engine.events(&query(9)).expect("the log").iter().map(|listed| listed.position).collect();
    assert_eq!(positions, [0, 4]);
    drop(engine);
    // Replayed over tables and cells of any age, each block is counted once.
    for derived in ["nothing", "tables.db", "checkpoint", "all"] {
        match derived {
            "all" => forget_derived(&disk),
            name => disk.erase(name),
        }
        let engine = open(&disk);
        assert_eq!((counted(&engine), fates(&engine)), (seen.clone(), expected.clone()), "without {derived}");
        assert_eq!(engine.check_sums().expect("sums"), Vec::<String>::new(), "without {derived}");
    }
}

#[test]
fn rule_5_a_crash_replays_no_fate_twice() {
    let steps = |engine: &mut Engine| -> Result<(), engine::EngineError> {
        for _ in 0..2 {
            send(engine, &numbered(0..8))?;
            engine.checkpoint_now(false)?;
        }
        Ok(())
    };
    let whole = stopped();
    let probe = whole.after_kill();
    let mut engine = open(&probe);
    let first = probe.operations();
    steps(&mut engine).expect("no fault");
    let mut ends = BTreeSet::new();
    for operation in first..probe.operations() {
        let disk = whole.after_kill();
        let mut engine = open(&disk);
        disk.crash_at(operation, operation);
        let _ = steps(&mut engine);
        for left in [disk.after_kill(), disk.after_power_cut(operation, PowerCut::Torn)] {
            let engine = open(&left);
            let end = engine.end();
            ends.insert(end);
            let duplicates: u64 =
                fates(&engine).iter().filter(|row| row.0.contains("/duplicate/")).map(|row| row.1).sum();
            assert_eq!(duplicates, end - 8, "operation {operation}");
            assert_eq!(counted(&engine), (8, "255".to_owned()), "operation {operation}");
        }
    }
    assert_eq!(ends.into_iter().collect::<Vec<_>>(), [8, 16, 24]);
}

const SECOND: &str = r#"
{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: quantity, unit: byte, where: {size: [large]}, effective_at: 2026-10-01}
"#;

#[test]
fn rule_6_a_block_names_the_row_it_was_checked_under() {
    let steps = |disk: &FaultyDisk| -> Result<(), engine::EngineError> {
        let mut engine = try_open(disk)?;
        configure(&mut engine, CONFIG)?;
        send(&mut engine, &numbered(0..4))?;
        configure(&mut engine, SECOND)?;
        send(&mut engine, &numbered(4..8))?;
        send(&mut engine, &numbered(0..8))?;
        engine.close()
    };
    let check = |disk: &FaultyDisk, at: &str| {
        let laid = laid(disk);
        let mut before = 0;
        for (header, _) in &laid.headers {
            let row = laid.rows.get(header.known_at as usize - 1);
            let row = row.unwrap_or_else(|| panic!("block {} names no row ({at})", header.position));
            assert_eq!((row.number, row.hash), (header.known_at, header.known_hash), "{at}");
            assert!(header.known_at >= before, "K never goes back ({at})");
            assert!(row.log_durable_through <= header.position, "the row came before the block ({at})");
            before = header.known_at;
        }
        for row in &laid.rows {
            let cut = row.draft.cut.as_ref().map_or(0, |cut| cut.position);
            assert!(cut <= row.log_durable_through, "a row names no cut that may be lost ({at})");
        }
        laid.headers.len()
    };
    let disk = FaultyDisk::new();
    steps(&disk).expect("no fault");
    assert_eq!(check(&disk, "no fault"), 3);
    let known: Vec<u64> = laid(&disk).headers.iter().map(|(header, _)| header.known_at).collect();
    assert!(known[0] < known[1] && known[1] == known[2], "{known:?}");
    let mut most = BTreeSet::new();
    for operation in 0..disk.operations() {
        let crashed = FaultyDisk::new();
        crashed.crash_at(operation, operation);
        let _ = steps(&crashed);
        for cut in [PowerCut::LoseAll, PowerCut::Partial, PowerCut::Torn] {
            let left = crashed.after_power_cut(operation, cut);
            // A folder that was never answered for may have no store yet.
            let Ok(engine) = try_open(&left) else { panic!("operation {operation}, {cut:?}") };
            drop(engine);
            most.insert(check(&left, &format!("operation {operation}, {cut:?}")));
        }
    }
    assert_eq!(most.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn rule_6_usage_of_a_moment_needs_a_position_and_a_row() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    send(&mut engine, &numbered(0..4)).expect("no fault");
    let (position, row) = (engine.end(), engine.head().number);
    send(&mut engine, &numbered(4..8)).expect("no fault");
    configure(&mut engine, SECOND).expect("applied");
    for round in ["in memory", "in runs", "opened again", "made anew"] {
        let listed = |row, as_of| engine.events_known_at(row, &query(as_of)).expect("the log").len();
        let head = engine.head().number;
        let seen = [listed(row, position), listed(row, 8), listed(head, position), listed(head, 8)];
        // The position alone does not say it, and neither does the row.
        assert_eq!(seen, [4, 8, 0, 0], "{round}");
        assert_eq!((total(&engine, position).records, total(&engine, 8).records), (0, 0), "{round}");
        match round {
            "in memory" => engine.checkpoint_now(false).expect("no fault"),
            _ => {
                drop(engine);
                if round == "opened again" {
                    forget_derived(&disk);
                }
                engine = open(&disk);
            }
        }
    }
}

#[test]
fn rule_6_a_seal_reads_what_its_cut_pins() {
    let config = r#"
{kind: seller, seller: s, series: S, zone: UTC, currency: USD}
---
{kind: plan, plan: p, currency: USD, items: {bytes: {usage: bytes, price: {unit: "1"}}}}
---
{kind: account, account: a-0}
---
{kind: contract, contract: c-0, account: a-0, seller: s, plan: p, currency: USD, start: 2026-10-01}
"#;
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    configure(&mut engine, config).expect("applied");
    send(&mut engine, &numbered(0..4)).expect("no fault");
    let pinned = engine.end();
    let syncs = disk.syncs();
    let run = engine.invoice_run(&caller(), "2026-10".parse().expect("a month"), None, false);
    run.expect("billed");
    assert!(disk.syncs() > syncs);
    let late = numbered(4..8);
    send(&mut engine, &late).expect("no fault");
    engine.checkpoint_now(false).expect("no fault");
    let seal = engine.tables().seals().expect("tables").pop().expect("a seal");
    assert_eq!(seal.cut.position, pinned);
    let row = laid(&disk).rows.into_iter().find(|row| row.draft.command == "seal").expect("a row");
    assert_eq!((row.draft.cut.expect("a cut").position, row.log_durable_through), (pinned, pinned));
    let records = |engine: &Engine| (total(engine, pinned).records, total(engine, engine.end()).records);
    assert_eq!(records(&engine), (4, 8), "what came later is not in the usage as of the cut");
    drop(engine);
    forget_derived(&disk);
    assert_eq!(records(&open(&disk)), (4, 8), "made anew");
    verify(&disk, "made anew");
}
