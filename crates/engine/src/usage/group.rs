//! What usage is told apart by: dimensions that are kept, groups, civil buckets.

use std::collections::BTreeMap;

use invoicing::terms::Terms;
use metering::{BucketUnit, CELL_NS, CellKey, Instant, Meter, Zone};

use super::GroupBy;
use crate::error::EngineError;

/// The place of a dimension in the cells of a meter version; none where only other versions have it.
fn dimension_index(terms: &Terms, meter: &Meter, dimension: &str) -> Result<Option<usize>, EngineError> {
    let place = |meter: &Meter| meter.dimensions.iter().position(|known| known == dimension);
    if place(meter).is_none()
        && !terms.meters.versions(&meter.name).iter().any(|other| place(other).is_some())
    {
        let known = match meter.dimensions.as_slice() {
            [] => "it has no dimensions; add them to the meter to filter and group by them".to_owned(),
            known => format!("its dimensions: {}", known.join(", ")),
        };
        let message = format!("meter `{}` has no dimension `{dimension}`", meter.name);
        return Err(EngineError::invalid("unknown_dimension", message, known));
    }
    Ok(place(meter))
}

pub(super) fn cardinality_exceeded(meter: &Meter) -> EngineError {
    EngineError::invalid(
        "cardinality_exceeded",
        format!("the dimensions of meter `{}` have too many values to be told apart", meter.name),
        "ask for its totals, or give the meter fewer dimensions in a new version",
    )
}

pub(super) type DimensionTest = Box<dyn Fn(&[Option<String>]) -> bool>;

/// A dimension that a version does not have is absent there: no value of it is kept.
pub(super) fn dimension_filter(
    terms: &Terms,
    meter: &Meter,
    only: &[(String, Vec<String>)],
) -> Result<DimensionTest, EngineError> {
    let mut tests = Vec::new();
    for (dimension, values) in only {
        tests.push((dimension_index(terms, meter, dimension)?, values.clone()));
    }
    Ok(Box::new(move |dimensions| {
        tests.iter().all(|(place, values)| {
            let value = place.and_then(|place| dimensions.get(place)).and_then(Option::as_ref);
            value.is_some_and(|value| values.contains(value))
        })
    }))
}

/// The buckets of one unit in a zone, each made once.
pub(super) struct Buckets {
    unit: BucketUnit,
    zone: Zone,
    /// By start: the end, and the label.
    made: BTreeMap<Instant, (Instant, String)>,
}

impl Buckets {
    pub(super) fn of(by: &GroupBy) -> Option<Self> {
        let (unit, zone) = match by {
            GroupBy::Hour(zone) => (BucketUnit::Hour, zone),
            GroupBy::Day(zone) => (BucketUnit::Day, zone),
            GroupBy::Month(zone) => (BucketUnit::Month, zone),
            GroupBy::Account | GroupBy::Source | GroupBy::Type | GroupBy::Dimension(_) => return None,
        };
        Some(Self { unit, zone: zone.clone(), made: BTreeMap::new() })
    }

    /// The end of the bucket that a moment lies in, and its label.
    pub(super) fn at(&mut self, moment: Instant) -> (Instant, &str) {
        let found = self.made.range(..=moment).next_back();
        let start = match found {
            Some((start, (end, _))) if moment < *end => *start,
            _ => {
                let bucket = self.zone.bucket(self.unit, moment);
                self.made.insert(bucket.start, (bucket.end, bucket.label));
                bucket.start
            }
        };
        match self.made.get(&start) {
            Some((end, label)) => (*end, label),
            None => unreachable!("the bucket was found or made"),
        }
    }
}

/// One of the groups that are asked for, of the cells of one meter version.
enum Column {
    Account,
    Source,
    Type,
    /// A dimension's place; none where only other versions have it.
    Dimension(Option<usize>),
    Civil(Buckets),
}

/// How the cells of a meter version are grouped.
pub(super) struct Grouping(Vec<Column>);

impl Grouping {
    pub(super) fn of(terms: &Terms, meter: &Meter, by: &[GroupBy]) -> Result<Self, EngineError> {
        let column = |by: &GroupBy| {
            Ok(match (by, Buckets::of(by)) {
                (_, Some(buckets)) => Column::Civil(buckets),
                (GroupBy::Dimension(dimension), _) => {
                    Column::Dimension(dimension_index(terms, meter, dimension)?)
                }
                (GroupBy::Source, _) => Column::Source,
                (GroupBy::Type, _) => Column::Type,
                _ => Column::Account,
            })
        };
        Ok(Self(by.iter().map(column).collect::<Result<_, EngineError>>()?))
    }

    /// Whether all of a cell is of one bucket: where an offset is no multiple of a quarter of an hour, or the clocks
    /// were set at another minute, it may not be.
    pub(super) fn is_whole(&mut self, cell: Instant) -> bool {
        self.0.iter_mut().all(|column| match column {
            Column::Civil(buckets) => buckets.at(cell).0.0 >= cell.0.saturating_add(CELL_NS),
            _ => true,
        })
    }

    /// The group of what a cell holds, or of an event in it.
    pub(super) fn group(&mut self, key: &CellKey, moment: Instant) -> Vec<Option<String>> {
        let value = |column: &mut Column| match column {
            Column::Account => Some(key.account.clone()),
            Column::Source => Some(key.source.clone()),
            Column::Type => Some(key.event_type.clone()),
            Column::Dimension(place) => {
                place.and_then(|place| key.dimensions.get(place)).and_then(Clone::clone)
            }
            Column::Civil(buckets) => Some(buckets.at(moment).1.to_owned()),
        };
        self.0.iter_mut().map(value).collect()
    }
}
