//! Rules 7 to 11, 17, 20, 22 and 23 of the protocol at the face of the engine: what is counted, and as what.
//! `docs/reference/engine-rules.md` lists them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod rules_world;

use std::collections::BTreeMap;
use std::io::Cursor;

use connectors::{Decoder, Feed};
use engine::{Engine, ErrorKind, FeedOptions};
use metering::{Code, Digest, Fate};
use rules_world::{
    CONFIG, caller, clock, configure, configured, counted, fates, feed, forget_derived, keys, laid, numbered,
    of_source, open, options, query, send, send_as, shared, time, transfer, try_open, verify,
};
use sim::faulty_disk::FaultyDisk;
use store::CreateOptions;

/// What was accepted answers as a duplicate from memory, from runs, after a restart, and from the log alone.
fn everywhere(disk: &FaultyDisk, mut engine: Engine, check: impl Fn(&mut Engine, &str)) {
    check(&mut engine, "in memory");
    engine.checkpoint_now(false).expect("no fault");
    check(&mut engine, "from runs");
    engine.close().expect("closed");
    check(&mut open(disk), "opened again");
    forget_derived(disk);
    check(&mut open(disk), "made anew from the log");
}

#[test]
fn rule_7_a_retry_is_a_duplicate_whatever_was_reconfigured() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let counted_once = transfer("x", "a", 5);
    assert_eq!(
        send(&mut engine, std::slice::from_ref(&counted_once)).expect("no fault").fates,
        [Fate::Accepted]
    );
    // From now on: another property, other types, no new accounts. All of it would refuse the event.
    let second = "{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: size, unit: byte, effective_at: 2026-01-01}\n---\n{kind: policy, policy: accounts, first_sight: refuse, effective_at: 2026-01-01}";
    configure(&mut engine, second).expect("applied");
    everywhere(&disk, engine, |engine, place| {
        let lines =
            [counted_once.clone(), transfer("new", "a", 5), transfer("x", "a", 6), transfer("y", "b", 1)];
        let fates = send(engine, &lines).expect("no fault").fates;
        let (missing, unknown) =
            (Fate::Rejected(Code::QuantityMissing), Fate::Rejected(Code::UnknownAccount));
        assert_eq!(fates, [Fate::Duplicate, missing, Fate::Conflict, unknown], "{place}");
    });
}

#[test]
fn rule_7_what_is_refused_claims_no_identity() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let mail = |quantity| transfer("x", "a", quantity).replacen("\"transfer\"", "\"mail\"", 1);
    let refused = Fate::Rejected(Code::UnknownType);
    for round in 0..2 {
        // The same again is refused again, and other content under the id is no conflict.
        assert_eq!(send(&mut engine, &[mail(1), mail(2)]).expect("no fault").fates, [refused; 2], "{round}");
        engine.checkpoint_now(false).expect("no fault");
    }
    configure(&mut engine, "{kind: meter, meter: mails, events: [mail], aggregate: count, unit: mail}")
        .expect("applied");
    let fates = send(&mut engine, &[mail(2), mail(1), mail(2)]).expect("no fault").fates;
    assert_eq!(fates, [Fate::Accepted, Fate::Conflict, Fate::Duplicate], "the first that is accepted stands");
    everywhere(&disk, engine, |engine, place| {
        let fates = send(engine, &[mail(1), mail(2), mail(1)]).expect("no fault").fates;
        assert_eq!(fates, [Fate::Conflict, Fate::Duplicate, Fate::Conflict], "{place}");
    });
}

#[test]
fn rule_8_received_at_never_goes_back_though_the_clock_does() {
    let disk = FaultyDisk::new();
    let stands = clock();
    let opened = |at: &str| {
        stands.set(time(at));
        Engine::open(shared(&disk), options(stands.clone())).expect("it opens")
    };
    let mut engine = opened("2026-11-03T00:00:00Z");
    configure(&mut engine, CONFIG).expect("applied");
    send(&mut engine, &numbered(0..2)).expect("no fault");
    for at in ["2026-11-03T00:00:01Z", "2026-11-02T23:59:59Z", "1999-01-01T00:00:00Z"] {
        stands.set(time(at));
        send(&mut engine, &numbered(2..4)).expect("no fault");
    }
    drop(engine);
    // Opened with a clock that stands far back, and streamed.
    let mut engine = opened("2001-01-01T00:00:00Z");
    let input =
        Decoder::cloud_events().chunks(Box::new(Cursor::new(numbered(4..30).join("\n").into_bytes())));
    let options = FeedOptions { batch_records: 5, threads: 2 };
    engine
        .ingest(&caller(), &Decoder::cloud_events(), &feed(), input, options, &mut |_| {})
        .expect("no fault");
    stands.set(time("2026-11-04T00:00:00Z"));
    send(&mut engine, &numbered(30..31)).expect("no fault");
    let times: Vec<_> = laid(&disk).headers.iter().map(|(header, _)| header.received_at).collect();
    let latest = time("2026-11-03T00:00:01Z");
    assert!(times.is_sorted() && times.len() > 8, "{times:?}");
    assert_eq!(times[1..times.len() - 1], vec![latest; times.len() - 2]);
    assert_eq!(times.last(), Some(&time("2026-11-04T00:00:00Z")));
    let listed = engine.events(&query(engine.end())).expect("the log");
    assert_eq!((listed.len(), listed.iter().filter(|event| event.received_at == latest).count()), (31, 28));
}

#[test]
fn rule_8_what_is_too_early_is_told_by_the_time_of_receipt() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let at = |id: &str, time: &str| transfer(id, "a", 1).replacen("2026-10-05T10:00:00Z", time, 1);
    let lines = [
        at("on the limit", "2026-11-03T00:05:00Z"),
        at("behind it", "2026-11-03T00:05:00.000000001Z"),
        at("old", "1971-01-01T00:00:00Z"),
    ];
    let fates = send(&mut engine, &lines).expect("no fault").fates;
    assert_eq!(
        fates,
        [Fate::Accepted, Fate::Rejected(Code::TimeInFuture), Fate::Accepted],
        "age is no reason"
    );
}

#[test]
fn rule_8_every_duplicate_is_found_over_the_whole_log() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let of = |n: u32, year: u32| {
        transfer(&format!("n-{n}"), "a", 1).replacen("2026-10", &format!("{}-10", 1970 + year), 1)
    };
    // Ages of decades, in many blocks, some in runs and some not.
    for n in 0..56 {
        send(&mut engine, &[of(n, n)]).expect("no fault");
        if n % 9 == 0 {
            engine.checkpoint_now(false).expect("no fault");
        }
    }
    everywhere(&disk, engine, |engine, place| {
        let lines: Vec<String> = (0..56).rev().flat_map(|n| [of(n, n), of(n, n + 1 - n % 2 * 2)]).collect();
        let fates = send(engine, &lines).expect("no fault").fates;
        let (same, other): (Vec<_>, Vec<_>) = (0..112).partition(|place| place % 2 == 0);
        assert!(same.into_iter().all(|n: usize| fates[n] == Fate::Duplicate), "{place}");
        assert!(
            other.into_iter().all(|n: usize| fates[n] == Fate::Conflict),
            "{place}: a new time is no new id"
        );
        assert_eq!(counted(engine), (56, "56".to_owned()), "{place}");
    });
}

#[test]
fn rule_9_the_keys_are_a_root_of_their_own() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    send(&mut engine, &numbered(0..4)).expect("no fault");
    engine.checkpoint_now(false).expect("no fault");
    engine.close().expect("closed");
    let refused = |change: &dyn Fn(&FaultyDisk), kind: ErrorKind, what: &str| {
        let changed = disk.after_kill();
        change(&changed);
        let before = changed.operations();
        let error = try_open(&changed).map(|_| ()).expect_err(what);
        assert_eq!(error.kind, kind, "{what}: {error}");
        assert_eq!(changed.operations(), before, "{what}: nothing was changed");
    };
    refused(&|disk| disk.erase("keys"), ErrorKind::Corrupt, "no keys");
    refused(&|disk| disk.flip_bit("keys", 1_000), ErrorKind::Corrupt, "keys that rotted");
    // Those of another store, made with the same secrets but with chance of its own.
    let other = FaultyDisk::new();
    let mut chance = 0;
    let mut random = |bytes: &mut [u8]| {
        chance += 1;
        bytes.fill(chance);
    };
    let create = CreateOptions {
        keys: Some(keys()),
        random: &mut random,
        now: time("2026-11-03T00:00:00Z"),
        actor: "test".to_owned(),
        sizes: store::SegmentSizes::DEFAULT,
    };
    drop(store::Roots::create(shared(&other), create).expect("a store"));
    refused(&|disk| disk.put("keys", &other.content("keys")), ErrorKind::Corrupt, "keys of another store");
}

/// The `keys` file with one more generation of secrets.
fn add_generation(disk: &FaultyDisk, identity: &str) {
    let file = store::framed::read_file(disk, "keys").expect("keys");
    let mut file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    let mut newer = file["generations"][0].clone();
    newer["generation"] = 2.into();
    newer["identity"] = identity.into();
    file["generations"].as_array_mut().expect("generations").push(newer);
    disk.put("keys", &store::framed::encode_file(file.to_string().as_bytes()));
}

#[test]
fn rule_9_a_new_generation_of_keys_finds_what_the_old_one_counted() {
    for is_closed in [true, false] {
        let disk = FaultyDisk::new();
        let mut engine = configured(&disk);
        send(&mut engine, &numbered(0..4)).expect("no fault");
        engine.checkpoint_now(false).expect("no fault");
        send(&mut engine, &numbered(4..8)).expect("no fault");
        if is_closed {
            engine.close().expect("closed")
        } else {
            drop(engine)
        }
        disk.erase("clean");
        add_generation(&disk, &"5a".repeat(16));
        let mut engine = open(&disk);
        let again = send(&mut engine, &numbered(0..12)).expect("no fault").fates;
        let expected = [vec![Fate::Duplicate; 8], vec![Fate::Accepted; 4]].concat();
        assert_eq!(again, expected, "closed: {is_closed}");
        let generations: Vec<u32> =
            laid(&disk).headers.iter().map(|(header, _)| header.key_generation).collect();
        assert_eq!(generations, [1, 1, 2], "a block says which keys were in force");
        everywhere(&disk, engine, |engine, place| {
            let fates = send(engine, &numbered(0..12)).expect("no fault").fates;
            assert_eq!(fates, [Fate::Duplicate; 12], "{place}");
            assert_eq!(counted(engine), (12, "4095".to_owned()), "{place}");
        });
    }
}

#[test]
fn rule_10_content_is_compared_in_a_canonical_form() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let event = |time: &str, data: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"x","source":"s","type":"transfer","subject":"a","time":"{time}","data":{data}}}"#
        )
    };
    let first = event("2026-10-05T10:00:00Z", r#"{"quantity":1.5,"tag":"aé","list":[1,{"b":2,"a":true}]}"#);
    let same = [
        first.clone(),
        event("2026-10-05T12:00:00+02:00", r#"{"quantity":1.5,"tag":"aé","list":[1,{"b":2,"a":true}]}"#),
        event("2026-10-05T10:00:00.000Z", r#"{"quantity":1.50,"tag":"aé","list":[1.0,{"b":2e0,"a":true}]}"#),
        event("2026-10-05T10:00:00Z", r#"{ "list" : [ 1 , {"a":true,"b":2} ], "tag":"a\u00e9", "quantity":15e-1 }"#),
        r#" {"data":{"tag":"\u0061\u00e9","quantity":0.15E1,"list":[10e-1,{"b":2,"a":true}]},"time":"2026-10-05T10:00:00Z","subject":"a","type":"transfer","source":"s","id":"x","specversion":"1.0"} "#.to_owned(),
    ];
    let other = [
        event("2026-10-05T10:00:00.000000001Z", r#"{"quantity":1.5,"tag":"aé","list":[1,{"b":2,"a":true}]}"#),
        event(
            "2026-10-05T10:00:00Z",
            r#"{"quantity":1.500000000001,"tag":"aé","list":[1,{"b":2,"a":true}]}"#,
        ),
        event("2026-10-05T10:00:00Z", r#"{"quantity":1.5,"tag":"ae\u0301","list":[1,{"b":2,"a":true}]}"#),
        event("2026-10-05T10:00:00Z", r#"{"quantity":1.5,"tag":"aé","list":[{"b":2,"a":true},1]}"#),
        event("2026-10-05T10:00:00Z", r#"{"quantity":1.5,"tag":"aé","list":[1,{"b":"2","a":true}]}"#),
        event(
            "2026-10-05T10:00:00Z",
            r#"{"quantity":1.5,"tag":"aé","list":[1,{"b":2,"a":true}],"more":null}"#,
        ),
    ];
    assert_eq!(send(&mut engine, &[first]).expect("no fault").fates, [Fate::Accepted]);
    everywhere(&disk, engine, |engine, place| {
        assert_eq!(send(engine, &same).expect("no fault").fates, [Fate::Duplicate; 5], "{place}");
        assert_eq!(send(engine, &other).expect("no fault").fates, [Fate::Conflict; 6], "{place}");
        assert_eq!(counted(engine), (1, "1.5".to_owned()), "{place}");
    });
    assert!(
        laid(&disk).headers.iter().all(|(header, _)| header.canonical_form == 1),
        "its version is beside it"
    );
}

/// SplitMix64.
fn chance(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

const BILLED: &str = r#"
{kind: seller, seller: s, series: S, zone: UTC, currency: USD}
---
{kind: meter, meter: calls, events: [transfer], aggregate: count, unit: call, dimensions: [region]}
---
{kind: meter, meter: none, events: [transfer], aggregate: count, where: {region: [nowhere]}, unit: call}
---
{kind: plan, plan: p, currency: USD, items: {bytes: {usage: bytes, price: {unit: "1"}}}}
---
{kind: account, account: a-0}
---
{kind: contract, contract: c-0, account: a-0, seller: s, plan: p, currency: USD, start: 2026-01-01}
"#;

#[test]
fn rule_17_base_cells_hold_every_accepted_record_once() {
    let seed = 20_261_124;
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    configure(&mut engine, BILLED).expect("applied");
    let (mut state, mut model) = (seed, BTreeMap::<String, (u64, u64, Digest)>::new());
    let mut pins = Vec::new();
    for block in 0..24 {
        let lines: Vec<String> = (0..30)
            .map(|_| {
                let n = chance(&mut state, 400);
                let (source, quantity) = (format!("s-{}", n % 3), n + chance(&mut state, 20) / 19);
                match chance(&mut state, 12) {
                    0 => "{broken".to_owned(),
                    1 => {
                        of_source(&source, &format!("bad-{n}"), "a-0", 1).replacen("\"transfer\"", "\"?\"", 1)
                    }
                    _ => of_source(&source, &format!("n-{n}"), &format!("a-{}", n % 5), quantity),
                }
            })
            .collect();
        let answer = send(&mut engine, &lines).expect("no fault");
        for (line, _) in lines.iter().zip(&answer.fates).filter(|(_, fate)| **fate == Fate::Accepted) {
            let chunk = Decoder::cloud_events().chunk_of(line.clone().into_bytes()).expect("a line");
            let chunk = Decoder::cloud_events().decode_chunk(&feed(), chunk, 1);
            let event = chunk.batch.event(&chunk.batch.rows()[0]);
            let quantity: u64 = line
                .split("\"quantity\":")
                .nth(1)
                .expect("one")
                .trim_end_matches('}')
                .parse()
                .expect("a number");
            let held = model.entry(event.source.clone()).or_insert((0, 0, Digest(0)));
            *held = (held.0 + 1, held.1 + quantity, held.2.add(engine.digest(&event)));
        }
        if block % 3 == 2 {
            engine.checkpoint_now(false).expect("no fault");
        }
        // Seals pin positions in the middle of what checkpoints would merge.
        if block % 8 == 4 {
            pins.push(engine.end());
            let month = format!("2026-0{}", 1 + block / 8).parse().expect("a month");
            engine.invoice_run(&caller(), month, None, false).expect("billed");
        }
    }
    let expected: Vec<(String, u64, String, Digest)> =
        model.into_iter().map(|(source, (n, sum, digest))| (source, n, sum.to_string(), digest)).collect();
    assert!(expected.len() == 3 && expected.iter().all(|row| row.1 > 40), "seed {seed}: {expected:?}");
    everywhere(&disk, engine, |engine, place| {
        let found = engine.accepted_by_source().expect("cells");
        let found: Vec<_> = found
            .into_iter()
            .map(|(source, t)| (source, t.records, t.quantity.to_string(), t.digest))
            .collect();
        assert_eq!(found, expected, "{place}, seed {seed}");
        assert_eq!(engine.check_sums().expect("sums"), Vec::<String>::new(), "{place}");
        engine.checkpoint_now(false).expect("no fault");
        let checkpoint = store::runs::read_checkpoint(&disk).expect("read").expect("a checkpoint");
        for run in &checkpoint.cells {
            let crossed = pins.iter().find(|pin| run.from < **pin && **pin < run.to);
            assert_eq!(crossed, None, "{place}: {run:?} reaches over a pin");
        }
        assert_eq!(checkpoint.pinned, pins, "{place}");
    });
    verify(&disk, "all of it");
}

#[test]
fn rule_20_what_is_seen_first_is_known_by_its_name_and_never_by_its_turn() {
    let lines: Vec<String> = (0..20)
        .map(|n| of_source(&format!("s-{}", n % 4), &format!("n-{n}"), &format!("a-{}", n % 7), n))
        .collect();
    let mut seen = Vec::new();
    for order in [1, 3, 7, 11] {
        let disk = FaultyDisk::new();
        let mut engine = configured(&disk);
        let turned: Vec<String> = (0..20).map(|n| lines[(n * order + order) % 20].clone()).collect();
        for batch in turned.chunks(order) {
            send(&mut engine, batch).expect("no fault");
        }
        let names: Vec<String> =
            engine.tables().accounts().expect("tables").into_iter().map(|account| account.name).collect();
        let by_account = engine.usage_by(&query(engine.end()), &[engine::GroupBy::Account]).expect("cells");
        seen.push((
            names,
            format!("{by_account:?}"),
            format!("{:?}", engine.accepted_by_source().expect("cells")),
        ));
    }
    assert_eq!(seen[0].0, (0..7).map(|n| format!("a-{n}")).collect::<Vec<_>>());
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

#[test]
fn rule_20_tables_follow_from_journal_and_log() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    configure(&mut engine, BILLED).expect("applied");
    for block in 0..6 {
        let mut lines = numbered(block * 3..block * 3 + 6);
        lines.extend(["{broken".to_owned(), transfer("n-0", "z", 77)]);
        send_as(&mut engine, &format!("f-{}", block % 2), &lines).expect("no fault");
    }
    engine.invoice_run(&caller(), "2026-10".parse().expect("a month"), None, false).expect("billed");
    let dump = |engine: &Engine| -> Vec<(&'static str, String)> {
        engine.tables().dump().map(|row| row.expect("a row")).collect()
    };
    // Each open has a row of its own, and `meta` says how far the tables reach.
    let without_opens = |rows: Vec<(&'static str, String)>| -> Vec<_> {
        rows.into_iter()
            .filter(|(table, row)| *table != "meta" && (*table != "commands" || !row.contains("\"open\"")))
            .collect()
    };
    let before = without_opens(dump(&engine));
    let tables: std::collections::BTreeSet<_> = before.iter().map(|(table, _)| *table).collect();
    assert!(
        ["accounts", "fates", "quarantine", "terms"].iter().all(|table| tables.contains(table)),
        "{tables:?}"
    );
    let (names, lost) = (engine.tables().accounts().expect("tables"), counted(&engine));
    engine.close().expect("closed");
    disk.erase("tables.db");
    let engine = open(&disk);
    let after = without_opens(dump(&engine));
    assert_eq!(after.iter().zip(&before).find(|(now, then)| now != then), None, "made anew");
    assert_eq!(after.len(), before.len());
    assert_eq!((engine.tables().accounts().expect("tables"), counted(&engine)), (names, lost));
    // An account that only an event named stands in the log alone.
    assert!(
        engine
            .tables()
            .accounts()
            .expect("tables")
            .iter()
            .any(|one| one.by_row.is_none() && one.first_position.is_some())
    );
    drop(engine);
    verify(&disk, "made anew");
}

#[test]
fn rule_22_fates_are_counted_for_each_feed_and_source() {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let (one, two) = (of_source("s-1", "x", "a", 5), of_source("s-2", "x", "a", 7));
    send_as(&mut engine, "f-1", &[one.clone(), two.clone(), one.clone(), "{broken".to_owned()])
        .expect("no fault");
    send_as(&mut engine, "f-2", &[one.clone(), of_source("s-1", "x", "a", 6)]).expect("no fault");
    let without_id = two.replacen("\"id\":\"x\",", "", 1);
    send_as(&mut engine, "f-2", &[without_id, two.clone(), of_source("s-3", "y", "a", 1)]).expect("no fault");
    let expected = [
        ("f-1/-/rejected/json_syntax", 1, "0"),
        ("f-1/s-1/accepted/-", 1, "5"),
        ("f-1/s-1/duplicate/-", 1, "5"),
        ("f-1/s-2/accepted/-", 1, "7"),
        ("f-2/s-1/conflict/-", 1, "6"),
        ("f-2/s-1/duplicate/-", 1, "5"),
        ("f-2/s-2/duplicate/-", 1, "7"),
        ("f-2/s-2/rejected/missing_id", 1, "0"),
        ("f-2/s-3/accepted/-", 1, "1"),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(key, records, units)| (key.to_owned(), records, units.to_owned()))
        .collect();
    assert_eq!(fates(&engine), expected);
    assert_eq!(engine.end(), 9, "received = Σ fates");
    drop(engine);
    forget_derived(&disk);
    assert_eq!(fates(&open(&disk)), expected, "made anew from the log");
    // A feed that is streamed tells the same of itself.
    let mut engine = open(&disk);
    let lines = [one, "{broken".to_owned(), of_source("s-4", "z", "a", 2)].join("\n");
    let input = Decoder::cloud_events().chunks(Box::new(Cursor::new(lines.into_bytes())));
    let feed = Feed { name: "f-3".to_owned(), source: "f-3".to_owned() };
    let report = engine
        .ingest(&caller(), &Decoder::cloud_events(), &feed, input, FeedOptions::default(), &mut |_| {})
        .expect("no fault");
    let told: Vec<_> = report
        .counters
        .iter()
        .map(|counter| {
            (counter.key.feed.as_str(), counter.key.source.as_deref(), counter.key.fate, counter.records)
        })
        .collect();
    let mut expected = [
        ("f-3", None, "rejected", 1),
        ("f-3", Some("s-1"), "duplicate", 1),
        ("f-3", Some("s-4"), "accepted", 1),
    ];
    expected.sort_unstable();
    assert_eq!(told, expected);
}

/// What an order of events ends at: totals with their digest by account and source, and counts of fates.
fn end_of(batches: &[Vec<String>]) -> (String, String, BTreeMap<String, u64>) {
    let disk = FaultyDisk::new();
    let mut engine = configured(&disk);
    let mut by_fate = BTreeMap::new();
    for batch in batches {
        for fate in send(&mut engine, batch).expect("no fault").fates {
            *by_fate.entry(fate.as_str().to_owned()).or_insert(0) += 1;
        }
        engine.checkpoint_now(false).expect("no fault");
    }
    let by_account = engine.usage_by(&query(engine.end()), &[engine::GroupBy::Account]).expect("cells");
    (format!("{by_account:?}"), format!("{:?}", engine.accepted_by_source().expect("cells")), by_fate)
}

#[test]
fn rule_23_order_decides_between_conflicting_events_and_nothing_else() {
    let mut lines: Vec<String> = (0..24)
        .map(|n| {
            of_source(&format!("s-{}", n % 2), &format!("n-{}", n % 20), &format!("a-{}", n % 4), n % 20)
        })
        .collect();
    let in_order = end_of(&[lines.clone()]);
    assert_eq!(in_order.2, BTreeMap::from([("accepted".to_owned(), 20), ("duplicate".to_owned(), 4)]));
    let mut state = 23;
    for size in [1, 5, 24] {
        for at in (1..lines.len()).rev() {
            lines.swap(at, chance(&mut state, at as u64 + 1) as usize);
        }
        let batches: Vec<Vec<String>> = lines.chunks(size).map(<[String]>::to_vec).collect();
        assert_eq!(end_of(&batches), in_order, "batches of {size}");
    }
    // Two that claim one id: the first received stands, for good, and the counts of fates are the same.
    let (one, two) = (of_source("s-0", "pair", "a-9", 100), of_source("s-0", "pair", "a-9", 200));
    let pairs = [vec![one.clone(), two.clone()], vec![two, one]];
    let ends = pairs.map(|pair| end_of(&[lines.clone(), pair]));
    assert_ne!(ends[0].0, ends[1].0);
    assert_eq!(ends[0].2, ends[1].2);
    for (end, stands) in ends.iter().zip(["100", "200"]) {
        let conflicts = end.2.get("conflict");
        assert!(end.0.contains(&format!("Sum({stands}")) || end.0.contains(stands), "{}", end.0);
        assert_eq!(conflicts, Some(&1));
    }
}
