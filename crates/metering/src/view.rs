//! An event as it is read, wherever it stands: on its own or in a batch.

use std::borrow::Cow;

use crate::batch::{Batch, Kind, Row};
use crate::event::Event;
use crate::instant::Instant;
use crate::value::Value;

/// An event as it is read.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The system that emitted it.
    pub source: &'a str,
    /// Its id within the source.
    pub id: &'a str,
    /// What kind of use it is.
    pub event_type: &'a str,
    /// Whose use it is.
    pub account: &'a str,
    /// When it was used.
    pub occurred_at: Instant,
    /// Everything else it says.
    pub properties: Properties<'a>,
}

impl<'a> From<&'a Event> for EventView<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            source: &event.source,
            id: &event.id,
            event_type: &event.event_type,
            account: &event.account,
            occurred_at: event.occurred_at,
            properties: Properties::Whole(&event.properties),
        }
    }
}

impl EventView<'_> {
    /// The same event on its own.
    pub fn to_event(&self) -> Event {
        Event {
            source: self.source.to_owned(),
            id: self.id.to_owned(),
            event_type: self.event_type.to_owned(),
            account: self.account.to_owned(),
            occurred_at: self.occurred_at,
            properties: match self.properties {
                Properties::Whole(value) => value.clone(),
                Properties::Row(batch, row) => batch.properties(row),
            },
        }
    }
}

/// Properties as they are read.
#[derive(Clone, Copy, Debug)]
pub enum Properties<'a> {
    /// A canonical object.
    Whole(&'a Value),
    /// A row of a batch.
    Row(&'a Batch, &'a Row),
}

/// A value that a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as canonical text.
    Number(&'a str),
    /// A string.
    Text(&'a str),
    /// A list or an object.
    Tree(&'a Value),
}

impl<'a> Properties<'a> {
    /// The canonical form; see [`Value::to_canonical_json`].
    pub fn to_canonical_json(&self) -> String {
        match self {
            Self::Whole(value) => value.to_canonical_json(),
            Self::Row(batch, row) => {
                let mut text = String::new();
                batch.write_canonical(row, &mut text);
                text
            }
        }
    }

    /// The value behind a dotted path; see [`Value::get`].
    pub fn get(&self, path: &str) -> Option<Found<'a>> {
        match self {
            Self::Whole(value) => value.get(path).map(Found::of),
            Self::Row(batch, row) => in_row(batch, row, path),
        }
    }
}

/// The longest run of segments that is a key comes first, as in [`crate::path`].
fn in_row<'a>(batch: &'a Batch, row: &'a Row, path: &str) -> Option<Found<'a>> {
    let shape = batch.shape_of(row);
    let value = |at: u32| batch.values_of(row).get(usize::try_from(at).ok()?).copied();
    if let Some((at, kind)) = shape.find(path) {
        return Some(match kind {
            Kind::Null => Found::Null,
            Kind::False => Found::Bool(false),
            Kind::True => Found::Bool(true),
            Kind::Number => Found::Number(batch.text(value(at)?)),
            Kind::Text => Found::Text(batch.text(value(at)?)),
            Kind::Tree => Found::Tree(batch.tree(value(at)?)),
        });
    }
    let heads = path.rmatch_indices('.').filter_map(|(at, _)| path.split_at_checked(at));
    let (found, rest) =
        heads.into_iter().find_map(|(key, rest)| shape.find(key).map(|found| (found, rest)))?;
    match found {
        (at, Kind::Tree) => batch.tree(value(at)?).get(rest.strip_prefix('.')?).map(Found::of),
        _ => None,
    }
}

impl<'a> Found<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bit) => Self::Bool(*bit),
            Value::Number(text) => Self::Number(text),
            Value::Text(text) => Self::Text(text),
            Value::List(_) | Value::Object(_) => Self::Tree(value),
        }
    }

    /// As [`Value::as_text`].
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Number(text) | Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Tree(value) => Some(Cow::Owned(value.to_canonical_json())),
        }
    }

    /// The canonical form.
    pub fn to_canonical_json(self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(bit) => bit.to_string(),
            Self::Number(text) => text.to_owned(),
            Self::Text(text) => Value::Text(text.to_owned()).to_canonical_json(),
            Self::Tree(value) => value.to_canonical_json(),
        }
    }
}
