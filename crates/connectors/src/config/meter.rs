//! `kind: meter`.

use invoicing::terms::Version;
use metering::{Aggregation, Condition, Hourly, Meter, Per};
use money::Rational;
use serde_json::Value;

use super::document::SPLIT_OFF;
use super::fields::Fields;
use super::problem::Problems;
use super::values::texts;

/// Fields of a document of this kind.
pub(super) const FIELDS: [&str; 13] = [
    "kind",
    "meter",
    "events",
    "aggregate",
    "property",
    "per",
    "hourly",
    "percentile",
    "above",
    "where",
    "dimensions",
    "unit",
    "allow_negative",
];

/// The words of `aggregate`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Latest,
    Unique,
    Level,
    HighWater,
    HourlyAverage,
}

const AGGREGATES: [(&str, Aggregate); 10] = [
    ("count", Aggregate::Count),
    ("sum", Aggregate::Sum),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("average", Aggregate::Average),
    ("latest", Aggregate::Latest),
    ("unique", Aggregate::Unique),
    ("level", Aggregate::Level),
    ("high_water", Aggregate::HighWater),
    ("hourly_average", Aggregate::HourlyAverage),
];

/// The words of `hourly`.
#[derive(Clone, Copy)]
enum OfHour {
    Count,
    Sum,
    Max,
    Unique,
}

const OF_HOUR: [(&str, OfHour); 4] =
    [("count", OfHour::Count), ("sum", OfHour::Sum), ("max", OfHour::Max), ("unique", OfHour::Unique)];

const PER: [(&str, Per); 4] =
    [("second", Per::Second), ("minute", Per::Minute), ("hour", Per::Hour), ("day", Per::Day)];

pub(super) fn parse(value: &Value, version: Version, problems: &Problems) -> Option<Meter> {
    let fields = Fields::read_body(value, &FIELDS, &SPLIT_OFF, problems)?;
    let name = fields.name("meter", "errors");
    let event_types = fields.need("events", "[error]").and_then(|value| texts(value, "events", problems));
    let aggregation = aggregation(&fields);
    let filter = filter(&fields);
    let dimensions = if fields.has("dimensions") { fields.texts("dimensions") } else { Some(Vec::new()) };
    let unit = fields.name("unit", "error");
    let allow_negative = fields.flag("allow_negative");
    Some(Meter {
        name: name?,
        version: version.version,
        effective_at: version.effective_at,
        recorded_at: version.recorded_at,
        event_types: event_types?,
        aggregation: aggregation?,
        filter: filter?,
        dimensions: dimensions?,
        unit: unit?,
        allow_negative: allow_negative?,
    })
}

fn aggregation(fields: &Fields<'_, '_>) -> Option<Aggregation> {
    let word = fields.word("aggregate", &AGGREGATES)?;
    let name =
        |wanted: Aggregate| AGGREGATES.iter().find(|(_, of)| *of == wanted).map_or("", |(name, _)| name);
    let stray = [
        ("per", word == Aggregate::Level),
        ("hourly", is_hourly(word)),
        ("percentile", word == Aggregate::HighWater),
        ("above", word == Aggregate::HourlyAverage),
    ];
    let mut is_right = true;
    for (field, _) in stray.into_iter().filter(|(field, belongs)| !belongs && fields.has(field)) {
        let message = format!("expected no `{field}` beside `aggregate: {}`, found one", name(word));
        let hint = "take it out; `per` belongs to level, `hourly` to high_water and hourly_average, `percentile` to \
                    high_water, `above` to hourly_average";
        fields.problems().add(&fields.path_of(field), "field_of_other_aggregate", message, hint);
        is_right = false;
    }
    let property = || fields.name("property", "quantity");
    let aggregation = match word {
        Aggregate::Count => no_property(fields, "aggregate: count").then_some(Aggregation::Count),
        Aggregate::Sum => property().map(|property| Aggregation::Sum { property }),
        Aggregate::Min => property().map(|property| Aggregation::Min { property }),
        Aggregate::Max => property().map(|property| Aggregation::Max { property }),
        Aggregate::Average => property().map(|property| Aggregation::Average { property }),
        Aggregate::Latest => property().map(|property| Aggregation::Latest { property }),
        Aggregate::Unique => property().map(|property| Aggregation::Unique { property }),
        Aggregate::Level => {
            let (property, per) = (property(), fields.word("per", &PER));
            Some(Aggregation::Level { property: property?, per: per? })
        }
        Aggregate::HighWater => {
            let (hourly, percentile) = (hourly(fields), fields.decimal("percentile", "\"0.99\""));
            let percentile = percentile.filter(|percentile| {
                let is_share = *percentile > Rational::ZERO && *percentile <= Rational::ONE;
                let message = format!("expected a share above 0 and up to 1, found `{percentile}`");
                refuse_unless(
                    fields,
                    is_share,
                    "percentile",
                    message,
                    "write the 99th percentile as \"0.99\"",
                )
            });
            Some(Aggregation::HighWater { hourly: hourly?, percentile: percentile? })
        }
        Aggregate::HourlyAverage => {
            let (hourly, above) = (hourly(fields), fields.decimal_or("above", Rational::ZERO));
            let above = above.filter(|above| {
                let message = format!("expected an included amount of 0 or more, found `{above}`");
                let hint = "write what each hour includes, or leave it out";
                refuse_unless(fields, !above.is_negative(), "above", message, hint)
            });
            Some(Aggregation::HourlyAverage { hourly: hourly?, above: above? })
        }
    };
    aggregation.filter(|_| is_right)
}

fn is_hourly(word: Aggregate) -> bool {
    matches!(word, Aggregate::HighWater | Aggregate::HourlyAverage)
}

fn refuse_unless(fields: &Fields<'_, '_>, holds: bool, field: &str, message: String, hint: &str) -> bool {
    if !holds {
        fields.problems().add(&fields.path_of(field), "out_of_range", message, hint);
    }
    holds
}

fn hourly(fields: &Fields<'_, '_>) -> Option<Hourly> {
    let property = || fields.name("property", "quantity");
    match fields.word("hourly", &OF_HOUR)? {
        OfHour::Count => no_property(fields, "hourly: count").then_some(Hourly::Count),
        OfHour::Sum => property().map(Hourly::Sum),
        OfHour::Max => property().map(Hourly::Max),
        OfHour::Unique => property().map(Hourly::Unique),
    }
}

/// Whether there is no property, where it would say nothing.
fn no_property(fields: &Fields<'_, '_>, beside: &str) -> bool {
    let has = fields.has("property");
    if has {
        let message = format!("expected no property beside `{beside}`, found `property`");
        let hint = "take it out, or aggregate it: `sum`, `max`, `unique`";
        fields.problems().add("property", "property_not_summed", message, hint);
    }
    !has
}

fn filter(fields: &Fields<'_, '_>) -> Option<Vec<Condition>> {
    let Some(value) = fields.get("where") else { return Some(Vec::new()) };
    let by_property = Fields::open(value, "where", fields.problems())?;
    let read: Vec<Option<Condition>> = by_property
        .each()
        .map(|(property, path, value)| {
            let one_of = texts(value, &path, fields.problems())?;
            Some(Condition { property: property.to_owned(), one_of })
        })
        .collect();
    read.into_iter().collect()
}
