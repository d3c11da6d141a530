//! `spec/time.md`.

use metering::{
    BucketUnit, CivilDate, Instant, Period, TimeError, TimeFormat, Zone, billing_periods, whole_period_days,
};
use sim::spec_table::Row;

use crate::counting::instant;
use crate::{check, given, run};

fn day(row: &Row, column: &str) -> CivilDate {
    CivilDate::parse(row.cell(column)).unwrap()
}

fn zone(row: &Row) -> Zone {
    Zone::parse(row.cell("zone")).unwrap()
}

fn anchor(row: &Row) -> u8 {
    row.cell("anchor").parse().unwrap()
}

fn moment_text(read: Result<Instant, TimeError>) -> String {
    match read {
        Ok(instant) => instant.to_string(),
        Err(TimeError::Syntax { .. }) => "not a time".to_owned(),
        Err(TimeError::MissingOffset { .. }) => "no offset".to_owned(),
        Err(TimeError::NoSuchTime { .. }) => "not in the calendar".to_owned(),
        Err(TimeError::LeapSecond { .. }) => "leap second".to_owned(),
        Err(TimeError::TooPrecise { .. }) => "too many digits".to_owned(),
        Err(TimeError::OutOfRange { .. }) => "off the time line".to_owned(),
        Err(TimeError::Skipped { .. }) => "skipped by the clocks".to_owned(),
        Err(TimeError::Doubled { .. }) => "shown twice by the clocks".to_owned(),
    }
}

fn formatted(row: &Row) {
    let zone = given(row, "zone").map(|name| Zone::parse(&name).unwrap());
    let format = match row.cell("format") {
        "unix seconds" => Ok(TimeFormat::UnixSeconds),
        "unix milliseconds" => Ok(TimeFormat::UnixMilliseconds),
        pattern => TimeFormat::pattern(pattern, zone),
    };
    let found = format
        .map_or_else(|_| "pattern refused".to_owned(), |format| moment_text(format.read(row.cell("text"))));
    check(row, "moment", &found);
}

fn civil_day(row: &Row) {
    let (zone, date) = (zone(row), day(row, "day"));
    let (start, end) = (zone.day_start(date), zone.day_start(date.next_day().unwrap()));
    let minutes = (end.0 - start.0) / 60_000_000_000;
    check(row, "starts", &start.to_string());
    check(row, "ends", &end.to_string());
    check(row, "length", &format!("{}:{:02}", minutes / 60, minutes % 60));
}

fn day_of(row: &Row) {
    check(row, "day", &zone(row).date_of(instant(row.cell("moment"))).to_string());
}

fn bucket(row: &Row) {
    let unit = match row.cell("unit") {
        "hour" => BucketUnit::Hour,
        "day" => BucketUnit::Day,
        "month" => BucketUnit::Month,
        other => panic!("line {}: no unit is {other}", row.line),
    };
    let found = zone(row).bucket(unit, instant(row.cell("occurred_at")));
    check(row, "bucket", &found.label);
    check(row, "begins", &found.start.to_string());
    check(row, "minutes", &((found.end.0 - found.start.0) / 60_000_000_000).to_string());
}

fn boundaries(row: &Row) {
    let (start, end) = (day(row, "start"), day(row, "end"));
    let periods: Vec<Period> = billing_periods(anchor(row), &Zone::utc(), start, Some(end)).collect();
    let firsts = periods.iter().map(|period| period.first);
    let days: Vec<String> =
        firsts.chain(periods.last().map(|period| period.next)).map(|day| day.to_string()).collect();
    check(row, "boundaries", if days.is_empty() { "(none)".to_owned() } else { days.join(", ") }.as_str());
}

fn membership(row: &Row) {
    let at = instant(row.cell("occurred_at"));
    let start = CivilDate::parse("2026-07-01").unwrap();
    let holding: Vec<String> = billing_periods(1, &zone(row), start, None)
        .take(24)
        .filter(|period| period.contains(at))
        .map(|period| period.first.to_string())
        .collect();
    check(row, "period", if holding.is_empty() { "(none)".to_owned() } else { holding.join(", ") }.as_str());
}

fn joined(row: &Row) {
    let periods = billing_periods(anchor(row), &zone(row), day(row, "start"), Some(day(row, "end")));
    let periods: Vec<String> = periods.map(|period| format!("{} to {}", period.first, period.next)).collect();
    check(row, "periods", &periods.join(", "));
}

fn part(row: &Row) {
    let period = Period::between(&Zone::utc(), day(row, "first"), day(row, "next"));
    check(row, "days", &period.days().to_string());
    check(row, "whole", &whole_period_days(anchor(row), period.first).to_string());
}

#[test]
fn time_page() {
    run("time.md", 106, |table, columns| {
        let check_row: &dyn Fn(&Row) = match columns {
            ["text", "moment"] => {
                &|row| check(row, "moment", &moment_text(Instant::parse_rfc3339(row.cell("text"))))
            }
            ["format", "zone", "text", "moment"] => &formatted,
            ["zone", "day", "starts", "ends", "length"] => &civil_day,
            ["zone", "moment", "day"] => &day_of,
            ["zone", "unit", "occurred_at", "bucket", "begins", "minutes"] => &bucket,
            ["anchor", "start", "end", "boundaries"] => &boundaries,
            ["zone", "occurred_at", "period"] => &membership,
            ["zone", "anchor", "start", "end", "periods"] => &joined,
            ["anchor", "first", "next", "days", "whole"] => &part,
            other => panic!("line {}: no test runs a table of {other:?}", table.line),
        };
        table.rows.iter().for_each(check_row);
    });
}
