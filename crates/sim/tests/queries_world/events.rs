//! Events that questions are about, as bytes, as values, and drawn by chance.

use metering::{Digest, Event, Instant, Keys, Value, event_digest};
use sim::oracle_random::Random;
use sim::oracle_usage::{OracleEvent, OracleValue, decimal};

use super::era::Era;

pub const ACCOUNTS: [&str; 5] = ["acme", "zenith", "umbrella", "initech", "hooli"];
const KINDS: [&str; 9] = ["call", "load", "load", "credit", "mixed", "rare", "seat", "seat", "visit"];

fn text(text: &str) -> OracleValue {
    OracleValue::Text(text.to_owned())
}

fn draw_number(random: &mut Random) -> OracleValue {
    let size = random.pick(&[1, 1_000, 1_000_000, 1_000_000_000_000, 10_000_000_000_000_000]);
    let unit = random.pick(&[1, 1_000_000, 1_000_000_000, 1_000_000_000_000]);
    OracleValue::Number(i128::from(random.below(size)) * unit)
}

/// Few different ones, some of which are the same text in other clothes; now and then none.
fn draw_user(random: &mut Random) -> Option<OracleValue> {
    match random.below(60) {
        0 => None,
        1 => Some(OracleValue::Null),
        2..10 => Some(text("1")),
        10..20 => Some(OracleValue::Number(1_000_000_000_000)),
        20..25 => Some(text("true")),
        25..30 => Some(OracleValue::Bool(true)),
        30..34 => Some(text("")),
        34..38 => Some(OracleValue::Number(-2_500_000_000_000)),
        other => Some(text(&format!("u{}", other % 7))),
    }
}

/// An event that may be wrong, may lack what some meter reads, may have dimensions of any kind. Where it follows an
/// earlier one it is of the same moment, type and account, and mostly of the same dimensions.
pub fn draw_event(random: &mut Random, era: &Era, number: u64, follows: Option<&OracleEvent>) -> OracleEvent {
    let kind = follows.map_or_else(|| random.pick(&KINDS).to_owned(), |earlier| earlier.kind.clone());
    let mut properties = Vec::new();
    let mut add = |key: &str, value: OracleValue| properties.push((key.to_owned(), value));
    let is_negative = kind == "credit" && random.one_in(2);
    if kind != "call" || random.one_in(3) {
        match draw_number(random) {
            // Wrong for those that read a number, of no interest to those that count.
            _ if random.one_in(30) => add("quantity", text("12")),
            OracleValue::Number(pico) if is_negative => add("quantity", OracleValue::Number(-pico)),
            number => add("quantity", number),
        }
    }
    if kind != "rare" && !random.one_in(40) {
        add("size", draw_number(random));
    }
    let weights = match kind.as_str() {
        "rare" => 3,
        "seat" => 11,
        _ => 8,
    };
    if random.below(12) < weights {
        add("weight", draw_number(random));
    }
    for key in ["user", "client"] {
        if let Some(user) = draw_user(random).filter(|_| matches!(kind.as_str(), "call" | "visit")) {
            add(key, user);
        }
    }
    add("paid", OracleValue::Bool(random.one_in(2)));
    match follows.filter(|_| !random.one_in(4)) {
        Some(earlier) => {
            let is_dimension = |(key, _): &&(String, OracleValue)| key == "region" || key == "tier";
            properties.extend(earlier.properties.iter().filter(is_dimension).cloned());
        }
        None => draw_dimensions(random, &mut properties),
    }
    OracleEvent {
        source: random.pick(&["gate", "edge", "batch"]).to_owned(),
        id: format!("e-{number}"),
        account: follows.map_or_else(
            || ACCOUNTS[(random.below(5) * random.below(5) / 4) as usize].to_owned(),
            |earlier| earlier.account.clone(),
        ),
        at: follows.map_or_else(|| era.moment(random), |earlier| earlier.at),
        kind,
        properties,
    }
}

fn draw_dimensions(random: &mut Random, properties: &mut Vec<(String, OracleValue)>) {
    let region = match random.below(9) {
        0 | 1 => Some(text("eu")),
        2 => Some(text("us")),
        3 => Some(OracleValue::Number(7_000_000_000_000)),
        4 => Some(text("7")),
        5 => Some(text("")),
        6 => Some(OracleValue::Null),
        7 => Some(OracleValue::Number(1_500_000_000_000)),
        _ => None,
    };
    let tier = match random.below(5) {
        0 | 1 => Some(text("gold")),
        2 => Some(text("silver")),
        3 => Some(OracleValue::Bool(true)),
        _ => None,
    };
    for (key, value) in [("region", region), ("tier", tier)] {
        properties.extend(value.map(|value| (key.to_owned(), value)));
    }
}

fn json(value: &OracleValue) -> String {
    match value {
        OracleValue::Null => "null".to_owned(),
        OracleValue::Bool(value) => value.to_string(),
        OracleValue::Text(text) => format!("\"{text}\""),
        OracleValue::Number(pico) => decimal(*pico),
    }
}

/// The event as it is sent.
pub fn line(event: &OracleEvent) -> String {
    let members: Vec<String> =
        event.properties.iter().map(|(key, value)| format!("\"{key}\":{}", json(value))).collect();
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"{}\",\"type\":\"{}\",\"subject\":\"{}\",\"time\":\"{}\",\
         \"data\":{{{}}}}}",
        event.id,
        event.source,
        event.kind,
        event.account,
        Instant(event.at),
        members.join(",")
    )
}

pub fn keys() -> Keys {
    Keys { identity: [1; 16], digest: [2; 16], personal: [3; 32], shard: [4; 16] }
}

pub fn digest(event: &OracleEvent) -> Digest {
    let value = |value: &OracleValue| match value {
        OracleValue::Null => Value::Null,
        OracleValue::Bool(value) => Value::Bool(*value),
        OracleValue::Text(text) => Value::Text(text.clone()),
        OracleValue::Number(pico) => Value::number(&decimal(*pico)).expect("a number"),
    };
    let members = event.properties.iter().map(|(key, of)| (key.clone(), value(of))).collect();
    let event = Event {
        source: event.source.clone(),
        id: event.id.clone(),
        event_type: event.kind.clone(),
        account: event.account.clone(),
        occurred_at: Instant(event.at),
        properties: Value::object(members).expect("no key twice"),
    };
    event_digest(&keys(), engine::TENANT, &event)
}
