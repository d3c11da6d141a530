//! One outcome: what became of how much of what.

use metering::{Code, Draft, Rejection, TimeFormat, Value};

use super::categories::{category_of, outcome_of};
use super::envelope::Origin;
use crate::excerpt::excerpt;
use crate::record::Undecodable;

/// The source of outcomes that their event's id identifies.
const EVENT_ID_SOURCE: &str = "sentry:event_id";
/// A person's address; read, never kept.
const ADDRESS: &str = "remote_addr";
/// What becomes a field of the draft, or is kept under another name or as a name.
const READ: [&str; 6] = ["timestamp", "org_id", "project_id", "outcome", "category", ADDRESS];

/// The members of an outcome, sorted by key.
pub(super) struct Outcome {
    pub(super) members: Vec<(String, Value)>,
}

/// Numbers read as what they stand for.
struct Named {
    outcome: &'static str,
    category: &'static str,
    account: Option<String>,
}

/// Decodes an outcome.
pub(super) fn decode(outcome: Outcome, origin: Option<Origin>) -> Result<Draft, Undecodable> {
    let named = outcome.named();
    let identity = outcome.identity(origin, named.as_ref().ok());
    let (source, id) = identity.clone().unzip();
    let refused = |rejection| Undecodable { rejection, source: source.clone(), id: id.clone() };
    let named = named.map_err(refused)?;
    if identity.is_none() {
        let message =
            "expected an envelope with topic, partition and offset or with feed and line, or an event_id";
        return Err(refused(Rejection::new(Code::MissingId, format!("{message}, found `none`"))));
    }
    let occurred_at = outcome.time().map_err(refused)?;
    let account = named.account.clone();
    let properties = outcome.properties(&named).map_err(refused)?;
    Ok(Draft {
        source,
        id,
        event_type: Some(named.category.to_owned()),
        account,
        occurred_at,
        time_format: TimeFormat::Rfc3339,
        properties,
    })
}

impl Outcome {
    /// A member that is there and not null.
    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        found.filter(|value| **value != Value::Null)
    }

    fn event_id(&self) -> Option<&str> {
        match self.get("event_id") {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(super) fn has_event_id(&self) -> bool {
        self.event_id().is_some()
    }

    fn named(&self) -> Result<Named, Rejection> {
        let outcome = self.number("outcome").and_then(outcome_of).ok_or_else(|| {
            self.refuse(
                "outcome",
                Code::OutcomeUnknown,
                "an outcome from 0 (accepted) to 6 (cardinality_limited)",
            )
        })?;
        let category = self.number("category").and_then(category_of).ok_or_else(|| {
            self.refuse(
                "category",
                Code::CategoryUnknown,
                "a category from 0 (default) to 38 (snapshot_image)",
            )
        })?;
        let account = match self.get("org_id") {
            None => None,
            Some(Value::Number(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(format!("org-{text}"))
            }
            Some(_) => return Err(self.refuse("org_id", Code::MissingAccount, "a whole number for org_id")),
        };
        Ok(Named { outcome, category: category.name, account })
    }

    fn number(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Number(text)) => Some(text),
            _ => None,
        }
    }

    fn refuse(&self, name: &str, code: Code, expected: &str) -> Rejection {
        let found =
            self.get(name).map_or_else(|| "none".to_owned(), |value| excerpt(&value.to_canonical_json()));
        Rejection::new(code, format!("expected {expected}, found `{found}`"))
    }

    /// Source and id: the message's place in its topic; else the event's id with category and outcome, because
    /// one event has several outcomes; else the place in the file.
    fn identity(&self, origin: Option<Origin>, named: Option<&Named>) -> Option<(String, String)> {
        let place = |origin: Origin| (origin.source, origin.id);
        match (origin, self.event_id(), named) {
            (Some(origin), _, _) if !origin.is_file => Some(place(origin)),
            (_, Some(event_id), Some(named)) => {
                let id = format!("{event_id}/{}/{}", named.category, named.outcome);
                Some((EVENT_ID_SOURCE.to_owned(), id))
            }
            (_, Some(_), None) => None,
            (origin, None, _) => origin.map(place),
        }
    }

    fn time(&self) -> Result<Option<String>, Rejection> {
        match self.get("timestamp") {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.refuse("timestamp", Code::TimeUnparseable, "an RFC 3339 time as a string")),
        }
    }

    /// The names of outcome and category, the project, and every other member that is not null. One that has
    /// the name of those three stands behind `sentry.`.
    fn properties(self, named: &Named) -> Result<Value, Rejection> {
        let mut properties = vec![
            ("outcome".to_owned(), Value::Text(named.outcome.to_owned())),
            ("category".to_owned(), Value::Text(named.category.to_owned())),
        ];
        if let Some(project) = self.get("project_id") {
            properties.push(("project".to_owned(), project.clone()));
        }
        let kept = self
            .members
            .into_iter()
            .filter(|(key, value)| !READ.contains(&key.as_str()) && *value != Value::Null);
        properties.extend(kept.map(|(key, value)| {
            (if key == "project" { "sentry.project".to_owned() } else { key }, strip_address(value))
        }));
        Value::object(properties).map_err(|error| Rejection::new(error.code(), error.to_string()))
    }
}

/// The same value without addresses, at any level.
pub(super) fn strip_address(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(key, _)| key != ADDRESS);
            Value::Object(kept.map(|(key, value)| (key, strip_address(value))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(strip_address).collect()),
        other => other,
    }
}

/// Whether JSON may have a key for an address, spelled plainly or with escapes.
pub(super) fn may_name_address(bytes: &[u8]) -> bool {
    find(bytes, ADDRESS.as_bytes()).is_some() || find(bytes, b"\\u").is_some()
}

/// Bytes that are no JSON, with what stands behind the name of an address blotted out up to the next comma,
/// brace or end.
pub(super) fn scrub(bytes: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some(at) = find(rest, ADDRESS.as_bytes()) {
        let (head, tail) = rest.split_at(at + ADDRESS.len());
        let end = tail.iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(tail.len());
        kept.extend_from_slice(head);
        kept.extend_from_slice(b"\":null");
        rest = &tail[end..];
    }
    kept.extend_from_slice(rest);
    kept
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
