//! `kind: meter`: every aggregation, and what is said of one that is written wrong.
#![allow(missing_docs)]

use connectors::config::{Term, parse_term, read_documents};
use invoicing::terms::Version;
use metering::{Aggregation, Hourly, Instant, Per};
use money::Rational;

const FIRST: Version = Version { version: 3, effective_at: Instant(7), recorded_at: 11 };

fn number(text: &str) -> Rational {
    Rational::parse(text).unwrap()
}

fn meter_of(fields: &str) -> Result<Aggregation, Vec<String>> {
    let text = format!("{{kind: meter, meter: m, events: [e], unit: u, {fields}}}");
    match read_documents("m.yaml", &text) {
        Ok(documents) => match parse_term("meter", &documents[0].body, FIRST) {
            Ok(Term::Meter(meter)) => Ok(meter.aggregation),
            other => panic!("{other:?}"),
        },
        Err(problems) => {
            Err(problems.iter().map(|problem| format!("{} {}", problem.code, problem.path)).collect())
        }
    }
}

#[test]
fn aggregations() {
    let property = || "n".to_owned();
    let good = [
        ("aggregate: min, property: n", Aggregation::Min { property: property() }),
        ("aggregate: max, property: n", Aggregation::Max { property: property() }),
        ("aggregate: average, property: n", Aggregation::Average { property: property() }),
        ("aggregate: latest, property: n", Aggregation::Latest { property: property() }),
        ("aggregate: unique, property: n", Aggregation::Unique { property: property() }),
        (
            "aggregate: level, property: n, per: day",
            Aggregation::Level { property: property(), per: Per::Day },
        ),
        (
            "aggregate: high_water, hourly: max, property: n, percentile: \"0.99\"",
            Aggregation::HighWater { hourly: Hourly::Max(property()), percentile: number("0.99") },
        ),
        (
            "aggregate: hourly_average, hourly: count",
            Aggregation::HourlyAverage { hourly: Hourly::Count, above: Rational::ZERO },
        ),
        (
            "aggregate: hourly_average, hourly: unique, property: n, above: \"1.5\"",
            Aggregation::HourlyAverage { hourly: Hourly::Unique(property()), above: number("1.5") },
        ),
    ];
    for (fields, expect) in good {
        assert_eq!(meter_of(fields), Ok(expect), "{fields}");
    }
    let bad = [
        ("aggregate: median, property: n", "unknown_value", "aggregate"),
        ("aggregate: min", "missing_field", ""),
        ("aggregate: count, property: n", "property_not_summed", "property"),
        ("aggregate: sum, property: n, per: hour", "field_of_other_aggregate", "per"),
        ("aggregate: level, property: n", "missing_field", ""),
        ("aggregate: level, property: n, per: month", "unknown_value", "per"),
        ("aggregate: high_water, hourly: max, property: n", "missing_field", ""),
        ("aggregate: high_water, hourly: max, percentile: \"1\"", "missing_field", ""),
        (
            "aggregate: high_water, hourly: count, property: n, percentile: \"1\"",
            "property_not_summed",
            "property",
        ),
        ("aggregate: high_water, hourly: count, percentile: \"0\"", "out_of_range", "percentile"),
        ("aggregate: high_water, hourly: count, percentile: \"1.01\"", "out_of_range", "percentile"),
        ("aggregate: high_water, hourly: count, percentile: 0.5", "number_not_quoted", "percentile"),
        ("aggregate: high_water, hourly: min, property: n, percentile: \"1\"", "unknown_value", "hourly"),
        ("aggregate: hourly_average, hourly: count, above: \"-1\"", "out_of_range", "above"),
        (
            "aggregate: hourly_average, hourly: count, percentile: \"1\"",
            "field_of_other_aggregate",
            "percentile",
        ),
    ];
    for (fields, code, path) in bad {
        assert_eq!(meter_of(fields), Err(vec![format!("{code} {path}")]), "{fields}");
    }
}
