//! Reading and writing moments: tables, and agreement with `jiff` on random texts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use metering::{Instant, PatternError, TimeError, TimeFormat, Zone};
use proptest::prelude::*;

fn check(text: &str, expect: i64) {
    assert_eq!(Instant::parse_rfc3339(text), Ok(Instant(expect)), "{text}");
}

#[test]
fn reads_rfc3339() {
    check("1970-01-01T00:00:00Z", 0);
    check("1970-01-01t00:00:00z", 0);
    check("1970-01-01T00:00:00-00:00", 0);
    check("1970-01-01T01:00:00+01:00", 0);
    check("1969-12-31T23:30:00-00:30", 0);
    check("1970-01-01T05:45:00+05:45", 0);
    check("1970-01-01T00:00:00.5Z", 500_000_000);
    check("1970-01-01T00:00:00.000000001Z", 1);
    check("1970-01-01T00:00:00.100000000Z", 100_000_000);
    check("1969-12-31T23:59:59.999999999Z", -1);
    check("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000);
    check("2026-08-01T00:00:00Z", 1_785_542_400_000_000_000);
    check("1677-09-21T00:15:00Z", Instant::MIN.0);
    check("2262-04-11T23:44:59.999999999Z", Instant::MAX.0 - 1);
}

#[test]
fn refuses_what_it_would_have_to_guess() {
    let kind = |text: &str| match Instant::parse_rfc3339(text) {
        Ok(found) => panic!("`{text}` was read as {found}"),
        Err(TimeError::Syntax { .. }) => "syntax",
        Err(TimeError::MissingOffset { .. }) => "offset",
        Err(TimeError::NoSuchTime { .. }) => "no such time",
        Err(TimeError::LeapSecond { .. }) => "leap second",
        Err(TimeError::TooPrecise { .. }) => "too precise",
        Err(TimeError::OutOfRange { .. }) => "out of range",
        Err(other) => panic!("`{text}`: {other}"),
    };
    for text in [
        "",
        "now",
        "2026-08-01",
        "2026-08-01 00:00:00Z",
        "20260801T000000Z",
        "2026-08-01T00:00Z",
        "2026-8-1T00:00:00Z",
        " 2026-08-01T00:00:00Z",
        "2026-08-01T00:00:00Z ",
        "2026-08-01T00:00:00.Z",
        "2026-08-01T00:00:00,5Z",
        "2026-08-01T00:00:00+0200",
        "2026-08-01T00:00:00+02",
        "2026-08-01T00:00:00+24:00",
        "2026-08-01T00:00:00+02:60",
        "2026-08-01T00:00:00Z[UTC]",
        "2026-08-01T00:00:00−02:00",
        "+002026-08-01T00:00:00Z",
        "1785542400",
        "２026-08-01T00:00:00Z",
    ] {
        assert_eq!(kind(text), "syntax", "{text}");
    }
    assert_eq!(kind("2026-08-01T00:00:00"), "offset");
    assert_eq!(kind("2026-08-01T00:00:00.25"), "offset");
    for text in ["2026-13-01", "2026-00-01", "2026-02-30", "2023-02-29", "2026-04-31", "2026-08-00"] {
        assert_eq!(kind(&format!("{text}T00:00:00Z")), "no such time", "{text}");
    }
    for text in ["24:00:00", "00:60:00", "00:00:61", "99:99:99"] {
        assert_eq!(kind(&format!("2026-08-01T{text}Z")), "no such time", "{text}");
    }
    assert_eq!(kind("2016-12-31T23:59:60Z"), "leap second");
    assert_eq!(kind("2026-08-01T00:00:00.0000000000Z"), "too precise");
    assert_eq!(kind("1677-09-21T00:14:59.999999999Z"), "out of range");
    assert_eq!(kind("2262-04-11T23:45:00Z"), "out of range");
    assert_eq!(kind("0000-01-01T00:00:00Z"), "out of range");
    assert_eq!(kind("9999-12-31T23:59:59-23:59"), "out of range");
}

#[test]
fn messages_name_what_was_expected_and_stay_short() {
    let error = Instant::parse_rfc3339("2026-08-01 00:00:00Z").unwrap_err();
    assert_eq!(error.to_string(), "expected a time like 2026-08-01T00:00:00Z, found `2026-08-01 00:00:00Z`");
    assert!(Instant::parse_rfc3339(&"9".repeat(100_000)).unwrap_err().to_string().len() < 200);
}

#[test]
fn writes_the_shortest_fraction() {
    let check = |at: i64, expect: &str| assert_eq!(Instant(at).to_string(), expect);
    check(0, "1970-01-01T00:00:00Z");
    check(500_000_000, "1970-01-01T00:00:00.5Z");
    check(1, "1970-01-01T00:00:00.000000001Z");
    check(-1, "1969-12-31T23:59:59.999999999Z");
    check(Instant::MIN.0, "1677-09-21T00:15:00Z");
    check(Instant::MAX.0, "2262-04-11T23:45:00Z");
}

#[test]
fn unix_times_are_decimals() {
    let check = |format: &TimeFormat, text: &str, expect: Option<i64>| {
        assert_eq!(format.read(text).ok(), expect.map(Instant), "{text}");
    };
    let seconds = TimeFormat::UnixSeconds;
    check(&seconds, "0", Some(0));
    check(&seconds, "-0.5", Some(-500_000_000));
    check(&seconds, "1785542400.000000001", Some(1_785_542_400_000_000_001));
    check(&seconds, "0001785542400", Some(1_785_542_400_000_000_000));
    check(&TimeFormat::UnixMilliseconds, "1785542400123.5", Some(1_785_542_400_123_500_000));
    for text in
        ["", "-", ".5", "5.", "1e9", "+1", "0x1", "1 ", "1_0", "1.0000000000", "9223372036", "-9223372036"]
    {
        check(&seconds, text, None);
    }
    check(&TimeFormat::UnixMilliseconds, "1.0000001", None);
    check(&seconds, &"9".repeat(100_000), None);
}

fn pattern(text: &str, zone: &str) -> TimeFormat {
    TimeFormat::pattern(text, Some(Zone::parse(zone).unwrap())).unwrap()
}

#[test]
fn patterns_read_wall_clocks() {
    let check = |format: &TimeFormat, text: &str, expect: &str| {
        assert_eq!(format.read(text).map(|found| found.to_string()).as_deref(), Ok(expect), "{text}");
    };
    let azure = pattern("%Y-%m-%d %H:%M:%S%.f", "UTC");
    check(&azure, "2023-11-16 18:17:03.9799600", "2023-11-16T18:17:03.97996Z");
    check(&azure, "2023-11-16 18:17:03", "2023-11-16T18:17:03Z");
    check(&azure, "2023-11-16 18:59:59.60", "2023-11-16T18:59:59.6Z");
    let berlin = pattern("%d.%m.%Y %H:%M", "Europe/Berlin");
    check(&berlin, "01.08.2026 00:00", "2026-07-31T22:00:00Z");
    let offset = TimeFormat::pattern("%Y-%m-%dT%H:%M:%S%z", None).unwrap();
    check(&offset, "2026-08-01T00:00:00+0200", "2026-07-31T22:00:00Z");
    let american = pattern("%m/%d/%Y %I:%M:%S %p", "America/New_York");
    check(&american, "08/01/2026 12:00:00 AM", "2026-08-01T04:00:00Z");
    let unix = TimeFormat::pattern("%s", None).unwrap();
    check(&unix, "1785542400", "2026-08-01T00:00:00Z");
}

#[test]
fn patterns_refuse_to_guess() {
    let kind = |format: &TimeFormat, text: &str| match format.read(text) {
        Ok(found) => panic!("`{text}` was read as {found}"),
        Err(TimeError::Syntax { .. }) => "syntax",
        Err(TimeError::NoSuchTime { .. }) => "no such time",
        Err(TimeError::LeapSecond { .. }) => "leap second",
        Err(TimeError::Skipped { .. }) => "skipped",
        Err(TimeError::Doubled { .. }) => "doubled",
        Err(TimeError::OutOfRange { .. }) => "out of range",
        Err(other) => panic!("`{text}`: {other}"),
    };
    let utc = pattern("%Y-%m-%d %H:%M:%S%.f", "UTC");
    assert_eq!(kind(&utc, "2016-12-31 23:59:60"), "leap second");
    assert_eq!(kind(&utc, "2016-12-31 23:60:60"), "syntax");
    assert_eq!(kind(&utc, "2026-08-01 00:00:00.0000000001"), "syntax");
    assert_eq!(kind(&utc, "2026-08-01 00:00:00Z"), "syntax");
    assert_eq!(kind(&utc, "2026-02-30 00:00:00"), "no such time");
    assert_eq!(kind(&utc, "2300-01-01 00:00:00"), "out of range");
    let berlin = pattern("%Y-%m-%d %H:%M:%S", "Europe/Berlin");
    assert_eq!(kind(&berlin, "2026-03-29 02:30:00"), "skipped");
    assert_eq!(kind(&berlin, "2026-10-25 02:30:00"), "doubled");
    assert_eq!(kind(&berlin, "2026-12-31 22:59:60"), "leap second");
}

#[test]
fn patterns_that_tell_no_time_are_refused() {
    let refuse = |text: &str, zone: Option<&str>| {
        let zone = zone.map(|name| Zone::parse(name).unwrap());
        TimeFormat::pattern(text, zone).expect_err(text)
    };
    for text in ["%Y-%m-%d", "%H:%M:%S", "%Y-%m-%d %H", "%m-%d %H:%M", "%Y-%m-%d %I:%M", "", "now"] {
        assert!(matches!(refuse(text, Some("UTC")), PatternError::Incomplete { .. }), "{text}");
    }
    for text in ["%", "%Y-%m-%d %H:%M %E", "%Y-%m-%d %H:%M %Q"] {
        assert!(matches!(refuse(text, Some("UTC")), PatternError::Syntax { .. }), "{text}");
    }
    assert!(matches!(refuse("%Y-%m-%d %H:%M", None), PatternError::ZoneMissing { .. }));
    assert!(matches!(refuse("%Y-%m-%d %H:%M %z", Some("UTC")), PatternError::ZoneTwice { .. }));
    assert!(matches!(refuse("%s", Some("UTC")), PatternError::ZoneTwice { .. }));
}

/// Texts near the grammar: most are times, some are broken in one place.
fn texts() -> impl Strategy<Value = String> {
    let date = (1600..2400_i32, 0..14_u8, 0..33_u8);
    let time = (0..26_u8, 0..62_u8, 0..62_u8);
    let fraction = prop_oneof![Just(String::new()), "\\.[0-9]{1,9}", "\\.[0-9]{0,11}"];
    let offset = prop_oneof![Just("Z".to_owned()), "[+-](0[0-9]|1[0-4]):[0-5][0-9]", "[Zz+-]?[0-9:]{0,5}"];
    let letter = prop_oneof![9 => Just('T'), 1 => Just('t')];
    (date, letter, time, fraction, offset).prop_map(|((y, m, d), t, (h, i, s), fraction, offset)| {
        format!("{y:04}-{m:02}-{d:02}{t}{h:02}:{i:02}:{s:02}{fraction}{offset}")
    })
}

fn jiff_ns(text: &str) -> Option<i128> {
    text.parse::<jiff::Timestamp>().ok().map(|timestamp| timestamp.as_nanosecond())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn agrees_with_jiff(text in texts()) {
        match Instant::parse_rfc3339(&text) {
            Ok(found) => prop_assert_eq!(Some(i128::from(found.0)), jiff_ns(&text), "{}", text),
            Err(TimeError::NoSuchTime { .. }) => prop_assert_eq!(jiff_ns(&text), None, "{}", text),
            Err(TimeError::OutOfRange { .. }) => {
                let on_line = |ns: i128| i128::from(Instant::MIN.0) <= ns && ns < i128::from(Instant::MAX.0);
                prop_assert!(!jiff_ns(&text).is_some_and(on_line), "{}", text);
            }
            // `jiff` also reads other forms of ISO 8601, and second 60 as 59.
            Err(_) => {}
        }
    }

    #[test]
    fn what_is_written_is_read_back(at in Instant::MIN.0..Instant::MAX.0, hours in -23..=23_i32) {
        let instant = Instant(at);
        prop_assert_eq!(Instant::parse_rfc3339(&instant.to_string()), Ok(instant));
        prop_assert_eq!(jiff_ns(&instant.to_string()), Some(i128::from(at)));
        let offset = jiff::tz::Offset::from_hours(i8::try_from(hours).unwrap()).unwrap();
        let timestamp = jiff::Timestamp::from_nanosecond(i128::from(at)).unwrap();
        prop_assert_eq!(Instant::parse_rfc3339(&timestamp.display_with_offset(offset).to_string()), Ok(instant));
    }
}
