//! What lines of one shape have in common.

use metering::{Kind, NAME_BYTES_MAX, Span, Value};

use super::words::{Literal, digits_end, is_plain, low_bytes, plain, plain_end, wide, word};
use super::{Found, Name};

/// Values that a template leaves open.
pub(super) const SLOTS_MAX: usize = 32;
/// Bytes of a line that a template takes. A line of so many bytes has properties of less than
/// [`metering::PROPERTIES_BYTES_MAX`]: beside what is written, the canonical form has `ce.` at most once every five
/// bytes and, of each of the [`SLOTS_MAX`] values, at most 42 bytes (of `1e-40`).
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a number that a template takes.
const NUMBER_BYTES_MAX: usize = 64;
/// Digits up to which an integer is certainly its own canonical form.
const PLAIN_DIGITS_MAX: usize = 40;

/// An open value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// An attribute of 1 to [`NAME_BYTES_MAX`] bytes, in quotes.
    Name(Field),
    /// The time, in quotes.
    Time,
    /// A property.
    Property(Scalar),
}

/// The attributes that are names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Source,
    Type,
    Account,
}

/// What an open property is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A number.
    Number,
    /// A string; the quotes belong to the bytes around it.
    Text,
}

/// A value of the properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// The number of its slot.
    Slot(Scalar, usize),
    /// Sorted by the bytes of the keys.
    Object(Vec<(String, Node)>),
}

impl Node {
    fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(false) => Kind::False,
            Self::Bool(true) => Kind::True,
            Self::Slot(Scalar::Number, _) => Kind::Number,
            Self::Slot(Scalar::Text, _) => Kind::Text,
            Self::Object(_) => Kind::Tree,
        }
    }

    /// Whether a value has these keys and kinds of values.
    pub(super) fn describes(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null)
            | (Self::Slot(Scalar::Number, _), Value::Number(_))
            | (Self::Slot(Scalar::Text, _), Value::Text(_)) => true,
            (Self::Bool(bit), Value::Bool(other)) => bit == other,
            (Self::Object(members), Value::Object(others)) => {
                members.len() == others.len()
                    && members
                        .iter()
                        .zip(others)
                        .all(|((key, node), (other, value))| key == other && node.describes(value))
            }
            _ => false,
        }
    }
}

/// What lines of one shape have in common, and where their values are.
#[derive(Debug)]
pub(super) struct Template {
    /// Bytes and the slot behind them, in the order of the line.
    pub pieces: Vec<(Literal, Slot)>,
    /// The bytes behind the last slot.
    pub tail: Literal,
    /// The properties, sorted by the bytes of their keys.
    pub properties: Vec<(String, Node)>,
    /// Of the properties, those that rows carry a value for.
    pub values: Vec<Node>,
    /// The number of the shape in the batch.
    pub shape: u32,
    /// The length of the id of the last line: often that of the next.
    pub id_length: usize,
    /// How many lines it took.
    pub lines: u32,
}

impl Template {
    /// The members of its shape.
    pub(super) fn members(&self) -> Vec<(&str, Kind)> {
        self.properties.iter().map(|(key, node)| (key.as_str(), node.kind())).collect()
    }

    /// Whether both take the same lines.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.pieces == other.pieces && self.tail == other.tail
    }

    /// Reads the line that begins at a place, if it is one of these; answers the place behind its last byte, where
    /// the line may not have ended yet.
    #[inline(always)]
    pub(super) fn take(&self, bytes: &[u8], from: usize, found: &mut Found) -> Option<usize> {
        found.numbers.clear();
        let limit = from + LINE_BYTES_MAX;
        let mut at = from;
        for (slot, ((literal, kind), span)) in self.pieces.iter().zip(&mut found.spans).enumerate() {
            at = literal.skip(bytes, at)?;
            let end = match kind {
                Slot::Property(Scalar::Text) => plain_end(bytes, at, limit),
                Slot::Name(field) => {
                    let (end, short) = if *field == Field::Id && self.has_usual_id(bytes, at) {
                        (at + self.id_length, 0)
                    } else {
                        let first = wide(bytes, at);
                        match plain(first) {
                            16 => (plain_end(bytes, at + 16, limit), 0),
                            length => (at + length, first & low_bytes(length)),
                        }
                    };
                    if end == at || end - at > NAME_BYTES_MAX {
                        return None;
                    }
                    found.names[*field as usize] = Name { span: span_of(at, end), short };
                    end
                }
                Slot::Time => {
                    let (time, length) = found.clock.read(bytes, at)?;
                    found.occurred_at = time;
                    at + length
                }
                Slot::Property(Scalar::Number) => match plain_number(bytes, at) {
                    Some(end) => end,
                    None => {
                        let (end, canonical) = number(bytes, at)?;
                        found.numbers.push((slot, canonical));
                        end
                    }
                },
            };
            *span = span_of(at, end);
            at = end;
        }
        let end = self.tail.skip(bytes, at)?;
        (end <= limit).then_some(end)
    }
}

/// The end of a number, if it is certainly written canonically: no exponent, few digits, no zeros that say nothing.
#[inline(always)]
fn plain_number(bytes: &[u8], at: usize) -> Option<usize> {
    let is_negative = word(bytes, at) as u8 == b'-';
    let from = at + usize::from(is_negative);
    let whole = digits_end(bytes, from, from + NUMBER_BYTES_MAX);
    let has_whole = match (word(bytes, from) as u8, whole - from) {
        (b'0', 1) => true,
        (b'1'..=b'9', length) => length <= PLAIN_DIGITS_MAX,
        _ => false,
    };
    let mut end = whole;
    let mut says_something = word(bytes, from) as u8 != b'0' || !is_negative;
    if word(bytes, whole) as u8 == b'.' {
        end = digits_end(bytes, whole + 1, whole + 1 + NUMBER_BYTES_MAX);
        says_something = end > whole + 1 && word(bytes, end - 1) as u8 != b'0';
    }
    let is_canonical = has_whole && says_something && end - from <= PLAIN_DIGITS_MAX + 1;
    (is_canonical && !is_of_number(word(bytes, end) as u8)).then_some(end)
}

impl Template {
    /// Whether a string ends where that of the last id did.
    #[inline(always)]
    fn has_usual_id(&self, bytes: &[u8], at: usize) -> bool {
        let end = at + self.id_length;
        word(bytes, end) as u8 == b'"' && bytes.get(at..end).is_some_and(is_plain)
    }
}

#[inline(always)]
fn span_of(at: usize, end: usize) -> Span {
    Span { at: at as u32, length: (end - at) as u32 }
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}

/// A number that may not be written canonically: its end and its canonical text.
#[cold]
fn number(bytes: &[u8], at: usize) -> Option<(usize, String)> {
    let rest = bytes.get(at..)?;
    let length = rest.iter().take(NUMBER_BYTES_MAX + 1).take_while(|byte| is_of_number(**byte)).count();
    if length > NUMBER_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(&rest[..length]).ok()?;
    match Value::number(text) {
        Ok(Value::Number(canonical)) => Some((at + length, canonical)),
        _ => None,
    }
}
