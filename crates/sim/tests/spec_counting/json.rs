//! JSON of the manual as values, without a binary float in between.

use std::collections::BTreeMap;

use metering::{Value, ValueError};
use serde_json::value::RawValue;

/// The value of a JSON text.
pub fn value(text: &str) -> Result<Value, ValueError> {
    let text = text.trim();
    match text.as_bytes()[0] {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap();
            let members: Result<Vec<_>, _> =
                members.into_iter().map(|(key, raw)| value(raw.get()).map(|value| (key, value))).collect();
            Value::object(members?)
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).unwrap();
            items.iter().map(|raw| value(raw.get())).collect::<Result<_, _>>().map(Value::List)
        }
        b'"' => Ok(Value::Text(serde_json::from_str(text).unwrap())),
        _ => match text {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            number => Value::number(number),
        },
    }
}
