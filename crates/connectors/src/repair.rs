//! Setting a member of a kept record.

use metering::Value;
use thiserror::Error;

use crate::excerpt::excerpt;
use crate::json;

/// Digits up to which a number that went through `serde_json` is certainly the one that was written.
const DIGITS_MAX: usize = 15;

/// Why a record cannot be repaired by setting a member.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RepairError {
    /// It is no JSON object.
    #[error("expected a record that is a JSON object ({reason})")]
    NotAnObject {
        /// What is wrong with it.
        reason: String,
    },
    /// The new value is no JSON.
    #[error("expected a JSON value ({reason})")]
    NotAValue {
        /// What is wrong with it.
        reason: String,
    },
    /// A number that may have lost digits.
    #[error("expected a number of at most {DIGITS_MAX} digits, found `{text}`")]
    NumberTooLong {
        /// The number.
        text: String,
    },
    /// A path that is empty, or has an empty part.
    #[error("expected a path such as data.quantity, found `{path}`")]
    BadPath {
        /// The path.
        path: String,
    },
    /// A path through something that has no members.
    #[error("expected an object at {path}, found `{found}`")]
    NotAMapping {
        /// Where.
        path: String,
        /// What is there.
        found: String,
    },
}

/// Sets a member of a JSON object by its dotted path, such as `data.quantity`; objects on the way that are not
/// there are made.
///
/// At each object the longest run of segments that is a key is taken, as in [`Value::get`].
///
/// **Errors**: [`RepairError`]. Use [`set_json`] for numbers of more than 15 digits that are no integers.
pub fn set_path(bytes: &[u8], path: &str, value: &serde_json::Value) -> Result<Vec<u8>, RepairError> {
    refuse_long_floats(value)?;
    set_json(bytes, path, &value.to_string())
}

/// As [`set_path`], with the value as JSON text: numbers stay exact.
///
/// **Errors**: [`RepairError`].
pub fn set_json(bytes: &[u8], path: &str, value: &str) -> Result<Vec<u8>, RepairError> {
    let mut members = json::read_object(bytes)
        .map_err(|rejection| RepairError::NotAnObject { reason: rejection.to_string() })?;
    let value = json::read_value(value)
        .map_err(|rejection| RepairError::NotAValue { reason: rejection.to_string() })?;
    if path.split('.').any(str::is_empty) {
        return Err(RepairError::BadPath { path: excerpt(path) });
    }
    set(&mut members, path, "", value)?;
    Ok(Value::Object(members).to_canonical_json().into_bytes())
}

fn set(members: &mut Vec<(String, Value)>, path: &str, above: &str, value: Value) -> Result<(), RepairError> {
    if let Some((_, held)) = members.iter_mut().find(|(key, _)| key == path) {
        *held = value;
        return Ok(());
    }
    let is_key = |key: &str| members.iter().any(|(held, _)| held == key);
    let longest =
        path.rmatch_indices('.').map(|(at, _)| (&path[..at], &path[at + 1..])).find(|(key, _)| is_key(key));
    let Some((key, rest)) = longest.or_else(|| path.split_once('.')) else {
        insert(members, path, value);
        return Ok(());
    };
    let at = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
    if !is_key(key) {
        insert(members, key, Value::Object(Vec::new()));
    }
    match members.iter_mut().find(|(held, _)| held == key) {
        Some((_, Value::Object(inner))) => set(inner, rest, &at, value),
        Some((_, held @ Value::Null)) => {
            let mut inner = Vec::new();
            set(&mut inner, rest, &at, value)?;
            *held = Value::Object(inner);
            Ok(())
        }
        Some((_, other)) => {
            Err(RepairError::NotAMapping { path: excerpt(&at), found: excerpt(&other.to_canonical_json()) })
        }
        None => Ok(()),
    }
}

/// Keeps the members sorted by key.
fn insert(members: &mut Vec<(String, Value)>, key: &str, value: Value) {
    let place = members.partition_point(|(held, _)| held.as_bytes() < key.as_bytes());
    members.insert(place, (key.to_owned(), value));
}

fn refuse_long_floats(value: &serde_json::Value) -> Result<(), RepairError> {
    match value {
        serde_json::Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            let text = number.to_string();
            let digits =
                text.split(['e', 'E']).next().unwrap_or("").bytes().filter(u8::is_ascii_digit).count();
            // A whole number as a float is written with a zero behind the point.
            if digits > DIGITS_MAX + 1 || (digits > DIGITS_MAX && !text.ends_with(".0")) {
                return Err(RepairError::NumberTooLong { text });
            }
            Ok(())
        }
        serde_json::Value::Array(items) => items.iter().try_for_each(refuse_long_floats),
        serde_json::Value::Object(members) => members.values().try_for_each(refuse_long_floats),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, path: &str, value: &str, expect: &str) {
        let told = set_json(body.as_bytes(), path, value);
        let told = told.map_or_else(|error| error.to_string(), |bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(told, expect);
    }

    #[test]
    fn members() {
        check(r#"{"b":1}"#, "a", "2", r#"{"a":2,"b":1}"#);
        check(r#"{"data":{"quantity":"many"}}"#, "data.quantity", "3.50", r#"{"data":{"quantity":3.5}}"#);
        check(r#"{}"#, "data.tokens.in", "\"x\"", r#"{"data":{"tokens":{"in":"x"}}}"#);
        check(r#"{"data":null}"#, "data.a", "1", r#"{"data":{"a":1}}"#);
        check(r#"{"ce.region":1,"ce":{}}"#, "ce.region", "2", r#"{"ce":{},"ce.region":2}"#);
        check(r#"{"a.b":{"c":1}}"#, "a.b.c", "2", r#"{"a.b":{"c":2}}"#);
        let digits = "1234567890".repeat(4);
        check("{}", "a", &format!("0.{digits}1"), &format!(r#"{{"a":0.{digits}1}}"#));
    }

    #[test]
    fn refused() {
        check(
            "{\"a\":1",
            "a",
            "2",
            "expected a record that is a JSON object (json_syntax: expected a complete JSON value, it ends at column 6 behind `{\"a\":1`)",
        );
        check("{\"a\":1}", "a.b", "2", "expected an object at a, found `1`");
        check("{\"a\":{\"b\":[]}}", "a.b.c", "2", "expected an object at a.b, found `[]`");
        check("{}", "a..b", "2", "expected a path such as data.quantity, found `a..b`");
        check("{}", "", "2", "expected a path such as data.quantity, found ``");
        check(
            "{}",
            "a",
            "NaN",
            "expected a JSON value (json_syntax: expected JSON (expected value), found at column 1 `NaN`)",
        );
    }

    #[test]
    fn numbers_of_serde_json() {
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let set =
            |text: &str| set_path(b"{}", "a", &parse(text)).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(set("0.1").unwrap(), r#"{"a":0.1}"#);
        assert_eq!(set("18446744073709551615").unwrap(), r#"{"a":18446744073709551615}"#);
        assert_eq!(set("{\"b\":[true,null]}").unwrap(), r#"{"a":{"b":[true,null]}}"#);
        let text = "0.12345678901234567".to_owned();
        assert!(matches!(set(&text), Err(RepairError::NumberTooLong { .. })));
    }
}
