//! How long a year of one account takes among many events.
//!
//! `cargo run --release -p sim --example year -- FOLDER MILLIONS` fills a store with so many millions of events over 12
//! months and 100,000 accounts (the n-th has 1/n of the first one's), closes it, opens it again and asks for 12 months of
//! single accounts. The events come about in the order of their time, up to two hours late. A folder that holds a store
//! is asked and not filled.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Caller, Engine, EngineError, GroupBy, MEMORY_BYTES, Options, SystemClock, UsageQuery};
use metering::{Instant, Zone};
use sim::oracle_random::Random;
use sim::oracle_usage::days;
use store::{RealDisk, SegmentSizes};

const CONFIG: &str = "
{kind: policy, policy: accounts, first_sight: create}
---
{kind: meter, meter: bytes, events: [transfer], aggregate: sum, property: quantity, unit: byte}
---
{kind: meter, meter: by_region, events: [transfer], aggregate: count, dimensions: [region], unit: event}
";
const ACCOUNTS: usize = 100_000;
const BATCH: u64 = 8_192;
const SECOND: i64 = 1_000_000_000;
const LATE_SECONDS: u64 = 7_200;

fn main() -> Result<(), EngineError> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(millions)) = (args.next(), args.next().and_then(|text| text.parse::<u64>().ok()))
    else {
        panic!("expected FOLDER MILLIONS");
    };
    let year = (days(2025, 1, 1) * 86_400 * SECOND, days(2026, 1, 1) * 86_400 * SECOND);
    let mut engine = open(&folder)?;
    if engine.end() == 0 {
        fill(&mut engine, millions * 1_000_000, year)?;
    }
    engine.close()?;

    let begun = Clock::now();
    let mut engine = open(&folder)?;
    println!("opened in {:?}: {} records, {} runs of cells", begun.elapsed(), engine.end(), engine.runs().0);
    let mut random = Random::new(5);
    let inside = |random: &mut Random| random.below(899 * SECOND as u64) as i64 + 1;
    ask(&engine, "12 months, edges between cells", 1_000, &mut random, &mut |_| year)?;
    ask(&engine, "12 months, edges inside cells, first", 1, &mut random, &mut |_| (year.0 + 1, year.1 - 1))?;
    ask(&engine, "12 months, edges inside cells", 200, &mut random, &mut |random| {
        (year.0 + 86_400 * SECOND + inside(random), year.1 - 86_400 * SECOND - inside(random))
    })?;
    by_day(&engine, year)?;
    visible(&mut engine, year.1 - SECOND)?;
    engine.close()
}

fn open(folder: &str) -> Result<Engine, EngineError> {
    let disk = RealDisk::create(folder).map_err(|error| EngineError::stored("the folder", error))?;
    let options = Options {
        clock: Arc::new(SystemClock),
        random: Box::new(|bytes| bytes.fill(42)),
        keys: None,
        actor: "year".to_owned(),
        sizes: SegmentSizes::DEFAULT,
        memory_bytes: MEMORY_BYTES,
        in_background: true,
    };
    Engine::open(Arc::new(disk), options)
}

fn fill(engine: &mut Engine, events: u64, (start, end): (i64, i64)) -> Result<(), EngineError> {
    let caller = Caller { actor: "year".to_owned(), reason: None, idempotency_key: None };
    let documents = read_documents("year.yaml", CONFIG).unwrap_or_else(|problems| panic!("{problems:?}"));
    let plan = engine.plan(&documents)?.unwrap_or_else(|problems| panic!("{problems:?}"));
    engine.apply(&caller, &plan)?;
    let mut weights = vec![0u64];
    for rank in 1..=ACCOUNTS as u64 {
        weights.push(weights[weights.len() - 1] + 1_000_000_000 / rank);
    }
    let (decoder, feed) = feed();
    let mut random = Random::new(1);
    let begun = Clock::now();
    let mut sent = 0;
    while sent < events {
        let mut text = String::new();
        for number in sent..events.min(sent + BATCH) {
            let drawn = random.below(weights[ACCOUNTS]);
            let account = weights.partition_point(|weight| *weight <= drawn);
            let at = start + (i128::from(end - start) * i128::from(number) / i128::from(events)) as i64;
            let late = random.below(LATE_SECONDS) as i64 * SECOND;
            event(&mut text, number, account, (at - late).max(start), random.below(1_000_000));
        }
        engine.append_bytes(&decoder, &feed, text.into_bytes())?;
        sent = events.min(sent + BATCH);
    }
    println!("filled with {events} events in {:?}", begun.elapsed());
    Ok(())
}

fn feed() -> (Decoder, Feed) {
    (Decoder::cloud_events(), Feed { name: "year".to_owned(), source: "year".to_owned() })
}

fn event(text: &mut String, number: u64, account: usize, at: i64, quantity: u64) {
    let (at, region) = (Instant(at), ["eu", "us", "ap"][number as usize % 3]);
    let written = writeln!(
        text,
        "{{\"specversion\":\"1.0\",\"id\":\"e-{number}\",\"source\":\"year\",\"type\":\"transfer\",\"subject\":\
         \"a-{account}\",\"time\":\"{at}\",\"data\":{{\"quantity\":{quantity},\"region\":\"{region}\"}}}}"
    );
    assert!(written.is_ok(), "a string takes every character");
}

/// One of the ten busiest accounts, or any.
fn account(random: &mut Random) -> String {
    let accounts = if random.one_in(10) { 10 } else { ACCOUNTS as u64 };
    format!("a-{}", random.below(accounts) + 1)
}

fn ask(
    engine: &Engine,
    what: &str,
    times: usize,
    random: &mut Random,
    window: &mut dyn FnMut(&mut Random) -> (i64, i64),
) -> Result<(), EngineError> {
    let (mut took, mut records) = (Vec::new(), 0);
    for _ in 0..times {
        let (account, (start, end)) = (account(random), window(random));
        let query = query(engine, "bytes", &account, (start, end));
        let begun = Clock::now();
        records += engine.usage(&query)?.records;
        took.push(begun.elapsed());
    }
    println!("{what}: {} ({records} events)", shown(&mut took));
    Ok(())
}

fn query<'a>(engine: &Engine, meter: &'a str, account: &'a str, window: (i64, i64)) -> UsageQuery<'a> {
    let (start, end) = (Instant(window.0), Instant(window.1));
    UsageQuery { meter, account: Some(account), only: &[], start, end, as_of: engine.end() }
}

/// The busiest account by day in a zone and region.
fn by_day(engine: &Engine, year: (i64, i64)) -> Result<(), EngineError> {
    let zone = Zone::parse("Europe/Berlin").map_err(|error| EngineError::stored("the zone", error))?;
    for by in [GroupBy::Hour(zone.clone()), GroupBy::Day(zone)] {
        let (what, by) = (format!("{by:?}"), [by, GroupBy::Dimension("region".to_owned())]);
        let begun = Clock::now();
        let groups = engine.usage_by(&query(engine, "by_region", "a-1", year), &by)?;
        println!(
            "12 months of the busiest account by {what} and region: {:?}, {} groups",
            begun.elapsed(),
            groups.len()
        );
    }
    Ok(())
}

/// From the answer for an event to the answer of a question that it is in.
fn visible(engine: &mut Engine, at: i64) -> Result<(), EngineError> {
    let (decoder, feed) = feed();
    let (mut acknowledged, mut took) = (Vec::new(), Vec::new());
    let window = (at, at + SECOND);
    for number in 0..200 {
        let mut text = String::new();
        event(&mut text, engine.end() + 1_000_000_000, 77, at, number);
        let before =
            engine.usage(&query(engine, "bytes", "a-77", (window.0 - 899 * SECOND, window.1)))?.records;
        let begun = Clock::now();
        engine.append_bytes(&decoder, &feed, text.into_bytes())?;
        acknowledged.push(begun.elapsed());
        let begun = Clock::now();
        let after =
            engine.usage(&query(engine, "bytes", "a-77", (window.0 - 899 * SECOND, window.1)))?.records;
        took.push(begun.elapsed());
        assert_eq!(after, before + 1, "an event is seen by the first question after its answer");
    }
    println!("an event's answer: {}", shown(&mut acknowledged));
    println!("then the first question, which sees it: {}", shown(&mut took));
    Ok(())
}

fn shown(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 1_000).min(took.len() - 1)];
    format!("p50 {:?}, p99 {:?}, max {:?} of {}", at(500), at(990), at(1_000), took.len())
}
