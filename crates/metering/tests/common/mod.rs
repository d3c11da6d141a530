//! Short ways to write events, meters and keys.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use metering::{Aggregation, Condition, Draft, Event, Instant, Keys, Meter, TimeFormat, Value};

/// 2026-08-01T00:00:00Z.
pub const AUGUST: Instant = Instant(1_785_542_400_000_000_000);

pub fn keys() -> Keys {
    let bytes = |first: u8| std::array::from_fn(|at| first + u8::try_from(at).unwrap());
    Keys { identity: bytes(0), digest: bytes(16), personal: [7; 32], shard: [9; 16] }
}

pub fn object(members: &[(&str, Value)]) -> Value {
    Value::object(members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()).unwrap()
}

pub fn number(text: &str) -> Value {
    Value::number(text).unwrap()
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn event(properties: &[(&str, Value)]) -> Event {
    Event {
        source: "api".to_owned(),
        id: "1".to_owned(),
        event_type: "request".to_owned(),
        account: "acme".to_owned(),
        occurred_at: AUGUST,
        properties: object(properties),
    }
}

pub fn draft() -> Draft {
    Draft {
        source: Some("api".to_owned()),
        id: Some("1".to_owned()),
        event_type: Some("request".to_owned()),
        account: Some("acme".to_owned()),
        occurred_at: Some("2026-08-01T00:00:00Z".to_owned()),
        time_format: TimeFormat::Rfc3339,
        properties: object(&[("quantity", number("1"))]),
    }
}

/// A meter of all time that sums `quantity` of requests.
pub fn sum(name: &str) -> Meter {
    Meter {
        name: name.to_owned(),
        version: 1,
        effective_at: Instant::MIN,
        recorded_at: 1,
        event_types: vec!["request".to_owned()],
        aggregation: Aggregation::Sum { property: "quantity".to_owned() },
        filter: Vec::new(),
        dimensions: Vec::new(),
        unit: "unit".to_owned(),
        allow_negative: false,
    }
}

/// A meter of all time that counts requests.
pub fn count(name: &str) -> Meter {
    Meter { aggregation: Aggregation::Count, ..sum(name) }
}

pub fn only(property: &str, one_of: &[&str]) -> Condition {
    Condition {
        property: property.to_owned(),
        one_of: one_of.iter().map(|value| (*value).to_owned()).collect(),
    }
}
