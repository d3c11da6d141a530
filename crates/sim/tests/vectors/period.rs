//! Examples of billing periods in our terms.

use metering::{CivilDate, Instant, Period, Zone, billing_periods};
use serde_json::Value;

const SECOND_NS: i64 = 1_000_000_000;

fn date(value: &Value) -> CivilDate {
    CivilDate::parse(value.as_str().unwrap()).unwrap()
}

fn zone(example: &Value) -> Zone {
    example["params"]
        .get("timezone")
        .or_else(|| example["input"].get("timezone"))
        .map_or_else(Zone::utc, |name| Zone::parse(name.as_str().unwrap()).unwrap())
}

/// The period that an invoice made at `billing_at` is for: the running one in advance, else the last that ended.
fn period(example: &Value) -> Period {
    let (input, zone) = (&example["input"], zone(example));
    let start = date(&input["sub_start"]);
    let anchor = match input["mode"].as_str().unwrap() {
        "calendar" => 1,
        "anniversary" => u8::try_from(start.day()).unwrap(),
        other => panic!("no billing mode `{other}`"),
    };
    let billing_at = input["billing_at"].as_str().unwrap();
    let at =
        Instant::parse_rfc3339(billing_at).unwrap_or_else(|_| zone.day_start(date(&input["billing_at"])));
    let end = input.get("terminated_at").map(date);
    let is_ahead = input.get("pay").is_some_and(|pay| pay == "advance");
    let mut periods = billing_periods(anchor, &zone, start, end);
    if is_ahead {
        return periods.find(|period| period.contains(at)).unwrap();
    }
    periods.take_while(|period| period.end <= at).last().unwrap()
}

/// Where the period starts: as a date, or as an instant where the example gives one.
pub fn start(example: &Value) -> String {
    let period = period(example);
    let as_instant = example["expected"].as_str().unwrap().contains('T');
    if as_instant { period.start.to_string() } else { period.first.to_string() }
}

/// The last whole second inside the period.
pub fn last_second(example: &Value) -> String {
    Instant(period(example).end.0 - SECOND_NS).to_string()
}
