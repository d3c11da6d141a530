//! Random questions about usage: the engine's answers are those of a loop over plain events.
//!
//! `COUNTERFOIL_QUERIES=100000 cargo test --release -p sim --test queries_oracle` asks more of them.

mod queries_world;

use std::collections::BTreeMap;
use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Caller, Engine, FixedClock, GroupBy, MEMORY_BYTES, Options, UsageQuery, hour_order};
use metering::{Digest, Fate, Instant, Zone};
use queries_world::era::{Era, second_of};
use queries_world::events::{ACCOUNTS, digest, draw_event, keys, line};
use queries_world::meters::{BASE, one_of, oracle_meters, second};
use queries_world::{CELL, DAY, HOUR};
use sim::faulty_disk::FaultyDisk;
use sim::oracle_aggregate::OracleAggregate;
use sim::oracle_number::Fraction;
use sim::oracle_random::Random;
use sim::oracle_usage::{
    OracleEvent, OracleFate, OracleGroup, OracleLog, OracleMeter, OracleQuery, OracleTotals, OracleZone,
    decimal, events, totals,
};
use store::SegmentSizes;

const QUERIES: u64 = 2_000;
const QUERIES_A_WORLD: u64 = 500;
const RECORDS: u64 = 1_600;

/// A store and what the oracle knows of it.
struct World {
    engine: Engine,
    log: OracleLog,
    digests: Vec<Digest>,
    meters: Vec<OracleMeter>,
    era: Era,
    /// The journal rows of the two steps of the configuration.
    rows: [u64; 2],
    /// How often its cells were written as runs.
    flushes: u64,
}

fn open(disk: &FaultyDisk) -> Engine {
    Engine::open(
        Arc::new(disk.clone()),
        Options {
            clock: Arc::new(FixedClock::at(Instant(second_of(2026, 11, 20, 0, 0)))),
            random: Box::new(|bytes| bytes.fill(7)),
            keys: Some(keys()),
            actor: "test".to_owned(),
            sizes: SegmentSizes { log_bytes: 64 << 10, journal_bytes: 64 << 10 },
            memory_bytes: MEMORY_BYTES,
            in_background: false,
        },
    )
    .expect("it opens")
}

fn configure(engine: &mut Engine, config: &str) -> u64 {
    let caller = Caller { actor: "test".to_owned(), reason: None, idempotency_key: None };
    let documents = read_documents("config.yaml", config).unwrap_or_else(|problems| panic!("{problems:?}"));
    let plan = engine.plan(&documents).expect("it plans").unwrap_or_else(|problems| panic!("{problems:?}"));
    engine.apply(&caller, &plan).expect("it applies");
    engine.head().number
}

fn make_world(number: u64, seed: u64) -> World {
    let mut random = Random::new(seed);
    let era = Era::of(number);
    let disk = FaultyDisk::new();
    let mut engine = open(&disk);
    let meters = oracle_meters(era.second_from);
    let mut rows = [configure(&mut engine, BASE); 2];
    let mut log = OracleLog::default();
    let mut step = 0;
    let mut sent: Vec<OracleEvent> = Vec::new();
    let (feed, decoder) = (Feed { name: "f".to_owned(), source: "f".to_owned() }, Decoder::cloud_events());
    let mut flushes = 0;
    while log.received < RECORDS {
        let mut lines = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..1 + random.below(120) {
            let event = match random.below(24) {
                0 if !sent.is_empty() => Some(sent[random.below(sent.len() as u64) as usize].clone()),
                1 if !sent.is_empty() => {
                    let earlier = &sent[random.below(sent.len() as u64) as usize];
                    let fresh = draw_event(&mut random, &era, 0, None);
                    Some(OracleEvent { source: earlier.source.clone(), id: earlier.id.clone(), ..fresh })
                }
                2 => None,
                3..=6 if !sent.is_empty() => {
                    let earlier = &sent[random.below(sent.len() as u64) as usize];
                    let follower = draw_event(&mut random, &era, log.received, Some(earlier));
                    // Sources may use the same id.
                    let id = if random.one_in(3) { &earlier.id } else { &follower.id };
                    Some(OracleEvent { id: id.clone(), ..follower })
                }
                _ => Some(draw_event(&mut random, &era, log.received, None)),
            };
            expected.push(log.receive(event.as_ref(), &meters, step));
            lines.push(event.as_ref().map_or_else(|| "{broken".to_owned(), line));
            sent.extend(event);
        }
        let answer = engine.append_bytes(&decoder, &feed, lines.join("\n").into_bytes()).expect("it appends");
        let fates: Vec<OracleFate> = answer.fates.iter().map(fate).collect();
        assert_eq!(fates, expected, "fates in world {number}, seed {seed}: {:?}", answer.messages);
        if random.one_in(3) {
            engine.checkpoint_now(false).expect("it checkpoints");
            flushes += 1;
        }
        if step == 0 && log.received > RECORDS / 2 {
            rows[1] = configure(&mut engine, &second(era.second_from));
            step = 1;
        }
        if random.one_in(12) {
            engine.close().expect("it closes");
            engine = open(&disk);
        }
    }
    let digests = log.accepted.iter().map(|(_, event)| digest(event)).collect();
    World { engine, log, digests, meters, era, rows, flushes }
}

fn fate(fate: &Fate) -> OracleFate {
    match fate {
        Fate::Accepted => OracleFate::Accepted,
        Fate::Duplicate => OracleFate::Duplicate,
        Fate::Conflict => OracleFate::Conflict,
        Fate::Rejected(_) => OracleFate::Rejected,
    }
}

/// What the questions had in them; a test without it would say nothing.
#[derive(Debug, Default)]
struct Seen {
    queries: u64,
    flushes: u64,
    /// Worlds whose runs had been merged.
    merged: u64,
    edges_in_cells: u64,
    edges_on_dst_days: u64,
    events_at_edges: u64,
    empty_windows: u64,
    cuts_inside: u64,
    earlier_terms: u64,
    groups: u64,
    hours_twice: u64,
    buckets_in_cells: u64,
    unmeasured: u64,
    negative_sums: u64,
    listed: u64,
    /// Groups with a value other than zero, by what makes it.
    values: BTreeMap<&'static str, u64>,
    /// Groups with several different values of a property.
    unique_values: u64,
    /// Averages that are no finite decimal.
    endless_averages: u64,
    /// Groups whose last moment has several events of different values.
    latest_ties: u64,
    /// Groups that hold a level from before, and those that hold nothing else.
    carried: u64,
    carried_alone: u64,
    /// Groups of which there is only what nobody can read, before the window.
    unreadable_past: u64,
    /// Groups that hold a level only from before the version that holds.
    carried_over: u64,
    /// Groups in which several levels were observed at one moment.
    level_ties: u64,
    /// Windows with two ends of what is over time, answers cut at hours, days or months, and windows without an end.
    hourly_windows: u64,
    cut_by_clocks: u64,
    endless_windows: u64,
    /// Edges inside a cell of what is over time.
    time_edges_in_cells: u64,
    /// Groups with events of two versions of a meter that neither counts nor sums.
    of_two_versions: u64,
}

/// An answer about a group as both sides give it.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    records: u64,
    quantity: String,
    unmeasured: u64,
    digest: Digest,
    value: Option<String>,
}

type Totals = BTreeMap<Vec<Option<String>>, OracleTotals>;

impl World {
    fn draw_accepted(&self, random: &mut Random) -> &OracleEvent {
        &self.log.accepted[random.below(self.log.accepted.len() as u64) as usize].1
    }

    fn draw_edge(&self, random: &mut Random) -> i64 {
        let event = self.draw_accepted(random);
        match random.below(10) {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => event.at,
            3 => event.at + 1,
            4 => {
                let (start, end) = random.pick(&self.era.dst_days);
                if random.one_in(2) { start } else { end }
            }
            _ => self.era.moment(random),
        }
    }

    /// The versions of a meter that a step knows.
    fn versions(&self, name: &str, step: u32) -> impl Iterator<Item = &OracleMeter> {
        self.meters.iter().filter(move |meter| meter.name == name && meter.step <= step)
    }

    fn aggregate(&self, query: &OracleQuery) -> &OracleAggregate {
        &self.versions(&query.meter, query.step).next().expect("a meter").aggregate
    }

    /// A meter that neither counts nor sums in five of nine questions.
    fn draw_meter(&self, random: &mut Random, step: u32) -> &str {
        if step == 1 && random.one_in(16) {
            // Most of what it observed cannot be read, of no other level so much.
            return "desks";
        }
        let wants_sums = random.below(9) < 4;
        let adds_up = |meter: &OracleMeter| {
            matches!(meter.aggregate, OracleAggregate::Count | OracleAggregate::Sum) == wants_sums
        };
        let known = self.meters.iter().filter(|meter| meter.step <= step && adds_up(meter));
        let names: Vec<&str> = known.map(|meter| meter.name.as_str()).collect();
        random.pick(&names)
    }

    fn draw_groups(&self, random: &mut Random, dimensions: &[&str]) -> Vec<OracleGroup> {
        let mut by = Vec::new();
        for _ in 0..random.below(4) {
            let zone = self.era.zones[random.below(self.era.zones.len() as u64) as usize].clone();
            by.push(match (random.below(7), dimensions.is_empty()) {
                (0, _) => OracleGroup::Account,
                (1, _) => OracleGroup::Source,
                (2, _) => OracleGroup::Kind,
                (3, false) => OracleGroup::Dimension(random.pick(dimensions).to_owned()),
                (4, _) => OracleGroup::Day(zone),
                (5, _) => OracleGroup::Month(zone),
                _ => OracleGroup::Hour(zone),
            });
        }
        by
    }

    /// A window of what is over time: not too long, as all its hours are gone through.
    fn draw_stretch(&self, random: &mut Random, name: &str, by: &[OracleGroup]) -> (i64, i64) {
        let mut start = self.draw_edge(random);
        if start == i64::MIN || start == i64::MAX {
            start = self.draw_edge(random);
        }
        if start == i64::MIN || start == i64::MAX || random.one_in(16) {
            let other = self.draw_edge(random);
            let open = random.pick(&[i64::MIN, i64::MAX]);
            return (open.min(other), open.max(other));
        }
        let event = self.draw_accepted(random);
        if self.versions(name, 1).any(|meter| meter.kinds.contains(&event.kind)) {
            start = match random.below(4) {
                0 => event.at,
                1 => event.at - event.at.rem_euclid(CELL),
                _ => event.at - random.below(3 * HOUR as u64) as i64,
            };
        }
        if self.versions(name, 1).count() > 1 && random.one_in(3) {
            start = self.era.second_from + random.below(6 * HOUR as u64) as i64 - HOUR;
        }
        let has_hours = by.iter().any(|by| matches!(by, OracleGroup::Hour(_)));
        let longest = match random.below(8) {
            0..3 => 6 * HOUR,
            3..6 => 3 * DAY,
            _ if has_hours => 3 * DAY,
            _ => 40 * DAY,
        };
        let end = start + random.below(longest as u64) as i64;
        let moments = self.log.accepted.iter().map(|(_, event)| event.at);
        let inside: Vec<i64> = moments.filter(|at| (start..start + longest).contains(at)).collect();
        let end = match random.below(6) {
            0 => end - end.rem_euclid(CELL),
            1 => end - (end - start).rem_euclid(HOUR) + random.below(3) as i64 - 1,
            2 if !inside.is_empty() => random.pick(&inside),
            3 if !inside.is_empty() => random.pick(&inside) + 1,
            _ => end,
        };
        if random.one_in(40) { (end, start) } else { (start, end) }
    }

    fn draw(&self, random: &mut Random) -> OracleQuery {
        let step = u32::from(!random.one_in(3));
        let name = self.draw_meter(random, step);
        let dimensions: Vec<&str> =
            self.versions(name, step).flat_map(|meter| meter.dimensions.iter().map(String::as_str)).collect();
        let by = self.draw_groups(random, &dimensions);
        let (start, end) = if self.versions(name, step).any(|meter| meter.aggregate.is_over_time()) {
            self.draw_stretch(random, name, &by)
        } else {
            let (a, b) = (self.draw_edge(random), self.draw_edge(random));
            if random.one_in(20) { (a, b) } else { (a.min(b), a.max(b)) }
        };
        let mut only = Vec::new();
        if !dimensions.is_empty() && random.one_in(3) {
            let texts = ["eu", "us", "", "7", "1.5", "gold", "true", "nowhere"];
            let texts = [random.pick(&texts), random.pick(&texts), random.pick(&texts)];
            only.push(one_of(random.pick(&dimensions), &texts));
        }
        let received = self.log.received;
        let cut = if random.one_in(3) { random.below(received + 1) } else { received + random.below(2) };
        let account = match random.below(8) {
            0 => Some(random.pick(&ACCOUNTS).to_owned()),
            1..5 => Some(self.draw_accepted(random).account.clone()),
            _ => None,
        };
        OracleQuery { meter: name.to_owned(), account, only, start, end, cut, step, by }
    }

    fn ask(&self, query: &OracleQuery, seen: &mut Seen, at: &str) {
        let asked = UsageQuery {
            meter: &query.meter,
            account: query.account.as_deref(),
            only: &query.only,
            start: Instant(query.start),
            end: Instant(query.end),
            as_of: query.cut,
        };
        let zone = |zone: &OracleZone| Zone::parse(zone.name).expect("a zone");
        let by: Vec<GroupBy> = query
            .by
            .iter()
            .map(|by| match by {
                OracleGroup::Account => GroupBy::Account,
                OracleGroup::Source => GroupBy::Source,
                OracleGroup::Kind => GroupBy::Type,
                OracleGroup::Dimension(name) => GroupBy::Dimension(name.clone()),
                OracleGroup::Hour(of) => GroupBy::Hour(zone(of)),
                OracleGroup::Day(of) => GroupBy::Day(zone(of)),
                OracleGroup::Month(of) => GroupBy::Month(zone(of)),
            })
            .collect();
        let expected = totals(&self.log, &self.meters, query);
        let answered = match query.step {
            0 => self.engine.usage_by_known_at(self.rows[0], &asked, &by),
            _ => self.engine.usage_by(&asked, &by),
        };
        let answered = answered.unwrap_or_else(|error| panic!("{error}: {query:?}, {at}"));
        let shown: BTreeMap<_, _> = answered
            .iter()
            .map(|(group, found)| {
                let answer = Answer {
                    records: found.records,
                    quantity: found.quantity.to_string(),
                    unmeasured: found.unmeasured,
                    digest: found.digest,
                    value: found.value().map(|value| value.to_string()),
                };
                (group.clone(), answer)
            })
            .collect();
        let wanted: BTreeMap<_, _> = expected
            .iter()
            .map(|(group, found)| {
                let digest = found.places.iter().fold(0u128, |sum, at| sum.wrapping_add(self.digests[*at].0));
                let answer = Answer {
                    records: found.records,
                    quantity: decimal(found.sum),
                    unmeasured: found.unmeasured,
                    digest: Digest(digest),
                    value: found.value.as_ref().map(Fraction::text),
                };
                (group.clone(), answer)
            })
            .collect();
        assert_eq!(shown, wanted, "{query:?}, {at}");
        check_hours(&self.log, query, &expected);
        self.look(query, &expected, seen);
        self.look_at_values(query, &expected, seen);
        if seen.queries.is_multiple_of(3) {
            self.list(query, &asked, seen, at);
        }
    }

    /// The single events, in order.
    fn list(&self, query: &OracleQuery, asked: &UsageQuery<'_>, seen: &mut Seen, at: &str) {
        let listed = match query.step {
            0 => self.engine.events_known_at(self.rows[0], asked),
            _ => self.engine.events(asked),
        };
        let listed = listed.unwrap_or_else(|error| panic!("{error}: {query:?}, {at}"));
        let shown: Vec<_> = listed
            .iter()
            .map(|listed| {
                let value = listed.value.map(|value| value.to_string());
                (listed.position, listed.event.occurred_at.0, value, self.engine.digest(&listed.event))
            })
            .collect();
        let wanted: Vec<_> = events(&self.log, &self.meters, query)
            .into_iter()
            .map(|(place, value)| {
                let (position, event) = &self.log.accepted[place];
                (*position, event.at, value.map(decimal), self.digests[place])
            })
            .collect();
        assert_eq!(shown, wanted, "events of {query:?}, {at}");
        seen.listed += wanted.len() as u64;
    }

    fn look(&self, query: &OracleQuery, answer: &Totals, seen: &mut Seen) {
        seen.queries += 1;
        let edges = [query.start, query.end];
        let is_open = |edge: i64| edge == i64::MIN || edge == i64::MAX;
        let count = |test: &dyn Fn(i64) -> bool| {
            edges.iter().filter(|edge| !is_open(**edge) && test(**edge)).count() as u64
        };
        seen.edges_in_cells += count(&|edge| edge.rem_euclid(CELL) != 0);
        seen.edges_on_dst_days +=
            count(&|edge| self.era.dst_days.iter().any(|(start, end)| (*start..=*end).contains(&edge)));
        seen.events_at_edges += count(&|edge| self.log.accepted.iter().any(|(_, event)| event.at == edge));
        seen.empty_windows += u64::from(query.start >= query.end);
        seen.cuts_inside += u64::from(query.cut < self.log.received);
        seen.earlier_terms += u64::from(query.step == 0);
        seen.groups += answer.len() as u64;
        seen.unmeasured += u64::from(answer.values().any(|found| found.unmeasured > 0));
        seen.negative_sums += u64::from(answer.values().any(|found| found.sum < 0));
        for (place, by) in query.by.iter().enumerate() {
            let OracleGroup::Hour(zone) = by else { continue };
            let mut hours: Vec<&str> = answer.keys().filter_map(|group| group[place].as_deref()).collect();
            hours.sort_unstable();
            hours.dedup();
            seen.hours_twice += hours.windows(2).filter(|two| two[0][..16] == two[1][..16]).count() as u64;
            seen.buckets_in_cells +=
                hours.iter().filter(|_| matches!(zone.name, "Africa/Monrovia" | "America/St_Johns")).count()
                    as u64;
        }
    }

    fn look_at_time(&self, query: &OracleQuery, answer: &Totals, seen: &mut Seen) {
        let is_level = matches!(self.aggregate(query), OracleAggregate::Level { .. });
        let is_of_clocks = |by: &OracleGroup| {
            matches!(by, OracleGroup::Hour(_) | OracleGroup::Day(_) | OracleGroup::Month(_))
        };
        let (is_cut, has_answer) = (query.by.iter().any(is_of_clocks), !answer.is_empty());
        if query.start == i64::MIN || query.end == i64::MAX {
            seen.endless_windows += u64::from(has_answer);
            return;
        }
        if has_answer {
            let inside = [query.start, query.end].into_iter().filter(|edge| edge.rem_euclid(CELL) != 0);
            seen.time_edges_in_cells += inside.count() as u64;
            seen.hourly_windows += u64::from(!is_level);
            seen.cut_by_clocks += u64::from(is_cut);
        }
        if is_level && !is_cut {
            let past = OracleQuery { start: i64::MIN, end: query.start, ..query.clone() };
            let past = totals(&self.log, &self.meters, &past);
            let is_hidden = |(group, found): &(&Vec<Option<String>>, &OracleTotals)| {
                found.records == found.unmeasured && !answer.contains_key(*group)
            };
            seen.unreadable_past += past.iter().filter(is_hidden).count() as u64;
        }
    }

    fn look_at_values(&self, query: &OracleQuery, answer: &Totals, seen: &mut Seen) {
        let aggregate = self.aggregate(query);
        if aggregate.is_over_time() {
            self.look_at_time(query, answer, seen);
        }
        for found in answer.values() {
            let value = found.value.as_ref().filter(|value| !value.is_zero());
            *seen.values.entry(aggregate.word()).or_default() += u64::from(value.is_some());
            seen.carried += u64::from(value.is_some() && !found.carried.is_empty());
            seen.carried_alone += u64::from(value.is_some() && found.records == 0);
            let Some(value) = value else { continue };
            match aggregate {
                OracleAggregate::Average => seen.endless_averages += u64::from(value.text().contains('/')),
                OracleAggregate::Unique => seen.unique_values += u64::from(value.text() != "1"),
                OracleAggregate::Latest => {
                    let last = self.moments(found).pop_last();
                    seen.latest_ties += u64::from(last.is_some_and(|(_, places)| places.len() > 1));
                }
                OracleAggregate::Level { .. } => {
                    let last = found.carried.iter().map(|place| self.log.accepted[*place].1.at).max();
                    let is_over = |meter: &OracleMeter| {
                        last.is_some_and(|last| last < meter.from && meter.from <= query.start)
                    };
                    seen.carried_over += u64::from(self.versions(&query.meter, query.step).any(is_over));
                    seen.level_ties += u64::from(self.moments(found).values().any(|places| places.len() > 1));
                }
                _ => {}
            }
            if !matches!(aggregate, OracleAggregate::Count | OracleAggregate::Sum) {
                let changed = |meter: &OracleMeter| {
                    let before = |place: &&usize| self.log.accepted[**place].1.at < meter.from;
                    let earlier = found.places.iter().chain(&found.carried).filter(before).count();
                    earlier > 0 && earlier < found.places.len() + found.carried.len()
                };
                seen.of_two_versions += u64::from(self.versions(&query.meter, query.step).any(changed));
            }
        }
    }

    /// The moments of a group's events, with the places of these.
    fn moments(&self, found: &OracleTotals) -> BTreeMap<i64, Vec<usize>> {
        let mut moments: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for place in &found.places {
            moments.entry(self.log.accepted[*place].1.at).or_default().push(*place);
        }
        moments
    }
}

/// Where an hour stands in time is where its events are.
fn check_hours(log: &OracleLog, query: &OracleQuery, answer: &Totals) {
    for (place, by) in query.by.iter().enumerate() {
        if !matches!(by, OracleGroup::Hour(_)) {
            continue;
        }
        for (group, found) in answer {
            let start = group[place].as_deref().and_then(hour_order).expect("an hour");
            let are_inside = |at: &usize| (start..start + HOUR).contains(&log.accepted[*at].1.at);
            assert!(found.places.iter().all(are_inside), "{group:?} of {query:?}");
        }
    }
}

#[test]
fn a_loop_over_plain_events_answers_the_same() {
    let queries = match std::env::var("COUNTERFOIL_QUERIES") {
        Ok(text) => text.parse().expect("COUNTERFOIL_QUERIES is a number"),
        Err(_) => QUERIES,
    };
    let seed = 20_261_124u64;
    let mut seen = Seen::default();
    let mut world_number = 0;
    while seen.queries < queries {
        let world_seed = seed + world_number;
        let world = make_world(world_number, world_seed);
        let mut random = Random::new(world_seed ^ 0xabcd);
        for number in 0..QUERIES_A_WORLD.max(queries / 40).min(queries - seen.queries) {
            let query = world.draw(&mut random);
            world.ask(
                &query,
                &mut seen,
                &format!("question {number} of world {world_number}, seed {world_seed}"),
            );
        }
        world_number += 1;
        seen.flushes += world.flushes;
        seen.merged += u64::from((world.engine.runs().0 as u64) < world.flushes);
    }
    println!("{world_number} worlds from seed {seed}: {seen:?}");
    assert!(seen.flushes > 4 * world_number && seen.merged > world_number / 2, "runs are written and merged");
    // A test that does not ask what is hard says nothing.
    let at_least = |what: &str, found: u64, share: u64| {
        assert!(found * share >= queries, "too few {what}: {found} in {queries} questions");
    };
    at_least("edges inside a cell", seen.edges_in_cells, 2);
    at_least("edges on days on which clocks are set", seen.edges_on_dst_days, 2);
    at_least("events exactly at an edge", seen.events_at_edges, 4);
    at_least("empty windows", seen.empty_windows, 60);
    at_least("cuts inside the log", seen.cuts_inside, 5);
    at_least("earlier terms", seen.earlier_terms, 5);
    at_least("groups", seen.groups, 1);
    at_least("hours that come twice", seen.hours_twice, 80);
    at_least("buckets that may begin inside a cell", seen.buckets_in_cells, 2);
    at_least("events without a value", seen.unmeasured, 100);
    at_least("sums below zero", seen.negative_sums, 40);
    at_least("listed events", seen.listed, 1);
    check_values(&seen, &at_least);
}

fn check_values(seen: &Seen, at_least: &dyn Fn(&str, u64, u64)) {
    assert_eq!(seen.values.len(), 16, "every way to make a value: {:?}", seen.values);
    for (word, found) in &seen.values {
        at_least(&format!("values of {word}"), *found, 100);
    }
    at_least("groups of different values", seen.unique_values, 20);
    at_least("averages without a finite decimal", seen.endless_averages, 20);
    at_least("groups with several last events", seen.latest_ties, 100);
    at_least("levels held from before", seen.carried, 5);
    at_least("levels held from before and not observed", seen.carried_alone, 5);
    at_least("groups that nobody can read", seen.unreadable_past, 200);
    at_least("levels held over to another version", seen.carried_over, 400);
    at_least("levels observed several times at one moment", seen.level_ties, 100);
    at_least("windows with two ends of hours", seen.hourly_windows, 20);
    at_least("windows cut by clocks", seen.cut_by_clocks, 20);
    at_least("windows without an end of what is over time", seen.endless_windows, 80);
    at_least("edges of what is over time inside a cell", seen.time_edges_in_cells, 10);
    at_least("values of two versions", seen.of_two_versions, 40);
}
