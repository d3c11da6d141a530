//! Laws of what does not add up: neither order nor splitting matters, and ranks are those of a plain list.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{AUGUST, event, number, sum};
use metering::{
    Aggregation, Cell, CellKey, Digest, Event, Gathering, Hourly, Instant, Mark, Meter, Per, meter_cell,
};
use money::Rational;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000_000;

fn aggregations() -> Vec<Aggregation> {
    let property = || "quantity".to_owned();
    let share = Rational::parse("0.7").unwrap();
    let mut all = vec![
        Aggregation::Min { property: property() },
        Aggregation::Max { property: property() },
        Aggregation::Average { property: property() },
        Aggregation::Latest { property: property() },
        Aggregation::Unique { property: property() },
        Aggregation::Level { property: property(), per: Per::Minute },
    ];
    for hourly in
        [Hourly::Count, Hourly::Sum(property()), Hourly::Max(property()), Hourly::Unique(property())]
    {
        all.push(Aggregation::HighWater { hourly: hourly.clone(), percentile: share });
        all.push(Aggregation::HourlyAverage { hourly, above: Rational::parse("1.5").unwrap() });
    }
    all
}

fn meter(aggregation: Aggregation) -> Meter {
    Meter { aggregation, allow_negative: true, ..sum("m") }
}

/// (minutes from the window's start, value, id): few of each, so that they meet.
fn draws() -> impl Strategy<Value = Vec<(i64, i8, u8)>> {
    prop::collection::vec((-90..300i64, -3..9i8, any::<u8>()), 0..40)
}

fn events(draws: &[(i64, i8, u8)]) -> Vec<Event> {
    let made = draws.iter().enumerate().map(|(at, (minute, value, id))| Event {
        id: format!("{id} {at}"),
        occurred_at: Instant(AUGUST.0 + minute * 60_000_000_000),
        ..event(&[("quantity", number(&value.to_string()))])
    });
    made.collect()
}

fn cells(meter: &Meter, events: &[Event]) -> Vec<(CellKey, Instant, Cell)> {
    let cell = |event: &Event| {
        let (key, cell) = meter_cell(event, Digest(1), meter).unwrap();
        (key, event.occurred_at, cell)
    };
    let is_inside = |event: &&Event| {
        event.occurred_at >= AUGUST || matches!(meter.aggregation, Aggregation::Level { .. })
    };
    events.iter().filter(is_inside).map(cell).collect()
}

fn value<'c>(
    meter: &Meter,
    end: Instant,
    cells: impl IntoIterator<Item = &'c (CellKey, Instant, Cell)>,
) -> Option<Rational> {
    let mut gathering = Gathering::new(&meter.aggregation, AUGUST, end).unwrap();
    cells.into_iter().for_each(|(key, moment, cell)| gathering.add(meter, key, *moment, cell));
    gathering.value().unwrap()
}

/// Cells of one key and quarter of an hour as one.
fn merged(cells: &[(CellKey, Instant, Cell)]) -> Vec<(CellKey, Instant, Cell)> {
    let mut merged: std::collections::BTreeMap<CellKey, Cell> = std::collections::BTreeMap::new();
    for (key, _, cell) in cells {
        merged.entry(key.clone()).or_insert(Cell::ZERO).merge(cell);
    }
    merged.into_iter().map(|(key, cell)| (key.clone(), key.start, cell)).collect()
}

proptest! {
    #[test]
    fn neither_order_nor_merging_matters(draws in draws(), hours in 1..6i64) {
        let end = Instant(AUGUST.0 + hours * HOUR - 7);
        let events: Vec<Event> = events(&draws).into_iter().filter(|event| event.occurred_at < end).collect();
        for aggregation in aggregations() {
            let meter = meter(aggregation);
            let cells = cells(&meter, &events);
            let plain = value(&meter, end, &cells);
            prop_assert_eq!(value(&meter, end, cells.iter().rev()), plain);
            prop_assert_eq!(value(&meter, end, &merged(&cells)), plain, "{:?}", meter.aggregation);
        }
    }

    #[test]
    fn a_level_adds_up_over_time(draws in draws(), cut in 1..300i64) {
        let meter = meter(Aggregation::Level { property: "quantity".to_owned(), per: Per::Minute });
        let (middle, end) = (Instant(AUGUST.0 + cut * 60_000_000_000), Instant(AUGUST.0 + 5 * HOUR));
        let all = cells(&meter, &events(&draws));
        let between = |start, end| {
            let mut gathering = Gathering::new(&meter.aggregation, start, end).unwrap();
            all.iter().filter(|(_, at, _)| *at < end).for_each(|(key, at, cell)| gathering.add(&meter, key, *at, cell));
            gathering.value().unwrap().unwrap_or(Rational::ZERO)
        };
        let parts = between(AUGUST, middle).checked_add(between(middle, end)).unwrap();
        prop_assert_eq!(parts, between(AUGUST, end));
    }

    #[test]
    fn a_rank_is_that_of_a_list(values in prop::collection::vec((0..12i64, -4..5i64), 0..14), percent in 1..=100i128) {
        let percentile = Rational::new(percent, 100).unwrap();
        let meter = meter(Aggregation::HighWater { hourly: Hourly::Sum("quantity".to_owned()), percentile });
        let mut hours = [0i64; 12];
        let mut gathering = Gathering::new(&meter.aggregation, AUGUST, Instant(AUGUST.0 + 12 * HOUR)).unwrap();
        for (at, (hour, value)) in values.iter().enumerate() {
            hours[usize::try_from(*hour).unwrap()] += value;
            let event = Event {
                id: at.to_string(),
                occurred_at: Instant(AUGUST.0 + hour * HOUR),
                ..event(&[("quantity", number(&value.to_string()))])
            };
            let (key, cell) = meter_cell(&event, Digest(1), &meter).unwrap();
            gathering.add(&meter, &key, event.occurred_at, &cell);
        }
        hours.sort_unstable_by(|a, b| b.cmp(a));
        let dropped = usize::try_from(12 * (100 - percent) / 100).unwrap();
        prop_assert_eq!(gathering.value().unwrap(), Some(Rational::from_integer(hours[dropped].into())));
    }
}

#[test]
fn only_what_needs_them_keeps_marks() {
    let event = event(&[("quantity", number("2.50"))]);
    for aggregation in aggregations() {
        let meter = meter(aggregation);
        let tuple = meter.tuple_of(&event);
        let expect = match meter.aggregation.mark() {
            Mark::None => Vec::new(),
            Mark::Value => vec![Some("2.5".to_owned())],
            Mark::Moment => vec![Some(format!("2.5 {} {}", event.occurred_at.0, event.id))],
        };
        assert_eq!(tuple, expect, "{:?}", meter.aggregation);
        assert_eq!(
            meter.derivation().is_some(),
            expect.is_empty()
                && meter.aggregation.mark() == Mark::None
                && !matches!(meter.aggregation.reads(), metering::Reads::Text(_))
        );
    }
}

#[test]
fn what_cannot_be_read_has_no_mark_and_no_value() {
    let unread = event(&[("other", number("1"))]);
    for aggregation in aggregations() {
        let meter = meter(aggregation);
        if meter.aggregation.mark() == Mark::None {
            continue;
        }
        let (key, cell) = meter_cell(&unread, Digest(1), &meter).unwrap();
        assert_eq!((key.dimensions.last(), cell.unmeasured), (Some(&None), 1), "{:?}", meter.aggregation);
        let over_hours =
            matches!(meter.aggregation, Aggregation::HighWater { .. } | Aggregation::HourlyAverage { .. });
        let found = value(&meter, Instant(AUGUST.0 + HOUR), &[(key, unread.occurred_at, cell)]);
        assert_eq!(found, over_hours.then_some(Rational::ZERO));
    }
}

#[test]
fn a_mark_that_cannot_be_read_is_told_and_never_left_out() {
    for aggregation in aggregations() {
        let meter = meter(aggregation);
        let is_text = matches!(meter.aggregation.reads(), metering::Reads::Text(_));
        if meter.aggregation.mark() == Mark::None || is_text {
            continue;
        }
        let (key, cell) = meter_cell(&event(&[("quantity", number("3"))]), Digest(1), &meter).unwrap();
        let broken = CellKey { dimensions: vec![Some("three".to_owned())], ..key.clone() };
        let mut gathering = Gathering::new(&meter.aggregation, AUGUST, Instant(AUGUST.0 + HOUR)).unwrap();
        gathering.add(&meter, &key, AUGUST, &cell);
        assert!(gathering.value().unwrap().is_some());
        gathering.add(&meter, &broken, AUGUST, &cell);
        assert!(gathering.value().is_err(), "{:?}", meter.aggregation);
    }
}
