//! CloudEvents 1.0 in the JSON event format, one object a record.

use metering::{Code, Draft, Event, Rejection, TimeFormat, Value};

use crate::excerpt::excerpt;
use crate::json::Members;
use crate::record::Undecodable;

const VERSION: &str = "1.0";
/// Attributes that become fields of the draft or say how to read it; every other is a property.
const FIELDS: [&str; 9] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "data_base64"];

/// Decodes one event; what is absent stays absent.
///
/// **Errors**: those of [`Members::read`]; `cloudevents_version`; `missing_id` and the like for an attribute
/// that is no string; `not_an_object` for data that is no JSON object.
pub(crate) fn decode(bytes: &[u8]) -> Result<Draft, Undecodable> {
    let members = Members::read(bytes)?;
    read(&members).map_err(|rejection| Undecodable {
        rejection,
        source: members.text("source"),
        id: members.text("id"),
    })
}

/// An event written as a CloudEvent; decoded again it is the same event.
pub(crate) fn render(event: &Event) -> Vec<u8> {
    let text = |text: &str| Value::Text(text.to_owned()).to_canonical_json();
    format!(
        r#"{{"specversion":"{VERSION}","id":{},"source":{},"type":{},"subject":{},"time":"{}","data":{}}}"#,
        text(&event.id),
        text(&event.source),
        text(&event.event_type),
        text(&event.account),
        event.occurred_at,
        event.properties.to_canonical_json(),
    )
    .into_bytes()
}

fn read(members: &Members<'_>) -> Result<Draft, Rejection> {
    check_version(members)?;
    Ok(Draft {
        id: attribute(members, "id", Code::MissingId)?,
        source: attribute(members, "source", Code::MissingSource)?,
        event_type: attribute(members, "type", Code::MissingType)?,
        account: attribute(members, "subject", Code::MissingAccount)?,
        occurred_at: attribute(members, "time", Code::TimeUnparseable)?,
        time_format: TimeFormat::Rfc3339,
        properties: properties(members)?,
    })
}

fn check_version(members: &Members<'_>) -> Result<(), Rejection> {
    if members.text("specversion").as_deref() == Some(VERSION) {
        return Ok(());
    }
    let found = members.written("specversion").map_or_else(|| "none".to_owned(), excerpt);
    Err(Rejection::new(
        Code::CloudeventsVersion,
        format!("expected specversion \"{VERSION}\", found `{found}`"),
    ))
}

fn attribute(members: &Members<'_>, name: &str, code: Code) -> Result<Option<String>, Rejection> {
    let Some(written) = members.written(name) else { return Ok(None) };
    match members.value(name)? {
        Some(Value::Text(text)) => Ok(Some(text)),
        _ => Err(Rejection::new(code, format!("expected a string for {name}, found `{}`", excerpt(written)))),
    }
}

/// The members of the data object, and beside them the attributes that are no fields: under their own names,
/// or behind `ce.` where the data has a member of that name.
fn properties(members: &Members<'_>) -> Result<Value, Rejection> {
    let mut properties = data(members)?;
    let in_data = properties.len();
    for name in members.keys().filter(|name| !FIELDS.contains(name)) {
        let Some(value) = members.value(name)? else { continue };
        let is_taken = properties[..in_data].binary_search_by(|(held, _)| held.as_str().cmp(name)).is_ok();
        properties.push((if is_taken { format!("ce.{name}") } else { name.to_owned() }, value));
    }
    Value::object(properties).map_err(|error| Rejection::new(error.code(), error.to_string()))
}

fn data(members: &Members<'_>) -> Result<Vec<(String, Value)>, Rejection> {
    let refuse = |message| Err(Rejection::new(Code::NotAnObject, message));
    if members.has("data_base64") {
        return refuse("expected the data as a JSON object in data, found `data_base64`".to_owned());
    }
    if let Some(content) = attribute(members, "datacontenttype", Code::NotAnObject)?
        && !is_json(&content)
    {
        return refuse(format!("expected data of the type application/json, found `{}`", excerpt(&content)));
    }
    match members.value("data")? {
        None => Ok(Vec::new()),
        Some(Value::Object(data)) => Ok(data),
        Some(other) => {
            refuse(format!("expected a JSON object in data, found `{}`", excerpt(&other.to_canonical_json())))
        }
    }
}

/// `application/json`, `text/json` and every type with the suffix `+json`, whatever the parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype == "json" || subtype.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(change: (&str, &str)) -> String {
        let text = r#"{"specversion":"1.0","id":"i","source":"s","type":"t","subject":"a","time":"2026-08-01T00:00:00Z","data":{"quantity":1.50}}"#;
        assert!(text.contains(change.0));
        text.replacen(change.0, change.1, 1)
    }

    #[track_caller]
    fn properties_of(change: (&str, &str), expect: &str) {
        assert_eq!(decode(event(change).as_bytes()).unwrap().properties.to_canonical_json(), expect);
    }

    #[test]
    fn fields() {
        let draft = decode(event(("", "")).as_bytes()).unwrap();
        assert_eq!(draft.id.as_deref(), Some("i"));
        assert_eq!(draft.source.as_deref(), Some("s"));
        assert_eq!(draft.event_type.as_deref(), Some("t"));
        assert_eq!(draft.account.as_deref(), Some("a"));
        assert_eq!(draft.occurred_at.as_deref(), Some("2026-08-01T00:00:00Z"));
        assert_eq!(draft.time_format, TimeFormat::Rfc3339);
    }

    #[test]
    fn properties_and_extensions() {
        properties_of(("", ""), r#"{"quantity":1.5}"#);
        properties_of((r#","data":{"quantity":1.50}"#, ""), "{}");
        properties_of((r#"{"quantity":1.50}"#, "null"), "{}");
        properties_of((r#""data""#, r#""region":"eu","data""#), r#"{"quantity":1.5,"region":"eu"}"#);
        properties_of((r#""data""#, r#""quantity":7,"data""#), r#"{"ce.quantity":7,"quantity":1.5}"#);
        properties_of((r#""data""#, r#""traceparent":null,"data""#), r#"{"quantity":1.5}"#);
        properties_of((r#""data""#, r#""dataschema":"v2","data""#), r#"{"dataschema":"v2","quantity":1.5}"#);
        for content in
            ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/vnd.x+json"]
        {
            let content = format!(r#""datacontenttype":"{content}","data""#);
            properties_of((r#""data""#, &content), r#"{"quantity":1.5}"#);
        }
    }

    #[test]
    fn null_and_absent_fields_stay_absent() {
        for change in [(r#""id":"i","#, ""), (r#""id":"i""#, r#""id":null"#)] {
            assert_eq!(decode(event(change).as_bytes()).unwrap().id, None);
        }
        assert_eq!(decode(br#"{"specversion":"1.0"}"#).unwrap().occurred_at, None);
    }

    #[test]
    fn refusals() {
        let cases = [
            ((r#""1.0""#, r#""0.3""#), "cloudevents_version: expected specversion \"1.0\", found `\"0.3\"`"),
            ((r#""1.0""#, "1.0"), "cloudevents_version: expected specversion \"1.0\", found `1.0`"),
            (
                (r#""specversion":"1.0","#, ""),
                "cloudevents_version: expected specversion \"1.0\", found `none`",
            ),
            ((r#""id":"i""#, r#""id":5"#), "missing_id: expected a string for id, found `5`"),
            ((r#""s""#, "[]"), "missing_source: expected a string for source, found `[]`"),
            ((r#""t""#, "true"), "missing_type: expected a string for type, found `true`"),
            ((r#""a""#, "1"), "missing_account: expected a string for subject, found `1`"),
            (
                (r#""2026-08-01T00:00:00Z""#, "1785542400"),
                "time_unparseable: expected a string for time, found `1785542400`",
            ),
            ((r#"{"quantity":1.50}"#, "[1]"), "not_an_object: expected a JSON object in data, found `[1]`"),
            (
                (r#""data""#, r#""data_base64""#),
                "not_an_object: expected the data as a JSON object in data, found `data_base64`",
            ),
            (
                (r#""data""#, r#""datacontenttype":"text/xml","data""#),
                "not_an_object: expected data of the type application/json, found `text/xml`",
            ),
            (
                ("1.50", "1.50,\"quantity\":2"),
                "duplicate_key: expected each key once in an object, found twice `quantity`",
            ),
            (
                (r#""id":"i""#, r#""id":"i","id":"i""#),
                "duplicate_key: expected each key once in an object, found twice `id`",
            ),
        ];
        for (change, expect) in cases {
            assert_eq!(decode(event(change).as_bytes()).unwrap_err().to_string(), expect);
        }
    }

    #[test]
    fn a_refusal_tells_source_and_id_where_they_are_known() {
        let refused = decode(event((r#""1.0""#, r#""2.0""#)).as_bytes()).unwrap_err();
        assert_eq!((refused.source.as_deref(), refused.id.as_deref()), (Some("s"), Some("i")));
        let refused = decode(event((r#""id":"i""#, r#""id":5"#)).as_bytes()).unwrap_err();
        assert_eq!((refused.source.as_deref(), refused.id), (Some("s"), None));
    }
}
