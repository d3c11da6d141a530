//! The value of a property, and its canonical form.

use std::borrow::Cow;
use std::fmt::{self, Write};

use thiserror::Error;

use crate::code::Code;
use crate::excerpt::excerpt;
use crate::number::{BadNumber, canonical_number};

/// Levels of lists and objects that properties may have, the outermost included: deeper ones are no usage
/// records, and every reader must be able to walk them.
pub const DEPTH_MAX: usize = 32;

/// A JSON value whose numbers are exact.
///
/// Made by [`Value::number`] and [`Value::object`] it is canonical; [`crate::check_form`] makes any other so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as canonical decimal text.
    Number(String),
    /// A string, as it came: no Unicode normalisation.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Members, sorted by the UTF-8 bytes of their keys, each key once.
    Object(Vec<(String, Value)>),
}

/// Why something is no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Not a number as JSON writes one.
    #[error("expected a JSON number, found `{text}`")]
    NotANumber {
        /// The text, cut after 64 characters.
        text: String,
    },
    /// An exponent that no quantity has.
    #[error("expected a number with an exponent of at most 15 digits, found `{text}`")]
    ExponentTooLong {
        /// The text, cut after 64 characters.
        text: String,
    },
    /// The same key twice in one object: readers disagree about which counts.
    #[error("expected each key once in an object, found twice `{key}`")]
    DuplicateKey {
        /// The key, cut after 64 characters.
        key: String,
    },
    /// Lists and objects in each other, too often.
    #[error("expected at most {DEPTH_MAX} levels of lists and objects, found more")]
    TooDeep,
}

impl ValueError {
    /// The code under which a record with such a value is rejected.
    pub fn code(&self) -> Code {
        match self {
            Self::NotANumber { .. } => Code::JsonSyntax,
            Self::ExponentTooLong { .. } => Code::QuantityOutOfRange,
            Self::DuplicateKey { .. } => Code::DuplicateKey,
            Self::TooDeep => Code::TooDeep,
        }
    }
}

impl Value {
    /// A number from its JSON text, in canonical form.
    ///
    /// With the first digit that is not zero at 10^a: plain where −40 ≤ a ≤ 40, without zeros that say nothing
    /// (`1.50` is `1.5`, `1e2` is `100`, `-0` is `0`); else scientific (`1e400`).
    ///
    /// **Errors**: [`ValueError::NotANumber`], [`ValueError::ExponentTooLong`].
    pub fn number(text: &str) -> Result<Self, ValueError> {
        canonical_number(text).map(Self::Number).map_err(|bad| match bad {
            BadNumber::Syntax => ValueError::NotANumber { text: excerpt(text) },
            BadNumber::Exponent => ValueError::ExponentTooLong { text: excerpt(text) },
        })
    }

    /// An object of members in any order.
    ///
    /// **Errors**: [`ValueError::DuplicateKey`].
    pub fn object(mut members: Vec<(String, Self)>) -> Result<Self, ValueError> {
        members.sort_by(|(left, _), (right, _)| left.as_bytes().cmp(right.as_bytes()));
        let mut neighbours = members.iter().zip(members.iter().skip(1));
        match neighbours.find(|((key, _), (next, _))| key == next) {
            Some(((key, _), _)) => Err(ValueError::DuplicateKey { key: excerpt(key) }),
            None => Ok(Self::Object(members)),
        }
    }

    /// The canonical form, version 1: JSON without spaces, the same text for equal values.
    ///
    /// * Objects: members sorted by the UTF-8 bytes of their keys, each key once.
    /// * Numbers: as [`Value::number`] makes them.
    /// * Strings: the characters as they are; `"` and `\` behind a `\`; U+0008, U+0009, U+000A, U+000C and
    ///   U+000D as `\b`, `\t`, `\n`, `\f`, `\r`; other characters below U+0020 as `\u00` and two lower-case
    ///   hexadecimal digits; nothing else escaped.
    /// * At most [`DEPTH_MAX`] levels of lists and objects.
    ///
    /// **Source**: close to RFC 8785, which sorts keys by UTF-16 units and writes numbers as binary floats.
    ///
    /// **Examples**
    /// ```
    /// use metering::Value;
    /// let members = vec![("b".to_owned(), Value::number("1.0")?), ("a".to_owned(), Value::Null)];
    /// assert_eq!(Value::object(members)?.to_canonical_json(), r#"{"a":null,"b":1}"#);
    /// # Ok::<(), metering::ValueError>(())
    /// ```
    pub fn to_canonical_json(&self) -> String {
        let mut text = String::new();
        match self.write_json(&mut text) {
            Ok(()) => text,
            Err(_) => unreachable!("a string takes every character"),
        }
    }

    /// Bytes of the canonical form.
    pub fn canonical_bytes(&self) -> usize {
        let mut counter = Counter(0);
        match self.write_json(&mut counter) {
            Ok(()) => counter.0,
            Err(_) => unreachable!("a counter takes every character"),
        }
    }

    /// The value behind a dotted path, such as `tokens.input`.
    ///
    /// At each object the longest run of segments that is a key is taken, so that a key with a dot in it
    /// (`ce.region`) is found by its name. Lists have no path.
    pub fn get(&self, path: &str) -> Option<&Self> {
        crate::path::find(self, path)
    }

    /// The text that filters compare and dimensions hold: a string itself, a number in canonical form, `true`
    /// or `false`, a list or object in canonical form; nothing for null.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Number(text) | Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::List(_) | Self::Object(_) => Some(Cow::Owned(self.to_canonical_json())),
        }
    }

    /// The same value with sorted objects and canonical numbers, if it is one.
    ///
    /// **Errors**: [`ValueError`].
    pub fn into_canonical(self) -> Result<Self, ValueError> {
        self.canonical_within(DEPTH_MAX)
    }

    fn canonical_within(self, levels: usize) -> Result<Self, ValueError> {
        let inner = || levels.checked_sub(1).ok_or(ValueError::TooDeep);
        match self {
            Self::Null | Self::Bool(_) | Self::Text(_) => Ok(self),
            Self::Number(text) => Self::number(&text),
            Self::List(items) => {
                let levels = inner()?;
                let items: Result<_, _> =
                    items.into_iter().map(|item| item.canonical_within(levels)).collect();
                items.map(Self::List)
            }
            Self::Object(members) => {
                let levels = inner()?;
                let members: Result<_, _> = members
                    .into_iter()
                    .map(|(key, value)| value.canonical_within(levels).map(|value| (key, value)))
                    .collect();
                Self::object(members?)
            }
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(true) => out.write_str("true"),
            Self::Bool(false) => out.write_str("false"),
            Self::Number(text) => out.write_str(text),
            Self::Text(text) => write_string(out, text),
            Self::List(items) => {
                out.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    out.write_str(if index == 0 { "" } else { "," })?;
                    item.write_json(out)?;
                }
                out.write_char(']')
            }
            Self::Object(members) => {
                out.write_char('{')?;
                for (index, (key, value)) in members.iter().enumerate() {
                    out.write_str(if index == 0 { "" } else { "," })?;
                    write_string(out, key)?;
                    out.write_char(':')?;
                    value.write_json(out)?;
                }
                out.write_char('}')
            }
        }
    }
}

/// Appends a string as the canonical form writes it.
pub(crate) fn write_text(out: &mut String, text: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        let written = write_string(out, text);
        assert!(written.is_ok(), "a string takes every character");
    }
}

fn write_string(out: &mut dyn Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let needs_escape = |c: char| c < ' ' || c == '"' || c == '\\';
    let mut rest = text;
    while let Some((at, found)) = rest.char_indices().find(|(_, c)| needs_escape(*c)) {
        let (plain, tail) = rest.split_at(at);
        out.write_str(plain)?;
        match found {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\u{8}' => out.write_str("\\b")?,
            '\t' => out.write_str("\\t")?,
            '\n' => out.write_str("\\n")?,
            '\u{c}' => out.write_str("\\f")?,
            '\r' => out.write_str("\\r")?,
            control => write!(out, "\\u{:04x}", u32::from(control))?,
        }
        rest = tail.strip_prefix(found).unwrap_or(tail);
    }
    out.write_str(rest)?;
    out.write_char('"')
}

struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}
