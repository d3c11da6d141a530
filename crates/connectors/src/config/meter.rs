//! `kind: meter`.

use invoicing::terms::Version;
use metering::{Aggregation, Condition, Meter};
use serde_json::Value;

use super::document::SPLIT_OFF;
use super::fields::Fields;
use super::problem::Problems;
use super::values::texts;

/// Fields of a document of this kind.
pub(super) const FIELDS: [&str; 9] =
    ["kind", "meter", "events", "aggregate", "property", "where", "dimensions", "unit", "allow_negative"];

#[derive(Clone, Copy)]
enum Aggregate {
    Count,
    Sum,
}

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
    match fields.word("aggregate", &[("count", Aggregate::Count), ("sum", Aggregate::Sum)])? {
        Aggregate::Sum => fields.name("property", "quantity").map(|property| Aggregation::Sum { property }),
        Aggregate::Count if fields.has("property") => {
            let message = "expected no property beside `aggregate: count`, found `property`".to_owned();
            let hint = "take it out, or write `aggregate: sum`";
            fields.problems().add("property", "property_not_summed", message, hint);
            None
        }
        Aggregate::Count => Some(Aggregation::Count),
    }
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
