//! Many events at once, column by column, without an allocation an event.
//!
//! A batch keeps its texts in one arena. Sources, types and accounts are numbered once each; the properties of an
//! event are a *shape* (sorted keys, each with the kind of its value) and the values that the shape leaves open.
//! What a batch holds has passed the checks of [`crate::check_form`]: whoever fills it vouches for that, and
//! [`Batch::push_event`] is the way that cannot be wrong.
#![expect(
    clippy::indexing_slicing,
    reason = "spans and numbers are made here and lie inside; a wrong one stops the program instead of a wrong count"
)]

use std::fmt::Write;

use crate::event::Event;
use crate::instant::Instant;
use crate::lanes::Message;
use crate::value::{Value, write_text};
use crate::view::{EventView, Properties};

/// A piece of a batch's arena, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub at: u32,
    /// How long it is.
    pub length: u32,
}

/// What a member of a shape holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `null`.
    Null,
    /// `false`.
    False,
    /// `true`.
    True,
    /// A number: its canonical text is the row's value.
    Number,
    /// A string: its characters are the row's value.
    Text,
    /// A list or an object: the row's value is the number of a tree.
    Tree,
}

impl Kind {
    /// Whether rows carry a value for it.
    pub fn has_value(self) -> bool {
        matches!(self, Self::Number | Self::Text | Self::Tree)
    }
}

/// The keys of some properties and the kinds of their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sorted by the bytes of the keys, each key once.
    members: Vec<(String, Kind)>,
    /// For each member, the canonical text up to its value; of `null` and booleans, with it.
    heads: Vec<String>,
    /// How many members carry a value in the rows.
    width: u32,
}

impl Shape {
    fn new(members: Vec<(String, Kind)>) -> Self {
        let mut heads = Vec::with_capacity(members.len());
        let mut width = 0;
        for (place, (key, kind)) in members.iter().enumerate() {
            let mut head = String::from(if place == 0 { "{" } else { "," });
            write_text(&mut head, key);
            head.push(':');
            head.push_str(match kind {
                Kind::Null => "null",
                Kind::False => "false",
                Kind::True => "true",
                Kind::Number | Kind::Text | Kind::Tree => "",
            });
            width += u32::from(kind.has_value());
            heads.push(head);
        }
        Self { members, heads, width }
    }

    /// The keys, sorted, with the kinds of their values.
    pub fn members(&self) -> &[(String, Kind)] {
        &self.members
    }

    /// How many values a row of this shape carries.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The place of a key's value among the values of a row, and its kind; the place means nothing for a kind
    /// without a value.
    pub fn find(&self, key: &str) -> Option<(u32, Kind)> {
        let at = self.members.binary_search_by(|(held, _)| held.as_bytes().cmp(key.as_bytes())).ok()?;
        let before = self.members[..at].iter().filter(|(_, kind)| kind.has_value()).count();
        Some((number(before), self.members[at].1))
    }
}

/// One event of a batch. Numbers are those of the batch's strings and shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The system that emitted it.
    pub source: u32,
    /// What kind of use it is.
    pub event_type: u32,
    /// Whose use it is.
    pub account: u32,
    /// The shape of its properties.
    pub shape: u32,
    /// Its id within the source.
    pub id: Span,
    /// When it was used.
    pub occurred_at: Instant,
    /// The first of its values; the shape says how many there are.
    pub values: u32,
}

/// Events, column by column; see the module.
#[derive(Clone, Debug)]
pub struct Batch {
    arena: String,
    strings: Vec<Span>,
    /// Open addressing over `strings`: number + 1, or 0.
    places: Vec<u32>,
    seed: u64,
    shapes: Vec<Shape>,
    rows: Vec<Row>,
    values: Vec<Span>,
    trees: Vec<Value>,
}

impl Batch {
    /// An empty batch. The seed keeps hostile texts from meeting in one place of the table; it decides no result.
    pub fn new(seed: u64) -> Self {
        Self::over(String::new(), seed)
    }

    /// An empty batch whose arena begins with a text, so that rows can point into it.
    ///
    /// # Panics
    /// The text is 2 GiB or longer.
    pub fn over(text: String, seed: u64) -> Self {
        assert!(text.len() < 1 << 31, "the text of a batch is shorter than 2 GiB");
        Self {
            arena: text,
            strings: Vec::new(),
            places: vec![0; 64],
            seed,
            shapes: Vec::new(),
            rows: Vec::new(),
            values: Vec::new(),
            trees: Vec::new(),
        }
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, in the order they came.
    #[inline]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How many strings are numbered.
    pub fn string_count(&self) -> usize {
        self.strings.len()
    }

    /// A numbered string.
    #[inline]
    pub fn string(&self, number: u32) -> &str {
        self.text(self.strings[place(number)])
    }

    /// The shapes, by number.
    #[inline]
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The shape of a row.
    #[inline]
    pub fn shape_of(&self, row: &Row) -> &Shape {
        &self.shapes[place(row.shape)]
    }

    /// The values of a row: spans of the arena; of a tree its number in `at`.
    #[inline]
    pub fn values_of(&self, row: &Row) -> &[Span] {
        let from = place(row.values);
        &self.values[from..from + place(self.shape_of(row).width)]
    }

    /// A list or object.
    pub fn tree(&self, value: Span) -> &Value {
        &self.trees[place(value.at)]
    }

    /// The whole arena.
    pub fn arena(&self) -> &str {
        &self.arena
    }

    /// A piece of the arena.
    #[inline]
    pub fn text(&self, span: Span) -> &str {
        let from = place(span.at);
        &self.arena[from..from + place(span.length)]
    }

    /// The bytes of a piece of the arena.
    #[inline]
    pub fn bytes(&self, span: Span) -> &[u8] {
        let from = place(span.at);
        &self.arena.as_bytes()[from..from + place(span.length)]
    }

    /// The bytes of a numbered string.
    #[inline]
    pub fn string_bytes(&self, number: u32) -> &[u8] {
        self.bytes(self.strings[place(number)])
    }

    /// Where a numbered string stands.
    #[inline]
    pub(crate) fn string_span(&self, number: u32) -> Span {
        self.strings[place(number)]
    }

    /// Appends a piece of the arena to a message, as a part.
    #[inline(always)]
    pub(crate) fn put_part(&self, message: &mut Message<'_>, span: Span) {
        message.put_part(self.arena.as_bytes(), place(span.at), place(span.length));
    }

    /// Appends a text to the arena.
    #[inline]
    pub fn push_text(&mut self, text: &str) -> Span {
        let span = Span { at: number(self.arena.len()), length: number(text.len()) };
        self.arena.push_str(text);
        span
    }

    /// Appends a list or object; what it answers is the value of a member of kind [`Kind::Tree`].
    pub fn push_tree(&mut self, value: Value) -> Span {
        let span = Span { at: number(self.trees.len()), length: 0 };
        self.trees.push(value);
        span
    }

    /// The number of a piece of the arena.
    pub fn intern(&mut self, span: Span) -> u32 {
        let hash = seeded(self.seed, self.text(span).as_bytes());
        match self.look_up(hash, self.text(span)) {
            Ok(known) => known,
            Err(free) => self.add(free, span),
        }
    }

    /// The number of a text; it is appended to the arena where it is new.
    pub fn intern_text(&mut self, text: &str) -> u32 {
        match self.look_up(seeded(self.seed, text.as_bytes()), text) {
            Ok(known) => known,
            Err(free) => {
                let span = self.push_text(text);
                self.add(free, span)
            }
        }
    }

    /// The number of a text, where it has one.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.look_up(seeded(self.seed, text.as_bytes()), text).ok()
    }

    fn look_up(&self, hash: u64, text: &str) -> Result<u32, usize> {
        let mask = self.places.len() - 1;
        let mut at = low(hash) & mask;
        loop {
            match self.places[at] {
                0 => return Err(at),
                found => {
                    if self.string_bytes(found - 1) == text.as_bytes() {
                        return Ok(found - 1);
                    }
                }
            }
            at = (at + 1) & mask;
        }
    }

    fn add(&mut self, free: usize, span: Span) -> u32 {
        let new = number(self.strings.len());
        self.strings.push(span);
        self.places[free] = new + 1;
        if self.strings.len() * 2 > self.places.len() {
            self.grow();
        }
        new
    }

    fn grow(&mut self) {
        let mut places = vec![0; self.places.len() * 2];
        let mask = places.len() - 1;
        for string in 0..number(self.strings.len()) {
            let mut at = low(seeded(self.seed, self.string(string).as_bytes())) & mask;
            while places[at] != 0 {
                at = (at + 1) & mask;
            }
            places[at] = string + 1;
        }
        self.places = places;
    }

    /// The number of a shape: members sorted by the bytes of their keys, each key once.
    pub fn shape(&mut self, members: &[(&str, Kind)]) -> u32 {
        let is_same = |shape: &Shape| {
            let held = shape.members.iter().map(|(key, kind)| (key.as_str(), *kind));
            shape.members.len() == members.len() && held.eq(members.iter().copied())
        };
        // The latest shapes first: hostile input has as many as records, and then none of them comes again.
        let recent = self.shapes.len().saturating_sub(SHAPES_COMPARED);
        match self.shapes[recent..].iter().rposition(is_same) {
            Some(at) => number(recent + at),
            None => {
                self.shapes
                    .push(Shape::new(members.iter().map(|(key, kind)| ((*key).to_owned(), *kind)).collect()));
                number(self.shapes.len() - 1)
            }
        }
    }

    /// Appends a value of the row that [`Batch::push_row`] will complete.
    #[inline]
    pub fn push_value(&mut self, value: Span) {
        self.values.push(value);
    }

    /// How many values there are: the first value of the next row has this number.
    pub fn value_count(&self) -> u32 {
        number(self.values.len())
    }

    /// Completes a row whose values were pushed.
    ///
    /// # Panics
    /// The values are not as many as its shape has open.
    #[inline]
    pub fn push_row(&mut self, row: Row) {
        let expected = place(row.values) + place(self.shape_of(&row).width);
        assert!(expected == self.values.len(), "a row carries a value for each open member of its shape");
        self.rows.push(row);
    }

    /// Appends an event whose form was checked.
    pub fn push_event(&mut self, event: &Event) {
        let source = self.intern_text(&event.source);
        let event_type = self.intern_text(&event.event_type);
        let account = self.intern_text(&event.account);
        let id = self.push_text(&event.id);
        let values = self.value_count();
        let shape = self.push_properties(&event.properties);
        self.push_row(Row { source, event_type, account, shape, id, occurred_at: event.occurred_at, values });
    }

    /// Appends the values of a canonical object; answers its shape.
    pub fn push_properties(&mut self, properties: &Value) -> u32 {
        let Value::Object(members) = properties else { return self.shape(&[]) };
        let mut kinds = Vec::with_capacity(members.len());
        for (key, value) in members {
            let (kind, span) = match value {
                Value::Null => (Kind::Null, None),
                Value::Bool(false) => (Kind::False, None),
                Value::Bool(true) => (Kind::True, None),
                Value::Number(text) => (Kind::Number, Some(self.push_text(text))),
                Value::Text(text) => (Kind::Text, Some(self.push_text(text))),
                Value::List(_) | Value::Object(_) => (Kind::Tree, Some(self.push_tree(value.clone()))),
            };
            self.values.extend(span);
            kinds.push((key.as_str(), kind));
        }
        self.shape(&kinds)
    }

    /// A row as an event is read.
    #[inline]
    pub fn view<'a>(&'a self, row: &'a Row) -> EventView<'a> {
        EventView {
            source: self.string(row.source),
            id: self.text(row.id),
            event_type: self.string(row.event_type),
            account: self.string(row.account),
            occurred_at: row.occurred_at,
            properties: Properties::Row(self, row),
        }
    }

    /// A row as an event of its own.
    pub fn event(&self, row: &Row) -> Event {
        Event {
            source: self.string(row.source).to_owned(),
            id: self.text(row.id).to_owned(),
            event_type: self.string(row.event_type).to_owned(),
            account: self.string(row.account).to_owned(),
            occurred_at: row.occurred_at,
            properties: self.properties(row),
        }
    }

    /// The properties of a row as a value.
    pub fn properties(&self, row: &Row) -> Value {
        let shape = self.shape_of(row);
        let mut values = self.values_of(row).iter();
        let mut next = || match values.next() {
            Some(value) => *value,
            None => unreachable!("a row carries a value for each open member of its shape"),
        };
        let value = |(key, kind): &(String, Kind)| {
            let value = match kind {
                Kind::Null => Value::Null,
                Kind::False => Value::Bool(false),
                Kind::True => Value::Bool(true),
                Kind::Number => Value::Number(self.text(next()).to_owned()),
                Kind::Text => Value::Text(self.text(next()).to_owned()),
                Kind::Tree => self.tree(next()).clone(),
            };
            (key.clone(), value)
        };
        Value::Object(shape.members.iter().map(value).collect())
    }

    /// Writes the canonical form of a row's properties; see [`Value::to_canonical_json`].
    pub fn write_canonical(&self, row: &Row, out: &mut String) {
        let shape = self.shape_of(row);
        if shape.members.is_empty() {
            out.push_str("{}");
            return;
        }
        let mut values = self.values_of(row).iter();
        for (head, (_, kind)) in shape.heads.iter().zip(&shape.members) {
            out.push_str(head);
            if !kind.has_value() {
                continue;
            }
            let Some(value) = values.next().copied() else {
                unreachable!("a row carries a value for each open member of its shape");
            };
            match kind {
                Kind::Number => out.push_str(self.text(value)),
                Kind::Text => write_text(out, self.text(value)),
                Kind::Tree => {
                    let written = write!(out, "{}", self.tree(value).to_canonical_json());
                    assert!(written.is_ok(), "a string takes every character");
                }
                Kind::Null | Kind::False | Kind::True => {}
            }
        }
        out.push('}');
    }

    /// Makes room for so many rows and strings at once, where there is more than a few.
    pub fn reserve(&mut self, rows: usize, strings: usize) {
        self.rows.reserve(rows);
        self.values.reserve(rows);
        self.strings.reserve(strings);
        let places = (strings * 2).next_power_of_two();
        if self.strings.is_empty() && places > self.places.len() {
            self.places = vec![0; places];
        }
    }

    /// Appends a row and its values, as [`Batch::push_value`] and [`Batch::push_row`] do; where its values begin is
    /// found here.
    ///
    /// # Panics
    /// The values are not as many as its shape has open.
    #[inline]
    pub fn append(&mut self, row: Row, values: impl IntoIterator<Item = Span>) {
        let from = self.values.len();
        self.values.extend(values);
        let width = self.shapes[place(row.shape)].width;
        assert!(
            from + place(width) == self.values.len(),
            "a row carries a value for each open member of its shape"
        );
        self.rows.push(Row { values: number(from), ..row });
    }
}

/// How many shapes a new one is compared with.
const SHAPES_COMPARED: usize = 16;

#[inline]
fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[inline]
fn number(place: usize) -> u32 {
    match u32::try_from(place) {
        Ok(number) => number,
        Err(_) => panic!("a batch holds less than 4 GiB and 2^32 of everything"),
    }
}

#[expect(clippy::as_conversions, reason = "only the low bits of a hash are wanted")]
fn low(hash: u64) -> usize {
    hash as usize
}

/// A quick hash for tables in memory; it decides no result. Folded multiplication, eight bytes at a time.
#[expect(clippy::as_conversions, reason = "both halves of a product are wanted")]
pub fn seeded(seed: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    fn fold(left: u64, right: u64) -> u64 {
        let product = u128::from(left) * u128::from(right);
        product as u64 ^ (product >> 64) as u64
    }
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = fold(hash ^ u64::from_le_bytes(*word), seed | FACTOR);
    }
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    fold(hash ^ u64::from_le_bytes(tail), (seed ^ 0x2545_f491_4f6c_dd1d) | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(properties: Value) -> Event {
        Event {
            source: "gate".to_owned(),
            id: "17".to_owned(),
            event_type: "call".to_owned(),
            account: "acct-ü".to_owned(),
            occurred_at: Instant(1_785_542_400_000_000_000),
            properties,
        }
    }

    fn object(members: Vec<(&str, Value)>) -> Value {
        Value::object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).unwrap()
    }

    #[test]
    fn events_come_back() {
        let inner = object(vec![("b", Value::List(vec![Value::Null, Value::number("1.50").unwrap()]))]);
        let events = [
            event(object(vec![])),
            event(object(vec![
                ("quantity", Value::number("7").unwrap()),
                ("a\"\n", Value::Text("ü\\\u{1}".to_owned())),
            ])),
            event(object(vec![
                ("t", Value::Bool(true)),
                ("f", Value::Bool(false)),
                ("n", Value::Null),
                ("tree", inner),
            ])),
        ];
        let mut batch = Batch::new(3);
        events.iter().for_each(|event| batch.push_event(event));
        assert_eq!(batch.len(), 3);
        assert_eq!(batch.string_count(), 3);
        for (row, event) in batch.rows().iter().zip(&events) {
            assert_eq!(batch.event(row), *event);
            let mut canonical = String::new();
            batch.write_canonical(row, &mut canonical);
            assert_eq!(canonical, event.properties.to_canonical_json());
        }
    }

    #[test]
    fn strings_are_numbered_once_whatever_their_number() {
        let mut batch = Batch::new(9);
        let numbers: Vec<u32> = (0..10_000).map(|i| batch.intern_text(&format!("org-{i}"))).collect();
        for (i, number) in numbers.iter().enumerate() {
            assert_eq!(batch.intern_text(&format!("org-{i}")), *number);
            assert_eq!(batch.string(*number), format!("org-{i}"));
        }
        assert_eq!(batch.string_count(), 10_000);
    }

    #[test]
    fn shapes_are_told_apart_by_key_and_kind() {
        let mut batch = Batch::new(1);
        let first = batch.shape(&[("a", Kind::Number), ("b", Kind::Text)]);
        assert_eq!(batch.shape(&[("a", Kind::Number), ("b", Kind::Text)]), first);
        assert_ne!(batch.shape(&[("a", Kind::Text), ("b", Kind::Text)]), first);
        assert_ne!(batch.shape(&[("a", Kind::Number)]), first);
        assert_eq!(batch.shapes()[0].find("b"), Some((1, Kind::Text)));
        assert_eq!(batch.shapes()[0].find("c"), None);
    }
}
