//! What a row says, before numbers and times are read: the form that is decoded, and kept for repair.

use metering::{Code, Draft, Rejection, Value};

use super::mapping::{Cell, Mapping, TimeWords};
use super::row::split;
use crate::excerpt::excerpt;
use crate::json;
use crate::record::{Feed, RawRecord, Undecodable};

/// The texts of a row by what they mean; an empty field is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextDraft {
    source: Option<String>,
    id: Option<String>,
    event_type: Option<String>,
    account: Option<String>,
    time: Option<String>,
    time_words: TimeWords,
    /// Texts, and numbers that were numbers already.
    properties: Vec<(String, Value)>,
    /// The properties that must be numbers.
    numbers: Vec<String>,
}

/// Decodes one row.
///
/// **Errors**: `line_too_long`, `invalid_utf8`, `csv_syntax`, `quantity_not_a_number`.
pub(crate) fn decode(mapping: &Mapping, feed: &Feed, record: &RawRecord) -> Result<Draft, Undecodable> {
    let (draft, problem) = read(mapping, feed, record);
    match problem {
        Some(rejection) => Err(Undecodable { rejection, source: draft.source, id: draft.id }),
        None => draft.into_draft(mapping.time_format.clone()),
    }
}

/// The JSON that a row is kept as: what it says by name, and the row itself.
pub(crate) fn kept_body(mapping: &Mapping, feed: &Feed, record: &RawRecord) -> Vec<u8> {
    let (draft, _) = read(mapping, feed, record);
    draft.to_json(record).to_canonical_json().into_bytes()
}

/// Decodes a row that was kept, and perhaps repaired.
///
/// **Errors**: those of [`json::read_object`]; `json_syntax` for a member that is not what it was kept as;
/// `quantity_not_a_number`.
pub(crate) fn decode_kept(bytes: &[u8]) -> Result<Draft, Undecodable> {
    let draft = TextDraft::from_json(json::read_object(bytes)?)?;
    let format = draft.time_words.format().map_err(|(_, _, message)| Undecodable {
        rejection: Rejection::new(Code::TimeUnparseable, message),
        source: draft.source.clone(),
        id: draft.id.clone(),
    })?;
    draft.into_draft(format)
}

/// What can be told of a row, and why not all of it.
fn read(mapping: &Mapping, feed: &Feed, record: &RawRecord) -> (TextDraft, Option<Rejection>) {
    let (fields, problem) = match fields(mapping, record) {
        Ok(fields) => (fields, None),
        Err(rejection) => (Vec::new(), Some(rejection)),
    };
    let place = |column: &str| record.header.as_ref().and_then(|header| header.place(column));
    let text = |cell: &Cell| match cell {
        Cell::Constant(text) => Some(text.clone()),
        Cell::Column(column) => fields.get(place(column)?).filter(|text| !text.is_empty()).cloned(),
    };
    let (source, id) = identity(mapping, feed, record, &text);
    let properties = mapping
        .properties
        .iter()
        .filter_map(|property| Some((property.name.clone(), Value::Text(text(&property.cell)?))));
    let numbers = mapping.properties.iter().filter(|property| property.is_number);
    let draft = TextDraft {
        source,
        id,
        event_type: text(&mapping.event_type),
        account: text(&mapping.account),
        time: text(&mapping.time),
        time_words: mapping.time_words.clone(),
        properties: properties.collect(),
        numbers: numbers.map(|property| property.name.clone()).collect(),
    };
    (draft, problem)
}

fn fields(mapping: &Mapping, record: &RawRecord) -> Result<Vec<String>, Rejection> {
    let Some(header) = &record.header else {
        let message = "expected a row below a header, found `none`".to_owned();
        return Err(Rejection::new(Code::CsvSyntax, message));
    };
    if record.is_cut() {
        return Err(too_long(record));
    }
    let text = json::utf8(&record.bytes)?;
    let fields = split(text, mapping.delimiter()).map_err(|bad| {
        let start = (0..bad.column).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let found = excerpt(text.get(start..).unwrap_or(""));
        Rejection::new(
            Code::CsvSyntax,
            format!("expected {}, found at column {} `{found}`", bad.expected, bad.column),
        )
    })?;
    if fields.len() != header.fields() {
        let (expected, found) = (header.fields(), fields.len());
        let message = format!("expected {expected} fields, as in the header, found `{found}`");
        return Err(Rejection::new(Code::CsvSyntax, message));
    }
    Ok(fields.into_iter().map(String::from).collect())
}

/// A record that only the head is there of.
pub(crate) fn too_long(record: &RawRecord) -> Rejection {
    let limit = crate::lines::LINE_BYTES_MAX;
    let message = format!("expected a record of at most {limit} bytes, found `{}`", record.bytes_total);
    Rejection::new(Code::LineTooLong, message)
}

/// Source and id. Where file and line identify an event, its file is the source that the mapping declares, or
/// the feed's; where the source is a column, the file stands in the id.
fn identity(
    mapping: &Mapping,
    feed: &Feed,
    record: &RawRecord,
    text: &impl Fn(&Cell) -> Option<String>,
) -> (Option<String>, Option<String>) {
    let source = match &mapping.source {
        None => Some(feed.source.clone()),
        Some(cell) => text(cell),
    };
    let id = match (&mapping.id, &mapping.source) {
        (Some(cell), _) => text(cell),
        (None, Some(Cell::Column(_))) => Some(format!("{}:{}", feed.source, record.line)),
        (None, None | Some(Cell::Constant(_))) => Some(record.line.to_string()),
    };
    (source, id)
}

impl TextDraft {
    fn into_draft(self, time_format: metering::TimeFormat) -> Result<Draft, Undecodable> {
        let Self { source, id, properties, numbers, .. } = self;
        let refused = |rejection| Undecodable { rejection, source: source.clone(), id: id.clone() };
        let read = properties.into_iter().map(|(name, value)| match value {
            Value::Text(text) if numbers.contains(&name) => number(&name, &text).map(|value| (name, value)),
            other => Ok((name, other)),
        });
        let properties = read
            .collect::<Result<Vec<_>, _>>()
            .and_then(|members| {
                Value::object(members).map_err(|error| Rejection::new(error.code(), error.to_string()))
            })
            .map_err(refused)?;
        Ok(Draft {
            source,
            id,
            event_type: self.event_type,
            account: self.account,
            occurred_at: self.time,
            time_format,
            properties,
        })
    }

    fn to_json(&self, record: &RawRecord) -> Value {
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
        let numbers = self.numbers.iter().cloned().map(Value::Text).collect();
        let raw = match std::str::from_utf8(&record.bytes) {
            Ok(row) => ("row", row.to_owned()),
            Err(_) => ("row_hex", record.bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        };
        let mut properties = self.properties.clone();
        properties.sort();
        let mut members = vec![
            ("source".to_owned(), text(&self.source)),
            ("id".to_owned(), text(&self.id)),
            ("type".to_owned(), text(&self.event_type)),
            ("account".to_owned(), text(&self.account)),
            ("time".to_owned(), text(&self.time)),
            ("time_format".to_owned(), Value::Text(self.time_words.format.clone())),
            ("time_zone".to_owned(), text(&self.time_words.zone)),
            ("properties".to_owned(), Value::Object(properties)),
            ("numbers".to_owned(), Value::List(numbers)),
            (raw.0.to_owned(), Value::Text(raw.1)),
        ];
        members.sort();
        Value::Object(members)
    }

    fn from_json(members: Vec<(String, Value)>) -> Result<Self, Rejection> {
        let find = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let text = |name: &str| match find(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) if text.is_empty() => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(other) => Err(misshapen(name, "a string", other)),
        };
        let properties = match find("properties") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(members)) => members.clone(),
            Some(other) => return Err(misshapen("properties", "an object", other)),
        };
        let numbers = match find("numbers") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::List(names)) => {
                names.iter().filter_map(|name| name.as_text().map(String::from)).collect()
            }
            Some(other) => return Err(misshapen("numbers", "a list of names", other)),
        };
        let format = text("time_format")?.unwrap_or_else(|| "rfc3339".to_owned());
        Ok(Self {
            source: text("source")?,
            id: text("id")?,
            event_type: text("type")?,
            account: text("account")?,
            time: text("time")?,
            time_words: TimeWords { format, zone: text("time_zone")? },
            properties: properties.into_iter().filter(|(_, value)| *value != Value::Null).collect(),
            numbers,
        })
    }
}

fn misshapen(name: &str, expected: &str, found: &Value) -> Rejection {
    let message = format!("expected {expected} for {name}, found `{}`", excerpt(&found.to_canonical_json()));
    Rejection::new(Code::JsonSyntax, message)
}

fn number(name: &str, text: &str) -> Result<Value, Rejection> {
    Value::number(text).map_err(|error| match error.code() {
        Code::JsonSyntax => {
            let message = format!("expected a number in {name}, found `{}`", excerpt(text));
            Rejection::new(Code::QuantityNotANumber, message)
        }
        code => Rejection::new(code, error.to_string()),
    })
}
