//! From the cells of a window to the value of a meter that does not add up.
//!
//! A [`Gathering`] takes cells in any order, whole ones and those of single events alike, and answers for the window.
//! It holds each different value or moment once: its memory is that of the marks.

use std::collections::{BTreeMap, BTreeSet};

use money::{NumberError, Quantity, Rational, Sum};

use crate::aggregation::{Aggregation, Hourly, Mark, Per};
use crate::cell::{CELL_NS, Cell, CellKey, add};
use crate::excerpt::excerpt;
use crate::instant::Instant;
use crate::meter::Meter;

const HOUR_NS: i128 = 3_600_000_000_000;

/// What is known of the events of a window, or of a group of them.
#[derive(Clone, Debug)]
pub struct Gathering {
    start: Instant,
    end: Instant,
    state: State,
    /// The first mark that is none: the value is then not known.
    unreadable: Option<String>,
}

#[derive(Clone, Debug)]
enum State {
    Values(Values),
    Latest(Option<Moment>),
    Levels { of: BTreeMap<(String, Vec<Option<String>>), Vec<Moment>>, per: Per },
    HighWater { hours: BTreeMap<i128, Values>, hourly: Hourly, percentile: Rational },
    HourlyAverage { hours: BTreeMap<i128, Values>, hourly: Hourly, above: Rational },
}

/// Values whose time does not matter.
#[derive(Clone, Debug)]
enum Values {
    Records(u64),
    Units(Sum),
    Average { units: Sum, records: u64 },
    Least(Option<Quantity>),
    Greatest(Option<Quantity>),
    Different(BTreeSet<String>),
}

/// An event as [`Mark::Moment`] keeps it, in the order in which events come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    at: i64,
    source: String,
    id: String,
    value: Quantity,
}

impl Values {
    fn of_hour(hourly: &Hourly) -> Self {
        match hourly {
            Hourly::Count => Self::Records(0),
            Hourly::Sum(_) => Self::Units(Sum::ZERO),
            Hourly::Max(_) => Self::Greatest(None),
            Hourly::Unique(_) => Self::Different(BTreeSet::new()),
        }
    }

    /// Adds a cell; none where its mark cannot be read.
    fn add(&mut self, cell: &Cell, mark: Option<&str>) -> Option<()> {
        let value = |mark: Option<&str>| {
            mark.map(|mark| Quantity::parse(mark).ok()).map_or(Some(None), |read| read.map(Some))
        };
        match self {
            Self::Records(records) => *records = add(*records, cell.records),
            Self::Units(units) => *units = units.merge(cell.units),
            Self::Average { units, records } => {
                *units = units.merge(cell.units);
                // The unmeasured of a derived meter may stand in another cell than the records.
                *records = records.wrapping_add(cell.records).wrapping_sub(cell.unmeasured);
            }
            Self::Least(least) => {
                *least = match (*least, value(mark)?) {
                    (Some(least), Some(value)) => Some(least.min(value)),
                    (least, value) => least.or(value),
                };
            }
            Self::Greatest(greatest) => {
                *greatest = (*greatest).max(value(mark)?);
            }
            Self::Different(values) => {
                if let Some(mark) = mark.filter(|mark| !values.contains(*mark)) {
                    values.insert(mark.to_owned());
                }
            }
        }
        Some(())
    }

    fn value(&self) -> Result<Option<Rational>, NumberError> {
        Ok(match self {
            Self::Records(records) => Some(whole(*records)),
            Self::Units(units) => Some(units.to_rational()),
            Self::Average { records: 0, .. } => None,
            Self::Average { units, records } => Some(units.to_rational().checked_div(whole(*records))?),
            Self::Least(value) | Self::Greatest(value) => value.map(Quantity::to_rational),
            Self::Different(values) if values.is_empty() => None,
            Self::Different(values) => Some(length_of(values.len())),
        })
    }
}

fn whole(number: u64) -> Rational {
    Rational::from_integer(i128::from(number))
}

fn length_of(length: usize) -> Rational {
    match u64::try_from(length) {
        Ok(length) => whole(length),
        Err(_) => unreachable!("no list has 2^64 entries"),
    }
}

/// A mark of [`Mark::Moment`]: value, nanoseconds since 1970, id.
pub(crate) fn moment_mark(value: Quantity, occurred_at: Instant, id: &str) -> String {
    format!("{value} {} {id}", occurred_at.0)
}

impl Moment {
    /// What [`moment_mark`] says, of a source.
    fn read(source: &str, mark: &str) -> Option<Self> {
        let mut parts = mark.splitn(3, ' ');
        let value = Quantity::parse(parts.next()?).ok()?;
        let at = parts.next()?.parse().ok()?;
        Some(Self { at, source: source.to_owned(), id: parts.next()?.to_owned(), value })
    }
}

impl Gathering {
    /// Nothing yet of a window of a meter that does not add up. None for one that does: its cells are summed.
    pub fn new(aggregation: &Aggregation, start: Instant, end: Instant) -> Option<Self> {
        let state = match aggregation {
            Aggregation::Count | Aggregation::Sum { .. } => return None,
            Aggregation::Average { .. } => State::Values(Values::Average { units: Sum::ZERO, records: 0 }),
            Aggregation::Min { .. } => State::Values(Values::Least(None)),
            Aggregation::Max { .. } => State::Values(Values::Greatest(None)),
            Aggregation::Unique { .. } => State::Values(Values::Different(BTreeSet::new())),
            Aggregation::Latest { .. } => State::Latest(None),
            Aggregation::Level { per, .. } => State::Levels { of: BTreeMap::new(), per: *per },
            Aggregation::HighWater { hourly, percentile } => {
                State::HighWater { hours: BTreeMap::new(), hourly: hourly.clone(), percentile: *percentile }
            }
            Aggregation::HourlyAverage { hourly, above } => {
                State::HourlyAverage { hours: BTreeMap::new(), hourly: hourly.clone(), above: *above }
            }
        };
        Some(Self { start, end, state, unreadable: None })
    }

    /// Whether a window has a beginning and an end, in this order: else a value over time is none.
    pub fn is_bounded(start: Instant, end: Instant) -> bool {
        start.0 != i64::MIN && end.0 != i64::MAX && start < end
    }

    /// Whether all of a cell can be added at once, of an aggregation in a window that begins at `start`: it lies in
    /// one of its hours, and a level on one side of its beginning.
    pub fn takes_whole(aggregation: &Aggregation, start: Instant, cell: Instant) -> bool {
        let (from, to) = (offset(start, cell), offset(start, cell).saturating_add(i128::from(CELL_NS)));
        match aggregation {
            Aggregation::HighWater { .. } | Aggregation::HourlyAverage { .. } => {
                from.div_euclid(HOUR_NS) == to.saturating_sub(1).div_euclid(HOUR_NS)
            }
            Aggregation::Level { .. } => to <= 0 || from >= 0,
            _ => true,
        }
    }

    /// Adds a whole cell, or that of a single event. `moment` is the start of the one, the time of the other.
    pub fn add(&mut self, meter: &Meter, key: &CellKey, moment: Instant, cell: &Cell) {
        let mark = match meter.aggregation.mark() {
            Mark::None => None,
            Mark::Value | Mark::Moment => {
                key.dimensions.get(meter.dimensions.len()).and_then(Option::as_deref)
            }
        };
        if self.add_marked(meter, key, moment, cell, mark).is_none() && self.unreadable.is_none() {
            self.unreadable = mark.map(excerpt);
        }
    }

    /// Adds a cell with its mark; none where that cannot be read.
    fn add_marked(
        &mut self,
        meter: &Meter,
        key: &CellKey,
        moment: Instant,
        cell: &Cell,
        mark: Option<&str>,
    ) -> Option<()> {
        let start = self.start;
        match &mut self.state {
            State::Values(values) => values.add(cell, mark)?,
            State::Latest(latest) => {
                if let Some(mark) = mark {
                    *latest = latest.take().max(Some(Moment::read(&key.source, mark)?));
                }
            }
            State::Levels { of, .. } => {
                if let Some(mark) = mark {
                    let moment = Moment::read(&key.source, mark)?;
                    let own = key.dimensions.get(..meter.dimensions.len())?;
                    of.entry((key.account.clone(), own.to_vec())).or_default().push(moment);
                }
            }
            State::HighWater { hours, hourly, .. } | State::HourlyAverage { hours, hourly, .. } => {
                let hour = offset(start, moment).div_euclid(HOUR_NS);
                hours.entry(hour).or_insert_with(|| Values::of_hour(hourly)).add(cell, mark)?;
            }
        }
        Some(())
    }

    /// The value of the window; none where no event has one, or a value over time has no bounds.
    ///
    /// **Errors**: a number of more than 256 bits; a mark that was none.
    pub fn value(&self) -> Result<Option<Rational>, NumberError> {
        if let Some(text) = &self.unreadable {
            return Err(NumberError::Syntax { text: text.clone() });
        }
        let length = offset(self.start, self.end);
        match &self.state {
            State::Values(values) => values.value(),
            State::Latest(latest) => Ok(latest.as_ref().map(|moment| moment.value.to_rational())),
            _ if !Self::is_bounded(self.start, self.end) => Ok(None),
            State::Levels { of, .. } if of.is_empty() => Ok(None),
            State::Levels { of, per } => {
                let mut sum = Rational::ZERO;
                for moments in of.values() {
                    sum = sum.checked_add(held(moments, self.start, self.end)?)?;
                }
                sum.checked_div(Rational::from_integer(per.ns())).map(Some)
            }
            State::HighWater { hours, percentile, .. } => {
                high_water(&values_of(hours)?, hours_of(length), *percentile).map(Some)
            }
            State::HourlyAverage { hours, above, .. } => {
                let mut sum = Rational::ZERO;
                for value in values_of(hours)?.into_iter().filter(|value| value > above) {
                    sum = sum.checked_add(value.checked_sub(*above)?)?;
                }
                sum.checked_div(Rational::from_integer(hours_of(length))).map(Some)
            }
        }
    }
}

fn offset(start: Instant, moment: Instant) -> i128 {
    i128::from(moment.0).saturating_sub(i128::from(start.0))
}

/// How many hours a window has, the last one may be shorter.
fn hours_of(length_ns: i128) -> i128 {
    length_ns.div_euclid(HOUR_NS).saturating_add(i128::from(length_ns.rem_euclid(HOUR_NS) != 0))
}

fn values_of(hours: &BTreeMap<i128, Values>) -> Result<Vec<Rational>, NumberError> {
    hours.values().filter_map(|hour| hour.value().transpose()).collect()
}

/// Σ of a level × the nanoseconds that it held within a window.
fn held(moments: &[Moment], start: Instant, end: Instant) -> Result<Rational, NumberError> {
    let mut moments: Vec<&Moment> = moments.iter().collect();
    moments.sort_unstable();
    let mut sum = Rational::ZERO;
    let ends = moments.iter().skip(1).map(|next| Instant(next.at)).chain([end]);
    for (moment, until) in moments.iter().zip(ends) {
        let (from, until) = (Instant(moment.at).max(start), until.min(end));
        if from < until {
            let length = Rational::from_integer(offset(from, until));
            sum = sum.checked_add(moment.value.to_rational().checked_mul(length)?)?;
        }
    }
    Ok(sum)
}

/// Of `n` values, of which those that are not given are 0, the highest that is not among the ⌊n × (1 − p)⌋ highest.
fn high_water(given: &[Rational], n: i128, percentile: Rational) -> Result<Rational, NumberError> {
    let dropped = Rational::from_integer(n).checked_mul(Rational::ONE.checked_sub(percentile)?)?.floor();
    let side = |is_on_it: fn(&Rational) -> bool| {
        let mut values: Vec<Rational> = given.iter().copied().filter(is_on_it).collect();
        values.sort_unstable_by(|a, b| b.cmp(a));
        values
    };
    let above = side(|value| !value.is_zero() && !value.is_negative());
    let below = side(|value| value.is_negative());
    let zeros_end = Rational::from_integer(n).checked_sub(length_of(below.len()))?;
    if dropped < length_of(above.len()) {
        return Ok(ranked(&above, dropped));
    }
    if dropped < zeros_end {
        return Ok(Rational::ZERO);
    }
    Ok(ranked(&below, dropped.checked_sub(zeros_end)?))
}

/// The value that has so many before it.
fn ranked(values: &[Rational], before: Rational) -> Rational {
    match values.iter().zip(0..).find(|(_, place)| whole(*place) == before) {
        Some((value, _)) => *value,
        None => unreachable!("a rank below the number of hours is that of one"),
    }
}
