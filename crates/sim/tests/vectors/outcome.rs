//! What an example expects and what our code says, in one form that can be compared.

use super::{period, price};
use money::Rational;
use serde_json::Value;

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Number(Rational),
    Date(String),
}

/// All results of an example, by name.
pub type Outcome = Vec<(String, Item)>;

/// A JSON number or text as text; examples write quantities both ways.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("expected a number or a text, found `{other}`"),
    }
}

pub fn number(value: &Value) -> Rational {
    Rational::parse(&text(value)).unwrap()
}

fn item(value: &str) -> Item {
    match Rational::parse(value) {
        Ok(number) => Item::Number(number),
        Err(_) => Item::Date(value.to_owned()),
    }
}

/// A single result, as a page or a plain example writes it.
pub fn parse_outcome(value: &str) -> Outcome {
    vec![("amount".to_owned(), item(value))]
}

/// What the example says.
pub fn expected(example: &Value) -> Outcome {
    match &example["expected"] {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), item(&text(value)))).collect()
        }
        Value::Array(parts) => {
            parts.iter().enumerate().map(|(index, part)| (index.to_string(), item(&text(part)))).collect()
        }
        single => parse_outcome(&text(single)),
    }
}

/// What our code says, under the names that the example uses.
pub fn ours(example: &Value) -> Outcome {
    let numbers = |found: Vec<Rational>| found.into_iter().map(Item::Number).collect();
    let items: Vec<Item> = match example["model"].as_str().unwrap() {
        "rounding" => numbers(vec![price::round(example)]),
        "allocation/largest_remainder" => numbers(price::allocate(example)),
        "period_boundary" => vec![Item::Date(period::start(example))],
        "period_boundary_end" => vec![Item::Date(period::last_second(example))],
        _ => {
            let names = expected(example).into_iter().map(|(name, _)| name);
            names.map(|name| Item::Number(price::rate(example, &name))).collect()
        }
    };
    let names = expected(example).into_iter().map(|(name, _)| name);
    let count = names.len();
    assert_eq!(count, items.len(), "{example}");
    names.zip(items).collect()
}
