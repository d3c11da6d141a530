//! Which columns a file of events has, and what each becomes.

use super::footer::{Element, Logical};
use crate::excerpt::excerpt;

/// Columns of a file: more are no events, and each takes memory.
const COLUMNS_MAX: usize = 1024;

/// Names that are no properties in CloudEvents either; a column of such a name would be read in two ways.
const RESERVED: [&str; 4] = ["specversion", "datacontenttype", "data", "data_base64"];

const REQUIRED: i64 = 0;
const OPTIONAL: i64 = 1;

pub(super) const BOOLEAN: i64 = 0;
pub(super) const INT32: i64 = 1;
pub(super) const INT64: i64 = 2;
pub(super) const BYTE_ARRAY: i64 = 6;
const PHYSICAL: [&str; 8] =
    ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"];

/// What becomes of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Id,
    Source,
    Type,
    Account,
    Time,
    Property,
}

/// The columns that a file must have.
const FIELDS: [(&str, Role); 5] = [
    ("id", Role::Id),
    ("source", Role::Source),
    ("type", Role::Type),
    ("subject", Role::Account),
    ("time", Role::Time),
];

/// How the values of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bool,
    /// Whole numbers, in 32 bits or in 64.
    Number {
        is_short: bool,
        is_signed: bool,
    },
    /// Numbers of units of so many nanoseconds since 1970 began.
    Time {
        unit_ns: i64,
    },
}

/// A column.
#[derive(Debug)]
pub(crate) struct Column {
    pub name: String,
    pub role: Role,
    pub kind: Kind,
    pub physical: i64,
    pub is_optional: bool,
}

/// The columns of a file.
#[derive(Debug)]
pub(crate) struct Layout {
    pub columns: Vec<Column>,
    /// The places of the properties, sorted by the bytes of their names.
    pub properties: Vec<usize>,
}

impl Layout {
    pub fn new(schema: Vec<Element>) -> Result<Self, String> {
        let mut elements = schema.into_iter();
        let root = elements.next().ok_or("expected a schema, found none")?;
        if elements.len() > COLUMNS_MAX {
            return Err(format!("expected at most {COLUMNS_MAX} columns, found `{}`", elements.len()));
        }
        let columns: Vec<Column> = elements.map(Column::new).collect::<Result<_, _>>()?;
        if root.children != columns.len() as i64 {
            let (count, told) = (columns.len(), root.children);
            return Err(format!("expected a schema of {count} columns as there are, found `{told}`"));
        }
        for (name, _) in FIELDS {
            if !columns.iter().any(|column| column.name == name) {
                let found: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                return Err(format!(
                    "expected the columns id, source, type, subject and time, found none of the name `{name}` among `{}`",
                    excerpt_long(&found.join(", "))
                ));
            }
        }
        let mut by_name: Vec<usize> = (0..columns.len()).collect();
        by_name.sort_by(|left, right| columns[*left].name.as_bytes().cmp(columns[*right].name.as_bytes()));
        if let Some(pair) = by_name.windows(2).find(|pair| columns[pair[0]].name == columns[pair[1]].name) {
            let name = excerpt(&columns[pair[0]].name);
            return Err(format!("expected each column once, found twice `{name}`"));
        }
        by_name.retain(|place| columns[*place].role == Role::Property);
        Ok(Self { columns, properties: by_name })
    }

    /// The place of a field.
    pub fn place(&self, role: Role) -> usize {
        match self.columns.iter().position(|column| column.role == role) {
            Some(place) => place,
            None => unreachable!("a layout has every field, or the file was refused"),
        }
    }
}

/// Names of columns, cut where there are many.
fn excerpt_long(text: &str) -> String {
    const CHARS_MAX: usize = 512;
    let head: String = text.chars().take(CHARS_MAX).collect();
    let cut = if head.len() < text.len() { "…" } else { "" };
    head.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect::<String>()
        + cut
}

impl Column {
    fn new(element: Element) -> Result<Self, String> {
        let name = excerpt(&element.name);
        if element.children != 0 {
            return Err(format!("expected columns without columns in them, found a group `{name}`"));
        }
        let is_optional = match element.repetition {
            Some(REQUIRED) => false,
            Some(OPTIONAL) => true,
            _ => return Err(format!("expected columns with one value a row, found repeated `{name}`")),
        };
        if RESERVED.contains(&element.name.as_str()) {
            return Err(format!(
                "expected a column for each property, and none of a name that CloudEvents keep for themselves, found `{name}`"
            ));
        }
        let role =
            FIELDS.iter().find(|(field, _)| *field == element.name).map_or(Role::Property, |(_, role)| *role);
        let kind = kind(&element);
        let expected = match (role, kind) {
            (Role::Time, Some(Kind::Text | Kind::Time { .. }))
            | (Role::Property, Some(Kind::Text | Kind::Bool | Kind::Number { .. }))
            | (Role::Id | Role::Source | Role::Type | Role::Account, Some(Kind::Text)) => None,
            (Role::Time, _) => Some("a timestamp or a string"),
            (Role::Property, _) => Some("a string, an integer or a boolean (no float, no decimal, no time)"),
            _ => Some("a string"),
        };
        match (expected, kind, element.physical) {
            (None, Some(kind), Some(physical)) => {
                Ok(Self { name: element.name, role, kind, physical, is_optional })
            }
            _ => Err(format!(
                "expected {} in the column {name}, found `{}`",
                expected.unwrap_or("a value"),
                describe(&element)
            )),
        }
    }
}

/// How the values of a column are written, where that is understood.
fn kind(element: &Element) -> Option<Kind> {
    match (element.physical?, element.logical, element.converted) {
        (BOOLEAN, None, None) => Some(Kind::Bool),
        (BYTE_ARRAY, None | Some(Logical::Other(STRING | ENUM)), None | Some(UTF8 | CONVERTED_ENUM)) => {
            Some(Kind::Text)
        }
        (INT64, Some(Logical::Timestamp { unit_ns }), _) => Some(Kind::Time { unit_ns }),
        (INT64, None, Some(TIMESTAMP_MILLIS)) => Some(Kind::Time { unit_ns: 1_000_000 }),
        (INT64, None, Some(TIMESTAMP_MICROS)) => Some(Kind::Time { unit_ns: 1_000 }),
        (physical @ (INT32 | INT64), Some(Logical::Integer { is_signed }), _) => {
            Some(Kind::Number { is_short: physical == INT32, is_signed })
        }
        (physical @ (INT32 | INT64), None, None) => {
            Some(Kind::Number { is_short: physical == INT32, is_signed: true })
        }
        (physical @ (INT32 | INT64), None, Some(converted @ UINT_8..=INT_64)) => {
            Some(Kind::Number { is_short: physical == INT32, is_signed: converted >= INT_8 })
        }
        _ => None,
    }
}

const STRING: i64 = 1;
const ENUM: i64 = 4;
const LOGICAL: [&str; 19] = [
    "",
    "STRING",
    "MAP",
    "LIST",
    "ENUM",
    "DECIMAL",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "INTERVAL",
    "INTEGER",
    "NULL",
    "JSON",
    "BSON",
    "UUID",
    "FLOAT16",
    "VARIANT",
    "GEOMETRY",
    "GEOGRAPHY",
];

const UTF8: i64 = 0;
const CONVERTED_ENUM: i64 = 4;
const TIMESTAMP_MILLIS: i64 = 9;
const TIMESTAMP_MICROS: i64 = 10;
const UINT_8: i64 = 11;
const INT_8: i64 = 15;
const INT_64: i64 = 18;
const CONVERTED: [&str; 22] = [
    "UTF8",
    "MAP",
    "MAP_KEY_VALUE",
    "LIST",
    "ENUM",
    "DECIMAL",
    "DATE",
    "TIME_MILLIS",
    "TIME_MICROS",
    "TIMESTAMP_MILLIS",
    "TIMESTAMP_MICROS",
    "UINT_8",
    "UINT_16",
    "UINT_32",
    "UINT_64",
    "INT_8",
    "INT_16",
    "INT_32",
    "INT_64",
    "JSON",
    "BSON",
    "INTERVAL",
];

/// The type of a column in the words of the format.
fn describe(element: &Element) -> String {
    let named = |names: &[&'static str], number: i64| {
        let found = usize::try_from(number).ok().and_then(|number| names.get(number)).copied();
        found.unwrap_or("an unknown type")
    };
    let physical = element.physical.map_or("no type", |number| named(&PHYSICAL, number));
    let meaning = match (element.logical, element.converted) {
        (Some(Logical::Timestamp { .. }), _) => Some("TIMESTAMP"),
        (Some(Logical::Integer { .. }), _) => Some("INTEGER"),
        (Some(Logical::Other(number)), _) => Some(named(&LOGICAL, number)),
        (None, Some(number)) => Some(named(&CONVERTED, number)),
        (None, None) => None,
    };
    meaning.map_or_else(|| physical.to_owned(), |meaning| format!("{meaning} ({physical})"))
}
