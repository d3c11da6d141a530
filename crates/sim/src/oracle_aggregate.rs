//! What a meter makes of its events once more: written from the rules, over a list of all of them.
//!
//! It shares no code with `metering`: no marks, no cells. The value of every hour of a window is written down, also
//! where it is zero; a level is followed from observation to observation.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use crate::oracle_number::Fraction;
use crate::oracle_usage::{OracleEvent, OracleMeter};

const UNIT: i128 = 1_000_000_000_000;
const HOUR: i128 = 3_600_000_000_000;

/// How a meter makes one value of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OracleAggregate {
    /// How many events.
    Count,
    /// What a property adds up to.
    Sum,
    /// The least of its values.
    Min,
    /// The greatest.
    Max,
    /// Their sum over their number.
    Average,
    /// The last, by time, source and id.
    Latest,
    /// How many different ones.
    Unique,
    /// What is held, times how long.
    Level {
        /// How long one must be held to be 1; nanoseconds.
        per: i64,
    },
    /// The highest hour, without some higher ones.
    HighWater {
        /// What an hour is worth.
        hourly: OracleHourly,
        /// The share of the hours that are not left out.
        percentile: &'static str,
    },
    /// What hours have on average above what they may have.
    HourlyAverage {
        /// What an hour is worth.
        hourly: OracleHourly,
        /// What it may have.
        above: &'static str,
    },
}

/// What an hour is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OracleHourly {
    /// How many events it has.
    Count,
    /// What a property adds up to.
    Sum,
    /// The greatest of its values.
    Max,
    /// How many different ones there are.
    Unique,
}

/// An event whose value can be read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The version of the meter that holds at its moment.
    pub meter: &'a OracleMeter,
    /// The event.
    pub event: &'a OracleEvent,
    /// What it is worth, in 10^-12.
    pub pico: i128,
}

impl<'a> Reading<'a> {
    fn place(&self) -> (i64, &'a str, &'a str) {
        (self.event.at, &self.event.source, &self.event.id)
    }

    fn text(&self) -> Option<String> {
        self.meter.property.as_deref().and_then(|property| self.event.text(property))
    }
}

impl OracleAggregate {
    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Average => "average",
            Self::Latest => "latest",
            Self::Unique => "unique",
            Self::Level { .. } => "level",
            Self::HighWater { hourly, .. } => match hourly {
                OracleHourly::Count => "high water of counts",
                OracleHourly::Sum => "high water of sums",
                OracleHourly::Max => "high water of maxima",
                OracleHourly::Unique => "high water of unique values",
            },
            Self::HourlyAverage { hourly, .. } => match hourly {
                OracleHourly::Count => "hourly average of counts",
                OracleHourly::Sum => "hourly average of sums",
                OracleHourly::Max => "hourly average of maxima",
                OracleHourly::Unique => "hourly average of unique values",
            },
        }
    }

    /// Whether it asks how long, so that a window must have two ends.
    pub fn is_over_time(&self) -> bool {
        matches!(self, Self::Level { .. } | Self::HighWater { .. } | Self::HourlyAverage { .. })
    }

    /// Whether each event is one, whatever its property says.
    pub fn is_one_each(&self) -> bool {
        match self {
            Self::Count | Self::Unique => true,
            Self::HighWater { hourly, .. } | Self::HourlyAverage { hourly, .. } => {
                matches!(hourly, OracleHourly::Count | OracleHourly::Unique)
            }
            _ => false,
        }
    }

    /// The value from `start` to `end` of those that can be read: of a level also those before `start`, of all
    /// others those inside.
    pub fn value(&self, start: i64, end: i64, readings: &[Reading<'_>]) -> Option<Fraction> {
        let pico = readings.iter().map(|reading| reading.pico);
        match self {
            Self::Count | Self::Sum => Some(units(pico.sum())),
            Self::Min => pico.min().map(units),
            Self::Max => pico.max().map(units),
            Self::Average if readings.is_empty() => None,
            Self::Average => Some(&units(pico.sum()) / &Fraction::whole(readings.len())),
            Self::Latest => {
                readings.iter().max_by_key(|reading| reading.place()).map(|last| units(last.pico))
            }
            Self::Unique if readings.is_empty() => None,
            Self::Unique => Some(Fraction::whole(different(readings))),
            Self::Level { .. } if readings.is_empty() => None,
            Self::Level { per } => {
                Some(&held(start, end, readings) / &(&Fraction::whole(UNIT) * &Fraction::whole(*per)))
            }
            Self::HighWater { hourly, percentile } => {
                let mut hours = hourly.hours(start, end, readings);
                let share = &Fraction::whole(1) - &Fraction::parse(percentile);
                let left_out = (&Fraction::whole(hours.len()) * &share).floor();
                hours.sort_by_key(|pico| Reverse(*pico));
                left_out.to_usize().map(|left_out| units(hours[left_out]))
            }
            Self::HourlyAverage { hourly, above } => {
                let hours = hourly.hours(start, end, readings);
                let above = Fraction::parse(above);
                let over = hours.iter().map(|pico| (&units(*pico) - &above).not_below_zero());
                Some(&over.fold(Fraction::zero(), |sum, over| &sum + &over) / &Fraction::whole(hours.len()))
            }
        }
    }
}

impl OracleHourly {
    /// What each hour from `start` on is worth, in 10^-12; the last one may be shorter.
    fn hours(self, start: i64, end: i64, readings: &[Reading<'_>]) -> Vec<i128> {
        let length = i128::from(end) - i128::from(start);
        let count = (length + HOUR - 1) / HOUR;
        let mut hours: Vec<Vec<Reading<'_>>> = (0..count).map(|_| Vec::new()).collect();
        for reading in readings {
            let hour = (i128::from(reading.event.at) - i128::from(start)) / HOUR;
            hours[hour as usize].push(*reading);
        }
        let value = |hour: &Vec<Reading<'_>>| {
            let pico = hour.iter().map(|reading| reading.pico);
            match self {
                Self::Count => hour.len() as i128 * UNIT,
                Self::Sum => pico.sum(),
                Self::Max => pico.max().unwrap_or(0),
                Self::Unique => different(hour) as i128 * UNIT,
            }
        };
        hours.iter().map(value).collect()
    }
}

fn units(pico: i128) -> Fraction {
    Fraction::new(BigInt::from(pico), BigInt::from(UNIT))
}

fn different(readings: &[Reading<'_>]) -> usize {
    readings.iter().filter_map(Reading::text).collect::<BTreeSet<String>>().len()
}

/// Of all levels what they were times how long, in 10^-12 × nanoseconds.
fn held(start: i64, end: i64, readings: &[Reading<'_>]) -> Fraction {
    let mut levels: BTreeMap<_, Vec<&Reading<'_>>> = BTreeMap::new();
    for reading in readings {
        let dimension = |name: &String| (name.clone(), reading.event.text(name));
        let tuple: Vec<_> = reading.meter.dimensions.iter().map(dimension).collect();
        levels.entry((reading.event.account.as_str(), tuple)).or_default().push(reading);
    }
    let mut sum = BigInt::from(0);
    for level in levels.values_mut() {
        level.sort_by_key(|reading| reading.place());
        for (number, reading) in level.iter().enumerate() {
            let from = reading.event.at.max(start);
            let until = level.get(number + 1).map_or(end, |next| next.event.at.min(end));
            if from < until {
                sum += BigInt::from(reading.pico) * (BigInt::from(until) - BigInt::from(from));
            }
        }
    }
    Fraction::whole(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle_usage::OracleValue;

    const MINUTE: i64 = 60_000_000_000;

    fn meter(dimensions: &[&str]) -> OracleMeter {
        OracleMeter {
            name: "m".to_owned(),
            from: i64::MIN,
            step: 0,
            kinds: vec!["k".to_owned()],
            aggregate: OracleAggregate::Sum,
            property: Some("p".to_owned()),
            filter: Vec::new(),
            dimensions: dimensions.iter().map(|text| (*text).to_owned()).collect(),
            allow_negative: true,
        }
    }

    /// Events at minutes, of a region, with whole values; their ids are in order.
    fn events(of: &[(i64, &str, i128)]) -> Vec<OracleEvent> {
        let event = |(number, (minute, region, value)): (usize, &(i64, &str, i128))| OracleEvent {
            source: "s".to_owned(),
            id: format!("{number}"),
            kind: "k".to_owned(),
            account: "a".to_owned(),
            at: minute * MINUTE,
            properties: vec![
                ("p".to_owned(), OracleValue::Number(value * UNIT)),
                ("region".to_owned(), OracleValue::Text((*region).to_owned())),
            ],
        };
        of.iter().enumerate().map(event).collect()
    }

    fn check(
        aggregate: &OracleAggregate,
        minutes: (i64, i64),
        of: &[(i64, &str, i128)],
        expect: Option<&str>,
    ) {
        let (meter, events) = (meter(&["region"]), events(of));
        let reading = |event| {
            let OracleValue::Number(pico) = event_value(event) else { panic!("expected a number") };
            Reading { meter: &meter, event, pico: *pico }
        };
        let readings: Vec<Reading<'_>> = events.iter().map(reading).collect();
        let value = aggregate.value(minutes.0 * MINUTE, minutes.1 * MINUTE, &readings);
        assert_eq!(value.map(|value| value.text()).as_deref(), expect, "{aggregate:?} of {of:?}");
    }

    fn event_value(event: &OracleEvent) -> &OracleValue {
        &event.properties[0].1
    }

    #[test]
    fn values_of_a_window() {
        let of = [(1, "eu", 4), (2, "us", -2), (2, "eu", 8), (0, "", 0)];
        check(&OracleAggregate::Min, (0, 5), &of, Some("-2"));
        check(&OracleAggregate::Max, (0, 5), &of, Some("8"));
        check(&OracleAggregate::Average, (0, 5), &of, Some("2.5"));
        check(&OracleAggregate::Average, (0, 5), &of[..3], Some("10/3"));
        check(&OracleAggregate::Latest, (0, 5), &of, Some("8"));
        check(&OracleAggregate::Unique, (0, 5), &of, Some("4"));
        for aggregate in [
            OracleAggregate::Min,
            OracleAggregate::Max,
            OracleAggregate::Average,
            OracleAggregate::Latest,
            OracleAggregate::Unique,
            OracleAggregate::Level { per: MINUTE },
        ] {
            check(&aggregate, (0, 5), &[], None);
        }
    }

    #[test]
    fn a_level_holds_until_the_next() {
        let level = OracleAggregate::Level { per: MINUTE };
        check(&level, (0, 10), &[(4, "eu", 3)], Some("18"));
        check(&level, (0, 10), &[(-7, "eu", 3)], Some("30"));
        check(&level, (0, 10), &[(-7, "eu", 3), (-1, "eu", 2), (6, "eu", 0)], Some("12"));
        check(&level, (0, 10), &[(0, "eu", 3), (5, "eu", 1), (5, "eu", 2)], Some("25"));
        // Two levels, neither ends the other.
        check(&level, (0, 10), &[(2, "eu", 3), (5, "us", 1)], Some("29"));
        check(&OracleAggregate::Level { per: 7 * MINUTE }, (0, 10), &[(0, "eu", 1)], Some("10/7"));
    }

    #[test]
    fn hours_begin_with_the_window() {
        let high_water = |hourly, percentile| OracleAggregate::HighWater { hourly, percentile };
        let of = [(30, "eu", 5), (89, "us", 6), (90, "eu", 7), (200, "eu", -1)];
        // 30 to 90, 90 to 150, 150 to 210, 210 to 211.
        let window = (30, 211);
        check(&high_water(OracleHourly::Sum, "1"), window, &of, Some("11"));
        check(&high_water(OracleHourly::Sum, "0.76"), window, &of, Some("11"));
        check(&high_water(OracleHourly::Sum, "0.75"), window, &of, Some("7"));
        check(&high_water(OracleHourly::Max, "0.5"), window, &of, Some("0"));
        check(&high_water(OracleHourly::Max, "0.01"), window, &of, Some("-1"));
        check(&high_water(OracleHourly::Count, "1"), window, &of, Some("2"));
        check(&high_water(OracleHourly::Unique, "0.75"), window, &of, Some("1"));
        let average = |hourly, above| OracleAggregate::HourlyAverage { hourly, above };
        check(&average(OracleHourly::Sum, "6.5"), window, &of, Some("1.25"));
        check(&average(OracleHourly::Max, "0"), window, &of, Some("3.25"));
        check(&average(OracleHourly::Count, "0"), (30, 210), &of, Some("4/3"));
        check(&average(OracleHourly::Count, "0"), (0, 1), &[], Some("0"));
    }
}
