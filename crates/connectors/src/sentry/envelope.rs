//! What may stand around an outcome: where it was read.
//!
//! * `{"topic": TEXT, "partition": INTEGER, "offset": INTEGER, "value": {OUTCOME}}`, from a Kafka topic.
//! * `{"feed": TEXT, "line": INTEGER, "value": {OUTCOME}}`, from a file, as the quarantine keeps it.
//!
//! Other members of an envelope (keys, headers, broker times) say nothing about use and are dropped.

use metering::{Code, Rejection, Value};

use super::Place;
use super::outcome::Outcome;
use crate::excerpt::excerpt;

/// An outcome and what identifies the message that it came in.
pub(super) struct Envelope {
    pub(super) origin: Option<Origin>,
    pub(super) outcome: Outcome,
}

/// An identity that a place gives.
pub(super) struct Origin {
    pub(super) source: String,
    pub(super) id: String,
    /// Whether it is a place in a file, which gives way to an id of the outcome's own.
    pub(super) is_file: bool,
}

impl Origin {
    pub(super) fn at(source: &str, line: u64) -> Self {
        Self { source: source.to_owned(), id: line.to_string(), is_file: true }
    }
}

impl Envelope {
    /// An object with a member `value` is an envelope, any other an outcome.
    pub(super) fn read(members: Vec<(String, Value)>) -> Result<Self, Rejection> {
        let has = |name: &str| members.iter().any(|(key, _)| key == name);
        if !has("value") {
            return Ok(Self { origin: None, outcome: Outcome { members } });
        }
        let origin = if has("topic") || has("partition") || has("offset") {
            let topic = text(&members, "topic")?;
            let source = format!("sentry:{topic}/{}", integer(&members, "partition")?);
            Some(Origin { source, id: integer(&members, "offset")?, is_file: false })
        } else if has("feed") || has("line") {
            let id = integer(&members, "line")?;
            Some(Origin { source: text(&members, "feed")?, id, is_file: true })
        } else {
            None
        };
        match members.into_iter().find(|(key, _)| key == "value") {
            Some((_, Value::Object(members))) => Ok(Self { origin, outcome: Outcome { members } }),
            _ => {
                let message = "expected a JSON object in the envelope's member `value`";
                Err(Rejection::new(Code::NotAnObject, message.to_owned()))
            }
        }
    }
}

fn find<'m>(members: &'m [(String, Value)], name: &str) -> Option<&'m Value> {
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn text(members: &[(String, Value)], name: &str) -> Result<String, Rejection> {
    match find(members, name) {
        Some(Value::Text(text)) if !text.is_empty() => Ok(text.clone()),
        other => Err(incomplete(name, "a name", other)),
    }
}

fn integer(members: &[(String, Value)], name: &str) -> Result<String, Rejection> {
    match find(members, name) {
        Some(Value::Number(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(text.clone()),
        other => Err(incomplete(name, "a whole number", other)),
    }
}

fn incomplete(name: &str, expected: &str, found: Option<&Value>) -> Rejection {
    let found = found.map_or_else(|| "nothing".to_owned(), |value| excerpt(&value.to_canonical_json()));
    let message = format!("expected {expected} for {name} in the envelope, found `{found}`");
    Rejection::new(Code::MissingId, message)
}

/// A bare outcome with the place in a file that identifies it.
pub(super) fn wrap(outcome: &[u8], place: &Place<'_>) -> Vec<u8> {
    let feed = Value::Text(place.source.to_owned()).to_canonical_json();
    let mut bytes = format!("{{\"feed\":{feed},\"line\":{},\"value\":", place.line).into_bytes();
    bytes.extend_from_slice(outcome);
    bytes.push(b'}');
    bytes
}
