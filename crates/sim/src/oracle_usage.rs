//! Counting and questions about usage once more: a loop over plain events.
//!
//! It shares no code with the engine, with `metering` and with its calendar. There are no cells, no runs and no
//! blocks: what was received is a list, a question goes through all of it. Its zones are short lists of the moments
//! at which clocks were set, copied from the announcements and not from the database that the program brings; they
//! are right only in the years that [`zones`] names.

use std::collections::{BTreeMap, HashMap};

use crate::oracle_aggregate::{OracleAggregate, Reading};
use crate::oracle_number::Fraction;

const SECOND: i64 = 1_000_000_000;

/// A property's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OracleValue {
    /// JSON's null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A string.
    Text(String),
    /// A number, in units of 10^-12.
    Number(i128),
}

impl OracleValue {
    /// What filters and dimensions see.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Number(pico) => Some(decimal(*pico)),
        }
    }
}

/// A number of 10^-12 as a decimal without zeros that say nothing.
pub fn decimal(pico: i128) -> String {
    let digits = format!("{:013}", pico.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - 12);
    let fraction = fraction.trim_end_matches('0');
    let sign = if pico < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// An event as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleEvent {
    /// With the id: who it is.
    pub source: String,
    /// With the source: who it is.
    pub id: String,
    /// The type.
    pub kind: String,
    /// The account.
    pub account: String,
    /// Nanoseconds since 1970.
    pub at: i64,
    /// Its properties; no key twice.
    pub properties: Vec<(String, OracleValue)>,
}

impl OracleEvent {
    fn property(&self, name: &str) -> Option<&OracleValue> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// What filters and dimensions see of a property.
    pub fn text(&self, name: &str) -> Option<String> {
        self.property(name).and_then(OracleValue::text)
    }
}

/// A version of a meter.
#[derive(Debug, Clone)]
pub struct OracleMeter {
    /// Its name.
    pub name: String,
    /// From when it counts; nanoseconds since 1970.
    pub from: i64,
    /// Known from this step of the configuration on.
    pub step: u32,
    /// The types.
    pub kinds: Vec<String>,
    /// What it makes of them.
    pub aggregate: OracleAggregate,
    /// What it reads of them; none where events are counted.
    pub property: Option<String>,
    /// Properties and the texts they may have.
    pub filter: Vec<(String, Vec<String>)>,
    /// Its dimensions.
    pub dimensions: Vec<String>,
    /// Whether values may be below zero.
    pub allow_negative: bool,
}

impl OracleMeter {
    fn counts(&self, event: &OracleEvent) -> bool {
        self.kinds.contains(&event.kind)
            && self
                .filter
                .iter()
                .all(|(property, texts)| event.text(property).is_some_and(|text| texts.contains(&text)))
    }

    /// The value, in 10^-12; none where it cannot be read.
    pub fn value(&self, event: &OracleEvent) -> Option<i128> {
        let Some(property) = &self.property else { return Some(1_000_000_000_000) };
        if self.aggregate.is_one_each() {
            return event.text(property).map(|_| 1_000_000_000_000);
        }
        match event.property(property) {
            Some(OracleValue::Number(pico)) if *pico >= 0 || self.allow_negative => Some(*pico),
            _ => None,
        }
    }
}

/// The version of a meter that holds at a moment, as known at a step.
fn version<'m>(meters: &'m [OracleMeter], name: &str, at: i64, step: u32) -> Option<&'m OracleMeter> {
    let mut found: Option<&OracleMeter> = None;
    for meter in meters.iter().filter(|meter| meter.name == name && meter.step <= step && meter.from <= at) {
        if found.is_none_or(|found| (meter.from, meter.step) >= (found.from, found.step)) {
            found = Some(meter);
        }
    }
    found
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OracleFate {
    /// It counts.
    Accepted,
    /// The same was accepted before.
    Duplicate,
    /// Something else was accepted under its name.
    Conflict,
    /// It cannot be counted.
    Rejected,
}

/// All that was received.
#[derive(Debug, Default)]
pub struct OracleLog {
    /// How many records were received.
    pub received: u64,
    /// The accepted events with their positions.
    pub accepted: Vec<(u64, OracleEvent)>,
    names: HashMap<(String, String), usize>,
}

impl OracleLog {
    /// Receives a record; `None` is one that cannot be read at all.
    pub fn receive(&mut self, event: Option<&OracleEvent>, meters: &[OracleMeter], step: u32) -> OracleFate {
        let position = self.received;
        self.received += 1;
        let Some(event) = event else { return OracleFate::Rejected };
        let name = (event.source.clone(), event.id.clone());
        if let Some(earlier) = self.names.get(&name) {
            let same = same_event(&self.accepted[*earlier].1, event);
            return if same { OracleFate::Duplicate } else { OracleFate::Conflict };
        }
        let mut is_named = false;
        for name in names(meters) {
            let Some(meter) = version(meters, &name, event.at, step) else { continue };
            is_named |= meter.kinds.contains(&event.kind);
            if meter.counts(event) && meter.value(event).is_none() {
                return OracleFate::Rejected;
            }
        }
        if !is_named {
            return OracleFate::Rejected;
        }
        self.names.insert(name, self.accepted.len());
        self.accepted.push((position, event.clone()));
        OracleFate::Accepted
    }
}

/// The order of properties says nothing.
fn same_event(a: &OracleEvent, b: &OracleEvent) -> bool {
    let sorted = |event: &OracleEvent| {
        let mut event = event.clone();
        event.properties.sort_by(|a, b| a.0.cmp(&b.0));
        event
    };
    sorted(a) == sorted(b)
}

fn names(meters: &[OracleMeter]) -> Vec<String> {
    let mut names: Vec<String> = meters.iter().map(|meter| meter.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// What usage is grouped by.
#[derive(Debug, Clone)]
pub enum OracleGroup {
    /// The account.
    Account,
    /// The source.
    Source,
    /// The type.
    Kind,
    /// A property.
    Dimension(String),
    /// The hour in a zone, with its offset.
    Hour(OracleZone),
    /// The day in a zone.
    Day(OracleZone),
    /// The month in a zone.
    Month(OracleZone),
}

/// A question.
#[derive(Debug, Clone)]
pub struct OracleQuery {
    /// The meter.
    pub meter: String,
    /// The account, or all.
    pub account: Option<String>,
    /// Dimensions and the texts they may have.
    pub only: Vec<(String, Vec<String>)>,
    /// From when, included.
    pub start: i64,
    /// Until when, excluded.
    pub end: i64,
    /// Only what was received before.
    pub cut: u64,
    /// The step of the configuration by which it is counted.
    pub step: u32,
    /// The groups.
    pub by: Vec<OracleGroup>,
}

/// What was found in one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OracleTotals {
    /// Events.
    pub records: u64,
    /// The sum of their values, in 10^-12.
    pub sum: i128,
    /// Events without a value.
    pub unmeasured: u64,
    /// What the meter makes of them.
    pub value: Option<Fraction>,
    /// Their places in [`OracleLog::accepted`].
    pub places: Vec<usize>,
    /// The places of what was observed before the window and is held in it.
    pub carried: Vec<usize>,
}

/// Answers a question by going through everything.
pub fn totals(
    log: &OracleLog,
    meters: &[OracleMeter],
    query: &OracleQuery,
) -> BTreeMap<Vec<Option<String>>, OracleTotals> {
    let of_name = |meter: &&OracleMeter| meter.name == query.meter && meter.step <= query.step;
    let Some(aggregate) = meters.iter().find(of_name).map(|meter| &meter.aggregate) else {
        return BTreeMap::new();
    };
    let is_bounded = query.start != i64::MIN && query.end != i64::MAX && query.start < query.end;
    if !aggregate.is_over_time() || !is_bounded {
        let found = counted(log, meters, query);
        let mut groups = piece(log, meters, query, &found, None);
        for totals in groups.values_mut().filter(|_| !aggregate.is_over_time()) {
            totals.value = aggregate.value(query.start, query.end, &readings(log, meters, query, totals));
        }
        return groups;
    }
    // A level is held from before.
    let is_level = matches!(aggregate, OracleAggregate::Level { .. });
    let since = if is_level { i64::MIN } else { query.start };
    let found = counted(log, meters, &OracleQuery { start: since, ..query.clone() });
    let mut groups = BTreeMap::new();
    for (start, end) in pieces(query) {
        let part = OracleQuery { start, end, ..query.clone() };
        for (group, mut totals) in piece(log, meters, &part, &found, is_level.then_some(start)) {
            totals.value = aggregate.value(start, end, &readings(log, meters, query, &totals));
            let earlier = groups.insert(group, totals);
            assert!(earlier.is_none(), "pieces of a window have labels of their own: {query:?}");
        }
    }
    groups
}

/// The groups of a window; where something is held that was observed before it, they are those of a moment in it.
fn piece(
    log: &OracleLog,
    meters: &[OracleMeter],
    query: &OracleQuery,
    found: &[(usize, Option<i128>)],
    held_at: Option<i64>,
) -> BTreeMap<Vec<Option<String>>, OracleTotals> {
    let mut groups: BTreeMap<Vec<Option<String>>, OracleTotals> = BTreeMap::new();
    for (place, value) in found {
        let event = &log.accepted[*place].1;
        let Some(meter) = version(meters, &query.meter, event.at, query.step) else { continue };
        let key = |at: i64| query.by.iter().map(|by| label(by, meter, event, at)).collect();
        if (query.start..query.end).contains(&event.at) {
            let totals = groups.entry(key(event.at)).or_default();
            totals.records += 1;
            totals.sum += value.unwrap_or(0);
            totals.unmeasured += u64::from(value.is_none());
            totals.places.push(*place);
        } else if let (Some(at), true, true) = (held_at, value.is_some(), event.at < query.start) {
            groups.entry(key(at)).or_default().carried.push(*place);
        }
    }
    groups
}

/// What can be read of a group, and of what it holds from before.
fn readings<'a>(
    log: &'a OracleLog,
    meters: &'a [OracleMeter],
    query: &OracleQuery,
    totals: &OracleTotals,
) -> Vec<Reading<'a>> {
    let mut readings = Vec::new();
    for place in totals.carried.iter().chain(&totals.places) {
        let event = &log.accepted[*place].1;
        let Some(meter) = version(meters, &query.meter, event.at, query.step) else { continue };
        if let Some(pico) = meter.value(event) {
            readings.push(Reading { meter, event, pico });
        }
    }
    readings
}

/// The window cut wherever an hour, a day or a month begins that is asked for.
fn pieces(query: &OracleQuery) -> Vec<(i64, i64)> {
    let zones: Vec<&OracleZone> = query.by.iter().filter_map(OracleGroup::zone).collect();
    let labels = |at: i64| -> Vec<Option<String>> { query.by.iter().map(|by| by.civil(at)).collect() };
    let (mut pieces, mut from, mut at) = (Vec::new(), query.start, query.start);
    while let Some(next) = zones.iter().map(|zone| zone.next(at)).min().filter(|next| *next < query.end) {
        if labels(next) != labels(from) {
            pieces.push((from, next));
            from = next;
        }
        at = next;
    }
    pieces.push((from, query.end));
    pieces
}

/// The events of a question with their values, in the order (time, source, id).
pub fn events(log: &OracleLog, meters: &[OracleMeter], query: &OracleQuery) -> Vec<(usize, Option<i128>)> {
    let mut found = counted(log, meters, query);
    found.sort_by_key(|(place, _)| {
        let event = &log.accepted[*place].1;
        (event.at, event.source.as_str(), event.id.as_str())
    });
    found
}

fn counted(log: &OracleLog, meters: &[OracleMeter], query: &OracleQuery) -> Vec<(usize, Option<i128>)> {
    let mut found = Vec::new();
    for (place, (position, event)) in log.accepted.iter().enumerate() {
        if *position >= query.cut || event.at < query.start || event.at >= query.end {
            continue;
        }
        if query.account.as_ref().is_some_and(|account| *account != event.account) {
            continue;
        }
        let Some(meter) = version(meters, &query.meter, event.at, query.step) else { continue };
        let is_kept = |(dimension, texts): &(String, Vec<String>)| {
            meter.dimensions.contains(dimension)
                && event.text(dimension).is_some_and(|text| texts.contains(&text))
        };
        if meter.counts(event) && query.only.iter().all(is_kept) {
            found.push((place, meter.value(event)));
        }
    }
    found
}

impl OracleGroup {
    fn zone(&self) -> Option<&OracleZone> {
        match self {
            Self::Hour(zone) | Self::Day(zone) | Self::Month(zone) => Some(zone),
            _ => None,
        }
    }

    /// What the clocks show at a moment; none where it is not asked for.
    fn civil(&self, at: i64) -> Option<String> {
        match self {
            Self::Hour(zone) => Some(zone.hour(at)),
            Self::Day(zone) => Some(zone.day(at)),
            Self::Month(zone) => Some(zone.day(at)[..7].to_owned()),
            _ => None,
        }
    }
}

fn label(by: &OracleGroup, meter: &OracleMeter, event: &OracleEvent, at: i64) -> Option<String> {
    match by {
        OracleGroup::Account => Some(event.account.clone()),
        OracleGroup::Source => Some(event.source.clone()),
        OracleGroup::Kind => Some(event.kind.clone()),
        OracleGroup::Dimension(name) if meter.dimensions.contains(name) => event.text(name),
        OracleGroup::Dimension(_) => None,
        OracleGroup::Hour(_) | OracleGroup::Day(_) | OracleGroup::Month(_) => by.civil(at),
    }
}

/// A zone: the second from which each offset (in seconds) held.
#[derive(Debug, Clone)]
pub struct OracleZone {
    /// The IANA name.
    pub name: &'static str,
    /// In order; the first begins before everything.
    pub offsets: Vec<(i64, i64)>,
}

impl OracleZone {
    /// The offset at a moment, in seconds.
    pub fn offset(&self, at: i64) -> i64 {
        let second = at.div_euclid(SECOND);
        let mut offset = self.offsets[0].1;
        for (from, next) in &self.offsets {
            if *from <= second {
                offset = *next;
            }
        }
        offset
    }

    /// The next moment at which a full hour is shown or the clocks are set.
    fn next(&self, at: i64) -> i64 {
        let second = at.div_euclid(SECOND);
        let full = second + 3_600 - (second + self.offset(at)).rem_euclid(3_600);
        let set = self.offsets.iter().map(|(from, _)| *from).find(|from| *from > second);
        set.map_or(full, |set| set.min(full)) * SECOND
    }

    /// What the clocks show, cut to the hour, and the offset.
    pub fn hour(&self, at: i64) -> String {
        let offset = self.offset(at);
        let shown = at.div_euclid(SECOND) + offset;
        let (year, month, day) = date(shown.div_euclid(86_400));
        let hour = shown.rem_euclid(86_400) / 3_600;
        let (sign, size) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
        let mut text = format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:00{sign}{:02}:{:02}",
            size / 3_600,
            size % 3_600 / 60
        );
        if size % 60 != 0 {
            text += &format!(":{:02}", size % 60);
        }
        text
    }

    /// The latest day that the clocks have shown so far.
    pub fn day(&self, at: i64) -> String {
        let second = at.div_euclid(SECOND);
        let mut latest = i64::MIN;
        for (number, (_, offset)) in self.offsets.iter().enumerate() {
            let begins = self.offsets[number].0;
            if number > 0 && begins > second {
                break;
            }
            // The last second at which this offset was shown.
            let until = self.offsets.get(number + 1).map_or(second, |next| second.min(next.0 - 1));
            latest = latest.max((until + offset).div_euclid(86_400));
        }
        let (year, month, day) = date(latest);
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// Zones that are right in 2026, in January 1972 and, St John's, from May to December 2006.
pub fn zones() -> Vec<OracleZone> {
    let at = |year, month, day, hour: i64, minute: i64, second: i64| {
        days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
    };
    let zone = |name, offsets: &[(i64, i64)]| OracleZone { name, offsets: offsets.to_vec() };
    let hour = 3_600;
    vec![
        zone("UTC", &[(i64::MIN, 0)]),
        zone(
            "Asia/Kathmandu",
            &[(i64::MIN, 5 * hour + 1_800), (at(1985, 12, 31, 18, 30, 0), 5 * hour + 2_700)],
        ),
        // Sunday 29 March to Sunday 25 October at 01:00 UTC. In 1972 there was no summer time.
        zone(
            "Europe/Berlin",
            &[(i64::MIN, hour), (at(2026, 3, 29, 1, 0, 0), 2 * hour), (at(2026, 10, 25, 1, 0, 0), hour)],
        ),
        // The second Sunday of March, the first of November, at 02:00 by the clocks.
        zone(
            "America/New_York",
            &[
                (i64::MIN, -5 * hour),
                (at(2026, 3, 8, 7, 0, 0), -4 * hour),
                (at(2026, 11, 1, 6, 0, 0), -5 * hour),
            ],
        ),
        // Half an hour back on 5 April and ahead on 4 October, at 02:00 by the clocks. In 1972 it kept 10:00.
        zone(
            "Australia/Lord_Howe",
            &[
                (i64::MIN, 10 * hour),
                (at(1981, 2, 28, 14, 0, 0), 11 * hour),
                (at(2026, 4, 4, 15, 0, 0), 10 * hour + 1_800),
                (at(2026, 10, 3, 15, 30, 0), 11 * hour),
            ],
        ),
        // 44 minutes and 30 seconds behind Greenwich until midnight of 7 January 1972.
        zone("Africa/Monrovia", &[(i64::MIN, -2_670), (at(1972, 1, 7, 0, 44, 30), 0)]),
        // On 29 October 2006, a minute after midnight, back to a minute after eleven.
        zone("America/St_Johns", &[(i64::MIN, -9_000), (at(2006, 10, 29, 2, 31, 0), -12_600)]),
    ]
}

/// Days from 1970-01-01 to a date: year by year, month by month.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let mut days = 0;
    for passed in 1970..year {
        days += if is_leap(passed) { 366 } else { 365 };
    }
    for passed in 1..month {
        days += month_days(year, passed);
    }
    days + day - 1
}

/// The date that lies so many days after 1970-01-01.
fn date(mut days: i64) -> (i64, i64, i64) {
    assert!(days >= 0, "the oracle's calendar begins in 1970");
    let mut year = 1970;
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    while days >= month_days(year, month) {
        days -= month_days(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
