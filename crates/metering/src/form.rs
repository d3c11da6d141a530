//! The form of an event: what can be told from the record alone.

use crate::code::{Code, Rejection};
use crate::event::{Draft, Event};
use crate::excerpt::excerpt;
use crate::value::Value;

/// Bytes of a source, id, type or account. Ids seen in the field (UUIDs, URLs, topic-partition-offset) stay
/// below; each is a key of the dictionary or the index, whose entries must stay small.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of the properties in canonical form: the size up to which the CloudEvents specification asks
/// intermediaries to forward an event.
pub const PROPERTIES_BYTES_MAX: usize = 64 * 1024;

/// Checks the form of a draft, and makes its properties canonical.
///
/// Checked in this order, and the first problem is told: id, source, type, account (each present and not
/// empty, then its length), time (present and not empty, then readable), properties (an object, then depth,
/// keys and numbers, then size).
///
/// **Errors**: [`Rejection`] with `missing_id`, `missing_source`, `missing_type`, `missing_account`,
/// `field_too_long`, `missing_time`, `time_unparseable`, `not_an_object`, `too_deep`, `duplicate_key`,
/// `json_syntax`, `quantity_out_of_range` (a number with an exponent of over 15 digits).
pub fn check_form(draft: Draft) -> Result<Event, Rejection> {
    let id = check_name(draft.id, "an id", Code::MissingId)?;
    let source = check_name(draft.source, "a source", Code::MissingSource)?;
    let event_type = check_name(draft.event_type, "a type", Code::MissingType)?;
    let account = check_name(draft.account, "an account", Code::MissingAccount)?;
    let written = present(draft.occurred_at, "a time", Code::MissingTime)?;
    let occurred_at = draft
        .time_format
        .read(&written)
        .map_err(|error| Rejection::new(Code::TimeUnparseable, error.to_string()))?;
    let properties = check_properties(draft.properties)?;
    Ok(Event { source, id, event_type, account, occurred_at, properties })
}

fn present(field: Option<String>, name: &str, missing: Code) -> Result<String, Rejection> {
    match field {
        None => Err(Rejection::new(missing, format!("expected {name}, found none"))),
        Some(text) if text.is_empty() => {
            Err(Rejection::new(missing, format!("expected {name} of at least one character, found ``")))
        }
        Some(text) => Ok(text),
    }
}

fn check_name(field: Option<String>, name: &str, missing: Code) -> Result<String, Rejection> {
    let text = present(field, name, missing)?;
    if text.len() <= NAME_BYTES_MAX {
        return Ok(text);
    }
    let (length, head) = (text.len(), excerpt(&text));
    let message = format!("expected {name} of at most {NAME_BYTES_MAX} bytes, found {length}: `{head}`");
    Err(Rejection::new(Code::FieldTooLong, message))
}

fn check_properties(properties: Value) -> Result<Value, Rejection> {
    if !matches!(properties, Value::Object(_)) {
        let message = "expected an object of properties, found another value";
        return Err(Rejection::new(Code::NotAnObject, message.to_owned()));
    }
    let properties =
        properties.into_canonical().map_err(|error| Rejection::new(error.code(), error.to_string()))?;
    let length = properties.canonical_bytes();
    if length > PROPERTIES_BYTES_MAX {
        let message =
            format!("expected properties of at most {PROPERTIES_BYTES_MAX} bytes, found `{length}`");
        return Err(Rejection::new(Code::FieldTooLong, message));
    }
    Ok(properties)
}
