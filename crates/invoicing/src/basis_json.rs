//! The arithmetic of a charge as JSON.

use rating::{Basis, Field};
use serde_json::{Map, Value, json};

/// A basis under its wire names. Numbers are texts; usage has its unit.
pub fn basis_value(basis: &Basis, unit: Option<&str>) -> Value {
    let part = basis.describe();
    let mut value = Map::new();
    value.insert("op".into(), json!(part.op));
    for (name, field) in part.fields {
        let field = match field {
            Field::Number(number) => json!(number.to_string()),
            Field::Text(text) => json!(text),
            Field::Node(node) => basis_value(node, unit),
            Field::Nodes(nodes) => nodes.iter().map(|node| basis_value(node, unit)).collect(),
        };
        value.insert(name.into(), field);
    }
    if let (Some(unit), "usage") = (unit, part.op) {
        value.insert("unit".into(), json!(unit));
    }
    if let Some(note) = part.note {
        value.insert("note".into(), json!(note));
    }
    Value::Object(value)
}
