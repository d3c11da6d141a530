//! Random questions about usage: the engine's answers are those of a loop over plain events.
//!
//! `COUNTERFOIL_QUERIES=100000 cargo test --release -p sim --test queries_oracle` asks more of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Caller, Engine, FixedClock, GroupBy, MEMORY_BYTES, Options, TENANT, UsageQuery, hour_order};
use metering::{Digest, Event, Fate, Instant, Keys, Value, Zone, event_digest};
use sim::faulty_disk::FaultyDisk;
use sim::oracle_random::Random;
use sim::oracle_usage::{
    OracleEvent, OracleFate, OracleGroup, OracleLog, OracleMeter, OracleQuery, OracleTotals, OracleValue,
    OracleZone, days, decimal, events, totals, zones,
};
use store::SegmentSizes;

const QUERIES: u64 = 2_000;
const QUERIES_A_WORLD: u64 = 500;
const RECORDS: u64 = 1_600;
const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
const CELL: i64 = 900 * SECOND;
const ACCOUNTS: [&str; 5] = ["acme", "zenith", "umbrella", "initech", "hooli"];
/// The least likely last: most of the log is of the first.
const KINDS: [&str; 6] = ["call", "load", "load", "credit", "mixed", "rare"];

const BASE: &str = r#"
{kind: policy, policy: accounts, first_sight: create}
---
{kind: meter, meter: calls, events: [call], aggregate: count, unit: call}
---
{kind: meter, meter: load, events: [load], aggregate: sum, property: quantity, unit: byte}
---
{kind: meter, meter: size, events: [load, mixed], aggregate: sum, property: size, dimensions: [region], unit: byte}
---
{kind: meter, meter: net, events: [load, credit], aggregate: sum, property: quantity, allow_negative: true, unit: byte}
---
{kind: meter, meter: credit, events: [credit], aggregate: sum, property: quantity, allow_negative: true, where: {region: [eu, us, "7"]}, dimensions: [region, tier], unit: byte}
---
{kind: meter, meter: all, events: [call, load, credit, mixed, rare], aggregate: count, dimensions: [tier, region], unit: event}
---
{kind: meter, meter: paid, events: [call, mixed], aggregate: count, where: {paid: ["true"], tier: [gold, silver]}, unit: event}
"#;

/// What the second step of the configuration adds; its meters hold from moments inside cells.
fn second(from: i64) -> String {
    let from = |plus: i64| Instant(from + plus);
    format!(
        "{{kind: meter, meter: calls, events: [call, mixed], aggregate: count, where: {{region: [eu, '']}}, dimensions: \
         [region], unit: call, effective_at: '{}'}}\n---\n{{kind: meter, meter: load, events: [load], aggregate: sum, \
         property: weight, dimensions: [tier], unit: byte, effective_at: '{}'}}\n---\n{{kind: meter, meter: later, \
         events: [call, load], aggregate: count, dimensions: [region], unit: event, effective_at: '{}'}}",
        from(0),
        from(HOUR + 1),
        from(-90_000 * SECOND)
    )
}

fn meter(name: &str, kinds: &[&str], sums: Option<&str>, dimensions: &[&str]) -> OracleMeter {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    OracleMeter {
        name: name.to_owned(),
        from: i64::MIN,
        step: 0,
        kinds: texts(kinds),
        sums: sums.map(str::to_owned),
        filter: Vec::new(),
        dimensions: texts(dimensions),
        allow_negative: false,
    }
}

fn one_of(property: &str, texts: &[&str]) -> (String, Vec<String>) {
    (property.to_owned(), texts.iter().map(|text| (*text).to_owned()).collect())
}

/// The same meters as the oracle has them.
fn oracle_meters(from: i64) -> Vec<OracleMeter> {
    let negative = |meter| OracleMeter { allow_negative: true, ..meter };
    let filtered = |meter, filter| OracleMeter { filter, ..meter };
    let second = |meter, plus| OracleMeter { from: from + plus, step: 1, ..meter };
    vec![
        meter("calls", &["call"], None, &[]),
        meter("load", &["load"], Some("quantity"), &[]),
        meter("size", &["load", "mixed"], Some("size"), &["region"]),
        negative(meter("net", &["load", "credit"], Some("quantity"), &[])),
        filtered(
            negative(meter("credit", &["credit"], Some("quantity"), &["region", "tier"])),
            vec![one_of("region", &["eu", "us", "7"])],
        ),
        meter("all", &["call", "load", "credit", "mixed", "rare"], None, &["tier", "region"]),
        filtered(
            meter("paid", &["call", "mixed"], None, &[]),
            vec![one_of("paid", &["true"]), one_of("tier", &["gold", "silver"])],
        ),
        second(
            filtered(
                meter("calls", &["call", "mixed"], None, &["region"]),
                vec![one_of("region", &["eu", ""])],
            ),
            0,
        ),
        second(meter("load", &["load"], Some("weight"), &["tier"]), HOUR + 1),
        second(meter("later", &["call", "load"], None, &["region"]), -90_000 * SECOND),
    ]
}

/// The time that a world lives in: what its zones are right for, and where something happens to their clocks.
struct Era {
    zones: Vec<OracleZone>,
    /// Windows that events are in: start and length.
    stretches: Vec<(i64, i64)>,
    /// Moments near which there are more of them: clocks are set, a day or a month begins.
    centres: Vec<i64>,
    /// Days of some zone on which its clocks are set.
    dst_days: Vec<(i64, i64)>,
    second_from: i64,
}

fn second_of(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> i64 {
    (days(year, month, day) * 86_400 + hour * 3_600 + minute * 60) * SECOND
}

impl Era {
    fn of(world: u64) -> Self {
        let named = |names: &[&str]| zones().into_iter().filter(|zone| names.contains(&zone.name)).collect();
        let day = 86_400 * SECOND;
        if world % 4 == 3 {
            return Self {
                zones: named(&["America/St_Johns", "UTC", "Asia/Kathmandu", "Africa/Monrovia"]),
                stretches: vec![(second_of(2006, 10, 27, 0, 0), 5 * day)],
                centres: vec![second_of(2006, 10, 29, 2, 30), second_of(2006, 10, 29, 2, 31)],
                dst_days: vec![(second_of(2006, 10, 29, 2, 30), second_of(2006, 10, 30, 3, 30))],
                second_from: second_of(2006, 10, 29, 2, 37),
            };
        }
        let from_to = |from: i64, to: i64| (from, to);
        Self {
            zones: named(&[
                "UTC",
                "Asia/Kathmandu",
                "Europe/Berlin",
                "America/New_York",
                "Australia/Lord_Howe",
                "Africa/Monrovia",
            ]),
            stretches: vec![
                (second_of(2026, 3, 1, 0, 0), 40 * day),
                (second_of(2026, 9, 28, 0, 0), 40 * day),
                (second_of(1972, 1, 4, 0, 0), 5 * day),
            ],
            centres: vec![
                second_of(2026, 3, 29, 1, 0),
                second_of(2026, 10, 25, 1, 0),
                second_of(2026, 3, 8, 7, 0),
                second_of(2026, 11, 1, 6, 0),
                second_of(2026, 4, 4, 15, 0),
                second_of(2026, 10, 3, 15, 30),
                second_of(2026, 3, 31, 22, 0),
                second_of(2026, 10, 31, 18, 15),
                second_of(1972, 1, 6, 0, 44) + 30 * SECOND,
                second_of(1972, 1, 7, 0, 44) + 30 * SECOND,
            ],
            dst_days: vec![
                from_to(second_of(2026, 3, 28, 23, 0), second_of(2026, 3, 29, 22, 0)),
                from_to(second_of(2026, 10, 24, 22, 0), second_of(2026, 10, 25, 23, 0)),
                from_to(second_of(2026, 3, 8, 5, 0), second_of(2026, 3, 9, 4, 0)),
                from_to(second_of(2026, 11, 1, 4, 0), second_of(2026, 11, 2, 5, 0)),
                from_to(second_of(2026, 4, 4, 13, 0), second_of(2026, 4, 5, 13, 30)),
                from_to(second_of(2026, 10, 3, 13, 30), second_of(2026, 10, 4, 13, 0)),
                from_to(second_of(1972, 1, 7, 0, 44) + 30 * SECOND, second_of(1972, 1, 8, 0, 0)),
            ],
            second_from: second_of(2026, 3, 29, 0, 52) + 11,
        }
    }

    /// A moment where much happens.
    fn moment(&self, random: &mut Random) -> i64 {
        let at = if random.one_in(3) {
            let (start, length) = random.pick(&self.stretches);
            start + random.below(length as u64) as i64
        } else {
            random.pick(&self.centres) - 3 * HOUR + random.below(6 * HOUR as u64) as i64
        };
        match random.below(6) {
            0 => at,
            1 => at - at.rem_euclid(CELL),
            2 => at - at.rem_euclid(CELL) - 1,
            3 => at - at.rem_euclid(HOUR) + random.below(3) as i64 - 1,
            4 => random.pick(&self.centres) + random.below(3) as i64 - 1,
            _ => at - at.rem_euclid(SECOND),
        }
    }
}

/// An event that may be wrong, may lack what some meter sums, may have dimensions of any kind.
fn draw_event(random: &mut Random, era: &Era, number: u64) -> OracleEvent {
    let kind = random.pick(&KINDS);
    let negative = kind == "credit" && random.one_in(2);
    let number_of = |random: &mut Random| {
        let size = random.pick(&[1, 1_000, 1_000_000, 1_000_000_000_000, 10_000_000_000_000_000]);
        let unit = random.pick(&[1, 1_000_000, 1_000_000_000, 1_000_000_000_000]);
        OracleValue::Number(i128::from(random.below(size)) * unit)
    };
    let mut properties = Vec::new();
    if kind != "call" || random.one_in(3) {
        properties.push(("quantity".to_owned(), number_of(random)));
        if let (true, Some((_, OracleValue::Number(pico)))) = (negative, properties.last_mut()) {
            *pico = -*pico;
        }
    }
    if kind != "rare" && !random.one_in(40) {
        properties.push(("size".to_owned(), number_of(random)));
    }
    if !random.one_in(3) {
        properties.push(("weight".to_owned(), number_of(random)));
    }
    let text = |text: &str| OracleValue::Text(text.to_owned());
    match random.below(8) {
        0 | 1 => properties.push(("region".to_owned(), text("eu"))),
        2 => properties.push(("region".to_owned(), text("us"))),
        3 => properties.push(("region".to_owned(), OracleValue::Number(7_000_000_000_000))),
        4 => properties.push(("region".to_owned(), text(""))),
        5 => properties.push(("region".to_owned(), OracleValue::Null)),
        6 => properties.push(("region".to_owned(), OracleValue::Number(1_500_000_000_000))),
        _ => {}
    }
    match random.below(5) {
        0 | 1 => properties.push(("tier".to_owned(), text("gold"))),
        2 => properties.push(("tier".to_owned(), text("silver"))),
        3 => properties.push(("tier".to_owned(), OracleValue::Bool(true))),
        _ => {}
    }
    properties.push(("paid".to_owned(), OracleValue::Bool(random.one_in(2))));
    if random.one_in(30) {
        // Wrong for those that sum it, of no interest to those that count.
        properties.retain(|(key, _)| key != "quantity");
        properties.push(("quantity".to_owned(), text("12")));
    }
    OracleEvent {
        source: random.pick(&["gate", "edge", "batch"]).to_owned(),
        id: format!("e-{number}"),
        kind: kind.to_owned(),
        account: ACCOUNTS[(random.below(5) * random.below(5) / 4) as usize].to_owned(),
        at: era.moment(random),
        properties,
    }
}

fn json(value: &OracleValue) -> String {
    match value {
        OracleValue::Null => "null".to_owned(),
        OracleValue::Bool(value) => value.to_string(),
        OracleValue::Text(text) => format!("\"{text}\""),
        OracleValue::Number(pico) => decimal(*pico),
    }
}

fn line(event: &OracleEvent) -> String {
    let members: Vec<String> =
        event.properties.iter().map(|(key, value)| format!("\"{key}\":{}", json(value))).collect();
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"{}\",\"type\":\"{}\",\"subject\":\"{}\",\"time\":\"{}\",\
         \"data\":{{{}}}}}",
        event.id,
        event.source,
        event.kind,
        event.account,
        Instant(event.at),
        members.join(",")
    )
}

fn keys() -> Keys {
    Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }
}

fn digest(event: &OracleEvent) -> Digest {
    let value = |value: &OracleValue| match value {
        OracleValue::Null => Value::Null,
        OracleValue::Bool(value) => Value::Bool(*value),
        OracleValue::Text(text) => Value::Text(text.clone()),
        OracleValue::Number(pico) => Value::number(&decimal(*pico)).expect("a number"),
    };
    let members = event.properties.iter().map(|(key, of)| (key.clone(), value(of))).collect();
    let event = Event {
        source: event.source.clone(),
        id: event.id.clone(),
        event_type: event.kind.clone(),
        account: event.account.clone(),
        occurred_at: Instant(event.at),
        properties: Value::object(members).expect("no key twice"),
    };
    event_digest(&keys(), TENANT, &event)
}

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
            let event = match random.below(20) {
                0 if !sent.is_empty() => Some(sent[random.below(sent.len() as u64) as usize].clone()),
                1 if !sent.is_empty() => {
                    let earlier = &sent[random.below(sent.len() as u64) as usize];
                    let fresh = draw_event(&mut random, &era, 0);
                    Some(OracleEvent { source: earlier.source.clone(), id: earlier.id.clone(), ..fresh })
                }
                2 => None,
                _ => Some(draw_event(&mut random, &era, log.received)),
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
}

impl World {
    fn draw_edge(&self, random: &mut Random) -> i64 {
        let accepted = &self.log.accepted;
        let event = &accepted[random.below(accepted.len() as u64) as usize].1;
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

    fn draw(&self, random: &mut Random) -> OracleQuery {
        let step = u32::from(!random.one_in(3));
        let mut names: Vec<&str> = self.meters.iter().map(|meter| meter.name.as_str()).collect();
        names.retain(|name| step == 1 || *name != "later");
        let name = random.pick(&names);
        let mut dimensions: Vec<&str> = Vec::new();
        for meter in self.meters.iter().filter(|meter| meter.name == name && meter.step <= step) {
            dimensions.extend(meter.dimensions.iter().map(String::as_str));
        }
        let (a, b) = (self.draw_edge(random), self.draw_edge(random));
        let (start, end) = if random.one_in(20) { (a, b) } else { (a.min(b), a.max(b)) };
        let mut only = Vec::new();
        if !dimensions.is_empty() && random.one_in(3) {
            let texts = ["eu", "us", "", "7", "1.5", "gold", "true", "nowhere"];
            let texts = [random.pick(&texts), random.pick(&texts), random.pick(&texts)];
            only.push(one_of(random.pick(&dimensions), &texts));
        }
        let mut by = Vec::new();
        for _ in 0..random.below(4) {
            let zone = self.era.zones[random.below(self.era.zones.len() as u64) as usize].clone();
            by.push(match (random.below(7), dimensions.is_empty()) {
                (0, _) => OracleGroup::Account,
                (1, _) => OracleGroup::Source,
                (2, _) => OracleGroup::Kind,
                (3, false) => OracleGroup::Dimension(random.pick(&dimensions).to_owned()),
                (4, _) => OracleGroup::Day(zone),
                (5, _) => OracleGroup::Month(zone),
                _ => OracleGroup::Hour(zone),
            });
        }
        let received = self.log.received;
        let cut = if random.one_in(3) { random.below(received + 1) } else { received + random.below(2) };
        let account = (!random.one_in(4)).then(|| random.pick(&ACCOUNTS).to_owned());
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
                let digest = found.digest;
                (group.clone(), (found.records, found.quantity.to_string(), found.unmeasured, digest))
            })
            .collect();
        let wanted: BTreeMap<_, _> = expected
            .iter()
            .map(|(group, found)| {
                let digest = found.places.iter().fold(0u128, |sum, at| sum.wrapping_add(self.digests[*at].0));
                (group.clone(), (found.records, decimal(found.sum), found.unmeasured, Digest(digest)))
            })
            .collect();
        assert_eq!(shown, wanted, "{query:?}, {at}");
        check_hours(&self.log, query, &expected);
        self.look(query, &wanted, seen);
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

    fn look(
        &self,
        query: &OracleQuery,
        answer: &BTreeMap<Vec<Option<String>>, (u64, String, u64, Digest)>,
        seen: &mut Seen,
    ) {
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
        seen.unmeasured += u64::from(answer.values().any(|found| found.2 > 0));
        seen.negative_sums += u64::from(answer.values().any(|found| found.1.starts_with('-')));
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
}

/// Where an hour stands in time is where its events are.
fn check_hours(log: &OracleLog, query: &OracleQuery, answer: &BTreeMap<Vec<Option<String>>, OracleTotals>) {
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
    at_least("buckets that may begin inside a cell", seen.buckets_in_cells, 1);
    at_least("events without a value", seen.unmeasured, 100);
    at_least("sums below zero", seen.negative_sums, 40);
    at_least("listed events", seen.listed, 1);
}
