//! The mapping file: what the columns of a CSV say.

use std::collections::BTreeSet;
use std::path::Path;

use metering::{TimeFormat, Zone};
use serde_json::Value;

use crate::config::fields::Fields;
use crate::config::problem::{Problem, Problems};
use crate::config::values::check_name;
use crate::config::{read_file, yaml};
use crate::excerpt::excerpt;

const FIELDS: [&str; 8] = ["kind", "source", "id", "type", "account", "time", "properties", "delimiter"];
/// Says that file and line identify an event.
const LINE: &str = "line";

/// What a mapping takes a value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The same for all rows.
    Constant(String),
    /// The field of a column.
    Column(String),
}

/// A property: where it comes from, and whether it is a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) cell: Cell,
    pub(crate) is_number: bool,
}

/// How times are written, in the words of the mapping file, so that they can be kept and read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeWords {
    pub(crate) format: String,
    pub(crate) zone: Option<String>,
}

/// What the columns of a CSV say; made by [`read_mapping`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub(crate) source: Option<Cell>,
    /// Nothing where file and line identify an event.
    pub(crate) id: Option<Cell>,
    pub(crate) event_type: Cell,
    pub(crate) account: Cell,
    pub(crate) time: Cell,
    pub(crate) time_words: TimeWords,
    pub(crate) time_format: TimeFormat,
    pub(crate) properties: Vec<Property>,
    delimiter: u8,
}

impl Mapping {
    /// Whether file and line identify an event, and nothing in the row does.
    pub fn identifies_by_line(&self) -> bool {
        self.id.is_none()
    }

    pub(crate) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Every column that is named, once.
    pub(crate) fn columns(&self) -> BTreeSet<&str> {
        let cells = [
            Some(&self.event_type),
            Some(&self.account),
            Some(&self.time),
            self.source.as_ref(),
            self.id.as_ref(),
        ];
        let properties = self.properties.iter().map(|property| &property.cell);
        let named = cells.into_iter().flatten().chain(properties).filter_map(|cell| match cell {
            Cell::Column(column) => Some(column.as_str()),
            Cell::Constant(_) => None,
        });
        named.collect()
    }
}

impl TimeWords {
    /// The format that the words mean.
    ///
    /// **Errors**: what is wrong, as (field, code, message).
    pub(crate) fn format(&self) -> Result<TimeFormat, (&'static str, &'static str, String)> {
        let zone = self.zone.as_deref().map(Zone::parse).transpose();
        let zone = zone.map_err(|error| ("zone", "unknown_zone", error.to_string()))?;
        let fixed = match self.format.as_str() {
            "rfc3339" => TimeFormat::Rfc3339,
            "unix_seconds" => TimeFormat::UnixSeconds,
            "unix_milliseconds" => TimeFormat::UnixMilliseconds,
            pattern => {
                return TimeFormat::pattern(pattern, zone)
                    .map_err(|error| ("format", "bad_pattern", error.to_string()));
            }
        };
        match &self.zone {
            None => Ok(fixed),
            Some(zone) => {
                let message =
                    format!("expected no zone beside {}, which has an offset, found `{zone}`", self.format);
                Err(("zone", "bad_pattern", message))
            }
        }
    }
}

/// Reads a mapping file.
///
/// **Errors**: every mistake in it.
pub fn read_mapping(path: &Path) -> Result<Mapping, Vec<Problem>> {
    parse_mapping(&path.display().to_string(), &read_file(path)?)
}

/// Reads a mapping from its text; `file` is the name that problems carry.
///
/// **Errors**: every mistake in it.
pub fn parse_mapping(file: &str, text: &str) -> Result<Mapping, Vec<Problem>> {
    let (documents, mut problems) = yaml::read(file, text);
    let [document] = documents.as_slice() else {
        if problems.is_empty() {
            let message =
                format!("expected one document of `kind: csv_mapping`, found `{}`", documents.len());
            let (file, hint) = (file.to_owned(), "write one mapping a file".to_owned());
            problems.push(Problem { file, line: 1, path: String::new(), code: "one_mapping", message, hint });
        }
        return Err(problems);
    };
    let noted = Problems::default();
    let mapping = parse(&document.value, &noted);
    problems.extend(noted.into_vec().into_iter().map(|problem| Problem {
        file: file.to_owned(),
        line: document.line_of(&problem.path),
        path: problem.path,
        code: problem.code,
        message: problem.message,
        hint: problem.hint,
    }));
    match mapping {
        Some(mapping) if problems.is_empty() => Ok(mapping),
        _ => Err(problems),
    }
}

fn parse(value: &Value, problems: &Problems) -> Option<Mapping> {
    let fields = Fields::read(value, "", &FIELDS, problems)?;
    let kind = fields.word("kind", &[("csv_mapping", ())]);
    let source = optional(&fields, "source");
    let id = id(&fields);
    let event_type = fields.need("type", "{constant: call}").and_then(|value| cell(value, "type", problems));
    let account =
        fields.need("account", "{column: account}").and_then(|value| cell(value, "account", problems));
    let time = time(&fields);
    let properties = properties(&fields);
    let delimiter =
        fields.word_or("delimiter", &[(",", b','), (";", b';'), ("|", b'|'), ("\t", b'\t')], b',');
    kind?;
    let (time, time_words, time_format) = time?;
    Some(Mapping {
        source: source?,
        id: id?,
        event_type: event_type?,
        account: account?,
        time,
        time_words,
        time_format,
        properties: properties?,
        delimiter: delimiter?,
    })
}

/// `{constant: TEXT}` or `{column: NAME}`.
fn cell(value: &Value, path: &str, problems: &Problems) -> Option<Cell> {
    cell_of(&Fields::read(value, path, &["constant", "column"], problems)?)
}

fn cell_of(fields: &Fields<'_, '_>) -> Option<Cell> {
    match (fields.has("constant"), fields.has("column")) {
        (true, false) => fields.text_if_any("constant").map(|text| Cell::Constant(text.to_owned())),
        (false, true) => fields.name_if_any("column").map(Cell::Column),
        (both, _) => {
            let found = if both { "both" } else { "neither" };
            let message = format!("expected either a constant or a column, found `{found}`");
            fields.problems().add(
                fields.path(),
                "constant_or_column",
                message,
                "write {constant: TEXT} or {column: NAME}",
            );
            None
        }
    }
}

fn optional(fields: &Fields<'_, '_>, name: &str) -> Option<Option<Cell>> {
    match fields.get(name) {
        None => Some(None),
        Some(value) => cell(value, &fields.path_of(name), fields.problems()).map(Some),
    }
}

/// `line`, or a column: nobody may believe that ids are there, so the field is required.
fn id(fields: &Fields<'_, '_>) -> Option<Option<Cell>> {
    let problems = fields.problems();
    match fields.need("id", "{column: id}")? {
        Value::String(word) if word == LINE => Some(None),
        Value::String(word) => {
            let message = format!("expected `line` or a column, found `{}`", excerpt(word));
            problems.add("id", "unknown_value", message, "write `id: line`, or `id: {column: NAME}`");
            None
        }
        value => match cell(value, "id", problems)? {
            Cell::Constant(text) => {
                let message = format!("expected an id of each row, found the constant `{}`", excerpt(&text));
                problems.add("id", "constant_id", message, "write `id: {column: NAME}`, or `id: line`");
                None
            }
            column => Some(Some(column)),
        },
    }
}

fn time(fields: &Fields<'_, '_>) -> Option<(Cell, TimeWords, TimeFormat)> {
    let problems = fields.problems();
    let value = fields.need("time", "{column: time, format: \"%Y-%m-%d %H:%M:%S%.f\", zone: UTC}")?;
    let inner = Fields::read(value, "time", &["constant", "column", "format", "zone"], problems)?;
    let cell = cell_of(&inner);
    let format = if inner.has("format") { inner.text_if_any("format")? } else { "rfc3339" };
    let zone = if inner.has("zone") { Some(inner.text_if_any("zone")?.to_owned()) } else { None };
    let words = TimeWords { format: format.to_owned(), zone };
    match words.format() {
        Ok(format) => Some((cell?, words, format)),
        Err((field, code, message)) => {
            let hint = "write rfc3339, unix_seconds, unix_milliseconds, or a pattern such as %Y-%m-%d %H:%M:%S%.f with a zone";
            problems.add(&format!("time.{field}"), code, message, hint);
            None
        }
    }
}

fn properties(fields: &Fields<'_, '_>) -> Option<Vec<Property>> {
    let Some(value) = fields.get("properties") else { return Some(Vec::new()) };
    let problems = fields.problems();
    let by_name = Fields::open(value, "properties", problems)?;
    let read: Vec<Option<Property>> =
        by_name.each().map(|(name, path, value)| property(name, value, &path, problems)).collect();
    read.into_iter().collect()
}

fn property(name: &str, value: &Value, path: &str, problems: &Problems) -> Option<Property> {
    let named = check_name(name, path, problems);
    let fields = Fields::read(value, path, &["constant", "column", "as"], problems)?;
    let is_number = fields.word_or("as", &[("text", false), ("number", true)], false);
    let (cell, is_number) = (cell_of(&fields)?, is_number?);
    if let Cell::Constant(text) = &cell
        && is_number
        && metering::Value::number(text).is_err()
    {
        let message = format!("expected a number such as \"12.5\", found `{}`", excerpt(text));
        problems.add(&fields.path_of("constant"), "bad_number", message, "write a JSON number in quotes");
        return None;
    }
    Some(Property { name: named?, cell, is_number })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "kind: csv_mapping\nid: line\ntype: {constant: inference}\naccount: {constant: conv}\n\
        time: {column: TIMESTAMP, format: \"%Y-%m-%d %H:%M:%S%.f\", zone: UTC}\n\
        properties:\n  context: {column: ContextTokens, as: number}\n  model: {column: Model}\n";

    #[test]
    fn a_good_one() {
        let mapping = parse_mapping("m.yaml", GOOD).unwrap();
        assert_eq!(
            mapping.columns().into_iter().collect::<Vec<_>>(),
            ["ContextTokens", "Model", "TIMESTAMP"]
        );
        assert_eq!((mapping.delimiter(), &mapping.id, &mapping.source), (b',', &None, &None));
        assert!(mapping.identifies_by_line());
        let by_column = parse_mapping("m.yaml", &GOOD.replacen("id: line", "id: {column: Id}", 1)).unwrap();
        assert!(!by_column.identifies_by_line());
        assert!(mapping.properties[0].is_number && !mapping.properties[1].is_number);
    }

    #[track_caller]
    fn refused(from: &str, to: &str, expect: &[(u64, &str, &str)]) {
        assert!(GOOD.contains(from));
        let problems = parse_mapping("m.yaml", &GOOD.replacen(from, to, 1)).unwrap_err();
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.path.as_str(), p.code)).collect();
        assert_eq!(found, expect, "{problems:?}");
        assert!(problems.iter().all(|p| !p.hint.is_empty() && p.file == "m.yaml"));
    }

    #[test]
    fn mistakes() {
        refused("kind: csv_mapping", "kind: csv", &[(1, "kind", "unknown_value")]);
        refused("id: line\n", "", &[(1, "", "missing_field")]);
        refused("id: line", "id: lines", &[(2, "id", "unknown_value")]);
        refused("id: line", "id: {constant: x}", &[(2, "id", "constant_id")]);
        refused("{constant: conv}", "{}", &[(4, "account", "constant_or_column")]);
        refused("{constant: conv}", "{constant: a, column: b}", &[(4, "account", "constant_or_column")]);
        refused(
            "{constant: conv}",
            "{constnat: a}",
            &[(4, "account.constnat", "unknown_field"), (4, "account", "constant_or_column")],
        );
        refused(", zone: UTC", "", &[(5, "time.format", "bad_pattern")]);
        refused("zone: UTC", "zone: Utc", &[(5, "time.zone", "unknown_zone")]);
        refused("\"%Y-%m-%d %H:%M:%S%.f\"", "rfc3339", &[(5, "time.zone", "bad_pattern")]);
        refused("\"%Y-%m-%d %H:%M:%S%.f\"", "\"%Y-%m-%d\"", &[(5, "time.format", "bad_pattern")]);
        refused("as: number", "as: decimal", &[(7, "properties.context.as", "unknown_value")]);
        refused(
            "{column: Model}",
            "{constant: NaN, as: number}",
            &[(8, "properties.model.constant", "bad_number")],
        );
        refused("{constant: conv}", "{constant: 7}", &[(4, "account.constant", "number_not_quoted")]);
        refused("properties:", "delimiter: ':'\nproperties:", &[(6, "delimiter", "unknown_value")]);
        refused("kind: csv_mapping", "kind: csv_mapping\n---\nkind: csv_mapping", &[(1, "", "one_mapping")]);
    }
}
