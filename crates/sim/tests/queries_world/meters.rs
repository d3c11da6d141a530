//! The meters that questions are about: as the engine reads them, and as the oracle has them.

use metering::Instant;
use sim::oracle_aggregate::{OracleAggregate, OracleHourly};
use sim::oracle_usage::OracleMeter;

use super::{CELL, DAY, HOUR, SECOND};

pub const BASE: &str = r#"
{kind: policy, policy: accounts, first_sight: create}
---
{kind: meter, meter: calls, events: [call], aggregate: count, unit: call}
---
{kind: meter, meter: load, events: [load], aggregate: sum, property: quantity, unit: byte}
---
{kind: meter, meter: size, events: [load, mixed], aggregate: sum, property: size, dimensions: [region], unit: byte}
---
{kind: meter, meter: net, events: [load, credit], aggregate: sum, property: quantity, allow_negative: true, unit: byte}
---
{kind: meter, meter: credit, events: [credit], aggregate: sum, property: quantity, allow_negative: true, where: {region: [eu, us, "7"]}, dimensions: [region, tier], unit: byte}
---
{kind: meter, meter: all, events: [call, load, credit, mixed, rare], aggregate: count, dimensions: [tier, region], unit: event}
---
{kind: meter, meter: paid, events: [call, mixed], aggregate: count, where: {paid: ["true"], tier: [gold, silver]}, unit: event}
---
{kind: meter, meter: least, events: [load, mixed], aggregate: min, property: size, unit: byte}
---
{kind: meter, meter: lowest, events: [seat, credit], aggregate: min, property: quantity, allow_negative: true, where: {tier: [gold, silver]}, dimensions: [region], unit: seat}
---
{kind: meter, meter: peak, events: [credit, seat], aggregate: max, property: quantity, allow_negative: true, dimensions: [tier], unit: seat}
---
{kind: meter, meter: mean, events: [load, credit], aggregate: average, property: quantity, allow_negative: true, unit: byte}
---
{kind: meter, meter: mean_size, events: [load, mixed], aggregate: average, property: size, where: {tier: [gold, silver]}, dimensions: [region], unit: byte}
---
{kind: meter, meter: last, events: [load, seat], aggregate: latest, property: quantity, dimensions: [region], unit: seat}
---
{kind: meter, meter: last_credit, events: [credit], aggregate: latest, property: quantity, allow_negative: true, where: {region: [eu, us, "7"]}, unit: byte}
---
{kind: meter, meter: users, events: [visit, call], aggregate: unique, property: user, unit: user}
---
{kind: meter, meter: clients, events: [visit], aggregate: unique, property: user, dimensions: [tier], unit: client}
---
{kind: meter, meter: seats, events: [seat], aggregate: level, property: quantity, per: hour, dimensions: [region, tier], unit: seat-hour}
---
{kind: meter, meter: stock, events: [seat, credit], aggregate: level, property: quantity, per: day, allow_negative: true, unit: day}
---
{kind: meter, meter: power, events: [mixed], aggregate: level, property: size, per: second, where: {region: [eu, us]}, unit: joule}
---
{kind: meter, meter: pool, events: [load], aggregate: level, property: size, per: minute, dimensions: [tier], unit: minute}
---
{kind: meter, meter: busy, events: [call, visit], aggregate: high_water, hourly: count, percentile: "0.95", unit: call}
---
{kind: meter, meter: heavy, events: [load, credit], aggregate: high_water, hourly: sum, property: quantity, percentile: "0.5", allow_negative: true, dimensions: [region], unit: byte}
---
{kind: meter, meter: crest, events: [credit, seat], aggregate: high_water, hourly: max, property: quantity, percentile: "0.1", allow_negative: true, unit: seat}
---
{kind: meter, meter: crowd, events: [visit], aggregate: high_water, hourly: unique, property: user, percentile: "1", where: {tier: [gold, silver, "true"]}, unit: user}
---
{kind: meter, meter: over_calls, events: [call], aggregate: hourly_average, hourly: count, above: "0.5", dimensions: [region], unit: call}
---
{kind: meter, meter: over_load, events: [load], aggregate: hourly_average, hourly: sum, property: quantity, above: "1000", unit: byte}
---
{kind: meter, meter: over_top, events: [seat], aggregate: hourly_average, hourly: max, property: quantity, above: "0.000001", dimensions: [tier], unit: seat}
---
{kind: meter, meter: over_users, events: [visit, call], aggregate: hourly_average, hourly: unique, property: user, above: "0", unit: user}
"#;

/// What the second step of the configuration adds; its meters hold from moments inside cells.
pub fn second(second_from: i64) -> String {
    let from = |plus: i64| Instant(second_from + plus);
    format!(
        r#"
{{kind: meter, meter: calls, events: [call, mixed], aggregate: count, where: {{region: [eu, '']}}, dimensions: [region], unit: call, effective_at: '{calls}'}}
---
{{kind: meter, meter: load, events: [load], aggregate: sum, property: weight, dimensions: [tier], unit: byte, effective_at: '{load}'}}
---
{{kind: meter, meter: later, events: [call, load], aggregate: count, dimensions: [region], unit: event, effective_at: '{later}'}}
---
{{kind: meter, meter: peak, events: [credit, load], aggregate: max, property: weight, allow_negative: true, dimensions: [region], unit: seat, effective_at: '{load}'}}
---
{{kind: meter, meter: mean, events: [load], aggregate: average, property: weight, dimensions: [tier], unit: byte, effective_at: '{calls}'}}
---
{{kind: meter, meter: last, events: [load, seat], aggregate: latest, property: weight, dimensions: [tier, region], unit: seat, effective_at: '{inside}'}}
---
{{kind: meter, meter: clients, events: [visit], aggregate: unique, property: client, dimensions: [region], unit: client, effective_at: '{inside}'}}
---
{{kind: meter, meter: pool, events: [load], aggregate: level, property: weight, per: minute, dimensions: [tier], unit: minute, effective_at: '{inside}'}}
---
{{kind: meter, meter: heavy, events: [load], aggregate: high_water, hourly: sum, property: weight, percentile: "0.5", dimensions: [tier, region], unit: byte, effective_at: '{calls}'}}
---
{{kind: meter, meter: crowd, events: [visit], aggregate: high_water, hourly: unique, property: client, percentile: "1", dimensions: [tier], unit: user, effective_at: '{load}'}}
---
{{kind: meter, meter: over_load, events: [load], aggregate: hourly_average, hourly: sum, property: weight, above: "1000", dimensions: [tier], unit: byte, effective_at: '{inside}'}}
---
{{kind: meter, meter: desks, events: [rare], aggregate: level, property: weight, per: hour, where: {{paid: ["true"]}}, dimensions: [region, tier], unit: seat-hour, effective_at: '{early}'}}
"#,
        calls = from(0),
        load = from(HOUR + 1),
        later = from(-90_000 * SECOND),
        early = from(-40 * DAY),
        inside = from(CELL + 1),
    )
}

fn meter(
    name: &str,
    kinds: &[&str],
    aggregate: OracleAggregate,
    property: &str,
    dimensions: &[&str],
) -> OracleMeter {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    OracleMeter {
        name: name.to_owned(),
        from: i64::MIN,
        step: 0,
        kinds: texts(kinds),
        aggregate,
        property: (!property.is_empty()).then(|| property.to_owned()),
        filter: Vec::new(),
        dimensions: texts(dimensions),
        allow_negative: false,
    }
}

pub fn one_of(property: &str, texts: &[&str]) -> (String, Vec<String>) {
    (property.to_owned(), texts.iter().map(|text| (*text).to_owned()).collect())
}

fn negative(meter: OracleMeter) -> OracleMeter {
    OracleMeter { allow_negative: true, ..meter }
}

fn filtered(meter: OracleMeter, filter: &[(&str, &[&str])]) -> OracleMeter {
    let filter = filter.iter().map(|(property, texts)| one_of(property, texts)).collect();
    OracleMeter { filter, ..meter }
}

fn level(seconds: i64) -> OracleAggregate {
    OracleAggregate::Level { per: seconds * SECOND }
}

fn high_water(hourly: OracleHourly, percentile: &'static str) -> OracleAggregate {
    OracleAggregate::HighWater { hourly, percentile }
}

fn average_above(hourly: OracleHourly, above: &'static str) -> OracleAggregate {
    OracleAggregate::HourlyAverage { hourly, above }
}

/// The same meters as the oracle has them.
pub fn oracle_meters(second_from: i64) -> Vec<OracleMeter> {
    let mut meters = sums();
    meters.extend(values());
    meters.extend(over_time());
    meters.extend(seconds(second_from));
    meters
}

fn sums() -> Vec<OracleMeter> {
    use OracleAggregate::{Count, Sum};
    vec![
        meter("calls", &["call"], Count, "", &[]),
        meter("load", &["load"], Sum, "quantity", &[]),
        meter("size", &["load", "mixed"], Sum, "size", &["region"]),
        negative(meter("net", &["load", "credit"], Sum, "quantity", &[])),
        filtered(
            negative(meter("credit", &["credit"], Sum, "quantity", &["region", "tier"])),
            &[("region", &["eu", "us", "7"])],
        ),
        meter("all", &["call", "load", "credit", "mixed", "rare"], Count, "", &["tier", "region"]),
        filtered(
            meter("paid", &["call", "mixed"], Count, "", &[]),
            &[("paid", &["true"]), ("tier", &["gold", "silver"])],
        ),
    ]
}

fn values() -> Vec<OracleMeter> {
    use OracleAggregate::{Average, Latest, Max, Min, Unique};
    let metals: (&str, &[&str]) = ("tier", &["gold", "silver"]);
    vec![
        meter("least", &["load", "mixed"], Min, "size", &[]),
        filtered(negative(meter("lowest", &["seat", "credit"], Min, "quantity", &["region"])), &[metals]),
        negative(meter("peak", &["credit", "seat"], Max, "quantity", &["tier"])),
        negative(meter("mean", &["load", "credit"], Average, "quantity", &[])),
        filtered(meter("mean_size", &["load", "mixed"], Average, "size", &["region"]), &[metals]),
        meter("last", &["load", "seat"], Latest, "quantity", &["region"]),
        filtered(
            negative(meter("last_credit", &["credit"], Latest, "quantity", &[])),
            &[("region", &["eu", "us", "7"])],
        ),
        meter("users", &["visit", "call"], Unique, "user", &[]),
        meter("clients", &["visit"], Unique, "user", &["tier"]),
    ]
}

fn over_time() -> Vec<OracleMeter> {
    use OracleHourly::{Count, Max, Sum, Unique};
    vec![
        meter("seats", &["seat"], level(3_600), "quantity", &["region", "tier"]),
        negative(meter("stock", &["seat", "credit"], level(86_400), "quantity", &[])),
        filtered(meter("power", &["mixed"], level(1), "size", &[]), &[("region", &["eu", "us"])]),
        meter("pool", &["load"], level(60), "size", &["tier"]),
        meter("busy", &["call", "visit"], high_water(Count, "0.95"), "", &[]),
        negative(meter("heavy", &["load", "credit"], high_water(Sum, "0.5"), "quantity", &["region"])),
        negative(meter("crest", &["credit", "seat"], high_water(Max, "0.1"), "quantity", &[])),
        filtered(
            meter("crowd", &["visit"], high_water(Unique, "1"), "user", &[]),
            &[("tier", &["gold", "silver", "true"])],
        ),
        meter("over_calls", &["call"], average_above(Count, "0.5"), "", &["region"]),
        meter("over_load", &["load"], average_above(Sum, "1000"), "quantity", &[]),
        meter("over_top", &["seat"], average_above(Max, "0.000001"), "quantity", &["tier"]),
        meter("over_users", &["visit", "call"], average_above(Unique, "0"), "user", &[]),
    ]
}

fn seconds(second_from: i64) -> Vec<OracleMeter> {
    use OracleAggregate::{Average, Count, Latest, Max, Sum, Unique};
    use OracleHourly as Hourly;
    let second = |meter, plus| OracleMeter { from: second_from + plus, step: 1, ..meter };
    let calls =
        filtered(meter("calls", &["call", "mixed"], Count, "", &["region"]), &[("region", &["eu", ""])]);
    let heavy = high_water(Hourly::Sum, "0.5");
    let crowd = high_water(Hourly::Unique, "1");
    // Of most of its events nobody can read what they say.
    let desks = meter("desks", &["rare"], level(3_600), "weight", &["region", "tier"]);
    let (load, later, inside) = (HOUR + 1, -90_000 * SECOND, CELL + 1);
    vec![
        second(calls, 0),
        second(meter("load", &["load"], Sum, "weight", &["tier"]), load),
        second(meter("later", &["call", "load"], Count, "", &["region"]), later),
        second(negative(meter("peak", &["credit", "load"], Max, "weight", &["region"])), load),
        second(meter("mean", &["load"], Average, "weight", &["tier"]), 0),
        second(meter("last", &["load", "seat"], Latest, "weight", &["tier", "region"]), inside),
        second(meter("clients", &["visit"], Unique, "client", &["region"]), inside),
        second(meter("pool", &["load"], level(60), "weight", &["tier"]), inside),
        second(meter("heavy", &["load"], heavy, "weight", &["tier", "region"]), 0),
        second(meter("crowd", &["visit"], crowd, "client", &["tier"]), load),
        second(
            meter("over_load", &["load"], average_above(Hourly::Sum, "1000"), "weight", &["tier"]),
            inside,
        ),
        second(filtered(desks, &[("paid", &["true"])]), -40 * DAY),
    ]
}
